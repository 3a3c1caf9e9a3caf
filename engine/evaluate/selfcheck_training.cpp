// What a training step must compute, against the recorded reference: every loss with its gradient, scores of teacher and student,
// gradients of the model, AdamW. On the device that is asked for.
#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "engine/core/failure.h"
#include "engine/distill/optimizer.h"
#include "engine/distill/student_step.h"
#include "engine/distill/teacher.h"
#include "engine/evaluate/golden_set.h"
#include "engine/evaluate/recorded_loss.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

template <typename T>
std::vector<const T*> pointers(const std::vector<T>& values) {
  std::vector<const T*> out;
  for (const auto& value : values) out.push_back(&value);
  return out;
}

std::int64_t integer(const at::Tensor& value) { return value.item<std::int64_t>(); }

class Training {
 public:
  Training(const fs::path& folder, const std::string& device, std::vector<SelfcheckLine>& lines)
      : m_folder(folder), m_device(device), m_lines(lines), m_set(folder, "train_step", "train_step", lines) {
    m_teacher = Qwen3VL::load((folder / "tiny-teacher").string(), device, "float32");
    reload();
    m_studentPrompts = prompts("student", m_student->config());
    m_teacherPrompts = prompts("teacher", m_teacher->config());
    const at::Tensor responses = m_set.given("responses"), mask = m_set.given("response_mask");
    for (std::int64_t b = 0; b < responses.size(0); ++b) {
      TokenIds ids;
      for (std::int64_t t = 0; t < responses.size(1); ++t)
        if (integer(mask[b][t])) ids.push_back(integer(responses[b][t]));
      m_responses.push_back(ids);
    }
    m_width = responses.size(1);
    m_mask = mask;
  }

  void all() {
    scores();
    layout("student", *m_student, m_studentPrompts);
    layout("teacher", *m_teacher, m_teacherPrompts);
    aligned();
    for (const auto& [run, lr] : {std::pair<const char*, double>{"k1_pg", 1e-3}, {"k1_pg_small_lr", 2e-5}, {"forward_kl_topk", 1e-3}}) threeSteps(run, lr);
    m_set.finish();
    if (!fs::exists(m_folder / "train_more.safetensors")) return;
    GoldenSet more(m_folder, "train_more", "train_more", m_lines);
    for (const auto& [run, lr] : {std::pair<const char*, double>{"k1_pg", 1e-3}, {"k1_pg_small_lr", 2e-5}, {"forward_kl_topk", 1e-3}, {"forward_kl_topk_small_lr", 1e-4}}) {
      const std::string name = run;
      if (!more.has(name + ".grad_norms")) continue;
      const auto [losses, norms] = train(name, lr, more.recorded(name + ".grad_norms").size(0), nullptr);
      more.compare(name + ".losses", losses);
      more.compare(name + ".grad_norms", norms);
    }
    more.finish();
  }

 private:
  void reload() {
    m_student = Qwen3VL::load((m_folder / "tiny-student-vicur").string(), m_device, "float32");
    m_student->setActiveCueLayers(m_student->config().cue.layers);  // the module after the last layer too, as in the reference
    for (auto& parameter : m_student->parameters()) parameter.set_requires_grad(true);
  }

