#include "engine/distill/teacher.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <algorithm>

#include "engine/distill/log_probs.h"

namespace cuescope {

Teacher::Teacher(std::shared_ptr<Qwen3VL> model, const TeacherOptions& options)
    : m_model(std::move(model)), m_options(options), m_prompts(*m_model) {
  if (!options.freezes) return;
  for (auto& parameter : m_model->parameters()) parameter.set_requires_grad(false);
}

Teacher::Forward Teacher::forward(std::span<const RowInput* const> prompts,
                                  std::span<const TokenIds* const> responses) {
  Forward out{packResponses(m_model->config(), prompts, responses), {}};
  if (m_options.fixed && std::all_of(prompts.begin(), prompts.end(), [](const RowInput* prompt) {
        return prompt->ids.size() >= PromptCache::kShortestKept;
      })) {
    out.states = m_prompts.predicting(prompts, responses, m_options.cachesVision ? &m_vision : nullptr);
    return out;
  }
  ForwardOptions options;
  options.tails = out.packed.tails;
  VisionFeatures vision;
  if (m_options.cachesVision) vision = m_vision.features(*m_model, prompts);
  if (vision.merged.defined()) options.vision = &vision;
  out.states =
      m_model->forward(out.packed.rows, options).index_select(0, out.packed.predicting.to(m_model->device()));
  return out;
}

std::vector<TeacherScores> Teacher::score(std::span<const RowInput* const> prompts,
                                          std::span<const TokenIds* const> responses, int topK, bool states) {
  at::NoGradGuard noGrad;
  const Forward run = forward(prompts, responses);
  const at::Tensor ids = run.packed.ids.to(m_model->device());
  LogProbOptions options;
  options.temperature = m_options.temperature;
  TopLogProbs all;
  if (topK > 0) {
    all = topLogProbs(run.states, m_model->headWeight(), ids, topK, options);
  } else {
    all.sampled = logProbsAt(run.states, m_model->headWeight(), ids, options).values;
  }
  at::Tensor head;
  if (states) head = m_options.headChanges ? m_model->headWeight().detach().clone() : m_model->headWeight().detach();
  std::vector<TeacherScores> scores;
  for (std::size_t b = 0; b + 1 < run.packed.offsets.size(); ++b) {
    const std::int64_t begin = run.packed.offsets[b], count = run.packed.offsets[b + 1] - begin;
    TeacherScores row;
    row.sampled = all.sampled.narrow(0, begin, count);
    if (topK > 0) {
      row.topK = all.values.narrow(0, begin, count);
      row.topIds = all.ids.narrow(0, begin, count);
    }
    if (states) {
      row.states = run.states.narrow(0, begin, count);
      row.head = head;
    }
    scores.push_back(std::move(row));
  }
  return scores;
}

std::vector<TeacherScores> Teacher::scoreAt(std::span<const RowInput* const> prompts,
                                            std::span<const TokenIds* const> responses,
                                            std::span<const at::Tensor> ids) {
  at::NoGradGuard noGrad;
  const Forward run = forward(prompts, responses);
  at::Tensor asked = run.packed.ids.to(m_model->device()).unsqueeze(-1);
  const bool more = !ids.empty() && ids[0].defined();
  if (more) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& part : ids) parts.push_back(part.to(asked.device()));
    asked = at::cat({asked, at::cat(parts)}, -1);
  }
  LogProbOptions options;
  options.temperature = m_options.temperature;
  const at::Tensor values = logProbsAt(run.states, m_model->headWeight(), asked, options).values;
  std::vector<TeacherScores> scores;
  for (std::size_t b = 0; b + 1 < run.packed.offsets.size(); ++b) {
    const std::int64_t begin = run.packed.offsets[b], count = run.packed.offsets[b + 1] - begin;
    TeacherScores row;
    row.sampled = values.narrow(0, begin, count).select(-1, 0);
    if (more) {
      row.topK = values.narrow(0, begin, count).narrow(-1, 1, values.size(-1) - 1);
      row.topIds = ids[b];
    }
    scores.push_back(std::move(row));
  }
  return scores;
}

std::int64_t Teachers::positions() const {
  std::int64_t fewest = m_usual->model().config().text.maxPositions;
  for (const auto& [source, teacher] : m_routed) fewest = std::min(fewest, teacher->model().config().text.maxPositions);
  return fewest;
}

TeacherPrompt teacherPrompt(const Processor& processor, const Sample& sample, const std::vector<VisualInput>& pictures, const std::vector<VisualInput>& videos,
                            const std::vector<VisualInput>& crops, const std::string& privilege, const std::string& column) {
  const bool own = privilege != "none" && sample.hasTeacherPictures();
  if (own && sample.hasTeacherView()) return {processor.prompt(sample.teacherTurns, inMarkOrder(sample.teacherTurns, pictures, videos)), true, {}};
  if (privilege != "none") {
    std::string text = privilege == "cue" ? sample.cue : sample.hint;
    if (privilege == "column") {
      const auto found = sample.texts.find(column);
      text = found == sample.texts.end() ? std::string() : found->second;
    }
    const bool shows = privilege == "cue" && !crops.empty();
    if (!text.empty() || shows) return {processor.prompt(sample.prompt, inMarkOrder(sample.prompt, pictures, videos), text, shows ? crops : std::vector<VisualInput>{}), true, text};
    if (!sample.teacherTurns.empty()) return {processor.prompt(sample.teacherTurns, inMarkOrder(sample.teacherTurns, pictures, videos)), true, {}};
  }
  return {processor.prompt(sample.prompt, inMarkOrder(sample.prompt, pictures, videos)), own, {}};
}

}  // namespace cuescope
