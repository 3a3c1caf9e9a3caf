// Export: one painter for the window and for `cuescope render`. A figure is a size and a function that paints it; the file is made
// from it with fixed metadata, so the same input gives the same bytes. A recipe (JSON) says what it takes to make it again.
// Needs a QGuiApplication (fonts), no window. UI thread.
#pragma once

#include <QByteArray>
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

namespace cuescope {

struct Figure {
  QString title;   // document title of SVG and PDF
  QSizeF size;     // device-independent pixels
  std::function<void(QPainter&, const QRectF&)> paint;
};

/// "png" (two device pixels a pixel), "svg" or "pdf". Throws Error for another name.
QByteArray figureBytes(const Figure& figure, const QString& format);
QStringList figureFormats();

/// What of an inspection is exported, and how it is drawn. Everything that a picture depends on is in here.
struct ExportChoice {
  enum class What { Map, Tokens, Distributions };
  What what = What::Map;
  SelectionState selection;
  MapView view;
  bool dark = true;
  TokenValue tokenValue = TokenValue::Gap;
  int topTokens = 6;
  QString causal;  // «Erase top 5 %: ...» when it was computed
  bool demo = false;

  QJsonObject json() const;
};
ExportChoice exportChoiceFromJson(const QJsonObject& json);

Figure figureOf(const Inspection& inspection, const ExportChoice& choice);
/// The numbers behind the figure, as `cuescope-cli dump` writes them.
QByteArray csvOf(const Inspection& inspection, const ExportChoice& choice);
/// Model digests, step, image digest, request, choice. Sorted keys, no dates.
QByteArray recipeOf(const Inspection& inspection, const InspectRequest& request, const ExportChoice& choice);

/// Writes `file` by its suffix (png, svg, pdf, csv) and, for figures, the recipe beside it (file + ".recipe.json").
/// Throws Error when the suffix is unknown or the disk refuses.
void exportTo(const QString& file, const Inspection& inspection, const InspectRequest& request, const ExportChoice& choice);
/// Whole or not at all.
void writeBytes(const QString& file, const QByteArray& bytes);

/// `cuescope render CAPTURE --format png|svg|pdf|csv --output F ...`: exit code 0, 1 or 2; words go to stderr.
int renderCommand(const QStringList& arguments);

}  // namespace cuescope
