#include "ui/drags.h"

#include <QAbstractItemView>
#include <QApplication>
#include <QComboBox>
#include <QDateTime>
#include <QDir>
#include <QDrag>
#include <QFile>
#include <QHeaderView>
#include <QImage>
#include <QMimeData>
#include <QMouseEvent>
#include <QScrollBar>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTimer>
#include <QUrl>

#include "ui/data_cue_canvas.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/page_view.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/train_page.h"
#include "widgets/accessible_cells.h"
#include "widgets/curve_plot.h"
#include "widgets/film_strip.h"
#include "widgets/image_canvas.h"
#include "widgets/timeline.h"

namespace cuescope {
namespace {

constexpr qint64 kKeptHours = 24;  // of what was carried out: its receiver may read it after this program has ended

// In the person's own cache, not in a folder that all people of the machine share.
QString carriedFolder() { return QStandardPaths::writableLocation(QStandardPaths::CacheLocation) + QStringLiteral("/carried"); }

void forgetOldCarried() {
  const QDateTime before = QDateTime::currentDateTime().addSecs(-kKeptHours * 3600);
  for (const QFileInfo& folder : QDir(carriedFolder()).entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot | QDir::NoSymLinks))
    if (folder.lastModified() < before) QDir(folder.absoluteFilePath()).removeRecursively();
}

constexpr int kFirstLookMs = 10'000;  // the start has other work
constexpr int kBeyond = 12;  // px outside the window: a hand that slips over the edge does not carry anything away

template <class T>
T* above(QWidget* widget) {
  for (QWidget* at = widget; at; at = at->isWindow() ? nullptr : at->parentWidget())
    if (auto* found = qobject_cast<T*>(at)) return found;
  return nullptr;
}

int entryOf(const QComboBox* box, const QString& run, const QString& path) {
  if (!path.isEmpty()) return box->findData(path);
  for (const QString& text : {run, MainWindow::tr("run %1").arg(run)})
    if (const int at = box->findText(text); at >= 0) return at;
  return -1;
}

bool draws(const QWidget* widget) {
  for (const QWidget* at = widget; at; at = at->isWindow() ? nullptr : at->parentWidget()) {
    if (const auto* canvas = qobject_cast<const ImageCanvas*>(at)) return canvas->tool() != ImageCanvas::Tool::Move;
    if (const auto* canvas = qobject_cast<const CueCanvas*>(at)) return canvas->tool() != CueCanvas::Tool::Move || canvas->selected() >= 0;
    if (qobject_cast<const Timeline*>(at)) return true;  // it is of no page
  }
  return false;
}

bool isView(QWidget* widget) {
  for (QWidget* at = widget; at; at = at->isWindow() ? nullptr : at->parentWidget()) {
    if (qobject_cast<QScrollBar*>(at) || qobject_cast<QHeaderView*>(at)) return false;
    if (auto* table = qobject_cast<QAbstractItemView*>(at)) return !table->dragEnabled();  // the navigator's rows have a drag of their own
    if (dynamic_cast<CellSource*>(at) || qobject_cast<FactTable*>(at)) return true;
  }
  return false;
}

/// The plot whose title row lies there, -1: none.
int titleAt(const CurveGrid* grid, const QPoint& globalPosition) {
  const QPointF at = grid->mapFromGlobal(QPointF(globalPosition));
  const int panel = grid->panelAt(at);
  return panel >= 0 && at.y() < grid->axesRect(panel).top() ? panel : -1;
}

// The view's own drag ends where it is; what was panned stays so.
void letGo(QWidget* from, const QMouseEvent& mouse) {
  QMouseEvent release(QEvent::MouseButtonRelease, mouse.position(), mouse.globalPosition(), Qt::LeftButton, Qt::NoButton, mouse.modifiers());
  QApplication::sendEvent(from, &release);
}

}  // namespace

bool dropInside(MainWindow& window, const QPoint& position, const QMimeData& data, bool apply) {
  const QString run = QString::fromUtf8(data.data(kRunMime)), path = QString::fromUtf8(data.data(kEntryMime)), curve = QString::fromUtf8(data.data(kCurveMime));
  if (run.isEmpty() && path.isEmpty()) return false;
  QWidget* under = window.childAt(position);
  if (const auto* grid = above<CurveGrid>(under); grid && !curve.isEmpty() && window.page() == MainWindow::Train && grid == window.trainPage()->curves()) {
    const int into = grid->panelAt(QPointF(grid->mapFrom(&window, position)));
    return into >= 0 && window.trainPage()->layCurve(grid->panels()[std::size_t(into)].id, curve, apply);
  }
  if (auto* box = above<QComboBox>(under); box && box->isEnabled()) {
    const int at = entryOf(box, run, path);
    if (at < 0) return false;
    if (apply) {
      box->setCurrentIndex(at);
      Q_EMIT box->activated(at);
    }
    return true;
  }
  if (run.isEmpty() || window.page() != MainWindow::Train || window.onStart()) return false;
  if (!above<CurveGrid>(under) && !above<FilmStrip>(under)) return false;
  TrainPage* train = window.trainPage();
  if (run == train->shownRun()) return false;
  if (apply) train->shownRun().isEmpty() ? window.selection().setRun(run) : train->compareRun(run);
  return true;
}

