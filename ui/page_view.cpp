#include "ui/page_view.h"

#include <QApplication>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QMouseEvent>
#include <cmath>

#include "engine/core/zip_store.h"
#include "ui/number_bytes.h"

namespace cuescope {
namespace {

QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }

QJsonArray strings(const QStringList& list) { return QJsonArray::fromStringList(list); }
QStringList stringsFrom(const QJsonValue& value) {
  QStringList list;
  for (const QJsonValue& each : value.toArray()) list << each.toString();
  return list;
}

// What NumPy's loader makes a file name of.
std::string member(QString name) {
  for (QChar& c : name)
    if (c == u'/' || c == u'\\' || c == u':' || c.isSpace()) c = u'_';
  return name.toStdString() + ".npy";
}

}  // namespace

QString packedDoubles(const std::vector<double>& values) { return packed(values); }
std::vector<double> unpackedDoubles(const QString& text) { return unpacked<double>(text); }
QString pictureText(const QImage& picture) { return picture.isNull() ? QString() : QString::fromLatin1(pngBytes(picture).toBase64()); }
QImage pictureFrom(const QString& text) { return text.isEmpty() ? QImage() : QImage::fromData(QByteArray::fromBase64(text.toLatin1())).convertToFormat(QImage::Format_RGB32); }

QJsonObject tableData(const ViewTable& table) {
  QJsonArray rows, drawn;
  for (const QStringList& row : table.rows) rows.append(strings(row));
  for (const int column : table.drawn) drawn.append(column);
  return {{"columns", strings(table.columns)}, {"rows", rows}, {"drawn", drawn}};
}

ViewTable tableFromCsv(const QByteArray& csv) {
  const QString text = QString::fromUtf8(csv);
  ViewTable table;
  QStringList row;
  QString cell;
  bool quoted = false;
  for (qsizetype i = 0; i < text.size(); ++i) {
    const QChar c = text[i];
    if (quoted) {
      if (c != u'"') cell += c;
      else if (i + 1 < text.size() && text[i + 1] == u'"') cell += text[++i];
      else quoted = false;
    } else if (c == u'"') {
      quoted = true;
    } else if (c == u',') {
      row << std::exchange(cell, {});
    } else if (c == u'\n') {
      row << std::exchange(cell, {});
      if (table.columns.isEmpty()) table.columns = std::exchange(row, {});
      else table.rows.push_back(std::exchange(row, {}));
    } else {
      cell += c;
    }
  }
  return table;
}

void nothingToExport(const QString& what, const QString& why, const QString& next) {
  throw Error("There is nothing to export yet", what.toStdString(), why.toStdString(), next.toStdString());
}

QJsonObject curvesData(const CurveGrid& grid, int columns) {
  QJsonArray runs, panels;
  for (const CurveRun& run : grid.runs()) runs.append(QJsonObject{{"name", run.name}, {"steps", packedDoubles(run.steps)}, {"tokens", packedDoubles(run.tokens)}, {"seconds", packedDoubles(run.seconds)}});
  const auto put = [](QJsonObject& json, const char* key, double value) {
    if (std::isfinite(value)) json.insert(QLatin1String(key), value);
  };
  for (const CurvePanel& panel : grid.panels()) {
    QJsonArray series, marks;
    for (const CurveSeries& s : panel.series) {
      QJsonObject one{{"run", s.run}, {"kind", int(s.kind)}, {"index", s.index}, {"count", s.count}, {"label", s.label}, {"smoothed", s.smoothed}, {"y", packedDoubles(s.y)}};
      if (!s.low.empty()) one.insert("low", packedDoubles(s.low)), one.insert("high", packedDoubles(s.high));
      series.append(one);
    }
    for (const CurveMark& mark : panel.marks) marks.append(QJsonObject{{"step", mark.step}, {"words", mark.words}});
    QJsonObject one{{"id", panel.id}, {"title", panel.title}, {"unit", panel.unit}, {"decimals", panel.decimals}, {"log", panel.log}, {"reference_name", panel.referenceName}, {"series", series}, {"marks", marks}};
    put(one, "low", panel.low), put(one, "high", panel.high), put(one, "reference", panel.reference);
    panels.append(one);
  }
  QJsonObject data{{"runs", runs}, {"panels", panels}, {"x", int(grid.x())}, {"smoothing", grid.smoothing()}, {"grid_columns", columns}};
  put(data, "cursor", grid.cursorStep());
  const CurveZoom zoom = grid.zoom();
  QJsonObject heights;
  for (const auto& [id, range] : zoom.y) heights.insert(id, QJsonArray{range.first, range.second});
  if (zoom.x) data.insert("zoom_x", QJsonArray{zoom.x->first, zoom.x->second});
  if (!heights.isEmpty()) data.insert("zoom_y", heights);
  return data;
}

