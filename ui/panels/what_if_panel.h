// WhatIfPanel: what is changed in the region that was painted on the map, and what came of it: before, after, and as many
// random regions beside it. UI thread.
#pragma once

#include <QWidget>

#include "engine/engine.h"

class QPushButton;

namespace cuescope {

class ElidedLabel;
class FactTable;
class SegmentedButton;

class WhatIfPanel : public QWidget {
  Q_OBJECT
 public:
  explicit WhatIfPanel(QWidget* parent = nullptr);
  Change change() const;
  void setChange(Change change);
  /// How many patches the region has and what the response token is; a refusal disables Run with its reason.
  void setState(int patches, const QString& token, bool busy, const QString& refusal);
  void setAnswer(const WhatIfPtr& answer);
  void setFailure(const Failure& failure);
  void clearAnswer();
  QPushButton* runButton() const { return m_run; }
  QString answerText() const;

 Q_SIGNALS:
  void runRequested();
  void clearRequested();

 private:
  SegmentedButton* m_change = nullptr;
  ElidedLabel* m_region = nullptr;
  QPushButton* m_run = nullptr;
  QPushButton* m_clear = nullptr;
  FactTable* m_facts = nullptr;
  ElidedLabel* m_before = nullptr;
  ElidedLabel* m_after = nullptr;
  ElidedLabel* m_note = nullptr;
  QString m_token;
};

/// «Erase top 5 %: −2.31 nats, random −0.11».
QString causalSentence(const WhatIf& answer, const QString& what);

}  // namespace cuescope
