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
#include "engine/core/failure.h"
#include "engine/data/dataset.h"
#include "engine/distill/memory.h"
#include "engine/kernels/kernels.h"
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

DoctorLine gpu(const std::string& passedOver) {
  if (at::globalContext().hasCUDA()) return {"GPU", std::to_string(at::getNumGPUs()) + " CUDA device(s)", "", true};
  if (!passedOver.empty()) return {"GPU", "none in use: the CUDA engine cannot be loaded: " + passedOver, "Repair that, or choose the device cpu.", false};
  const std::string pack = kernels::hasCuda() ? "the CUDA engine is loaded, but finds no GPU" : "none in use; this is the CPU engine";
  return {"GPU", pack, "", true};
}

/// A picture through the decoder and back: the codec is there and works.
DoctorLine codecs() {
  switch (mediaSupport()) {
    case MediaSupport::None: return {"image codecs", "none: this build has neither OpenCV nor libpng and libjpeg", "Pixels come from tensor files.", true};
    case MediaSupport::PngAndJpeg: return {"image codecs", "PNG and JPEG; no other kinds and no video: this build has no OpenCV", "", true};
    case MediaSupport::All: break;
  }
  const std::uint8_t pixels[12] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
  try {
    const auto png = encodePng(2, 2, pixels);
    const DecodedImage image = decodeImage(png.data(), png.size(), "doctor.png");
    const bool same = image.width == 2 && image.height == 2 && std::equal(image.rgb.begin(), image.rgb.end(), pixels);
    return {"image codecs", same ? "PNG works; JPEG, WebP, BMP and TIFF by OpenCV" : "PNG changes pixels", same ? "" : "Install OpenCV's image libraries again.", same};
  } catch (const Error& error) {
    return {"image codecs", "none works: " + error.failure().what, "Install OpenCV's image libraries again.", false};
  }
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
  lines.push_back(gpu(passedOver));
  lines.push_back(codecs());
  lines.push_back({"data files", haveParquet() ? "parquet and JSONL" : "JSONL", haveParquet() ? "" : "Built without Arrow: parquet cannot be read.", true});
  lines.push_back(resources());
  return lines;
}

}  // namespace cuescope