  /// Rows of the batch without padding and response.
  std::vector<RowInput> prompts(const std::string& who, const Qwen3VLConfig& config) {
    std::vector<RowInput> rows;
    std::int64_t grid = 0, patch = 0;
    const at::Tensor ids = m_set.given(who + ".input_ids"), mask = m_set.given(who + ".attention_mask"), lengths = m_set.given(who + ".prompt_lengths"),
                     grids = m_set.given("image_grid_thw"), pixels = m_set.given("pixel_values");
    for (std::int64_t b = 0; b < ids.size(0); ++b) {
      RowInput row;
      std::int64_t begin = 0, open = 0;
      while (integer(mask[b][begin]) == 0) ++begin;
      std::vector<at::Tensor> parts;
      for (std::int64_t i = 0; i < integer(lengths[b]); ++i) {
        row.ids.push_back(integer(ids[b][begin + i]));
        if (row.ids.back() != config.imageToken) continue;
        if (open == 0) {
          const at::Tensor g = grids[grid++];
          row.grids.push_back({integer(g[0]), integer(g[1]), integer(g[2]), false});
          open = row.grids.back().merged(config.vision.merge);
          const auto patches = row.grids.back().t * row.grids.back().h * row.grids.back().w;
          parts.push_back(pixels.narrow(0, patch, patches));
          patch += patches;
        }
        --open;
      }
      if (!parts.empty()) row.pixelValues = at::cat(parts);
      rows.push_back(std::move(row));
    }
    return rows;
  }
  std::vector<RowInput> whole(const std::vector<RowInput>& prompts) const {
    std::vector<RowInput> rows = prompts;
    for (std::size_t b = 0; b < rows.size(); ++b) rows[b].ids.insert(rows[b].ids.end(), m_responses[b].begin(), m_responses[b].end());
    return rows;
  }

  /// [R] of each row to [B, width], zeros behind.
  at::Tensor padded(const std::vector<at::Tensor>& values) const {
    auto shape = values[0].sizes().vec();
    shape[0] = m_width;
    shape.insert(shape.begin(), static_cast<std::int64_t>(values.size()));
    at::Tensor out = at::zeros(shape, values[0].options().device(at::kCPU));
    for (std::size_t b = 0; b < values.size(); ++b) out[static_cast<std::int64_t>(b)].narrow(0, 0, values[b].size(0)).copy_(values[b].detach());
    return out;
  }

  std::vector<TeacherScores> scored(int topK) {
    Teacher scorer(m_teacher);
    return scorer.score(pointers(m_teacherPrompts), pointers(m_responses), topK);
  }

  void scores() {
    std::vector<at::Tensor> sampled, topK, topIds;
    for (const auto& row : scored(16)) {
      sampled.push_back(row.sampled);
      topK.push_back(row.topK);
      topIds.push_back(row.topIds);
    }
    m_set.compareWhere("teacher.logprobs", padded(sampled), m_mask);
    m_set.compareWhere("teacher.topk_logprobs", padded(topK), m_mask);
    m_set.compareWhere("teacher.topk_ids", padded(topIds), m_mask);
    m_set.compareWhere("student.logprobs", padded(studentLogProbs(*m_student, pointers(m_studentPrompts), pointers(m_responses))), m_mask);
  }

  /// Positions of prompt and response where the recorded batch has them, zeros at padding.
  void layout(const std::string& who, const Qwen3VL& model, const std::vector<RowInput>& prompts) {
    const Rows rows = packRows(model.config(), whole(prompts));
    const at::Tensor mask = m_set.given(who + ".attention_mask").to(at::kBool);
    at::Tensor positions = at::zeros({3, mask.size(0), mask.size(1)}, at::kLong);
    for (int axis = 0; axis < 3; ++axis) positions[axis].masked_scatter_(mask, rows.positionIds[axis].cpu().contiguous());
    m_set.compare(who + ".position_ids", positions);
  }

  /// The teacher's scores in the student's places: cut at the left to the student's prompt (spec 3.5).
  void aligned() {
    if (!m_set.has("teacher.aligned_logprobs")) return;
    const at::NoGradGuard noGrad;
    const auto rows = whole(m_teacherPrompts);
    const Rows packed = packRows(m_teacher->config(), rows);
    const at::Tensor logP = m_teacher->logits(m_teacher->forward(packed)).cpu().to(at::kFloat).log_softmax(-1);
    const at::Tensor mask = m_set.given("student.attention_mask");
    at::Tensor out = at::zeros(mask.sizes(), at::kFloat);
    for (std::size_t b = 0; b < rows.size(); ++b) {
      const auto r = static_cast<std::int64_t>(b);
      std::int64_t column = 0;
      while (integer(mask[r][column]) == 0) ++column;
      const std::size_t cut = m_teacherPrompts[b].ids.size() - m_studentPrompts[b].ids.size();
      for (std::size_t i = cut; i + 1 < rows[b].ids.size(); ++i) out[r][column++] = logP[packed.offsets[b] + static_cast<std::int64_t>(i)][rows[b].ids[i + 1]];
    }
    m_set.compare("teacher.aligned_logprobs", out);
  }

