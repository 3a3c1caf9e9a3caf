#include "engine/distill/contrast.h"

#include <ATen/ops/logsumexp.h>

#include "engine/data/patches.h"

namespace cuescope {

void applyContrast(TeacherScores& scores, const TeacherScores& other, double weight) {
  scores.targetSampled = scores.sampled + weight * (scores.sampled - other.sampled);
  if (!scores.topK.defined()) return;
  const at::Tensor raised = scores.topK + weight * (scores.topK - other.topK);
  scores.targetTopK = raised - raised.logsumexp({-1}, true) + scores.topK.logsumexp({-1}, true);
}

RowInput withErasedPictures(const RowInput& prompt) {
  RowInput out = prompt;
  if (prompt.pixelValues.defined()) out.pixelValues = erasedPictures(prompt.pixelValues, prompt.grids);
  return out;
}

RowInput withPrivilege(const Processor& processor, const Sample& sample, const RowInput& prompt, const std::vector<std::vector<double>>& times, const std::string& text) {
  std::vector<VisualInput> visuals, crops;
  std::int64_t begin = 0;
  for (const Grid& grid : prompt.grids) {
    VisualInput visual;
    visual.grid = grid;
    const std::int64_t count = grid.t * grid.h * grid.w;
    visual.pixelValues = prompt.pixelValues.narrow(0, begin, count);
    begin += count;
    if (visuals.size() < times.size()) visual.timestamps = times[visuals.size()];
    (visuals.size() < times.size() ? visuals : crops).push_back(std::move(visual));
  }
  return processor.prompt(sample.prompt, visuals, text, crops).row;
}

std::optional<std::size_t> wrongCueOf(const std::vector<std::string>& texts, std::size_t i) {
  if (texts[i].empty()) return std::nullopt;
  for (std::size_t step = 1; step < texts.size(); ++step) {
    const std::size_t other = (i + step) % texts.size();
    if (!texts[other].empty() && texts[other] != texts[i]) return other;
  }
  return std::nullopt;
}

}  // namespace cuescope
