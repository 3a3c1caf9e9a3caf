// Dump: the numbers of an Inspection as CSV, JSON or NPZ. `cuescope-cli dump` and the studio's export call the same functions.
// No torch, no Qt; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/snapshots.h"

namespace cuescope {

/// Which numbers. Layers are model layer indexes, heads and tokens are positions in the stack and in the response.
struct DumpChoice {
  static constexpr int kAll = -1;   // one line for each
  static constexpr int kMean = -2;  // reduced by the mean
  static constexpr int kMax = -3;   // reduced by the maximum
  /// Maps: "cue_recovery", "self_attention", "prompt_attention", "vision", "rollout", "gradient_attention", "logit_lens_map",
  /// "occlusion". Tables: "logit_lens" (one line a layer, position and rank), "evidence" (one line a map and image), "tokens" (one a
  /// response token), "distributions" (one a token and id). Empty: the first map that is there, else "tokens".
  std::string site;
  int layer = kAll, head = kAll;
  /// Response token; cue recovery has one map for all of them and ignores it. Of prompt_attention the position in the prompt, of vision
  /// the visual token that asks.
  int token = kAll;
};

/// Every name that DumpChoice::site takes.
std::vector<std::string> dumpSites();

/// One map over the visual tokens after the choice's reductions. layer, head: kMean or kMax when reduced. token: as in DumpChoice; -1
/// for cue recovery and for what vision tokens receive; rollout of prompt positions counts back from response token 0.
struct ChosenMap {
  int token = -1, layer = 0, head = 0;
  std::vector<float> values;  // [keys]
};
/// The chosen maps in order token, layer, head. Error that names the choice and what there is.
std::vector<ChosenMap> chooseMaps(const Inspection& inspection, const DumpChoice& choice);

/// Header line, then comma-separated values, RFC 4180 quoting, "\n"; «not computed» is an empty field.
std::string dumpCsv(const Inspection& inspection, const DumpChoice& choice);
/// An object with "site" and "rows"; «not computed» is null.
std::string dumpJson(const Inspection& inspection, const DumpChoice& choice);
/// numpy.load reads it: a stored zip of .npy arrays. Maps: values [maps, keys], token, layer, head [maps], and for each image
/// its grid. Tables: one array a column, texts as bytes. No compression, no dates: the same numbers are the same bytes.
std::string dumpNpz(const Inspection& inspection, const DumpChoice& choice);

/// "mean", "max", "all" or a number; Error otherwise.
int parseDumpIndex(const std::string& text, const std::string& option);

}  // namespace cuescope
