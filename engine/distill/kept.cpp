#include "engine/distill/kept.h"

#include <ATen/ops/from_blob.h>
#include <sys/mman.h>

#include <memory>
#include <new>

namespace cuescope {
namespace {

constexpr std::size_t kLittle = 16 << 10, kAlignment = 64;

struct Pages {
  explicit Pages(std::size_t bytes) : size(bytes) {
    data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
  }
  ~Pages() { ::munmap(data, size); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  void* data;
  std::size_t size;
};

std::size_t padded(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

std::vector<at::Tensor> keptCopies(const std::vector<at::Tensor>& tensors) {
  std::size_t bytes = 0;
  bool host = true;
  for (const at::Tensor& tensor : tensors) {
    bytes += padded(tensor.nbytes());
    host = host && tensor.is_cpu();
  }
  std::vector<at::Tensor> out;
  if (!host || bytes < kLittle) {
    for (const at::Tensor& tensor : tensors) out.push_back(tensor.detach().clone());
    return out;
  }
  const auto pages = std::make_shared<Pages>(bytes);
  auto* at = static_cast<char*>(pages->data);
  for (const at::Tensor& tensor : tensors) {
    out.push_back(at::from_blob(at, tensor.sizes(), [pages](void*) {}, tensor.options().requires_grad(false)));
    out.back().copy_(tensor.detach());
    at += padded(tensor.nbytes());
  }
  return out;
}

}  // namespace cuescope
