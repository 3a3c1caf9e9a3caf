#include "ui/tour.h"

#include <QApplication>
#include <QDir>
#include <QDropEvent>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QMimeData>
#include <QMouseEvent>
#include <QPixmap>
#include <QUrl>
#include <cstdio>

#include "ui/inspect_page.h"
#include "ui/panels/model_panel.h"
#include "ui/panels/tokens_panel.h"

namespace cuescope {

Tour::Tour(MainWindow& window, Session& session, const QString& folder, int trainingSteps)
    : m_trainingSteps(trainingSteps), m_window(window), m_session(session), m_folder(QDir(folder).absolutePath()) {
  QDir().mkpath(m_folder);
  m_limit.setSingleShot(true);
  connect(&m_limit, &QTimer::timeout, this, [this] {
    m_late = true;
    m_waiting = false;
    m_settle.start(0);
  });
  m_settle.setSingleShot(true);
  connect(&m_settle, &QTimer::timeout, this, &Tour::settle);
  // Whatever arrives may be what is waited for.
  connect(&session, &Session::engineStateChanged, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::inspectionArrived, this, [this](const InspectionPtr& inspection) { m_seen = inspection; }, Qt::DirectConnection);
  connect(&session, &Session::inspectionArrived, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::inspectionFailed, this, [this] { m_failureSeen = true; }, Qt::DirectConnection);
  connect(&session, &Session::inspectionFailed, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::modelFailed, this, [this] { m_failureSeen = true; }, Qt::DirectConnection);
  connect(&session, &Session::modelFailed, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::whatIfArrived, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::whatIfFailed, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::busyChanged, this, &Tour::poke, Qt::QueuedConnection);
  connect(window.inspectPage(), &InspectPage::viewChanged, this, &Tour::poke, Qt::QueuedConnection);
  connect(window.inspectPage()->model(), &ModelPanel::normsArrived, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::rowsArrived, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::stepArrived, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::runStatusChanged, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::runFailed, this, &Tour::poke, Qt::QueuedConnection);
  connect(&session, &Session::checkpointWritten, this, &Tour::poke, Qt::QueuedConnection);
}

void Tour::start() {
  plan();
  m_whole.start();
  QTimer::singleShot(0, this, &Tour::next);
}

void Tour::next() {
  if (m_at >= m_steps.size()) return finish();
  const Step& step = m_steps[m_at];
  std::printf("tour %2zu of %zu  %s ... ", m_at + 1, m_steps.size(), qPrintable(step.name));
  std::fflush(stdout);
  m_clock.start();
  m_late = false;
  m_failureSeen = false;
  m_waiting = true;
  m_limit.start(step.limitMs);
  if (step.act) step.act();
  poke();
}

void Tour::poke() {
  if (!m_waiting) return;
  const Step& step = m_steps[m_at];
  if (step.until && !step.until()) return;
  m_waiting = false;
  m_limit.stop();
  m_settle.start(0);  // after the events that this state has posted
}

void Tour::settle() {
  const Step& step = m_steps[m_at];
  const double seconds = double(m_clock.elapsed()) / 1000;
  QString wrong = m_late ? QStringLiteral("not within %1 s").arg(step.limitMs / 1000) : step.check ? step.check() : QString();
  const QString shot = picture(QStringLiteral("%1-%2").arg(m_at + 1, 2, 10, QLatin1Char('0')).arg(step.name));
  const bool passed = wrong.isEmpty();
  m_passed = m_passed && passed;
  m_log.append(QJsonObject{{"step", step.name}, {"seconds", seconds}, {"asserted", step.asserted}, {"passed", passed}, {"wrong", wrong}, {"picture", shot}});
  std::printf("%s, %.2f s%s%s\n", passed ? "passed" : "FAILED", seconds, passed ? "" : ": ", qPrintable(wrong));
  std::fflush(stdout);
  // Nothing after these can be true without them.
  static const QStringList kEssential = {QStringLiteral("engine"), QStringLiteral("demo-scene"), QStringLiteral("train-start"), QStringLiteral("train-watch")};
  if (!passed && kEssential.contains(step.name)) return finish();
  ++m_at;
  QTimer::singleShot(0, this, &Tour::next);
}

QString Tour::picture(const QString& name) {
  const QString file = name + QStringLiteral(".png");
  // A value of another width moves its neighbours first; every call hands the request on to one more level of layouts.
  for (int level = 0; level < 16; ++level) QApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);
  return m_window.grab().save(m_folder + u'/' + file) ? file : QString();
}

void Tour::finish() {
  const QJsonObject whole{{"passed", m_passed}, {"seconds", double(m_whole.elapsed()) / 1000}, {"steps", m_log}, {"version", QApplication::applicationVersion()}};
  QFile file(m_folder + QStringLiteral("/tour.json"));
  const bool written = file.open(QIODevice::WriteOnly) && file.write(QJsonDocument(whole).toJson()) > 0;
  Q_EMIT finished(m_passed && written);
}

QString Tour::writeFile(const QString& name, const QByteArray& bytes) {
  const QString path = m_folder + u'/' + name;
  QFile file(path);
  if (file.open(QIODevice::WriteOnly)) file.write(bytes);
  return path;
}

QByteArray Tour::bytesOf(const QString& name) const {
  QFile file(m_folder + u'/' + name);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

// A drop as the window system delivers one.
void Tour::dropFile(const QString& path) {
  QMimeData data;
  data.setUrls({QUrl::fromLocalFile(path)});
  const QPointF at = m_window.rect().center();
  QDragEnterEvent enter(at.toPoint(), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&m_window, &enter);
  QDropEvent drop(at, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&m_window, &drop);
}

void Tour::clickToken(int token) {
  TokenStrip* strip = m_window.inspectPage()->tokens()->strip();
  const QPointF at = strip->tokenRect(token).center();
  QWidget* viewport = strip->viewport();
  for (auto type : {QEvent::MouseButtonPress, QEvent::MouseButtonRelease}) {
    QMouseEvent event(type, at, viewport->mapToGlobal(at), Qt::LeftButton, type == QEvent::MouseButtonPress ? Qt::LeftButton : Qt::NoButton, Qt::NoModifier);
    QApplication::sendEvent(viewport, &event);
  }
}

}  // namespace cuescope
