// `cuescope render`: a figure from a capture, with the painter of the window and without a window.
#include <QCommandLineParser>
#include <QCoreApplication>
#include <QFile>
#include <QFileInfo>
#include <QJsonDocument>
#include <cstdio>

#include "engine/core/capture.h"
#include "ui/export.h"
#include "ui/page_view.h"
#include "ui/report.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

int refuse(const QString& words) {
  std::fprintf(stderr, "cuescope render: %s. See cuescope render --help.\n", qPrintable(words.endsWith(QLatin1Char('.')) ? words.chopped(1) : words));
  return 2;
}

// A recipe of Train, Rollouts, Data or Evaluate holds what it draws: no capture, no run.
int renderPage(const QCommandLineParser& parser, const QJsonObject& recipe) {
  const QString output = parser.value(QStringLiteral("output"));
  if (output.isEmpty()) return refuse(QStringLiteral("name the file to write with --output"));
  if (!parser.positionalArguments().isEmpty()) return refuse(QStringLiteral("this recipe is of a page's view and needs no capture"));
  QString format = parser.value(QStringLiteral("format")).toLower();
  if (format.isEmpty()) format = QFileInfo(output).suffix().toLower();
  double scale = recipe.value("scale").toDouble(kPngScale);
  if (parser.isSet(QStringLiteral("scale"))) {
    bool ok = false;
    scale = parser.value(QStringLiteral("scale")).toDouble(&ok);
    if (!ok || !(scale >= 0.25 && scale <= 8)) return refuse(QStringLiteral("--scale is a number from 0.25 to 8"));
  }
  const ThemeSetting before = Theme::instance().setting();
  try {
    PageView view = pageViewOf(recipe);
    if (parser.isSet(QStringLiteral("theme"))) view.dark = parser.value(QStringLiteral("theme")) == u"dark";
    Theme::instance().setSetting(view.dark ? ThemeSetting::Dark : ThemeSetting::Light);  // curves and boards paint with the theme's colours
    writeBytes(output, pageBytes(view, format, scale));
    Theme::instance().setSetting(before);
    return 0;
  } catch (...) {
    Theme::instance().setSetting(before);
    std::fprintf(stderr, "%s\n", currentFailure("render").text().c_str());
    return 1;
  }
}

}  // namespace

// Qt names the program alone, with its whole path.
QString verbHelp(const QCommandLineParser& parser, const QString& verb) {
  QString text = parser.helpText();
  const qsizetype begin = text.indexOf(QCoreApplication::arguments().value(0)), end = text.indexOf(QStringLiteral(" [options]"));
  if (begin >= 0 && end > begin) text.replace(begin, end - begin, QStringLiteral("cuescope ") + verb);
  return text;
}

