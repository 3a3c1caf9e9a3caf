// WhatIfPanel: what is changed (a region of the picture, the cue recovery module, the teacher's cue, a head or layer, the next
// token) and what came of it: before, after, and as many random changes beside it. Several changes act at once. UI thread.
#pragma once

#include <QWidget>

#include "engine/engine.h"

class QComboBox;
class QGridLayout;
class QPushButton;

namespace cuescope {

class ElidedLabel;
class FactTable;
class SegmentedButton;

/// Where the knock-outs of the chooser act.
struct WhatIfPlace {
  int layer = -1, head = -1;   // of the shown map; head -1: no single head is chosen
  bool decoder = true;         // false: the shown layer is not one of the decoder's
  int position = -1;           // that predicts the chosen token
  std::vector<int> imageKeys;  // positions of the region's visual tokens (of all, without a region)
};

class WhatIfPanel : public QWidget {
  Q_OBJECT
 public:
  explicit WhatIfPanel(QWidget* parent = nullptr);
  Change change() const;
  void setChange(Change change);
  /// Injection layers of the student (empty: no module), whether a teacher and a cue are there.
  void setPossible(const std::vector<int>& injectionLayers, bool teacher, bool cue);
  /// How many patches the region has and what the response token is; a refusal disables Run with its reason.
  void setState(int patches, const QString& token, bool busy, const QString& refusal);
  void setPlace(const WhatIfPlace& place);
  /// Go on from this token instead of the chosen one; -1 forgets it.
  void setForced(std::int64_t id, const QString& text);
  std::int64_t forcedId() const { return m_forcedId; }
  /// Everything that is chosen besides the region, into a request. `editedCue` is what «as typed» takes.
  void fill(WhatIfRequest& request, const std::string& editedCue) const;
  bool anythingChosen() const;
  void resetChoices();
  void setAnswer(const WhatIfPtr& answer);
  const WhatIfPtr& answer() const { return m_answer; }
  void setFailure(const Failure& failure);
  void clearAnswer();
  /// Change of the region, what is chosen, Clear and Run: for the head of the panel that holds this.
  QWidget* bar() const { return m_bar; }
  QPushButton* runButton() const { return m_run; }
  QComboBox* moduleChooser() const { return m_module; }
  QComboBox* cueChooser() const { return m_cue; }
  QComboBox* knockOutChooser() const { return m_knockOut; }
  QString answerText() const;

 Q_SIGNALS:
  void runRequested();
  void clearRequested();

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void refreshRun();
  void arrange();
  QWidget* m_bar = nullptr;
  QWidget* m_choices = nullptr;
  QWidget* m_texts = nullptr;
  QGridLayout* m_grid = nullptr;
  bool m_stacked = false;  // the texts stand below the numbers
  SegmentedButton* m_change = nullptr;
  QComboBox* m_module = nullptr;
  QComboBox* m_cue = nullptr;
  QComboBox* m_knockOut = nullptr;
  ElidedLabel* m_region = nullptr;
  QPushButton* m_run = nullptr;
  QPushButton* m_clear = nullptr;
  FactTable* m_facts = nullptr;
  ElidedLabel* m_before = nullptr;
  ElidedLabel* m_after = nullptr;
  ElidedLabel* m_note = nullptr;
  WhatIfPtr m_answer;
  WhatIfPlace m_place;
  QString m_token, m_forcedText, m_refusal;
  std::vector<int> m_injection;
  std::int64_t m_forcedId = -1;
  int m_patches = 0;
  bool m_busy = false;
};

/// «Erase top 5 %: −2.31 nats, random −0.11».
QString causalSentence(const WhatIf& answer, const QString& what);

}  // namespace cuescope
