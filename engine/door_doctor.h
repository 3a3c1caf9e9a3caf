// What `doctor` looks at.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"

namespace cuescope {

/// `device` and `dtype`: what the engine runs on.
std::vector<DoctorLine> examineMachine(const std::string& device, const std::string& dtype, const std::string& passedOver = {});
/// Cores that this process may use.
int coresOfProcess();

}  // namespace cuescope
