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
  bool signedValues = false;  // the gap ramp: orange speaks for the token
  QString quantity = QStringLiteral("attention share");
  bool missing = false;       // the site was not captured, but could be
  QString claim;     // «Sink to 36 visual tokens, mean of 4 heads»
  QString depends;   // «same for every response token»
  QString why;       // why there is no map, in words; empty when there is one

  bool exists() const { return !values.empty(); }
};

/// The stack of a site, null when it was not captured. With a selection: that of the prompt where a prompt token is chosen.
const AttentionStack* stackOf(const Inspection& inspection, Site site);
const AttentionStack* stackOf(const Inspection& inspection, const SelectionState& selection);
/// Sites that this inspection has values for.
std::vector<Site> sitesOf(const Inspection& inspection);
/// Whether a site could be captured for this inspection: the window offers it, computed or not.
bool siteExists(const Inspection& inspection, Site site);
/// Place of the selected token (or patch, or prompt position) among the stack's queries, -1 when it was not captured.
int queryOf(const Inspection& inspection, const AttentionStack& stack, const SelectionState& selection);
/// The layer of the stack that is nearest to `layer`, as its place.
std::size_t layerPlace(const AttentionStack& stack, int layer);
/// What the layers and heads of the shown site are; empty sites have none.
bool siteHasHeads(Site site);

MapSlice sliceMap(const Inspection& inspection, const SelectionState& selection, int image = 0);
/// A map of a stack of its own (before or after a change), told in the words of its site.
MapSlice sliceStack(const Inspection& inspection, const AttentionStack& stack, const SelectionState& selection, int image);
/// a − b, patch by patch; empty when their grids differ.
MapSlice mapDifference(const MapSlice& a, const MapSlice& b);
/// The same for a thumbnail: only values and grid.
std::vector<float> sliceValues(const AttentionStack& stack, const ImageView& image, std::size_t query, std::size_t layer, int head);
/// Share of the response token's attention on the image, mean over heads of the layer (NaN without values).
float imageShare(const Inspection& inspection, int token, int layer);
/// Shares on text and on the sink, the same way.
float textShare(const Inspection& inspection, int token, int layer);
float sinkShare(const Inspection& inspection, int token, int layer);
/// How much each response token attends to some patches of an image (self-attention, the selection's layer and head): the sum
/// of their shares; NaN where it was not captured.
std::vector<double> patchAttention(const Inspection& inspection, const SelectionState& selection, int image, const std::vector<int>& patches);
/// Rank of an id under one condition, from 1: exact within that condition's captured top, else 0.
int rankOf(const TokenDistributions& d, std::int64_t id, Condition condition);

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
/// One position around the place where the response begins: the same response ids must stand behind both prompts.
struct BoundaryRow {
  int offset = 0;  // from the first response token; negative in the prompt
  int studentPosition = -1, teacherPosition = -1;
  std::int64_t studentId = -1, teacherId = -1;
  QString studentText, teacherText;
};
struct Alignment {
  bool aligned = true;
  QString verdict;  // «Aligned» or what is wrong
  std::vector<AlignmentRow> rows;
  std::vector<BoundaryRow> boundary;
};
Alignment alignmentOf(const Inspection& inspection);
/// The prompt as it is read, runs of visual tokens folded to «[image: 36]»; the cue's character range, or -1.
struct FoldedPrompt {
  QString text;
  int cueBegin = -1, cueEnd = -1;
};
FoldedPrompt foldedPrompt(const RenderedPrompt& prompt);
/// A folded prompt, or a part of it, without the marks that keep its tokens whole at the end of a line.
QString plainPrompt(QString text);

/// A token as the strip writes it (widgets/token_strip.h).
QString tokenWords(const Token& token);
/// «+0.47», «−2.31»; words when it is no number.
QString signedNumber(double value, int decimals);

}  // namespace cuescope
