// Captures of a run: whole inspections of its probe rows, written every trainer.capture_freq steps as
// RUN/captures/step-NNNNNN/row-N.capture. They open again without the models (engine/core/capture.h). Looking changes nothing of
// the run. Engine thread.
#pragma once

#include <stop_token>

#include "engine/core/events.h"

namespace cuescope {

class Run;

/// Writes the captures of the step that `run` has reached; rows are data.probe_rows, or the first two held-out ones. What cannot be
/// captured is a log line, never the run's end.
void captureProbes(const Run& run, const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
