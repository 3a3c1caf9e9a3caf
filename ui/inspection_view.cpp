#include "ui/inspection_view.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "widgets/theme.h"
#include "widgets/token_strip.h"

namespace cuescope {
namespace {

std::vector<float> reduced(const AttentionStack& stack, std::size_t query, std::size_t layer, int head) {
  std::vector<float> values(static_cast<std::size_t>(stack.keys), 0.f);
  if (head >= 0) {
    const float* map = stack.map(query, layer, static_cast<std::size_t>(std::min(head, stack.heads - 1)));
    std::copy(map, map + stack.keys, values.begin());
    return values;
  }
  for (int h = 0; h < stack.heads; ++h) {
    const float* map = stack.map(query, layer, static_cast<std::size_t>(h));
    for (int k = 0; k < stack.keys; ++k)
      values[std::size_t(k)] = head == kHeadMax ? std::max(values[std::size_t(k)], map[k]) : values[std::size_t(k)] + map[k];
  }
  if (head == kHeadMean)
    for (float& value : values) value /= float(stack.heads);
  return values;
}

float meanShare(const std::vector<float>& shares, const AttentionStack& stack, std::size_t query, std::size_t layer, int head) {
  if (shares.empty()) return kNotComputed;
  const float* at = shares.data() + (query * stack.layers.size() + layer) * std::size_t(stack.heads);
  if (head >= 0) return at[std::min(head, stack.heads - 1)];
  return std::accumulate(at, at + stack.heads, 0.f) / float(stack.heads);
}

}  // namespace

std::size_t layerPlace(const AttentionStack& stack, int layer) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < stack.layers.size(); ++i)
    if (std::abs(stack.layers[i] - layer) < std::abs(stack.layers[best] - layer)) best = i;
  return best;
}

const AttentionStack* stackOf(const Inspection& inspection, Site site) {
  const AttentionStack& stack = inspection.stack(site);
  return stack.empty() ? nullptr : &stack;
}

const AttentionStack* stackOf(const Inspection& inspection, const SelectionState& selection) {
  if (selection.site == Site::SelfAttention && selection.prompt >= 0)
    return inspection.promptAttention.empty() ? nullptr : &inspection.promptAttention;
  return stackOf(inspection, selection.site);
}

std::vector<Site> sitesOf(const Inspection& inspection) {
  std::vector<Site> sites;
  for (int s = 0; s < kSites; ++s)
    if (stackOf(inspection, Site(s))) sites.push_back(Site(s));
  return sites;
}

bool siteExists(const Inspection& inspection, Site site) {
  if (stackOf(inspection, site)) return true;
  if (inspection.images.empty() || inspection.response.empty()) return false;
  return site != Site::CueRecovery || !inspection.student.injectionLayers.empty();
}

bool siteHasHeads(Site site) {
  return site != Site::Rollout && site != Site::LogitLens && site != Site::Occlusion;
}

int queryOf(const Inspection& inspection, const AttentionStack& stack, const SelectionState& selection) {
  if (stack.queries.empty()) return -1;
  switch (stack.site) {
    case Site::CueRecovery: return 0;
    case Site::Vision: return stack.queryAt(selection.visionQuery);
    default: break;
  }
  if (stack.site == Site::SelfAttention && selection.prompt >= 0 && &stack == &inspection.promptAttention) return stack.queryAt(selection.prompt);
  if (selection.token < 0 || selection.token >= int(inspection.response.size())) return -1;
  if (stack.queries.size() == inspection.response.size()) return selection.token;  // every response token, in order
  return stack.queryAt(inspection.predicting(selection.token));
}

std::vector<float> sliceValues(const AttentionStack& stack, const ImageView& image, std::size_t query, std::size_t layer, int head) {
  const std::vector<float> all = reduced(stack, query, layer, head);
  const auto first = std::min<std::size_t>(std::size_t(image.firstVisual), all.size());
  const auto count = std::min<std::size_t>(std::size_t(image.gridRows) * std::size_t(image.gridCols), all.size() - first);
  return {all.begin() + std::ptrdiff_t(first), all.begin() + std::ptrdiff_t(first + count)};
}

