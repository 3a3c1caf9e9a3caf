#include "engine/distill/log_probs.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "engine/core/failure.h"

namespace cuescope {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// float32 [rows, V]
at::Tensor chunkLogits(const at::Tensor& states, const at::Tensor& weight, double temperature) {
  at::Tensor logits = headProduct(states, weight).to(at::kFloat);
  return temperature == 1.0 ? logits : logits.div_(temperature);
}

/// What a chunk's logits give. lse [r, 1], values [r, K], entropy [r].
struct ChunkResult {
  at::Tensor lse, values, entropy;
};

ChunkResult reduceChunk(const at::Tensor& logits, const at::Tensor& ids, bool entropy) {
  ChunkResult result;
  result.lse = logits.logsumexp(-1, true);
  result.values = logits.gather(-1, ids) - result.lse;
  if (entropy) result.entropy = result.lse.squeeze(-1) - ((logits - result.lse).exp_().mul_(logits)).sum(-1);  // H = lse - sum p z
  return result;
}

/// Saved: states, weight, ids, lse, entropy. d values_k / d z_j = [j = id_k] - p_j; d H / d z_j = -p_j (log p_j + H).
class LogProbsFunction : public torch::autograd::Function<LogProbsFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& states, const at::Tensor& weight, const at::Tensor& ids, double temperature,
                               bool wantEntropy, std::int64_t chunkElements) {
    const std::int64_t rows = states.size(0), step = chunkRows(weight.size(0), chunkElements);
    auto floats = states.options().dtype(at::kFloat).requires_grad(false);
    at::Tensor values = at::empty({rows, ids.size(1)}, floats), lse = at::empty({rows, 1}, floats), entropy = at::empty({wantEntropy ? rows : 0}, floats);
    at::Tensor kept;  // logits, if one chunk holds them all: then the backward pass need not make them again
    for (std::int64_t begin = 0; begin < rows; begin += step) {
      const std::int64_t count = std::min(step, rows - begin);
      at::Tensor logits = chunkLogits(states.narrow(0, begin, count), weight, temperature);
      ChunkResult result = reduceChunk(logits, ids.narrow(0, begin, count), wantEntropy);
      values.narrow(0, begin, count).copy_(result.values);
      lse.narrow(0, begin, count).copy_(result.lse);
      if (wantEntropy) entropy.narrow(0, begin, count).copy_(result.entropy);
      if (count == rows && (states.requires_grad() || weight.requires_grad())) kept = logits;
    }
    context->save_for_backward({states, weight, ids, lse, entropy});
    if (kept.defined()) context->saved_data["logits"] = kept;
    context->saved_data["temperature"] = temperature;
    context->saved_data["chunk"] = step;
    return {values, entropy};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    const at::Tensor &states = saved[0], &weight = saved[1], &ids = saved[2], &lse = saved[3], &entropy = saved[4];
    const double temperature = context->saved_data["temperature"].toDouble();
    const std::int64_t rows = states.size(0), step = context->saved_data["chunk"].toInt();
    const at::Tensor &gValues = gradients[0], &gEntropy = gradients[1];
    const bool useEntropy = gEntropy.defined() && entropy.numel() > 0;
    const bool needStates = context->needs_input_grad(0), needWeight = context->needs_input_grad(1);
    at::Tensor gStates = needStates ? at::empty_like(states) : at::Tensor();
    at::Tensor gWeight = needWeight ? at::zeros(weight.sizes(), weight.options().dtype(at::kFloat)) : at::Tensor();
    auto kept = context->saved_data.find("logits");
    for (std::int64_t begin = 0; begin < rows; begin += step) {
      const std::int64_t count = std::min(step, rows - begin);
      at::Tensor h = states.narrow(0, begin, count);
      at::Tensor logP = kept != context->saved_data.end() ? kept->second.toTensor() : chunkLogits(h, weight, temperature);
      logP = logP.sub(lse.narrow(0, begin, count));
      at::Tensor p = logP.exp();
      at::Tensor gLogits;
      if (useEntropy) gLogits = logP.add_(entropy.narrow(0, begin, count).unsqueeze(-1)).mul_(p).mul_(-gEntropy.narrow(0, begin, count).unsqueeze(-1));
      if (gValues.defined()) {
        at::Tensor g = gValues.narrow(0, begin, count);
        at::Tensor fromValues = p.mul_(-g.sum(-1, true)).scatter_add_(-1, ids.narrow(0, begin, count), g);
        gLogits = gLogits.defined() ? gLogits.add_(fromValues) : fromValues;
      }
      if (!gLogits.defined()) gLogits = at::zeros_like(p);
      if (temperature != 1.0) gLogits.div_(temperature);
      gLogits = gLogits.to(weight.scalar_type());
      if (needStates) gStates.narrow(0, begin, count).copy_(at::matmul(gLogits, weight));
      if (needWeight) gWeight.add_(at::matmul(gLogits.t(), h));
    }
    if (needWeight) gWeight = gWeight.to(weight.scalar_type());
    return {gStates, gWeight, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

void checkShapes(const at::Tensor& states, const at::Tensor& weight, const at::Tensor& ids) {
  if (states.dim() != 2 || weight.dim() != 2 || states.size(1) != weight.size(1) || ids.size(0) != states.size(0)) {
    throw Error("Log-probabilities cannot be computed", "states, head, ids", "their shapes do not belong together", "Please report this.");
  }
}

}  // namespace

at::Tensor headProduct(const at::Tensor& states, const at::Tensor& head) {
  if (head.scalar_type() == states.scalar_type()) return at::matmul(states, head.t());
  constexpr std::int64_t kPiece = 8192;
  at::Tensor out = at::empty({states.size(0), head.size(0)}, states.options().requires_grad(false));
  for (std::int64_t begin = 0; begin < head.size(0); begin += kPiece) {
    const std::int64_t count = std::min(kPiece, head.size(0) - begin);
    out.narrow(1, begin, count).copy_(at::matmul(states, head.narrow(0, begin, count).to(states.scalar_type()).t()));
  }
  return out;
}

std::int64_t chunkRows(std::int64_t vocabulary, std::int64_t chunkElements) {
  return std::max<std::int64_t>(16, chunkElements / std::max<std::int64_t>(1, vocabulary));
}

LogProbs logProbsAt(const at::Tensor& states, const at::Tensor& headWeight, const at::Tensor& ids, const LogProbOptions& options) {
  checkShapes(states, headWeight, ids);
  const bool flat = ids.dim() == 1;
  auto out = LogProbsFunction::apply(states, headWeight, flat ? ids.unsqueeze(-1) : ids, options.temperature, options.entropy, options.chunkElements);
  LogProbs result;
  result.values = flat ? out[0].squeeze(-1) : out[0];
  if (options.entropy) result.entropy = out[1];
  return result;
}

TopLogProbs topLogProbs(const at::Tensor& states, const at::Tensor& headWeight, const at::Tensor& sampledIds, std::int64_t k, const LogProbOptions& options) {
  checkShapes(states, headWeight, sampledIds);
  at::NoGradGuard noGrad;
  const std::int64_t rows = states.size(0), step = chunkRows(headWeight.size(0), options.chunkElements);
  k = std::min(k, headWeight.size(0));
  auto floats = states.options().dtype(at::kFloat);
  TopLogProbs top{at::empty({rows, k}, floats), at::empty({rows, k}, states.options().dtype(at::kLong)), at::empty({rows}, floats)};
  for (std::int64_t begin = 0; begin < rows; begin += step) {
    const std::int64_t count = std::min(step, rows - begin);
    at::Tensor logits = chunkLogits(states.narrow(0, begin, count), headWeight, options.temperature);
    ChunkResult result = reduceChunk(logits, sampledIds.narrow(0, begin, count).unsqueeze(-1), false);
    auto [values, ids] = logits.topk(k, -1, true, true);
    top.values.narrow(0, begin, count).copy_(values - result.lse);
    top.ids.narrow(0, begin, count).copy_(ids);
    top.sampled.narrow(0, begin, count).copy_(result.values.squeeze(-1));
  }
  return top;
}

}  // namespace cuescope
