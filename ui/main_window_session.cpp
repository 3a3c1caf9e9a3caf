// The window's memory: geometry, layouts, recent things, and the session that is restored after a crash.
#include <QAction>
#include <QDataStream>
#include <QFileInfo>
#include <QInputDialog>
#include <QJsonArray>
#include <QMenu>
#include <QScreen>
#include <QSettings>
#include <QShowEvent>
#include <QSplitter>
#include <QStackedWidget>
#include <QTimer>
#include <QWindow>

#include "engine/core/capture.h"
#include "ui/data_page.h"
#include "ui/inspect_page.h"
#include "ui/layouts.h"
#include "ui/main_window.h"
#include "ui/navigator.h"
#include "ui/notice_bar.h"
#include "ui/page_bar.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/train_new_run.h"
#include "ui/panels/train_page.h"
#include "ui/preferences.h"
#include "ui/roomy_page.h"
#include "ui/session_file.h"
#include "ui/status_strip.h"

namespace cuescope {
namespace {

// What is set is at most eight seconds: with the write itself under the ten that may be lost.
int autosaveMs() { return 1000 * Preferences::instance().number(preference::kAutosave); }
constexpr int kRunLimit = 20;
constexpr quint32 kLayoutMagic = 0x43554c58;  // CULX: the navigator folds

QString settingsName(const QString& layout) {
  return QStringLiteral("layouts/") + QString::fromLatin1(layout.toUtf8().toPercentEncoding());
}

QJsonObject selectionJson(const SelectionState& s) {
  return {{"run", s.run}, {"step", s.step}, {"sample", s.sample}, {"token", s.token}, {"site", int(s.site)}, {"layer", s.layer}, {"head", s.head}};
}

SelectionState selectionFrom(const QJsonObject& json) {
  SelectionState s;
  s.run = json["run"].toString();
  s.step = json["step"].toInt(-1);
  s.sample = json["sample"].toString();
  s.token = json["token"].toInt(-1);
  s.site = Site(std::clamp(json["site"].toInt(), 0, int(Site::Occlusion)));
  s.layer = json["layer"].toInt(-1);
  s.head = json["head"].toInt(kHeadMean);
  return s;
}

}  // namespace

// The first start has no stored size, and a stored one may come from a larger screen.
// What the window's frame takes is known only once the window is shown: showEvent() comes back here.
void MainWindow::fitScreen() {
  const QMargins frame = windowHandle() ? windowHandle()->frameMargins() : QMargins();
  const QRect room = screen()->availableGeometry() - QMargins(0, 0, frame.left() + frame.right(), frame.top() + frame.bottom());
  setMinimumSize(std::min(640, room.width()), std::min(440, room.height()));
  if (isMaximized() || isFullScreen()) return;
  resize(std::min(width(), room.width()), std::min(height(), room.height()));
  QRect at(pos(), size());
  if (at.right() > room.right()) at.moveRight(room.right());
  if (at.bottom() > room.bottom()) at.moveBottom(room.bottom());
  if (at.left() < room.left()) at.moveLeft(room.left());
  if (at.top() < room.top()) at.moveTop(room.top());
  if (at.topLeft() != pos()) move(at.topLeft());
  m_fitted = size();
}

void MainWindow::showEvent(QShowEvent* event) {
  QMainWindow::showEvent(event);
  if (!event->spontaneous() && size() == m_fitted) fitScreen();  // a size that was given since then stands
}

void MainWindow::restoreState() {
  QSettings settings;
  const QByteArray geometry = settings.value(QStringLiteral("window/geometry")).toByteArray();
  resize(1600, 1000);
  if (!geometry.isEmpty() && !restoreGeometry(geometry)) m_notice->say(tr("The stored size of the window is damaged; the default is used."));
  fitScreen();
  const QByteArray layout = settings.value(QStringLiteral("window/layout")).toByteArray();
  if (!layout.isEmpty() && !restoreLayoutState(layout)) m_notice->say(tr("The stored layout is damaged or of another version; the default is used."));
}

void MainWindow::saveState() {
  QSettings settings;
  settings.setValue(QStringLiteral("window/geometry"), saveGeometry());
  settings.setValue(QStringLiteral("window/layout"), layoutState());
}

// Pages are built when they are first needed: their default places are known then, and what is kept for them applies then.
void MainWindow::adoptPage() {
  const int index = m_stack->currentIndex();
  QWidget* shown = pageWidget(index);
  if (!shown || m_defaultLayouts.contains(shown)) return;
  markPage(shown);
  m_defaultLayouts.insert(shown, layoutOf(shown));
  if (m_keptLayouts.contains(index)) applyLayout(shown, m_keptLayouts.take(index));
}

QByteArray MainWindow::layoutState() const {
  QByteArray bytes;
  QDataStream out(&bytes, QIODevice::WriteOnly);
  out.setVersion(QDataStream::Qt_6_4);
  QHash<int, QByteArray> pages = m_keptLayouts;
  for (int i = 0; i < PageCount; ++i)
    if (QWidget* page = pageWidget(i); m_defaultLayouts.contains(page)) pages[i] = layoutOf(page);
  // What was folded for want of room is not folded by choice.
  out << kLayoutMagic << qint32(m_navigator->isRail() ? m_navigatorWidth : m_navigator->width()) << (m_narrow || !m_navigator->isRail()) << pages;
  return bytes;
}

bool MainWindow::restoreLayoutState(const QByteArray& state) {
  QDataStream in(state);
  in.setVersion(QDataStream::Qt_6_4);
  quint32 magic = 0;
  qint32 navigatorWidth = 0;
  bool navigator = true;
  QHash<int, QByteArray> pages;
  in >> magic >> navigatorWidth >> navigator >> pages;
  if (in.status() != QDataStream::Ok || magic != kLayoutMagic || navigatorWidth < 100 || navigatorWidth > 2000) return false;
  setNavigatorWidth(navigatorWidth);
  if (width() >= kNarrow) setRail(!navigator);
  bool all = true;
  m_keptLayouts.clear();
  for (auto it = pages.begin(); it != pages.end(); ++it) {
    if (it.key() < 0 || it.key() >= PageCount) continue;
    QWidget* page = pageWidget(it.key());
    if (m_defaultLayouts.contains(page)) all = applyLayout(page, it.value()) && all;
    else m_keptLayouts.insert(it.key(), it.value());
  }
  return all;
}

QStringList MainWindow::layouts() const {
  QSettings settings;
  settings.beginGroup(QStringLiteral("layouts"));
  QStringList names;
  for (const QString& key : settings.childKeys()) names << QString::fromUtf8(QByteArray::fromPercentEncoding(key.toLatin1()));
  names.sort(Qt::CaseInsensitive);
  return names;
}

void MainWindow::saveLayout(const QString& name) {
  const QString clean = name.simplified().left(60);
  if (clean.isEmpty()) return m_status->say(tr("A layout needs a name"));
  const QString key = settingsName(clean);
  pushSetting(tr("Keep layout «%1»").arg(clean), [key, kept = layoutState()] { QSettings().setValue(key, kept); }, [key, before = QSettings().value(key)] { before.isValid() ? QSettings().setValue(key, before) : QSettings().remove(key); });
  m_status->say(tr("Layout «%1» is kept").arg(clean));
}

void MainWindow::useLayout(const QString& name) {
  const QByteArray state = QSettings().value(settingsName(name)).toByteArray();
  if (state.isEmpty()) return m_status->say(tr("There is no layout of that name"));
  if (!restoreLayoutState(state)) m_notice->say(tr("The layout «%1» is damaged or of another version; what fits of it is used.").arg(name));
}

void MainWindow::removeLayout(const QString& name) {
  const QString key = settingsName(name);
  pushSetting(tr("Forget layout «%1»").arg(name), [key] { QSettings().remove(key); }, [key, kept = QSettings().value(key)] { QSettings().setValue(key, kept); });
  m_status->say(tr("Layout «%1» is forgotten").arg(name));
}

void MainWindow::resetLayout() {
  m_keptLayouts.clear();
  setRail(width() < kNarrow);
  setNavigatorWidth(kNavigatorWidth);
  for (int i = 0; i < m_stack->count(); ++i) {
    QWidget* page = pageWidget(i);
    if (auto* roomy = dynamic_cast<RoomyPage*>(page)) {
      roomy->setRoomLayouts({});
      roomy->defaultPlaces();
    } else if (m_defaultLayouts.contains(page)) {
      applyLayout(page, m_defaultLayouts[page]);
    }
  }
}

void MainWindow::nameLayout() {
  auto* dialog = new QInputDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("Keep layout"));
  dialog->setLabelText(tr("Name of the layout"));
  dialog->setOkButtonText(tr("Keep"));
  connect(dialog, &QInputDialog::textValueSelected, this, &MainWindow::saveLayout);
  dialog->show();
}