  /// Losses before each of `steps` updates and after the last, and the gradients' norms. `set`: also compares what was recorded of the
  /// first step and of the weights at the end.
  std::pair<at::Tensor, at::Tensor> train(const std::string& run, double lr, std::int64_t steps, GoldenSet* set) {
    StepOptions options;
    const bool k1 = run.starts_with("k1");
    options.loss.mode = k1 ? LossMode::K1 : LossMode::ForwardKlTopK;
    options.loss.policyGradient = k1;
    options.loss.lossMaxClamp = 10;
    options.loss.logProbMinClamp = -10;
    reload();
    Optimizer::Named parameters;
    for (const auto& item : m_student->named_parameters()) parameters.emplace_back(item.key(), item.value());
    Optimizer optimizer(parameters, {.lr = lr, .weightDecay = 0.01, .gradClip = 1.0});
    const auto teacher = scored(k1 ? 0 : 16);
    const auto old = studentLogProbs(*m_student, pointers(m_studentPrompts), pointers(m_responses));
    std::vector<TrainingRow> rows(m_responses.size());
    for (std::size_t b = 0; b < rows.size(); ++b) {
      rows[b].prompt = &m_studentPrompts[b];
      rows[b].response = m_responses[b];
      rows[b].teacher = teacher[b];
      rows[b].old = old[b];
    }
    const auto all = pointers(rows);
    const LossNormalizers normalizers = normalizersOf(all, static_cast<int>(m_width));
    std::vector<float> losses, norms;
    for (std::int64_t step = 0; step <= steps; ++step) {
      optimizer.zeroGrad();
      const BackwardResult result = backwardRows(*m_student, all, options, normalizers, nullptr);
      losses.push_back(static_cast<float>(result.loss));
      if (set && step == 0) firstStep(run, parameters, optimizer, result, rows, *set);
      if (step < steps) norms.push_back(static_cast<float>(optimizer.step().gradNorm));
    }
    if (set)
      for (const auto& [key, parameter] : parameters) set->compare(run + ".after" + std::to_string(steps) + "." + key, parameter);
    return {at::tensor(losses), at::tensor(norms)};
  }

  void firstStep(const std::string& run, const Optimizer::Named& parameters, Optimizer& optimizer, const BackwardResult& result, const std::vector<TrainingRow>& rows, GoldenSet& set) {
    std::vector<at::Tensor> parts;
    std::int64_t at = 0;
    for (const auto& row : rows) {
      parts.push_back(result.perToken.narrow(0, at, static_cast<std::int64_t>(row.response.size())));
      at += parts.back().size(0);
    }
    set.compareWhere(run + ".per_token", padded(parts), m_mask);
    for (const auto& [key, parameter] : parameters) set.compare(run + ".grad." + key, parameter.grad());
    const auto recorded = set.manifest().find("grad_norms");
    if (recorded == set.manifest().end() || !recorded->contains(run)) return;
    std::vector<float> got, want;
    for (const auto& [key, value] : recorded->at(run).items()) {
      got.push_back(static_cast<float>(optimizer.gradNorm(key)));
      want.push_back(value);
    }
    SelfcheckLine line = compareGolden("train_step " + run + " gradient norms of all " + std::to_string(parameters.size()) + " parameters", at::tensor(got), at::tensor(want), {1e-6, 1e-3});
    line.ok = line.ok && got.size() == parameters.size();
    set.add(std::move(line));
  }

  void threeSteps(const std::string& run, double lr) {
    if (!m_set.has(run + ".losses")) return;
    const auto [losses, norms] = train(run, lr, 3, &m_set);
    m_set.compare(run + ".losses", losses);
    m_set.compare(run + ".grad_norms", norms);
  }

  fs::path m_folder;
  std::string m_device;
  std::vector<SelfcheckLine>& m_lines;
  GoldenSet m_set;
  std::shared_ptr<Qwen3VL> m_student, m_teacher;
  std::vector<RowInput> m_studentPrompts, m_teacherPrompts;
  std::vector<TokenIds> m_responses;
  std::int64_t m_width = 0;
  at::Tensor m_mask;
};

}  // namespace

