// A run's status and a failure as JSON, for every place that writes them: status.json, failure.json, the control socket and the command
// line. Json is nlohmann::json or, where the keys' order is to be this one, nlohmann::ordered_json. Any thread.
#pragma once

#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/core/snapshots.h"

namespace cuescope {

template <class Json>
Json statusObject(const RunStatus& status) {
  return {{"run", status.run},
          {"state", runStateName(status.state)},
          {"step", status.step},
          {"total_steps", status.totalSteps},
          {"phase", status.phase},
          {"phase_done", status.phaseDone},
          {"phase_total", status.phaseTotal},
          {"seconds_left", status.secondsLeft}};
}

template <class Json>
Json failureObject(const Failure& failure) {
  return {{"what", failure.what}, {"where", failure.where}, {"why", failure.why}, {"next", failure.nextStep}};
}

}  // namespace cuescope
