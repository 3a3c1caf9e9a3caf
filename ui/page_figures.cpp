// How the views of Train, Rollouts, Data and Evaluate are drawn for a file: with the painters of the window, from the value alone.
#include <QFontMetricsF>
#include <QJsonArray>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "engine/core/board.h"
#include "ui/data_cue_canvas.h"
#include "ui/evaluate_board.h"
#include "ui/page_view.h"
#include "ui/rollouts_cells.h"

namespace cuescope {
namespace {

constexpr int kDrawnRows = 60, kDrawnSteps = 24;
constexpr double kLine = 18, kWide = 1000;

// A view's own painter at its place in the figure. Only that painter is asked, never QWidget::render(): it would bring the desktop's
// palette and style into the file, and another process has another desktop.
template <typename View>
auto drawnBy(std::shared_ptr<View> view, void (View::*paint)(QPainter&, const Colors&) const) {
  return [view, paint](QPainter& painter, const QRectF& rect, const Colors& c) {
    painter.save();
    painter.translate(rect.topLeft());
    (*view.*paint)(painter, c);
    painter.restore();
  };
}

struct Sheet {
  QStringList columns;
  std::vector<QStringList> rows;
  std::vector<bool> right;
  std::vector<double> widths;
  double width = 0;
};

// The drawn part of a table: its columns as wide as their texts, the longest ones elided.
Sheet sheetOf(const PageView& view) {
  const DataTable table = pageTable(view);
  Sheet sheet;
  std::vector<int> columns;
  for (const QJsonValue& c : view.data["drawn"].toArray())
    if (c.toInt() >= 0 && c.toInt() < table.columns.size()) columns.push_back(c.toInt());
  if (columns.empty())
    for (int c = 0; c < table.columns.size(); ++c) columns.push_back(c);
  const QFontMetricsF mono(monoFont(11)), words(uiFont(11));
  for (std::size_t r = 0; r < std::min<std::size_t>(table.rows.size(), kDrawnRows); ++r) {
    QStringList row;
    for (const int c : columns) row << table.rows[r].value(c).simplified();
    sheet.rows.push_back(row);
  }
  for (std::size_t at = 0; at < columns.size(); ++at) {
    sheet.columns << QString(table.columns[columns[at]]).replace(u'_', u' ');
    bool number = !table.rows.empty();
    double width = words.horizontalAdvance(sheet.columns.back());
    for (const QStringList& row : table.rows) {
      bool ok = false;
      row.value(columns[at]).toDouble(&ok);
      number = number && (ok || row.value(columns[at]).isEmpty());
    }
    for (QStringList& row : sheet.rows) {
      if (number && !row[qsizetype(at)].isEmpty()) row[qsizetype(at)] = QString(row[qsizetype(at)]).replace(u'-', QChar(0x2212));  // a true minus where it is read
      width = std::max(width, (number ? mono : words).horizontalAdvance(row[qsizetype(at)]));
    }
    sheet.right.push_back(number);
    sheet.widths.push_back(std::min(width, at + 1 == columns.size() ? 640.0 : 320.0) + 16);
    sheet.width += sheet.widths.back();
  }
  return sheet;
}

void paintSheet(QPainter& painter, const QRectF& rect, const Sheet& sheet, const Colors& c) {
  double y = rect.top();
  const auto line = [&](const QStringList& cells, bool head) {
    if (head) painter.fillRect(QRectF(rect.left(), y, sheet.width, kLine), c.window);
    double x = rect.left();
    for (int i = 0; i < cells.size(); ++i) {
      const bool right = sheet.right[std::size_t(i)];
      const QFont font = right && !head ? monoFont(11) : uiFont(11);
      painter.setFont(font);
      painter.setPen(head ? c.text2 : c.text);
      const double width = sheet.widths[std::size_t(i)];
      painter.drawText(QRectF(x + 6, y, width - 12, kLine), int(right ? Qt::AlignRight : Qt::AlignLeft) | int(Qt::AlignVCenter), QFontMetricsF(font).elidedText(cells[i], Qt::ElideRight, width - 11));
      x += width;
    }
    painter.fillRect(QRectF(rect.left(), y + kLine - 1, sheet.width, 1), c.line);
    y += kLine;
  };
  painter.save();
  line(sheet.columns, true);
  for (const QStringList& row : sheet.rows) line(row, false);
  painter.restore();
}

std::unique_ptr<CurveGrid> gridFrom(const QJsonObject& d, QSize size) {
  auto grid = std::make_unique<CurveGrid>();
  std::vector<CurveRun> runs;
  for (const QJsonValue& run : d["runs"].toArray()) runs.push_back({run["name"].toString(), unpackedDoubles(run["steps"].toString()), unpackedDoubles(run["tokens"].toString()), unpackedDoubles(run["seconds"].toString())});
  std::vector<CurvePanel> panels;
  for (const QJsonValue& each : d["panels"].toArray()) {
    CurvePanel panel;
    panel.id = each["id"].toString(), panel.title = each["title"].toString(), panel.unit = each["unit"].toString();
    panel.decimals = each["decimals"].toInt(3), panel.log = each["log"].toBool(), panel.referenceName = each["reference_name"].toString();
    panel.low = each["low"].toDouble(std::nan("")), panel.high = each["high"].toDouble(std::nan("")), panel.reference = each["reference"].toDouble(std::nan(""));
    for (const QJsonValue& s : each["series"].toArray()) {
      CurveSeries series;
      series.run = s["run"].toInt(), series.kind = CurveSeries::Kind(std::clamp(s["kind"].toInt(), 0, int(CurveSeries::Kind::Ordinal)));
      series.index = s["index"].toInt(), series.count = s["count"].toInt(1), series.label = s["label"].toString(), series.smoothed = s["smoothed"].toBool(true);
      series.y = unpackedDoubles(s["y"].toString()), series.low = unpackedDoubles(s["low"].toString()), series.high = unpackedDoubles(s["high"].toString());
      panel.series.push_back(std::move(series));
    }
    for (const QJsonValue& mark : each["marks"].toArray()) panel.marks.push_back({mark["step"].toDouble(), mark["words"].toString()});
    panels.push_back(std::move(panel));
  }
  grid->resize(size);
  grid->setColumns(d["grid_columns"].toInt(3));
  grid->setSmoothing(d["smoothing"].toDouble());
  grid->setX(CurveX(std::clamp(d["x"].toInt(), 0, 2)));
  grid->setData(std::move(runs), std::move(panels));
  grid->setCursorStep(d["cursor"].toDouble(std::nan("")));
  CurveZoom zoom;
  if (const QJsonArray x = d["zoom_x"].toArray(); x.size() == 2) zoom.x = {x[0].toDouble(), x[1].toDouble()};
  const QJsonObject heights = d["zoom_y"].toObject();
  for (auto it = heights.begin(); it != heights.end(); ++it) {
    const QJsonArray range = it.value().toArray();
    zoom.y[it.key()] = {range.at(0).toDouble(), range.at(1).toDouble()};
  }
  grid->setZoom(zoom);
  return grid;
}

std::vector<FilmRow> filmFrom(const QJsonObject& d, int* left) {
  std::vector<FilmRow> rows;
  std::set<int> steps;
  for (const QJsonValue& row : d["rows"].toArray())
    for (const QJsonValue& map : row["maps"].toArray()) steps.insert(map["step"].toInt());
  // Evenly spaced where there are more than a page takes, the first and the last among them.
  const std::vector<int> all(steps.begin(), steps.end());
  std::set<int> drawn;
  for (int i = 0; i < int(all.size()); ++i)
    if (int(all.size()) <= kDrawnSteps) drawn.insert(all[std::size_t(i)]);
  if (int(all.size()) > kDrawnSteps)
    for (int i = 0; i < kDrawnSteps; ++i) drawn.insert(all[std::size_t(std::lround(double(i) * double(all.size() - 1) / (kDrawnSteps - 1)))]);
  *left = int(all.size() - drawn.size());
  for (const QJsonValue& each : d["rows"].toArray()) {
    FilmRow row{each["label"].toString(), pictureFrom(each["picture"].toString()), each["down"].toInt(), each["across"].toInt(), {}, each["visual_tokens"].toInt()};
    for (const QJsonValue& map : each["maps"].toArray()) {
      const std::vector<double> values = unpackedDoubles(map["values"].toString());
      if (drawn.count(map["step"].toInt()) && int(values.size()) == row.gridRows * row.gridCols) row.maps[map["step"].toInt()] = {values.begin(), values.end()};
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Board boardFrom(const QJsonObject& d) {
  Board board;
  for (const QJsonValue& s : d["settings"].toArray()) board.settings.push_back(s.toString().toStdString());
  for (const QJsonValue& s : d["data_sets"].toArray()) board.dataSets.push_back(s.toString().toStdString());
  for (const QJsonValue& row : d["cells"].toArray()) {
    std::vector<BoardCell> cells;
    for (const QJsonValue& each : row.toArray()) {
      BoardCell cell;
      cell.values = unpackedDoubles(each["values"].toString());
      for (std::size_t i = 0; i < cell.values.size(); ++i) cell.seeds.push_back(std::uint64_t(each["seeds"].toArray().at(qsizetype(i)).toInteger()));
      cell.mean = {each["mean"].toDouble(std::nan("")), each["low"].toDouble(std::nan("")), each["high"].toDouble(std::nan("")), each["n"].toInteger()};
      cell.intervalOf = each["interval_of"].toString().toStdString();
      cells.push_back(cell);
    }
    cells.resize(board.dataSets.size());
    board.cells.push_back(cells);
  }
  board.cells.resize(board.settings.size(), std::vector<BoardCell>(board.dataSets.size()));
  for (const QJsonValue& each : d["runs"].toArray()) {
    BoardRun run;
    run.name = each["name"].toString().toStdString(), run.setting = each["setting"].toString().toStdString(), run.models = each["models"].toString().toStdString();
    run.seed = std::uint64_t(each["seed"].toInteger()), run.step = each["step"].toInt(), run.totalSteps = each["total_steps"].toInt(), run.completed = each["completed"].toBool();
    const QJsonObject accuracy = each["accuracy"].toObject();
    for (auto it = accuracy.begin(); it != accuracy.end(); ++it) {
      const QJsonArray one = it.value().toArray();
      run.accuracy[it.key().toStdString()] = {one.at(0).toDouble(std::nan("")), one.at(1).toDouble(std::nan("")), one.at(2).toDouble(std::nan("")), one.at(3).toInteger()};
    }
    board.runs.push_back(run);
  }
  return board;
}

struct Block {
  QString head, text;
  double width = 0, height = 0;
};

// Heads and texts in columns beside each other.
std::vector<Block> blocksFrom(const QJsonArray& texts, double width) {
  std::vector<Block> blocks;
  const double one = (width - 16 * double(std::max<qsizetype>(0, texts.size() - 1))) / double(std::max<qsizetype>(1, texts.size()));
  for (const QJsonValue& each : texts) {
    Block block{each[0].toString(), each[1].toString(), one, 0};
    block.height = 22 + QFontMetricsF(monoFont(11)).boundingRect(QRectF(0, 0, one, 100000), Qt::TextWordWrap, block.text).height();
    blocks.push_back(block);
  }
  return blocks;
}
double heightOf(const std::vector<Block>& blocks) {
  double height = 0;
  for (const Block& block : blocks) height = std::max(height, block.height);
  return height;
}
void paintBlocks(QPainter& painter, const QRectF& rect, const std::vector<Block>& blocks, const Colors& c) {
  double x = rect.left();
  for (const Block& block : blocks) {
    painter.setFont(uiFont(12, QFont::DemiBold));
    painter.setPen(c.text);
    painter.drawText(QRectF(x, rect.top(), block.width, 20), Qt::AlignVCenter | Qt::AlignLeft, painter.fontMetrics().elidedText(block.head, Qt::ElideMiddle, int(block.width)));
    painter.setFont(monoFont(11));
    painter.setPen(c.text2);
    painter.drawText(QRectF(x, rect.top() + 22, block.width, block.height), Qt::TextWordWrap, block.text);
    x += block.width + 16;
  }
}

}  // namespace

Figure pageFigure(const PageView& view) {
  const QJsonObject& d = view.data;
  QStringList facts = view.facts;
  const auto figure = [&](double width, double height, auto paint) { return captioned(view.title, facts, width, height, view.dark, paint); };
  if (view.kind == u"curves") {
    const int columns = std::max(1, d["grid_columns"].toInt(3)), panels = int(d["panels"].toArray().size());
    const QSize size(320 * columns, 168 * std::max(1, (panels + columns - 1) / columns));
    std::shared_ptr<CurveGrid> grid = gridFrom(d, size);
    return figure(size.width(), size.height(), [grid](QPainter& p, const QRectF& r, const Colors&) { grid->paintCurves(p, r); });
  }
  if (view.kind == u"film") {
    auto strip = std::make_shared<FilmStrip>();
    int left = 0;
    const std::vector<FilmRow> rows = filmFrom(d, &left);
    strip->setColorMap(colorMapFromName(d["color_map"].toString()));
    strip->setRows(rows);
    strip->setCursorStep(d["cursor"].toInt(-1));
    facts << strip->scaleText();
    if (left > 0) facts << QObject::tr("%1 of %2 steps are drawn; the numbers have all").arg(strip->steps().size()).arg(int(strip->steps().size()) + left);
    double aspect = 1;
    for (const FilmRow& row : rows)
      if (row.gridRows > 0) aspect = std::max(aspect, double(row.gridCols) / row.gridRows);
    return figure(std::max(420.0, 110.0 + (120 * aspect + 6) * double(strip->steps().size())), 40 + 120.0 * double(rows.size()), [strip](QPainter& p, const QRectF& r, const Colors& c) { strip->paintStrip(p, r, c); });
  }
  if (view.kind == u"phases") {
    PhaseData phases;
    phases.step = d["step"].toInt(-1);
    for (const QJsonValue& phase : d["phases"].toArray()) phases.phases.push_back({phase[0].toString(), phase[1].toDouble()});
    return figure(900, 52, [phases](QPainter& p, const QRectF& r, const Colors& c) { PhaseBar::paintPhases(p, r, phases, c); });
  }
  if (view.kind == u"tokens") {
    auto strip = std::make_shared<TokenStrip>();
    std::vector<StripToken> tokens;
    for (const QJsonValue& token : d["tokens"].toArray()) {
      StripToken one;
      one.bytes = QByteArray::fromBase64(token[0].toString().toLatin1());
      one.special = token[1].toBool(), one.clamped = token[2].toBool();
      tokens.push_back(one);
    }
    TokenColoring coloring;
    coloring.kind = TokenColoring::Kind(std::clamp(d["kind"].toInt(), 0, int(TokenColoring::Kind::Sequential)));
    coloring.low = d["low"].toDouble(), coloring.high = d["high"].toDouble(1), coloring.limit = d["limit"].toDouble(4);
    coloring.name = d["colour"].toString(), coloring.unit = d["unit"].toString(), coloring.map = colorMapFromName(d["color_map"].toString());
    strip->setPromptShown(false);
    strip->setResponse(tokens);
    strip->setColoring(coloring, unpackedDoubles(d["values"].toString()));
    QImage probe(1, 1, QImage::Format_RGB32);
    QPainter measure(&probe);
    const double height = strip->paintStrip(measure, QRectF(0, 0, 720, 100000), colors());
    measure.end();
    return figure(720, height, [strip](QPainter& p, const QRectF& r, const Colors& c) { strip->paintStrip(p, r, c); });
  }
  if (view.kind == u"bars") {
    DistributionSet set;
    for (const QJsonValue& row : d["rows"].toArray()) {
      DistributionRow one;
      one.token = row[0].toString();
      for (int i = 0; i < 4; ++i) one.probability[i] = row[i + 1].toDouble(std::nan(""));
      set.rows.push_back(one);
    }
    for (int i = 0; i < 4; ++i) set.present[i] = d["present"][i].toBool(), set.tail[i] = d["tail"][i].toDouble(std::nan(""));
    set.chosen = d["chosen"].toInt(-1);
    for (const QJsonValue& fact : d["facts"].toArray()) facts << QStringLiteral("%1: %2").arg(fact[0].toString(), fact[1].toString());
    return figure(480, DistributionBars::heightFor(set, true), [set](QPainter& p, const QRectF& r, const Colors& c) { DistributionBars::paintBars(p, r, set, c, true); });
  }
  if (view.kind == u"histogram") {
    auto histogram = std::make_shared<GapHistogram>();
    const std::vector<double> values = unpackedDoubles(d["values"].toString());
    histogram->resize(720, histogram->height());
    histogram->setValues({values.begin(), values.end()});
    histogram->setThreshold(d["threshold"].toDouble(std::nan("")));
    return figure(720, histogram->height(), drawnBy(histogram, &GapHistogram::paintHistogram));
  }
  if (view.kind == u"board") {
    auto board = std::make_shared<BoardView>();
    board->resize(std::max(900, 190 + 260 * int(d["data_sets"].toArray().size())), 400);  // its words below take as many lines as the width makes
    board->setBoard(boardFrom(d));
    const QSize size(board->width(), board->sizeHint().height());
    board->resize(size);
    return figure(size.width(), size.height(), drawnBy(board, &BoardView::paintBoard));
  }
  if (view.kind == u"texts") {
    const auto blocks = blocksFrom(d["texts"].toArray(), kWide);
    return figure(kWide, heightOf(blocks), [blocks](QPainter& p, const QRectF& r, const Colors& c) { paintBlocks(p, r, blocks, c); });
  }
  if (view.kind == u"marks" || view.kind == u"sample") {
    const QImage picture = pictureFrom(d["picture"].toString());
    auto canvas = std::make_shared<CueCanvas>();
    const QSizeF room = picture.isNull() ? QSizeF(320, 60) : QSizeF(picture.size()).scaled(QSizeF(480, 480), Qt::KeepAspectRatio);
    canvas->resize(room.toSize() + QSize(16, 16));
    canvas->setPicture(picture);
    canvas->setGrid(d["patch"].toInt() > 0, std::max(4, d["patch"].toInt()));
    std::vector<CueMark> marks;
    for (const QJsonValue& m : d["marks"].toArray())
      marks.push_back({m["kind"].toString().toStdString(), float(m["x"].toDouble()), float(m["y"].toDouble()), float(m["width"].toDouble()), float(m["height"].toDouble()), m["label"].toString().toStdString(), m["from"].toString().toStdString()});
    canvas->setMarks(marks);
    const double width = std::max(kWide, canvas->width() + 420.0), side = width - canvas->width() - 16;
    const auto words = blocksFrom(d["texts"].toArray(), side);
    const Sheet sheet = view.kind == u"marks" ? sheetOf(view) : Sheet();  // a sample's answers are its texts
    const double above = heightOf(words), height = std::max(double(canvas->height()), above + 12 + (sheet.rows.empty() ? 0 : kLine * double(sheet.rows.size() + 1)));
    return figure(width, height, [canvas, words, sheet, above, side](QPainter& p, const QRectF& r, const Colors& c) {
      drawnBy(canvas, &CueCanvas::paintMarks)(p, r, c);
      const QRectF right(r.left() + canvas->width() + 16, r.top(), side, r.height());
      paintBlocks(p, right, words, c);
      p.save();
      p.setClipRect(right);
      if (!sheet.rows.empty()) paintSheet(p, right.adjusted(0, above + 12, 0, 0), sheet, c);
      p.restore();
    });
  }
  const Sheet sheet = sheetOf(view);
  const std::size_t all = std::size_t(d["rows"].toArray().size());
  if (all > sheet.rows.size()) facts << QObject::tr("%1 of %2 rows are drawn; the numbers have all").arg(sheet.rows.size()).arg(all);
  return figure(std::max(420.0, sheet.width), kLine * double(sheet.rows.size() + 1), [sheet](QPainter& p, const QRectF& r, const Colors& c) { paintSheet(p, r, sheet, c); });
}

}  // namespace cuescope
