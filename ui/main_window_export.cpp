// What leaves the window: views, captures, reports, the clipboard.
#include <QAbstractItemView>
#include <QApplication>
#include <QClipboard>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QRegularExpression>
#include <QTableView>
#include <algorithm>
#include <memory>

#include "engine/core/capture.h"
#include "ui/data_page.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/notice_bar.h"
#include "ui/page_view.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/train_page.h"
#include "ui/report.h"
#include "ui/rollouts_page.h"
#include "ui/status_strip.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {
constexpr qsizetype kCopiedRows = 100'000;  // more is no text to paste
}

ExportChoice MainWindow::exportChoice() const {
  return m_inspect->exportChoice();
}

// The page that is shown, when its views are values of their own; null on Inspect and on the start page.
ViewSource* MainWindow::viewSource() const {
  if (onStart()) return nullptr;
  switch (page()) {
    case Train: return m_train;
    case Rollouts: return m_rollouts;
    case Data: return m_data;
    case Evaluate: return m_evaluate;
    default: return nullptr;
  }
}

void MainWindow::showFailureHere(const Failure& failure) {
  if (ViewSource* source = viewSource()) return source->showFailure(failure);
  setPage(Inspect);
  m_inspect->showFailure(failure);
}

bool MainWindow::exportView(const QString& file) {
  try {
    if (ViewSource* source = viewSource()) {
      source->exportTo(file, m_exportScale);
    } else {
      const InspectionPtr& shown = m_inspect->inspection();
      if (!shown) throw Error("There is nothing to export yet", "Inspect", "no answer has arrived", "Ask a question first.");
      const InspectionPtr& beside = m_inspect->besideInspection();
      const ExportChoice choice = exportChoice();
      exportTo(file, *shown, m_inspect->shownRequest(), choice, beside.get());
      if (choice.besideCapture && beside && !file.endsWith(QStringLiteral(".capture"))) {  // the recipe needs both looks
        InspectRequest other = m_inspect->shownRequest();
        other.student = beside->student.folder;
        writeCapture((file + QStringLiteral(".beside.capture")).toStdString(), *beside, captureInfo(*beside, other));
      }
      if (file.endsWith(QStringLiteral(".capture"))) m_workspace.addCapture(file);
    }
    m_status->say(tr("Written: %1").arg(file));
    return true;
  } catch (...) {
    showFailureHere(currentFailure("exporting"));
    return false;
  }
}

namespace {

/// A name that says what is in the file and that no file of the folder has yet.
QString proposedName(const QDir& folder, const QString& subject, const QString& what, const QString& suffix) {
  QString name = (subject.isEmpty() ? QString() : QFileInfo(subject).completeBaseName() + u'-') + what;
  name.replace(QRegularExpression(QStringLiteral("[^\\w-]+")), QStringLiteral("-"));
  QString free = name + u'.' + suffix;
  for (int i = 2; folder.exists(free); ++i) free = QStringLiteral("%1-%2.%3").arg(name).arg(i).arg(suffix);
  return free;
}

}  // namespace

// Not modal: a run goes on, and what is exported is the view as it is when the file is named.
void MainWindow::saveDialog(const QString& title, const QStringList& formats) {
  static const QHash<QString, QString> kFilters = {{QStringLiteral("png"), tr("PNG picture (*.png)")}, {QStringLiteral("svg"), tr("SVG drawing (*.svg)")},
                                                   {QStringLiteral("pdf"), tr("PDF (*.pdf)")},         {QStringLiteral("csv"), tr("Numbers as CSV (*.csv)")},
                                                   {QStringLiteral("npz"), tr("Numbers as NPZ (*.npz)")}, {QStringLiteral("capture"), tr("Capture (*.capture)")}};
  auto* dialog = new QFileDialog(this, title);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setModal(false);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  QStringList filters;
  for (const QString& format : formats) filters << kFilters.value(format);
  dialog->setNameFilters(filters);
  dialog->setDefaultSuffix(formats.front());
  const QString what = formats.front() == u"capture" ? QStringLiteral("look") : viewSource() ? viewSource()->currentView() : m_inspect->exportView();
  dialog->selectFile(proposedName(dialog->directory(), page() == Train || page() == Rollouts ? m_selection.run() : m_selection.sample(), what, formats.front()));
  connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) { dialog->setDefaultSuffix(filter.section(QStringLiteral("*."), 1).chopped(1)); });
  // The page may have been left meanwhile: what was asked for is what is written.
  connect(dialog, &QFileDialog::fileSelected, this, [this, page = page(), view = viewSource() ? viewSource()->currentView() : m_inspect->exportView()](const QString& file) {
    setPage(page);
    if (ViewSource* source = viewSource()) source->setCurrentView(view);
    else m_inspect->setExportView(view);
    exportView(file);
  });
  dialog->show();
}

