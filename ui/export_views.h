// Export of the views beside map, tokens and distributions: matrix, shares, logit lens, frames, alignment, cue score, before and after,
// steps, model, and two maps beside each other. Each is a figure and a table; CSV and NPZ are written from the table. UI thread.
#pragma once

#include <QByteArray>
#include <QString>
#include <QStringList>
#include <map>
#include <vector>

#include "ui/export.h"

namespace cuescope {

struct WhatIf;
struct ModelListing;

/// The numbers behind a view, as text: columns that are numbers throughout go into NPZ as float64, NaN for an empty field.
struct DataTable {
  QStringList columns;
  std::vector<QStringList> rows;
};
/// RFC 4180, "\n".
QByteArray tableCsv(const DataTable& table);
QByteArray tableNpz(const DataTable& table);

/// Whether a view is drawn here rather than in export.cpp.
bool isMoreView(ExportChoice::What what);
Figure viewFigure(const Inspection& inspection, const ExportChoice& choice);
DataTable viewTable(const Inspection& inspection, const ExportChoice& choice);
/// Map and second map of a comparison, or their difference.
Figure comparedFigure(const Inspection& inspection, const ExportChoice& choice, const Inspection* beside);

/// What of an answer its figure needs, for the recipe: a what if is in no capture. Maps are little-endian float32, base64.
QJsonObject changeJson(const WhatIf& answer, const QString& token, int rows, const MapSlice& before, const MapSlice& after);
/// The maps of a film strip, for the recipe.
QJsonArray stepsJson(const std::map<int, InspectionPtr>& looks, const SelectionState& selection);
/// The lines of a model's listing, for the recipe.
QJsonArray modelJson(const ModelListing& listing, const std::vector<double>& norms);

/// Title above, facts below: no figure leaves without saying what it is.
Figure captioned(const QString& title, const QStringList& footer, double width, double contentHeight, bool dark,
                 std::function<void(QPainter&, const QRectF&, const Colors&)> content);
/// What was looked at: model and image, question, cue. The first lines below every figure.
QStringList lookLines(const Inspection& inspection);
QStringList figureFooter(const Inspection& inspection, const ExportChoice& choice);

}  // namespace cuescope
