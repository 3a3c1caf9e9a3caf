#include "engine/distill/kv_room.h"

#include <ATen/DeviceAccelerator.h>

#include <algorithm>
#include <limits>
#include <string>

#include "engine/core/failure.h"
#include "engine/distill/memory.h"
#include "engine/distill/plan_sizes.h"

namespace cuescope {
namespace {

/// Of the CPU's or the GPU's memory, in all.
std::int64_t memoryOf(const std::string& device) {
  const at::Device where(device);
  if (where.is_cpu()) return totalBytes();
  return static_cast<std::int64_t>(at::accelerator::getMemoryInfo(std::max<c10::DeviceIndex>(0, where.index())).second);
}

}  // namespace

int keyValueMib(const RunConfig& config, const std::string& device) {
  if (config.rollout.kvCacheMib >= 0) return config.rollout.kvCacheMib;
  const std::int64_t quarter = memoryOf(device) / 4 >> 20;
  return static_cast<int>(std::clamp<std::int64_t>(quarter, 1, std::numeric_limits<int>::max()));
}

void requireRoomForAResponse(const RunConfig& config, const Qwen3VLConfig& student) {
  if (config.trainer.valOnly || config.distillation.lossMode == "sft" || config.rollout.kvCacheMib <= 0) return;
  const auto& t = student.text;
  const std::int64_t width = computeTypeOf(config) == "bfloat16" ? 2 : 4,
                     tokens = (std::int64_t{config.data.maxPromptLength} + config.data.maxResponseLength + 15) / 16 * 16;  // blocks are whole sixteens
  const std::int64_t bytes = tokens * t.layers * 2 * t.kvHeads * t.headDim * width, needed = (bytes >> 20) + 1;
  if (bytes <= std::int64_t{config.rollout.kvCacheMib} << 20) return;
  throw Error("The longest response does not fit the memory for keys and values", "rollout.kv_cache_mib",
              "a prompt of " + std::to_string(config.data.maxPromptLength) + " and a response of " + std::to_string(config.data.maxResponseLength) + " tokens need " + std::to_string(needed) +
                  " MiB, the bound is " + std::to_string(config.rollout.kvCacheMib),
              "Set rollout.kv_cache_mib to " + std::to_string(needed) + " at least (so many times that as responses are to be decoded at once), or lower data.max_prompt_length or data.max_response_length.");
}

}  // namespace cuescope
