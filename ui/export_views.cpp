#include "ui/export_views.h"

#include <QFontMetricsF>
#include <QJsonArray>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "engine/core/zip_store.h"
#include "ui/inspect_page.h"
#include "ui/model_listing.h"
#include "ui/number_bytes.h"
#include "ui/panels/lens_panel.h"
#include "ui/panels/steps_panel.h"
#include "widgets/change_bars.h"
#include "widgets/film_strip.h"
#include "widgets/frame_strip.h"
#include "widgets/matrix_view.h"

namespace cuescope {
namespace {

using What = ExportChoice::What;

QString exact(double value) {
  return std::isfinite(value) ? QString::number(value, 'g', 9) : QString();
}

QJsonObject sliceJson(const MapSlice& slice) {
  return {{"rows", slice.rows}, {"cols", slice.cols}, {"image", slice.image}, {"uniform", double(slice.uniform)}, {"signed", slice.signedValues},
          {"quantity", slice.quantity}, {"claim", slice.claim}, {"depends", slice.depends}, {"values", packed(slice.values)}};
}

MapSlice sliceFrom(const QJsonObject& json) {
  MapSlice slice;
  slice.rows = json["rows"].toInt();
  slice.cols = json["cols"].toInt();
  slice.image = json["image"].toInt();
  slice.uniform = float(json["uniform"].toDouble());
  slice.signedValues = json["signed"].toBool();
  slice.quantity = json["quantity"].toString();
  slice.claim = json["claim"].toString();
  slice.depends = json["depends"].toString();
  slice.values = unpacked<float>(json["values"].toString());
  if (slice.rows < 0 || slice.cols < 0 || slice.values.size() != std::size_t(slice.rows) * std::size_t(slice.cols)) return {};
  return slice;
}

ChangeSet changeFrom(const QJsonObject& json) {
  ChangeSet set;
  set.condition = std::clamp(json["condition"].toInt(), 0, kConditions - 1);
  set.title = json["description"].toString();
  set.chosen = json["chosen"].toInt(-1);
  set.tailBefore = json["tail_before"].toDouble(std::nan(""));
  set.tailAfter = json["tail_after"].toDouble(std::nan(""));
  for (const QJsonValue& row : json["rows"].toArray()) set.rows.push_back({row["token"].toString(), row["before"].toDouble(), row["after"].toDouble()});
  return set;
}

std::map<int, std::vector<FilmRow>> stepRowsFrom(const QJsonArray& steps, const Inspection& inspection) {
  std::vector<FilmRow> rows(inspection.images.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].label = QString::fromStdString(inspection.images[i].label);
    rows[i].picture = pictureOf(inspection.images[i]);
    rows[i].gridRows = inspection.images[i].gridRows;
    rows[i].gridCols = inspection.images[i].gridCols;
  }
  for (const QJsonValue& each : steps) {
    const std::size_t image = std::size_t(std::max(0, each["image"].toInt()));
    std::vector<float> values = unpacked<float>(each["values"].toString());
    if (image < rows.size() && values.size() == std::size_t(rows[image].gridRows) * std::size_t(rows[image].gridCols)) rows[image].maps[each["step"].toInt()] = std::move(values);
  }
  return {{0, std::move(rows)}};
}

// Facts as rows: names left, numbers right in mono.
void paintTable(QPainter& painter, const QRectF& rect, const DataTable& table, const Colors& c) {
  painter.save();
  const double line = 18;
  const QFontMetricsF mono(monoFont(11)), words(uiFont(11));
  std::vector<double> widths;
  for (int i = 0; i < table.columns.size(); ++i) {
    double width = words.horizontalAdvance(table.columns[i]);
    for (const QStringList& row : table.rows)
      if (i < row.size()) width = std::max(width, (i == 0 ? words : mono).horizontalAdvance(row[i]));
    widths.push_back(width + 16);
  }
  double rest = rect.width();
  for (std::size_t i = 1; i < widths.size(); ++i) rest -= widths[i];
  if (!widths.empty()) widths[0] = std::max(60.0, rest);
  double y = rect.top();
  const auto row = [&](const QStringList& cells, bool head) {
    double x = rect.left();
    if (head) painter.fillRect(QRectF(rect.left(), y, rect.width(), line), c.window);
    for (int i = 0; i < cells.size() && i < int(widths.size()); ++i) {
      const QFont font = i == 0 || head ? uiFont(11) : monoFont(11);
      painter.setFont(font);
      painter.setPen(i == 0 || head ? c.text2 : c.text);
      const double width = widths[std::size_t(i)];
      painter.drawText(QRectF(x + 4, y, width - 8, line), int(i == 0 ? Qt::AlignLeft : Qt::AlignRight) | int(Qt::AlignVCenter), QFontMetricsF(font).elidedText(cells[i], i == 0 ? Qt::ElideMiddle : Qt::ElideRight, width - 8));
      x += width;
    }
    painter.fillRect(QRectF(rect.left(), y + line - 1, rect.width(), 1), c.line);
    y += line;
  };
  row(table.columns, true);
  for (const QStringList& cells : table.rows) row(cells, false);
  painter.restore();
}

double tableHeight(const DataTable& table) {
  return 18.0 * double(table.rows.size() + 1);
}

std::vector<StripFrame> framesOf(const Inspection& inspection, const SelectionState& selection, const MapView& view) {
  std::vector<StripFrame> frames;
  std::vector<MapSlice> slices;
  double total = 0, high = 0;
  for (int i = 0; i < int(inspection.images.size()); ++i) {
    slices.push_back(sliceMap(inspection, selection, i));
    for (const float v : slices.back().values) total += double(std::max(0.f, v)), high = std::max(high, std::abs(double(v)));
  }
  for (std::size_t i = 0; i < slices.size(); ++i) {
    StripFrame frame;
    frame.label = QString::fromStdString(inspection.images[i].label);
    frame.scene = mapScene(inspection, slices[i], view);
    frame.scene.boxes.clear();
    if (!std::isfinite(view.high) && high > 0) frame.scene.style.high = high;
    double sum = 0;
    for (const float v : slices[i].values) sum += double(std::max(0.f, v));
    frame.share = slices[i].exists() && total > 0 ? sum / total : std::nan("");
    frames.push_back(std::move(frame));
  }
  return frames;
}

[[noreturn]] void nothing(const char* what, const char* why) {
  throw Error(what, "export", why, "Compute it first, or choose another view.");
}

}  // namespace