namespace {

// What a slice of a stack says of itself.
void tell(MapSlice& slice, const Inspection& inspection, const AttentionStack& stack, const SelectionState& selection, std::size_t layer, int head) {
  const QString heads = head == kHeadMean  ? (stack.headsAveraged ? QStringLiteral("mean of heads")
                                                                  : QStringLiteral("mean of %1 heads").arg(stack.heads))
                        : head == kHeadMax ? QStringLiteral("max of %1 heads").arg(stack.heads)
                                           : QStringLiteral("head %1").arg(std::min(head, stack.heads - 1));
  const int number0 = stack.layers.empty() ? 0 : stack.layers[layer];
  const QString where = QStringLiteral("layer %1, %2").arg(number0).arg(heads);
  const bool ofToken = selection.token >= 0 && selection.token < int(inspection.response.size());
  const QString token = ofToken ? QStringLiteral("token %1 “%2”").arg(selection.token).arg(tokenWords(inspection.response[std::size_t(selection.token)])) : QString();
  switch (stack.site) {
    case Site::CueRecovery:
      slice.claim = QStringLiteral("Sink to %1 visual tokens, %2").arg(stack.keys).arg(where);
      slice.depends = QStringLiteral("same for every response token");
      break;
    case Site::SelfAttention: {
      const bool prompt = selection.prompt >= 0 && selection.prompt < int(inspection.studentPrompt.tokens.size());
      slice.claim = prompt ? QStringLiteral("Prompt token %1 “%2” to %3 visual tokens, %4")
                                 .arg(selection.prompt)
                                 .arg(tokenWords(inspection.studentPrompt.tokens[std::size_t(selection.prompt)]))
                                 .arg(stack.keys)
                                 .arg(where)
                           : QStringLiteral("T%1 to %2 visual tokens, %3").arg(token.mid(1)).arg(stack.keys).arg(where);
      slice.depends = head == kHeadMax ? QStringLiteral("this token alone") : QStringLiteral("image share %1").arg(number(double(slice.imageShare), 2));
      break;
    }
    case Site::Vision:
      slice.claim = selection.visionQuery < 0 ? QStringLiteral("Vision tower, block %1, %2: what each token receives").arg(number0).arg(heads)
                                              : QStringLiteral("Vision tower, block %1, %2: what visual token %3 reads").arg(number0).arg(heads).arg(selection.visionQuery);
      slice.depends = QStringLiteral("before the question, same for every response token");
      break;
    case Site::Rollout:
      slice.claim = QStringLiteral("Rollout of %1 through layers 0 to %2").arg(token).arg(number0);
      slice.depends = QStringLiteral("image share %1").arg(number(double(slice.imageShare), 2));
      break;
    case Site::GradientAttention:
      slice.claim = QStringLiteral("Gradient × attention of %1, %2").arg(token, where);
      slice.depends = QStringLiteral("orange speaks for the token");
      slice.quantity = QStringLiteral("gradient × attention, nats");
      break;
    case Site::LogitLens:
      slice.claim = QStringLiteral("p(%1) read from each visual token after layer %2").arg(token).arg(number0);
      slice.depends = QStringLiteral("logit lens");
      slice.quantity = QStringLiteral("probability");
      break;
    case Site::Occlusion:
      slice.claim = QStringLiteral("log p(%1) before − after a cell is erased").arg(token);
      slice.depends = QStringLiteral("causal; cells of %1 × %1, %2 passes").arg(inspection.occlusionInfo.cell).arg(inspection.occlusionInfo.passes);
      slice.quantity = QStringLiteral("lost log p, nats");
      break;
  }
}

}  // namespace

