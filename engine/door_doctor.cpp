#include "engine/door_doctor.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <sched.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/core/engine_loader.h"
#include "engine/data/dataset.h"
#include "engine/distill/memory.h"
#include "engine/kernels/cuda_devices.h"
#include "engine/kernels/kernels.h"
#include "engine/media/codec_trial.h"
#include "engine/media/decode.h"

namespace cuescope {

namespace {

/// The value behind "key :" in a /proc file.
std::string procValue(const char* file, const std::string& key) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind(key, 0) != 0) continue;
    const auto colon = line.find(':');
    const auto begin = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

double gibibytes(const std::string& key) { return std::strtod(procValue("/proc/meminfo", key).c_str(), nullptr) / (1 << 20); }

std::string oneDecimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

DoctorLine memory() {
  const double total = gibibytes("MemTotal"), available = gibibytes("MemAvailable");
  // float32 weights and what a pass needs; training adds gradients and two moments.
  const char* fits = available > 40 ? "an 8B model in float32 fits" : available > 20 ? "a 4B model in float32 fits" : available > 11 ? "a 2B model in float32 fits" : "";
  return {"memory", oneDecimal(available) + " of " + oneDecimal(total) + " GiB free" + (*fits ? std::string("; ") + fits : ""),
          *fits ? "" : "A 2B model needs about 11 GiB; the demo's models run anywhere.", available > 1};
}

/// What the driver says of its GPUs, whether or not this engine can use them.
std::string gpusOfTheDriver() {
  std::string names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", error)) {
    const std::string model = procValue((entry.path() / "information").c_str(), "Model");
    if (!model.empty()) names += (names.empty() ? "" : ", ") + model;
  }
  return names;
}

std::vector<DoctorLine> gpus(const std::string& passedOver) {
  std::vector<DoctorLine> lines;
  if (at::globalContext().hasCUDA()) {
    constexpr double kGib = 1 << 30;
    for (const kernels::CudaDevice& device : kernels::cudaDevices()) {
      const bool answers = device.totalBytes > 0;
      lines.push_back({"GPU", answers ? device.name + ", compute capability " + std::to_string(device.major) + "." + std::to_string(device.minor) + ", " + oneDecimal(static_cast<double>(device.freeBytes) / kGib) + " of " +
                                            oneDecimal(static_cast<double>(device.totalBytes) / kGib) + " GiB free"
                                      : "a device does not answer: " + device.name,
                       answers ? "" : "Look at nvidia-smi, or choose the device cpu.", answers});
    }
    if (!lines.empty()) return lines;
  }
  const std::string driver = gpusOfTheDriver();
  const std::string beside = driver.empty() ? "" : "; the driver knows " + driver;
  if (!passedOver.empty()) return {{"GPU", "none in use: the CUDA engine cannot be loaded: " + passedOver + beside, "Repair that, or choose the device cpu.", false}};
  if (kernels::hasCuda()) return {{"GPU", "the CUDA engine is loaded, but finds no GPU" + beside, "", true}};
  return {{"GPU", "none in use; this is the CPU engine" + beside, driver.empty() ? "" : "The CUDA engine pack would use it.", true}};
}

/// Each of them with what it makes of a small file of our own.
DoctorLine codecs(const char* name, const std::vector<CodecTrial>& trials) {
  std::string works, fails;
  for (const CodecTrial& trial : trials) {
    if (trial.problem.empty()) works += (works.empty() ? "" : ", ") + trial.name;
    else fails += "; " + trial.name + " does not: " + trial.problem;
  }
  return {name, (works.empty() ? "none is read" : works + (trials.size() == 1 ? " is read" : " are read")) + fails, fails.empty() ? "" : "Install OpenCV's libraries again.", fails.empty()};
}

std::vector<DoctorLine> media() {
  switch (mediaSupport()) {
    case MediaSupport::None: return {{"image codecs", "none: this build has neither OpenCV nor libpng and libjpeg", "Pixels come from tensor files.", true}};
    case MediaSupport::PngAndJpeg: return {{"image codecs", "PNG and JPEG; no other kinds and no video: this build has no OpenCV", "", true}};
    case MediaSupport::All: break;
  }
  return {codecs("image codecs", tryPictures()), codecs("video codecs", tryFilms())};
}

DoctorLine resources() {
  const std::string folder = resourceFolder();
  std::error_code error;
  const bool there = std::filesystem::is_directory(folder, error);
  const bool demo = std::filesystem::is_directory(folder + "/demo", error);
  return {"resources", folder + (demo ? ", with the demo" : there ? ", without the demo" : ", missing"),
          there ? "" : "Install Cuescope again, or set CUESCOPE_RESOURCES.", there};
}

}  // namespace

int coresOfProcess() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

std::vector<DoctorLine> examineMachine(const std::string& device, const std::string& dtype, const std::string& passedOver) {
  std::vector<DoctorLine> lines;
  lines.push_back({"engine", std::string("Cuescope ") + CUESCOPE_VERSION + (kernels::hasCuda() ? ", CUDA pack" : ", CPU pack") + ", LibTorch " + TORCH_VERSION, "", true});
  lines.push_back({"runs on", device + ", " + dtype + ", " + std::to_string(at::get_num_threads()) + " threads", "", true});
  lines.push_back({"processor", procValue("/proc/cpuinfo", "model name") + ", " + std::to_string(coresOfProcess()) + " cores for this process", "", true});
  const std::string isa = at::get_cpu_capability();
  lines.push_back({"instructions", isa, isa == "DEFAULT" ? "This processor has no AVX2: everything works, slowly." : "", isa != "DEFAULT"});
  lines.push_back({"bfloat16", cpuComputesBfloat16() ? "multiplied by this processor (AVX-512 BF16)" : "no instructions for it",
                   cpuComputesBfloat16() ? "" : "Runs with actor.dtype bfloat16 take longer here than in float32.", true});
  lines.push_back(memory());
  for (DoctorLine& line : gpus(passedOver)) lines.push_back(std::move(line));
  for (DoctorLine& line : media()) lines.push_back(std::move(line));
  lines.push_back({"data files", haveParquet() ? "parquet and JSONL" : "JSONL", haveParquet() ? "" : "Built without Arrow: parquet cannot be read.", true});
  lines.push_back(resources());
  return lines;
}

}  // namespace cuescope