bool isMoreView(What what) {
  return what != What::Map && what != What::Tokens && what != What::Distributions;
}

QByteArray tableCsv(const DataTable& table) {
  QByteArray csv;
  const auto line = [&](const QStringList& cells) {
    for (int i = 0; i < cells.size(); ++i) {
      QString cell = cells[i];
      if (cell.contains(u',') || cell.contains(u'"') || cell.contains(u'\n') || cell.contains(u'\r')) cell = u'"' + cell.replace(u'"', QStringLiteral("\"\"")) + u'"';
      if (i) csv += ',';
      csv += cell.toUtf8();
    }
    csv += '\n';
  };
  line(table.columns);
  for (const QStringList& row : table.rows) line(row);
  return csv;
}

QByteArray tableNpz(const DataTable& table) {
  ZipStore zip;
  for (int c = 0; c < table.columns.size(); ++c) {
    std::vector<double> values;
    bool numbers = true, any = false;
    for (const QStringList& row : table.rows) {
      bool ok = false;
      const QString cell = row.value(c);
      const double value = cell.isEmpty() ? std::nan("") : cell.toDouble(&ok);
      any = any || ok;
      numbers = numbers && (ok || cell.isEmpty());
      values.push_back(value);
    }
    if (numbers && any) zip.add(table.columns[c].toStdString() + ".npy", npy(values).toStdString());
  }
  return QByteArray::fromStdString(zip.bytes());
}

QStringList lookLines(const Inspection& inspection) {
  QStringList lines;
  QString model = QString::fromStdString(inspection.student.name);
  if (inspection.step >= 0) model += QStringLiteral(", step %1").arg(inspection.step);
  lines << QStringLiteral("%1 · weights %2 · image %3").arg(model, QString::fromStdString(inspection.student.digest).left(12), QString::fromStdString(inspection.studentImageDigest).left(12));
  lines << QStringLiteral("question: %1").arg(QString::fromStdString(inspection.question).simplified());
  if (!inspection.cue.empty()) lines << QStringLiteral("cue: %1").arg(QString::fromStdString(inspection.cue).simplified());
  return lines;
}

