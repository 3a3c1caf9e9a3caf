#include "engine/inspect/capture_plan.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "engine/core/failure.h"
#include "engine/inspect/attention_maps.h"
#include "engine/model/layers.h"

namespace cuescope {

namespace {

constexpr std::int64_t kFloat = 4;
constexpr std::int64_t kAllowance = 2 << 20;  // what depends on nothing: tables, position ids, small tensors

std::vector<int> sortedUnique(std::vector<int> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

/// All of 0 … count - 1, or the chosen ones.
std::vector<int> chosenOf(const std::vector<int>& chosen, std::int64_t count, const char* word) {
  std::vector<int> result = sortedUnique(chosen);
  if (result.empty()) {
    result.resize(static_cast<std::size_t>(count));
    std::iota(result.begin(), result.end(), 0);
  }
  for (const int each : result) {
    if (each < 0 || each >= count) {
      throw Error(std::string("There is no ") + word + " " + std::to_string(each), "inspection",
                  "there are " + std::to_string(count) + ", counted from 0", "Choose one of these.");
    }
  }
  return result;
}

/// As many of `layers` as fit, heads averaged when all of them do not. Returns the bytes of maps that a shorter response would take at
/// most: with fewer rows all heads may fit, up to the budget.
std::int64_t fitBudget(StackPlan& stack, std::int64_t heads, std::int64_t budgetBytes) {
  const std::vector<int> wanted = stack.layers;
  const std::int64_t whole = static_cast<std::int64_t>(wanted.size() * stack.queries.size()) * heads * (stack.keys + 2) * kFloat;
  const std::vector<int> kept = layersWithinBudget(static_cast<std::int64_t>(wanted.size()), static_cast<std::int64_t>(stack.queries.size()),
                                                   heads, stack.keys, budgetBytes, &stack.averaged);
  stack.layers.clear();
  for (const int each : kept) stack.layers.push_back(wanted[static_cast<std::size_t>(each)]);
  stack.heads = stack.averaged ? 1 : static_cast<int>(heads);
  return std::min(whole, std::max<std::int64_t>(0, budgetBytes) * (stack.keys + 2) / stack.keys);
}

/// Activations of one pass over T tokens and P patches, at most: what a layer has at one time, with its matrices widened.
std::int64_t passBytes(const Qwen3VLConfig& config, std::int64_t tokens, std::int64_t patches, bool widens) {
  const auto& t = config.text;
  const auto& v = config.vision;
  const std::int64_t projections = 2 * t.heads * t.headDim + 2 * t.kvHeads * t.headDim;
  const std::int64_t text = tokens * (6 * t.hidden + 2 * projections + 3 * t.intermediate + 4 * t.headDim + 64) * kFloat;
  const std::int64_t merged = patches / (v.merge * v.merge), wide = v.hidden * v.merge * v.merge;
  const std::int64_t block = patches * (14 * v.hidden + 2 * v.intermediate + v.channels * v.temporalPatch * v.patch * v.patch + 64) * kFloat;
  const std::int64_t merger = merged * (4 * wide + 2 * v.outHidden) * kFloat;
  const std::int64_t features = merged * v.outHidden * static_cast<std::int64_t>(1 + v.deepstack.size()) * kFloat;
  const std::int64_t matrix = std::max({t.hidden * t.intermediate, t.hidden * t.heads * t.headDim, wide * wide, wide * v.outHidden}) * kFloat;
  return std::max(text, block + merger) + features + (widens ? 2 * matrix : 0);
}

}  // namespace

std::vector<std::vector<int>> occlusionCells(const std::vector<Grid>& grids, std::int64_t merge, int cell) {
  std::vector<std::vector<int>> cells;
  std::int64_t first = 0;
  for (const Grid& grid : grids) {
    const std::int64_t rows = grid.h / merge, columns = grid.w / merge;
    for (std::int64_t slice = 0; slice < grid.t; ++slice, first += rows * columns) {
      for (std::int64_t top = 0; top < rows; top += cell) {
        for (std::int64_t left = 0; left < columns; left += cell) {
          auto& tokens = cells.emplace_back();
          for (std::int64_t y = top; y < std::min(rows, top + cell); ++y) {
            for (std::int64_t x = left; x < std::min(columns, left + cell); ++x) tokens.push_back(static_cast<int>(first + y * columns + x));
          }
        }
      }
    }
  }
  return cells;
}

CapturePlan planCapture(const Qwen3VLConfig& config, const InspectRequest& request, const RowInput& prompt, std::int64_t responseLength,
                        bool responseGiven, bool widens) {
  CapturePlan plan;
  plan.promptLength = static_cast<std::int64_t>(prompt.ids.size());
  plan.responseLength = responseLength;
  std::int64_t patches = 0, largestSlice = 0;
  for (const Grid& grid : prompt.grids) {
    patches += grid.t * grid.h * grid.w;
    largestSlice = std::max(largestSlice, grid.h * grid.w);
    plan.visual += grid.merged(config.vision.merge);
  }
  const auto start = std::find(prompt.ids.begin(), prompt.ids.end(), config.imStart);
  plan.sink = start == prompt.ids.end() ? 0 : start - prompt.ids.begin();

  if (responseLength > 0) {
    std::vector<int> tokens = request.responseTokens;
    if (!responseGiven) std::erase_if(tokens, [&](int each) { return each >= responseLength; });
    if (request.responseTokens.empty() || !tokens.empty()) plan.responseTokens = chosenOf(tokens, responseLength, "response token");
  }
  for (const int token : plan.responseTokens) plan.predicting.push_back(static_cast<int>(plan.promptLength) + token - 1);
  if (!request.promptTokens.empty()) plan.promptTokens = chosenOf(request.promptTokens, plan.promptLength, "prompt token");
  const std::vector<int> layers = chosenOf(request.layers, config.text.layers, "decoder layer");
  const auto wants = [&](Site site) { return request.sites.count(site) > 0; };
  const auto keys = static_cast<int>(plan.visual);
  const std::int64_t tokens = plan.length(), heads = config.text.heads;
  const std::int64_t rowsAsked = static_cast<std::int64_t>(plan.predicting.size() + plan.promptTokens.size());
  const std::int64_t headCopy = widens ? config.text.vocabulary * config.text.hidden * kFloat : 0;

  const auto add = [&](Site site, const StackPlan& stack, std::int64_t bytes, std::int64_t workBytes, double passes) {
    SiteCost cost{site, bytes, workBytes, passes, static_cast<int>(stack.queries.size()), static_cast<int>(stack.layers.size()), stack.heads, stack.keys, {}};
    if (stack.averaged && stack.wanted()) cost.note = "heads are averaged to stay within the budget";
    plan.cost.sites.push_back(std::move(cost));
  };
  if (wants(Site::CueRecovery) && config.cue.enabled && keys > 0) {
    for (const std::int64_t layer : config.cue.active) plan.cue.layers.push_back(static_cast<int>(layer));
    plan.cue.queries = {static_cast<int>(plan.sink)};
    plan.cue.heads = static_cast<int>(heads);
    plan.cue.keys = keys;
    add(Site::CueRecovery, plan.cue, plan.cue.bytes(false), 3 * heads * keys * kFloat, 0);
  }
  if (wants(Site::SelfAttention) && keys > 0) {
    plan.self = {layers, plan.predicting, 0, keys, false};
    const std::int64_t most = plan.predicting.empty() ? 0 : fitBudget(plan.self, heads, request.attentionBudgetBytes);
    plan.prompt = {layers, plan.promptTokens, 0, keys, false};
    if (!plan.promptTokens.empty()) fitBudget(plan.prompt, heads, request.attentionBudgetBytes);
    add(Site::SelfAttention, plan.self.wanted() ? plan.self : plan.prompt, (responseGiven ? plan.self.bytes(true) : most) + plan.prompt.bytes(true), 5 * heads * rowsAsked * tokens * kFloat, 0);
    plan.cost.sites.back().queries = static_cast<int>(rowsAsked);
  }
  if (wants(Site::Vision) && keys > 0) {
    plan.vision.layers = chosenOf(request.visionLayers, config.vision.depth, "vision layer");
    plan.vision.queries = {-1};
    const std::vector<int> chosen = request.visionQueries.empty() ? std::vector<int>{} : chosenOf(request.visionQueries, plan.visual, "visual token");
    plan.vision.queries.insert(plan.vision.queries.end(), chosen.begin(), chosen.end());
    plan.vision.keys = keys;
    fitBudget(plan.vision, config.vision.heads, request.attentionBudgetBytes);
    const std::int64_t squares = config.vision.heads * largestSlice * largestSlice * kFloat;
    const std::int64_t asked = config.vision.heads * static_cast<std::int64_t>(chosen.size()) * 4 * largestSlice * kFloat;
    add(Site::Vision, plan.vision, plan.vision.bytes(false), 3 * (std::min(squares, kShownWeightBytes) + asked) + (1 << 20), 0);
  }
  if (wants(Site::Rollout) && keys > 0 && rowsAsked > 0) {
    plan.rollout = {layers, plan.promptTokens, 1, keys, true};
    plan.rollout.queries.insert(plan.rollout.queries.end(), plan.predicting.begin(), plan.predicting.end());
    plan.rollout.queries = sortedUnique(plan.rollout.queries);
    add(Site::Rollout, plan.rollout, plan.rollout.bytes(false), 3 * tokens * keys * kFloat + 4 * std::min(heads * tokens * tokens * kFloat, kShownWeightBytes) + (1 << 20), 0);
    plan.cost.sites.back().note = "heads are averaged by definition";
  }
  if (wants(Site::GradientAttention) && keys > 0 && !plan.predicting.empty()) {
    plan.gradient = {layers, plan.predicting, 0, keys, false};
    const std::int64_t most = fitBudget(plan.gradient, heads, request.attentionBudgetBytes);
    const auto& t = config.text;
    const std::int64_t rows = std::min<std::int64_t>(static_cast<std::int64_t>(plan.predicting.size()), kGradientRows);
    const std::int64_t cache = 2 * t.layers * t.kvHeads * (tokens + 64) * t.headDim * kFloat;
    const std::int64_t graph = rows * ((t.layers + 20) * t.hidden + 8 * t.intermediate + 12 * t.heads * t.headDim + 3 * t.vocabulary) * kFloat + 8 * heads * rows * tokens * kFloat +
                               2 * heads * tokens * t.headDim * kFloat;
    const std::int64_t widened = widens ? 4 * t.hidden * t.intermediate * kFloat + headCopy : 0;
    add(Site::GradientAttention, plan.gradient, responseGiven ? plan.gradient.bytes(false) : most, cache + graph + widened + (1 << 20), 2);
  }
  if (wants(Site::LogitLens)) {
    plan.lensLayers = layers;
    plan.lensPositions = plan.promptTokens;
    plan.lensPositions.insert(plan.lensPositions.end(), plan.predicting.begin(), plan.predicting.end());
    plan.lensPositions = sortedUnique(plan.lensPositions);
    plan.lensTop = static_cast<int>(std::clamp<std::int64_t>(request.lensTop, 1, config.text.vocabulary));
    const auto places = static_cast<std::int64_t>(plan.lensLayers.size() * plan.lensPositions.size());
    std::int64_t bytes = places * (plan.lensTop * (8 + kFloat) + 2 * kFloat);
    if (request.lensMap && keys > 0 && !plan.predicting.empty()) plan.lensMap = {layers, plan.predicting, 1, keys, true};
    bytes += plan.lensMap.bytes(false);
    const std::int64_t kept = static_cast<std::int64_t>(plan.lensPositions.size() + (plan.lensMap.wanted() ? static_cast<std::size_t>(keys) : 0)) * config.text.hidden * kFloat * 3;
    const std::int64_t most = std::max<std::int64_t>(static_cast<std::int64_t>(plan.lensPositions.size()), plan.lensMap.wanted() ? keys : 0) * config.text.vocabulary * kFloat;
    add(Site::LogitLens, plan.lensMap, bytes, kept + 4 * std::min(most, std::max<std::int64_t>(kLogitBytes, config.text.vocabulary * kFloat)) + headCopy + (1 << 20), 0);
    plan.cost.sites.back().queries = static_cast<int>(plan.lensPositions.size());
    plan.cost.sites.back().layers = static_cast<int>(plan.lensLayers.size());
    plan.cost.sites.back().note = plan.lensMap.wanted() ? "with a map over the image for each token" : "";
  }
  if (wants(Site::Occlusion) && keys > 0 && !plan.predicting.empty()) {
    if (request.occlusionChange == Change::KeepOnly) {
      throw Error("A map of occlusions cannot keep only a cell", "inspection", "it erases, blurs or averages one cell after the other", "Choose one of these.");
    }
    plan.occlusion = {{0}, plan.predicting, 1, keys, true};
    int cell = std::max(request.occlusionCell, 1);
    std::size_t cells = occlusionCells(prompt.grids, config.vision.merge, cell).size();
    while (request.occlusionCell <= 0 && cells > static_cast<std::size_t>(std::max(1, request.occlusionPasses)) && cell < 1 << 12) {
      cells = occlusionCells(prompt.grids, config.vision.merge, ++cell).size();
      if (cells <= prompt.grids.size()) break;  // one cell a picture is as large as a cell can be
    }
    plan.occlusionCell = cell;
    plan.occlusionPasses = static_cast<int>(cells);
    const std::int64_t pixels = patches * config.vision.channels * config.vision.temporalPatch * config.vision.patch * config.vision.patch * kFloat;
    // Small rows share a pass.
    const std::int64_t together = plan.occlusionTogether = std::max<std::int64_t>(1, std::min<std::int64_t>(static_cast<std::int64_t>(cells), kOcclusionTokens / std::max<std::int64_t>(1, tokens + patches)));
    const std::int64_t logits = 4 * std::min(static_cast<std::int64_t>(plan.predicting.size()) * config.text.vocabulary * kFloat, std::max<std::int64_t>(kLogitBytes, config.text.vocabulary * kFloat));
    add(Site::Occlusion, plan.occlusion, plan.occlusion.bytes(false), (1 << 20) + together * (passBytes(config, tokens, patches, widens) + 5 * pixels) + logits + headCopy, static_cast<double>(cells));
    plan.cost.sites.back().note = "cells of " + std::to_string(cell) + " x " + std::to_string(cell) + " visual tokens, " + std::to_string(cells) + " forward passes";
  }

  InspectCost& cost = plan.cost;
  std::int64_t work = 0;
  for (const SiteCost& site : cost.sites) {
    cost.bytes += site.bytes;
    work = std::max(work, site.workBytes);
  }
  const std::int64_t vocabulary = 8 * std::min(responseLength * config.text.vocabulary * kFloat * (request.teacher.empty() ? 1 : 4), std::max<std::int64_t>(kLogitBytes, config.text.vocabulary * kFloat * 4)) + headCopy;
  const std::int64_t pictures = 4 * patches * config.vision.channels * config.vision.temporalPatch * config.vision.patch * config.vision.patch * kFloat;
  const std::int64_t cache = 2 * config.text.layers * config.text.kvHeads * (tokens + 64) * config.text.headDim * kFloat;  // while it answers
  // Probes work inside the pass; the others beside nothing but what is kept. The sum bounds both.
  cost.peakBytes = kAllowance + 2 * cost.bytes + work + std::max(passBytes(config, tokens, patches, widens) + cache, vocabulary) + pictures;
  cost.tokens = tokens;
  cost.visualTokens = plan.visual;
  cost.budgetBytes = request.budgetBytes;
  cost.fits = cost.bytes <= request.budgetBytes;
  return plan;
}

void checkBudget(const CapturePlan& plan) {
  if (plan.cost.fits) return;
  const auto megabytes = [](std::int64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
    return std::string(text);
  };
  const auto most = std::max_element(plan.cost.sites.begin(), plan.cost.sites.end(), [](const SiteCost& a, const SiteCost& b) { return a.bytes < b.bytes; });
  throw Error("This inspection would take " + megabytes(plan.cost.bytes), "inspection",
              "the budget is " + megabytes(plan.cost.budgetBytes) + "; " + siteName(most->site) + " alone takes " + megabytes(most->bytes),
              "Choose fewer layers or tokens, or fewer sites, or raise the budget.");
}

}  // namespace cuescope
