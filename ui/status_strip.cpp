#include "ui/status_strip.h"

#include <QFile>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QTimer>
#include <unistd.h>

#include "ui/session.h"
#include "widgets/task_progress.h"
#include "widgets/theme.h"

namespace cuescope {

namespace {

// Words in a frame of their own height: a QLabel's box would take the strip's whole height and lose two of its sides.
class FramedWords : public QLabel {
 public:
  using QLabel::QLabel;
  QSize sizeHint() const override { return {fontMetrics().horizontalAdvance(text()) + 14, 18}; }
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    painter.setPen(colors().lineStrong);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
    painter.setFont(font());
    painter.setPen(colors().text);
    painter.drawText(rect(), Qt::AlignCenter, text());
  }
};

}  // namespace

MemoryUse memoryUse() {
  MemoryUse use;
  QFile own(QStringLiteral("/proc/self/statm"));
  if (own.open(QIODevice::ReadOnly)) {
    const QList<QByteArray> parts = own.readAll().split(' ');
    if (parts.size() > 1) use.used = parts[1].toDouble() * double(sysconf(_SC_PAGESIZE));
  }
  QFile machine(QStringLiteral("/proc/meminfo"));
  if (machine.open(QIODevice::ReadOnly))
    for (const QByteArray& line : machine.readAll().split('\n')) {
      const double bytes = line.simplified().split(' ').value(1).toDouble() * 1024;
      if (line.startsWith("MemTotal:")) use.total = bytes;
      if (line.startsWith("MemAvailable:")) use.free = bytes;
    }
  return use;
}

QString troubleText(const DoctorLine& line) {
  const QString found = StatusStrip::tr("%1: %2.").arg(QString::fromStdString(line.name), QString::fromStdString(line.value));
  return line.advice.empty() ? found : found + u' ' + QString::fromStdString(line.advice);
}

StatusStrip::StatusStrip(Session& session, QWidget* parent) : Strip(24, Ground::Window, parent), m_session(session) {
  QHBoxLayout* row = this->row();
  row->setContentsMargins(8, 0, 8, 0);
  row->setSpacing(12);
  m_task = new TaskProgress;
  const auto label = [&](const QString& name) {
    auto* l = new QLabel;
    l->setProperty("tone", "2");
    l->setFont(uiFont(11));
    l->setAccessibleName(name);
    return l;
  };
  m_demo = new FramedWords;
  m_demo->setFont(uiFont(11));
  m_demo->setFixedHeight(18);
  m_demo->setAccessibleName(tr("Demo mark"));
  m_demo->hide();
  m_queue = label(tr("Queue"));
  m_memory = label(tr("Memory"));
  m_device = label(tr("Device"));
  row->addWidget(m_task, 1);
  row->addWidget(m_demo);
  row->addWidget(m_queue);
  row->addWidget(m_memory);
  row->addWidget(m_device);
  // What is computed and the demo mark stay; the rest stands on the Start page too.
  giveWay(m_queue, 1);
  giveWay(m_device, 2);
  giveWay(m_memory, 3);
  m_forget = new QTimer(this);
  m_forget->setSingleShot(true);
  connect(m_forget, &QTimer::timeout, this, [this] {
    m_said.clear();
    refresh();
  });
  auto* memory = new QTimer(this);
  memory->setInterval(2000);
  connect(memory, &QTimer::timeout, this, &StatusStrip::refreshMemory);
  memory->start();
  connect(&session, &Session::busyChanged, this, &StatusStrip::refreshMemory);
  connect(&session, &Session::doctorArrived, this, &StatusStrip::refreshMemory);
  connect(m_task, &TaskProgress::cancelRequested, &session, &Session::cancelCurrent);
  connect(&session, &Session::tasksChanged, this, &StatusStrip::refresh);
  connect(&session, &Session::evaluationChanged, this, &StatusStrip::refresh);
  connect(&session, &Session::engineStateChanged, this, &StatusStrip::refresh);
  connect(&session, &Session::busyChanged, this, &StatusStrip::refresh);
  connect(&session, &Session::progressChanged, this, &StatusStrip::refresh);
  connect(&session, &Session::runStatusChanged, this, &StatusStrip::refresh);
  connect(&session, &Session::doctorArrived, this, &StatusStrip::refresh);
  refresh();
  refreshMemory();
}

