// Tensors that live long, such as cached features: on the CPU they get pages of their own. In the common heap they would lie between
// the tensors of a step, which come and go, and keep it from being used again: the process would grow with every step.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace cuescope {

/// Copies that share one block of memory. On other devices, and for little data, plain copies.
std::vector<at::Tensor> keptCopies(const std::vector<at::Tensor>& tensors);

}  // namespace cuescope
