#include "widgets/theme.h"

#include <QApplication>
#include <QDir>
#include <QFontDatabase>
#include <QFontInfo>
#include <QHash>
#include <QLocale>
#include <QPainter>
#include <QPainterPath>
#include <QProxyStyle>
#include <QStyleFactory>
#include <QThread>
#include <cmath>

#include "widgets/accessible_cells.h"
#include "widgets/focus_ring.h"
#include "widgets/words.h"

static void initStyleResource() { Q_INIT_RESOURCE(style); }  // a static library's resources must be asked for

namespace cuescope {
namespace {

Colors makeDark() {
  Colors c;
  c.dark = true;
  c.window = "#191a1c", c.panel = "#202123", c.well = "#131415", c.raised = "#2c2d30", c.hover = "#37393d";
  c.selection = "#393e24", c.line = "#2f3134", c.lineStrong = "#43464b", c.gap = "#0e0f10", c.control = "#757981";
  c.text = "#e4e5e7", c.text2 = "#b3b6bb", c.text3 = "#94989f";
  c.accent = "#d4ec6a", c.accentFill = "#c9e265", c.onAccentFill = "#15170c";
  c.caution = "#f2dc5d", c.danger = "#ff8a80", c.ink = "#f4f5f6", c.casing = "#000000";
  c.conditions[0] = "#56b4e9", c.conditions[1] = "#f0a020", c.conditions[2] = "#cc79a7", c.conditions[3] = "#0f9d76";
  c.gapLow = "#1a6396", c.gapHigh = "#8f5200";
  c.runSand = "#b9a878", c.runClay = "#b98577", c.runGrey = "#94989f";
  return c;
}

Colors makeLight() {
  Colors c;
  c.dark = false;
  c.window = "#e3e4e7", c.panel = "#f4f4f5", c.well = "#ffffff", c.raised = "#fcfcfd", c.hover = "#d9dbdf";
  c.selection = "#e1e9c4", c.line = "#d9dbdf", c.lineStrong = "#b6b9bf", c.gap = "#bfc2c7", c.control = "#7c8088";
  c.text = "#1a1b1e", c.text2 = "#45484f", c.text3 = "#5c6068";
  c.accent = "#486000", c.accentFill = "#4f6a00", c.onAccentFill = "#ffffff";
  c.caution = "#756300", c.danger = "#b3261e", c.ink = "#0c0d0f", c.casing = "#ffffff";
  c.conditions[0] = "#0069b0", c.conditions[1] = "#c96a00", c.conditions[2] = "#93316f", c.conditions[3] = "#00966f";
  c.gapLow = "#8fcbef", c.gapHigh = "#f3b562";
  c.runSand = "#857238", c.runClay = "#8d5142", c.runGrey = "#5c6068";
  return c;
}

/// Fusion, with the words of buttons, labels and choosers shaped once.
class WordsStyle : public QProxyStyle {
 public:
  WordsStyle() : QProxyStyle(QStyleFactory::create(QStringLiteral("Fusion"))) {}
  void drawItemText(QPainter* painter, const QRect& rect, int flags, const QPalette& palette, bool, const QString& text, QPalette::ColorRole role) const override {
    if (text.isEmpty()) return;
    const QPen before = painter->pen();
    if (role != QPalette::NoRole) painter->setPen(QPen(palette.brush(role), before.widthF()));
    paintWords(*painter, rect, flags, text);
    painter->setPen(before);
  }
};

double channel(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }
double luminance(const QColor& c) { return 0.2126 * channel(c.redF()) + 0.7152 * channel(c.greenF()) + 0.0722 * channel(c.blueF()); }

}  // namespace

const Colors& darkColors() {
  static const Colors c = makeDark();
  return c;
}
const Colors& lightColors() {
  static const Colors c = makeLight();
  return c;
}
const Colors& colors() { return Theme::instance().colors(); }

Theme& Theme::instance() {
  static Theme theme;
  return theme;
}

void Theme::install() {
  if (m_installed || !qApp) return;
  m_installed = true;
  initStyleResource();
  m_systemDark = QGuiApplication::palette().color(QPalette::Window).lightness() < 128;
  installCellAccessibility();
  loadFonts();
  QApplication::setStyle(new WordsStyle);
  QApplication::setFont(uiFont(12));
  new FocusRing(qApp);
  m_dark = m_setting == ThemeSetting::System ? systemIsDark() : m_setting == ThemeSetting::Dark;
  apply();
}

bool Theme::systemIsDark() const {
  const QByteArray wish = qgetenv("CUESCOPE_THEME");
  if (wish == "dark") return true;
  if (wish == "light") return false;
  return m_systemDark;
}

void Theme::setSetting(ThemeSetting setting) {
  m_setting = setting;
  const bool dark = setting == ThemeSetting::System ? systemIsDark() : setting == ThemeSetting::Dark;
  if (dark == m_dark) return;
  m_dark = dark;
  if (m_installed) apply();
}

void Theme::apply() {
  QApplication::setPalette(paletteOf(colors()));
  qApp->setStyleSheet(styleSheetOf(colors()));
  Q_EMIT changed();
}

void loadFonts() {
  static bool done = false;
  if (done || !qGuiApp) return;
  done = true;
  const QStringList known = QFontDatabase::families();
  const auto add = [&](const QString& family, const QString& systemFolder, const QStringList& files) {
    if (known.contains(family)) return;
    for (const QString& folder : {QCoreApplication::applicationDirPath() + QStringLiteral("/../resources/fonts"),
                                  QCoreApplication::applicationDirPath() + QStringLiteral("/../share/cuescope/fonts"),
                                  QStringLiteral(CUESCOPE_SOURCE_RESOURCES "/fonts"), systemFolder})
      for (const QString& file : files)
        if (QFile::exists(folder + QLatin1Char('/') + file)) QFontDatabase::addApplicationFont(folder + QLatin1Char('/') + file);
  };
  add(QStringLiteral("Inter"), QStringLiteral("/usr/share/fonts/opentype/inter"),
      {QStringLiteral("Inter-Regular.otf"), QStringLiteral("Inter-Medium.otf"), QStringLiteral("Inter-SemiBold.otf")});
  add(QStringLiteral("JetBrains Mono"), QStringLiteral("/usr/share/fonts/truetype/jetbrains-mono"),
      {QStringLiteral("JetBrainsMono-Regular.ttf"), QStringLiteral("JetBrainsMono-Medium.ttf"), QStringLiteral("JetBrainsMono-SemiBold.ttf")});
}

namespace {

// A font that is made anew finds its engine anew, at each text it measures or paints; copies of one share it.
template <typename Make>
QFont keptFont(QHash<std::pair<int, int>, QFont>& kept, int pixels, QFont::Weight weight, Make&& make) {
  loadFonts();
  if (!qApp || QThread::currentThread() != qApp->thread()) return make();
  const std::pair key(pixels, int(weight));
  const auto found = kept.constFind(key);
  return found != kept.constEnd() ? *found : *kept.insert(key, make());
}

QFont makeUiFont(int pixels, QFont::Weight weight) {
  QFont font;
  font.setFamilies({QStringLiteral("Inter"), QStringLiteral("Noto Sans"), QStringLiteral("DejaVu Sans"), QStringLiteral("sans-serif")});
  font.setPixelSize(pixels);
  font.setWeight(weight);
  return font;
}

QFont makeMonoFont(int pixels, QFont::Weight weight) {
  QFont font;
  font.setFamilies({QStringLiteral("JetBrains Mono NL"), QStringLiteral("JetBrains Mono"), QStringLiteral("DejaVu Sans Mono"), QStringLiteral("monospace")});
  font.setPixelSize(pixels);
  font.setWeight(weight);
  font.setFixedPitch(true);
  font.setStyleStrategy(QFont::PreferNoShaping);
  return font;
}

}  // namespace

QFont uiFont(int pixels, QFont::Weight weight) {
  static auto* const kept = new QHash<std::pair<int, int>, QFont>;
  return keptFont(*kept, pixels, weight, [&] { return makeUiFont(pixels, weight); });
}

QFont monoFont(int pixels, QFont::Weight weight) {
  static auto* const kept = new QHash<std::pair<int, int>, QFont>;
  return keptFont(*kept, pixels, weight, [&] { return makeMonoFont(pixels, weight); });
}

double contrastRatio(const QColor& a, const QColor& b) {
  const double la = luminance(a), lb = luminance(b);
  return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

QColor blended(const QColor& under, const QColor& over, double alpha) {
  return QColor::fromRgbF(float(under.redF() + (over.redF() - under.redF()) * alpha),
                          float(under.greenF() + (over.greenF() - under.greenF()) * alpha),
                          float(under.blueF() + (over.blueF() - under.blueF()) * alpha));
}

const char* conditionTitle(int condition) {
  static const char* const names[] = {"Student", "Teacher + cue", "Teacher, no cue", "Teacher, image erased"};
  return condition >= 0 && condition < 4 ? names[condition] : "";
}

void paintConditionBar(QPainter& painter, const QRectF& bar, int condition, const Colors& colors) {
  if (bar.width() <= 0) return;
  const QColor hue = colors.conditions[condition];
  painter.save();
  if (condition < 2) {
    painter.fillRect(bar, hue);
  } else if (condition == 2) {
    // Stripes drawn as lines, not as a pattern brush: they stay vectors in SVG and PDF and look the same at every scale.
    painter.fillRect(bar, blended(colors.panel, hue, 0.35));
    painter.setClipRect(bar, Qt::IntersectClip);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(hue, 1.5, Qt::SolidLine, Qt::FlatCap));
    for (double x = bar.left() - bar.height(); x < bar.right() + 4; x += 4)
      painter.drawLine(QPointF(x, bar.bottom()), QPointF(x + bar.height(), bar.top()));
  } else {
    painter.fillRect(bar, blended(colors.panel, hue, 0.22));
    painter.setPen(QPen(hue, 1));
    painter.setBrush(Qt::NoBrush);
    if (bar.width() > 1) painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5));
  }
  painter.restore();
}

