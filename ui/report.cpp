#include "ui/report.h"

#include <QBuffer>
#include <QFileInfo>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <memory>

#include "ui/models/run_curves.h"
#include "ui/panels/tokens_panel.h"
#include "widgets/curve_plot.h"
#include "widgets/film_strip.h"
#include "widgets/numbers.h"

namespace cuescope {
namespace {

constexpr double kCurveWidth = 960, kCurveHeight = 168;  // of one plot
constexpr int kCurveColumns = 3;
constexpr int kMapLimit = 12;  // maps of one site

QString words(const std::string& text) { return QString::fromStdString(text); }

void heading(Report& report, const QString& text) { report.blocks.append({ReportBlock::Kind::Heading, text, {}, {}}); }
void text(Report& report, const QString& words) { report.blocks.append({ReportBlock::Kind::Text, words, {}, {}}); }
void picture(Report& report, const QString& caption, Figure figure) { report.blocks.append({ReportBlock::Kind::Picture, caption, {}, std::move(figure)}); }
void rows(Report& report, ReportBlock::Kind kind, QList<QStringList> list) { report.blocks.append({kind, {}, std::move(list), {}}); }

QString modelText(const ModelInfo& model) {
  return QStringLiteral("%1, weights %2").arg(words(model.name), words(model.digest).left(16));
}

int largestGap(const Inspection& inspection) {
  int found = -1;
  double size = -1;
  for (int t = 0; t < int(inspection.distributions.size()); ++t)
    if (const double gap = std::abs(inspection.distributions[std::size_t(t)].gap()); std::isfinite(gap) && gap > size) size = gap, found = t;
  return found >= 0 ? found : inspection.distributions.empty() ? -1 : 0;
}

}  // namespace

Report inspectionReport(const Inspection& inspection, const QString& causal, bool dark) {
  Report report;
  report.dark = dark;
  report.title = QObject::tr("Inspection: %1").arg(words(inspection.question).simplified());
  report.subtitle = words(inspection.student.name) + (inspection.step >= 0 ? QObject::tr(", step %1").arg(inspection.step) : QString());
  QList<QStringList> facts{{QObject::tr("Student"), modelText(inspection.student)}};
  if (inspection.step >= 0) facts.append({QObject::tr("Training step"), QString::number(inspection.step)});
  if (inspection.hasTeacher) facts.append({QObject::tr("Teacher"), modelText(inspection.teacher)});
  if (!inspection.sampleId.empty()) facts.append({QObject::tr("Sample"), words(inspection.sampleId)});
  facts.append({QObject::tr("Image"), QObject::tr("digest %1").arg(words(inspection.studentImageDigest).left(16))});
  for (std::size_t i = 0; i < inspection.images.size(); ++i)
    facts.append({QObject::tr("Grid %1").arg(i + 1), QObject::tr("%1 rows × %2 columns of visual tokens").arg(inspection.images[i].gridRows).arg(inspection.images[i].gridCols)});
  facts.append({QObject::tr("Question"), words(inspection.question)});
  facts.append({QObject::tr("Cue"), inspection.cue.empty() ? QObject::tr("none") : words(inspection.cue)});
  facts.append({QObject::tr("Answer"), words(inspection.answer)});
  facts.append({QObject::tr("Ended by"), words(inspection.finish)});
  rows(report, ReportBlock::Kind::Facts, facts);

  ExportChoice choice;
  choice.dark = dark;
  choice.view.map = defaultColorMap(dark);
  choice.causal = causal;
  choice.selection.token = largestGap(inspection);
  heading(report, QObject::tr("Where it looks"));
  text(report, QObject::tr("Attention is not a cause. What a map shows is where weight went, not what decided the answer; the causal number, where it was computed, is an erasure beside a random control."));
  for (const Site site : sitesOf(inspection)) {
    choice.selection.site = site;
    const AttentionStack* stack = stackOf(inspection, site);
    if (!stack || inspection.images.empty()) continue;
    // Every layer of the cue recovery; the middle one of stacks that have one a decoder layer.
    std::vector<int> layers = stack->layers;
    if (site != Site::CueRecovery || int(layers.size()) > kMapLimit) layers = {stack->layers[stack->layers.size() / 2]};
    for (const int layer : layers) {
      choice.selection.layer = layer;
      picture(report, QObject::tr("%1, layer %2, mean of heads").arg(siteTitle(site)).arg(layer), figureOf(inspection, choice));
      choice.causal.clear();  // it belongs to the first map alone
    }
  }
  if (const AttentionStack* sink = stackOf(inspection, Site::CueRecovery); sink && !inspection.evidence.empty() && !inspection.images.empty()) {
    QList<QStringList> table{{QObject::tr("Layer"), QObject::tr("Mass in evidence"), QObject::tr("uniform"), QObject::tr("Peak inside"), QObject::tr("IoU"), QObject::tr("uniform")}};
    for (const int layer : sink->layers) {
      SelectionState s;
      s.site = Site::CueRecovery;
      s.layer = layer;
      const MapSlice slice = sliceMap(inspection, s, 0);
      if (const auto score = cueScore(inspection, slice))
        table.append({QString::number(layer), number(score->mass, 3), number(score->uniformMass, 3), score->hit ? QObject::tr("yes") : QObject::tr("no"), number(score->iou, 3), number(score->uniformIou, 3)});
    }
    if (table.size() > 1) {
      heading(report, QObject::tr("Cue score, mean of heads, beside a uniform map"));
      rows(report, ReportBlock::Kind::Table, table);
    }
  }

  heading(report, QObject::tr("What it says"));
  ExportChoice tokens = choice;
  tokens.what = ExportChoice::What::Tokens;
  tokens.tokenValue = TokenValue::Gap;
  picture(report, QObject::tr("The response, coloured by gap = log p(teacher + cue) − log p(student), nats"), figureOf(inspection, tokens));
  if (choice.selection.token >= 0 && !inspection.distributions.empty()) {
    ExportChoice bars = choice;
    bars.what = ExportChoice::What::Distributions;
    picture(report, QObject::tr("Distributions at the token with the largest gap"), figureOf(inspection, bars));
  }
  const auto column = [&](TokenValue value) { return tokenValues(inspection, value, choice.selection.layer); };
  const std::vector<double> student = column(TokenValue::StudentLogProb), teacher = column(TokenValue::TeacherLogProb), gap = column(TokenValue::Gap), entropy = column(TokenValue::Entropy);
  QList<QStringList> table{{QObject::tr("Token"), QObject::tr("Text"), QObject::tr("log p student"), QObject::tr("log p teacher + cue"), QObject::tr("Gap"), QObject::tr("Entropy")}};
  for (std::size_t t = 0; t < inspection.response.size(); ++t) {
    const auto value = [&](const std::vector<double>& values) { return t < values.size() ? number(values[t], 2) : QObject::tr("not computed"); };
    table.append({QString::number(t), tokenWords(inspection.response[t]), value(student), value(teacher), value(gap), value(entropy)});
  }
  rows(report, ReportBlock::Kind::Table, table);
  return report;
}

/// What a reader of a report asks first; a test asserts that these parameters exist.
const std::vector<const char*>& reportedKeys() {
  static const std::vector<const char*> keys{"student.path", "student.cue.enabled", "teacher.kind", "teacher.path", "teacher.privilege", "data.train_files", "distillation.loss_mode", "actor.loss_agg_mode", "actor.optim.lr", "trainer.seed"};
  return keys;
}

Report runReport(const RunRecord& run, bool dark) {
  Report report;
  report.dark = dark;
  report.title = QObject::tr("Run: %1").arg(words(run.status.run));
  report.subtitle = QObject::tr("%1, step %2 of %3").arg(runStateTitle(run.status.state)).arg(run.status.step).arg(run.status.totalSteps);
  std::vector<ConfigIssue> issues;
  const RunConfig config = parseConfig(run.yaml.toStdString(), {}, &issues);
  double seconds = 0, tokens = 0;
  if (!run.steps.empty()) seconds = run.steps.back()->secondsSinceStart, tokens = double(run.steps.back()->tokensSinceStart);
  QList<QStringList> facts{{QObject::tr("State"), runStateTitle(run.status.state)},
                           {QObject::tr("Step"), QObject::tr("%1 of %2").arg(run.status.step).arg(run.status.totalSteps)},
                           {QObject::tr("Time in steps"), durationText(seconds)},
                           {QObject::tr("Tokens"), QString::number(tokens, 'f', 0)}};
  for (const char* key : reportedKeys())
    for (const ConfigField& field : configFields())
      if (field.key == key)
        if (const QString value = words(field.get(config)); !value.isEmpty()) facts.append({words(field.label), QFileInfo(value).isAbsolute() ? QFileInfo(value).fileName() : value});
  rows(report, ReportBlock::Kind::Facts, facts);

  const std::vector<HealthEvent> health = healthOf(run.steps, config.teacher.privilege != "none");
  heading(report, QObject::tr("Health"));
  if (health.empty()) text(report, QObject::tr("No rule found trouble: %1.").arg(healthChecks().join(QStringLiteral(", "))));
  for (const HealthEvent& event : health) text(report, QStringLiteral("%1, %2. %3").arg(event.title, event.since, event.detail));

  const CurveSet curves = curvesOf({&run}, health);
  if (!curves.panels.empty()) {
    heading(report, QObject::tr("Curves"));
    auto grid = std::make_shared<CurveGrid>();
    const int lines = (int(curves.panels.size()) + kCurveColumns - 1) / kCurveColumns;
    const QSizeF size(kCurveWidth, kCurveHeight * lines);
    grid->resize(size.toSize());
    grid->setColumns(kCurveColumns);
    grid->setSmoothing(0.6);
    grid->setData(curves.runs, curves.panels);
    Figure figure;
    figure.title = report.title;
    figure.size = size;
    figure.paint = [grid](QPainter& painter, const QRectF& rect) { grid->paintCurves(painter, rect); };
    picture(report, QObject::tr("x: training step. Thin: raw values; thick: exponentially smoothed, factor 0.6."), figure);
    QList<QStringList> table{{QObject::tr("Metric"), QObject::tr("Unit"), QObject::tr("First"), QObject::tr("Last"), QObject::tr("Smallest"), QObject::tr("Largest")}};
    for (const CurvePanel& panel : curves.panels)
      for (const CurveSeries& series : panel.series) {
        std::vector<double> finite;
        for (const double y : series.y)
          if (std::isfinite(y)) finite.push_back(y);
        if (finite.empty()) continue;
        const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
        table.append({series.label.isEmpty() ? panel.title : panel.title + QStringLiteral(", ") + series.label, panel.unit, significant(finite.front(), panel.decimals), significant(finite.back(), panel.decimals),
                      significant(*low, panel.decimals), significant(*high, panel.decimals)});
      }
    rows(report, ReportBlock::Kind::Table, table);
  }
  if (const auto film = filmOf(run.steps, -1, {}); !film.empty()) {
    heading(report, QObject::tr("Probe images"));
    auto strip = std::make_shared<FilmStrip>();
    strip->setRows(film);
    strip->setColorMap(defaultColorMap(dark));
    Figure figure;
    figure.title = report.title;
    figure.size = QSizeF(kCurveWidth, 240);
    figure.paint = [strip, dark](QPainter& painter, const QRectF& rect) {
      painter.fillRect(rect, (dark ? darkColors() : lightColors()).panel);
      strip->paintStrip(painter, rect, dark ? darkColors() : lightColors());
    };
    picture(report, QObject::tr("The sink's map of the same images over the steps, mean of layers and heads, %1").arg(strip->scaleText()), figure);
  }
  if (!run.checkpoints.empty()) {
    heading(report, QObject::tr("Checkpoints"));
    QList<QStringList> table{{QObject::tr("Step"), QObject::tr("Folder"), QObject::tr("Size"), QObject::tr("Whole")}};
    for (const CheckpointInfo& one : run.checkpoints) table.append({QString::number(one.step), QFileInfo(words(one.folder)).fileName(), bytesText(double(one.bytes)), one.complete ? QObject::tr("yes") : QObject::tr("no")});
    rows(report, ReportBlock::Kind::Table, table);
  }
  heading(report, QObject::tr("Configuration"));
  report.blocks.append({ReportBlock::Kind::Code, run.yaml, {}, {}});
  return report;
}

RunRecord readRun(const QString& directory) {
  const std::string path = directory.toStdString();
  if (!RunReader::isRunDirectory(path)) throw Error("This is no run folder", path, "it holds no config.yaml beside metrics.jsonl or status.json", "Name the folder of a run.");
  RunReader reader(path);
  RunRecord run;
  run.status.run = QFileInfo(QFileInfo(directory).absoluteFilePath()).fileName().toStdString();
  if (const auto status = reader.status()) run.status = *status;
  run.yaml = words(reader.configYaml());
  run.steps = reader.newSteps();
  run.checkpoints = reader.checkpoints();
  return run;
}

}  // namespace cuescope
