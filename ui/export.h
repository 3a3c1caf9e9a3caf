// Export: one painter for the window and for `cuescope render`. A figure is a size and a function that paints it; the file is made
// from it with fixed metadata, so the same input gives the same bytes. A recipe (JSON) says what it takes to make it again.
// Needs a QGuiApplication (fonts), no window. UI thread.
#pragma once

#include <QByteArray>
#include <QHashFunctions>
#include <QJsonArray>
#include <QJsonObject>
#include <QRectF>
#include <QSizeF>
#include <QString>
#include <QStringList>
#include <functional>

#include "engine/engine.h"
#include "ui/inspection_view.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/tokens_panel.h"

class QImage;
class QWidget;

namespace cuescope {

struct Figure {
  QString title;   // document title of SVG and PDF
  QSizeF size;     // device-independent pixels
  std::function<void(QPainter&, const QRectF&)> paint;
};

/// "png" (`scale` device pixels a pixel), "svg" or "pdf". Throws Error for another name.
inline constexpr double kPngScale = 2;
QByteArray figureBytes(const Figure& figure, const QString& format, double scale = kPngScale);
QStringList figureFormats();
/// A PDF's fonts stand in the order of a hash table, whose seed is another in every process: one seed while it is written. Tables
/// that exist already keep the seed they were made with.
struct OneHashSeed {
  OneHashSeed() { QHashSeed::setDeterministicGlobalSeed(); }
  ~OneHashSeed() { QHashSeed::resetRandomGlobalSeed(); }
  Q_DISABLE_COPY_MOVE(OneHashSeed)
};
/// A PDF of QPdfWriter without its clock and random id, at the same length.
QByteArray stablePdf(QByteArray bytes);

/// What of an inspection is exported, and how it is drawn. Everything that a picture depends on is in here.
struct ExportChoice {
  enum class What { Map, Tokens, Distributions, Matrix, Shares, Lens, Frames, Alignment, CueScore, Change, Steps, Model };
  What what = What::Map;
  SelectionState selection;
  MapView view;
  bool dark = true;
  TokenValue tokenValue = TokenValue::Gap;
  int topTokens = 6;
  int spanFirst = -1, spanLast = -1;  // response tokens whose mean distribution is drawn; -1: the chosen token's
  QString causal;  // «Erase top 5 %: ...» when it was computed
  bool demo = false;
  double scale = kPngScale;      // of PNG
  bool lensEntropy = false;
  std::vector<int> patches;      // picked on the map, for tokens coloured by their attention to them
  // A second map: "side" (both), "difference" (A − B), "pair" (before and after a change), "" for none.
  QString compare, labelA, labelB;
  SelectionState second;         // of the same inspection, unless
  bool besideCapture = false;    // it is another student's look, whose capture is named apart
  // What is in no capture travels in the recipe (ui/export_views.h).
  QJsonObject change;
  QJsonArray steps, model;

  QJsonObject json() const;
};
/// Every view by its name in recipes and on the command line, in the order of What.
const QStringList& exportViewNames();
ExportChoice exportChoiceFromJson(const QJsonObject& json);

/// `beside`: another student's look, when the choice compares with one.
Figure figureOf(const Inspection& inspection, const ExportChoice& choice, const Inspection* beside = nullptr);
/// The numbers behind the figure, as `cuescope-cli dump` writes them.
QByteArray csvOf(const Inspection& inspection, const ExportChoice& choice);
/// The same as NumPy arrays; numpy.load reads it.
QByteArray npzOf(const Inspection& inspection, const ExportChoice& choice);
/// Model digests, step, image digest, request, choice. Sorted keys, no dates.
QByteArray recipeOf(const Inspection& inspection, const InspectRequest& request, const ExportChoice& choice);

/// Writes `file` by its suffix (png, svg, pdf, csv, npz, capture) and, for figures and numbers, the recipe beside it
/// (file + ".recipe.json"). Throws Error when the suffix is unknown or the disk refuses.
void exportTo(const QString& file, const Inspection& inspection, const InspectRequest& request, const ExportChoice& choice, const Inspection* beside = nullptr);
/// Whole or not at all.
void writeBytes(const QString& file, const QByteArray& bytes);
/// A picture as the bytes of a PNG file.
QByteArray pngBytes(const QImage& image);

/// `cuescope render CAPTURE --format png|svg|pdf|csv|npz --output F ...`: exit code 0, 1 or 2; words go to stderr.
int renderCommand(const QStringList& arguments);

}  // namespace cuescope
