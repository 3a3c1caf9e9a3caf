// Theme: the palette of the studio, its fonts and its style sheet. One struct of colours for dark and one for light; painters
// take `const Colors&` so that the same picture can be made without a window. UI thread (painters: any thread that paints).
#pragma once

#include <QBrush>
#include <QColor>
#include <QFont>
#include <QObject>
#include <QPalette>
#include <QString>

class QPainter;
class QRectF;

namespace cuescope {

/// Every colour the studio may use. Names are the design's tokens.
struct Colors {
  bool dark = true;
  QColor window, panel, well, raised, hover, selection;
  QColor line, lineStrong, gap;  // gap: the 1 px between docks
  QColor control, text, text2, text3;
  QColor accent, accentFill, onAccentFill;
  QColor caution, danger;
  QColor ink, casing;            // selection of data: 1.5 px ink inside a 3 px casing
  QColor conditions[4];          // student, teacher + cue, teacher without cue, teacher with the image erased
  QColor gapLow, gapHigh;        // ends of the diverging ramp: student higher, teacher higher
  QColor runSand, runClay, runGrey;  // overlaid runs after the selected one, which is ink
};

const Colors& darkColors();
const Colors& lightColors();

enum class ThemeSetting { Dark, Light, System };

/// The one theme of the process. Widgets read colors() when they paint and repaint on changed().
class Theme : public QObject {
  Q_OBJECT
 public:
  static Theme& instance();

  /// Fusion, palette, fonts and style sheet on the application. Call once after QApplication is made.
  void install();
  void setSetting(ThemeSetting setting);
  ThemeSetting setting() const { return m_setting; }
  bool isDark() const { return m_dark; }
  const Colors& colors() const { return m_dark ? darkColors() : lightColors(); }
  /// What the desktop says now: from the palette it had before ours, CUESCOPE_THEME=dark|light wins.
  bool systemIsDark() const;

 Q_SIGNALS:
  void changed();

 private:
  Theme() = default;
  void apply();
  ThemeSetting m_setting = ThemeSetting::System;
  bool m_dark = true;
  bool m_installed = false;
  bool m_systemDark = true;
};

/// Shorthand for Theme::instance().colors().
const Colors& colors();

QPalette paletteOf(const Colors& colors);
QString styleSheetOf(const Colors& colors);

/// Registers the bundled fonts once; called by install() and by the two functions below.
void loadFonts();
/// Words. Sizes in device-independent pixels: 10, 11, 12 (body), 13, 20.
QFont uiFont(int pixels = 12, QFont::Weight weight = QFont::Normal);
/// Numbers, ids, tokens, paths. Never shaped: ligatures would hide what is there.
QFont monoFont(int pixels = 11, QFont::Weight weight = QFont::Normal);

/// WCAG 2 contrast of two opaque colours, 1 to 21.
double contrastRatio(const QColor& a, const QColor& b);
/// `over` painted with `alpha` on `under`.
QColor blended(const QColor& under, const QColor& over, double alpha);

/// A swatch or bar of one condition in its fill: solid, solid, hatch over 35 %, outline with 22 % (condition 0 to 3).
void paintConditionBar(QPainter& painter, const QRectF& bar, int condition, const Colors& colors);
const char* conditionTitle(int condition);  // "Student", "Teacher + cue", ...

/// Focus ring: 2 px accent. `inner` is the thing; the ring lies 1 px off it.
void paintFocusRing(QPainter& painter, const QRectF& inner, const Colors& colors);
/// Selection of data: ink outline inside a casing.
void paintInkOutline(QPainter& painter, const QRectF& rect, const Colors& colors, bool dashed = false);

/// Numbers as the studio prints them: true minus, fixed decimals; «not finite» and «not computed» as words.
QString number(double value, int decimals);
/// Shares below one without the leading zero, as on axes: ".023".
QString shareText(double value, int decimals = 3);
/// 6.1 s · 14 min · 2 h 05 min.
QString durationText(double seconds);
/// 4.5 GB.
QString bytesText(double bytes);

}  // namespace cuescope
