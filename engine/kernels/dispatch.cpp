// Every kernel's front: checks shapes, types and devices once, then the CPU or the CUDA version.
#include <ATen/Functions.h>

#include <sstream>

#include "engine/core/failure.h"
#include "engine/kernels/backends.h"

namespace cuescope::kernels {
namespace {

// Joins what can be written to a stream. (LibTorch brings headers of another fmt than the one the core links.)
template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) return "nothing";
  return text(tensor.scalar_type(), ' ', tensor.sizes(), " on ", tensor.device(), tensor.is_contiguous() ? "" : ", not contiguous");
}

[[noreturn]] void violated(const char* kernel, const std::string& rule, const std::string& got) {
  throw Error(text(rule, "; got ", got), kernel);
}

// A contiguous tensor of this shape (-1: any) on the device, float32 or bfloat16.
void require(const char* kernel, const char* name, const at::Tensor& tensor, std::initializer_list<std::int64_t> shape,
             at::Device device) {
  bool ok = tensor.defined() && tensor.is_contiguous() && tensor.device() == device &&
            tensor.dim() == static_cast<std::int64_t>(shape.size()) &&
            (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
  std::string wanted;
  std::int64_t axis = 0;
  for (std::int64_t size : shape) {
    if (ok && size >= 0 && tensor.size(axis) != size) ok = false;
    wanted += (axis++ ? ", " : "") + (size < 0 ? std::string("any") : std::to_string(size));
  }
  if (!ok) violated(kernel, text(name, " is contiguous float32 or bfloat16 [", wanted, "] on ", device.str()), describe(tensor));
}

void requireFloat(const char* kernel, const char* name, const at::Tensor& tensor) {
  if (tensor.scalar_type() != at::kFloat) violated(kernel, std::string(name) + " is float32 on the CPU", describe(tensor));
}

void requireType(const char* kernel, const char* name, const at::Tensor& tensor, const at::Tensor& like) {
  if (tensor.scalar_type() != like.scalar_type()) violated(kernel, std::string(name) + " has the type of the states", describe(tensor));
}

}  // namespace

at::Tensor cueRecovery(const at::Tensor& sink, const at::Tensor& visual, std::span<const std::int64_t> visualOffsets,
                       const CueWeights& weights, at::Tensor* attention) {
  constexpr const char* kName = "cueRecovery";
  require(kName, "sink", sink, {-1, -1}, sink.defined() ? sink.device() : at::Device(at::kCPU));
  const std::int64_t rows = sink.size(0), h = sink.size(1);
  const at::Device device = sink.device();
  require(kName, "visual", visual, {-1, h}, device);
  requireType(kName, "visual", visual, sink);
  if (static_cast<std::int64_t>(visualOffsets.size()) != rows + 1 || visualOffsets.front() != 0 ||
      visualOffsets.back() != visual.size(0))
    violated(kName, text("visualOffsets has ", rows + 1, " values from 0 to ", visual.size(0)),
             text(visualOffsets.size(), " values"));
  for (std::int64_t b = 0; b < rows; ++b)
    if (visualOffsets[b + 1] < visualOffsets[b])
      violated(kName, "visualOffsets ascends", text(visualOffsets[b + 1], " after ", visualOffsets[b]));
  if (weights.heads <= 0 || h % weights.heads)
    violated(kName, text("heads divides the hidden size ", h), std::to_string(weights.heads));
  require(kName, "qNorm", weights.qNorm, {h}, device);
  require(kName, "kvNorm", weights.kvNorm, {h}, device);
  require(kName, "q", weights.q, {h, h}, device);
  require(kName, "k", weights.k, {h, h}, device);
  require(kName, "v", weights.v, {h, h}, device);
  require(kName, "o", weights.o, {h, h}, device);
  if (device.is_cuda()) {
    for (const at::Tensor* weight : {&weights.q, &weights.k, &weights.v, &weights.o, &weights.qNorm, &weights.kvNorm})
      requireType(kName, "weight", *weight, sink);
    return cuda::cueRecovery(sink, visual, visualOffsets, weights, attention);
  }
  requireFloat(kName, "sink", sink);
  return cpu::cueRecovery(sink, visual, visualOffsets, weights, attention);
}

at::Tensor addRmsNorm(const at::Tensor& x, at::Tensor& residual, const at::Tensor& weight, double eps) {
  constexpr const char* kName = "addRmsNorm";
  require(kName, "residual", residual, {-1, -1}, residual.defined() ? residual.device() : at::Device(at::kCPU));
  const at::Device device = residual.device();
  require(kName, "weight", weight, {residual.size(1)}, device);
  if (x.defined()) {
    require(kName, "x", x, {residual.size(0), residual.size(1)}, device);
    requireType(kName, "x", x, residual);
  }
  if (device.is_cuda()) {
    requireType(kName, "weight", weight, residual);
    return cuda::addRmsNorm(x, residual, weight, eps);
  }
  requireFloat(kName, "residual", residual);
  return cpu::addRmsNorm(x, residual, weight, eps);
}

