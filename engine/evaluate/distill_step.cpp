#include "engine/evaluate/distill_step.h"

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

namespace cuescope {
namespace {

constexpr std::int64_t kMicroTokens = 960;              // of one forward and backward pass: activations stay below the optimizer's state
constexpr std::int64_t kScoringTokens = 2048;           // of one forward pass that keeps nothing
constexpr std::int64_t kActivationBytes = 1ll << 30;    // above this estimate, layers are computed again in the backward pass
constexpr std::int64_t kChunkLogits = 4 << 20;          // logits that exist at a time

std::int64_t chunkTokens(std::int64_t vocabulary) { return std::max<std::int64_t>(16, kChunkLogits / vocabulary); }

// Rows first..first + result fit a micro-batch.
std::size_t microRows(const std::vector<RowInput>& rows, std::size_t first, std::int64_t most) {
  std::int64_t tokens = 0;
  std::size_t n = 0;
  while (first + n < rows.size() && (n == 0 || tokens + static_cast<std::int64_t>(rows[first + n].ids.size()) <= most))
    tokens += static_cast<std::int64_t>(rows[first + n++].ids.size());
  return n;
}

// About what a layer keeps for its backward pass, in values a token: norms, q, k, v, attention, gate, up, their product.
bool recomputes(const Qwen3VLConfig& config, const Rows& rows) {
  const auto& t = config.text;
  const auto& v = config.vision;
  const std::int64_t patches = rows.pixelValues.defined() ? rows.pixelValues.size(0) : 0;
  const std::int64_t text = rows.tokens() * t.layers * (8 * t.hidden + 4 * (t.heads + 2 * t.kvHeads) * t.headDim + 4 * t.intermediate);
  const std::int64_t vision = patches * v.depth * (12 * v.hidden + 3 * v.intermediate);
  return 4 * (text + vision) > kActivationBytes;
}

}  // namespace

DistillStep::DistillStep(Qwen3VL& model, const BenchWorkload& workload)
    : m_model(model), m_students(workload.studentRows()), m_teachers(workload.teacherRows), m_responses(workload.responses.to(model.device())) {
  for (at::Tensor& parameter : m_model.parameters()) {
    parameter.set_requires_grad(true);
    m_parameters.push_back(parameter);
    m_first.push_back(at::zeros_like(parameter));
    m_second.push_back(at::zeros_like(parameter));
    m_steps.push_back(at::zeros({}, parameter.options().dtype(at::kFloat).requires_grad(false)));
  }
}

// The states that predict the response tokens, [n * R, h].
at::Tensor DistillStep::responseStates(const std::vector<RowInput>& rows, std::size_t first, std::size_t n) const {
  const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
  const Rows packed = packRows(m_model.config(), {begin, begin + static_cast<std::ptrdiff_t>(n)});
  ForwardOptions options;
  options.checkpointActivations = recomputes(m_model.config(), packed);
  const at::Tensor states = m_model.forward(packed, options);
  std::vector<at::Tensor> parts;
  const std::int64_t length = m_responses.size(1);
  for (std::size_t r = 0; r < n; ++r) parts.push_back(states.narrow(0, packed.offsets[r + 1] - length - 1, length));
  return at::cat(parts);
}

at::Tensor DistillStep::scores(const std::vector<RowInput>& rows, std::size_t first, std::size_t n) const {
  const at::NoGradGuard noGrad;
  const at::Tensor states = responseStates(rows, first, n);
  const at::Tensor ids = m_responses.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(n)).reshape({-1, 1});
  const std::int64_t step = chunkTokens(m_model.config().text.vocabulary);
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0; begin < ids.size(0); begin += step) {
    const std::int64_t count = std::min(step, ids.size(0) - begin);
    const at::Tensor logits = m_model.logits(states.narrow(0, begin, count)).to(at::kFloat);
    parts.push_back(logits.gather(1, ids.narrow(0, begin, count)).squeeze(1) - logits.logsumexp(-1));
  }
  return at::cat(parts).view({static_cast<std::int64_t>(n), -1});
}

double DistillStep::run() {
  for (at::Tensor& parameter : m_parameters) parameter.mutable_grad() = at::Tensor();
  at::Tensor head = m_model.headWeight();
  const double tokens = static_cast<double>(m_responses.numel());
  const std::int64_t step = chunkTokens(m_model.config().text.vocabulary);
  double loss = 0;
  at::Tensor headGradient = at::zeros_like(head.detach());
  // The teacher first, for all rows: its scores are small, and it is the model before the step.
  std::vector<at::Tensor> teacher;
  for (std::size_t first = 0, n = 0; first < m_teachers.size(); first += n) {
    n = microRows(m_teachers, first, kScoringTokens);
    teacher.push_back(scores(m_teachers, first, n));
  }
  const at::Tensor teacherScores = at::cat(teacher);

  for (std::size_t first = 0, n = 0; first < m_students.size(); first += n) {
    n = microRows(m_students, first, kMicroTokens);
    const at::Tensor states = responseStates(m_students, first, n);
    // The head's own backward pass, chunk by chunk: with g = d loss / d l, d loss / d logits = g (onehot - softmax). The ratio
    // exp(l - sg(l)) is 1, so g is the clamped gap over the number of tokens.
    const at::NoGradGuard noGrad;
    at::Tensor gradient = at::empty_like(states);
    const at::Tensor values = states.detach(), weight = head.detach();
    const auto narrowRows = [&](const at::Tensor& t) { return t.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(n)); };
    const at::Tensor ids = narrowRows(m_responses).reshape({-1, 1}), expected = narrowRows(teacherScores).reshape({-1, 1});
    for (std::int64_t begin = 0; begin < values.size(0); begin += step) {
      const std::int64_t count = std::min(step, values.size(0) - begin);
      const at::Tensor x = values.narrow(0, begin, count), id = ids.narrow(0, begin, count);
      at::Tensor p = m_model.logits(x).to(at::kFloat);
      const at::Tensor mass = p.logsumexp(-1, true);
      const at::Tensor k1 = (p.gather(1, id) - mass - expected.narrow(0, begin, count)).clamp_(-10, 10);
      loss += k1.sum().item<double>() / tokens;
      const at::Tensor g = k1 / tokens;
      p.sub_(mass).exp_().mul_(-g).scatter_add_(1, id, g);
      const at::Tensor back = p.to(weight.scalar_type());
      gradient.narrow(0, begin, count).copy_(at::matmul(back, weight));
      headGradient.addmm_(back.t(), x.to(weight.scalar_type()));
    }
    states.backward(gradient);
  }
  const at::NoGradGuard noGrad;
  if (head.grad().defined())
    head.mutable_grad().add_(headGradient);
  else
    head.mutable_grad() = headGradient;

  std::vector<at::Tensor> with, gradients, firstMoments, secondMoments, counts;
  for (std::size_t i = 0; i < m_parameters.size(); ++i) {
    if (!m_parameters[i].grad().defined()) continue;  // a module that reached no response token
    m_steps[i].add_(1);
    with.push_back(m_parameters[i].detach());
    gradients.push_back(m_parameters[i].grad());
    firstMoments.push_back(m_first[i]);
    secondMoments.push_back(m_second[i]);
    counts.push_back(m_steps[i]);
  }
  at::_fused_adamw_(with, gradients, firstMoments, secondMoments, {}, counts, /*lr=*/1e-6, /*beta1=*/.9, /*beta2=*/.999, /*weight_decay=*/.01,
                    /*eps=*/1e-8, /*amsgrad=*/false, /*maximize=*/false);
  return loss;
}

}  // namespace cuescope
