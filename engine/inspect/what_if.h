// What if: a part of the image is changed, and the student is asked again. The causal number beside an attention map. Engine thread.
#pragma once

#include <stop_token>

#include "engine/core/events.h"
#include "engine/engine.h"
#include "engine/inspect/inspector.h"

namespace cuescope {

/// log p of the response token before and after the change, the same for `randomRegions` random sets of as many patches
/// (seeded by the request's sampling seed; mean and deviation of their log p), and the answer to the changed image.
/// Error: no image, no response, token or patch that is not there. Cancelled between two passes and two tokens.
WhatIfPtr whatIf(const InspectModels& models, const WhatIfRequest& request, const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
