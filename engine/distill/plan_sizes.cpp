#include "engine/distill/plan_sizes.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "engine/core/engine_loader.h"
#include "engine/data/processor.h"
#include "engine/distill/log_probs.h"
#include "engine/distill/prompt_cache.h"
#include "engine/distill/response_rows.h"
#include "engine/distill/rollout.h"
#include "engine/distill/student_step.h"
#include "engine/distill/vision_cache.h"

namespace cuescope {
namespace {

constexpr std::int64_t kFloat = 4, kNarrow = 2;  // bytes
constexpr std::int64_t kKernelBytes = 400 << 10;  // of one compiled product with its workspace; measured as the mean of such a cache
constexpr std::int64_t kChunkElements = LogProbOptions{}.chunkElements;

/// Sums over the rows of a pass.
struct Load {
  std::int64_t tokens = 0, visual = 0, patches = 0, response = 0, tails = 0, rows = 0;
  double pairs = 0;  // of query and key, half of the square
};

Load loadOf(const std::vector<PlanRow>& rows, bool teacher) {
  Load load;
  for (const PlanRow& row : rows) {
    const auto response = static_cast<std::int64_t>(std::llround(row.responseTokens));
    const std::int64_t length = (teacher ? row.teacherPrompt : row.prompt) + response;
    load.tokens += length;
    load.visual += teacher ? row.teacherVisual : row.visual;
    load.patches += teacher ? row.teacherPatches : row.patches;
    load.response += response;
    load.tails += response + 1;
    load.pairs += 0.5 * static_cast<double>(length) * static_cast<double>(length);
    ++load.rows;
  }
  return load;
}

/// Rows of the widest micro-batch.
template <typename Bytes>
std::int64_t widest(const std::vector<PlanRow>& rows, std::size_t tokens, bool teacher, Bytes&& bytes) {
  std::vector<std::size_t> lengths;
  for (const PlanRow& row : rows)
    lengths.push_back(static_cast<std::size_t>((teacher ? row.teacherPrompt : row.prompt) + std::llround(row.responseTokens)));
  std::int64_t most = 0;
  for (const auto& [begin, end] : splitByTokens(lengths, tokens))
    most = std::max(most, bytes(std::vector<PlanRow>(rows.begin() + static_cast<std::ptrdiff_t>(begin), rows.begin() + static_cast<std::ptrdiff_t>(end))));
  return most;
}

std::int64_t featureBytes(const Qwen3VLConfig& c, std::int64_t visual, std::int64_t width) {
  return visual * c.text.hidden * (1 + static_cast<std::int64_t>(c.vision.deepstack.size())) * width;
}

/// What the tower holds for its widest block, nothing kept.
std::int64_t towerBytes(const Qwen3VLConfig& c, std::int64_t patches, std::int64_t width) {
  const auto& v = c.vision;
  const std::int64_t pixel = v.channels * v.temporalPatch * v.patch * v.patch;
  return patches * (pixel + 2 * v.hidden + std::max(8 * v.hidden, 2 * v.intermediate)) * width;
}

/// Logits that exist at once, in float32 values.
std::int64_t chunkValues(const Qwen3VLConfig& c, std::int64_t responses) {
  return std::min(responses, chunkRows(c.text.vocabulary)) * c.text.vocabulary;
}

bool wholeVocabulary(const RunConfig& config) { return isWholeVocabulary(config.distillation.lossMode); }

double decoderFlops(const ModelSizes& m, double tokens, double pairs) {
  const auto& t = m.config.text;
  return 2.0 * static_cast<double>(m.decoder - t.vocabulary * t.hidden) * tokens +
         4.0 * pairs * static_cast<double>(t.heads * t.headDim * t.layers);
}
double headFlops(const ModelSizes& m, double tokens) { return 2.0 * static_cast<double>(m.config.text.vocabulary * m.config.text.hidden) * tokens; }
double towerFlops(const ModelSizes& m, double patches) { return 2.0 * static_cast<double>(m.vision) * patches; }

std::string millions(std::int64_t n) {
  std::ostringstream out;
  out.precision(3);
  out << static_cast<double>(n) / 1e6 << " M";
  return out.str();
}

}  // namespace

std::string computeTypeOf(const RunConfig& config, const std::string& otherwise) {
  if (config.actor.dtype != "auto") return config.actor.dtype;
  return otherwise == "bfloat16" ? otherwise : "float32";
}

ModelSizes sizesOf(const Qwen3VL& model) {
  ModelSizes sizes;
  sizes.config = model.config();
  sizes.storedBytes = static_cast<std::int64_t>(model.headWeight().element_size());
  for (const auto& item : model.named_parameters()) {
    const std::int64_t n = item.value().numel();
    const bool vision = item.key().starts_with("model.visual."), trains = item.value().requires_grad();
    sizes.parameters += n;
    if (trains) {
      sizes.trainable += n;
      sizes.largest = std::max(sizes.largest, n);
      if (vision) sizes.trainableVision += n;
    }
    const std::string& name = item.key();
    const auto ends = [&](const char* tail) { return name.ends_with(tail); };
    if (item.value().dim() == 2 && !ends("embed_tokens.weight") && !ends("lm_head.weight") && !ends("pos_embed.weight")) sizes.narrowed += n;
    if (vision)
      sizes.vision += n;
    else if (item.key().find(".sink_") == std::string::npos)
      sizes.decoder += n;
  }
  return sizes;
}

PlanRow planRowOf(const RowInput& student, const RowInput& teacher, const Qwen3VL& model) {
  PlanRow row;
  row.prompt = static_cast<std::int64_t>(student.ids.size());
  row.teacherPrompt = static_cast<std::int64_t>(teacher.ids.size());
  for (const Grid& grid : student.grids) {
    row.visual += grid.merged(model.config().vision.merge);
    row.patches += grid.t * grid.h * grid.w;
  }
  for (const Grid& grid : teacher.grids) {
    row.teacherVisual += grid.merged(model.config().vision.merge);
    row.teacherPatches += grid.t * grid.h * grid.w;
  }
  row.ownPatches = (student.grids.size() > 1 ? row.patches : 0) + (teacher.grids.size() > 1 ? row.teacherPatches : 0);
  return row;
}

std::int64_t trainingPassBytes(const ModelSizes& student, const std::vector<PlanRow>& rows, const RunConfig& config, bool narrow) {
  const auto& c = student.config;
  const auto& t = c.text;
  const auto& v = c.vision;
  const Load load = loadOf(rows, false);
  const std::int64_t T = load.tokens, h = t.hidden, q = t.heads * t.headDim, k = t.kvHeads * t.headDim, I = t.intermediate;
  const std::int64_t width = narrow ? kNarrow : kFloat;
  // A layer keeps: its input, the normed and the scaled input; q as projected, normed and rotated; k likewise; v; the attention's
  // output twice; the state between and its two norms; gate, its activation, up and their product.
  // Mixed precision: the state and its norm stay float32, what enters and leaves products and attention is narrow.
  const auto layer = [&](std::int64_t all, std::int64_t asking) {
    if (narrow) return all * (10 * h + 12 * k) + asking * (10 * h + 14 * q + 4 * t.heads + 8 * I);
    // Attention on the CPU copies keys and values to every query head that shares them, and keeps the copies instead.
    const std::int64_t seen = t.heads == t.kvHeads ? 4 * k : 2 * k + 2 * q;
    return kFloat * (all * (3 * h + seen) + asking * (3 * h + 5 * q + t.heads + 4 * I));
  };
  std::int64_t values = 0;  // bytes
  const bool recompute = config.student.gradientCheckpointing;
  if (recompute)
    values += t.layers * T * h * kFloat + layer(T, T);
  else
    values += (t.layers - 1) * layer(T, T) + layer(T, load.tails);
  if (c.cue.enabled) values += static_cast<std::int64_t>(c.cue.active.size()) * 3 * load.visual * h * kFloat;
  values += 4 * load.tails * h * kFloat;  // final norm and the rows that predict
  values += T * h * kFloat;               // embedded
  if (student.trainableVision > 0 && load.patches > 0) {
    const std::int64_t block = load.patches * (narrow ? 26 * v.hidden + 4 * v.intermediate : kFloat * (11 * v.hidden + 2 * v.intermediate));
    values += recompute ? v.depth * load.patches * v.hidden * kFloat + block : v.depth * block;
    values += load.patches * v.hidden * 5 * (1 + static_cast<std::int64_t>(v.deepstack.size())) * width;
    values += load.patches * v.channels * v.temporalPatch * v.patch * v.patch * width;
  }
  // The widest moment: the head's chunk with its gradient, or the first layer's backward pass.
  const std::int64_t chunk = chunkValues(c, load.response), kept = load.response * t.vocabulary <= kChunkElements ? 1 : 0;
  std::int64_t head = (3 + kept) * chunk * kFloat + t.vocabulary * h * kFloat + 2 * load.response * h * kFloat;
  if (wholeVocabulary(config))
    head = 6 * load.response * std::min<std::int64_t>(config.distillation.vocabularyChunk, t.vocabulary) * kFloat + t.vocabulary * h * kFloat;
  const std::int64_t behind = T * (3 * h * kFloat + 3 * I * width) + student.largest * (narrow ? kNarrow + kFloat : kFloat) + kept * chunk * kFloat;
  return values + featureBytes(c, load.visual, width) + std::max(head, behind);
}

double trainingFlops(const ModelSizes& student, const std::vector<PlanRow>& rows) {
  const Load load = loadOf(rows, false);
  return 3 * (decoderFlops(student, static_cast<double>(load.tokens), load.pairs) + headFlops(student, static_cast<double>(load.response))) +
         (student.trainableVision > 0 ? 3 : 1) * towerFlops(student, static_cast<double>(load.patches));
}

std::int64_t scoringPassBytes(const ModelSizes& model, const std::vector<PlanRow>& rows, const RunConfig& config, bool narrow) {
  const auto& t = model.config.text;
  const Load load = loadOf(rows, true);
  const std::int64_t T = load.tokens, q = t.heads * t.headDim, k = t.kvHeads * t.headDim;
  const std::int64_t wide = (3 * t.hidden + std::max(3 * q + 4 * k, 2 * t.intermediate + t.hidden)) * kFloat;
  const std::int64_t mixed = 4 * t.hidden * kFloat + std::max((3 * q + 3 * k) * kFloat + 2 * (q + k) * kNarrow, 4 * t.intermediate * kNarrow);
  const std::int64_t inside = T * (narrow ? mixed : wide);
  const std::int64_t head = load.tails * 2 * t.hidden * kFloat + 3 * chunkValues(model.config, load.response) * kFloat;
  return featureBytes(model.config, load.visual, narrow ? kNarrow : kFloat) + std::max(inside, head);
}

std::int64_t keyValueBytes(const ModelSizes& student, const std::vector<PlanRow>& rows, const RunConfig& config, bool narrow, bool cuda) {
  const auto& t = student.config.text;
  const std::int64_t token = t.layers * 2 * t.kvHeads * t.headDim * (narrow ? 2 : kFloat);
  const std::int64_t bound = std::int64_t{config.rollout.kvCacheMib} << 20;
  const std::int64_t room = bound > 0 ? config.data.maxResponseLength : std::min(config.data.maxResponseLength, 1024);
  std::vector<std::int64_t> prompts, blocks;
  for (const PlanRow& row : rows) prompts.push_back(row.prompt);
  std::sort(prompts.begin(), prompts.end(), std::greater<>());
  for (const std::int64_t prompt : prompts) {
    const std::int64_t shared = cuda || narrow ? 0 : CpuDecoder::shareable(prompt);  // of the samples behind the first
    for (int i = 0; i < config.rollout.n; ++i) blocks.push_back(KvCache::roundedCapacity(prompt - (i > 0 ? shared : 0) + room) * token);
  }
  const auto places = static_cast<std::size_t>(rolloutPlaces(config, cuda));
  blocks.resize(std::min(blocks.size(), places));
  const std::int64_t all = std::accumulate(blocks.begin(), blocks.end(), std::int64_t{0});
  return bound > 0 ? std::min(all, bound) : all;
}

bool startTeaches(const RunConfig& config) { return usesTeacher(config) && config.teacher.kind == "own_start"; }

RunPlan planOf(const PlanInputs& in) {
  const RunConfig& config = in.config;
  const ModelSizes& student = in.student;
  const auto& c = student.config;
  const bool cuda = in.device.starts_with("cuda"), narrow = computeTypeOf(config) == "bfloat16";
  RunPlan plan;
  plan.name = config.trainer.name;
  plan.device = in.device;
  plan.dtype = narrow ? "bfloat16" : "float32";
  plan.steps = config.trainer.totalTrainingSteps;
  plan.assumptions = in.assumptions;

  std::vector<PlanRow> prompts;  // a batch
  for (int i = 0; i < config.data.trainBatchSize && !in.rows.empty(); ++i) prompts.push_back(in.rows[static_cast<std::size_t>(i) % in.rows.size()]);
  std::vector<PlanRow> rows;     // its responses
  for (const PlanRow& prompt : prompts) rows.insert(rows.end(), static_cast<std::size_t>(config.rollout.n), prompt);
  const Load asStudent = loadOf(rows, false), asTeacher = loadOf(rows, true), batch = loadOf(prompts, false), teacherBatch = loadOf(prompts, true);
  const double count = std::max<double>(1, static_cast<double>(rows.size()));
  plan.responseTokens = static_cast<double>(asStudent.response) / count;
  plan.promptTokens = static_cast<double>(asStudent.tokens - asStudent.response) / count;

  const auto hold = [&](const std::string& name, std::int64_t bytes, bool resident, const std::string& note) {
    if (bytes <= 0) return;
    plan.rows.push_back({name, bytes, resident, note});
    if (resident) plan.residentBytes += bytes;
  };
  const std::int64_t pixel = c.vision.channels * c.vision.temporalPatch * c.vision.patch * c.vision.patch * kFloat;
  hold("weights", student.parameters * kFloat + (narrow ? student.narrowed * kNarrow : 0), true,
       millions(student.parameters) + " parameters of the student, float32" + (narrow ? ", and its matrices in bfloat16" : ""));
  std::int64_t teacherBytes = 0, teacherParameters = 0, slowest = 0;
  for (const ModelSizes& teacher : in.teachers) {
    teacherBytes += teacher.parameters * teacher.storedBytes + (narrow && teacher.storedBytes == kFloat ? teacher.narrowed * kNarrow : 0);
    teacherParameters += teacher.parameters;
    slowest = std::max(slowest, teacher.parameters);
  }
  hold("teacher", teacherBytes, true, millions(teacherParameters) + " parameters of " + std::to_string(in.teachers.size()) + (in.teachers.size() == 1 ? " model" : " models"));
  hold("gradients", student.trainable * kFloat, true, millions(student.trainable) + " parameters train, float32");
  hold("optimizer", student.trainable * 2 * kFloat, true, "two moments of AdamW, float32");
  const std::int64_t seen = std::min<std::int64_t>(in.trainRows, std::int64_t{config.trainer.totalTrainingSteps} * config.data.trainBatchSize);
  const auto cached = [&](const Qwen3VLConfig& of, const Load& shown) {  // features of all visual tokens that the run shows
    const double each = prompts.empty() ? 0 : static_cast<double>(shown.visual) / static_cast<double>(prompts.size());
    return std::min(VisionCache::kCapacity, static_cast<std::int64_t>(static_cast<double>(featureBytes(of, seen, narrow ? kNarrow : kFloat)) * each));
  };
  std::int64_t caches = 0;
  const bool studentCache = config.student.freezeVision;
  if (studentCache) caches += cached(c, batch);
  // Of the models beside the student: which one is the start that actor.kl_loss_coef compares with, and which one moves.
  const bool compares = config.actor.klLossCoef != 0, moves = usesTeacher(config) && config.teacher.kind == "ema";
  const std::size_t start = !compares ? in.teachers.size() : startTeaches(config) ? 0 : in.teachers.size() - 1;
  const auto fixed = [&](std::size_t i) { return !moves || i != 0; };
  for (std::size_t i = 0; i < in.teachers.size(); ++i)
    if (fixed(i) || config.student.freezeVision) caches += cached(in.teachers[i].config, teacherBatch);
  hold("vision_cache", caches, true, "features of " + std::to_string(seen) + " pictures of frozen towers, at the run's end");
  std::int64_t kept = 0;
  for (std::size_t i = 0; i < in.teachers.size(); ++i) {
    if (!fixed(i)) continue;
    const auto& t = in.teachers[i].config.text;
    const auto longOnes = [](std::int64_t tokens) { return tokens >= static_cast<std::int64_t>(PromptCache::kShortestKept) ? tokens : 0; };
    std::int64_t tokens = 0;
    for (const PlanRow& row : prompts) {
      if (i != start || startTeaches(config)) tokens += longOnes(row.teacherPrompt);
      if (i == start) tokens += longOnes(row.prompt);  // it reads the student's own
    }
    const double perPrompt = prompts.empty() ? 0 : static_cast<double>(tokens) / static_cast<double>(prompts.size());
    kept += std::min<std::int64_t>(PromptCache::kCapacity,
                                   static_cast<std::int64_t>(perPrompt * static_cast<double>(seen * t.layers * 2 * t.kvHeads * t.headDim * (narrow ? kNarrow : kFloat))));
  }
  hold("prompt_cache", kept, true, "keys and values of the frozen teacher's prompts, at the run's end");
  const bool watches = in.valRows > 0 && config.trainer.probeFreq > 0;
  const std::int64_t probes = watches ? std::min<std::int64_t>(in.valRows, 16) * (prompts.empty() ? 0 : batch.patches / static_cast<std::int64_t>(prompts.size())) * pixel : 0;
  // Products in bfloat16 on the CPU keep a compiled kernel for each of their latest shapes, in two caches (engine_loader.h).
  if (narrow && !cuda) hold("kernels", 2 * kKeptKernels * kKernelBytes, true, "compiled products of the latest " + std::to_string(2 * kKeptKernels) + " shapes in bfloat16");
  hold("data", in.dataBytes, true, "rows of the data files that stay decoded");
  hold("captures", probes, true, "pictures of the probe rows");
  // The processor keeps the latest pictures, patches and resized pixels alike; a batch's rows share its patches.
  const double patchesEach = prompts.empty() ? 0 : static_cast<double>(std::max(batch.patches, teacherBatch.patches)) / static_cast<double>(prompts.size());
  const double asked = in.valRows > 0 && (config.trainer.testFreq > 0 || config.trainer.valBeforeTrain)
                           ? static_cast<double>(std::min<std::int64_t>(in.valRows, config.data.valMaxSamples)) : 0;
  const double shown = pixel + static_cast<double>(c.vision.channels * c.vision.patch * c.vision.patch);
  const std::int64_t pictures = std::min<std::int64_t>(Processor::kKeptPictureBytes, static_cast<std::int64_t>((static_cast<double>(seen) + asked) * patchesEach * shown));
  hold("picture_cache", pictures, true, "patches and resized pixels of the latest pictures, at most " + std::to_string(Processor::kKeptPictureBytes >> 20) + " MiB");
  std::int64_t own = 0;
  for (const PlanRow& row : prompts) own += row.ownPatches * pixel;
  hold("batch", own + std::max<std::int64_t>(0, batch.patches * pixel - static_cast<std::int64_t>(static_cast<double>(pictures) * pixel / shown)), true,
       std::to_string(prompts.size()) + " prompts, their patches as float32 beyond those");

  const std::size_t micro = static_cast<std::size_t>(config.actor.microBatchTokens);
  const std::int64_t activations = static_cast<std::int64_t>(
      (cuda ? 1.0 : in.heapShare) * static_cast<double>(widest(rows, micro, false, [&](const std::vector<PlanRow>& part) { return trainingPassBytes(student, part, config, narrow); })));
  std::int64_t scoring = 0;
  for (const ModelSizes& teacher : in.teachers)
    scoring = std::max(scoring, widest(rows, micro, true, [&](const std::vector<PlanRow>& part) { return scoringPassBytes(teacher, part, config, narrow); }));
  const std::int64_t kv = keyValueBytes(student, prompts, config, narrow, cuda);
  std::int64_t widestPrompt = 0;
  for (const PlanRow& row : prompts) widestPrompt = std::max(widestPrompt, row.patches);
  std::vector<PlanRow> opening = prompts;  // one admission of prompts, which end where the response begins
  const auto places = static_cast<std::size_t>(rolloutPlaces(config, cuda));
  opening.resize(std::min(opening.size(), places));
  for (PlanRow& row : opening) {
    row.responseTokens = 1;
    row.teacherPrompt = row.prompt;
    row.teacherVisual = row.visual;
    row.teacherPatches = row.patches;
  }
  const std::int64_t decode = static_cast<std::int64_t>(std::min(rows.size(), places)) * c.text.vocabulary * 3 * kFloat;
  const std::int64_t tower = towerBytes(c, studentCache ? widestPrompt : loadOf(opening, false).patches, kFloat);
  const std::int64_t decoding = kv + std::max({widest(opening, 4096, false, [&](const std::vector<PlanRow>& part) { return scoringPassBytes(student, part, config, narrow); }), decode, tower});
  const std::int64_t perToken = 24 + (teacherTopK(config) > 0 ? 12 * teacherTopK(config) : 0) +
                                (teacherStates(config) && !in.teachers.empty() ? in.teachers[0].config.text.hidden * kFloat : 0);
  const std::int64_t rollouts = asStudent.response * perToken;
  hold("activations", activations, false, "the widest micro-batch of at most " + std::to_string(config.actor.microBatchTokens) + " tokens, its losses included");
  hold("scores", scoring, false, "a pass of the teacher over such a micro-batch");
  hold("kv_cache", kv, false, "keys and values of " + std::to_string(std::min(rows.size(), places)) + " responses at once, bound " + std::to_string(config.rollout.kvCacheMib) + " MiB");
  hold("rollouts", rollouts, false, std::to_string(rows.size()) + " responses with the scores that the loss needs");

  // Time. A small operation costs its call, the rest its arithmetic or its bytes, whichever is more.
  const MachineSpeed& s = in.speed;
  const double layers = static_cast<double>(c.text.layers), promptTokens = static_cast<double>(asStudent.tokens - asStudent.response);
  const double forward = decoderFlops(student, static_cast<double>(asStudent.tokens), asStudent.pairs);
  const double tokens = static_cast<double>(asStudent.response);
  const double passes = std::max(1.0, std::ceil(static_cast<double>(asStudent.tokens) / static_cast<double>(micro)));
  const double steps = std::ceil(count / static_cast<double>(std::min<double>(count, static_cast<double>(places)))) * plan.responseTokens * 1.3;
  const double weightBytes = static_cast<double>(student.decoder) * (narrow ? 2 : kFloat);
  const double rowsAtOnce = std::min<double>(count, static_cast<double>(places));
  const double perStep = std::max(weightBytes / s.bytes, 2.0 * static_cast<double>(student.decoder) * rowsAtOnce / s.flops) + 6 * layers * s.call;
  const double towerOnce = towerFlops(student, static_cast<double>(batch.patches)) / s.flops;
  const double firstShare = seen > 0 ? std::min(1.0, static_cast<double>(in.trainRows) / std::max(1.0, static_cast<double>(plan.steps) * config.data.trainBatchSize)) : 1.0;
  const double prefillSeconds = decoderFlops(student, promptTokens / std::max(1, config.rollout.n), 0) / s.flops;
  const double rolloutSeconds = steps * perStep + prefillSeconds + towerOnce * (studentCache ? firstShare : 1.0);
  double teaching = 0, comparing = 0;
  for (std::size_t i = 0; i < in.teachers.size(); ++i) {
    const ModelSizes& teacher = in.teachers[i];
    const double seconds = (decoderFlops(teacher, static_cast<double>(asTeacher.tokens), asTeacher.pairs) + headFlops(teacher, tokens)) / s.flops +
                           towerFlops(teacher, static_cast<double>(batch.patches)) / s.flops * firstShare;
    if (i == start) comparing += seconds;
    if (i != start || startTeaches(config)) teaching += seconds;
  }
  const std::size_t teachers = in.teachers.size() - (compares && !startTeaches(config) && !in.teachers.empty() ? 1 : 0);
  const double scoreSeconds = comparing + (teachers > 1 ? teaching / static_cast<double>(teachers) : teaching);  // a row has one teacher, and the start
  const double factor = config.student.gradientCheckpointing ? 4.0 : 3.0;
  // Beside the products, every kept value is written and read some six times.
  const double moved = 6.0 * static_cast<double>(activations) * passes / s.bytes;
  const double updates = static_cast<double>(config.actor.ppoEpochs);
  const double backwardSeconds = updates * ((factor * forward + 4 * headFlops(student, tokens)) / s.flops + moved + passes * layers * 90 * s.call +
                                            (student.trainableVision > 0 ? factor * towerFlops(student, static_cast<double>(asStudent.patches)) / s.flops : 0.0));
  const double updateSeconds = updates * 7.0 * static_cast<double>(student.trainable) * kFloat / s.bytes;
  const auto phase = [&](const std::string& name, std::int64_t extra, double seconds, double times) {
    plan.phases.push_back({name, plan.residentBytes + extra, seconds, times});
  };
  phase("rollout", decoding, rolloutSeconds, plan.steps);
  phase("score", scoring + rollouts, scoreSeconds, plan.steps);
  phase("backward", activations + rollouts, backwardSeconds, plan.steps);
  phase("update", rollouts, updateSeconds, plan.steps);
  for (const auto& p : plan.phases) plan.secondsPerStep += p.seconds;
  plan.secondsInAll = plan.secondsPerStep * plan.steps;
  if (in.valRows > 0 && (config.trainer.testFreq > 0 || config.trainer.valBeforeTrain)) {
    const double times = (config.trainer.valBeforeTrain ? 1 : 0) + (config.trainer.testFreq > 0 ? std::ceil(static_cast<double>(plan.steps) / config.trainer.testFreq) : 0);
    phase("evaluate", decoding, asked / count * rolloutSeconds, times);
    plan.secondsInAll += plan.phases.back().seconds * times;
  }
  const double saves = (config.trainer.saveFreq > 0 ? std::ceil(static_cast<double>(plan.steps) / config.trainer.saveFreq) : 1);
  phase("save", 0, static_cast<double>(student.parameters + 2 * student.trainable) * kFloat / (s.bytes / 8), saves);
  plan.secondsInAll += plan.phases.back().seconds * saves;

  plan.baselineBytes = cuda ? 0 : in.baseline;
  plan.availableBytes = in.available;
  std::int64_t most = 0;
  for (const auto& p : plan.phases)
    if (p.bytes > most) {
      most = p.bytes;
      plan.peakPhase = p.name;
    }
  plan.peakBytes = plan.baselineBytes + most;
  return plan;
}

}  // namespace cuescope
