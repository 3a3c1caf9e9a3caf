// The rows of workload.safetensors, as the engine packs them. Used by bench.cpp and train_step.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "engine/model/rows.h"

namespace cuescope {

struct BenchWorkload {
  std::vector<RowInput> prompts;         // one image each
  std::vector<RowInput> teacherRows;     // longer prompt and response
  at::Tensor responses;                  // int64 [B, R]

  std::int64_t rows() const { return static_cast<std::int64_t>(prompts.size()); }
};
BenchWorkload readBenchWorkload(const std::string& file);

}  // namespace cuescope