void MainWindow::fillLayoutMenu() {
  m_layoutMenu->clear();
  const QStringList names = layouts();
  if (names.isEmpty()) m_layoutMenu->addAction(tr("No layout is kept yet"))->setEnabled(false);
  for (const QString& name : names) connect(m_layoutMenu->addAction(name), &QAction::triggered, this, [this, name] { useLayout(name); });
  if (names.isEmpty()) return;
  QMenu* forget = m_layoutMenu->addMenu(tr("Forget"));
  for (const QString& name : names) connect(forget->addAction(name), &QAction::triggered, this, [this, name] { removeLayout(name); });
}

void MainWindow::fillRecentMenu() {
  m_recentMenu->clear();
  const QStringList paths = m_workspace.recent();
  if (paths.isEmpty()) m_recentMenu->addAction(tr("Nothing was opened yet"))->setEnabled(false);
  for (const QString& path : paths) {
    QAction* action = m_recentMenu->addAction(QStringLiteral("%1   %2").arg(QFileInfo(path).fileName(), kindWord(kindOf(path))));
    action->setToolTip(path);
    connect(action, &QAction::triggered, this, [this, path] { openPath(path); });
  }
  if (paths.isEmpty()) return;
  m_recentMenu->addSeparator();
  connect(m_recentMenu->addAction(tr("Forget all")), &QAction::triggered, this, [this, paths] { forgetPaths(tr("Forget recent things"), paths); });
}

