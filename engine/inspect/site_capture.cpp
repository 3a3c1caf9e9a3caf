#include "engine/inspect/site_capture.h"

#include <ATen/ATen.h>

#include "engine/core/failure.h"
#include "engine/inspect/attention_maps.h"
#include "engine/inspect/gradient_attention.h"
#include "engine/inspect/logit_lens.h"
#include "engine/inspect/occlusion.h"
#include "engine/inspect/reach_maps.h"

namespace cuescope {

namespace {

/// Several observers of one pass. Query positions are those of the first.
class Together : public Probe {
 public:
  explicit Together(std::vector<Probe*> probes) : m_probes(std::move(probes)) {}
  bool wants(ProbeSite site, std::int64_t layer) const override {
    bool any = false;
    for (const Probe* probe : m_probes) any = probe->wants(site, layer) || any;
    return any;
  }
  std::vector<std::int64_t> queries(std::int64_t layer, std::int64_t row) const override { return m_probes.front()->queries(layer, row); }
  void take(ProbeSite site, std::int64_t layer, std::int64_t row, const at::Tensor& value) override {
    for (Probe* probe : m_probes) {
      if (probe->wants(site, layer)) probe->take(site, layer, row, value);
    }
  }

 private:
  std::vector<Probe*> m_probes;
};

}  // namespace

AttentionStack& SiteCapture::stack(Site site) {
  switch (site) {
    case Site::CueRecovery: return cue;
    case Site::SelfAttention: return self;
    case Site::Vision: return vision;
    case Site::Rollout: return rollout;
    case Site::GradientAttention: return gradient;
    case Site::LogitLens: return lensMap;
    case Site::Occlusion: return occlusion;
  }
  throw Error("There is no such site", "inspection");
}

SiteCapture captureSites(const CaptureOrder& order, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  const Qwen3VL& model = *order.model;
  const CapturePlan& plan = *order.plan;
  const auto next = [&](const char* what) {
    if (order.next) order.next(what);
  };
  SiteCapture result;
  const Rows rows = packRows(model.config(), {*order.row});
  VisionFeatures features;
  if (rows.visualIndex.numel() > 0) {
    VisionProbe probe(rows.grids, model.config().vision.merge, plan, stop);
    features = model.encodeImages(rows.pixelValues, rows.grids, &probe);
    result.vision = probe.vision();
  }
  MapProbe maps(rows, plan, stop);
  RolloutProbe rollout(rows, plan, stop);
  LensProbe lens(model, rows, plan, stop);
  Together together({&maps, &rollout, &lens});
  ForwardOptions options;
  options.probe = &together;
  options.vision = rows.visualIndex.numel() > 0 ? &features : nullptr;
  options.intervention = order.intervention;
  const at::Tensor states = model.forward(rows, options);
  result.states = states.narrow(0, plan.promptLength - 1, plan.responseLength);
  result.cue = maps.cueRecovery();
  result.self = maps.selfAttention();
  result.prompt = maps.promptAttention();
  result.rollout = rollout.rollout();
  result.lensMap = lens.map();
  result.lens = lens.lens(order.tokenizer);

  std::vector<std::int64_t> chosen;
  for (const int position : plan.predicting) chosen.push_back(order.row->ids.at(static_cast<std::size_t>(position) + 1));
  if (plan.gradient.wanted()) {
    next("Gradient x attention");
    result.gradient = gradientAttention(model, rows, plan, chosen, options.vision, order.intervention, stop);
  }
  if (plan.occlusion.wanted()) {
    next("Occlusion map");
    const auto progress = [&](int done, int total) {
      if (order.part) order.part("Occlusion map", done, total);
    };
    result.occlusion = occlusionMap(model, *order.row, features, plan, order.occlusionChange, chosen, order.intervention, progress, stop, &result.occlusionInfo);
  }
  return result;
}

}  // namespace cuescope
