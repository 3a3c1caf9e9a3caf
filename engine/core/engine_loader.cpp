#include "engine/core/engine_loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "engine/core/failure.h"
#include "engine/engine.h"

namespace cuescope {

namespace {

namespace fs = std::filesystem;

fs::path executableFolder() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::current_path(error) : self.parent_path();
}

/// True when a driver for an NVIDIA GPU answers; no CUDA library is loaded for the question.
bool gpuPresent() {
  std::error_code error;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES"); visible && (*visible == '\0' || std::string(visible) == "-1")) return false;
  return fs::exists("/proc/driver/nvidia/version", error) || fs::exists("/dev/nvidiactl", error);
}

/// The first that exists, empty if none.
fs::path findPack(const EngineSearch& search, const std::string& name) {
  std::error_code error;
  for (const fs::path folder : search.folders) {
    if (fs::exists(folder / name, error)) return (folder / name).lexically_normal();
  }
  return {};
}

std::unique_ptr<Engine> open(const fs::path& path, const EngineOptions& options) {
  // OpenMP's threads wait for each other by spinning, by default for milliseconds: two trainings on two cores then stand still
  // (steps of 20 s instead of 0.6 were seen). A thousand turns, some ten microseconds, keep the short regions of decoding fast
  // (xs on two quiet cores, against ten thousand turns: prefill, decoding and a step lose 3 to 8 %; without spinning 30 to 120 %), and
  // beside one other busy process, the window painting, say, they are 2.5 to 3.5 times as fast. libgomp reads this once, when the
  // module brings it in.
  setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0);
  // Its own pool would keep what reading the data once took; the C library's gives it back (releaseFreePages).
  setenv("ARROW_DEFAULT_MEMORY_POOL", "system", /*overwrite=*/0);
  for (const char* capacity : {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"}) setenv(capacity, std::to_string(kKeptKernels).c_str(), /*overwrite=*/0);
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module) {
    const char* reason = dlerror();
    const std::string why = reason ? reason : "unknown reason";
    // An installed Cuescope gets its LibTorch after the installation (installer/pack.sh).
    const bool pack = why.find("libtorch") != std::string::npos || why.find("libc10") != std::string::npos || why.find("libarrow") != std::string::npos ||
                      why.find("libparquet") != std::string::npos || why.find("libcudart") != std::string::npos;
    throw Error("The engine cannot be loaded", path.string(), why,
                pack ? "Run cuescope-pack: it links a LibTorch 2.11 of this machine or fetches one." : "Install Cuescope again, or name another engine in CUESCOPE_ENGINE.");
  }
  using Create = Engine* (*)(int, const EngineOptions*);
  const auto create = reinterpret_cast<Create>(dlsym(module, "cuescopeCreateEngine"));
  if (!create) {
    throw Error("The engine cannot be loaded", path.string(), "it is a library, but not an engine of Cuescope", "Check CUESCOPE_ENGINE.");
  }
  std::unique_ptr<Engine> engine(create(kEngineAbi, &options));
  if (!engine) {
    throw Error("The engine does not fit this program", path.string(),
                "it is another version (this program speaks version " + std::to_string(kEngineAbi) + " of the door)",
                "Install program and engine from the same release.");
  }
  return engine;
}

}  // namespace

EngineSearch engineSearch() {
  EngineSearch search;
  const fs::path here = executableFolder();
  for (const char* folder : {"", "../bin", "../lib", "../lib/cuescope"}) search.folders.push_back((here / folder).string());
  search.gpu = gpuPresent();
  return search;
}

std::unique_ptr<Engine> loadEngine(const EngineOptions& options, const EventSink& sink, const EngineSearch& search) {
  if (const char* named = std::getenv("CUESCOPE_ENGINE"); named && *named) return open(named, options);

  const bool wantsCuda = options.device.rfind("cuda", 0) == 0;
  const bool mayUseCuda = wantsCuda || (options.device == "auto" && search.gpu);
  const fs::path cuda = mayUseCuda ? findPack(search, "libcuescope_engine_cuda.so") : fs::path();
  if (wantsCuda && cuda.empty()) {
    throw Error("The CUDA engine is not installed", "libcuescope_engine_cuda.so", "it is not in " + executableFolder().string() + " or next to it",
                "Use the device «cpu», or build with nvcc (preset cuda).");
  }
  const fs::path cpu = findPack(search, "libcuescope_engine.so");
  if (!cuda.empty()) {
    // On «auto» a CUDA pack that does not load (no driver, another CUDA) is no reason to have no engine at all.
    if (wantsCuda || cpu.empty()) return open(cuda, options);
    try {
      return open(cuda, options);
    } catch (const Error& error) {
      EngineOptions told = options;
      told.passedOver = cuda.string() + ": " + error.failure().why;
      if (sink) sink(LogLine{"The CPU is used, although there is a GPU: the CUDA engine cannot be loaded. " + told.passedOver});
      return open(cpu, told);
    }
  }
  if (cpu.empty()) {
    throw Error("The engine was not found", "libcuescope_engine.so", "it is not in " + executableFolder().string() + " or next to it",
                "Install Cuescope again, or name the engine in CUESCOPE_ENGINE.");
  }
  return open(cpu, options);
}

std::string resourceFolder() {
  if (const char* named = std::getenv("CUESCOPE_RESOURCES"); named && *named) return named;
  const fs::path here = executableFolder();
  std::error_code error;
  for (const fs::path& folder : {here / "resources", here / "../resources", here / "../share/cuescope"}) {
    if (fs::is_directory(folder, error)) return folder.lexically_normal().string();
  }
  return CUESCOPE_SOURCE_DIR "/resources";
}

}  // namespace cuescope
