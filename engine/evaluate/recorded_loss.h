// The options of a recorded loss (tests/golden: losses.json), as selfcheck and the tests of the losses read them.
#pragma once

#include <nlohmann/json.hpp>

#include "engine/distill/losses.h"

namespace cuescope {

/// Throws nlohmann's exceptions where a name is missing; a clamp that is null is off.
inline LossOptions recordedLossOptions(const nlohmann::json& o) {
  LossOptions options;
  options.mode = lossModeFromName(o.at("loss_mode"));
  options.policyGradient = o.at("use_policy_gradient");
  options.lossMaxClamp = o.at("loss_max_clamp").is_null() ? 0 : o.at("loss_max_clamp").get<double>();
  options.logProbMinClamp = o.at("log_prob_min_clamp").is_null() ? 0 : o.at("log_prob_min_clamp").get<double>();
  options.clipRatioLow = o.at("clip_ratio_low");
  options.clipRatioHigh = o.at("clip_ratio_high");
  options.aggregation = aggregationFromName(o.value("loss_agg_mode", "token-mean"));
  if (const auto extras = o.find("extras"); extras != o.end()) {
    options.cascadeEpsilon = extras->value("cascade_epsilon", 0.0);
    options.cascadeTolerance = extras->value("cascade_tolerance", 1);
    options.confidenceAlpha = extras->value("use_confidence_weight", false) ? extras->value("confidence_alpha", 2.0) : 0.0;
    options.marginGamma = extras->value("margin_gamma", 0.0);
  }
  return options;
}

}  // namespace cuescope
