// Event: the one kind of message that leaves the engine thread. The sink is called on the engine thread; Session queues it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "engine/core/failure.h"
#include "engine/core/snapshots.h"

namespace cuescope {

struct LogLine {
  std::string text;
};

/// Something failed. `request` is the inspection it belongs to, 0 otherwise; `run` is the run, empty otherwise.
struct Failed {
  Failure failure;
  std::int64_t request = 0;
  std::string run;
};

using Event = std::variant<Progress, LogLine, TokenArrived, InspectionPtr, WhatIfPtr, StepPtr, RunStatus, ModelInfo, Failed>;
using EventSink = std::function<void(const Event&)>;

}  // namespace cuescope