MapSlice sliceStack(const Inspection& inspection, const AttentionStack& stack, const SelectionState& selection, int image) {
  MapSlice slice;
  slice.image = image;
  if (image < 0 || image >= int(inspection.images.size()) || stack.empty()) return slice;
  const ImageView& view = inspection.images[std::size_t(image)];
  slice.rows = view.gridRows;
  slice.cols = view.gridCols;
  const int query = stack.queries.size() == 1 ? 0 : queryOf(inspection, stack, selection);
  if (query < 0) return slice;
  const std::size_t layer = layerPlace(stack, selection.layer);
  const int head = stack.headsAveraged ? kHeadMean : stack.heads == 1 ? 0 : selection.head;
  const std::vector<float> all = reduced(stack, std::size_t(query), layer, head);
  slice.values = sliceValues(stack, view, std::size_t(query), layer, head);
  slice.visualTokens = stack.keys;
  slice.imageShare = std::accumulate(all.begin(), all.end(), 0.f);
  slice.textShare = meanShare(stack.textShare, stack, std::size_t(query), layer, head);
  slice.sinkShare = meanShare(stack.sinkShare, stack, std::size_t(query), layer, head);
  slice.signedValues = stack.site == Site::GradientAttention || stack.site == Site::Occlusion;
  const bool shares = stack.site == Site::SelfAttention || stack.site == Site::Rollout;
  if (slice.signedValues || stack.site == Site::LogitLens) slice.uniform = 0;
  else if (stack.site == Site::Vision) slice.uniform = 1.f / float(std::max(1, view.gridRows * view.gridCols));
  else slice.uniform = (shares && head != kHeadMax ? slice.imageShare : 1.f) / float(stack.keys);
  tell(slice, inspection, stack, selection, layer, stack.heads == 1 && !stack.headsAveraged && selection.head < 0 && siteHasHeads(stack.site) ? kHeadMean : head);
  return slice;
}

MapSlice sliceMap(const Inspection& inspection, const SelectionState& selection, int image) {
  MapSlice slice;
  slice.image = image;
  if (inspection.images.empty() || image < 0 || image >= int(inspection.images.size())) {
    slice.why = QStringLiteral("This question has no image, so nothing attends to one.");
    return slice;
  }
  const ImageView& view = inspection.images[std::size_t(image)];
  slice.rows = view.gridRows;
  slice.cols = view.gridCols;
  if (selection.site == Site::CueRecovery && !siteExists(inspection, Site::CueRecovery)) {
    slice.why = QStringLiteral("%1 has no cue recovery module. Choose another student, or the site Self-attention.").arg(QString::fromStdString(inspection.student.name));
    return slice;
  }
  const bool needsToken = selection.site != Site::CueRecovery && selection.site != Site::Vision && selection.prompt < 0;
  if (needsToken && (selection.token < 0 || selection.token >= int(inspection.response.size()))) {
    slice.why = QStringLiteral("%1 belongs to one token. Click a token of the response.").arg(siteTitle(selection.site));
    return slice;
  }
  const AttentionStack* stack = stackOf(inspection, selection);
  if (!stack || queryOf(inspection, *stack, selection) < 0) {
    slice.missing = true;
    slice.why = QStringLiteral("%1: not computed%2.").arg(siteTitle(selection.site), stack ? QStringLiteral(" for this token") : QString());
    return slice;
  }
  return sliceStack(inspection, *stack, selection, image);
}

MapSlice mapDifference(const MapSlice& a, const MapSlice& b) {
  MapSlice slice;
  if (!a.exists() || a.rows != b.rows || a.cols != b.cols || a.values.size() != b.values.size()) return slice;
  slice = a;
  for (std::size_t i = 0; i < slice.values.size(); ++i) slice.values[i] -= b.values[i];
  slice.signedValues = true;
  slice.uniform = 0;
  slice.quantity = a.quantity + QStringLiteral(", A − B");
  slice.claim = QStringLiteral("A − B: ") + a.claim;
  slice.depends = QStringLiteral("B: ") + b.claim;
  return slice;
}

namespace {

/// Place of a response token among the queries of self-attention; -1 when it, or the site, was not captured.
int selfAttentionQuery(const Inspection& inspection, const AttentionStack* stack, int token) {
  if (!stack) return -1;
  SelectionState at;
  at.site = Site::SelfAttention;
  at.token = token;
  return queryOf(inspection, *stack, at);
}

float shareAt(const Inspection& inspection, int token, int layer, std::vector<float> AttentionStack::*member) {
  const AttentionStack* stack = stackOf(inspection, Site::SelfAttention);
  const int query = selfAttentionQuery(inspection, stack, token);
  return query < 0 ? kNotComputed : meanShare(stack->*member, *stack, std::size_t(query), layerPlace(*stack, layer), kHeadMean);
}

}  // namespace

float imageShare(const Inspection& inspection, int token, int layer) {
  const AttentionStack* stack = stackOf(inspection, Site::SelfAttention);
  const int query = selfAttentionQuery(inspection, stack, token);
  if (query < 0) return kNotComputed;
  // The mean over heads of the sum over keys: one pass over the numbers, no copy.
  const float* first = stack->map(std::size_t(query), layerPlace(*stack, layer), 0);
  return std::accumulate(first, first + std::size_t(stack->heads) * std::size_t(stack->keys), 0.f) / float(stack->heads);
}

