// Evidence scores: does a map point at what the question needs? Mass inside the evidence boxes, pointing hit and IoU, each beside the
// number that a map without preference has. No torch, no Qt; pure functions, any thread.
#pragma once

#include <vector>

#include "engine/core/snapshots.h"

namespace cuescope {

/// How much of each patch of view `image` the boxes cover, 0 to 1, row-major; overlapping boxes count once.
std::vector<float> evidenceCover(const ImageView& view, const std::vector<PixelBox>& boxes, int image);

/// The numbers of one map over view `image`; `map` starts at the view's first patch. Site, query, layer and head are the caller's.
/// `boxes` and `patches` are 0 when nothing covers the view: then there is nothing to compare with.
EvidenceScore evidenceScore(const ImageView& view, const std::vector<PixelBox>& boxes, int image, const float* map);

/// One entry for every captured map (heads averaged) and every view with evidence.
std::vector<EvidenceScore> evidenceScores(const Inspection& inspection);

}  // namespace cuescope