void MainWindow::forgetPaths(const QString& words, const QStringList& paths) {
  const auto backs = std::make_shared<std::vector<std::function<void()>>>();
  const auto forget = [this, paths, backs] {
    backs->clear();
    for (const QString& path : paths) backs->push_back(m_workspace.forget(path));
  };
  pushSetting(words, forget, [backs] {
    for (std::size_t i = backs->size(); i-- > 0;) (*backs)[i]();
  });
}

QJsonObject MainWindow::sessionState() const {
  QJsonArray runs, region;
  for (const QString& name : m_session.runs())
    if (const RunRecord* run = m_session.run(name); run && runs.size() < kRunLimit) runs.append(QString::fromStdString(run->status.directory));
  for (int patch : m_inspect->map()->region()) region.append(patch);
  QJsonObject state{{"page", int(page())},
                    {"start", m_startShown},
                    {"selection", selectionJson(m_selection.state())},
                    {"request", requestToJson(m_inspect->askBar()->request())},
                    {"answer", m_inspect->inspection() != nullptr},
                    {"region", region},
                    {"runs", runs},
                    {"geometry", QString::fromLatin1(saveGeometry().toBase64())},
                    {"layout", QString::fromLatin1(layoutState().toBase64())}};
  if (m_train)
    if (const auto* form = m_train->findChild<NewRunForm*>(); form && !form->isHidden() && form->parentWidget() && form->isVisibleTo(m_train))
      state["new_run"] = QString::fromStdString(writeConfig(form->config()));
  QJsonObject parts;
  for (QWidget* widget : findChildren<QWidget*>())
    if (const auto* part = dynamic_cast<const SessionPart*>(widget)) parts[part->sessionKey()] = part->sessionState();
  state["parts"] = parts;
  return state;
}

