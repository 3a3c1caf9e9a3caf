#include "ui/preferences.h"

#include <QCoreApplication>
#include <QSettings>
#include <algorithm>

#include "engine/engine.h"
#include "ui/export.h"
#include "widgets/color_map_choice.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

QString tr(const char* text) { return QCoreApplication::translate("Preferences", text); }

Preference choice(const char* key, const QString& group, const QString& title, const QString& help, std::vector<std::pair<QVariant, QString>> choices, int standard = 0) {
  Preference p{QLatin1String(key), group, title, help, {}, {}, std::move(choices)};
  p.standard = p.choices[std::size_t(standard)].first;
  return p;
}

Preference number(const char* key, const QString& group, const QString& title, const QString& help, int standard, int low, int high, const QString& unit = {}) {
  Preference p{QLatin1String(key), group, title, help, unit, standard, {}};
  p.low = low, p.high = high;
  return p;
}

Preference meaning(Preference p, const QString& atLow) {
  p.atLow = atLow;
  return p;
}

Preference atNextStart(Preference p) {
  p.nextStart = true;
  return p;
}

std::vector<Preference> make() {
  using namespace preference;
  const QString looks = tr("Looks"), inspect = tr("Inspect"), pages = tr("Train, Data, export"), session = tr("Session"), engine = tr("Engine");
  std::vector<std::pair<QVariant, QString>> scales{{0, tr("as the desktop")}};
  for (const int percent : {100, 125, 150, 200, 250, 300}) scales.emplace_back(percent, QStringLiteral("%1 %").arg(percent));
  return {
      choice(kTheme, looks, tr("Theme"), tr("Dark, light, or what the desktop uses"), {{"dark", tr("Dark")}, {"light", tr("Light")}, {"system", tr("System")}}, 2),
      atNextStart(choice(kScale, looks, tr("Scale"), tr("Size of everything in the window"), std::move(scales))),
      choice(kColorMap, looks, tr("Colour map"), tr("Colours of magnitudes where a page begins with a map; a map that was chosen on its page stays"),
             {{"theme", tr("inferno in dark, viridis in light")}, {"inferno", QStringLiteral("inferno")}, {"viridis", QStringLiteral("viridis")}, {"cividis", QStringLiteral("cividis")}}),
      number(kCaptureMib, inspect, tr("Memory of a capture"), tr("What the numbers of all captured sites of one look may take; more is refused before anything is computed. A strip below the question sets it for one look"), 2048, 16, 1 << 20, QStringLiteral("MiB")),
      number(kAnswerTokens, inspect, tr("Longest answer"), tr("Tokens at which an answer in Inspect ends at the latest; the demo's tiny models end earlier"), SamplingOptions().maxNew, 1, 4096, tr("tokens")),
      number(kSmoothing, pages, tr("Smoothing of curves"), tr("Exponential smoothing with which the curves begin; 0 shows raw values alone"), 60, 0, 99, QStringLiteral("%")),
      number(kPictureMib, pages, tr("Pictures of a data file"), tr("Memory for pictures of rows that were looked at; what does not fit is read again"), 128, 16, 1 << 16, QStringLiteral("MiB")),
      choice(kExportScale, pages, tr("Scale of an exported PNG"), tr("Device pixels for each pixel of the figure; the Export menu sets it until the window closes"), {{1, QStringLiteral("1 ×")}, {2, QStringLiteral("2 ×")}, {4, QStringLiteral("4 ×")}}, int(kPngScale) / 2),
      choice(kReopen, session, tr("Reopen the last session"), tr("Question, answer, selection, form and layout of the window before this one"),
             {{"crash", tr("after a crash")}, {"always", tr("always")}, {"never", tr("never by itself")}}),
      number(kAutosave, session, tr("Keep the session every"), tr("What a crash can lose at most, beside the moment of writing"), 4, 1, 8, QStringLiteral("s")),
      atNextStart(choice(kDevice, engine, tr("Device"), tr("Where models run. By itself: the GPU when one is there and its engine loads"), {{"auto", tr("by itself")}, {"cpu", tr("CPU")}, {"cuda", tr("GPU (CUDA)")}})),
      atNextStart(choice(kNumbers, engine, tr("Number format"), tr("Of what is computed for a look; a run has actor.dtype. By itself: float32 on the CPU, bfloat16 on a GPU"),
                         {{"auto", tr("by itself")}, {"float32", QStringLiteral("float32")}, {"bfloat16", QStringLiteral("bfloat16")}})),
      atNextStart(meaning(number(kThreads, engine, tr("Threads"), tr("Of the engine on the CPU; 0: all cores"), 0, 0, 1024), tr("all cores"))),
  };
}

