// RolloutsDetail: the right side of Rollouts: the chosen sample's picture and facts, its response token by token in colour, the
// chosen token, and the same prompt over the steps. Decodes ids through the engine when the record has no texts of its tokens.
// UI thread; owned by the Rollouts page.
#pragma once

#include <QHash>
#include <QWidget>

#include "engine/core/rollout_index.h"
#include "ui/session.h"
#include "widgets/token_strip.h"

class QCheckBox;
class QComboBox;
class QPushButton;
class QSplitter;
class QTableWidget;
class QToolButton;

namespace cuescope {

class DistributionBars;
class FactTable;
class FrameStrip;
class ImageCanvas;
class Panel;
class SampleRows;
class Selection;

/// What the response can be coloured by.
enum class RolloutValue { Gap, Advantage, StudentLogProb, TeacherLogProb, K3, None };
QString rolloutValueTitle(RolloutValue value);
/// One value a token; NaN where it was not saved. `groupAdvantage`: of the whole response, for runs without a teacher.
std::vector<double> rolloutValues(const RolloutRecord& record, RolloutValue value, double groupAdvantage);

TokenColoring rolloutColoring(RolloutValue value);

class RolloutsDetail : public QWidget {
  Q_OBJECT
 public:
  RolloutsDetail(Session& session, Selection& selection, SampleRows& samples, QWidget* parent = nullptr);

  /// The record of `file` behind the facts; null clears. Failures are told by failed().
  void show(const QString& run, const QString& file, const RolloutFacts* facts, double groupAdvantage);
  void setSame(const std::vector<RolloutFacts>& rows);
  /// Another response, token by token below the shown one; the same one again, or null, ends it. The next sample keeps it.
  void compare(const QString& file, const RolloutFacts* facts, double groupAdvantage);
  bool comparing() const { return m_hasOther; }
  TokenStrip* otherStrip() const { return m_otherStrip; }
  QString otherHead() const;
  void pictureArrived(const QString& sampleId);
  void selectToken(int token);
  /// Sends the sample to Inspect with the default weights; a refusal is the button's tooltip.
  void openInInspect();
  /// The same as soon as the sample's picture is here; another sample forgets it.
  void openWhenReady();

  /// Puts the three panels, which have no parent now, one below the other; with `tabs` the steps of the prompt are a tab of the response.
  void placePanels(bool tabs);
  void defaultSizes();

  FrameStrip* pictures() const { return m_pictures; }
  ImageCanvas* picture() const { return m_picture; }
  TokenStrip* strip() const { return m_strip; }
  QComboBox* colour() const { return m_colour; }
  QTableWidget* sameTable() const { return m_same; }
  QPushButton* inspectButton() const { return m_inspect; }
  const RolloutDetail& detail() const { return m_detail; }
  bool hasSample() const { return m_has; }
  /// "response", "token", "same": see ViewSource. Throws Error when there is nothing to show.
  void addViews(class ViewFocus& views);
  struct PageView view(const QString& name) const;

 Q_SIGNALS:
  void inspectRequested(const cuescope::InspectRequest& request);
  void sameChosen(const cuescope::RolloutFacts& facts);
  void sameCompared(const cuescope::RolloutFacts& facts);  // Ctrl+click
  void failed(const cuescope::Failure& failure);
  void comparisonChanged();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  struct Weights {
    std::string student;  // folder, or kRunStudent
    QString words;
  };
  std::vector<Weights> weights() const;  // nearest first
  void fillFacts();
  void fillStrip();
  void colourStrip();
  void showToken();
  void decode();
  std::vector<StripToken> tokensOf(const RolloutRecord& record, bool* missing) const;
  void fillOther();
  void refreshInspect();
  void send(const std::string& student);

  Session& m_session;
  Selection& m_selection;
  SampleRows& m_samples;
  QString m_run;
  bool m_has = false, m_openLater = false;
  RolloutFacts m_facts;
  RolloutDetail m_detail;
  std::vector<RolloutFacts> m_sameRows;
  double m_groupAdvantage = 0;
  int m_token = -1;
  QHash<QString, QHash<qint64, QByteArray>> m_words;  // by model folder: bytes of an id
  std::vector<StripToken> m_tokens;
  bool m_hasOther = false;  // a second response is compared
  RolloutFacts m_otherFacts;
  RolloutDetail m_other;
  double m_otherAdvantage = 0;
  class Strip* m_otherLine = nullptr;
  class ElidedLabel* m_otherHead = nullptr;
  TokenStrip* m_otherStrip = nullptr;

  QSplitter* m_split = nullptr;
  Panel* m_samplePanel = nullptr;
  Panel* m_responsePanel = nullptr;
  Panel* m_samePanel = nullptr;
  QPushButton* m_inspect = nullptr;
  QToolButton* m_inspectWith = nullptr;
  ImageCanvas* m_picture = nullptr;
  FrameStrip* m_pictures = nullptr;  // of a sample with several
  FactTable* m_rows = nullptr;
  QComboBox* m_colour = nullptr;
  class GapRange* m_range = nullptr;
  QCheckBox* m_special = nullptr;
  QCheckBox* m_wrap = nullptr;
  TokenStrip* m_strip = nullptr;
  FactTable* m_tokenFacts = nullptr;
  DistributionBars* m_bars = nullptr;
  QTableWidget* m_same = nullptr;
};

}  // namespace cuescope
