// The kernels' half: each against a plain LibTorch expression of its formula in float64 on the CPU.
#include "engine/evaluate/selfcheck.h"

#include <ATen/Functions.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "engine/core/failure.h"
#include "engine/kernels/kernels.h"

namespace cuescope {
namespace {

using Lines = std::vector<SelfcheckLine>;

class KernelCheck {
 public:
  KernelCheck(const at::Device& device, at::ScalarType type, Lines& lines)
      : m_device(device), m_type(type), m_lines(lines), m_generator(at::make_generator<at::CPUGeneratorImpl>(11)) {}

  void all() {
    linear();
    addRmsNorm();
    qkNormRope();
    cueRecovery();
    if (m_type == at::kFloat) sample();
  }

 private:
  bool narrow() const { return m_type == at::kBFloat16; }
  at::Tensor random(at::IntArrayRef shape, double scale = 1) { return (at::randn(shape, m_generator) * scale).to(m_type); }
  at::Tensor there(const at::Tensor& tensor) const { return tensor.to(m_device); }

  // bfloat16 results are compared relative to the largest value: its steps are 1/256 of a value.
  void add(const std::string& name, const at::Tensor& got, const at::Tensor& want, const std::string& note) {
    const at::Tensor g = got.cpu().to(at::kDouble), w = want.to(at::kDouble);
    SelfcheckLine line;
    line.name = "kernel " + name + (narrow() ? " bfloat16" : " float32");
    line.tolerance = narrow() ? .02 * std::max(1.0, w.abs().max().item<double>()) : 2e-5;
    line.note = note;
    line.largestError = g.sizes() == w.sizes() ? (g - w).abs().max().item<double>() : INFINITY;
    line.ok = line.largestError <= line.tolerance;  // false for NaN too
    m_lines.push_back(line);
  }

  static at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) {
    const at::Tensor wide = x.to(at::kDouble);
    return wide * at::rsqrt(wide.square().mean(-1, true) + 1e-6) * weight.to(at::kDouble);
  }

  void linear() {
    for (std::int64_t rows : {1, 3, 8, 16}) {
      const at::Tensor x = random({rows, 512}), w = random({1000, 512}, 1 / std::sqrt(512.));
      add("linear", kernels::linear(there(x), there(w)), at::matmul(x.to(at::kDouble), w.to(at::kDouble).t()), std::to_string(rows) + " rows");
    }
    if (narrow() || !m_device.is_cpu()) return;
    const at::Tensor x = random({2, 512}), w = random({1000, 512}, 1 / std::sqrt(512.)).to(at::kBFloat16);
    add("linear", kernels::linear(x, w), at::matmul(x.to(at::kDouble), w.to(at::kDouble).t()), "2 rows, bfloat16 weights");
  }

  void addRmsNorm() {
    const at::Tensor x = random({37, 320}), before = random({37, 320}), weight = random({320}, .1) + 1;
    at::Tensor residual = there(before.clone());
    const at::Tensor y = kernels::addRmsNorm(there(x), residual, there(weight), 1e-6);
    const at::Tensor sum = (before + x).to(m_type);
    add("addRmsNorm", residual, sum, "the sum");
    add("addRmsNorm", y, norm(sum, weight), "the norm");
  }

  void qkNormRope() {
    const std::int64_t tokens = 29, d = 128;
    const at::Tensor q = random({tokens, 8, d}), k = random({tokens, 2, d}), qWeight = random({d}, .1) + 1, kWeight = random({d}, .1) + 1;
    const at::Tensor angles = (at::randn({tokens, d / 2}, m_generator) * 30).repeat({1, 2});
    const at::Tensor cos = angles.cos(), sin = angles.sin();
    const auto rotated = [&](const at::Tensor& x, const at::Tensor& weight) {
      const at::Tensor normed = norm(x, weight);
      const at::Tensor turned = at::cat({-normed.narrow(-1, d / 2, d / 2), normed.narrow(-1, 0, d / 2)}, -1);
      return normed * cos.unsqueeze(1).to(at::kDouble) + turned * sin.unsqueeze(1).to(at::kDouble);
    };
    at::Tensor gotQ = there(q.clone()), gotK = there(k.clone());
    kernels::qkNormRope(gotQ, gotK, there(qWeight), there(kWeight), there(cos), there(sin), 1e-6);
    add("qkNormRope", gotQ, rotated(q, qWeight), "queries");
    add("qkNormRope", gotK, rotated(k, kWeight), "keys");
  }

