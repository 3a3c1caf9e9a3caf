// What if: the image, the module, the cue, a part of the model or one token is changed, and the subject is asked again. The causal
// number beside an attention map. Engine thread.
#pragma once

#include <stop_token>

#include "engine/core/events.h"
#include "engine/engine.h"
#include "engine/inspect/inspector.h"
#include "engine/model/intervention.h"

namespace cuescope {

/// log p of the response token before and after the change, the same for `randomRegions` random changes of the same kind and size
/// (seeded by the request's sampling seed; mean and deviation of their log p), the new answer, the distributions and the map of the
/// viewed site on both sides. Error: no response, nothing changed, a token, patch, layer or head that is not there. Cancelled
/// between two layers and two tokens.
WhatIfPtr whatIf(const InspectModels& models, const WhatIfRequest& request, const EventSink& sink, std::stop_token stop);

/// The answer to `prompt` under an intervention, as generate() gives it without one. Sampled answers have random numbers of their own.
std::vector<std::int64_t> answerUnder(const Qwen3VL& model, const RowInput& prompt, const Intervention* intervention, const SamplingOptions& options,
                                      const std::vector<std::int64_t>& banned, std::stop_token stop);

}  // namespace cuescope
