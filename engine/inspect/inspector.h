// Inspector: one look at one image. The student answers (or is given the answer), then one forward pass over prompt and response
// is observed; the teacher reads the same response under its own prompts. Looking changes nothing: no weight, no random state of
// a run, no gradient. Engine thread; models and processors are the caller's and stay theirs.
#pragma once

#include <stop_token>

#include "engine/core/events.h"
#include "engine/data/processor.h"
#include "engine/engine.h"
#include "engine/model/intervention.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

/// Who is looked at. A processor is needed for each model, because a teacher may cut images another way.
struct InspectModels {
  const Qwen3VL* student = nullptr;
  const Processor* studentProcessor = nullptr;
  const Qwen3VL* teacher = nullptr;  // null: no distributions of a teacher
  const Processor* teacherProcessor = nullptr;
  int step = -1;  // training step of a run's student
};

/// The student's prompt with its pictures, and what is known about them.
struct LookedAt {
  Prompt prompt;
  std::vector<ImageView> views;
};

/// An image file, or a video where the name ends like one. Throws Error.
VisualInput readVisual(const Processor& processor, const std::string& file, const std::string& label);

/// Decodes the request's images (bytes, then files; a video file is one view for each pair of frames) and renders the question; `privilege` is the cue, empty for the student.
/// A question without marks gets them in front.
LookedAt lookAt(const Processor& processor, const InspectRequest& request, const std::string& privilege);

/// The row with the response behind its prompt.
RowInput withResponse(const RowInput& prompt, const std::vector<std::int64_t>& response);

/// The ids that the request gives as the answer; empty when it gives none.
std::vector<std::int64_t> givenResponse(const InspectRequest& request, const Tokenizer& tokenizer);

/// The ids with their texts.
std::vector<Token> responseTokens(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids);

/// The states that predict `response`, from one pass over prompt and response. [R, h]. Cancelled between two layers.
at::Tensor predictingStates(const Qwen3VL& model, const RowInput& prompt, const std::vector<std::int64_t>& response, const std::stop_token& stop,
                            const Intervention* intervention = nullptr);

/// What the request will take. Renders the prompt and cuts the pictures; no pass is made.
InspectCost inspectCost(const InspectModels& models, const InspectRequest& request);

/// Conditions: TeacherCue with the cue (without a cue in the request it is TeacherPlain's pass, and the cue's part of the gap is
/// 0), TeacherPlain without it, TeacherErased with the cue and the pictures erased to their mean colour. Progress,
/// TokenArrived for each token that is decoded. Throws Error, Cancelled.
InspectionPtr inspect(const InspectModels& models, const InspectRequest& request, const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