const Preference* find(const QString& key) {
  const std::vector<Preference>& all = preferences();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Preference& p) { return p.key == key; });
  return found == all.end() ? nullptr : &*found;
}

bool holds(const Preference& p, const QVariant& value) {
  if (!p.choices.empty()) return std::any_of(p.choices.begin(), p.choices.end(), [&](const auto& c) { return c.first.toString() == value.toString(); });
  bool whole = false;
  const int n = value.toInt(&whole);
  return whole && n >= p.low && n <= p.high;
}

constexpr const char* kThemes[] = {"dark", "light", "system"};  // in the order of ThemeSetting

}  // namespace

const std::vector<Preference>& preferences() {
  static const std::vector<Preference> all = make();
  return all;
}

QString Preference::words(const QVariant& value) const {
  for (const auto& [each, text] : choices)
    if (each.toString() == value.toString()) return text;
  if (!atLow.isEmpty() && value.toInt() == low) return atLow;
  return unit.isEmpty() ? value.toString() : value.toString() + u' ' + unit;
}

Preferences& Preferences::instance() {
  static Preferences all;
  return all;
}

QVariant Preferences::value(const char* key) const {
  if (!qstrcmp(key, preference::kTheme)) return QLatin1String(kThemes[int(Theme::instance().setting())]);  // --theme counts for this window
  const Preference* p = find(QLatin1String(key));
  if (!p) return {};
  const QVariant kept = QSettings().value(p->key, p->standard);
  return holds(*p, kept) ? kept : p->standard;
}

void Preferences::set(const QString& key, const QVariant& value) {
  const Preference* p = find(key);
  if (!p || !holds(*p, value)) return;
  QSettings settings;
  if (value.toString() == p->standard.toString()) settings.remove(key);
  else settings.setValue(key, value);
  act(key);
  Q_EMIT changed(key);
}

void Preferences::act(const QString& key) {
  if (key == QLatin1String(preference::kTheme)) {
    const QString name = QSettings().value(key, QStringLiteral("system")).toString();
    for (int i = 0; i < 3; ++i)
      if (name == QLatin1String(kThemes[i])) Theme::instance().setSetting(ThemeSetting(i));
  }
  if (key == QLatin1String(preference::kColorMap)) {
    applyLooks();
    Q_EMIT Theme::instance().changed();
  }
}

void Preferences::applyLooks() {
  const QString map = text(preference::kColorMap);
  preferColorMap(map == u"theme" ? std::nullopt : std::optional(colorMapFromName(map)));
}

EngineOptions engineOptions() {
  const Preferences& all = Preferences::instance();
  EngineOptions options;
  options.device = all.text(preference::kDevice).toStdString();
  options.dtype = all.text(preference::kNumbers).toStdString();
  options.threads = all.number(preference::kThreads);
  return options;
}

void applyScale() {
  const int percent = QSettings().value(QLatin1String(preference::kScale)).toInt();
  const Preference* p = find(QLatin1String(preference::kScale));
  if (percent > 0 && holds(*p, percent) && !qEnvironmentVariableIsSet("QT_SCALE_FACTOR")) qputenv("QT_SCALE_FACTOR", QByteArray::number(percent / 100.0));
}

}  // namespace cuescope