float textShare(const Inspection& inspection, int token, int layer) {
  return shareAt(inspection, token, layer, &AttentionStack::textShare);
}
float sinkShare(const Inspection& inspection, int token, int layer) {
  return shareAt(inspection, token, layer, &AttentionStack::sinkShare);
}

std::vector<double> patchAttention(const Inspection& inspection, const SelectionState& selection, int image, const std::vector<int>& patches) {
  std::vector<double> out(inspection.response.size(), std::nan(""));
  const AttentionStack* stack = stackOf(inspection, Site::SelfAttention);
  if (!stack || image < 0 || image >= int(inspection.images.size())) return out;
  const std::size_t layer = layerPlace(*stack, selection.layer);
  const int head = stack->headsAveraged || selection.head < 0 ? selection.head == kHeadMax && !stack->headsAveraged ? kHeadMax : kHeadMean : selection.head;
  for (int t = 0; t < int(out.size()); ++t) {
    const int query = selfAttentionQuery(inspection, stack, t);
    if (query < 0) continue;
    const std::vector<float> values = sliceValues(*stack, inspection.images[std::size_t(image)], std::size_t(query), layer, head);
    double sum = 0;
    for (const int p : patches)
      if (p >= 0 && p < int(values.size())) sum += double(values[std::size_t(p)]);
    out[std::size_t(t)] = sum;
  }
  return out;
}

int rankOf(const TokenDistributions& d, std::int64_t id, Condition condition) {
  const std::vector<float>& lp = d.logProbs[int(condition)];
  const auto found = std::find(d.ids.begin(), d.ids.end(), id);
  if (found == d.ids.end() || lp.empty()) return 0;
  const float own = lp[std::size_t(found - d.ids.begin())];
  return 1 + int(std::count_if(lp.begin(), lp.end(), [&](float v) { return v > own; }));
}

SelectionState fitted(const Inspection& inspection, SelectionState selection) {
  const int tokens = int(inspection.response.size());
  selection.sample = QString::fromStdString(inspection.sampleId);
  selection.token = tokens == 0 ? -1 : std::clamp(selection.token, 0, tokens - 1);
  if (selection.prompt >= int(inspection.studentPrompt.tokens.size())) selection.prompt = -1;
  const std::vector<Site> sites = sitesOf(inspection);
  if (!sites.empty() && !siteExists(inspection, selection.site)) selection.site = sites.front();
  if (const AttentionStack* stack = stackOf(inspection, selection)) {
    // Nothing chosen yet: the last layer, where the answer is nearest.
    selection.layer = selection.layer < 0 ? stack->layers.back() : stack->layers[layerPlace(*stack, selection.layer)];
    if (stack->headsAveraged) selection.head = kHeadMean;
    if (selection.head >= stack->heads) selection.head = stack->heads - 1;
  }
  return selection;
}

std::vector<float> evidenceCover(const Inspection& inspection, int image) {
  if (image < 0 || image >= int(inspection.images.size())) return {};
  const ImageView& view = inspection.images[std::size_t(image)];
  if (view.gridRows <= 0 || view.gridCols <= 0) return {};
  const float w = float(view.width) / float(view.gridCols), h = float(view.height) / float(view.gridRows);
  std::vector<float> cover(std::size_t(view.gridRows) * std::size_t(view.gridCols), 0.f);
  for (const PixelBox& box : inspection.evidence) {
    if (box.image != image) continue;
    for (std::size_t p = 0; p < cover.size(); ++p) {
      const float left = float(int(p) % view.gridCols) * w, top = float(int(p) / view.gridCols) * h;
      const float across = std::max(0.f, std::min(box.x + box.width, left + w) - std::max(box.x, left));
      const float down = std::max(0.f, std::min(box.y + box.height, top + h) - std::max(box.y, top));
      cover[p] = std::max(cover[p], across * down / (w * h));  // overlapping boxes count once
    }
  }
  return cover;
}

