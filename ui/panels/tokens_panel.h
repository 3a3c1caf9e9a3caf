// TokensPanel: prompt and response as they are, coloured by one value a token (gap, k1, k3, divergences, log-probabilities, entropy,
// rank, attention shares, attention to picked patches, another student). A tick marks tokens whose loss a run with the default limits
// would clamp. Selects the token of the Selection; hover lists the most likely tokens under every condition. UI thread.
#pragma once

#include <QWidget>

#include "ui/inspection_view.h"
#include "widgets/token_strip.h"

class QComboBox;

namespace cuescope {

/// What the strip can be coloured by, in the order of the chooser.
enum class TokenValue {
  Gap, K1, K3, ForwardKl, ReverseKl, Jsd, StudentLogProb, TeacherLogProb, PlainLogProb, Entropy, TeacherEntropy, ImageShare, None,
  ErasedLogProb, GapFromCue, GapFromWeights, StudentRank, TextShare, SinkShare, PatchShare, Beside
};
inline constexpr int kTokenValues = 21;
/// The chooser's order: what belongs together stands together.
const std::vector<TokenValue>& tokenValueOrder();
/// What the number is, for tooltips.
QString tokenValueExplanation(TokenValue value);
QString tokenValueTitle(TokenValue value);
TokenColoring coloringOf(TokenValue value);
/// What some values need besides the inspection.
struct TokenContext {
  SelectionState selection;
  int image = 0;
  std::vector<int> patches;                // picked on the map
  const Inspection* beside = nullptr;      // another student's look at the same response
};
/// One value a response token; NaN where it was not computed.
std::vector<double> tokenValues(const Inspection& inspection, TokenValue value, int layer);
std::vector<double> tokenValues(const Inspection& inspection, TokenValue value, const TokenContext& context);
/// What a run holds a token's loss to (distillation.loss_max_clamp, distillation.log_prob_min_clamp). The marks over the tokens are
/// those of the run that the look belongs to; without one, of a new run with any loss.
struct ClampLimits {
  QString lossMode;         // "": whatever the loss is, k1 or k3 beyond the clamp and the floor of forward_kl_topk
  double lossMax = 10;      // 0: off
  double logProbMin = -10;  // forward_kl_topk alone: teacher's log p below it is held; 0: off
};
bool isClamped(const TokenDistributions& d, const ClampLimits& limits);
/// The most likely tokens at one response position under every condition, as rich text.
QString tokenTip(const Inspection& inspection, int token);
StripToken stripToken(const Token& token);
std::vector<StripToken> promptTokens(const RenderedPrompt& prompt, bool hasSink);

class TokensPanel : public QWidget {
  Q_OBJECT
 public:
  TokensPanel(Selection& selection, QWidget* parent = nullptr);
  void setInspection(InspectionPtr inspection);
  /// For the marks over the tokens; counts from the next setInspection() on.
  void setClampLimits(const ClampLimits& limits) { m_limits = limits; }
  /// A new answer begins: the strip is emptied and fills as tokens arrive.
  void beginStreaming();
  void append(const Token& token);
  void refresh();
  TokenStrip* strip() const { return m_strip; }
  /// Colour, its range, what the bars show: for the head of the panel that holds this.
  QWidget* bar() const { return m_bar; }
  QComboBox* chooser() const { return m_colour; }
  TokenValue value() const;
  void setValue(TokenValue value);
  /// Patches picked on the map: the bars under the tokens become their attention to them.
  void setPicked(int image, const std::vector<int>& patches);
  /// Another student's look at the same response; null ends it.
  void setBeside(InspectionPtr beside);
  QString barNote() const;
  /// Response tokens that were dragged over; {-1, -1} without a span.
  std::pair<int, int> span() const { return m_span; }
  /// Goes to the next or previous response token.
  void step(int by, bool largeGap = false);

 Q_SIGNALS:
  void spanChanged(int first, int last);  // -1: no span any more

 protected:
  void changeEvent(QEvent* event) override;

 private:
  ClampLimits m_limits;
  Selection& m_selection;
  InspectionPtr m_inspection;
  TokenContext context() const;
  InspectionPtr m_beside;
  std::vector<int> m_patches;
  int m_image = 0;
  bool m_streaming = false;
  void setSpan(int first, int last);
  std::pair<int, int> m_span{-1, -1};
  // What the strip was last given, so that a new token or head repaints what it must.
  std::vector<double> m_shares;
  int m_sharesLayer = -2;
  class ElidedLabel* m_note = nullptr;
  QWidget* m_bar = nullptr;
  QComboBox* m_colour = nullptr;
  class GapLegend* m_legend = nullptr;
  TokenStrip* m_strip = nullptr;
};

}  // namespace cuescope
