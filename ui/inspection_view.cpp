#include "ui/inspection_view.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "widgets/theme.h"
#include "widgets/token_strip.h"

namespace cuescope {
namespace {

// Index of `layer` in the stack, or of the nearest one.
std::size_t layerIndex(const AttentionStack& stack, int layer) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < stack.layers.size(); ++i)
    if (std::abs(stack.layers[i] - layer) < std::abs(stack.layers[best] - layer)) best = i;
  return best;
}

std::vector<float> reduced(const AttentionStack& stack, std::size_t query, std::size_t layer, int head) {
  std::vector<float> values(static_cast<std::size_t>(stack.keys), 0.f);
  if (head >= 0) {
    const float* map = stack.map(query, layer, static_cast<std::size_t>(std::min(head, stack.heads - 1)));
    std::copy(map, map + stack.keys, values.begin());
    return values;
  }
  for (int h = 0; h < stack.heads; ++h) {
    const float* map = stack.map(query, layer, static_cast<std::size_t>(h));
    for (int k = 0; k < stack.keys; ++k)
      values[std::size_t(k)] = head == kHeadMax ? std::max(values[std::size_t(k)], map[k]) : values[std::size_t(k)] + map[k];
  }
  if (head == kHeadMean)
    for (float& value : values) value /= float(stack.heads);
  return values;
}

float meanShare(const std::vector<float>& shares, const AttentionStack& stack, std::size_t query, std::size_t layer, int head) {
  if (shares.empty()) return kNotComputed;
  const float* at = shares.data() + (query * stack.layers.size() + layer) * std::size_t(stack.heads);
  if (head >= 0) return at[std::min(head, stack.heads - 1)];
  return std::accumulate(at, at + stack.heads, 0.f) / float(stack.heads);
}

}  // namespace

const AttentionStack* stackOf(const Inspection& inspection, Site site) {
  const AttentionStack* stack = site == Site::CueRecovery     ? &inspection.cueRecovery
                                : site == Site::SelfAttention ? &inspection.selfAttention
                                                              : nullptr;
  return stack && !stack->empty() ? stack : nullptr;
}

std::vector<Site> sitesOf(const Inspection& inspection) {
  std::vector<Site> sites;
  for (Site site : {Site::CueRecovery, Site::SelfAttention})
    if (stackOf(inspection, site)) sites.push_back(site);
  return sites;
}

std::vector<float> sliceValues(const AttentionStack& stack, const ImageView& image, std::size_t query, std::size_t layer, int head) {
  const std::vector<float> all = reduced(stack, query, layer, head);
  const auto first = std::min<std::size_t>(std::size_t(image.firstVisual), all.size());
  const auto count = std::min<std::size_t>(std::size_t(image.gridRows) * std::size_t(image.gridCols), all.size() - first);
  return {all.begin() + std::ptrdiff_t(first), all.begin() + std::ptrdiff_t(first + count)};
}

MapSlice sliceMap(const Inspection& inspection, const SelectionState& selection, int image) {
  MapSlice slice;
  slice.image = image;
  if (inspection.images.empty() || image < 0 || image >= int(inspection.images.size())) {
    slice.why = QStringLiteral("This question has no image, so nothing attends to one.");
    return slice;
  }
  const ImageView& view = inspection.images[std::size_t(image)];
  slice.rows = view.gridRows;
  slice.cols = view.gridCols;
  const AttentionStack* stack = stackOf(inspection, selection.site);
  if (!stack) {
    slice.why = selection.site == Site::CueRecovery
                    ? QStringLiteral("%1 has no cue recovery module. Choose another student, or the site Self-attention.")
                          .arg(QString::fromStdString(inspection.student.name))
                    : QStringLiteral("%1 was not computed for this image.").arg(siteTitle(selection.site));
    return slice;
  }
  const bool self = selection.site == Site::SelfAttention;
  std::size_t query = 0;
  if (self) {
    if (selection.token < 0 || selection.token >= int(stack->queries.size())) {
      slice.why = QStringLiteral("Self-attention belongs to one token. Click a token of the response.");
      return slice;
    }
    query = std::size_t(selection.token);
  }
  const std::size_t layer = layerIndex(*stack, selection.layer);
  const int head = stack->headsAveraged ? kHeadMean : selection.head;
  const std::vector<float> all = reduced(*stack, query, layer, head);
  slice.values = sliceValues(*stack, view, query, layer, head);
  slice.visualTokens = stack->keys;
  slice.imageShare = std::accumulate(all.begin(), all.end(), 0.f);
  slice.textShare = meanShare(stack->textShare, *stack, query, layer, head);
  slice.sinkShare = meanShare(stack->sinkShare, *stack, query, layer, head);
  slice.uniform = (self && head != kHeadMax ? slice.imageShare : 1.f) / float(stack->keys);
  const QString heads = head == kHeadMean  ? (stack->headsAveraged ? QStringLiteral("mean of heads")
                                                                   : QStringLiteral("mean of %1 heads").arg(stack->heads))
                        : head == kHeadMax ? QStringLiteral("max of %1 heads").arg(stack->heads)
                                           : QStringLiteral("head %1").arg(std::min(head, stack->heads - 1));
  const QString where = QStringLiteral("layer %1, %2").arg(stack->layers[layer]).arg(heads);
  if (self) {
    slice.claim = QStringLiteral("Token %1 “%2” to %3 visual tokens, %4")
                      .arg(selection.token)
                      .arg(tokenWords(inspection.response[query]))
                      .arg(stack->keys)
                      .arg(where);
    slice.depends = head == kHeadMax ? QStringLiteral("this token alone")
                                     : QStringLiteral("image share %1").arg(number(slice.imageShare, 2));
  } else {
    slice.claim = QStringLiteral("Sink to %1 visual tokens, %2").arg(stack->keys).arg(where);
    slice.depends = QStringLiteral("same for every response token");
  }
  return slice;
}

