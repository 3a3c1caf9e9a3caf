// What whole runs on the tiny golden models share: rows of a made-up data set, and what of a run's results must be the same twice.
// Header only; include before Qt headers.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/core/snapshots.h"
#include "engine/distill/training_data.h"
#include "tests/support/golden.h"

namespace cuescope::test {

inline std::vector<std::uint8_t> bytesOf(const std::string& file) {
  const auto bytes = golden::readBytes(file);
  return {bytes.begin(), bytes.end()};
}

/// `count` questions about a small and a square picture in turn, all answered with "a"; `finish` writes what a test wants besides.
inline RowSource tinyRows(std::int64_t count, std::function<void(std::int64_t, Sample&)> finish) {
  RowSource source;
  source.size = count;
  source.row = [finish = std::move(finish)](std::int64_t i) {
    Sample sample;
    sample.id = "sample-" + std::to_string(i);
    sample.prompt = {{"user", "<image>What is shown in part " + std::to_string(i) + "?"}};
    sample.groundTruth = "a";
    sample.imageBytes = {bytesOf(golden::path(i % 2 == 0 ? "images/small.png" : "images/square.png"))};
    sample.imagePaths = {""};
    finish(i, sample);
    return sample;
  };
  return source;
}

inline bool sameBits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!at::equal(a[i], b[i])) return false;
  return true;
}

/// Everything but times and memory.
inline std::map<std::string, double> numbers(const StepSnapshot& step) {
  std::map<std::string, double> out;
  for (const auto& [name, value] : step.metrics) {
    if (!name.starts_with("perf/") && !name.starts_with("timing_")) out[name] = value;
  }
  return out;
}

}  // namespace cuescope::test
