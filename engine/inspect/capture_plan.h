// CapturePlan: what one inspection will keep, decided and priced before it runs: which layers, rows and heads of which sites, and
// how many bytes. The capture follows the plan to the letter, so the price is a promise. Values; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"
#include "engine/model/qwen3_vl_config.h"
#include "engine/model/rows.h"

namespace cuescope {

// What a capture has at one time; the plan prices by the same bounds.
inline constexpr std::int64_t kLogitBytes = 96ll << 20;      // of float32 logits: the lens, the distributions
inline constexpr std::int64_t kGradientRows = 32;            // that gradient x attention follows together
inline constexpr std::int64_t kOcclusionTokens = 2048;       // tokens and patches of the copies that share a pass

/// One stack of maps that will be kept.
struct StackPlan {
  std::vector<int> layers, queries;  // as AttentionStack has them
  int heads = 0, keys = 0;
  bool averaged = false;
  bool wanted() const { return !layers.empty() && !queries.empty() && heads > 0 && keys > 0; }
  std::int64_t places() const { return static_cast<std::int64_t>(layers.size() * queries.size()) * heads; }
  /// `shares`: with text and sink shares.
  std::int64_t bytes(bool shares) const { return wanted() ? places() * (keys + (shares ? 2 : 0)) * 4 : 0; }
};

struct CapturePlan {
  std::int64_t promptLength = 0, responseLength = 0, visual = 0, sink = 0;
  std::vector<int> responseTokens;    // chosen, ascending
  std::vector<int> predicting;        // their positions in the row
  std::vector<int> promptTokens;      // chosen prompt positions, ascending
  StackPlan cue, self, prompt, vision, rollout, gradient, lensMap, occlusion;
  std::vector<int> lensLayers, lensPositions;  // empty: no logit lens
  int lensTop = 0;
  int occlusionCell = 1, occlusionPasses = 0;
  std::int64_t occlusionTogether = 1;  // changed copies that share a pass
  InspectCost cost;

  std::int64_t length() const { return promptLength + responseLength; }
};

/// `widens`: the model's storage type is narrower than the one it computes in (bfloat16 on the CPU), so that matrices are widened
/// while they are used. Error: a layer, token or position that is not there; `responseGiven` false: chosen response tokens beyond
/// its end are left out instead, because nobody could know. Does not check the budget.
CapturePlan planCapture(const Qwen3VLConfig& config, const InspectRequest& request, const RowInput& prompt, std::int64_t responseLength,
                        bool responseGiven, bool widens);

/// Error when the plan is larger than its budget: what takes most, and what to choose less of.
void checkBudget(const CapturePlan& plan);

/// Cells of `cell` x `cell` visual tokens (smaller at the edges) over all grids: the visual tokens of each.
std::vector<std::vector<int>> occlusionCells(const std::vector<Grid>& grids, std::int64_t merge, int cell);

}  // namespace cuescope