float imageShare(const Inspection& inspection, int token, int layer) {
  const AttentionStack* stack = stackOf(inspection, Site::SelfAttention);
  if (!stack || token < 0 || token >= int(stack->queries.size())) return kNotComputed;
  const std::vector<float> all = reduced(*stack, std::size_t(token), layerIndex(*stack, layer), kHeadMean);
  return std::accumulate(all.begin(), all.end(), 0.f);
}

SelectionState fitted(const Inspection& inspection, SelectionState selection) {
  const int tokens = int(inspection.response.size());
  selection.sample = QString::fromStdString(inspection.sampleId);
  selection.step = inspection.step >= 0 ? inspection.step : selection.step;
  selection.token = tokens == 0 ? -1 : std::clamp(selection.token, 0, tokens - 1);
  const std::vector<Site> sites = sitesOf(inspection);
  if (!sites.empty() && std::find(sites.begin(), sites.end(), selection.site) == sites.end()) selection.site = sites.front();
  if (const AttentionStack* stack = stackOf(inspection, selection.site)) {
    // Nothing chosen yet: the last layer, where the answer is nearest.
    selection.layer = selection.layer < 0 ? stack->layers.back() : stack->layers[layerIndex(*stack, selection.layer)];
    if (stack->headsAveraged) selection.head = kHeadMean;
    if (selection.head >= stack->heads) selection.head = stack->heads - 1;
  }
  return selection;
}

std::vector<float> evidenceCover(const Inspection& inspection, int image) {
  if (image < 0 || image >= int(inspection.images.size())) return {};
  const ImageView& view = inspection.images[std::size_t(image)];
  if (view.gridRows <= 0 || view.gridCols <= 0) return {};
  const float w = float(view.width) / float(view.gridCols), h = float(view.height) / float(view.gridRows);
  std::vector<float> cover(std::size_t(view.gridRows) * std::size_t(view.gridCols), 0.f);
  for (const PixelBox& box : inspection.evidence) {
    if (box.image != image) continue;
    for (std::size_t p = 0; p < cover.size(); ++p) {
      const float left = float(int(p) % view.gridCols) * w, top = float(int(p) / view.gridCols) * h;
      const float across = std::max(0.f, std::min(box.x + box.width, left + w) - std::max(box.x, left));
      const float down = std::max(0.f, std::min(box.y + box.height, top + h) - std::max(box.y, top));
      cover[p] = std::max(cover[p], across * down / (w * h));  // overlapping boxes count once
    }
  }
  return cover;
}

std::vector<int> evidencePatches(const Inspection& inspection, int image) {
  const std::vector<float> cover = evidenceCover(inspection, image);
  std::vector<int> patches;
  for (std::size_t p = 0; p < cover.size(); ++p)
    if (cover[p] >= 0.5f) patches.push_back(int(p));
  if (!patches.empty() || cover.empty()) return patches;
  const auto most = std::max_element(cover.begin(), cover.end());  // boxes smaller than half a patch
  if (*most > 0) patches.push_back(int(most - cover.begin()));
  return patches;
}

