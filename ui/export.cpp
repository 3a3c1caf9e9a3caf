#include "ui/export.h"

#include <QBuffer>
#include <QFile>
#include <QFileInfo>
#include <QImage>
#include <QJsonDocument>
#include <QPainter>
#include <QPdfWriter>
#include <QPixmap>
#include <QRegularExpression>
#include <QSaveFile>
#include <QSvgGenerator>
#include <QWidget>
#include <algorithm>
#include <cmath>

#include "engine/core/capture.h"
#include "engine/core/dump.h"
#include "ui/export_views.h"
#include "ui/panels/distributions_panel.h"

namespace cuescope {
namespace {

constexpr int kPdfDpi = 72;

QByteArray figurePng(const Figure& figure, double scale) {
  QImage image((figure.size * scale).toSize(), QImage::Format_RGB32);
  image.fill(Qt::white);
  const int dots = int(std::lround(3779.5 * scale));  // 96 dots an inch at scale 1, whatever the screen has
  image.setDotsPerMeterX(dots);
  image.setDotsPerMeterY(dots);
  QPainter painter(&image);
  painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
  painter.setFont(uiFont(12));  // a drawing names its first font even where nothing is written with it
  painter.scale(scale, scale);
  figure.paint(painter, QRectF(QPointF(), figure.size));
  painter.end();
  return pngBytes(image);
}

QByteArray svgBytes(const Figure& figure) {
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  QSvgGenerator generator;
  generator.setOutputDevice(&buffer);
  generator.setSize(figure.size.toSize());
  generator.setViewBox(QRectF(QPointF(), figure.size));
  generator.setResolution(96);
  generator.setTitle(figure.title);
  generator.setDescription(QStringLiteral("Cuescope"));
  QPainter painter(&generator);
  painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
  painter.setFont(uiFont(12));  // a drawing names its first font even where nothing is written with it
  figure.paint(painter, QRectF(QPointF(), figure.size));
  painter.end();
  return bytes;
}

QByteArray pdfBytes(const Figure& figure) {
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  const OneHashSeed seed;
  {
    QPdfWriter writer(&buffer);
    writer.setTitle(figure.title);
    writer.setCreator(QStringLiteral("Cuescope"));
    writer.setResolution(kPdfDpi);
    writer.setPageSize(QPageSize(figure.size, QPageSize::Point, QString(), QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF());
    QPainter painter(&writer);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    painter.setFont(uiFont(12));  // a drawing names its first font even where nothing is written with it
    figure.paint(painter, QRectF(QPointF(), figure.size));
  }
  return stablePdf(bytes);
}

FigureText figureText(const Inspection& inspection, const MapSlice& slice, const ExportChoice& choice) {
  FigureText text;
  text.title = slice.exists() ? slice.claim : slice.why;
  text.dependsOn = slice.depends;
  text.causal = choice.causal;
  text.footer = lookLines(inspection);
  if (choice.demo) text.demoMark = QStringLiteral("Demo model and drawn scenes");
  return text;
}

}  // namespace

// Caption lines above and below strips and bars, so that no figure leaves without saying what it is.
Figure captioned(const QString& title, const QStringList& footer, double width, double contentHeight, bool dark,
                 std::function<void(QPainter&, const QRectF&, const Colors&)> content) {
  constexpr double kMargin = 16, kTitle = 26, kLine = 16;
  Figure figure;
  figure.title = title;
  figure.size = QSizeF(width + 2 * kMargin, std::ceil(contentHeight) + 2 * kMargin + kTitle + 8 + kLine * double(footer.size()));
  figure.paint = [=, content = std::move(content)](QPainter& painter, const QRectF& rect) {
    const Colors& c = dark ? darkColors() : lightColors();
    painter.fillRect(rect, c.panel);
    painter.setFont(uiFont(13, QFont::DemiBold));
    painter.setPen(c.text);
    painter.drawText(QRectF(kMargin, kMargin, width, kTitle), Qt::AlignTop | Qt::AlignLeft, title);
    content(painter, QRectF(kMargin, kMargin + kTitle, width, contentHeight), c);
    painter.setFont(uiFont(11));
    painter.setPen(c.text3);
    double y = kMargin + kTitle + contentHeight + 8;
    for (const QString& line : footer) {
      painter.drawText(QRectF(kMargin, y, width, kLine), Qt::AlignVCenter | Qt::AlignLeft,
                       QFontMetricsF(painter.font()).elidedText(line, Qt::ElideRight, width));
      y += kLine;
    }
  };
  return figure;
}

QByteArray stablePdf(QByteArray bytes) {
  // The writer puts the clock and a random id into the file; replaced at the same length, because the cross-reference table
  // counts bytes.
  static const QRegularExpression kDate(QStringLiteral("\\(D:\\d{14}[^)]*\\)"));
  QString text = QString::fromLatin1(bytes);
  qsizetype at = 0;
  for (auto match = kDate.match(text); match.hasMatch(); match = kDate.match(text, at)) {
    QByteArray fixed("(D:20000101000000Z");
    fixed = fixed.left(match.capturedLength() - 1).leftJustified(match.capturedLength() - 1, ' ') + ')';
    bytes.replace(match.capturedStart(), match.capturedLength(), fixed);
    at = match.capturedEnd();
  }
  static const QRegularExpression kUuid(QStringLiteral("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
  auto uuids = kUuid.globalMatch(text);
  while (uuids.hasNext()) {
    const auto match = uuids.next();
    bytes.replace(match.capturedStart(), match.capturedLength(), "00000000-0000-0000-0000-000000000000");
  }
  return bytes;
}

QStringList figureFormats() {
  return {QStringLiteral("png"), QStringLiteral("svg"), QStringLiteral("pdf")};
}

QByteArray figureBytes(const Figure& figure, const QString& format, double scale) {
  if (format == u"png") return figurePng(figure, std::clamp(scale, 0.25, 8.0));
  if (format == u"svg") return svgBytes(figure);
  if (format == u"pdf") return pdfBytes(figure);
  throw Error("This is no picture format", format.toStdString(), "pictures are written as png, svg or pdf", "Choose one of the three.");
}

const QStringList& exportViewNames() {
  static const QStringList kNames = {"map", "tokens", "distributions", "matrix", "shares", "lens", "frames", "alignment", "cue-score", "change", "steps", "model"};
  return kNames;
}

namespace {

void putSelection(QJsonObject& json, const SelectionState& s) {
  json.insert("site", siteName(s.site));
  json.insert("layer", s.layer);
  json.insert("head", headName(s.head));
  json.insert("token", s.token);
  if (s.prompt >= 0) json.insert("prompt", s.prompt);
  if (s.visionQuery >= 0) json.insert("vision_query", s.visionQuery);
}

SelectionState takeSelection(const QJsonObject& json) {
  SelectionState s;
  for (int i = 0; i < kSites; ++i)
    if (json.value("site").toString() == QLatin1String(siteName(Site(i)))) s.site = Site(i);
  s.layer = json.value("layer").toInt(-1);
  const QString head = json.value("head").toString("mean");
  s.head = head == u"mean" ? kHeadMean : head == u"max" ? kHeadMax : head.toInt();
  s.token = json.value("token").toInt(-1);
  s.prompt = json.value("prompt").toInt(-1);
  s.visionQuery = json.value("vision_query").toInt(-1);
  return s;
}

}  // namespace

// Parts that a view does not use are left out: a recipe holds what its figure depends on.
QJsonObject ExportChoice::json() const {
  QJsonObject json{{"what", exportViewNames()[int(what)]},
                   {"color_map", colorMapName(view.map)},
                   {"opacity", view.opacity},
                   {"smooth", view.smooth},
                   {"fade", view.fade},
                   {"log", view.logScale},
                   {"mask_outliers", view.maskOutliers},
                   {"grid", view.grid},
                   {"image", view.image},
                   {"theme", dark ? "dark" : "light"},
                   {"token_value", int(tokenValue)},
                   {"top_tokens", topTokens},
                   {"causal", causal},
                   {"scale", scale},
                   {"demo", demo}};
  putSelection(json, selection);
  if (!view.shown) json.insert("map_hidden", true);
  if (view.low != 0) json.insert("low", view.low);
  if (std::isfinite(view.high)) json.insert("high", view.high);
  if (what == What::Lens) json.insert("lens_entropy", lensEntropy);
  if (what == What::Distributions && spanFirst >= 0) json.insert("span", QJsonArray{spanFirst, spanLast});
  if (what == What::Tokens && !patches.empty()) {
    QJsonArray list;
    for (const int p : patches) list.append(p);
    json.insert("patches", list);
  }
  if (what == What::Map && !compare.isEmpty()) {
    json.insert("compare", compare);
    json.insert("label_a", labelA);
    json.insert("label_b", labelB);
    if (besideCapture) json.insert("beside", true);
    QJsonObject other;
    putSelection(other, second);
    json.insert("second", other);
  }
  if (what == What::Change || compare == u"pair" || (what == What::Map && change.contains("map_before"))) json.insert("change", change);
  if (what == What::Steps) {
    json.insert("steps", steps);
    json.insert("step", selection.step);
  }
  if (what == What::Model) json.insert("model", model);
  return json;
}

ExportChoice exportChoiceFromJson(const QJsonObject& json) {
  ExportChoice choice;
  choice.what = ExportChoice::What(std::max<qsizetype>(0, exportViewNames().indexOf(json.value("what").toString("map"))));
  choice.selection = takeSelection(json);
  choice.selection.step = json.value("step").toInt(-1);
  choice.dark = json.value("theme").toString("dark") == u"dark";
  choice.view.map = json.contains("color_map") ? colorMapFromName(json.value("color_map").toString()) : defaultColorMap(choice.dark);
  choice.view.opacity = json.value("opacity").toDouble(1);
  choice.view.smooth = json.value("smooth").toBool(false);
  choice.view.fade = json.value("fade").toBool(true);
  choice.view.logScale = json.value("log").toBool(false);
  choice.view.maskOutliers = json.value("mask_outliers").toBool(false);
  choice.view.grid = json.value("grid").toBool(false);
  choice.view.image = json.value("image").toInt(0);
  choice.view.shown = !json.value("map_hidden").toBool(false);
  choice.view.low = json.value("low").toDouble(0);
  choice.view.high = json.value("high").toDouble(std::nan(""));
  choice.tokenValue = TokenValue(std::clamp(json.value("token_value").toInt(0), 0, kTokenValues - 1));
  choice.topTokens = json.value("top_tokens").toInt(6);
  const QJsonArray span = json.value("span").toArray();
  if (span.size() == 2) choice.spanFirst = span[0].toInt(-1), choice.spanLast = span[1].toInt(-1);
  choice.causal = json.value("causal").toString();
  choice.demo = json.value("demo").toBool(false);
  choice.scale = json.value("scale").toDouble(kPngScale);
  choice.lensEntropy = json.value("lens_entropy").toBool(false);
  for (const QJsonValue& p : json.value("patches").toArray()) choice.patches.push_back(p.toInt());
  choice.compare = json.value("compare").toString();
  choice.labelA = json.value("label_a").toString();
  choice.labelB = json.value("label_b").toString();
  choice.second = takeSelection(json.value("second").toObject());
  choice.besideCapture = json.value("beside").toBool(false);
  choice.change = json.value("change").toObject();
  choice.steps = json.value("steps").toArray();
  choice.model = json.value("model").toArray();
  return choice;
}

Figure figureOf(const Inspection& inspection, const ExportChoice& choice, const Inspection* beside) {
  if (isMoreView(choice.what)) return viewFigure(inspection, choice);
  if (choice.what == ExportChoice::What::Map && !choice.compare.isEmpty()) return comparedFigure(inspection, choice, beside);
  const Colors& colors = choice.dark ? darkColors() : lightColors();
  const SelectionState selection = fitted(inspection, choice.selection);
  const MapSlice slice = sliceMap(inspection, selection, choice.view.image);
  const FigureText text = figureText(inspection, slice, choice);
  if (choice.what == ExportChoice::What::Map) {
    const HeatmapScene scene = mapScene(inspection, slice, choice.view);
    Figure figure;
    figure.title = text.title;
    figure.size = QSizeF(heatmapFigureSize(scene, text));
    figure.paint = [scene, text, &colors](QPainter& painter, const QRectF& rect) { paintHeatmapFigure(painter, rect, scene, text, colors); };
    return figure;
  }
  if (choice.what == ExportChoice::What::Tokens) {
    // The strip is a widget that knows how to paint itself at any width; it is never shown here.
    auto strip = std::make_shared<TokenStrip>();
    strip->setPrompt(promptTokens(inspection.studentPrompt, !inspection.cueRecovery.empty()));
    std::vector<StripToken> response;
    for (const Token& token : inspection.response) response.push_back(stripToken(token));
    strip->setResponse(response);
    TokenContext context{selection, choice.view.image, choice.patches, beside};
    TokenColoring coloring = coloringOf(choice.tokenValue);
    const std::vector<double> values = tokenValues(inspection, choice.tokenValue, context);
    if (choice.tokenValue == TokenValue::PatchShare)
      for (const double v : values) coloring.high = std::isfinite(v) ? std::max(coloring.high == 1 ? 0 : coloring.high, v) : coloring.high;
    strip->setColoring(coloring, values);
    constexpr double kWidth = 720;
    QImage probe(1, 1, QImage::Format_RGB32);
    QPainter measure(&probe);
    const double height = strip->paintStrip(measure, QRectF(0, 0, kWidth, 10000), colors);
    measure.end();
    return captioned(QStringLiteral("Tokens, coloured by %1").arg(tokenValueTitle(choice.tokenValue)), text.footer, kWidth, height, choice.dark,
                     [strip](QPainter& painter, const QRectF& rect, const Colors& c) { strip->paintStrip(painter, rect, c); });
  }
  const bool span = choice.spanFirst >= 0 && choice.spanLast > choice.spanFirst && choice.spanLast < int(inspection.distributions.size());
  if (span) {
    const DistributionSet set = distributionSet(meanDistributions(inspection.distributions, choice.spanFirst, choice.spanLast), -1, choice.topTokens);
    const double height = DistributionBars::heightFor(set, true);
    return captioned(QStringLiteral("Tokens %1 to %2 of %3, mean of their distributions").arg(choice.spanFirst + 1).arg(choice.spanLast + 1).arg(inspection.response.size()), text.footer, 480, height, choice.dark,
                     [set](QPainter& painter, const QRectF& rect, const Colors& c) { DistributionBars::paintBars(painter, rect, set, c, true); });
  }
  if (selection.token < 0 || selection.token >= int(inspection.distributions.size()))
    throw Error("There are no distributions to draw", "token " + std::to_string(selection.token), "this inspection has none for it", "Choose a token of the response.");
  const TokenDistributions& d = inspection.distributions[std::size_t(selection.token)];
  const Token& token = inspection.response[std::size_t(selection.token)];
  const DistributionSet set = distributionSet(d, token.id, choice.topTokens);
  const double height = DistributionBars::heightFor(set, true);
  return captioned(QStringLiteral("Token “%1”, response %2 of %3").arg(tokenWords(token)).arg(selection.token + 1).arg(inspection.response.size()), text.footer,
                   480, height, choice.dark,
                   [set](QPainter& painter, const QRectF& rect, const Colors& c) { DistributionBars::paintBars(painter, rect, set, c, true); });
}

namespace {

DumpChoice dumpChoice(const Inspection& inspection, const ExportChoice& choice);

// The numbers of a map that is drawn: patch by patch, what the figure shows.
DataTable mapTable(const Inspection& inspection, const ExportChoice& choice) {
  DataTable table{{"image", "row", "column", "value", "times_uniform"}, {}};
  const MapSlice slice = sliceMap(inspection, fitted(inspection, choice.selection), choice.view.image);
  for (std::size_t p = 0; p < slice.values.size(); ++p) {
    const double v = double(slice.values[p]);
    table.rows.push_back({QString::number(slice.image), QString::number(int(p) / slice.cols), QString::number(int(p) % slice.cols), std::isfinite(v) ? QString::number(v, 'g', 9) : QString(),
                          slice.uniform > 0 && std::isfinite(v) ? QString::number(v / double(slice.uniform), 'g', 6) : QString()});
  }
  return table;
}

bool dumpKnows(const Inspection& inspection, const ExportChoice& choice) {
  const SelectionState s = fitted(inspection, choice.selection);
  return (s.site == Site::CueRecovery || s.site == Site::SelfAttention) && s.prompt < 0 && stackOf(inspection, s.site);
}

}  // namespace

QByteArray npzOf(const Inspection& inspection, const ExportChoice& choice) {
  if (isMoreView(choice.what)) return tableNpz(viewTable(inspection, choice));
  if (choice.what == ExportChoice::What::Map && !dumpKnows(inspection, choice)) return tableNpz(mapTable(inspection, choice));
  return QByteArray::fromStdString(dumpNpz(inspection, dumpChoice(inspection, choice)));
}

QByteArray csvOf(const Inspection& inspection, const ExportChoice& choice) {
  if (isMoreView(choice.what)) return tableCsv(viewTable(inspection, choice));
  if (choice.what == ExportChoice::What::Map && !dumpKnows(inspection, choice)) return tableCsv(mapTable(inspection, choice));
  return QByteArray::fromStdString(dumpCsv(inspection, dumpChoice(inspection, choice)));
}

namespace {

DumpChoice dumpChoice(const Inspection& inspection, const ExportChoice& choice) {
  const SelectionState selection = fitted(inspection, choice.selection);
  DumpChoice dump;
  if (choice.what == ExportChoice::What::Tokens) {
    dump.site = "tokens";
  } else if (choice.what == ExportChoice::What::Distributions) {
    dump.site = "distributions";
    dump.token = selection.token;
  } else {
    dump.site = siteName(selection.site);
    dump.layer = selection.layer;
    dump.head = selection.head == kHeadMean ? DumpChoice::kMean : selection.head == kHeadMax ? DumpChoice::kMax : selection.head;
    dump.token = selection.site == Site::SelfAttention ? selection.token : DumpChoice::kAll;
  }
  return dump;
}

}  // namespace

QByteArray recipeOf(const Inspection& inspection, const InspectRequest& request, const ExportChoice& choice) {
  const CaptureInfo info = captureInfo(inspection, request);
  QJsonObject recipe{{"format", 1},
                     {"student_digest", QString::fromStdString(info.studentDigest)},
                     {"teacher_digest", QString::fromStdString(info.teacherDigest)},
                     {"image_digest", QString::fromStdString(info.imageDigest)},
                     {"step", info.step},
                     {"choice", choice.json()},
                     {"request", QJsonDocument::fromJson(QByteArray::fromStdString(info.requestJson)).object()}};
  return QJsonDocument(recipe).toJson(QJsonDocument::Indented);
}

void writeBytes(const QString& file, const QByteArray& bytes) {
  QSaveFile out(file);
  if (!out.open(QIODevice::WriteOnly) || out.write(bytes) != bytes.size() || !out.commit())
    throw Error("This file could not be written", file.toStdString(), out.errorString().toStdString(), "Choose another folder.");
}

QByteArray pngBytes(const QImage& image) {
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  image.save(&buffer, "PNG");
  return bytes;
}

void exportTo(const QString& file, const Inspection& inspection, const InspectRequest& request, const ExportChoice& choice, const Inspection* beside) {
  const QString suffix = QFileInfo(file).suffix().toLower();
  if (suffix == u"csv" || suffix == u"npz") {
    writeBytes(file, suffix == u"csv" ? csvOf(inspection, choice) : npzOf(inspection, choice));
    return writeBytes(file + QStringLiteral(".recipe.json"), recipeOf(inspection, request, choice));
  }
  if (suffix == u"capture") return writeCapture(file.toStdString(), inspection, captureInfo(inspection, request));
  if (!figureFormats().contains(suffix))
    throw Error("This ending names no format", file.toStdString(), "figures end in .png, .svg or .pdf, numbers in .csv or .npz, captures in .capture", "Give the file one of these endings.");
  writeBytes(file, figureBytes(figureOf(inspection, choice, beside), suffix, choice.scale));
  writeBytes(file + QStringLiteral(".recipe.json"), recipeOf(inspection, request, choice));
}

}  // namespace cuescope
