// SiteCapture: everything that a plan asks of one row, and the states that predict its response, from as few passes as it takes: one
// for cue recovery, self-attention, rollout, vision and logit lens together, one more each for gradient x attention and occlusion.
// Engine thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <stop_token>
#include <string>

#include "engine/core/snapshots.h"
#include "engine/inspect/capture_plan.h"
#include "engine/model/qwen3_vl.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

struct SiteCapture {
  AttentionStack cue, self, prompt, vision, rollout, gradient, lensMap, occlusion;
  LogitLens lens;
  OcclusionInfo occlusionInfo;
  at::Tensor states;  // [R, h] after the final norm, at the positions that predict each response token

  AttentionStack& stack(Site site);
};

struct CaptureOrder {
  const Qwen3VL* model = nullptr;
  const Tokenizer* tokenizer = nullptr;  // null: words stay empty
  const RowInput* row = nullptr;  // prompt and response
  const CapturePlan* plan = nullptr;
  const Intervention* intervention = nullptr;
  Change occlusionChange = Change::Erase;
  std::function<void(const std::string& what)> next;                       // before each part
  std::function<void(const std::string& what, int done, int total)> part;  // inside a part
};

/// Error, Cancelled (within a layer's time).
SiteCapture captureSites(const CaptureOrder& order, std::stop_token stop);

}  // namespace cuescope
