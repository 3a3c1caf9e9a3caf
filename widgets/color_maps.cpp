#include "widgets/color_maps.h"

#include "widgets/color_map_choice.h"

#include <algorithm>
#include <cmath>

namespace cuescope {
namespace {

// Polynomial fits in t of the three maps (coefficients of t^0, t^1, ... per channel, 0 to 1). Viridis and inferno: degree 6,
// public-domain fits by M. Zucker; cividis: degree 5, the fit published with d3-scale-chromatic, divided by 255.
using Channel = std::array<double, 7>;
struct Fit {
  Channel r, g, b;
};
constexpr Fit kViridis{
    {0.2777273272234177, 0.1050930431085774, -0.3308618287255563, -4.634230498983486, 6.228269936347081, 4.776384997670288, -5.435455855934631},
    {0.005407344544966578, 1.404613529898575, 0.214847559468213, -5.799100973351585, 14.17993336680509, -13.74514537774601, 4.645852612178535},
    {0.3340998053353061, 1.384590162594685, 0.09509516302823659, -19.33244095627987, 56.69055260068105, -65.35303263337234, 26.3124352495832}};
constexpr Fit kInferno{
    {0.0002189403691192265, 0.1065134194856116, 11.60249308247187, -41.70399613139459, 77.162935699427, -71.31942824499214, 25.13112622477341},
    {0.001651004631001012, 0.5639564367884091, -3.972853965665698, 17.43639888205313, -33.40235894210092, 32.62606426397723, -12.24266895238567},
    {-0.01948089843709184, 3.932712388889277, -15.9423941062914, 44.35414519872813, -81.80730925738993, 73.20951985803202, -23.07032500287172}};
constexpr Fit kCividis{
    {-4.54 / 255, -35.34 / 255, 2381.73 / 255, -6402.7 / 255, 7024.72 / 255, -2710.57 / 255, 0},
    {32.49 / 255, 170.73 / 255, 52.82 / 255, -131.46 / 255, 176.58 / 255, -67.37 / 255, 0},
    {81.24 / 255, 442.36 / 255, -2482.43 / 255, 6167.24 / 255, -6614.94 / 255, 2475.67 / 255, 0}};

int evaluate(const Channel& c, double t) {
  double v = 0;
  for (int k = 6; k >= 0; --k) v = v * t + c[std::size_t(k)];
  return int(std::lround(std::clamp(v, 0.0, 1.0) * 255));
}

std::array<QRgb, 256> makeTable(const Fit& fit) {
  std::array<QRgb, 256> table{};
  for (int i = 0; i < 256; ++i) {
    const double t = i / 255.0;
    table[std::size_t(i)] = qRgb(evaluate(fit.r, t), evaluate(fit.g, t), evaluate(fit.b, t));
  }
  return table;
}

double linear(int v) {
  const double s = v / 255.0;
  return s <= 0.04045 ? s / 12.92 : std::pow((s + 0.055) / 1.055, 2.4);
}

}  // namespace

const std::array<QRgb, 256>& colorTable(ColorMap map) {
  static const std::array<QRgb, 256> inferno = makeTable(kInferno), viridis = makeTable(kViridis), cividis = makeTable(kCividis);
  return map == ColorMap::Inferno ? inferno : map == ColorMap::Viridis ? viridis : cividis;
}

QRgb mapColor(ColorMap map, double t) {
  if (!(t > 0)) t = 0;  // NaN too
  return colorTable(map)[std::size_t(std::lround(std::min(t, 1.0) * 255))];
}

QString colorMapName(ColorMap map) { return colorMapNames().at(int(map)); }
QStringList colorMapNames() { return {QStringLiteral("inferno"), QStringLiteral("viridis"), QStringLiteral("cividis")}; }
ColorMap colorMapFromName(const QString& name) {
  const qsizetype index = colorMapNames().indexOf(name);
  return index < 0 ? ColorMap::Inferno : ColorMap(index);
}
namespace {
std::optional<ColorMap> preferred;
}
void preferColorMap(std::optional<ColorMap> map) { preferred = map; }
ColorMap defaultColorMap(bool dark) { return preferred.value_or(dark ? ColorMap::Inferno : ColorMap::Viridis); }

double gapPosition(double nats, double limit) {
  if (std::isnan(nats) || limit <= 0) return 0;
  const double size = std::pow(std::min(std::abs(nats) / limit, 1.0), 0.6);
  return nats < 0 ? -size : size;
}

QColor gapColor(const Colors& colors, double nats, double limit) {
  const double p = gapPosition(nats, limit);
  return blended(colors.panel, p < 0 ? colors.gapLow : colors.gapHigh, std::abs(p));
}

double fadeOpacity(double timesUniform) { return std::clamp((timesUniform - 0.6) / (1.9 - 0.6), 0.0, 1.0); }

QColor ordinalColor(const Colors& colors, int index, int count) {
  const double depth = count < 2 ? 0.5 : double(index) / (count - 1);
  // The ends of the map that would vanish in the ground are left out.
  return QColor(colors.dark ? mapColor(ColorMap::Viridis, 0.34 + 0.62 * depth) : mapColor(ColorMap::Viridis, 0.02 + 0.66 * depth));
}

double lightness(QRgb color) {
  const double y = 0.2126 * linear(qRed(color)) + 0.7152 * linear(qGreen(color)) + 0.0722 * linear(qBlue(color));
  return y > 216.0 / 24389 ? 116 * std::cbrt(y) - 16 : y * 24389.0 / 27;
}

}  // namespace cuescope
