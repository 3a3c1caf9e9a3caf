#include "engine/distill/supervised.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/core/failure.h"
#include "engine/data/demo_folder.h"
#include "engine/distill/supervised_trainer.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

using namespace supervised;

namespace {

// Token ids of every fact word, without and with a space before it.
struct FactWords {
  std::vector<std::int64_t> ids;                          // of all lists, one after the other
  std::vector<std::pair<std::int64_t, std::int64_t>> at;  // begin, size: colour, shape, digit, region; then spaced
  explicit FactWords(const Tokenizer& tokenizer) {
    const std::vector<std::string> digits(demoNumbers().begin() + 1, demoNumbers().begin() + 10);
    for (const char* before : {"", " "}) {
      for (const auto* list : {&demoColors(), &demoShapes(), &digits, &demoRegions()}) {
        at.emplace_back(ids.size(), list->size());
        for (const std::string& word : *list) {
          const auto encoded = tokenizer.encode(before + word);
          if (encoded.size() != 1) throw Error("The demo's tokenizer splits a word", word);
          ids.push_back(encoded[0]);
        }
      }
    }
  }
};

// Facts of every token of a scene: colour, shape, digit - 1, region; -1 where there is none.
void addFacts(const DemoScene& scene, std::array<std::vector<std::int64_t>, 4>& facts) {
  const std::size_t begin = facts[0].size();
  for (int f = 0; f < 3; ++f) facts[f].resize(begin + kTokens, -1);
  for (int t = 0; t < kTokens; ++t) facts[3].push_back(t / kDemoTokens / 2 * 3 + t % kDemoTokens / 2);
  for (const DemoObject& o : scene.objects) {
    const std::size_t i = begin + static_cast<std::size_t>(o.token());
    facts[0][i] = o.color;
    facts[1][i] = o.shape;
    facts[2][i] = o.digit - 1;
  }
}

at::Tensor finalNorm(const Qwen3VL& model, const at::Tensor& weight, const at::Tensor& x) {
  return x * at::rsqrt(x.pow(2).mean(-1, true) + model.config().text.rmsEps) * weight;
}

}  // namespace

at::Tensor demoPixels(const std::vector<DemoScene>& scenes) {
  const std::int64_t count = static_cast<std::int64_t>(scenes.size());
  at::Tensor rgb = at::empty({count, kDemoSize, kDemoSize, 3}, at::kByte);
  for (std::int64_t i = 0; i < count; ++i) {
    const Picture picture = drawDemoScene(scenes[static_cast<std::size_t>(i)]);
    std::copy(picture.rgb.begin(), picture.rgb.end(), rgb.data_ptr<std::uint8_t>() + i * kDemoSize * kDemoSize * 3);
  }
  const at::Tensor scaled = rgb.to(at::kFloat).mul_(1.0 / 127.5).sub_(1.0);
  return scaled.view({count, kDemoTokens, 2, 16, kDemoTokens, 2, 16, 3})
      .permute({0, 1, 4, 2, 5, 7, 3, 6})
      .unsqueeze(6)
      .expand({count, kDemoTokens, kDemoTokens, 2, 2, 3, 2, 16, 16})
      .reshape({count * kPatches, 1536});
}

void initialiseDemoModel(Qwen3VL& model, std::uint64_t seed) {
  c10::AutoGradMode noGrad(false);
  const auto& text = model.config().text;
  at::Generator generator = at::detail::createCPUGenerator(seed);
  const auto ends = [](const std::string& name, const char* tail) {
    const std::string t(tail);
    return name.size() >= t.size() && name.compare(name.size() - t.size(), t.size(), t) == 0;
  };
  const auto parameters = model.named_parameters();
  for (const auto& item : parameters) {
    const std::string& name = item.key();
    at::Tensor p = item.value();
    if (p.dim() < 2) {
      p.fill_(ends(name, "bias") ? 0.0 : 1.0);
      continue;
    }
    double deviation = std::pow(double(p.numel() / p.size(0)), -0.5);
    if (ends(name, "embed_tokens.weight") || ends(name, "lm_head.weight")) deviation = 0.05;
    if (ends(name, "pos_embed.weight")) deviation = 0.3;
    const bool out = ends(name, "o_proj.weight") || ends(name, "down_proj.weight") || ends(name, "attn.proj.weight");
    const bool visionOut = name.find("visual.blocks.") != std::string::npos && ends(name, "linear_fc2.weight");
    const std::int64_t layers = isVision(name) ? model.config().vision.depth : text.layers;
    if (out || visionOut) deviation *= std::pow(2.0 * double(layers), -0.5);
    p.normal_(0.0, deviation, generator);
  }
  // Heads that look for what is like them and hand it on.
  const std::int64_t group = text.heads / text.kvHeads, d = text.headDim;
  const auto orthonormal = [&] {
    return std::get<0>(at::linalg_qr(at::empty({text.hidden, d}).normal_(0.0, 1.0, generator))).transpose(0, 1).contiguous();
  };
  for (std::int64_t layer = 0; layer < text.layers; ++layer) {
    const std::string base = "model.language_model.layers." + std::to_string(layer) + ".";
    at::Tensor q = parameter(model, base + "self_attn.q_proj.weight"), k = parameter(model, base + "self_attn.k_proj.weight");
    at::Tensor v = parameter(model, base + "self_attn.v_proj.weight"), o = parameter(model, base + "self_attn.o_proj.weight");
    for (std::int64_t g = 0; g < text.kvHeads; ++g) {
      const at::Tensor keys = orthonormal(), values = orthonormal();
      k.narrow(0, g * d, d).copy_(keys);
      v.narrow(0, g * d, d).copy_(values);
      for (std::int64_t h = g * group; h < (g + 1) * group; ++h) {
        at::Tensor noise = at::empty_like(keys).normal_(0.0, 0.3 * std::pow(double(text.hidden), -0.5), generator);
        q.narrow(0, h * d, d).copy_(keys + noise);
        o.narrow(1, h * d, d).copy_(0.5 * values.transpose(0, 1));
      }
    }
    parameter(model, base + "mlp.down_proj.weight").mul_(0.15);
  }
}