int renderCommand(const QStringList& arguments) {
  QCommandLineParser parser;
  parser.setApplicationDescription(QStringLiteral("Draws a figure of a capture, as the window exports it."));
  parser.addOption({{QStringLiteral("h"), QStringLiteral("help")}, QStringLiteral("Say this.")});
  parser.addPositionalArgument(QStringLiteral("capture"), QStringLiteral("Capture file; none for a recipe of Train, Rollouts, Data or Evaluate."), QStringLiteral("[capture]"));
  const auto option = [&](const char* name, const char* words, const char* value, const char* standard = "") {
    parser.addOption({QString::fromLatin1(name), QString::fromUtf8(words), QString::fromLatin1(value), QString::fromLatin1(standard)});
  };
  option("format", "png, svg, pdf, csv or npz; left out: by the ending of the output.", "format");
  option("output", "File to write.", "file");
  option("what", "map, tokens, distributions, matrix, shares, lens, frames, alignment, cue-score, change, steps or model.", "what");
  option("site", "cue_recovery, self_attention, vision, rollout, gradient_attention, logit_lens or occlusion.", "site");
  option("layer", "Layer of the model.", "layer");
  option("head", "A head's number, mean or max.", "head");
  option("token", "Position in the response.", "token");
  option("theme", "dark or light.", "theme");
  option("map", "inferno, viridis or cividis.", "map");
  option("scale", "Device pixels a pixel of a PNG, 0.25 to 8; 2 without it.", "scale");
  option("beside", "Capture of another student's look, for a figure that compares with one.", "capture");
  option("recipe", "Recipe that was exported beside a figure; the other choices replace its parts.", "file");
  if (!parser.parse(arguments)) return refuse(parser.errorText());
  if (parser.isSet(QStringLiteral("help"))) {
    std::fputs(qPrintable(verbHelp(parser, QStringLiteral("render"))), stdout);
    return 0;
  }
  QJsonObject recipe;
  if (parser.isSet(QStringLiteral("recipe"))) {
    QFile file(parser.value(QStringLiteral("recipe")));
    if (!file.open(QIODevice::ReadOnly)) return refuse(QStringLiteral("the recipe %1 cannot be read (%2)").arg(file.fileName(), file.errorString()));
    recipe = QJsonDocument::fromJson(file.readAll()).object();
    if (!recipe.contains("choice") && !isPageRecipe(recipe)) return refuse(QStringLiteral("%1 is no recipe of a figure; they are written beside figures, as FILE.recipe.json").arg(file.fileName()));
  }
  if (isPageRecipe(recipe)) return renderPage(parser, recipe);
  if (parser.positionalArguments().size() != 1) return refuse(parser.positionalArguments().isEmpty() ? QStringLiteral("name a capture, or a recipe with --recipe") : QStringLiteral("name one capture, not %1").arg(parser.positionalArguments().size()));
  const QString output = parser.value(QStringLiteral("output"));
  if (output.isEmpty()) return refuse(QStringLiteral("name the file to write with --output"));
  QString format = parser.value(QStringLiteral("format")).toLower();
  if (format.isEmpty()) format = QFileInfo(output).suffix().toLower();
  if (format != u"csv" && format != u"npz" && !figureFormats().contains(format)) return refuse(QStringLiteral("--format is png, svg, pdf, csv or npz, not «%1»").arg(format));

  QJsonObject choice = recipe.value("choice").toObject();
  QStringList sites;
  for (int i = 0; i < kSites; ++i) sites << QLatin1String(siteName(Site(i)));
  const std::pair<const char*, QStringList> words[] = {{"what", exportViewNames()},
                                                       {"site", sites},
                                                       {"theme", {"dark", "light"}}};
  for (const auto& [name, allowed] : words) {
    const QString key = QString::fromLatin1(name);
    if (!parser.isSet(key)) continue;
    if (!allowed.contains(parser.value(key))) return refuse(QStringLiteral("--%1 is %2").arg(key, allowed.join(QStringLiteral(" or "))));
    choice.insert(key, parser.value(key));
  }
  if (parser.isSet(QStringLiteral("map"))) {
    if (!colorMapNames().contains(parser.value(QStringLiteral("map")))) return refuse(QStringLiteral("--map is %1").arg(colorMapNames().join(QStringLiteral(", "))));
    choice.insert("color_map", parser.value(QStringLiteral("map")));
  }
  for (const char* name : {"layer", "token"}) {
    const QString key = QString::fromLatin1(name);
    if (!parser.isSet(key)) continue;
    bool ok = false;
    const int value = parser.value(key).toInt(&ok);
    if (!ok || value < 0) return refuse(QStringLiteral("--%1 is a number from 0").arg(key));
    choice.insert(key, value);
  }
  if (parser.isSet(QStringLiteral("scale"))) {
    bool ok = false;
    const double scale = parser.value(QStringLiteral("scale")).toDouble(&ok);
    if (!ok || !(scale >= 0.25 && scale <= 8)) return refuse(QStringLiteral("--scale is a number from 0.25 to 8"));
    choice.insert("scale", scale);
  }
  if (parser.isSet(QStringLiteral("head"))) {
    const QString head = parser.value(QStringLiteral("head"));
    bool ok = false;
    head.toInt(&ok);
    if (!ok && head != u"mean" && head != u"max") return refuse(QStringLiteral("--head is a number, mean or max"));
    choice.insert("head", head);
  }

  try {
    const Capture capture = readCapture(parser.positionalArguments().front().toStdString());
    ExportChoice wanted = exportChoiceFromJson(choice);
    const Inspection& inspection = *capture.inspection;
    if (!choice.contains("site") && !sitesOf(inspection).empty()) wanted.selection.site = sitesOf(inspection).front();
    if (const AttentionStack* stack = stackOf(inspection, wanted.selection.site)) {
      if (choice.contains("layer") && std::find(stack->layers.begin(), stack->layers.end(), wanted.selection.layer) == stack->layers.end())
        throw Error("This layer has no map", "layer " + std::to_string(wanted.selection.layer), "the site exists at other layers", "Choose a layer that the capture holds.");
      if (wanted.selection.head >= stack->heads)
        throw Error("This head has no map", "head " + std::to_string(wanted.selection.head), "there are " + std::to_string(stack->heads), "Choose a smaller number.");
    } else if (choice.contains("site")) {
      throw Error("This capture has no such map", siteName(wanted.selection.site), "it was not computed", "Choose another site.");
    }
    if (choice.contains("token") && wanted.selection.token >= int(inspection.response.size()))
      throw Error("There is no such token", "token " + std::to_string(wanted.selection.token),
                  "the response has " + std::to_string(inspection.response.size()), "Choose a smaller number.");
    const InspectionPtr beside = parser.isSet(QStringLiteral("beside")) ? readCapture(parser.value(QStringLiteral("beside")).toStdString()).inspection : InspectionPtr();
    writeBytes(output, format == u"csv"   ? csvOf(inspection, wanted)
                       : format == u"npz" ? npzOf(inspection, wanted)
                                          : figureBytes(figureOf(inspection, wanted, beside.get()), format, wanted.scale));
    return 0;
  } catch (...) {
    std::fprintf(stderr, "%s\n", currentFailure("render").text().c_str());
    return 1;
  }
}

}  // namespace cuescope
