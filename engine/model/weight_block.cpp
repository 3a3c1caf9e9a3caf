#include "engine/model/weight_block.h"

#include <ATen/ops/from_blob.h>
#include <sys/mman.h>

#include <cstdint>
#include <memory>

namespace cuescope {
namespace {

constexpr std::uint64_t kLine = 64, kLargePage = 2u << 20;

std::uint64_t roundedUp(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

struct Block {
  void* begin = nullptr;
  std::uint64_t bytes = 0;
  ~Block() {
    if (begin) ::munmap(begin, bytes);
  }
};

}  // namespace

void placeTogether(const std::vector<at::Tensor>& tensors) {
  std::uint64_t total = 0;
  for (const at::Tensor& tensor : tensors) total += roundedUp(tensor.nbytes(), kLine);
  if (total == 0) return;
  const auto block = std::make_shared<Block>();
  // Address space alone: what is not written to costs nothing.
  const std::uint64_t asked = total + kLargePage;
  void* const got = ::mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (got == MAP_FAILED) return;
  block->begin = got;
  block->bytes = asked;
  auto* at = reinterpret_cast<char*>(roundedUp(reinterpret_cast<std::uintptr_t>(got), kLargePage));
#if defined(MADV_HUGEPAGE)
  ::madvise(at, total, MADV_HUGEPAGE);  // advice: without it all is slower and nothing is wrong
#endif
  for (const at::Tensor& tensor : tensors) {
    tensor.set_data(at::from_blob(at, tensor.sizes(), [block](void*) {}, tensor.options().requires_grad(false)));
    at += roundedUp(tensor.nbytes(), kLine);
  }
}

}  // namespace cuescope