void MainWindow::restoreSession(const QJsonObject& state, const QString& capture) {
  restoreGeometry(QByteArray::fromBase64(state["geometry"].toString().toLatin1()));
  fitScreen();
  restoreLayoutState(QByteArray::fromBase64(state["layout"].toString().toLatin1()));
  for (const QJsonValue& directory : state["runs"].toArray()) {
    Failure failure;
    if (kindOf(directory.toString()) == PathKind::Run && !m_session.followRun(directory.toString(), &failure)) m_status->say(QString::fromStdString(failure.what));
  }
  const InspectRequest request = requestFromJson(state["request"].toObject());
  if (state["answer"].toBool() && !capture.isEmpty()) {
    try {
      m_inspect->show(readCapture(capture.toStdString()).inspection);
    } catch (...) {
      m_inspect->showFailure(currentFailure("restoring the last answer"));
    }
  }
  m_inspect->askBar()->setRequest(request);
  std::vector<int> region;
  for (const QJsonValue& patch : state["region"].toArray()) region.push_back(patch.toInt());
  if (m_inspect->inspection() && !region.empty()) m_inspect->map()->setRegion(region);
  const int page = std::clamp(state["page"].toInt(), 0, int(PageCount) - 1);
  if (state["start"].toBool(true)) showStart();
  else setPage(Page(page));
  if (const QString yaml = state["new_run"].toString(); !yaml.isEmpty()) {
    std::vector<ConfigIssue> issues;
    trainPage()->newRun();
    trainPage()->form()->setConfig(parseConfig(yaml.toStdString(), {}, &issues));
  }
  const QJsonObject parts = state["parts"].toObject();
  for (QWidget* widget : findChildren<QWidget*>())
    if (auto* part = dynamic_cast<SessionPart*>(widget); part && parts.contains(part->sessionKey())) part->restoreSessionState(parts[part->sessionKey()].toObject());
  m_selection.set(selectionFrom(state["selection"].toObject()));
}

void MainWindow::startFresh() {
  m_sessionFile->forgetCapture();
  m_inspect->askBar()->setRequest({});
  m_inspect->map()->clearRegion();
  m_selection.set({});
  resetLayout();
  showStart();
}

void MainWindow::keepSession() {
  m_sessionFile = std::make_unique<SessionFile>();
  if (!m_sessionFile->lock()) {
    m_sessionFile.reset();
    m_status->say(tr("Another window of Cuescope keeps the session; this one keeps none"));
    return;
  }
  connect(m_sessionFile.get(), &SessionFile::failed, this, [this](const QString& sentence) { m_notice->say(sentence); });
  QString damaged;
  const auto found = m_sessionFile->read(&damaged);
  if (!damaged.isEmpty()) m_notice->say(damaged);
  if (found) {
    const auto restore = [this, state = found->state, capture = found->capture] { restoreSession(state, capture); };
    m_earlierSession = true;
    refreshActions();
    connect(m_actions["file.session"], &QAction::triggered, this, restore);
    const QString reopen = Preferences::instance().text(preference::kReopen);
    if (found->ended && reopen == u"always") restore();
    else if (!found->ended && reopen == u"never") m_notice->say(tr("Cuescope ended without closing. Its session of %1 is kept: File, Reopen the last session.").arg(found->saved));
    else if (!found->ended) {
      restore();
      m_notice->say(tr("Cuescope ended without closing. This is its session of %1; nothing was computed again.").arg(found->saved),
                    {{tr("Start fresh"), tr("Forget the restored session and go to the start page"), [this] { startFresh(); }}});
    }
  }
  connect(&m_session, &Session::inspectionArrived, this, [this](const InspectionPtr& inspection) {
    if (inspection) m_sessionFile->keep(inspection, m_inspect->shownRequest());
  });
  m_autosave = new QTimer(this);
  m_autosave->setInterval(autosaveMs());
  connect(&Preferences::instance(), &Preferences::changed, this, [this](const QString& key) {
    if (key == QLatin1String(preference::kAutosave)) m_autosave->setInterval(autosaveMs());
  });
  connect(m_autosave, &QTimer::timeout, this, [this] { m_sessionFile->write(sessionState()); });
  m_autosave->start();
  m_sessionFile->write(sessionState());
}

}  // namespace cuescope