void MainWindow::exportDialog() {
  ViewSource* source = viewSource();
  if (!source) return saveDialog(tr("Export: %1").arg(m_inspect->exportView()), figureFormats() + QStringList{QStringLiteral("csv"), QStringLiteral("npz")});
  try {
    saveDialog(tr("Export: %1").arg(source->currentView()), pageFormats(source->view(source->currentView())));
  } catch (...) {
    source->showFailure(currentFailure("exporting"));
  }
}

void MainWindow::save() {
  if (page() == Data) m_data->save();
  else saveDialog(tr("Save capture"), {QStringLiteral("capture")});
}

// The run where a run is what the page is about, else the shown inspection.
bool MainWindow::exportReport(const QString& file) {
  try {
    const RunRecord* run = page() == Inspect || page() == Data || onStart() ? nullptr : m_session.run(m_selection.run());
    const bool dark = Theme::instance().isDark() && !file.endsWith(QStringLiteral(".pdf"), Qt::CaseInsensitive);
    if (run) writeReport(file, runReport(*run, dark));
    else if (m_inspect->inspection()) writeReport(file, inspectionReport(*m_inspect->inspection(), m_inspect->map()->causalText(), dark));
    else throw Error("There is nothing to report yet", "", "no run is chosen and no answer has arrived", "Ask a question or choose a run first.");
    m_status->say(tr("Written: %1").arg(file));
    return true;
  } catch (...) {
    m_notice->say(QString::fromStdString(currentFailure("the report").text()));
    return false;
  }
}

void MainWindow::reportDialog() {
  auto* dialog = new QFileDialog(this, tr("Export report"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilters({tr("HTML page (*.html)"), tr("PDF (*.pdf)")});
  dialog->setDefaultSuffix(QStringLiteral("html"));
  dialog->selectFile(proposedName(dialog->directory(), page() == Inspect || page() == Data ? m_selection.sample() : m_selection.run(), QStringLiteral("report"), QStringLiteral("html")));
  connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) { dialog->setDefaultSuffix(filter.section(QStringLiteral("*."), 1).chopped(1)); });
  connect(dialog, &QFileDialog::fileSelected, this, &MainWindow::exportReport);
  dialog->open();
}

// What the focus has chosen, as text: rows of a table with tabs between their cells, a part of a text, facts.
QString MainWindow::chosenText() const {
  const QWidget* focus = QApplication::focusWidget();
  if (const auto* text = qobject_cast<const QPlainTextEdit*>(focus)) return text->textCursor().selectedText().replace(QChar::ParagraphSeparator, u'\n');
  if (const auto* facts = qobject_cast<const FactTable*>(focus)) return facts->text();
  const auto* view = qobject_cast<const QAbstractItemView*>(focus);
  if (!view || !view->selectionModel() || !view->selectionModel()->hasSelection()) return {};
  const auto* table = qobject_cast<const QTableView*>(view);
  QSet<int> rows;
  for (const QModelIndex& index : view->selectionModel()->selectedIndexes()) rows.insert(index.row());
  QList<int> order(rows.begin(), rows.end());
  std::sort(order.begin(), order.end());
  QStringList lines;
  const QAbstractItemModel* model = view->model();
  const auto shown = [&](int column) { return !table || !table->isColumnHidden(column); };
  for (const int row : std::as_const(order)) {
    QStringList cells;
    for (int column = 0; column < model->columnCount(view->rootIndex()); ++column)
      if (shown(column)) cells << model->index(row, column, view->rootIndex()).data().toString().simplified();
    lines << cells.join(u'\t');
  }
  return lines.join(u'\n');
}

void MainWindow::copyView() {
  try {
    auto data = std::make_unique<QMimeData>();
    QString text = chosenText();
    if (ViewSource* source = viewSource()) {
      const PageView view = source->view(source->currentView());
      data->setImageData(QImage::fromData(pageBytes(view, QStringLiteral("png"), m_exportScale)));
      if (text.isEmpty()) {
        QStringList lines{pageColumns(view).join(u'\t')};
        qsizetype rows = 0;
        eachRow(view, [&](QStringList row) {
          if (++rows > kCopiedRows) return;
          for (QString& cell : row) cell = cell.simplified();
          lines << row.join(u'\t');
        });
        if (rows > kCopiedRows) lines << tr("%1 of %2 rows; an exported CSV has all").arg(kCopiedRows).arg(rows);
        text = lines.join(u'\n');
      }
    } else {
      const InspectionPtr& shown = m_inspect->inspection();
      if (!shown) return;
      const ExportChoice choice = exportChoice();
      data->setImageData(QImage::fromData(figureBytes(figureOf(*shown, choice, m_inspect->besideInspection().get()), QStringLiteral("png"), choice.scale)));
      if (text.isEmpty()) text = QString::fromUtf8(csvOf(*shown, choice));
    }
    data->setText(text);
    QApplication::clipboard()->setMimeData(data.release());
    m_status->say(tr("Picture and values are on the clipboard"));
  } catch (...) {
    showFailureHere(currentFailure("copying"));
  }
}

}  // namespace cuescope