std::vector<int> evidencePatches(const Inspection& inspection, int image) {
  const std::vector<float> cover = evidenceCover(inspection, image);
  std::vector<int> patches;
  for (std::size_t p = 0; p < cover.size(); ++p)
    if (cover[p] >= 0.5f) patches.push_back(int(p));
  if (!patches.empty() || cover.empty()) return patches;
  const auto most = std::max_element(cover.begin(), cover.end());  // boxes smaller than half a patch
  if (*most > 0) patches.push_back(int(most - cover.begin()));
  return patches;
}

std::optional<CueScore> cueScore(const Inspection& inspection, const MapSlice& map) {
  if (!map.exists()) return std::nullopt;
  const std::vector<int> patches = evidencePatches(inspection, map.image);
  if (patches.empty()) return std::nullopt;
  CueScore score;
  for (const PixelBox& box : inspection.evidence) score.boxes += box.image == map.image;
  score.patches = int(patches.size());
  const auto positive = [&](std::size_t p) { return std::max(0.f, map.values[p]); };  // what speaks against the token is no mass
  float total = 0;
  for (std::size_t p = 0; p < map.values.size(); ++p) total += positive(p);
  std::vector<bool> inside(map.values.size());
  for (int p : patches) inside[std::size_t(p)] = true;
  // A patch counts as far as the boxes cover it, as in the run's evidence mass.
  const std::vector<float> cover = evidenceCover(inspection, map.image);
  float mass = 0, covered = 0;
  for (std::size_t p = 0; p < map.values.size() && p < cover.size(); ++p) {
    mass += cover[p] * positive(p);
    covered += cover[p];
  }
  const float n = float(map.values.size()), e = float(patches.size());
  score.mass = total > 0 ? mass / total : 0;
  score.uniformMass = covered / n;
  score.uniformHit = e / n;
  std::vector<std::size_t> order(map.values.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::partial_sort(order.begin(), order.begin() + std::ptrdiff_t(patches.size()), order.end(),
                    [&](std::size_t a, std::size_t b) { return map.values[a] != map.values[b] ? map.values[a] > map.values[b] : a < b; });
  score.hit = inside[order[0]];
  float both = 0;
  for (std::size_t i = 0; i < patches.size(); ++i) both += inside[order[i]] ? 1.f : 0.f;
  score.iou = both / (2 * e - both);
  const float expected = e * e / n;
  score.uniformIou = expected / (2 * e - expected);
  return score;
}

Alignment alignmentOf(const Inspection& inspection) {
  Alignment alignment;
  const auto visual = [](const RenderedPrompt& prompt) {
    return int(std::count_if(prompt.tokens.begin(), prompt.tokens.end(), [](const Token& t) { return t.visual >= 0; }));
  };
  int grid = 0;
  QStringList grids;
  for (const ImageView& view : inspection.images) {
    grid += view.gridRows * view.gridCols;
    grids << QStringLiteral("%1 × %2").arg(view.gridCols).arg(view.gridRows);
  }
  const bool two = inspection.hasTeacher;
  const auto row = [&](const QString& check, const QString& student, const QString& teacher, bool ok) {
    alignment.rows.push_back({check, student, two ? teacher : QStringLiteral("no teacher"), ok});
    alignment.aligned = alignment.aligned && ok;
  };
  const int s = visual(inspection.studentPrompt), t = two ? visual(inspection.teacherPrompt) : s;
  row(QStringLiteral("Response starts at"), QString::number(inspection.studentPrompt.responseBegin()),
      QString::number(inspection.teacherPrompt.responseBegin()), true);
  row(QStringLiteral("Image placeholders"), QString::number(s), QString::number(t), s == t && s == grid);
  row(QStringLiteral("Patch grid / 2"), grids.isEmpty() ? QStringLiteral("no image") : grids.join(QStringLiteral(", ")),
      grids.isEmpty() ? QStringLiteral("no image") : grids.join(QStringLiteral(", ")), s == grid && t == grid);
  const auto marked = [](const RenderedPrompt& prompt) { return prompt.cueEnd - prompt.cueBegin; };
  row(QStringLiteral("Cue tokens"), QString::number(std::max(0, marked(inspection.studentPrompt))),
      QString::number(std::max(0, marked(inspection.teacherPrompt))),
      marked(inspection.studentPrompt) <= 0 && (inspection.cue.empty() || !two || marked(inspection.teacherPrompt) > 0));
  const bool scored = inspection.distributions.size() == inspection.response.size();
  row(QStringLiteral("Scores of the response"), QStringLiteral("%1 of %2").arg(inspection.distributions.size()).arg(inspection.response.size()),
      QStringLiteral("%1 of %2").arg(inspection.distributions.size()).arg(inspection.response.size()), scored);
  if (alignment.aligned) {
    alignment.verdict = two ? QStringLiteral("Aligned") : QStringLiteral("One model");
  } else {
    QStringList wrong;
    for (const AlignmentRow& r : alignment.rows)
      if (!r.ok) wrong << r.check.left(1).toLower() + r.check.mid(1);
    alignment.verdict = QStringLiteral("Not aligned: %1").arg(wrong.join(QStringLiteral(", ")));
  }
  // The rows around the boundary: the last three of each prompt, the first two of the response.
  const int firstS = inspection.studentPrompt.responseBegin(), firstT = inspection.teacherPrompt.responseBegin();
  for (int offset = -3; offset < std::min(2, int(inspection.response.size())); ++offset) {
    BoundaryRow line;
    line.offset = offset;
    const auto at = [&](const RenderedPrompt& prompt, int begin, int& position, std::int64_t& id, QString& text) {
      if (begin + offset < 0 || (offset >= 0 && offset >= int(inspection.response.size()))) return;
      const Token& token = offset < 0 ? prompt.tokens[std::size_t(begin + offset)] : inspection.response[std::size_t(offset)];
      position = begin + offset;
      id = token.id;
      text = tokenWords(token);
    };
    at(inspection.studentPrompt, firstS, line.studentPosition, line.studentId, line.studentText);
    if (two) at(inspection.teacherPrompt, firstT, line.teacherPosition, line.teacherId, line.teacherText);
    alignment.boundary.push_back(line);
  }
  return alignment;
}

namespace {
// Where a line may end, and where it must not: an added token is never broken in two. Zero wide; plainPrompt() takes them out again.
constexpr char kBreak[] = "\xe2\x80\x8b", kJoiner[] = "\xe2\x81\xa0", kNoBreakSpace[] = "\xc2\xa0";
}  // namespace

QString plainPrompt(QString text) {
  return text.remove(QChar(0x200B)).remove(QChar(0x2060)).replace(QStringLiteral("[image:\u00A0"), QStringLiteral("[image: "));
}

FoldedPrompt foldedPrompt(const RenderedPrompt& prompt) {
  // Bytes are joined before they become text: a token may hold half a character.
  QByteArray bytes;
  int run = 0, cueBegin = -1, cueEnd = -1;
  const auto flush = [&] {
    if (run > 0) bytes += QByteArray("[image:") + kNoBreakSpace + QByteArray::number(run) + "]" + kBreak;
    run = 0;
  };
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i) {
    const Token& token = prompt.tokens[i];
    if (token.visual >= 0) {
      ++run;
      continue;
    }
    flush();
    if (int(i) == prompt.cueBegin) cueBegin = int(bytes.size());
    const QByteArray text = QByteArray::fromStdString(token.text);
    if (token.special && !bytes.isEmpty() && !bytes.endsWith('\n')) bytes += kBreak;  // a line may end before it
    for (qsizetype at = 0; at < text.size(); ++at) {
      if (token.special && at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) bytes += kJoiner;
      bytes += text[at];
    }
    if (token.special) bytes += kBreak;
    if (int(i) == prompt.cueEnd - 1) cueEnd = int(bytes.size());
  }
  flush();
  FoldedPrompt folded;
  folded.text = QString::fromUtf8(bytes);
  if (cueBegin >= 0 && cueEnd > cueBegin) {
    folded.cueBegin = int(QString::fromUtf8(bytes.left(cueBegin)).size());
    folded.cueEnd = int(QString::fromUtf8(bytes.left(cueEnd)).size());
  }
  return folded;
}

QString tokenWords(const Token& token) {
  return tokenText(QByteArray::fromStdString(token.text), token.special);
}

QString signedNumber(double value, int decimals) {
  const QString text = number(value, decimals);
  const bool zero = std::none_of(text.begin(), text.end(), [](QChar c) { return c >= u'1' && c <= u'9'; });
  return std::isfinite(value) && !zero && !text.startsWith(QChar(0x2212)) ? u'+' + text : text;
}

}  // namespace cuescope
