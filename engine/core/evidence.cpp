#include "engine/core/evidence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cuescope {

namespace {

/// Patches that count as evidence: at least half covered, or the most covered one where the boxes are smaller than that.
std::vector<bool> evidencePatches(const std::vector<float>& cover) {
  std::vector<bool> inside(cover.size());
  bool any = false;
  for (std::size_t p = 0; p < cover.size(); ++p) any = (inside[p] = cover[p] >= 0.5f) || any;
  if (any || cover.empty()) return inside;
  const auto most = std::max_element(cover.begin(), cover.end());
  if (*most > 0) inside[static_cast<std::size_t>(most - cover.begin())] = true;
  return inside;
}

void addStack(std::vector<EvidenceScore>& scores, const Inspection& look, const AttentionStack& stack, bool prompt) {
  if (stack.empty()) return;
  std::vector<float> mean(static_cast<std::size_t>(stack.keys));
  for (std::size_t q = 0; q < stack.queries.size(); ++q) {
    for (std::size_t l = 0; l < stack.layers.size(); ++l) {
      std::fill(mean.begin(), mean.end(), 0.f);
      for (int h = 0; h < stack.heads; ++h) {
        const float* map = stack.map(q, l, static_cast<std::size_t>(h));
        for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += map[k] / static_cast<float>(stack.heads);
      }
      for (std::size_t i = 0; i < look.images.size(); ++i) {
        const ImageView& view = look.images[i];
        if (view.firstVisual + view.gridRows * view.gridCols > stack.keys) continue;
        EvidenceScore score = evidenceScore(view, look.evidence, static_cast<int>(i), mean.data() + view.firstVisual);
        if (score.patches == 0) continue;
        score.site = stack.site;
        score.query = stack.queries[q];
        score.prompt = prompt;
        score.layer = stack.layers[l];
        scores.push_back(score);
      }
    }
  }
}

}  // namespace

std::vector<float> evidenceCover(const ImageView& view, const std::vector<PixelBox>& boxes, int image) {
  if (view.gridRows <= 0 || view.gridCols <= 0 || view.width <= 0 || view.height <= 0) return {};
  const double wide = static_cast<double>(view.width) / view.gridCols, high = static_cast<double>(view.height) / view.gridRows;
  std::vector<float> cover(static_cast<std::size_t>(view.gridRows) * static_cast<std::size_t>(view.gridCols), 0.f);
  for (const PixelBox& box : boxes) {
    if (box.image != image) continue;
    for (std::size_t p = 0; p < cover.size(); ++p) {
      const double left = static_cast<double>(p % static_cast<std::size_t>(view.gridCols)) * wide;
      const double top = static_cast<double>(p / static_cast<std::size_t>(view.gridCols)) * high;
      const double across = std::min<double>(box.x + box.width, left + wide) - std::max<double>(box.x, left);
      const double down = std::min<double>(box.y + box.height, top + high) - std::max<double>(box.y, top);
      if (across > 0 && down > 0) cover[p] = std::max(cover[p], static_cast<float>(across * down / (wide * high)));
    }
  }
  return cover;
}

EvidenceScore evidenceScore(const ImageView& view, const std::vector<PixelBox>& boxes, int image, const float* map) {
  EvidenceScore score;
  score.image = image;
  const std::vector<float> cover = evidenceCover(view, boxes, image);
  const std::vector<bool> inside = evidencePatches(cover);
  score.boxes = static_cast<int>(std::count_if(boxes.begin(), boxes.end(), [image](const PixelBox& box) { return box.image == image; }));
  score.patches = static_cast<int>(std::count(inside.begin(), inside.end(), true));
  if (score.patches == 0) return score;
  double total = 0, mass = 0, covered = 0;
  for (std::size_t p = 0; p < cover.size(); ++p) {
    const double value = std::isfinite(map[p]) ? std::max(0.f, map[p]) : 0.0;
    total += value;
    mass += value * cover[p];
    covered += cover[p];
  }
  const auto n = static_cast<double>(cover.size()), e = static_cast<double>(score.patches);
  score.mass = total > 0 ? static_cast<float>(mass / total) : 0.f;
  score.uniformMass = static_cast<float>(covered / n);
  std::vector<std::size_t> order(cover.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  // Equal values in reading order; a map of zeros points at nothing.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return map[a] > map[b]; });
  score.hit = total > 0 && inside[order[0]];
  score.uniformHit = static_cast<float>(e / n);
  double both = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(score.patches); ++i) both += inside[order[i]] ? 1 : 0;
  score.iou = total > 0 ? static_cast<float>(both / (2 * e - both)) : 0.f;
  const double expected = e * e / n;
  score.uniformIou = static_cast<float>(expected / (2 * e - expected));
  return score;
}

std::vector<EvidenceScore> evidenceScores(const Inspection& inspection) {
  std::vector<EvidenceScore> scores;
  if (inspection.evidence.empty()) return scores;
  for (int i = 0; i < kSites; ++i) addStack(scores, inspection, inspection.stack(static_cast<Site>(i)), false);
  addStack(scores, inspection, inspection.promptAttention, true);
  return scores;
}

}  // namespace cuescope
