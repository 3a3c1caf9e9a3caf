// What a panel shows of an Inspection for a Selection: pure functions from values to values, so that window, export and
// `cuescope render` say the same. Nothing here asks the engine. Any thread.
#pragma once

#include <QString>
#include <QStringList>
#include <optional>
#include <vector>

#include "engine/core/snapshots.h"
#include "ui/selection.h"

namespace cuescope {

/// One map over one image. `uniform` is what every visual token would have if the map's image share were spread evenly:
/// 1 / visual tokens for cue recovery, image share / visual tokens for self-attention.
struct MapSlice {
  std::vector<float> values;  // [rows * cols], row-major; empty when there is no map
  int rows = 0, cols = 0;
  int image = 0;
  int visualTokens = 0;   // of the whole row, all images
  float uniform = 0;
  float imageShare = 1;   // sum over all visual tokens, of the reduced map
  float textShare = kNotComputed, sinkShare = kNotComputed;  // self-attention only
  QString claim;     // «Sink to 36 visual tokens, mean of 4 heads»
  QString depends;   // «same for every response token»
  QString why;       // why there is no map, in words; empty when there is one

  bool exists() const { return !values.empty(); }
};

const AttentionStack* stackOf(const Inspection& inspection, Site site);
/// Sites that this inspection has values for.
std::vector<Site> sitesOf(const Inspection& inspection);

MapSlice sliceMap(const Inspection& inspection, const SelectionState& selection, int image = 0);
/// The same for a thumbnail: only values and grid.
std::vector<float> sliceValues(const AttentionStack& stack, const ImageView& image, std::size_t query, std::size_t layer, int head);
/// Share of the response token's attention on the image, mean over heads of the layer (NaN without values).
float imageShare(const Inspection& inspection, int token, int layer);

/// The selection with every part that this inspection lacks replaced by the nearest that exists.
SelectionState fitted(const Inspection& inspection, SelectionState selection);

/// Cue score of a map against evidence boxes, beside what a uniform map would score.
struct CueScore {
  int boxes = 0, patches = 0;  // evidence boxes, and the patches at least half covered (the most covered one if none is)
  float mass = 0, uniformMass = 0;    // share of the map inside, of the share on this image
  bool hit = false;                   // the largest patch lies inside
  float uniformHit = 0;               // chance of a random patch
  float iou = 0, uniformIou = 0;      // top-n patches against the n evidence patches
};
std::optional<CueScore> cueScore(const Inspection& inspection, const MapSlice& map);
/// How much of each patch the evidence covers, 0 to 1.
std::vector<float> evidenceCover(const Inspection& inspection, int image);
/// Patches of one image that belong to evidence, row-major indexes.
std::vector<int> evidencePatches(const Inspection& inspection, int image);

/// One row of the alignment table.
struct AlignmentRow {
  QString check, student, teacher;
  bool ok = true;
};
struct Alignment {
  bool aligned = true;
  QString verdict;  // «Aligned» or what is wrong
  std::vector<AlignmentRow> rows;
};
Alignment alignmentOf(const Inspection& inspection);
/// The prompt as it is read, runs of visual tokens folded to «[image: 36]»; the cue's character range, or -1.
struct FoldedPrompt {
  QString text;
  int cueBegin = -1, cueEnd = -1;
};
FoldedPrompt foldedPrompt(const RenderedPrompt& prompt);

/// A token as the strip writes it (widgets/token_strip.h).
QString tokenWords(const Token& token);
/// «+0.47», «−2.31»; words when it is no number.
QString signedNumber(double value, int decimals);

}  // namespace cuescope
