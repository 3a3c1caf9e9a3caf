// TokensPanel: prompt and response as they are, coloured by one value a token (gap, k1, k3, divergences, log-probabilities,
// entropy, image share). Selects the token of the Selection. UI thread.
#pragma once

#include <QWidget>

#include "ui/inspection_view.h"
#include "widgets/token_strip.h"

class QComboBox;

namespace cuescope {

/// What the strip can be coloured by, in the order of the chooser.
enum class TokenValue { Gap, K1, K3, ForwardKl, ReverseKl, Jsd, StudentLogProb, TeacherLogProb, PlainLogProb, Entropy, TeacherEntropy, ImageShare, None };
inline constexpr int kTokenValues = 13;
QString tokenValueTitle(TokenValue value);
TokenColoring coloringOf(TokenValue value);
/// One value a response token; NaN where it was not computed.
std::vector<double> tokenValues(const Inspection& inspection, TokenValue value, int layer);
StripToken stripToken(const Token& token);
std::vector<StripToken> promptTokens(const RenderedPrompt& prompt, bool hasSink);

class TokensPanel : public QWidget {
  Q_OBJECT
 public:
  TokensPanel(Selection& selection, QWidget* parent = nullptr);
  void setInspection(InspectionPtr inspection);
  /// A new answer begins: the strip is emptied and fills as tokens arrive.
  void beginStreaming();
  void append(const Token& token);
  void refresh();
  TokenStrip* strip() const { return m_strip; }
  QComboBox* chooser() const { return m_colour; }
  TokenValue value() const;
  /// Goes to the next or previous response token.
  void step(int by, bool largeGap = false);

 protected:
  void changeEvent(QEvent* event) override;

 private:
  Selection& m_selection;
  InspectionPtr m_inspection;
  bool m_streaming = false;
  QComboBox* m_colour = nullptr;
  class GapLegend* m_legend = nullptr;
  TokenStrip* m_strip = nullptr;
};

}  // namespace cuescope
