// The parts of a capture that came with its second format: logit lens, occlusion, evidence scores (capture.h documents the file).
// No torch, no Qt; any thread.
#pragma once

#include <nlohmann/json.hpp>

#include "engine/core/array_file.h"
#include "engine/core/snapshots.h"

namespace cuescope {

/// Bytes as a JSON string when they are UTF-8, else {"hex": "…"}; and back.
nlohmann::json bytesToJson(const std::string& text);
std::string bytesFromJson(const nlohmann::json& value);

nlohmann::json lensToJson(const LogitLens& lens, ArrayFileWriter& file);
/// Error when arrays and description do not belong together.
LogitLens lensFrom(const nlohmann::json& json, const ArrayFile& file);

nlohmann::json occlusionToJson(const OcclusionInfo& info);
OcclusionInfo occlusionFrom(const nlohmann::json& json);

nlohmann::json scoresToJson(const std::vector<EvidenceScore>& scores, ArrayFileWriter& file);
std::vector<EvidenceScore> scoresFrom(const nlohmann::json& json, const ArrayFile& file);

}  // namespace cuescope
