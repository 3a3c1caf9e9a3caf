#include "engine/distill/divergences.h"

#include <torch/csrc/autograd/custom_function.h>

#include <limits>

#include "engine/core/failure.h"
#include "engine/distill/log_probs.h"

namespace cuescope {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Logits of vocabulary rows [begin, end), float32 [R, end - begin].
at::Tensor chunkLogits(const at::Tensor& states, const at::Tensor& head, std::int64_t begin, std::int64_t end, double temperature) {
  at::Tensor logits = headProduct(states, head.slice(0, begin, end)).to(at::kFloat);
  return temperature == 1.0 ? logits : logits.div_(temperature);
}

/// log sum exp over the whole vocabulary, one chunk at a time; [R].
at::Tensor logPartition(const at::Tensor& states, const at::Tensor& head, const DivergenceOptions& options) {
  at::Tensor total = at::full({states.size(0)}, -std::numeric_limits<float>::infinity(), states.options().dtype(at::kFloat));
  for (std::int64_t begin = 0; begin < head.size(0); begin += options.vocabularyChunk) {
    const std::int64_t end = std::min(begin + options.vocabularyChunk, head.size(0));
    total = at::logaddexp(total, at::logsumexp(chunkLogits(states, head, begin, end, options.temperature), {1}));
  }
  return total;
}

/// phi(p, q) and q * dphi/dq, from log p and log q. The product with q keeps both finite where q vanishes.
struct Terms {
  at::Tensor value, weighted;
};

Terms terms(const at::Tensor& logP, const at::Tensor& logQ, const DivergenceOptions& options) {
  const double c = options.parameter;
  const at::Tensor p = logP.exp(), q = logQ.exp();
  switch (options.kind) {
    case Divergence::ForwardKl: return {p * (logP - logQ), -p};
    case Divergence::ReverseKl: {
      at::Tensor value = q * (logQ - logP);
      return {value, value + q};
    }
    case Divergence::Jsd: {
      const at::Tensor logM = at::logaddexp(logP + std::log(c), logQ + std::log1p(-c));
      const at::Tensor student = (1 - c) * q * (logQ - logM);
      return {c * p * (logP - logM) + student, student};
    }
    case Divergence::Alpha: {
      const at::Tensor mixed = (c * logP + (1 - c) * logQ).exp();
      // the constant -1/(a(a-1)) is spread over the vocabulary as -p/(a(a-1)), so that D is a plain sum
      return {(mixed - p) / (c * (c - 1)), mixed / -c};
    }
    case Divergence::SkewForwardKl: {
      if (c == 0) return {p * (logP - logQ), -p};
      const at::Tensor logM = at::logaddexp(logP + std::log(c), logQ + std::log1p(-c));
      return {p * (logP - logM), -(1 - c) * (logP + logQ - logM).exp()};
    }
    case Divergence::SkewReverseKl: {
      at::Tensor logM = c == 0 ? logP : at::logaddexp(logP + std::log1p(-c), logQ + std::log(c));
      const at::Tensor value = q * (logQ - logM);
      if (c == 0) return {value, value + q};  // the last term is 0, but 0 times infinity where the teacher gives a token almost nothing
      return {value, value + q - c * (2 * logQ - logM).exp()};
    }
  }
  return {};
}

/// With w_k = q_k phi'_k and S = sum_k w_k, the gradient of D with respect to student logit k is w_k - q_k S.
class FullVocabulary : public torch::autograd::Function<FullVocabulary> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& studentStates, const at::Tensor& studentHead,
                            const at::Tensor& teacherStates, const at::Tensor& teacherHead, const DivergenceOptions& options) {
    const at::Tensor studentLog = logPartition(studentStates, studentHead, options);
    const at::Tensor teacherLog = logPartition(teacherStates, teacherHead, options);
    at::Tensor value = at::zeros_like(studentLog), weight = at::zeros_like(studentLog);
    for (std::int64_t begin = 0; begin < studentHead.size(0); begin += options.vocabularyChunk) {
      const std::int64_t end = std::min(begin + options.vocabularyChunk, studentHead.size(0));
      const at::Tensor logQ = chunkLogits(studentStates, studentHead, begin, end, options.temperature) - studentLog.unsqueeze(1);
      const at::Tensor logP = chunkLogits(teacherStates, teacherHead, begin, end, options.temperature) - teacherLog.unsqueeze(1);
      const Terms chunk = terms(logP, logQ, options);
      value += chunk.value.sum(1);
      weight += chunk.weighted.sum(1);
    }
    context->save_for_backward({studentStates, studentHead, teacherStates, teacherHead, studentLog, teacherLog, weight});
    context->saved_data["kind"] = static_cast<std::int64_t>(options.kind);
    context->saved_data["parameter"] = options.parameter;
    context->saved_data["temperature"] = options.temperature;
    context->saved_data["chunk"] = options.vocabularyChunk;
    return value;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &states = saved[0], &head = saved[1], &teacherStates = saved[2], &teacherHead = saved[3];
    const at::Tensor &studentLog = saved[4], &teacherLog = saved[5], &weight = saved[6];
    DivergenceOptions options;
    options.kind = static_cast<Divergence>(context->saved_data["kind"].toInt());
    options.parameter = context->saved_data["parameter"].toDouble();
    options.temperature = context->saved_data["temperature"].toDouble();
    options.vocabularyChunk = context->saved_data["chunk"].toInt();

    at::Tensor statesGrad = at::zeros_like(states), headGrad;
    if (context->needs_input_grad(1)) headGrad = at::zeros_like(head);
    const at::Tensor scale = (gradients[0].to(at::kFloat) / options.temperature).unsqueeze(1);
    for (std::int64_t begin = 0; begin < head.size(0); begin += options.vocabularyChunk) {
      const std::int64_t end = std::min(begin + options.vocabularyChunk, head.size(0));
      const at::Tensor logQ = chunkLogits(states, head, begin, end, options.temperature) - studentLog.unsqueeze(1);
      const at::Tensor logP = chunkLogits(teacherStates, teacherHead, begin, end, options.temperature) - teacherLog.unsqueeze(1);
      const at::Tensor logitGrad =
          ((terms(logP, logQ, options).weighted - logQ.exp() * weight.unsqueeze(1)) * scale).to(states.scalar_type());
      statesGrad.addmm_(logitGrad, head.slice(0, begin, end));
      if (headGrad.defined()) headGrad.slice(0, begin, end).addmm_(logitGrad.t(), states);
    }
    return {statesGrad, headGrad, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

Divergence divergenceFromName(const std::string& name) {
  if (name == "forward_kl") return Divergence::ForwardKl;
  if (name == "reverse_kl") return Divergence::ReverseKl;
  if (name == "jsd") return Divergence::Jsd;
  if (name == "alpha") return Divergence::Alpha;
  if (name == "skew_forward_kl") return Divergence::SkewForwardKl;
  if (name == "skew_reverse_kl") return Divergence::SkewReverseKl;
  throw Error("There is no divergence called «" + name + "»", "distillation.loss_mode", "",
              "Choose forward_kl, reverse_kl, jsd, alpha, skew_forward_kl or skew_reverse_kl.");
}

at::Tensor divergence(const at::Tensor& studentStates, const at::Tensor& studentHead, const at::Tensor& teacherStates,
                      const at::Tensor& teacherHead, const DivergenceOptions& options) {
  const auto refuse = [](const std::string& why) { throw Error("The divergence cannot be computed", "divergence", why); };
  if (studentStates.dim() != 2 || teacherStates.dim() != 2 || studentStates.size(0) != teacherStates.size(0))
    refuse("student and teacher states must be [R, h] with the same R");
  if (studentHead.size(0) != teacherHead.size(0))
    refuse("the vocabularies differ: " + std::to_string(studentHead.size(0)) + " and " + std::to_string(teacherHead.size(0)));
  if (studentStates.size(1) != studentHead.size(1) || teacherStates.size(1) != teacherHead.size(1))
    refuse("states and head must have the same width");
  const double c = options.parameter;
  if (options.kind == Divergence::Jsd && !(c > 0 && c < 1)) refuse("jsd needs a weight between 0 and 1, got " + std::to_string(c));
  if (options.kind == Divergence::Alpha && (c == 0 || c == 1)) refuse("alpha 0 and 1 are reverse_kl and forward_kl: name those");
  if ((options.kind == Divergence::SkewForwardKl || options.kind == Divergence::SkewReverseKl) && !(c >= 0 && c < 1))
    refuse("a skew weight lies in [0, 1), got " + std::to_string(c));
  if (!(options.temperature > 0) || options.vocabularyChunk < 1) refuse("temperature and chunk must be positive");
  return FullVocabulary::apply(studentStates, studentHead, teacherStates.detach(), teacherHead.detach(), options);
}

}  // namespace cuescope
