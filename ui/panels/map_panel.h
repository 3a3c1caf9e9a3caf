// MapPanel: site bar, claim line with the causal number, canvas with legend, and readout. Shows the map that the Selection
// names over one image of an Inspection; slices the value it was given and asks nobody. UI thread.
#pragma once

#include <QHash>
#include <QWidget>
#include <functional>
#include <optional>

#include "ui/inspection_view.h"
#include "widgets/image_canvas.h"

class QComboBox;
class QPushButton;
class QSlider;
class QToolButton;

namespace cuescope {

class ElidedLabel;

/// What a map is shown with; shared with the exporter, so that a file shows what the window shows.
struct MapView {
  ColorMap map = ColorMap::Inferno;
  double opacity = 1.0;
  bool smooth = false, fade = true, logScale = false, maskOutliers = false, shown = true, grid = false;
  int image = 0;
};

/// The scene of a map over its picture: the one place that turns an Inspection into what is painted.
HeatmapScene mapScene(const Inspection& inspection, const MapSlice& slice, const MapView& view);

class MapPanel : public QWidget {
  Q_OBJECT
 public:
  MapPanel(Selection& selection, QWidget* parent = nullptr);

  void setInspection(InspectionPtr inspection);
  /// Slices again; called when the selection changes.
  void refresh();
  const MapSlice& slice() const { return m_slice; }
  const MapView& view() const { return m_view; }
  ImageCanvas* canvas() const { return m_canvas; }
  /// The chosen what-if region as patches of the shown image (brush and boxes).
  std::vector<int> region() const { return m_canvas->brushPatches(); }
  void clearRegion();
  void setRegion(const std::vector<int>& patches) { m_canvas->setBrushPatches(patches); Q_EMIT regionChanged(); }
  /// «Erase top 5 %: −2.31 nats, random −0.11»; empty shows the button Compute.
  void setCausal(const QString& text, bool computing, const QString& refusal = {});
  QString causalText() const { return m_causalText; }
  /// Named commands of the canvas for menus and keys: "single", "swipe", "side", "swap", "map", "fade", "smooth", "log",
  /// "move", "box", "brush", "fit", "zoom-in", "zoom-out", "actual", "mask", "grid".
  void command(const QString& name);
  bool isOn(const QString& name) const;

 Q_SIGNALS:
  void computeRequested();
  void regionChanged();
  void viewChanged();

 private:
  void buildSiteBar(class Strip* bar);
  void fillSites();
  void showReadout(const PatchReadout& readout);
  void showIdleReadout();
  void updateTools();
  void applyScene();

  Selection& m_selection;
  InspectionPtr m_inspection;
  MapSlice m_slice;
  MapView m_view;
  bool m_filling = false;
  bool m_followTheme = true;  // the colour map is the theme's default until a person chooses one
  QString m_secondLabel;
  std::optional<HeatmapScene> m_second;
  QComboBox* m_site = nullptr;
  QComboBox* m_layer = nullptr;
  QComboBox* m_head = nullptr;
  QComboBox* m_map = nullptr;
  QComboBox* m_image = nullptr;
  QSlider* m_opacity = nullptr;
  QHash<QString, QToolButton*> m_tools;
  ElidedLabel* m_claim = nullptr;
  ElidedLabel* m_causal = nullptr;
  QPushButton* m_compute = nullptr;
  QString m_causalText;
  ImageCanvas* m_canvas = nullptr;
  ElidedLabel* m_readout = nullptr;
  ElidedLabel* m_processed = nullptr;
};

}  // namespace cuescope
