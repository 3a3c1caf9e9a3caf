// PageView: a view of Train, Rollouts, Data or Evaluate as a value: what it is called, what it is of, its numbers and what its
// painter needs. Pictures, numbers, the recipe and the clipboard are made from this value alone, in the window and in
// `cuescope render --recipe` alike, so that both write the same bytes; the run or data behind it need not be there any more.
// Needs a QApplication (fonts, curve painter), no window. UI thread.
#pragma once

#include <QByteArray>
#include <QImage>
#include <QJsonObject>
#include <QObject>
#include <QPointer>
#include <QString>
#include <QStringList>
#include <functional>
#include <vector>

#include "engine/core/failure.h"
#include "ui/export_views.h"
#include "widgets/curve_plot.h"
#include "widgets/distribution_bars.h"
#include "widgets/film_strip.h"
#include "widgets/phase_bar.h"
#include "widgets/token_strip.h"

namespace cuescope {

struct PageView {
  QString page, name;   // "Train", "curves"
  QString title;        // «Curves of demo-opd, step 137»
  QStringList facts;    // run, step, units, how much is drawn: lines below the figure
  QString kind;         // of painter: "table", "curves", "film", "phases", "tokens", "bars", "marks", "texts", "board", "histogram", "sample"
  QJsonObject data;
  bool dark = true;
};

/// What a table needs: text as it is written to CSV; columns that are numbers throughout are NPZ arrays and stand right.
struct ViewTable {
  QStringList columns;
  std::vector<QStringList> rows;
  std::vector<int> drawn;  // columns of the figure; empty: all
};
QJsonObject tableData(const ViewTable& table);
/// RFC 4180, the first line the columns.
ViewTable tableFromCsv(const QByteArray& csv);
/// «Nothing to export»: why, and what to do.
[[noreturn]] void nothingToExport(const QString& what, const QString& why, const QString& next);

/// How the curves are shown: see CurveGrid.
QJsonObject curvesData(const CurveGrid& grid, int columns);
QJsonObject filmData(const std::vector<FilmRow>& rows, ColorMap map, int cursor);
QJsonObject phasesData(const PhaseData& phases);
QJsonObject tokensData(const std::vector<StripToken>& tokens, const TokenColoring& coloring, const std::vector<double>& values);
QJsonObject barsData(const DistributionSet& set, const QList<QStringList>& facts);
/// Texts beside each other, each with its head.
QJsonObject textsData(const QList<QStringList>& headAndText);
QString pictureText(const QImage& picture);  // PNG, base64
QImage pictureFrom(const QString& text);
QString packedDoubles(const std::vector<double>& values);
std::vector<double> unpackedDoubles(const QString& text);

Figure pageFigure(const PageView& view);  // page_figures.cpp
/// The numbers and words behind the figure, whole even where the figure draws a part; a row at a time for what may be long.
QStringList pageColumns(const PageView& view);
void eachRow(const PageView& view, const std::function<void(const QStringList&)>& take);
DataTable pageTable(const PageView& view);
QByteArray pageNpz(const PageView& view);
/// "png", "svg", "pdf", and "csv" and "npz" where the view has rows and numbers.
QStringList pageFormats(const PageView& view);
QByteArray pageRecipe(const PageView& view, double scale);
/// Throws Error when the recipe is of something else or damaged.
PageView pageViewOf(const QJsonObject& recipe);
bool isPageRecipe(const QJsonObject& recipe);
QByteArray pageBytes(const PageView& view, const QString& format, double scale);
/// By the file's ending, the recipe beside it. Throws Error when the view has no such form or the disk refuses.
void exportPageView(const QString& file, const PageView& view, double scale);

class ViewFocus;

/// A page that has views. The one worked in last is exported and copied.
class ViewSource {
 public:
  virtual ~ViewSource() = default;
  /// Names and titles of the page's views, in their order.
  virtual QStringList viewNames() const = 0;
  /// The view as it is shown. Throws Error when there is nothing to show.
  virtual PageView view(const QString& name) const = 0;
  virtual void showFailure(const Failure& failure) = 0;
  QString currentView() const;
  void setCurrentView(const QString& name);
  /// The current view to a file. Throws Error.
  void exportTo(const QString& file, double scale = kPngScale) const { exportPageView(file, view(currentView()), scale); }

 protected:
  ViewFocus* m_views = nullptr;
};

/// Which of a page's views has the focus or was clicked last.
class ViewFocus : public QObject {
  Q_OBJECT
 public:
  ViewFocus(QWidget* page, const QString& first);
  void add(QWidget* widget, const QString& view);
  QString current() const { return m_current; }
  void setCurrent(const QString& view) { m_current = view; }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void follow(QWidget* widget);
  std::vector<std::pair<QPointer<QWidget>, QString>> m_widgets;
  QString m_current;
};

}  // namespace cuescope
