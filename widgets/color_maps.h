// Colour maps: inferno, viridis, cividis for magnitudes; the gap ramp for signed values; nothing else carries a number.
// The tables are computed from published polynomial fits of the maps. Any thread.
#pragma once

#include <QColor>
#include <QRgb>
#include <QString>
#include <QStringList>
#include <array>
#include <vector>

#include "widgets/theme.h"

namespace cuescope {

enum class ColorMap { Inferno, Viridis, Cividis };

const std::array<QRgb, 256>& colorTable(ColorMap map);
/// Colour at t in [0, 1] (clamped).
QRgb mapColor(ColorMap map, double t);
QString colorMapName(ColorMap map);         // "inferno"
QStringList colorMapNames();
ColorMap colorMapFromName(const QString& name);
ColorMap defaultColorMap(bool dark);        // inferno in dark, viridis in light

/// Position on the diverging ramp, -1 to 1: sign(v) * (|v| / limit)^0.6, clamped.
double gapPosition(double nats, double limit = 4.0);
/// Student higher: blue end; zero: panel; teacher higher: orange end. NaN gives the panel.
QColor gapColor(const Colors& colors, double nats, double limit = 4.0);

/// Fade towards uniform: 0 below 0.6 x uniform, 1 from 1.9 x, linear between.
double fadeOpacity(double timesUniform);

/// Samples of viridis in depth order for `count` ordinal series, kept readable on the plot's ground.
QColor ordinalColor(const Colors& colors, int index, int count);

/// CIE L* of a colour, 0 to 100.
double lightness(QRgb color);

}  // namespace cuescope