QJsonObject filmData(const std::vector<FilmRow>& rows, ColorMap map, int cursor) {
  QJsonArray list;
  for (const FilmRow& row : rows) {
    QJsonArray maps;
    for (const auto& [step, values] : row.maps) maps.append(QJsonObject{{"step", step}, {"values", packedDoubles({values.begin(), values.end()})}});
    list.append(QJsonObject{{"label", row.label}, {"picture", pictureText(row.picture)}, {"down", row.gridRows}, {"across", row.gridCols}, {"visual_tokens", row.visualTokens}, {"maps", maps}});
  }
  return {{"rows", list}, {"color_map", colorMapName(map)}, {"cursor", cursor}};
}

QJsonObject phasesData(const PhaseData& phases) {
  QJsonArray list;
  for (const PhaseTime& phase : phases.phases) list.append(QJsonArray{phase.name, phase.seconds});
  return {{"step", phases.step}, {"phases", list}};
}

QJsonObject tokensData(const std::vector<StripToken>& tokens, const TokenColoring& coloring, const std::vector<double>& values) {
  QJsonArray list;
  for (const StripToken& token : tokens) list.append(QJsonArray{QString::fromLatin1(token.bytes.toBase64()), token.special, token.clamped});
  return {{"tokens", list}, {"values", packedDoubles(values)}, {"kind", int(coloring.kind)}, {"low", coloring.low}, {"high", coloring.high}, {"limit", coloring.limit},
          {"colour", coloring.name}, {"unit", coloring.unit}, {"color_map", colorMapName(coloring.map)}};
}

QJsonObject barsData(const DistributionSet& set, const QList<QStringList>& facts) {
  QJsonArray rows, present, tail, words;
  const auto value = [](double v) { return std::isfinite(v) ? QJsonValue(v) : QJsonValue(); };
  for (const DistributionRow& row : set.rows) rows.append(QJsonArray{row.token, value(row.probability[0]), value(row.probability[1]), value(row.probability[2]), value(row.probability[3])});
  for (int i = 0; i < 4; ++i) present.append(set.present[i]), tail.append(value(set.tail[i]));
  for (const QStringList& fact : facts) words.append(strings(fact));
  return {{"rows", rows}, {"present", present}, {"tail", tail}, {"chosen", set.chosen}, {"facts", words}};
}

QJsonObject textsData(const QList<QStringList>& headAndText) {
  QJsonArray texts;
  for (const QStringList& each : headAndText) texts.append(strings(each));
  return {{"texts", texts}};
}

QStringList pageColumns(const PageView& view) {
  const QJsonObject& d = view.data;
  if (d.contains("columns")) return stringsFrom(d["columns"]);  // a table of its own: lists, marks, the board, samples
  if (view.kind == u"curves") return {"metric", "unit", "run", "step", "tokens", "seconds", "series", "value"};
  if (view.kind == u"film") return {"image", "step", "row", "column", "value"};
  if (view.kind == u"phases") return QStringList{QStringLiteral("phase"), QStringLiteral("seconds")};
  if (view.kind == u"tokens") return {"token", "text", d["unit"].toString().isEmpty() ? QStringLiteral("value") : QStringLiteral("%1_%2").arg(d["colour"].toString().toLower().replace(u' ', u'_'), d["unit"].toString())};
  if (view.kind == u"texts") return QStringList{QStringLiteral("part"), QStringLiteral("text")};
  if (view.kind == u"histogram") return QStringList{QStringLiteral("mean_abs_gap_nats")};
  QStringList columns{QStringLiteral("token")};
  for (int i = 0; i < 4; ++i)
    if (d["present"][i].toBool()) columns << QString::fromUtf8(conditionTitle(i)).toLower();
  return columns;
}

