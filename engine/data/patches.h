// Changes made to an image in the form the model reads it: flattened, normalised patches (spec 2.6). Row order (t, h/2, w/2, 2, 2),
// column order (channel, temporal 2, 16 y, 16 x); the four patches of a merged visual token are consecutive rows. Pure
// functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/model/rows.h"

namespace cuescope {

/// Erasing paints in the picture's own mean colour. The processor's mid grey would do for a photograph, but on a light page it
/// is itself a thing to see: on the demo's scenes a random grey patch moved the answer by 0.9 nats.

/// A changed copy of `pixels` [P, 1536]. `visualTokens` count the merged tokens of all grids in order; Error when one is not there.
///   Erase     those tokens take their picture's mean colour   KeepOnly  all the others do
///   Average   each channel becomes its mean over the tokens    Blur      a soft copy of the image shows through
at::Tensor changePatches(const at::Tensor& pixels, const std::vector<Grid>& grids, Change change, const std::vector<int>& visualTokens);

/// Every patch painted in the mean colour of its own picture; [P, 1536].
at::Tensor erasedPictures(const at::Tensor& pixels, const std::vector<Grid>& grids);

/// The image that patches were cut from, and back. [t * h * w, 1536] <-> [t * 2, 3, h * 16, w * 16]
at::Tensor patchesToImage(const at::Tensor& patches, const Grid& grid);
at::Tensor imageToPatches(const at::Tensor& image, const Grid& grid);

/// "erase 9 patches"
std::string describeChange(Change change, std::size_t count);

}  // namespace cuescope
