// Teacher: a frozen Qwen3-VL that scores the student's responses under a prompt of its own, which may say more
// (spec 3.5, 3.11). Never updated: its parameters have no gradient, its vision features are cached. Owned by the run;
// engine thread.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/data/dataset.h"
#include "engine/distill/response_rows.h"
#include "engine/distill/vision_cache.h"

namespace cuescope {

/// Scores of one response of R tokens, aligned to it: entry t is about token t. On the teacher's device, float32.
struct TeacherScores {
  at::Tensor sampled;       // [R] log-probability of the token
  at::Tensor topK, topIds;  // [R, K], most likely first; undefined when K = 0
};

class Teacher {
 public:
  explicit Teacher(std::shared_ptr<Qwen3VL> model);

  const Qwen3VL& model() const { return *m_model; }
  std::shared_ptr<Qwen3VL> share() const { return m_model; }
  /// K = 0: only the sampled tokens.
  std::vector<TeacherScores> score(std::span<const RowInput* const> prompts, std::span<const TokenIds* const> responses,
                                   int topK);

 private:
  std::shared_ptr<Qwen3VL> m_model;
  VisionCache m_vision;
};

/// The teacher's prompt of a sample, and whether it says what `privilege` ("none", "hint", "cue") asks for.
struct TeacherPrompt {
  Prompt prompt;
  bool privileged = false;
};
/// «none» is the student's prompt, whatever the data hold (spec 7-B15). Otherwise the sample's cue or hint, else its
/// teacher_prompt column; a row without either gets the plain prompt and counts as a miss.
TeacherPrompt teacherPrompt(const Processor& processor, const Sample& sample, const std::vector<VisualInput>& visuals,
                            const std::string& privilege);

}  // namespace cuescope
