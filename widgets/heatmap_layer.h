// Heat map over a picture: pure painting, shared by the window, the film strip and headless export. A value in, pixels out;
// works on any QPainter (screen, QImage, QSvgGenerator, QPdfWriter). Any thread that paints.
//
// Order: the picture, grey (and dimmed 16 % in dark); the map at its true patch grid, fading out towards uniform; the
// picture's ink multiplied back over it; boxes and the selected patch in ink and casing.
#pragma once

#include <QImage>
#include <QPointF>
#include <QRectF>
#include <QSize>
#include <QString>
#include <QStringList>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "widgets/color_maps.h"
#include "widgets/theme.h"

class QPainter;

namespace cuescope {

/// Values over one picture's merged visual tokens, row-major.
struct PatchMap {
  int rows = 0, cols = 0;
  std::vector<float> values;  // NaN: not computed, painted as nothing
  double uniform = 0;         // what every patch would have if nothing were preferred: 1 / visual tokens; 0: no such value

  bool empty() const { return values.empty(); }
};

struct HeatmapStyle {
  ColorMap map = ColorMap::Inferno;
  double opacity = 1.0;
  bool smooth = false;        // bilinear between patch centres; declared in the readout and the legend
  bool fade = true;           // towards uniform
  bool logScale = false;
  bool signedValues = false;  // gap ramp, range -limit ... +limit
  bool maskOutliers = false;  // patches above 8 interquartile ranges over the third quartile are not drawn
  double low = 0;
  double high = std::numeric_limits<double>::quiet_NaN();  // NaN: the largest value shown
  QString quantity = QStringLiteral("attention share");
};

/// A box over the picture, in processed pixels. Solid is evidence, dashed is a what-if region.
struct RegionBox {
  QRectF pixels;
  QString label;
  bool dashed = false;
};

struct HeatmapScene {
  QImage picture;       // as the model saw it (processed size); its width and height are the pixels of all coordinates
  PatchMap map;
  HeatmapStyle style;
  std::vector<RegionBox> boxes;
  std::vector<int> chosenPatches;  // what-if brush: dashed outline each
  int selectedPatch = -1;
  bool showMap = true;
  bool showGrid = false;
};

struct MapRange {
  double low = 0, high = 1;
  int masked = 0;            // patches that outlier masking hides
  double maskAbove = std::numeric_limits<double>::infinity();
};
MapRange resolveRange(const PatchMap& map, const HeatmapStyle& style);

/// What painting a scene takes from all of its values and pixels. A canvas keeps it: zooming a map of millions of patches then
/// reads only those that are seen.
struct SceneMeasures {
  MapRange range;
  double lowest = 0, highest = 0;      // finite values
  int paper = 255;                     // luma at which the picture counts as paper; what is darker is ink
  std::array<int, 32> histogram{};     // of the values, along the legend
};
SceneMeasures measured(const HeatmapScene& scene);

/// Position of a value on the colour legend, 0 to 1.
double legendPosition(double value, const MapRange& range, const HeatmapStyle& style);
/// Colour and opacity (alpha) of one value as it is painted, before ink is multiplied back.
QColor valueColor(double value, double uniform, const MapRange& range, const HeatmapStyle& style, const Colors& colors);

/// Patch under a point in picture pixels, -1 outside.
int patchAt(const HeatmapScene& scene, const QPointF& pixel);
/// The pixels that a patch covers.
QRectF patchPixels(const HeatmapScene& scene, int patch);

/// The picture alone: the part `source` at `size` device pixels. Canvases keep it while maps change over it.
QImage heatmapGround(const QImage& picture, const QRectF& source, const QSize& size);
/// Halvings of a picture, down to some hundred pixels: a large one that is shown small is made of the nearest.
std::vector<QImage> pictureLevels(const QImage& picture);
/// The map over a ground that heatmapGround() made of the same part of the scene's picture.
QImage shadedHeatmap(const HeatmapScene& scene, const SceneMeasures& measures, const QImage& ground, const QRectF& source, const Colors& colors);
/// The part `source` (picture pixels) at `size` device pixels, all layers except outlines.
QImage renderHeatmap(const HeatmapScene& scene, const QRectF& source, const QSize& size, const Colors& colors);
/// The whole picture with map and outlines into `target`.
void paintHeatmap(QPainter& painter, const QRectF& target, const HeatmapScene& scene, const Colors& colors);
/// Boxes, chosen and selected patches only. `target` is where the whole picture lies; `hover` a patch or -1.
void paintHeatmapOutlines(QPainter& painter, const QRectF& target, const HeatmapScene& scene, const Colors& colors, int hover = -1);

/// Legend: quantity, range, histogram of the values, the uniform mark, «log», «smoothed», masked count. 80 px wide at 100 %.
void paintHeatmapLegend(QPainter& painter, const QRectF& rect, const HeatmapScene& scene, const SceneMeasures& measures, const Colors& colors);

/// What stands around an exported map. Empty strings are left out; the note stands in every export of attention.
struct FigureText {
  QString title;       // claim line: «Sink to 432 visual tokens, mean of 16 heads»
  QString dependsOn;   // «same for every response token»
  QString causal;      // «Erase top 5 %: −2.31 nats, random −0.11»
  QStringList footer;  // model digest, step, image digest, request: the recipe
  QString note = QStringLiteral("Attention is not a cause.");
  QString demoMark;    // «Demo workspace: values are invented» when it applies
};
/// Size that paintHeatmapFigure wants for a scene whose picture is drawn `pictureWidth` wide.
QSize heatmapFigureSize(const HeatmapScene& scene, const FigureText& text, int pictureWidth = 720);
void paintHeatmapFigure(QPainter& painter, const QRectF& rect, const HeatmapScene& scene, const FigureText& text, const Colors& colors);

/// «row 9, column 8, 0.0176, 7.6 times uniform» (rows and columns from 0).
QString patchSentence(const HeatmapScene& scene, int patch);

}  // namespace cuescope
