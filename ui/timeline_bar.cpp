#include "ui/timeline_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/acts_as.h"
#include "ui/panels/train_side.h"
#include "widgets/elided_label.h"
#include "widgets/icons.h"

namespace cuescope {

TimelineBar::TimelineBar(Session& session, Selection& selection, QWidget* parent) : QWidget(parent), m_session(session), m_selection(selection) {
  setFixedHeight(58);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(8, 4, 8, 4);
  row->setSpacing(8);
  auto* left = new QWidget;
  left->setFixedWidth(200);
  auto* column = new QVBoxLayout(left);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(2);
  auto* buttons = new QHBoxLayout;
  buttons->setSpacing(4);
  const auto button = [&](Icon shape, const QString& tip, int direction) {
    auto* b = new QToolButton;
    b->setIcon(icon(shape));
    b->setAutoRaise(true);
    b->setFixedSize(22, 22);
    b->setToolTip(tip);
    b->setAccessibleName(tip);
    actsAs(b, direction < 0 ? "selection.checkpoint-back" : "selection.checkpoint");
    connect(b, &QToolButton::clicked, this, [this, direction] { checkpoint(direction); });
    buttons->addWidget(b);
  };
  button(Icon::PreviousCheckpoint, tr("Previous checkpoint (Shift+,)"), -1);
  button(Icon::NextCheckpoint, tr("Next checkpoint (Shift+.)"), 1);
  auto* caption = new QLabel(tr("Step"));
  caption->setProperty("tone", "2");
  m_step = new QSpinBox;
  m_step->setToolTip(tr("The training step that all pages show"));
  actsAs(m_step, "selection.go-to-step");
  m_step->setFont(monoFont(12));
  m_step->setAccessibleName(tr("Step"));
  m_step->setKeyboardTracking(false);
  caption->setBuddy(m_step);
  buttons->addWidget(caption);
  buttons->addWidget(m_step, 1);
  column->addLayout(buttons);
  m_words = new ElidedLabel;
  m_words->setPixelSize(11);
  m_words->setTone(ElidedLabel::Tone::Text2);
  m_words->setElide(Qt::ElideMiddle);
  m_words->setKeepDim(true);
  column->addWidget(m_words);
  m_timeline = new Timeline;
  m_timeline->setWhatsThis(tr("The steps of the run with its checkpoints; drag to another step."));
  m_timeline->setAccessibleName(tr("Timeline of steps"));
  row->addWidget(left);
  row->addWidget(m_timeline, 1);
  connect(m_step, &QSpinBox::valueChanged, &m_selection, &Selection::setStep);
  connect(m_timeline, &Timeline::stepPicked, &m_selection, &Selection::setStep);
  connect(m_timeline, &Timeline::checkpointActivated, this, [this](int step) {
    if (const RunRecord* run = m_session.run(m_selection.run()))
      for (const CheckpointInfo& checkpoint : run->checkpoints)
        if (checkpoint.step == step) Q_EMIT checkpointActivated(QString::fromStdString(checkpoint.folder));
  });
  connect(&m_selection, &Selection::changed, this, &TimelineBar::refresh);
  connect(&m_session, &Session::stepArrived, this, &TimelineBar::refresh);
  connect(&m_session, &Session::runStatusChanged, this, &TimelineBar::refresh);
  refresh();
}

void TimelineBar::refresh() {
  const RunRecord* run = m_session.run(m_selection.run());
  setVisible(run != nullptr);
  if (!run) return;
  TimelineData data;
  data.last = std::max(run->status.totalSteps, run->status.step);
  data.now = run->steps.empty() ? run->status.step : run->steps.back()->step;
  data.live = run->status.state == RunState::Running;
  for (const CheckpointInfo& checkpoint : run->checkpoints) data.checkpoints.push_back(checkpoint.step);
  double epoch = 0;
  for (const StepPtr& step : run->steps) {
    if (!step->probes.empty()) data.probes.push_back(step->step);
    const auto found = step->metrics.find("training/epoch");
    if (found == step->metrics.end()) continue;
    if (found->second > epoch) data.epochs.push_back(step->step);  // the first step whose rows end in the next pass over the data
    epoch = found->second;
  }
  data.best = CheckpointList::bestStep(run->checkpoints);
  if (m_watched != m_selection.run() || m_watchedSteps > run->steps.size()) {
    std::vector<ConfigIssue> issues;
    m_watch = HealthWatch(parseConfig(run->yaml.toStdString(), run->status.directory, &issues).teacher.privilege != "none");
    m_watched = m_selection.run();
    m_watchedSteps = 0;
  }
  for (; m_watchedSteps < run->steps.size(); ++m_watchedSteps) m_watch.add(*run->steps[m_watchedSteps]);
  for (const HealthFinding& finding : m_watch.findings()) data.health.push_back({finding.step, QString::fromStdString(finding.words)});
  m_timeline->setData(data);
  const int step = m_selection.step() >= 0 ? std::min(m_selection.step(), std::max(0, data.now)) : data.now;
  m_timeline->setCursorStep(step);
  const QSignalBlocker block(m_step);
  m_step->setRange(0, std::max(0, data.now));
  m_step->setValue(step);
  m_words->setText(QString::fromStdString(run->status.run), QString::fromLatin1(runStateName(run->status.state)));
}

void TimelineBar::step(int by) {
  m_timeline->stepBy(by);
}

void TimelineBar::checkpoint(int direction) {
  m_timeline->toCheckpoint(direction);
}

void TimelineBar::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().panel);
  painter.fillRect(QRect(0, 0, width(), 1), colors().gap);
}

}  // namespace cuescope