std::optional<CueScore> cueScore(const Inspection& inspection, const MapSlice& map) {
  if (!map.exists()) return std::nullopt;
  const std::vector<int> patches = evidencePatches(inspection, map.image);
  if (patches.empty()) return std::nullopt;
  CueScore score;
  for (const PixelBox& box : inspection.evidence) score.boxes += box.image == map.image;
  score.patches = int(patches.size());
  const float total = std::accumulate(map.values.begin(), map.values.end(), 0.f);
  std::vector<bool> inside(map.values.size());
  for (int p : patches) inside[std::size_t(p)] = true;
  // A patch counts as far as the boxes cover it, as in the run's evidence mass.
  const std::vector<float> cover = evidenceCover(inspection, map.image);
  float mass = 0, covered = 0;
  for (std::size_t p = 0; p < map.values.size() && p < cover.size(); ++p) {
    mass += cover[p] * map.values[p];
    covered += cover[p];
  }
  const float n = float(map.values.size()), e = float(patches.size());
  score.mass = total > 0 ? mass / total : 0;
  score.uniformMass = covered / n;
  score.uniformHit = e / n;
  std::vector<std::size_t> order(map.values.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::partial_sort(order.begin(), order.begin() + std::ptrdiff_t(patches.size()), order.end(),
                    [&](std::size_t a, std::size_t b) { return map.values[a] != map.values[b] ? map.values[a] > map.values[b] : a < b; });
  score.hit = inside[order[0]];
  float both = 0;
  for (std::size_t i = 0; i < patches.size(); ++i) both += inside[order[i]] ? 1.f : 0.f;
  score.iou = both / (2 * e - both);
  const float expected = e * e / n;
  score.uniformIou = expected / (2 * e - expected);
  return score;
}

Alignment alignmentOf(const Inspection& inspection) {
  Alignment alignment;
  const auto visual = [](const RenderedPrompt& prompt) {
    return int(std::count_if(prompt.tokens.begin(), prompt.tokens.end(), [](const Token& t) { return t.visual >= 0; }));
  };
  int grid = 0;
  QStringList grids;
  for (const ImageView& view : inspection.images) {
    grid += view.gridRows * view.gridCols;
    grids << QStringLiteral("%1 × %2").arg(view.gridCols).arg(view.gridRows);
  }
  const bool two = inspection.hasTeacher;
  const auto row = [&](const QString& check, const QString& student, const QString& teacher, bool ok) {
    alignment.rows.push_back({check, student, two ? teacher : QStringLiteral("no teacher"), ok});
    alignment.aligned = alignment.aligned && ok;
  };
  const int s = visual(inspection.studentPrompt), t = two ? visual(inspection.teacherPrompt) : s;
  row(QStringLiteral("Response starts at"), QString::number(inspection.studentPrompt.responseBegin()),
      QString::number(inspection.teacherPrompt.responseBegin()), true);
  row(QStringLiteral("Image placeholders"), QString::number(s), QString::number(t), s == t && s == grid);
  row(QStringLiteral("Patch grid / 2"), grids.isEmpty() ? QStringLiteral("no image") : grids.join(QStringLiteral(", ")),
      grids.isEmpty() ? QStringLiteral("no image") : grids.join(QStringLiteral(", ")), s == grid && t == grid);
  const auto marked = [](const RenderedPrompt& prompt) { return prompt.cueEnd - prompt.cueBegin; };
  row(QStringLiteral("Cue tokens"), QString::number(std::max(0, marked(inspection.studentPrompt))),
      QString::number(std::max(0, marked(inspection.teacherPrompt))),
      marked(inspection.studentPrompt) <= 0 && (inspection.cue.empty() || !two || marked(inspection.teacherPrompt) > 0));
  const bool scored = inspection.distributions.size() == inspection.response.size();
  row(QStringLiteral("Scores of the response"), QStringLiteral("%1 of %2").arg(inspection.distributions.size()).arg(inspection.response.size()),
      QStringLiteral("%1 of %2").arg(inspection.distributions.size()).arg(inspection.response.size()), scored);
  if (alignment.aligned) {
    alignment.verdict = two ? QStringLiteral("Aligned") : QStringLiteral("One model");
  } else {
    alignment.verdict = QStringLiteral("Not aligned");
  }
  return alignment;
}

FoldedPrompt foldedPrompt(const RenderedPrompt& prompt) {
  // Bytes are joined before they become text: a token may hold half a character.
  QByteArray bytes;
  int run = 0, cueBegin = -1, cueEnd = -1;
  const auto flush = [&] {
    if (run > 0) bytes += "[image: " + QByteArray::number(run) + "]";
    run = 0;
  };
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i) {
    const Token& token = prompt.tokens[i];
    if (token.visual >= 0) {
      ++run;
      continue;
    }
    flush();
    if (int(i) == prompt.cueBegin) cueBegin = int(bytes.size());
    bytes += QByteArray::fromStdString(token.text);
    if (int(i) == prompt.cueEnd - 1) cueEnd = int(bytes.size());
  }
  flush();
  FoldedPrompt folded;
  folded.text = QString::fromUtf8(bytes);
  if (cueBegin >= 0 && cueEnd > cueBegin) {
    folded.cueBegin = int(QString::fromUtf8(bytes.left(cueBegin)).size());
    folded.cueEnd = int(QString::fromUtf8(bytes.left(cueEnd)).size());
  }
  return folded;
}

QString tokenWords(const Token& token) {
  return tokenText(QByteArray::fromStdString(token.text), token.special);
}

QString signedNumber(double value, int decimals) {
  const QString text = number(value, decimals);
  return std::isfinite(value) && !text.startsWith(QChar(0x2212)) ? u'+' + text : text;
}

}  // namespace cuescope