void paintFocusRing(QPainter& painter, const QRectF& inner, const Colors& colors) {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(colors.accent, 2));
  painter.drawRoundedRect(inner.adjusted(-2, -2, 2, 2), 3, 3);
  painter.restore();
}

void paintInkOutline(QPainter& painter, const QRectF& rect, const Colors& colors, bool dashed) {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(colors.casing, 3, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
  painter.drawRect(rect);
  QPen ink(colors.ink, 1.5, Qt::SolidLine, Qt::FlatCap, Qt::MiterJoin);
  if (dashed) ink.setDashPattern({3, 2});
  painter.setPen(ink);
  painter.drawRect(rect);
  painter.restore();
}

QString number(double value, int decimals) {
  if (std::isnan(value)) return QStringLiteral("not computed");
  if (std::isinf(value)) return QStringLiteral("not finite");
  QString text = QString::number(value, 'f', decimals);
  if (text.startsWith(QLatin1Char('-'))) {
    bool zero = true;
    for (const QChar c : text) zero = zero && (c == QLatin1Char('-') || c == QLatin1Char('0') || c == QLatin1Char('.'));
    text.remove(0, 1);
    if (!zero) text.prepend(QChar(0x2212));
  }
  return text;
}

QString shareText(double value, int decimals) {
  QString text = number(value, decimals);
  if (value == 0) return QStringLiteral("0");
  if (text.startsWith(QLatin1String("0."))) text.remove(0, 1);
  return text;
}

QString durationText(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return QStringLiteral("not known");
  if (seconds < 0.95) return QString::number(seconds * 1000, 'f', 0) + QStringLiteral(" ms");
  if (seconds < 10) return QString::number(seconds, 'f', 1) + QStringLiteral(" s");
  if (seconds < 90) return QString::number(seconds, 'f', 0) + QStringLiteral(" s");
  const long minutes = std::lround(seconds / 60);
  if (minutes < 90) return QString::number(minutes) + QStringLiteral(" min");
  return QStringLiteral("%1 h %2 min").arg(minutes / 60).arg(minutes % 60, 2, 10, QLatin1Char('0'));
}

QString bytesText(double bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 4) bytes /= 1000, ++unit;
  return QString::number(bytes, 'f', unit == 0 || bytes >= 100 ? 0 : 1) + QLatin1Char(' ') + QLatin1String(units[unit]);
}

}  // namespace cuescope