QStringList figureFooter(const Inspection& inspection, const ExportChoice& choice) {
  QStringList footer = lookLines(inspection);
  footer << QStringLiteral("Attention is not a cause.");
  if (choice.demo) footer << QStringLiteral("Demo model and drawn scenes");
  return footer;
}

Figure viewFigure(const Inspection& inspection, const ExportChoice& choice) {
  const SelectionState selection = fitted(inspection, choice.selection);
  const QStringList footer = figureFooter(inspection, choice);
  const QString site = siteTitle(selection.site);
  const auto table = [&](const QString& title, double width) {
    const DataTable data = viewTable(inspection, choice);
    return captioned(title, footer, width, tableHeight(data), choice.dark, [data](QPainter& p, const QRectF& r, const Colors& c) { paintTable(p, r, data, c); });
  };
  switch (choice.what) {
    case What::Matrix: {
      auto matrix = std::make_shared<MatrixView>();
      matrix->setMaps(headMaps(inspection, selection, choice.view.image));
      if (matrix->maps().empty()) nothing("There is no matrix to draw", "this site was not captured");
      matrix->setColorMap(choice.view.map);
      matrix->setSelection(selection.layer, selection.head);
      const int layers = int(matrix->maps().layers.size()), heads = matrix->maps().heads + 2;
      const double height = std::clamp(30.0 + std::min(layers, heads) * 46.0, 120.0, 900.0);
      return captioned(QStringLiteral("%1: %2").arg(site, matrix->scaleText()), footer, 720, height, choice.dark,
                       [matrix](QPainter& p, const QRectF& r, const Colors& c) { matrix->paintMatrix(p, r, c); });
    }
    case What::Shares: {
      const auto shares = layerShares(inspection, selection);
      if (shares.empty()) nothing("There are no attention shares to draw", "self-attention was not captured for this token");
      return captioned(QStringLiteral("Attention share by layer, token %1, mean of heads").arg(selection.token), footer, 560, ShareBars::heightFor(shares.size()), choice.dark,
                       [shares, layer = selection.layer](QPainter& p, const QRectF& r, const Colors& c) { ShareBars::paintShares(p, r, shares, layer, c); });
    }
    case What::Lens: {
      const LensTable lens = lensTable(inspection);
      if (lens.empty()) nothing("There is no logit lens to draw", "it was not computed");
      const QSizeF size = LensGrid::sizeFor(lens);
      return captioned(QStringLiteral("Logit lens: most likely token after each layer, coloured by %1").arg(choice.lensEntropy ? QStringLiteral("entropy") : QStringLiteral("the probability of the token that comes")), footer,
                       size.width(), size.height(), choice.dark, [lens, choice, selection](QPainter& p, const QRectF& r, const Colors& c) {
                         LensGrid::paintGrid(p, r.topLeft(), lens, choice.lensEntropy, selection.layer, selection.token, c);
                       });
    }
    case What::Frames: {
      const auto frames = framesOf(inspection, selection, choice.view);
      if (frames.empty()) nothing("There are no frames to draw", "this question has no image");
      constexpr double kHeight = 180;
      return captioned(QStringLiteral("%1 over %2 images").arg(site).arg(frames.size()), footer, std::max(480.0, FrameStrip::widthFor(frames, kHeight)), kHeight, choice.dark,
                       [frames, choice](QPainter& p, const QRectF& r, const Colors& c) { FrameStrip::paintFrames(p, r, frames, choice.view.image, c); });
    }
    case What::Alignment: return table(QStringLiteral("Alignment: %1").arg(alignmentOf(inspection).verdict), 560);
    case What::CueScore: return table(QStringLiteral("Cue score, %1").arg(sliceMap(inspection, selection, choice.view.image).claim), 560);
    case What::Change: {
      const ChangeSet set = changeFrom(choice.change);
      if (set.rows.empty()) nothing("There is no before and after to draw", "no what if was run");
      const QJsonObject& j = choice.change;
      QStringList lines = footer;
      QStringList facts{QStringLiteral("log p(“%1”) %2 → %3 nats").arg(j["token"].toString(), number(j["before"].toDouble(std::nan("")), 2), number(j["after"].toDouble(std::nan("")), 2))};
      if (j["random_regions"].toInt() > 0)
        facts << QStringLiteral("%1 random ones: %2 ± %3 nats").arg(j["random_regions"].toInt()).arg(signedNumber(j["random_mean"].toDouble() - j["before"].toDouble(), 2), number(j["random_deviation"].toDouble(), 2));
      if (!j["answer_before"].toString().isEmpty()) facts << QStringLiteral("before: %1").arg(j["answer_before"].toString().simplified());
      if (!j["answer_after"].toString().isEmpty()) facts << QStringLiteral("after: %1").arg(j["answer_after"].toString().simplified());
      facts << QStringLiteral("This change is a cause.");
      return captioned(QStringLiteral("What if: %1").arg(set.title), facts + lines, 560, ChangeBars::heightFor(set), choice.dark,
                       [set](QPainter& p, const QRectF& r, const Colors& c) { ChangeBars::paintChange(p, r, set, c); });
    }
    case What::Steps: {
      auto strip = std::make_shared<FilmStrip>();
      const auto rows = stepRowsFrom(choice.steps, inspection).at(0);
      strip->setColorMap(choice.view.map);
      strip->setRows(rows);
      if (strip->steps().empty()) nothing("There are no steps to draw", "no checkpoint was looked at");
      strip->setCursorStep(selection.step);
      return captioned(QStringLiteral("%1 over training steps, %2").arg(site, strip->scaleText()), footer, std::max(400.0, 96.0 + 120.0 * double(strip->steps().size())), 40 + 120.0 * double(rows.size()), choice.dark,
                       [strip](QPainter& p, const QRectF& r, const Colors& c) { strip->paintStrip(p, r, c); });
    }
    case What::Model: return table(QStringLiteral("Modules of %1").arg(QString::fromStdString(inspection.student.name)), 760);
    default: break;
  }
  nothing("This view cannot be drawn", "it is drawn elsewhere");
}

