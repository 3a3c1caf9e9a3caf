// Selection: what the person looks at. One object for the whole window; every panel reads it and writes it, none keeps its own.
// Owned by the main window. UI thread only. It has its own history (back, forward), apart from undo.
#pragma once

#include <QFlags>
#include <QObject>
#include <QString>
#include <vector>

#include "engine/core/snapshots.h"

namespace cuescope {

/// The values of widgets/matrix_view.h, under names of their own: this header needs no widgets.
inline constexpr int kHeadMean = -1;
inline constexpr int kHeadMax = -2;

/// One state of the selection. `step`, `token` and `layer` are -1 when there is none.
struct SelectionState {
  QString run;
  int step = -1;
  QString sample;
  int token = -1;  // response position
  Site site = Site::CueRecovery;
  int layer = -1;  // decoder layer, not its place in the stack
  int head = kHeadMean;
  int prompt = -1;       // position of the student's prompt whose own attention is shown; -1: that of the response token
  int visionQuery = -1;  // visual token whose attention inside the vision tower is shown; -1: what each token receives

  bool operator==(const SelectionState&) const = default;
};

class Selection : public QObject {
  Q_OBJECT
 public:
  enum Part { Run = 1, Step = 2, Sample = 4, Token = 8, SitePart = 16, Layer = 32, Head = 64 };
  Q_DECLARE_FLAGS(Parts, Part)

  explicit Selection(QObject* parent = nullptr);

  const SelectionState& state() const { return m_state; }
  QString run() const { return m_state.run; }
  int step() const { return m_state.step; }
  QString sample() const { return m_state.sample; }
  int token() const { return m_state.token; }
  Site site() const { return m_state.site; }
  int layer() const { return m_state.layer; }
  int head() const { return m_state.head; }

  void setRun(const QString& run);
  void setStep(int step);
  void setSample(const QString& sample);
  void setToken(int token);
  void setSite(Site site);
  void setLayer(int layer);
  void setHead(int head);
  void setPrompt(int position);
  /// Several parts as one step of the history.
  void set(const SelectionState& state);
  /// Corrects a part that no longer exists (another model, a shorter answer) without a step in the history.
  void correct(const SelectionState& state);

  bool canGoBack() const { return m_place > 0; }
  bool canGoForward() const { return m_place + 1 < m_history.size(); }
  void back();
  void forward();

 Q_SIGNALS:
  void changed(cuescope::Selection::Parts parts);

 private:
  void apply(const SelectionState& state);

  SelectionState m_state;
  std::vector<SelectionState> m_history;
  std::size_t m_place = 0;
};
Q_DECLARE_OPERATORS_FOR_FLAGS(Selection::Parts)

/// "mean", "max" or the head's number.
QString headName(int head);
/// «Cue recovery», «Self-attention», ...: the words of the window.
QString siteTitle(Site site);
/// «What is this?» of a site: where the numbers come from and what they do not say.
QString siteExplanation(Site site);

}  // namespace cuescope