void StatusStrip::setDemoMark(const QString& words) {
  m_demo->setText(words);
  m_demo->setVisible(!words.isEmpty());
}

void StatusStrip::say(const QString& words) {
  m_said = words;
  m_forget->start(8000);
  refresh();
}

QString StatusStrip::words() const {
  return m_words;
}

void StatusStrip::refresh() {
  const std::optional<TaskInfo> task = m_session.currentTask();
  const RunRecord* own = m_session.ownRun();
  const bool trains = own && (own->status.state == RunState::Running || own->status.state == RunState::Stopping);
  const QString noCancel = task ? task->notCancellable : tr("Nothing that can be cancelled; the run has its own Stop");
  m_task->setCancellable(noCancel.isEmpty(), noCancel);
  if (m_session.engineState() == EngineState::Loading || m_session.engineState() == EngineState::NotStarted) {
    m_words = tr("Loading the engine");
    m_task->setTask(m_words, 0, 0, -1);
  } else if (m_session.engineState() == EngineState::Failed) {
    m_words = tr("No engine: %1").arg(QString::fromStdString(m_session.engineFailure().what));
    m_task->setIdle(m_words);
  } else if (task) {
    m_words = trains ? tr("%1 · training, step %2").arg(task->words).arg(own->status.step + 1) : task->words;
    m_task->setTask(m_words, task->done, task->total, task->secondsLeft);
  } else if (trains) {
    const RunStatus& status = own->status;
    m_words = own->status.state == RunState::Stopping
                  ? tr("Stopping %1").arg(QString::fromStdString(status.run))
                  : status.phaseTotal > 0 ? tr("Training, step %1: %2 %3 of %4").arg(status.step + 1).arg(QString::fromStdString(status.phase)).arg(status.phaseDone).arg(status.phaseTotal)
                                        : tr("Training, step %1").arg(status.step + 1);
    m_task->setTask(m_words, status.step, status.totalSteps, status.secondsLeft);
  } else if (m_session.evaluationState() == EvaluationState::Paused) {
    const Progress& judged = m_session.evaluationProgress();
    m_words = tr("The evaluation is paused");
    m_task->setTask(m_words, judged.done, judged.total, -1);
    m_task->setCancellable(true);
  } else if (!m_said.isEmpty()) {
    m_words = m_said;
    m_task->setIdle(m_words);
  } else if (own && own->status.state == RunState::Paused) {
    m_words = tr("%1 is paused at step %2").arg(QString::fromStdString(own->status.run)).arg(own->status.step);
    m_task->setIdle(m_words);
  } else {
    m_words = tr("Engine ready");
    m_task->setIdle(m_words);
  }
  m_queue->setText(tr("Queue %1").arg(m_session.waiting()));
  QString device = tr("CPU"), tip;
  for (const DoctorLine& line : m_session.doctorLines()) {
    if (line.name == kDoctorDevice) {
      const QStringList parts = QString::fromStdString(line.value).split(QStringLiteral(", "));
      device = parts.value(0).toUpper() + QStringLiteral(" · ") + parts.value(1);
      tip = QString::fromStdString(line.value);
    }
    if (line.name == kDoctorGpu && !line.ok) tip += u'\n' + troubleText(line);
  }
  m_device->setToolTip(tip.trimmed());
  for (const ModelInfo& model : m_session.models()) device = QString::fromStdString(model.device).toUpper() + QStringLiteral(" · ") + QString::fromStdString(model.dtype);
  m_device->setText(m_session.engineState() == EngineState::Ready ? device : tr("no device yet"));
}

void StatusStrip::refreshMemory() {
  const MemoryUse use = memoryUse();
  m_memory->setText(tr("Memory %1 of %2").arg(bytesText(use.used), bytesText(use.total)));
}

void StatusStrip::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), colors().window);
  painter.fillRect(QRect(0, 0, width(), 1), colors().line);
}

}  // namespace cuescope
