#include "engine/model/qwen3_vl.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <filesystem>

#include "engine/core/failure.h"
#include "engine/model/text_decoder.h"
#include "engine/model/vision_tower.h"

namespace cuescope {
namespace {

void fillRandom(const std::string& name, const at::Tensor& parameter, double range, const at::Generator& generator) {
  const at::NoGradGuard noGrad;
  const bool bias = name.ends_with(".bias");
  if (parameter.dim() > 1)
    parameter.copy_(at::empty(parameter.sizes(), at::kFloat).normal_(0.0, range, generator));
  else
    parameter.fill_(bias ? 0.0 : 1.0);  // one-dimensional weights are those of norms
}

}  // namespace

struct Qwen3VL::Body : torch::nn::Module {
  Body(const std::shared_ptr<VisionTower>& vision, const std::shared_ptr<TextDecoder>& text) {
    register_module("visual", vision);
    register_module("language_model", text);
  }
};

Qwen3VL::Qwen3VL(const Qwen3VLConfig& config, const at::TensorOptions& options) : m_config(config) {
  m_vision = std::make_shared<VisionTower>(config.vision, options);
  m_text = std::make_shared<TextDecoder>(config, options);
  m_body = register_module("model", std::make_shared<Body>(m_vision, m_text));
  m_headWeight = m_text->embedding();
  if (!config.text.tied) {
    const auto head = std::make_shared<Linear>(config.text.hidden, config.text.vocabulary, false, options);
    m_headWeight = head->weight;
    m_head = register_module("lm_head", head);
  }
}

Qwen3VL::~Qwen3VL() = default;

void Qwen3VL::initialize(std::uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& item : named_parameters())
    fillRandom(item.key(), item.value(), m_config.text.initializerRange, generator);
}

std::shared_ptr<Qwen3VL> Qwen3VL::copy() const {
  const at::NoGradGuard noGrad;
  auto same = std::make_shared<Qwen3VL>(m_config, m_headWeight.options().requires_grad(false));
  const auto theirs = same->named_parameters();
  for (const auto& item : named_parameters()) {
    const at::Tensor* mine = theirs.find(item.key());
    if (!mine || mine->sizes() != item.value().sizes() || mine->scalar_type() != item.value().scalar_type()) throw Error("A model could not be copied", item.key(), "its copy has no weight of that name, shape and type");
    at::Tensor(*mine).copy_(item.value());
  }
  for (auto& parameter : same->parameters()) parameter.set_requires_grad(false);
  if (m_config.cue.enabled) same->setActiveCueLayers(m_config.cue.active);
  if (activationType() != same->activationType()) same->setActivationType(activationType());
  same->m_folder = m_folder;
  same->m_digest = m_digest;
  same->eval();
  return same;
}

at::Device Qwen3VL::device() const {
  return m_headWeight.device();
}

const at::Tensor& Qwen3VL::headWeight() const {
  return m_headWeight;
}

ModelInfo Qwen3VL::info() const {
  ModelInfo out;
  out.folder = m_folder;
  out.name = std::filesystem::path(m_folder).filename().string();
  if (out.name.empty()) out.name = std::filesystem::path(m_folder).parent_path().filename().string();
  for (const auto& item : named_parameters()) {
    out.parameters += item.value().numel();
    out.bytes += static_cast<std::int64_t>(item.value().nbytes());
    if (item.key().find("sink_") != std::string::npos) out.cueParameters += item.value().numel();
  }
  out.layers = static_cast<int>(m_config.text.layers);
  out.heads = static_cast<int>(m_config.text.heads);
  out.hidden = static_cast<int>(m_config.text.hidden);
  out.vocabulary = static_cast<int>(m_config.text.vocabulary);
  out.visionLayers = static_cast<int>(m_config.vision.depth);
  out.visionHeads = static_cast<int>(m_config.vision.heads);
  if (m_config.cue.enabled)
    for (const std::int64_t layer : m_config.cue.active) out.injectionLayers.push_back(static_cast<int>(layer));
  out.dtype = m_headWeight.scalar_type() == at::kBFloat16 ? "bfloat16"
              : m_headWeight.scalar_type() == at::kHalf   ? "float16"
                                                          : "float32";
  out.device = device().str();
  out.digest = m_digest;
  return out;
}

void Qwen3VL::addCueRecovery(std::int64_t interval, const std::string& init, bool skipLastLayer, std::uint64_t seed) {
  if (m_config.cue.enabled)
    throw Error("This model has cue recovery already", m_folder, {}, "Open the model without it first.");
  if (interval < 1)
    throw Error("Cue recovery cannot be added", "interval", "it must be at least 1; got " + std::to_string(interval));
  if (init != "zero_o" && init != "normal")
    throw Error("Cue recovery cannot be added", "init", "it must be zero_o or normal; got " + init);
  if (m_config.text.hidden % m_config.text.heads != 0)
    throw Error("Cue recovery cannot be added", "heads", "the hidden size must be a multiple of the number of heads");
  Qwen3VLConfig::Cue cue;
  cue.enabled = true;
  cue.interval = interval;
  for (std::int64_t l = 0; l < m_config.text.layers; l += interval)
    if (!skipLastLayer || l != m_config.text.layers - 1) cue.layers.push_back(l);
  cue.active = cue.layers;
  m_config.cue = cue;
  m_text->addCueRecovery(cue, m_headWeight.options().requires_grad(false));
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& item : m_text->named_parameters()) {
    if (!item.key().starts_with("sink_")) continue;
    fillRandom(item.key(), item.value(), m_config.text.initializerRange, generator);
    if (init == "zero_o" && item.key().ends_with("o_proj.weight")) item.value().data().zero_();
  }
}

void Qwen3VL::setActiveCueLayers(const std::vector<std::int64_t>& layers) {
  for (const std::int64_t layer : layers)
    if (!m_text->cueAt(layer))
      throw Error("Cue recovery cannot act there", "layer " + std::to_string(layer),
                  "the model has no module at this layer");
  m_config.cue.active = layers;
  m_text->setActiveCueLayers(layers);
}

at::ScalarType Qwen3VL::activationType() const {
  return m_text->activationType();
}

void Qwen3VL::setActivationType(at::ScalarType type) {
  m_text->setActivationType(type);
  m_vision->setActivationType(type);
  const bool narrows = type != computeType(m_headWeight);
  for (const auto& module : modules(false)) {
    auto* layer = dynamic_cast<Linear*>(module.get());
    if (layer && module != m_head) layer->narrowTo(narrows ? type : at::ScalarType::Undefined);  // logits are float32
  }
}

void Qwen3VL::refreshNarrowWeights() {
  if (activationType() == computeType(m_headWeight)) return;
  for (const auto& module : modules(false)) {
    if (auto* layer = dynamic_cast<Linear*>(module.get())) layer->refreshNarrow();
  }
}

VisionFeatures Qwen3VL::encodeImages(const at::Tensor& pixels, const std::vector<Grid>& grids, Probe* probe,
                                     bool recompute) const {
  return m_vision->forward(pixels, grids, probe, recompute);
}

at::Tensor Qwen3VL::forward(const Rows& rows, const ForwardOptions& options) const {
  VisionFeatures features;
  const VisionFeatures* given = options.vision;
  if (!given && rows.visualIndex.numel() > 0) {
    features = encodeImages(rows.pixelValues, rows.grids, options.probe, options.checkpointActivations);
    given = &features;
  }
  return m_text->forward(rows, given, options);
}

at::Tensor Qwen3VL::logits(const at::Tensor& states) const {
  return cuescope::linear(states, m_headWeight);
}

}  // namespace cuescope
