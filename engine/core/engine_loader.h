// Finds and loads the engine module beside the executable (or in CUESCOPE_ENGINE), on the calling thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/core/events.h"

namespace cuescope {

class Engine;
struct EngineOptions;

/// Products in bfloat16 on the CPU compile a kernel for each shape, and shapes change with every rollout: the caches of LibTorch's
/// library and of its wrapper hold 1,024 each by default, half a GiB. They are told to hold so many each, unless the environment says
/// otherwise.
inline constexpr int kKeptKernels = 64;

/// Where engines are looked for, and whether a GPU's driver answers.
struct EngineSearch {
  std::vector<std::string> folders;
  bool gpu = false;
};
EngineSearch engineSearch();

/// Opens libcuescope_engine_cuda.so when the options ask for CUDA (or «auto» and a GPU is present), else libcuescope_engine.so.
/// Throws Error with the path that was tried and the loader's reason. The module stays loaded for the life of the process. When «auto»
/// passes over a CUDA engine that does not load, the sink gets a line with the reason, and the engine that is loaded knows it (doctor).
std::unique_ptr<Engine> loadEngine(const EngineOptions& options, const EventSink& sink = {}, const EngineSearch& search = engineSearch());

/// Folder with resources/ (presets, demo): CUESCOPE_RESOURCES, else beside the executable, else the source tree.
std::string resourceFolder();

}  // namespace cuescope
