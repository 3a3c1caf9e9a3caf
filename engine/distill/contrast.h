// Contrast: what the teacher owes to the image or to the cue. The teacher scores a response twice, under its own prompt and under
// one that lacks the evidence; the difference c = log p - log p0 raises the tokens that depend on it (weight w):
//   erased image   p0 reads the same prompt with every picture painted in its mean colour (visual contrast; after VCSD, arXiv
//                  2607.21556, and visual contrastive decoding)
//   wrong cue      p0 reads the cue of another row of the batch, which keeps the style of a cue and loses its truth, so that what
//                  any cue would change cancels (after RLCSD, arXiv 2606.11709)
// A sampled token's target is log p + w c. Over the teacher's top K, the set of plausible tokens, the target is p (p / p0)^w with
// the mass that the teacher gave the set: sharpening happens inside it, and w = 0 is the plain loss. Own forms of the ideas of
// these papers, not their code. Pure functions but for the processor; engine thread.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "engine/distill/teacher.h"

namespace cuescope {

/// Fills scores.targetSampled, and scores.targetTopK when scores has a top K; `other` holds the same tokens' scores under p0.
void applyContrast(TeacherScores& scores, const TeacherScores& other, double weight);

/// The prompt with erased pictures.
RowInput withErasedPictures(const RowInput& prompt);
/// The prompt of `sample` with another privilege; pictures are those of `prompt`, its prompt with the right one. `times`:
/// of the frames of each picture or video that is not the cue's, in the order of the marks.
RowInput withPrivilege(const Processor& processor, const Sample& sample, const RowInput& prompt, const std::vector<std::vector<double>>& times, const std::string& text);

/// Which row lends row `i` a wrong cue: the next one (cyclic) whose text is another and not empty; none when there is none.
std::optional<std::size_t> wrongCueOf(const std::vector<std::string>& texts, std::size_t i);

}  // namespace cuescope