void alignVision(Qwen3VL& model, const Tokenizer& tokenizer, const SupervisedOptions& options, const OnSupervisedStep& onStep,
                 std::stop_token stop) {
  constexpr std::size_t kBatch = 16;
  const FactWords words(tokenizer);
  const at::Tensor wordIds = at::tensor(words.ids, at::kLong);
  const at::Tensor embedding = parameter(model, "model.language_model.embed_tokens.weight");
  const at::Tensor norm = parameter(model, "model.language_model.norm.weight");
  std::vector<at::Tensor> trained;
  for (const auto& item : model.named_parameters()) {
    const bool wanted = isVision(item.key()) || item.value().is_same(embedding) || item.value().is_same(norm);
    at::Tensor(item.value()).set_requires_grad(wanted);
    if (wanted) trained.push_back(item.value());
  }
  Trainer trainer(trained, options);
  DemoRandom random(options.seed, 0xa11);
  for (std::int64_t step = 1; step <= options.steps; ++step) {
    if (stop.stop_requested()) throw Cancelled();
    std::vector<DemoScene> scenes;
    std::array<std::vector<std::int64_t>, 4> facts;
    for (std::size_t i = 0; i < kBatch; ++i) {
      scenes.push_back(makeDenseScene(random, random.between(6, 32)));
      addFacts(scenes.back(), facts);
    }
    const VisionFeatures features = model.encodeImages(demoPixels(scenes), demoGrids(kBatch));
    const at::Tensor head = embedding.index_select(0, wordIds);
    std::array<at::Tensor, 4> targets;
    for (int f = 0; f < 4; ++f) targets[f] = at::tensor(facts[f], at::kLong);
    const auto lossOf = [&](const at::Tensor& states) {
      const at::Tensor logits = at::matmul(finalNorm(model, norm, states), head.transpose(0, 1));
      at::Tensor sum;
      for (std::size_t list = 0; list < words.at.size(); ++list) {
        const at::Tensor logProbs = at::log_softmax(logits.narrow(1, words.at[list].first, words.at[list].second), 1);
        const at::Tensor loss = at::nll_loss(logProbs, targets[list % 4], {}, at::Reduction::Mean, -1);
        sum = sum.defined() ? sum + loss : loss;
      }
      return sum / double(words.at.size());
    };
    at::Tensor loss = lossOf(features.merged);
    const double reported = loss.item<double>();
    for (const at::Tensor& level : features.deepstack) loss = loss + 0.3 * lossOf(level);
    trainer.step(loss);
    if (onStep) onStep(step, reported);
  }
}

std::map<std::string, double> alignmentAccuracy(const Qwen3VL& model, const Tokenizer& tokenizer, int pictures, std::uint64_t seed) {
  c10::AutoGradMode noGrad(false);
  const FactWords words(tokenizer);
  DemoRandom random(seed, 0xacc);
  std::vector<DemoScene> scenes;
  std::array<std::vector<std::int64_t>, 4> facts;
  for (int i = 0; i < pictures; ++i) {
    scenes.push_back(makeDemoScene(random));
    addFacts(scenes.back(), facts);
  }
  const at::Tensor states = finalNorm(model, parameter(model, "model.language_model.norm.weight"),
                                      model.encodeImages(demoPixels(scenes), demoGrids(scenes.size())).merged);
  const at::Tensor head = parameter(model, "model.language_model.embed_tokens.weight").index_select(0, at::tensor(words.ids, at::kLong));
  const at::Tensor logits = at::matmul(states, head.transpose(0, 1));
  std::map<std::string, double> result;
  const char* names[4] = {"color", "shape", "digit", "region"};
  for (int f = 0; f < 4; ++f) {
    const at::Tensor target = at::tensor(facts[f], at::kLong);
    const at::Tensor guess = logits.narrow(1, words.at[f].first, words.at[f].second).argmax(1);
    result[names[f]] = guess.eq(target).sum().item<double>() / target.ge(0).sum().item<double>();
  }
  return result;
}

}  // namespace cuescope