void qkNormRope(at::Tensor& q, at::Tensor& k, const at::Tensor& qWeight, const at::Tensor& kWeight, const at::Tensor& cos,
                const at::Tensor& sin, double eps) {
  constexpr const char* kName = "qkNormRope";
  require(kName, "q", q, {-1, -1, -1}, q.defined() ? q.device() : at::Device(at::kCPU));
  const at::Device device = q.device();
  const std::int64_t tokens = q.size(0), d = q.size(2);
  require(kName, "k", k, {tokens, -1, d}, device);
  requireType(kName, "k", k, q);
  require(kName, "qWeight", qWeight, {d}, device);
  require(kName, "kWeight", kWeight, {d}, device);
  require(kName, "cos", cos, {tokens, d}, device);
  require(kName, "sin", sin, {tokens, d}, device);
  if (d % 2 || d > 256) violated(kName, "the head size is even and at most 256", std::to_string(d));
  for (const at::Tensor* table : {&cos, &sin})
    if (table->scalar_type() != at::kFloat) violated(kName, "cos and sin are float32", describe(*table));
  if (device.is_cuda()) {
    requireType(kName, "qWeight", qWeight, q);
    requireType(kName, "kWeight", kWeight, q);
    return cuda::qkNormRope(q, k, qWeight, kWeight, cos, sin, eps);
  }
  requireFloat(kName, "q", q);
  cpu::qkNormRope(q, k, qWeight, kWeight, cos, sin, eps);
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight) {
  constexpr const char* kName = "linear";
  require(kName, "x", x, {-1, -1}, x.defined() ? x.device() : at::Device(at::kCPU));
  require(kName, "weight", weight, {-1, x.size(1)}, x.device());
  if (x.is_cuda()) {
    requireType(kName, "weight", weight, x);
    return cuda::linear(x, weight);
  }
  requireFloat(kName, "x", x);
  return cpu::linear(x, weight);
}

at::Tensor causalAttention(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, at::Tensor* logSumExp) {
  constexpr const char* kName = "causalAttention";
  for (const at::Tensor* tensor : {&q, &keys, &values})
    if (!tensor->defined() || !tensor->is_cpu() || tensor->dim() != 4 || tensor->scalar_type() != at::kBFloat16 || tensor->stride(3) != 1)
      violated(kName, "queries, keys and values are bfloat16 [B, H, n, d] on the CPU with a dense last axis", describe(*tensor));
  if (keys.sizes() != values.sizes() || keys.size(0) != q.size(0) || keys.size(3) != q.size(3) || keys.size(1) == 0 ||
      q.size(1) % keys.size(1) || q.size(2) > keys.size(2))
    violated(kName, text("keys and values belong to queries ", q.sizes()), text(keys.sizes(), " and ", values.sizes()));
  return cpu::causalAttention(q, keys, values, logSumExp);
}

Sampled sample(const at::Tensor& logits, std::span<const SamplerRow> rows, std::span<const std::vector<SeenToken>> seen,
               std::span<const std::int64_t> banned) {
  constexpr const char* kName = "sample";
  require(kName, "logits", logits, {-1, -1}, logits.defined() ? logits.device() : at::Device(at::kCPU));
  if (logits.scalar_type() != at::kFloat) violated(kName, "logits are float32", describe(logits));
  const std::int64_t count = logits.size(0), vocabulary = logits.size(1);
  if (static_cast<std::int64_t>(rows.size()) != count)
    violated(kName, text(count, " sampler rows"), std::to_string(rows.size()));
  if (!seen.empty() && static_cast<std::int64_t>(seen.size()) != count)
    violated(kName, text("`seen` has ", count, " rows or none"), std::to_string(seen.size()));
  if (vocabulary == 0) violated(kName, "the vocabulary has ids", describe(logits));
  const auto checkId = [&](std::int64_t id, const char* what) {
    if (id < 0 || id >= vocabulary) violated(kName, text(what, " lie in [0, ", vocabulary, ")"), std::to_string(id));
  };
  for (std::int64_t id : banned) checkId(id, "banned ids");
  for (const auto& row : seen)
    for (const SeenToken& token : row) checkId(token.id, "seen ids");
  for (const SamplerRow& row : rows) {
    if (!(row.temperature >= 0)) violated(kName, "temperature is not negative", std::to_string(row.temperature));
    if (!(row.uniform >= 0 && row.uniform < 1)) violated(kName, "uniform lies in [0, 1)", std::to_string(row.uniform));
    if (!(row.repetitionPenalty > 0)) violated(kName, "the repetition penalty is positive", std::to_string(row.repetitionPenalty));
    if (!(row.topP > 0)) violated(kName, "top-p is positive", std::to_string(row.topP));
    if (!(row.minP >= 0 && row.minP <= 1)) violated(kName, "min-p lies in [0, 1]", std::to_string(row.minP));
  }
  return logits.is_cuda() ? cuda::sample(logits, rows, seen, banned) : cpu::sample(logits, rows, seen, banned);
}

}  // namespace cuescope::kernels
