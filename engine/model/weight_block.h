// A model's weights in one block of memory. Allocated one by one they lie behind each other's book-keeping, whose first touch
// leaves small pages all over them; in one block, advised before anything is written, nearly all of it gets large pages: a
// fraction of the page faults when it is filled, and reads that the processor can run ahead of.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace cuescope {

/// Moves dense CPU tensors of a model into one block, in the list's order, each on a cache line of its own. Values are not kept:
/// for tensors that are about to be filled. The block lives as long as the last of them. Where the system gives no such block,
/// the tensors stay where they are.
void placeTogether(const std::vector<at::Tensor>& tensors);

}  // namespace cuescope