DataTable viewTable(const Inspection& inspection, const ExportChoice& choice) {
  const SelectionState selection = fitted(inspection, choice.selection);
  DataTable table;
  switch (choice.what) {
    case What::Matrix: {
      const HeadMaps maps = headMaps(inspection, selection, choice.view.image);
      table.columns = {"layer", "head", "row", "column", "value"};
      for (std::size_t l = 0; l < maps.layers.size(); ++l)
        for (int h = 0; h < maps.heads; ++h)
          for (int p = 0; p < maps.patches(); ++p)
            table.rows.push_back({QString::number(maps.layers[l]), QString::number(h), QString::number(p / maps.gridCols), QString::number(p % maps.gridCols), exact(double(maps.map(int(l), h)[p]))});
      break;
    }
    case What::Shares:
      table.columns = {"layer", "image", "text", "sink"};
      for (const LayerShares& s : layerShares(inspection, selection)) table.rows.push_back({QString::number(s.layer), exact(s.image), exact(s.text), exact(s.sink)});
      break;
    case What::Lens: {
      const LensTable lens = lensTable(inspection);
      table.columns = {"layer", "token", "next", "chosen_probability", "entropy", "place", "text", "probability"};
      for (std::size_t l = 0; l < lens.layers.size(); ++l)
        for (std::size_t t = 0; t < lens.tokens.size(); ++t) {
          const LensCell& cell = lens.at(int(l), int(t));
          for (std::size_t k = 0; k < cell.texts.size(); ++k)
            table.rows.push_back({QString::number(lens.layers[l]), QString::number(lens.tokens[t]), lens.names[t], exact(cell.chosen), exact(cell.entropy), QString::number(k + 1), cell.texts[k], exact(cell.probabilities[k])});
        }
      break;
    }
    case What::Frames: {
      table.columns = {"image", "label", "share", "row", "column", "value"};
      const auto frames = framesOf(inspection, selection, choice.view);
      for (std::size_t i = 0; i < frames.size(); ++i)
        for (std::size_t p = 0; p < frames[i].scene.map.values.size(); ++p)
          table.rows.push_back({QString::number(i), frames[i].label, exact(frames[i].share), QString::number(int(p) / frames[i].scene.map.cols), QString::number(int(p) % frames[i].scene.map.cols), exact(double(frames[i].scene.map.values[p]))});
      break;
    }
    case What::Alignment: {
      const Alignment alignment = alignmentOf(inspection);
      table.columns = {"check", "student", "teacher", "ok"};
      for (const AlignmentRow& row : alignment.rows) table.rows.push_back({row.check, row.student, row.teacher, row.ok ? "1" : "0"});
      for (const BoundaryRow& row : alignment.boundary)
        table.rows.push_back({QStringLiteral("%1 %2 “%3”").arg(row.offset < 0 ? QStringLiteral("prompt") : QStringLiteral("response")).arg(row.offset).arg(row.studentText),
                              QStringLiteral("%1: id %2").arg(row.studentPosition).arg(row.studentId), row.teacherPosition < 0 ? QString() : QStringLiteral("%1: id %2").arg(row.teacherPosition).arg(row.teacherId),
                              row.offset < 0 ? QString() : row.studentId == row.teacherId || row.teacherPosition < 0 ? "1" : "0"});
      break;
    }
    case What::CueScore: {
      table.columns = {"map", "mass", "uniform mass", "hit", "uniform hit", "IoU", "uniform IoU"};
      const MapSlice slice = sliceMap(inspection, selection, choice.view.image);
      if (const auto s = cueScore(inspection, slice))
        table.rows.push_back({slice.claim, exact(double(s->mass)), exact(double(s->uniformMass)), s->hit ? "1" : "0", exact(double(s->uniformHit)), exact(double(s->iou)), exact(double(s->uniformIou))});
      for (const EvidenceScore& s : inspection.evidenceScores)
        if (s.image == choice.view.image)
          table.rows.push_back({QStringLiteral("%1, query %2, layer %3").arg(siteTitle(s.site)).arg(s.query).arg(s.layer), exact(double(s.mass)), exact(double(s.uniformMass)), s.hit ? "1" : "0", exact(double(s.uniformHit)),
                                exact(double(s.iou)), exact(double(s.uniformIou))});
      if (table.rows.empty()) nothing("There is no cue score", "this row has no evidence boxes, or there is no map");
      break;
    }
    case What::Change: {
      const ChangeSet set = changeFrom(choice.change);
      table.columns = {"token", "before", "after"};
      for (const ChangeRow& row : set.rows) table.rows.push_back({row.token, exact(row.before), exact(row.after)});
      if (!set.rows.empty()) table.rows.push_back({"tail", exact(set.tailBefore), exact(set.tailAfter)});
      break;
    }
    case What::Steps: {
      table.columns = {"image", "step", "row", "column", "value"};
      const auto rows = stepRowsFrom(choice.steps, inspection).at(0);
      for (std::size_t i = 0; i < rows.size(); ++i)
        for (const auto& [step, values] : rows[i].maps)
          for (std::size_t p = 0; p < values.size(); ++p)
            table.rows.push_back({QString::number(i), QString::number(step), QString::number(int(p) / rows[i].gridCols), QString::number(int(p) % rows[i].gridCols), exact(double(values[p]))});
      break;
    }
    case What::Model:
      table.columns = {"name", "shape", "type", "bytes", "norm"};
      for (const QJsonValue& row : choice.model) {
        QStringList cells;
        for (const QJsonValue& cell : row.toArray()) cells << cell.toString();
        table.rows.push_back(cells);
      }
      if (table.rows.empty()) nothing("There is no listing of the model", "its folder was not looked at; open the tab Model first");
      break;
    default: break;
  }
  return table;
}