void checkGoldenLosses(const fs::path& folder, const std::string& device, std::vector<SelfcheckLine>& lines) {
  GoldenSet set(folder, "losses", "losses", lines);
  std::size_t metrics = 0, wrong = 0;
  std::string first;
  for (const auto& entry : set.manifest().at("cases")) {
    const std::string name = entry.at("case"), data = name.substr(0, name.find('.'));
    const json& o = entry.at("options");
    const auto flat = [&](const char* tensor) { return set.given(data + "." + tensor).flatten(0, 1).to(at::Device(device)); };
    const at::Tensor responses = set.given(data + ".responses");
    LossBatch batch;
    for (std::int64_t b = 0; b <= responses.size(0); ++b) batch.offsets.push_back(b * responses.size(1));
    const at::Tensor logits = flat("student_logits").clone().set_requires_grad(true), logQ = logits.log_softmax(-1);
    batch.mask = flat("response_mask").to(at::kBool);
    batch.student = logQ.gather(-1, flat("responses").unsqueeze(-1)).squeeze(-1);
    batch.teacher = flat("teacher_logprobs");
    batch.studentTopK = logQ.gather(-1, flat("teacher_topk_ids"));
    batch.teacherTopK = flat("teacher_topk_logprobs");
    // The reference's «teacher probability» is the best token's in top-K mode and the sampled token's otherwise.
    batch.teacherBest = o.at("loss_mode") == "forward_kl_topk" ? batch.teacherTopK.select(-1, 0) : batch.teacher;
    batch.old = flat("old_logprobs");
    if (o.value("is_weights", false)) batch.importance = flat("is_weights");
    batch.rewards = set.given(data + ".reward");
    LossNormalizers normalizers;
    normalizers.tokens = batch.mask.sum().item<double>();
    normalizers.sequences = set.given(data + ".response_mask").sum(-1).gt(0).sum().item<double>();
    normalizers.width = static_cast<double>(responses.size(1));
    if (const auto g = o.find("global"); g != o.end()) normalizers = {g->at("batch_num_tokens"), g->at("global_batch_size"), g->at("loss_scale_factor"), g->at("dp_size")};
    const LossResult result = distillationLoss(recordedLossOptions(o), batch, normalizers);
    result.loss.backward();
    const at::Tensor mask = set.given(data + ".response_mask").to(at::kBool);
    set.compare(name + ".loss", result.loss);
    set.compareWhere(name + ".per_token", result.perToken.cpu().view(mask.sizes()), mask);
    set.compare(name + ".grad", logits.grad().cpu().view(set.recorded(name + ".grad").sizes()));
    if (set.has(name + ".pg_per_token")) set.compareWhere(name + ".pg_per_token", result.pgPerToken.cpu().view(mask.sizes()), mask);
    for (const auto& [who, best] : {std::pair<const char*, at::Tensor>{".student_mass", batch.studentTopK}, {".teacher_mass", batch.teacherTopK}})
      if (set.has(name + who)) set.compareWhere(name + who, best.detach().exp().sum(-1).cpu().view(mask.sizes()), mask);
    const auto values = result.metrics.values();
    for (const auto& [metric, value] : entry.at("metrics").items()) {
      const double want = value;
      const auto found = values.find(metric);
      ++metrics;
      if (found != values.end() && std::abs(found->second - want) <= 1e-5 + 1e-5 * std::abs(want)) continue;
      if (++wrong == 1) first = name + " " + metric;
    }
  }
  for (const char* data : {"main", "hard"})
    for (const char* tensor : {"teacher_logits", "response_lengths", "is_weights"}) set.givenAll(std::string(data) + "." + tensor);  // what the recorded scores were made from
  set.add(exactGolden("losses metrics of every case, within 1e-5", metrics, wrong, first));
  set.finish();
}

void checkGoldenTraining(const fs::path& folder, const std::string& device, std::vector<SelfcheckLine>& lines) { Training(folder, device, lines).all(); }

}  // namespace cuescope
