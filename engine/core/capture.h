// Capture: an Inspection kept as one file, which opens again without the model. A safetensors container (array_file.h):
//   metadata  "cuescope.capture"  JSON: {"format": 2, "inspection": {...structure...}, "recipe": {...CaptureInfo...}}
//             Format 1, which had neither the arrays marked 2 nor their descriptions, is read too
//   arrays    images.N.rgb U8 [h, w, 3]
//             cue_recovery.values, self_attention.values F32 [queries, layers, heads, keys]; self_attention.text_share,
//             .sink_share F32 [queries, layers, heads]
//             2: prompt_attention, vision, rollout, gradient_attention, logit_lens, occlusion: .values F32, the same shape
//             2: logit_lens.ids I64, .log_probs F32 [layers, positions, top], .chosen, .entropy F32 [layers, positions]
//             2: evidence.places I64 [N, 8], evidence.scores F32 [N, 6]; their columns are named in the description
//             distributions.offsets I64 [R + 1], .ids I64 [N], .log_probs F32 [conditions, N], .sampled, .entropy, .tail
//             F32 [R, conditions], .divergences F32 [R, 3] (KL teacher-student, KL student-teacher, JSD); NaN: not computed
// Token texts are bytes: a JSON string when they are UTF-8, {"hex": "e4bd"} when they are part of a character.
// No torch, no Qt; any thread. A file is untrusted input: every claim is checked, a wrong one is an Error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/snapshots.h"

namespace cuescope {

struct InspectRequest;

/// What it takes to make the capture again.
struct CaptureInfo {
  std::string studentDigest, teacherDigest;  // ModelInfo::digest
  std::string imageDigest;                   // of the pixel values
  int step = -1;
  std::string requestJson;  // the InspectRequest as a JSON object: paths, question, cue, sampling, ...
};

struct Capture {
  InspectionPtr inspection;
  CaptureInfo info;
};

/// The recipe of an inspection and the request that asked for it.
CaptureInfo captureInfo(const Inspection& inspection, const InspectRequest& request);
void writeCapture(const std::string& file, const Inspection& inspection, const CaptureInfo& info);
Capture readCapture(const std::string& file);

}  // namespace cuescope