Figure comparedFigure(const Inspection& inspection, const ExportChoice& choice, const Inspection* beside) {
  const SelectionState selection = fitted(inspection, choice.selection);
  MapSlice first = sliceMap(inspection, selection, choice.view.image), second;
  const Inspection* other = &inspection;
  if (choice.compare == u"pair" || choice.change.contains("map_before")) {
    first = sliceFrom(choice.change["map_before"].toObject());
    second = sliceFrom(choice.change["map_after"].toObject());
  } else if (choice.besideCapture) {
    if (!beside) throw Error("The second student's look is missing", "beside", "this figure shows two looks, and one capture holds one", "Name its capture with --beside.");
    other = beside;
    second = sliceMap(*beside, fitted(*beside, choice.selection), choice.view.image);
  } else {
    second = sliceMap(inspection, fitted(inspection, choice.second), choice.view.image);
  }
  if (!first.exists() || !second.exists()) nothing("There are no two maps to draw", "one of them was not captured");
  const Colors& colors = choice.dark ? darkColors() : lightColors();
  const QStringList footer = figureFooter(inspection, choice);
  const auto text = [&](const MapSlice& slice, const QString& label) {
    FigureText t;
    t.title = label.isEmpty() ? slice.claim : label;
    t.dependsOn = label.isEmpty() ? slice.depends : slice.claim;
    t.footer = footer;
    t.footer.removeAll(t.note);
    return t;
  };
  Figure figure;
  if (choice.compare == u"difference") {
    const MapSlice difference = mapDifference(first, second);
    if (!difference.exists()) nothing("These maps have no difference", "their grids are not the same");
    const HeatmapScene scene = mapScene(inspection, difference, choice.view);
    const FigureText t = text(difference, {});
    figure.title = t.title;
    figure.size = QSizeF(heatmapFigureSize(scene, t));
    figure.paint = [scene, t, &colors](QPainter& painter, const QRectF& rect) { paintHeatmapFigure(painter, rect, scene, t, colors); };
    return figure;
  }
  HeatmapScene a = mapScene(inspection, first, choice.view), b = mapScene(*other, second, choice.view);
  if (!std::isfinite(choice.view.high)) shareRange(a, b);
  const FigureText left = text(first, choice.labelA), right = text(second, choice.labelB);
  const QSizeF sizeA = heatmapFigureSize(a, left, 560), sizeB = heatmapFigureSize(b, right, 560);
  figure.title = left.title + QStringLiteral(" | ") + right.title;
  figure.size = QSizeF(sizeA.width() + sizeB.width() + 1, std::max(sizeA.height(), sizeB.height()));
  figure.paint = [a, b, left, right, sizeA, sizeB, &colors](QPainter& painter, const QRectF& rect) {
    painter.fillRect(rect, colors.panel);
    paintHeatmapFigure(painter, QRectF(rect.topLeft(), sizeA), a, left, colors);
    painter.fillRect(QRectF(rect.left() + sizeA.width(), rect.top(), 1, rect.height()), colors.lineStrong);
    paintHeatmapFigure(painter, QRectF(QPointF(rect.left() + sizeA.width() + 1, rect.top()), sizeB), b, right, colors);
  };
  return figure;
}