// One by one: a curve of a million points is written without ever being a table in memory.
void eachRow(const PageView& view, const std::function<void(const QStringList&)>& take) {
  const QJsonObject& d = view.data;
  if (d.contains("columns")) {
    for (const QJsonValue& row : d["rows"].toArray()) take(stringsFrom(row));
  } else if (view.kind == u"curves") {
    const QJsonArray runs = d["runs"].toArray();
    std::vector<std::vector<double>> steps, tokens, seconds;
    for (const QJsonValue& run : runs) steps.push_back(unpackedDoubles(run["steps"].toString())), tokens.push_back(unpackedDoubles(run["tokens"].toString())), seconds.push_back(unpackedDoubles(run["seconds"].toString()));
    const auto at = [](const std::vector<double>& values, std::size_t i) { return i < values.size() ? exact(values[i]) : QString(); };
    for (const QJsonValue& panel : d["panels"].toArray())
      for (const QJsonValue& series : panel["series"].toArray()) {
        const auto run = std::size_t(series["run"].toInt());
        if (run >= steps.size()) continue;
        const std::vector<double> y = unpackedDoubles(series["y"].toString());
        for (std::size_t i = 0; i < std::min(y.size(), steps[run].size()); ++i)
          if (!std::isnan(y[i]))
            take({panel["id"].toString(), panel["unit"].toString(), runs[qsizetype(run)]["name"].toString(), at(steps[run], i), at(tokens[run], i), at(seconds[run], i), series["label"].toString(), QString::number(y[i], 'g', 17)});
      }
  } else if (view.kind == u"film") {
    for (const QJsonValue& row : d["rows"].toArray())
      for (const QJsonValue& map : row["maps"].toArray()) {
        const std::vector<double> values = unpackedDoubles(map["values"].toString());
        const int across = std::max(1, row["across"].toInt());
        for (std::size_t i = 0; i < values.size(); ++i) take({row["label"].toString(), QString::number(map["step"].toInt()), QString::number(int(i) / across), QString::number(int(i) % across), exact(values[i])});
      }
  } else if (view.kind == u"phases") {
    for (const QJsonValue& phase : d["phases"].toArray()) take(QStringList{phase[0].toString(), exact(phase[1].toDouble())});
  } else if (view.kind == u"tokens") {
    const std::vector<double> values = unpackedDoubles(d["values"].toString());
    const QJsonArray tokens = d["tokens"].toArray();
    for (int i = 0; i < tokens.size(); ++i)
      take({QString::number(i), tokenText(QByteArray::fromBase64(tokens[i][0].toString().toLatin1()), tokens[i][1].toBool()), std::size_t(i) < values.size() ? exact(values[std::size_t(i)]) : QString()});
  } else if (view.kind == u"bars") {
    std::vector<int> shown;
    for (int i = 0; i < 4; ++i)
      if (d["present"][i].toBool()) shown.push_back(i);
    const auto line = [&](const QString& name, const std::function<QJsonValue(int)>& valueOf) {
      QStringList row{name};
      for (const int i : shown) row << (valueOf(i).isDouble() ? exact(valueOf(i).toDouble()) : QString());
      take(row);
    };
    for (const QJsonValue& row : d["rows"].toArray()) line(row[0].toString(), [&](int i) { return QJsonValue(row[i + 1]); });
    if (!shown.empty()) line(QStringLiteral("tail"), [&](int i) { return QJsonValue(d["tail"][i]); });
  } else if (view.kind == u"texts") {
    for (const QJsonValue& text : d["texts"].toArray()) take(stringsFrom(text));
  } else if (view.kind == u"histogram") {
    for (const double v : unpackedDoubles(d["values"].toString())) take(QStringList{exact(v)});
  }
}

DataTable pageTable(const PageView& view) {
  DataTable table{pageColumns(view), {}};
  eachRow(view, [&](const QStringList& row) { table.rows.push_back(row); });
  return table;
}

QByteArray pageNpz(const PageView& view) {
  const QJsonObject& d = view.data;
  ZipStore zip;
  const auto add = [&](const QString& name, const std::vector<double>& values, int rows = 0, int columns = 0) { zip.add(member(name), npy(values, rows, columns).toStdString()); };
  if (view.kind == u"curves") {
    for (const QJsonValue& run : d["runs"].toArray())
      for (const char* axis : {"steps", "tokens", "seconds"}) add(run["name"].toString() + u'.' + QLatin1String(axis), unpackedDoubles(run[QLatin1String(axis)].toString()));
    for (const QJsonValue& panel : d["panels"].toArray())
      for (const QJsonValue& series : panel["series"].toArray()) {
        const QString label = series["label"].toString();
        add(d["runs"][series["run"].toInt()]["name"].toString() + u'.' + panel["id"].toString() + (label.isEmpty() ? QString() : u'.' + label), unpackedDoubles(series["y"].toString()));
      }
  } else if (view.kind == u"film") {
    for (const QJsonValue& row : d["rows"].toArray())
      for (const QJsonValue& map : row["maps"].toArray())
        add(QStringLiteral("%1.step%2").arg(row["label"].toString()).arg(map["step"].toInt()), unpackedDoubles(map["values"].toString()), row["down"].toInt(), row["across"].toInt());
  } else {
    return tableNpz(pageTable(view));
  }
  return QByteArray::fromStdString(zip.bytes());
}

