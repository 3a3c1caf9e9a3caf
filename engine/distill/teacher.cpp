#include "engine/distill/teacher.h"

#include <ATen/core/grad_mode.h>

#include "engine/distill/log_probs.h"

namespace cuescope {

Teacher::Teacher(std::shared_ptr<Qwen3VL> model) : m_model(std::move(model)) {
  for (auto& parameter : m_model->parameters()) parameter.set_requires_grad(false);
}

std::vector<TeacherScores> Teacher::score(std::span<const RowInput* const> prompts,
                                          std::span<const TokenIds* const> responses, int topK) {
  at::NoGradGuard noGrad;
  ResponseRows packed = packResponses(m_model->config(), prompts, responses);
  ForwardOptions options;
  options.tails = packed.tails;
  VisionFeatures vision = m_vision.features(*m_model, prompts);
  if (vision.merged.defined()) options.vision = &vision;
  const at::Device device = m_model->device();
  at::Tensor states = m_model->forward(packed.rows, options).index_select(0, packed.predicting.to(device));
  at::Tensor ids = packed.ids.to(device);
  TopLogProbs all;
  if (topK > 0) {
    all = topLogProbs(states, m_model->headWeight(), ids, topK);
  } else {
    all.sampled = logProbsAt(states, m_model->headWeight(), ids).values;
  }
  std::vector<TeacherScores> scores;
  for (std::size_t b = 0; b + 1 < packed.offsets.size(); ++b) {
    const std::int64_t begin = packed.offsets[b], count = packed.offsets[b + 1] - begin;
    TeacherScores row;
    row.sampled = all.sampled.narrow(0, begin, count);
    if (topK > 0) {
      row.topK = all.values.narrow(0, begin, count);
      row.topIds = all.ids.narrow(0, begin, count);
    }
    scores.push_back(std::move(row));
  }
  return scores;
}

TeacherPrompt teacherPrompt(const Processor& processor, const Sample& sample, const std::vector<VisualInput>& visuals,
                            const std::string& privilege) {
  if (privilege != "none") {
    const std::string& text = privilege == "cue" ? sample.cue : sample.hint;
    if (!text.empty()) return {processor.prompt(sample.prompt, visuals, text), true};
    if (!sample.teacherTurns.empty()) return {processor.prompt(sample.teacherTurns, visuals), true};
  }
  return {processor.prompt(sample.prompt, visuals), false};
}

}  // namespace cuescope
