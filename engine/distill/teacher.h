// Teacher: a Qwen3-VL that scores the student's responses under a prompt of its own, which may say more (spec 3.5, 3.11).
// Four kinds: a frozen folder and the student's own frozen start never change; a moving average follows the student
// (Optimizer::follow); a live teacher is the student itself. Teachers chooses one of several by a row's data_source.
// Owned by the run; engine thread.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/data/dataset.h"
#include "engine/distill/prompt_cache.h"
#include "engine/distill/response_rows.h"
#include "engine/distill/vision_cache.h"

namespace cuescope {

/// Scores of one response of R tokens, aligned to it: entry t is about token t. On the teacher's device, float32.
struct TeacherScores {
  at::Tensor sampled;                    // [R] log-probability of the token
  at::Tensor topK, topIds;               // [R, K], most likely first; undefined when K = 0
  at::Tensor targetSampled, targetTopK;  // what the loss takes instead, when a contrast has changed them (contrast.h)
  at::Tensor states, head;               // [R, h], [V, h]: the whole distribution; undefined unless asked for
};

struct TeacherOptions {
  bool freezes = true;        // switches the gradients of the model's parameters off; not for a live teacher
  bool cachesVision = true;   // the vision tower never changes
  bool headChanges = false;   // a live teacher's head is copied with its states: the student moves before they are used
  bool fixed = true;          // no weight ever changes: long prompts are kept (prompt_cache.h)
  double temperature = 1.0;   // divides the logits, as it does the student's: both distributions are those that are compared
};

class Teacher {
 public:
  explicit Teacher(std::shared_ptr<Qwen3VL> model, const TeacherOptions& options = {});

  const Qwen3VL& model() const { return *m_model; }
  std::shared_ptr<Qwen3VL> share() const { return m_model; }
  /// K = 0: only the sampled tokens. `states`: also what a loss over the whole vocabulary needs.
  std::vector<TeacherScores> score(std::span<const RowInput* const> prompts, std::span<const TokenIds* const> responses,
                                   int topK, bool states = false);
  /// Under other prompts, the sampled tokens and the tokens `ids[b]` [R, K] (undefined: none) instead of its own best.
  std::vector<TeacherScores> scoreAt(std::span<const RowInput* const> prompts, std::span<const TokenIds* const> responses,
                                     std::span<const at::Tensor> ids);

 private:
  struct Forward {
    ResponseRows packed;
    at::Tensor states;
  };
  Forward forward(std::span<const RowInput* const> prompts, std::span<const TokenIds* const> responses);

  std::shared_ptr<Qwen3VL> m_model;
  TeacherOptions m_options;
  VisionCache m_vision;
  PromptCache m_prompts;
};

/// The run's teachers.
class Teachers {
 public:
  explicit Teachers(std::shared_ptr<Teacher> usual) : m_usual(std::move(usual)) {}
  /// The teacher of rows whose source has none of its own.
  std::shared_ptr<Teacher> usual() const { return m_usual; }
  void route(const std::string& dataSource, std::unique_ptr<Teacher> teacher) { m_routed[dataSource] = std::move(teacher); }
  Teacher& of(const std::string& dataSource) {
    auto found = m_routed.find(dataSource);
    return found == m_routed.end() ? *m_usual : *found->second;
  }
  /// Fewest positions that any of them reads.
  std::int64_t positions() const;

 private:
  std::shared_ptr<Teacher> m_usual;
  std::map<std::string, std::unique_ptr<Teacher>> m_routed;
};

/// The teacher's prompt of a sample, and whether it says what the privilege asks for.
struct TeacherPrompt {
  Prompt prompt;
  bool privileged = false;
  std::string text;  // the privilege as a [Hint]; empty when the data's own teacher_prompt says it
};
/// «none» is the student's prompt, whatever the data hold (spec 7-B15). Otherwise ("hint", "cue", "column") the sample's
/// hint or cue or the text column named `column`, else its teacher_prompt; a row without either gets the plain prompt and
/// counts as a miss.
/// `pictures` are the row's teacher_images where it has them and the privilege is not «none», else those of the student. With them a
/// teacher_prompt is read as it stands, cue and hint are not added; without a teacher_prompt they stand in the student's places, and
/// are a privilege without any word.
/// `crops` are the parts of the pictures that the cue shows (Sample::crops). Recorded decision on spec 3.1, which knows one list of
/// images for both prompts: a crop is an image that only the teacher gets, as part of the cue's [Hint] and beside the whole picture,
/// so that the teacher loses nothing that the student sees; the other privileges do not show it.
TeacherPrompt teacherPrompt(const Processor& processor, const Sample& sample, const std::vector<VisualInput>& pictures, const std::vector<VisualInput>& videos,
                            const std::vector<VisualInput>& crops, const std::string& privilege, const std::string& column = {});

}  // namespace cuescope
