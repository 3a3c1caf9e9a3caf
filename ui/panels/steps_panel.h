// StepsPanel: the shown question asked of every checkpoint of a run: one map a step in a film strip, at the selection's site, layer and
// head, on one scale, with the mass in the evidence. A click shows that step, Ctrl+click puts it beside the shown one. UI thread.
#pragma once

#include <QWidget>
#include <map>

#include "ui/inspection_view.h"
#include "widgets/film_strip.h"

class QPushButton;

namespace cuescope {

class ElidedLabel;

/// Rows of the strip: one an image, the selected map at every step.
std::vector<FilmRow> stepRows(const std::map<int, InspectionPtr>& looks, const SelectionState& selection);

class StepsPanel : public QWidget {
  Q_OBJECT
 public:
  StepsPanel(Selection& selection, QWidget* parent = nullptr);
  /// Forgets what was looked at: another question.
  void clear();
  void add(int step, const InspectionPtr& look);
  void refresh();
  /// How many checkpoints there are to look at; a refusal disables the button. `left` > 0: so many are still to come.
  void setPossible(const QString& run, int checkpoints, int left, const QString& refusal);
  void setColorMap(ColorMap map);
  void setCursorStep(int step);
  const std::map<int, InspectionPtr>& looks() const { return m_looks; }
  FilmStrip* strip() const { return m_strip; }
  QPushButton* button() const { return m_button; }

 Q_SIGNALS:
  void lookRequested();
  void cancelRequested();
  void stepChosen(int step);
  void comparisonChosen(int step);

 private:
  Selection& m_selection;
  std::map<int, InspectionPtr> m_looks;
  int m_left = 0;
  ElidedLabel* m_title = nullptr;
  QPushButton* m_button = nullptr;
  FilmStrip* m_strip = nullptr;
};

}  // namespace cuescope