QJsonObject changeJson(const WhatIf& answer, const QString& token, int rows, const MapSlice& before, const MapSlice& after) {
  const ChangeSet set = changeSet(answer, rows);
  QJsonArray lines;
  for (const ChangeRow& row : set.rows) lines.append(QJsonObject{{"token", row.token}, {"before", row.before}, {"after", row.after}});
  QJsonObject json{{"description", QString::fromStdString(answer.description)}, {"token", token}, {"condition", int(answer.subject)}, {"rows", lines}, {"chosen", set.chosen},
                   {"tail_before", set.tailBefore}, {"tail_after", set.tailAfter}, {"before", double(answer.before)}, {"after", double(answer.after)},
                   {"answer_before", QString::fromStdString(answer.answerBefore)}, {"answer_after", QString::fromStdString(answer.answerAfter)}, {"random_regions", answer.randomRegions}};
  if (std::isfinite(answer.randomMean)) json.insert("random_mean", double(answer.randomMean));
  if (std::isfinite(answer.randomDeviation)) json.insert("random_deviation", double(answer.randomDeviation));
  if (before.exists() && after.exists()) {
    json.insert("map_before", sliceJson(before));
    json.insert("map_after", sliceJson(after));
  }
  return json;
}

QJsonArray stepsJson(const std::map<int, InspectionPtr>& looks, const SelectionState& selection) {
  QJsonArray steps;
  for (const auto& [step, look] : looks)
    for (int i = 0; i < int(look->images.size()); ++i)
      if (const MapSlice slice = sliceMap(*look, fitted(*look, selection), i); slice.exists()) steps.append(QJsonObject{{"step", step}, {"image", i}, {"values", packed(slice.values)}});
  return steps;
}

QJsonArray modelJson(const ModelListing& listing, const std::vector<double>& norms) {
  QJsonArray rows;
  for (std::size_t i = 0; i < listing.tensors.size(); ++i) {
    const TensorLine& t = listing.tensors[i];
    rows.append(QJsonArray{t.name, shapeText(t.shape), t.dtype, QString::number(t.bytes), i < norms.size() ? exact(norms[i]) : QString()});
  }
  return rows;
}

}  // namespace cuescope
