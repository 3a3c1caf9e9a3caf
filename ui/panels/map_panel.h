// MapPanel: site bar, claim line with the causal number, what a missing map would cost, canvas with legend, frames, and readout.
// Shows the map that the Selection names over one image of an Inspection; slices the value it was given and asks nobody. A second
// map stands beside it: another student's (it follows the selection), one of before and after, or one that was put aside. UI thread.
#pragma once

#include <QHash>
#include <QWidget>
#include <functional>
#include <limits>
#include <optional>

#include "ui/inspection_view.h"
#include "widgets/image_canvas.h"

class QComboBox;
class QLineEdit;
class QMenu;
class QPushButton;
class QSlider;
class QToolButton;

namespace cuescope {

class ElidedLabel;
class FrameStrip;
class Strip;

/// What a map is shown with; shared with the exporter, so that a file shows what the window shows.
struct MapView {
  ColorMap map = ColorMap::Inferno;
  double opacity = 1.0;
  bool smooth = false, fade = true, logScale = false, maskOutliers = false, shown = true, grid = false;
  int image = 0;
  double low = 0;  // of the range
  double high = std::numeric_limits<double>::quiet_NaN();  // NaN: the largest value
};

/// The picture of an image view, cached by whoever asks often.
QImage pictureOf(const ImageView& view);
/// The scene of a map over its picture: the one place that turns an Inspection into what is painted. `picture` spares a copy.
HeatmapScene mapScene(const Inspection& inspection, const MapSlice& slice, const MapView& view, const QImage& picture = {});
/// Both maps on one range: the larger of the two.
void shareRange(HeatmapScene& a, HeatmapScene& b);

class MapPanel : public QWidget {
  Q_OBJECT
 public:
  MapPanel(Selection& selection, QWidget* parent = nullptr);

  void setInspection(InspectionPtr inspection);
  /// More of the same look has arrived (another site): what is chosen and drawn stays.
  void extendInspection(InspectionPtr inspection);
  /// Where the timeline stands, when it moves this look: the claim names the look's own step beside it. -1: it does not.
  void setTimelineStep(int step);
  /// Slices again; called when the selection changes.
  void refresh();
  const MapSlice& slice() const { return m_slice; }
  const MapView& view() const { return m_view; }
  void setView(const MapView& view);
  ImageCanvas* canvas() const { return m_canvas; }
  FrameStrip* frames() const { return m_frames; }
  QComboBox* siteChooser() const { return m_site; }
  QToolButton* tool(const QString& name) const { return m_tools.value(name); }
  QMenu* viewMenu() const { return m_viewMenu; }

  /// Another student's look at the same prompt; its map follows the selection. Null ends it.
  void setBeside(InspectionPtr beside, const QString& labelA = {}, const QString& labelB = {});
  const InspectionPtr& beside() const { return m_beside; }
  /// The map of another selection stands beside the shown one; where two are compared already it takes A's place.
  void compareTo(const SelectionState& other);
  /// Two maps of one question, before and after a change.
  void setPair(const MapSlice& before, const MapSlice& after, const QString& labelBefore, const QString& labelAfter);
  /// The second map as it is shown, if there is one.
  std::optional<MapSlice> secondSlice() const;

  MapSlice firstSlice() const { return m_first ? *m_first : m_slice; }
  bool isPair() const { return m_pair; }
  /// What is compared: "side" (side by side or swiped), "difference", "" when one map is shown.
  QString comparison() const;
  /// Selection of the map that was put aside.
  const SelectionState& secondState() const { return m_secondState; }
  const QString& labelA() const { return m_labelA; }
  const QString& labelB() const { return m_labelB; }

  /// What a map that was not computed would take; empty text hides the line.
  void setCapture(const QString& text, const QString& button, bool enabled);
  QString captureText() const;
  QPushButton* captureButton() const { return m_captureButton; }

  /// The chosen what-if region as patches of the shown image (brush and boxes).
  std::vector<int> region() const { return m_canvas->brushPatches(); }
  void clearRegion();
  void setRegion(const std::vector<int>& patches);
  /// Patches whose readers are asked for: the region, else the selected patch.
  std::vector<int> pickedPatches() const;
  /// «Erase top 5 %: −2.31 nats, random −0.11»; empty shows the button Compute.
  void setCausal(const QString& text, bool computing, const QString& refusal = {});
  QString causalText() const { return m_causalText; }
  /// The line above the canvas with what it depends on.
  QString claimText() const;
  /// Named commands of the canvas for menus and keys: "single", "swipe", "side", "difference", "swap", "map", "fade", "smooth",
  /// "log", "move", "box", "brush", "fit", "zoom-in", "zoom-out", "actual", "mask", "grid".
  void command(const QString& name);
  bool isOn(const QString& name) const;

 Q_SIGNALS:
  void computeRequested();
  void captureRequested();
  void regionChanged();
  void regionDrawn(const std::vector<int>& before, const std::vector<int>& after);  // by hand: an edit that can be undone
  void patchesPicked();
  void patchActivated(int patch);
  void besideEnded();
  void viewChanged();

 private:
  void buildSiteBar(class Strip* bar);  // map_panel_bar.cpp
  void buildViewMenu();
  void fillSites();
  void fillPlaces(const AttentionStack* stack);
  void showReadout(const PatchReadout& readout);
  void showIdleReadout();
  void updateTools();
  void applyScene();
  void applyFrames();
  void compareWith(ImageCanvas::Compare mode);
  void endSecond();
  void putAside();
  void showSecond(const QString& labelA, const QString& labelB);

  Selection& m_selection;
  InspectionPtr m_inspection, m_beside;
  std::vector<QImage> m_pictures, m_besidePictures;
  std::vector<QImage> m_thumbnails;  // of m_pictures, for the strip of frames
  MapSlice m_slice;
  std::optional<MapSlice> m_second;   // put aside, or after a change
  std::optional<MapSlice> m_first;    // before a change: shown instead of the selection's
  SelectionState m_secondState;
  QString m_labelA, m_labelB;
  MapView m_view;
  bool m_difference = false;
  bool m_pair = false;        // m_first and m_second are before and after a change
  int m_patch = -1;           // picked by a click
  int m_timelineStep = -1;
  std::vector<int> m_regionBefore;
  bool m_filling = false;
  bool m_followTheme = true;  // the colour map is the theme's default until a person chooses one
  QString m_placesKey;        // what the layer and head choosers were filled for
  QComboBox* m_site = nullptr;
  QComboBox* m_layer = nullptr;
  QComboBox* m_head = nullptr;
  QComboBox* m_map = nullptr;
  QComboBox* m_image = nullptr;
  QSlider* m_opacity = nullptr;
  QMenu* m_viewMenu = nullptr;
  QLineEdit* m_low = nullptr;
  QLineEdit* m_high = nullptr;
  QHash<QString, QToolButton*> m_tools;
  QHash<QString, QAction*> m_viewActions;
  ElidedLabel* m_claim = nullptr;
  ElidedLabel* m_causal = nullptr;
  QPushButton* m_compute = nullptr;
  QString m_causalText;
  Strip* m_capture = nullptr;
  ElidedLabel* m_captureText = nullptr;
  QPushButton* m_captureButton = nullptr;
  ImageCanvas* m_canvas = nullptr;
  FrameStrip* m_frames = nullptr;
  ElidedLabel* m_readout = nullptr;
  ElidedLabel* m_processed = nullptr;
};

}  // namespace cuescope