  void cueRecovery() {
    const std::int64_t h = 240, heads = 6, d = h / heads;
    const std::vector<std::int64_t> offsets = {0, 40, 40, 41, 300, 300};  // rows without visual tokens among others
    const at::Tensor sink = random({5, h}), visual = random({300, h}, 3);
    const auto matrix = [&] { return random({h, h}, 1 / std::sqrt(static_cast<double>(h))); };
    const kernels::CueWeights w{random({h}, .1) + 1, random({h}, .1) + 1, matrix(), matrix(), matrix(), matrix(), heads, 1e-6};
    const kernels::CueWeights onDevice{there(w.qNorm), there(w.kvNorm), there(w.q), there(w.k), there(w.v), there(w.o), heads, 1e-6};
    at::Tensor attention;
    const at::Tensor got = kernels::cueRecovery(there(sink), there(visual), offsets, onDevice, &attention);
    at::Tensor want = at::zeros({5, h}, at::kDouble), wantAttention = at::zeros({heads, 300}, at::kDouble);
    const at::Tensor s = norm(sink, w.qNorm), x = norm(visual, w.kvNorm);
    const auto split = [&](const at::Tensor& states, const at::Tensor& weight) {
      return at::matmul(states, weight.to(at::kDouble).t()).view({-1, heads, d}).transpose(0, 1);
    };
    for (std::int64_t b = 0; b < 5; ++b) {
      const std::int64_t begin = offsets[static_cast<std::size_t>(b)], count = offsets[static_cast<std::size_t>(b) + 1] - begin;
      if (count == 0) continue;
      const at::Tensor own = x.narrow(0, begin, count);
      const at::Tensor p = at::softmax(at::matmul(split(s.narrow(0, b, 1), w.q), split(own, w.k).transpose(1, 2)) / std::sqrt(static_cast<double>(d)), -1);
      wantAttention.narrow(1, begin, count).copy_(p.squeeze(1));
      want[b].copy_(at::matmul(at::matmul(p, split(own, w.v)).transpose(0, 1).reshape({h}), w.o.to(at::kDouble).t()));
    }
    add("cueRecovery", got, want, "update, against the plain form");
    add("cueRecovery", attention, wantAttention, "attention");
  }

  // On the CPU against counted shares of a small distribution; on a device also against the CPU, id for id.
  void sample() {
    const at::Tensor few = at::tensor({.1, .4, .05, .3, .15}).log().to(at::kFloat);
    constexpr int kDraws = 2000;
    std::vector<kernels::SamplerRow> rows(kDraws);
    for (int i = 0; i < kDraws; ++i) rows[static_cast<std::size_t>(i)] = {.topP = .8f, .topK = 3, .uniform = (i + .5) / kDraws};
    const auto drawn = kernels::sample(there(few.unsqueeze(0).repeat({kDraws, 1})), rows, {}, {});
    at::Tensor shares = at::zeros({5}, at::kDouble);
    for (std::int64_t id : drawn.ids) shares[id] += 1. / kDraws;
    SelfcheckLine line;
    line.name = "kernel sample float32";
    line.note = "shares under top-k 3, top-p .8";
    line.largestError = (shares - at::tensor({0., .4 / .7, 0., .3 / .7, 0.}, at::kDouble)).abs().max().item<double>();
    line.tolerance = 1e-3;
    line.ok = line.largestError <= line.tolerance;
    m_lines.push_back(line);

    const at::Tensor logits = at::randn({16, 30000}, m_generator) * 3;
    std::vector<kernels::SamplerRow> many(16);
    std::vector<std::vector<kernels::SeenToken>> seen(16);
    for (int b = 0; b < 16; ++b) {
      auto& row = many[static_cast<std::size_t>(b)];
      row = {.temperature = b % 4 ? .8f : 0.f, .topP = b % 3 ? .95f : 1.f, .minP = b % 5 ? 0.f : .02f, .repetitionPenalty = 1.2f,
             .presencePenalty = .1f, .frequencyPenalty = .05f, .topK = b % 2 ? 100 : 0, .uniform = (b + .31) / 16};
      seen[static_cast<std::size_t>(b)] = {{b, 0}, {100 + b, 2}};
    }
    const std::vector<std::int64_t> banned = {7, 29999};
    const auto got = kernels::sample(there(logits), many, seen, banned), want = kernels::sample(logits, many, seen, banned);
    const auto log = at::log_softmax(logits.to(at::kDouble), -1);
    SelfcheckLine same;
    same.name = "kernel sample float32";
    same.note = m_device.is_cpu() ? "log-probabilities of the drawn ids" : "ids and log-probabilities against the CPU's";
    same.tolerance = 1e-4;
    for (std::int64_t b = 0; b < 16; ++b) {
      const auto i = static_cast<std::size_t>(b);
      same.largestError = std::max(same.largestError, std::abs(got.logProbs[i] - log[b][got.ids[i]].item<double>()));
      if (got.ids[i] != want.ids[i]) same.largestError = INFINITY;
    }
    same.ok = same.largestError <= same.tolerance;
    m_lines.push_back(same);
  }

  at::Device m_device;
  at::ScalarType m_type;
  Lines& m_lines;
  at::Generator m_generator;
};

}  // namespace

void checkKernels(const std::string& device, std::vector<SelfcheckLine>& lines) {
  const at::NoGradGuard noGrad;
  const at::Device where(device);
  if (where.is_cuda() && !kernels::hasCuda())
    throw Error("The kernels cannot be checked on " + device, "selfcheck", "this engine pack has no CUDA code", "Use the CUDA engine pack, or --device cpu.");
  KernelCheck(where, at::kFloat, lines).all();
  if (where.is_cuda()) KernelCheck(where, at::kBFloat16, lines).all();
}

std::vector<SelfcheckLine> runSelfcheck(const std::string& device, const std::string& goldensFolder, const EventSink& sink) {
  std::vector<SelfcheckLine> lines;
  checkKernels(device, lines);
  if (!goldensFolder.empty()) checkGoldens(device, goldensFolder, lines, sink);
  return lines;
}

}  // namespace cuescope