QStringList pageFormats(const PageView& view) {
  QStringList formats = figureFormats();
  std::vector<bool> numbers(std::size_t(pageColumns(view).size()), true), any(numbers.size(), false);
  bool rows = false;
  if (view.kind == u"curves" || view.kind == u"film") {  // numbers by their nature
    rows = true, any.assign(numbers.size(), true);
  } else {
    eachRow(view, [&](const QStringList& row) {
      rows = true;
      for (std::size_t c = 0; c < numbers.size(); ++c) {
        bool ok = false;
        row.value(qsizetype(c)).toDouble(&ok);
        any[c] = any[c] || ok;
        numbers[c] = numbers[c] && (ok || row.value(qsizetype(c)).isEmpty());
      }
    });
  }
  if (rows) formats << QStringLiteral("csv");
  for (std::size_t c = 0; c < numbers.size() && rows; ++c)
    if (numbers[c] && any[c]) return formats << QStringLiteral("npz");
  return formats;
}

QByteArray pageRecipe(const PageView& view, double scale) {
  const QJsonObject recipe{{"format", 1}, {"page", view.page}, {"view", view.name}, {"title", view.title}, {"facts", strings(view.facts)}, {"kind", view.kind}, {"theme", view.dark ? "dark" : "light"}, {"scale", scale}, {"data", view.data}};
  return QJsonDocument(recipe).toJson(QJsonDocument::Indented);
}

bool isPageRecipe(const QJsonObject& recipe) { return recipe.contains("page") && recipe.contains("kind"); }

PageView pageViewOf(const QJsonObject& recipe) {
  static const QStringList kKinds = {"table", "curves", "film", "phases", "tokens", "bars", "marks", "texts", "board", "histogram", "sample"};
  PageView view{recipe["page"].toString(), recipe["view"].toString(), recipe["title"].toString(), stringsFrom(recipe["facts"]), recipe["kind"].toString(), recipe["data"].toObject(), recipe["theme"].toString() != u"light"};
  if (recipe["format"].toInt() != 1 || !kKinds.contains(view.kind) || view.data.isEmpty())
    throw Error("This recipe cannot be read", view.kind.toStdString(), "it is damaged, or another version of Cuescope wrote it", "Export the view again.");
  return view;
}

QByteArray pageBytes(const PageView& view, const QString& format, double scale) {
  if (!pageFormats(view).contains(format))
    throw Error("This view cannot be written as ." + format.toStdString(), view.title.toStdString(), "it is written as " + pageFormats(view).join(QStringLiteral(", ")).toStdString(), "Choose one of these endings.");
  if (format == u"csv") {
    QByteArray csv = tableCsv({pageColumns(view), {}});
    eachRow(view, [&](const QStringList& row) { csv += tableCsv({row, {}}); });
    return csv;
  }
  if (format == u"npz") return pageNpz(view);
  return figureBytes(pageFigure(view), format, scale);
}

void exportPageView(const QString& file, const PageView& view, double scale) {
  writeBytes(file, pageBytes(view, QFileInfo(file).suffix().toLower(), scale));
  writeBytes(file + QStringLiteral(".recipe.json"), pageRecipe(view, scale));
}

QString ViewSource::currentView() const { return m_views->current(); }
void ViewSource::setCurrentView(const QString& name) { m_views->setCurrent(name); }

ViewFocus::ViewFocus(QWidget* page, const QString& first) : QObject(page), m_current(first) {
  connect(qApp, &QApplication::focusChanged, this, [this](QWidget*, QWidget* now) { follow(now); });
  qApp->installEventFilter(this);
}

void ViewFocus::add(QWidget* widget, const QString& view) { m_widgets.emplace_back(widget, view); }

// The innermost registered widget counts.
void ViewFocus::follow(QWidget* widget) {
  for (QWidget* at = widget; at; at = at->parentWidget())
    for (const auto& [known, view] : m_widgets)
      if (known == at) {
        m_current = view;
        return;
      }
}

bool ViewFocus::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::MouseButtonPress && watched->isWidgetType()) follow(static_cast<QWidget*>(watched));
  return false;
}

}  // namespace cuescope
