#include "ui/panels/steps_panel.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/acts_as.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "widgets/elided_label.h"

namespace cuescope {

std::vector<FilmRow> stepRows(const std::map<int, InspectionPtr>& looks, const SelectionState& selection) {
  std::vector<FilmRow> rows;
  for (const auto& [step, look] : looks)
    for (std::size_t i = 0; i < look->images.size(); ++i) {
      if (rows.size() <= i) {
        rows.emplace_back();
        rows.back().label = QString::fromStdString(look->images[i].label);
        rows.back().picture = pictureOf(look->images[i]);
        rows.back().gridRows = look->images[i].gridRows;
        rows.back().gridCols = look->images[i].gridCols;
        for (const ImageView& image : look->images) rows.back().visualTokens += image.gridRows * image.gridCols;
      }
      const MapSlice slice = sliceMap(*look, fitted(*look, selection), int(i));
      if (slice.exists() && slice.rows == rows[i].gridRows && slice.cols == rows[i].gridCols) rows[i].maps[step] = slice.values;
    }
  std::erase_if(rows, [](const FilmRow& row) { return row.maps.empty(); });
  return rows;
}

StepsPanel::StepsPanel(Selection& selection, QWidget* parent) : QWidget(parent), m_selection(selection) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* head = new Strip(30, Strip::Ground::Panel, this);
  m_title = new ElidedLabel;
  m_title->setPixelSize(11);
  m_title->setTone(ElidedLabel::Tone::Text2);
  m_button = new QPushButton;
  actsAs(m_button, "inspect.steps");
  head->row()->addWidget(m_title, 1);
  head->row()->addWidget(m_button);
  m_strip = new FilmStrip;
  m_strip->setWhatsThis(tr("The same image and question at several training steps. A click shows that step, Ctrl+click puts it beside the shown one."));
  m_strip->setAccessibleName(tr("The same image over training steps"));
  m_strip->setEmptyText(tr("Ask this question of every checkpoint of a run: choose the run in the selection bar, then look"));
  column->addWidget(head);
  column->addWidget(m_strip, 1);
  connect(m_button, &QPushButton::clicked, this, [this] { m_left > 0 ? Q_EMIT cancelRequested() : Q_EMIT lookRequested(); });
  connect(m_strip, &FilmStrip::stepPicked, this, &StepsPanel::stepChosen);
  connect(m_strip, &FilmStrip::comparePicked, this, &StepsPanel::comparisonChosen);
  setPossible({}, 0, 0, tr("Ask a question first."));
}

void StepsPanel::clear() {
  m_looks.clear();
  refresh();
}

void StepsPanel::add(int step, const InspectionPtr& look) {
  m_looks[step] = look;
  refresh();
}

void StepsPanel::setColorMap(ColorMap map) {
  m_strip->setColorMap(map);
}

void StepsPanel::setCursorStep(int step) {
  m_strip->setCursorStep(step);
}

void StepsPanel::setPossible(const QString& run, int checkpoints, int left, const QString& refusal) {
  m_left = left;
  m_button->setText(left > 0 ? tr("Cancel, %1 left").arg(left) : tr("Look at %1 checkpoints").arg(checkpoints));
  const QString why = left > 0 ? QString() : !refusal.isEmpty() ? refusal : run.isEmpty() ? tr("Choose a run in the selection bar.") : checkpoints == 0 ? tr("%1 has no checkpoint yet.").arg(run) : QString();
  m_button->setEnabled(why.isEmpty());
  m_button->setToolTip(why.isEmpty() ? tr("The shown response is read again by every checkpoint of %1").arg(run) : why);
}

void StepsPanel::refresh() {
  const std::vector<FilmRow> rows = stepRows(m_looks, m_selection.state());
  m_strip->setRows(rows);
  m_strip->setCursorStep(m_selection.step());
  if (m_looks.empty()) {
    m_title->setText(tr("Same image over steps"));
    return;
  }
  QString mass;
  const auto score = [&](const InspectionPtr& look) { return cueScore(*look, sliceMap(*look, fitted(*look, m_selection.state()), 0)); };
  const auto first = score(m_looks.begin()->second), last = score(m_looks.rbegin()->second);
  if (first && last)
    mass = tr("mass in evidence %1 → %2, uniform %3").arg(number(double(first->mass), 2), number(double(last->mass), 2), number(double(last->uniformMass), 2));
  m_title->setText(rows.empty() ? tr("No map of this site at these steps") : (m_looks.size() == 1 ? tr("1 step, %1") : tr("%1 steps, %2").arg(m_looks.size())).arg(m_strip->scaleText()), mass);
}

}  // namespace cuescope
