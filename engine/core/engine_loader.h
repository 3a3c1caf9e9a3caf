// Finds and loads the engine module beside the executable (or in CUESCOPE_ENGINE), on the calling thread.
#pragma once

#include <memory>
#include <string>

namespace cuescope {

class Engine;
struct EngineOptions;

/// Opens libcuescope_engine_cuda.so when the options ask for CUDA (or «auto» and a GPU is present), else libcuescope_engine.so.
/// Throws Error with the path that was tried and the loader's reason. The module stays loaded for the life of the process.
std::unique_ptr<Engine> loadEngine(const EngineOptions& options);

/// Folder with resources/ (presets, demo): CUESCOPE_RESOURCES, else beside the executable, else the source tree.
std::string resourceFolder();

}  // namespace cuescope