ViewDrag::ViewDrag(MainWindow& window) : QObject(&window), m_window(window) {
  QTimer::singleShot(kFirstLookMs, this, &forgetOldCarried);
  m_carry = [this](QMimeData* data) {
    auto* drag = new QDrag(&m_window);  // Qt deletes it when it is over
    drag->setMimeData(data);
    if (const QImage picture = qvariant_cast<QImage>(data->imageData()); !picture.isNull()) drag->setPixmap(QPixmap::fromImage(picture.scaled(160, 120, Qt::KeepAspectRatio, Qt::SmoothTransformation)));
    drag->exec(Qt::CopyAction);
  };
}

QMimeData* ViewDrag::dataOf(bool csv) const {
  static const char* const kPages[] = {"inspect", "train", "rollouts", "data", "evaluate"};
  ViewSource* source = m_window.shownViews();
  const QString view = source ? source->currentView() : m_window.inspectPage()->exportView();
  QMimeData* data = carried(QStringLiteral("%1-%2").arg(QLatin1String(kPages[m_window.page()]), view), csv, [this](const QString& file) { return m_window.exportView(file); });
  if (data) data->setData(kViewMime, view.toUtf8());
  return data;
}

QMimeData* ViewDrag::curveData(int panel, bool csv) const {
  TrainPage* train = m_window.trainPage();
  const std::vector<CurvePanel>& panels = train->curves()->panels();
  if (panel < 0 || std::size_t(panel) >= panels.size()) return nullptr;
  const QString id = panels[std::size_t(panel)].id;
  QMimeData* data = carried(QStringLiteral("train-") + QString(id).replace(u'/', u'-'), csv, [&](const QString& file) {
    try {
      exportPageView(file, train->curveView(panel), kPngScale);
      return true;
    } catch (...) {
      train->showFailure(currentFailure("carrying a curve"));
      return false;
    }
  });
  if (!data) return nullptr;
  data->setData(kCurveMime, id.toUtf8());
  data->setData(kRunMime, train->shownRun().toUtf8());
  return data;
}

QMimeData* ViewDrag::carried(const QString& name, bool csv, const std::function<bool(const QString&)>& write) const {
  forgetOldCarried();
  QDir().mkpath(carriedFolder());
  QTemporaryDir folder(carriedFolder() + QStringLiteral("/XXXXXX"));
  const QString file = folder.filePath(name + (csv ? QStringLiteral(".csv") : QStringLiteral(".png")));
  if (!write(file)) return nullptr;
  folder.setAutoRemove(false);
  auto* data = new QMimeData;
  data->setUrls({QUrl::fromLocalFile(file)});
  QFile written(file);
  if (!written.open(QIODevice::ReadOnly)) return data;
  const QByteArray bytes = written.readAll();
  if (csv) data->setText(QString::fromUtf8(bytes));
  else data->setImageData(QImage::fromData(bytes));
  return data;
}

bool ViewDrag::moveCurve(QMouseEvent* mouse) {
  if ((mouse->globalPosition().toPoint() - m_pressedAt).manhattanLength() < QApplication::startDragDistance()) return true;
  letGo(std::exchange(m_pressed, nullptr), *mouse);
  if (QMimeData* data = curveData(std::exchange(m_curve, -1), mouse->modifiers() & Qt::ControlModifier)) m_carry(data);
  return true;
}

bool ViewDrag::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::MouseButtonPress) {
    auto* widget = qobject_cast<QWidget*>(watched);
    if (!widget || !m_window.isAncestorOf(widget) || m_window.onStart()) return false;
    auto* mouse = static_cast<QMouseEvent*>(event);
    if (mouse->button() != Qt::LeftButton || !isView(widget) || draws(widget)) return false;
    m_pressed = widget;
    m_pressedAt = mouse->globalPosition().toPoint();
    const auto* grid = above<CurveGrid>(widget);
    m_curve = grid && m_window.page() == MainWindow::Train && grid == m_window.trainPage()->curves() ? titleAt(grid, m_pressedAt) : -1;
    return false;
  }
  if (event->type() == QEvent::MouseButtonRelease) m_pressed = nullptr;
  if (event->type() != QEvent::MouseMove || !m_pressed || watched != m_pressed) return false;
  auto* mouse = static_cast<QMouseEvent*>(event);
  if (!(mouse->buttons() & Qt::LeftButton)) {
    m_pressed = nullptr;
    return false;
  }
  if (m_curve >= 0) return moveCurve(mouse);
  const QPoint at = mouse->globalPosition().toPoint();
  const QWidget* top = m_pressed->window();
  if (QRect(top->mapToGlobal(QPoint(0, 0)), top->size()).adjusted(-kBeyond, -kBeyond, kBeyond, kBeyond).contains(at)) return false;
  letGo(std::exchange(m_pressed, nullptr), *mouse);
  if (QMimeData* data = dataOf(mouse->modifiers() & Qt::ControlModifier)) m_carry(data);
  return true;
}

}  // namespace cuescope
