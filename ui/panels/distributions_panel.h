// DistributionsPanel: what each of the four conditions would have said at the chosen token; the gap split into what the cue
// brings and what the teacher's weights bring; divergences. UI thread.
#pragma once

#include <QWidget>

#include "ui/inspection_view.h"
#include "widgets/distribution_bars.h"

class QComboBox;
class QVBoxLayout;


namespace cuescope {

class ElidedLabel;
class FactTable;

/// The first `rows` of the union's tokens as bars; what is left joins the tail.
DistributionSet distributionSet(const TokenDistributions& d, std::int64_t responseId, int rows);

/// The mean over response tokens first .. last: of probabilities id by id (an id outside the captured ones of a position counts in
/// that position's tail, so its mean is a lower bound), of log-probabilities, entropies and divergences. NaN where any of them is.
TokenDistributions meanDistributions(const std::vector<TokenDistributions>& all, int first, int last);

/// The gap as two parts that add up to it, painted as one bar.
class GapSplit : public QWidget {
  Q_OBJECT
 public:
  explicit GapSplit(QWidget* parent = nullptr);
  void setParts(float weights, float cue);
  QSize sizeHint() const override { return {300, 34}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  float m_weights = kNotComputed, m_cue = kNotComputed;
};

class DistributionsPanel : public QWidget {
  Q_OBJECT
 public:
  DistributionsPanel(Selection& selection, QWidget* parent = nullptr);
  void setInspection(InspectionPtr inspection);
  void refresh();
  /// Response tokens whose mean is shown instead of the chosen token's; first -1: none.
  void setSpan(int first, int last);
  std::pair<int, int> span() const { return {m_spanFirst, m_spanLast}; }
  QString titleText() const;
  /// Another student's look at the same response: a row of its own in the table.
  void setBeside(InspectionPtr beside);
  int topTokens() const;
  DistributionBars* bars() const { return m_bars; }
  FactTable* table() const { return m_table; }

 Q_SIGNALS:
  /// A row was double-clicked: go on from this token instead.
  void continueRequested(qint64 id, const QString& text);

 private:
  Selection& m_selection;
  InspectionPtr m_inspection, m_beside;
  void showFacts(bool there);
  bool hasSpan() const;
  int m_spanFirst = -1, m_spanLast = -1;
  QVBoxLayout* m_facts = nullptr;
  QWidget* m_gapLine = nullptr;
  ElidedLabel* m_title = nullptr;
  QComboBox* m_top = nullptr;
  DistributionBars* m_bars = nullptr;
  ElidedLabel* m_gapTitle = nullptr;
  GapSplit* m_split = nullptr;
  FactTable* m_table = nullptr;
  FactTable* m_divergences = nullptr;
};

}  // namespace cuescope
