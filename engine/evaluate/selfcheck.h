// `cuescope-cli selfcheck`: is this machine's engine right? Every kernel against its oracle on the given device, and, with a folder
// of goldens (recorded reference tensors with a manifest each), the whole model tensor by tensor. No Qt. Engine thread.
#pragma once

#include <string>
#include <vector>

#include "engine/core/events.h"
#include "engine/engine.h"

namespace cuescope {

/// One line a kernel or tensor with its largest error and the tolerance it must keep. `goldensFolder` may be empty. A set that
/// cannot be read is a line that failed, with the reason as its note.
std::vector<SelfcheckLine> runSelfcheck(const std::string& device, const std::string& goldensFolder, const EventSink& sink = {});

/// The two halves.
void checkKernels(const std::string& device, std::vector<SelfcheckLine>& lines);
void checkGoldens(const std::string& device, const std::string& goldensFolder, std::vector<SelfcheckLine>& lines, const EventSink& sink);

}  // namespace cuescope
