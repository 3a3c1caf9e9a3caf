#include "ui/panels/map_panel.h"

#include <QAction>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QSlider>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "ui/acts_as.h"
#include "ui/panels/panel.h"
#include "widgets/elided_label.h"
#include "widgets/words.h"
#include "widgets/frame_strip.h"
#include "widgets/icons.h"
#include "widgets/numbers.h"

namespace cuescope {

QImage pictureOf(const ImageView& view) {
  if (view.rgb.size() < std::size_t(view.width) * std::size_t(view.height) * 3) return {};
  return QImage(view.rgb.data(), view.width, view.height, view.width * 3, QImage::Format_RGB888).convertToFormat(QImage::Format_RGB32);
}

HeatmapScene mapScene(const Inspection& inspection, const MapSlice& slice, const MapView& view, const QImage& picture) {
  HeatmapScene scene;
  if (slice.image < 0 || slice.image >= int(inspection.images.size())) return scene;
  scene.picture = picture.isNull() ? pictureOf(inspection.images[std::size_t(slice.image)]) : picture;
  scene.map = {slice.rows, slice.cols, slice.values, double(slice.uniform)};
  scene.style.map = view.map;
  scene.style.opacity = view.opacity;
  scene.style.smooth = view.smooth;
  scene.style.fade = view.fade && !slice.signedValues;
  scene.style.logScale = view.logScale && !slice.signedValues;
  scene.style.maskOutliers = view.maskOutliers;
  scene.style.signedValues = slice.signedValues;
  scene.style.quantity = slice.quantity;
  scene.style.low = slice.signedValues ? 0 : view.low;
  scene.style.high = view.high;
  scene.showMap = view.shown && slice.exists();
  scene.showGrid = view.grid;
  for (const PixelBox& box : inspection.evidence)
    if (box.image == slice.image)
      scene.boxes.push_back({QRectF(double(box.x), double(box.y), double(box.width), double(box.height)), QStringLiteral("evidence"), false});
  return scene;
}

void shareRange(HeatmapScene& a, HeatmapScene& b) {
  if (a.map.empty() || b.map.empty() || a.style.signedValues != b.style.signedValues) return;
  const double high = std::max(resolveRange(a.map, a.style).high, resolveRange(b.map, b.style).high);
  a.style.high = b.style.high = high;
}

MapPanel::MapPanel(Selection& selection, QWidget* parent) : QWidget(parent), m_selection(selection) {
  m_view.map = defaultColorMap(Theme::instance().isDark());
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* bar = new Strip(32, Strip::Ground::Panel, this);
  buildSiteBar(bar);
  auto* claimLine = new Strip(26, Strip::Ground::Panel, this);
  m_claim = new ElidedLabel;
  m_claim->setPixelSize(12, QFont::Medium);
  m_causal = new ElidedLabel;
  m_causal->setPixelSize(11);
  m_causal->setTone(ElidedLabel::Tone::Text2);
  m_causal->setAlignment(Qt::AlignRight);
  m_compute = new QPushButton(tr("Compute"));
  m_compute->setToolTip(tr("Erase the patches with the largest 5 % of this map, and as many random ones for comparison"));
  actsAs(m_compute, "inspect.causal");
  connect(m_compute, &QPushButton::clicked, this, &MapPanel::computeRequested);
  claimLine->row()->addWidget(m_claim, 1);
  claimLine->row()->addWidget(m_causal);
  claimLine->row()->addWidget(m_compute);
  m_capture = new Strip(28, Strip::Ground::Window, this);
  m_captureText = new ElidedLabel;
  m_captureButton = new QPushButton;
  m_captureButton->setAccessibleName(tr("Capture what is missing"));
  m_captureButton->setToolTip(tr("Runs the model again and keeps what this map needs"));
  m_capture->row()->addWidget(m_captureText, 1);
  m_capture->row()->addWidget(m_captureButton);
  actsAs(m_captureButton, "inspect.capture");
  m_capture->hide();
  connect(m_captureButton, &QPushButton::clicked, this, &MapPanel::captureRequested);
  m_canvas = new ImageCanvas;
  m_canvas->setWhatsThis(tr("Where the chosen token, layer and head look in the picture; a patch is a cell."));
  m_canvas->setSnapToPatches(true);
  m_canvas->setAccessibleName(tr("Attention map"));
  m_canvas->setEmptyText(tr("No picture yet"), tr("Drop one anywhere, paste one, or open a demo scene from Start"));
  m_frames = new FrameStrip;
  m_frames->setWhatsThis(tr("The frames or pictures of the prompt; choosing one shows its map."));
  m_frames->hide();
  auto* footer = new Strip(22, Strip::Ground::Panel, this);
  m_readout = new ElidedLabel;
  m_readout->setPixelSize(11);
  m_readout->setMono(true);
  m_processed = new ElidedLabel;
  m_processed->setPixelSize(11);
  m_processed->setTone(ElidedLabel::Tone::Text3);
  m_processed->setAlignment(Qt::AlignRight);
  footer->row()->addWidget(m_readout, 1);
  footer->row()->addWidget(m_processed);
  for (ElidedLabel* label : {m_claim, m_captureText, m_readout}) label->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  // Half a remark is none: what a claim depends on and where a patch lies are whole, or in the tooltip.
  for (ElidedLabel* label : {m_claim, m_readout}) label->setWholeDim(true);
  column->addWidget(bar);
  column->addWidget(claimLine);
  column->addWidget(m_capture);
  column->addWidget(m_canvas, 1);
  column->addWidget(m_frames);
  column->addWidget(footer);

  connect(m_canvas, &ImageCanvas::hovered, this, &MapPanel::showReadout);
  connect(m_canvas, &ImageCanvas::hoverLeft, this, &MapPanel::showIdleReadout);
  connect(m_canvas, &ImageCanvas::brushChanged, this, [this](const std::vector<int>& after) {
    // The canvas has painted already; the edit is told with what was there before its stroke's patch.
    Q_EMIT regionDrawn(m_regionBefore, after);
    m_regionBefore = after;
    Q_EMIT regionChanged();
  });
  connect(m_canvas, &ImageCanvas::boxDrawn, this, [this](const QRectF& pixels) {
    const std::vector<int> before = region();
    std::vector<int> patches = before;
    const HeatmapScene& scene = m_canvas->scene();
    for (int p = 0; p < m_slice.rows * m_slice.cols; ++p)
      if (pixels.contains(patchPixels(scene, p).center()) && std::find(patches.begin(), patches.end(), p) == patches.end()) patches.push_back(p);
    std::sort(patches.begin(), patches.end());
    setRegion(patches);
    Q_EMIT regionDrawn(before, patches);
  });
  connect(m_canvas, &ImageCanvas::patchSelected, this, [this](int patch) {
    if (patch == m_patch) m_canvas->setSelectedPatch(patch = -1);  // a second click lets go
    m_patch = patch;
    Q_EMIT patchesPicked();
  });
  connect(m_canvas, &ImageCanvas::patchActivated, this, &MapPanel::patchActivated);
  connect(m_canvas, &ImageCanvas::opacityChanged, this, [this](double opacity) {
    m_view.opacity = opacity;
    m_opacity->setValue(int(opacity * 100));
    Q_EMIT viewChanged();
  });
  connect(m_canvas, &ImageCanvas::layerStepRequested, this, [this](int by) {
    const int next = std::clamp(m_layer->currentIndex() + by, 0, std::max(0, m_layer->count() - 1));
    m_layer->setCurrentIndex(next);
  });
  connect(m_frames, &FrameStrip::picked, m_image, &QComboBox::setCurrentIndex);
  connect(&Theme::instance(), &Theme::changed, this, [this] {
    if (!m_followTheme) return;
    m_view.map = defaultColorMap(Theme::instance().isDark());
    m_map->setCurrentText(colorMapName(m_view.map));
    m_followTheme = true;
  });
  m_claim->setText(tr("No map yet"), tr("it comes with the answer"));
  m_image->hide();
  for (QComboBox* box : {m_site, m_layer, m_head}) box->setEnabled(false);  // filled with the first answer
  setCausal({}, false);
  showIdleReadout();
  updateTools();
}

void MapPanel::setInspection(InspectionPtr inspection) {
  m_beside.reset();
  m_second.reset();
  m_first.reset();
  m_difference = false;
  m_view.image = 0;
  m_patch = -1;
  m_canvas->setSecond(std::nullopt);
  m_canvas->setCompare(ImageCanvas::Compare::Single);
  m_canvas->setSelectedPatch(-1);
  setRegion({});
  extendInspection(std::move(inspection));
  m_canvas->fit();
}

QString MapPanel::claimText() const {
  return m_claim->text() + QStringLiteral(", ") + m_claim->dim();
}

void MapPanel::setTimelineStep(int step) {
  if (step == m_timelineStep) return;
  m_timelineStep = step;
  if (m_inspection) applyScene();
}

void MapPanel::extendInspection(InspectionPtr inspection) {
  const bool samePictures = m_inspection && inspection && m_inspection->images.size() == inspection->images.size() && m_inspection->studentImageDigest == inspection->studentImageDigest &&
                            !inspection->studentImageDigest.empty();
  m_inspection = std::move(inspection);
  if (!samePictures) {
    m_pictures.clear();
    m_thumbnails.clear();
    if (m_inspection)
      for (const ImageView& view : m_inspection->images) {
        m_pictures.push_back(pictureOf(view));
        const QImage& whole = m_pictures.back();
        m_thumbnails.push_back(whole.height() > 160 ? whole.scaledToHeight(160, Qt::SmoothTransformation) : whole);
      }
  }
  m_placesKey.clear();
  fillSites();
  refresh();
}

void MapPanel::fillSites() {
  m_filling = true;
  m_site->clear();
  m_image->clear();
  if (m_inspection) {
    for (int s = 0; s < kSites; ++s) {
      if (!siteExists(*m_inspection, Site(s))) continue;
      m_site->addItem(siteTitle(Site(s)), s);
      m_site->setItemData(m_site->count() - 1, siteExplanation(Site(s)), Qt::ToolTipRole);
    }
    for (const ImageView& view : m_inspection->images) m_image->addItem(QString::fromStdString(view.label));
    m_image->setCurrentIndex(m_view.image);
  }
  m_site->setEnabled(m_site->count() > 0);
  const bool several = m_image->count() > 1;
  m_image->setVisible(several && m_image->count() <= 4);
  m_frames->setVisible(several);
  m_filling = false;
}

// The choosers are filled again only when there is something else to choose from: filling them lays the bar out anew.
void MapPanel::fillPlaces(const AttentionStack* stack) {
  QString key;
  if (stack) {
    key = QStringLiteral("%1 %2 %3").arg(int(stack->site)).arg(stack->heads).arg(stack->headsAveraged);
    for (int layer : stack->layers) key += u' ' + QString::number(layer);
  }
  if (key == m_placesKey && m_layer->count() > 0) return;
  m_placesKey = key;
  m_layer->clear();
  m_head->clear();
  if (stack) {
    for (int layer : stack->layers) m_layer->addItem(QString::number(layer), layer);
    if (stack->heads > 1 || stack->headsAveraged || siteHasHeads(stack->site)) m_head->addItem(QStringLiteral("mean"), kHeadMean);
    if (!stack->headsAveraged && stack->heads > 1) {
      m_head->addItem(QStringLiteral("max"), kHeadMax);
      for (int h = 0; h < stack->heads; ++h) m_head->addItem(QString::number(h), h);
    }
  }
  m_layer->setEnabled(m_layer->count() > 1);
  m_head->setEnabled(m_head->count() > 1);
  m_layer->setToolTip(m_layer->count() > 1 ? tr("Layer of the map (↑ ↓)") : tr("This site has one map for all layers"));
  m_head->setToolTip(m_head->count() > 1 ? tr("Head of the map ([ and ], M for the mean, X for the maximum)") : tr("This site has no heads of its own"));
}

void MapPanel::refresh() {
  if (!m_inspection) {
    m_claim->setText(tr("No map yet"));
    m_canvas->setScene({});
    return;
  }
  const SelectionState& state = m_selection.state();
  m_filling = true;
  m_site->setCurrentIndex(m_site->findData(int(state.site)));
  m_site->setToolTip(siteExplanation(state.site));
  m_site->setWhatsThis(siteExplanation(state.site));
  const AttentionStack* stack = stackOf(*m_inspection, state);
  fillPlaces(stack);
  if (stack) {
    m_layer->setCurrentIndex(m_layer->findData(state.layer));
    m_head->setCurrentIndex(m_head->findData(stack->heads == 1 ? kHeadMean : state.head));
  }
  m_filling = false;
  m_first.reset();  // a change's pair belongs to the selection it was made for
  if (m_pair) endSecond();
  m_slice = sliceMap(*m_inspection, state, m_view.image);
  applyScene();
  applyFrames();
  showIdleReadout();
}

std::optional<MapSlice> MapPanel::secondSlice() const {
  if (m_beside) return sliceMap(*m_beside, fitted(*m_beside, m_selection.state()), m_view.image);
  return m_second;
}

void MapPanel::applyScene() {
  if (!m_inspection) return;
  const std::size_t image = std::size_t(std::max(0, m_view.image));
  const MapSlice& first = m_first ? *m_first : m_slice;
  const std::optional<MapSlice> second = secondSlice();
  const MapSlice difference = m_difference && second ? mapDifference(first, *second) : MapSlice{};
  const MapSlice& shown = difference.exists() ? difference : first;
  HeatmapScene scene = mapScene(*m_inspection, shown, m_view, image < m_pictures.size() ? m_pictures[image] : QImage());
  scene.chosenPatches = region();
  scene.selectedPatch = m_canvas->selectedPatch();
  m_map->setEnabled(!shown.signedValues);
  m_map->setToolTip(shown.signedValues ? tr("Signed values wear the diverging ramp: orange above zero, blue below") : tr("Colours of magnitudes, even in lightness"));
  if (second && !difference.exists()) {
    const Inspection& other = m_beside ? *m_beside : *m_inspection;
    const auto& pictures = m_beside ? m_besidePictures : m_pictures;
    HeatmapScene b = mapScene(other, *second, m_view, image < pictures.size() ? pictures[image] : QImage());
    b.selectedPatch = scene.selectedPatch;
    if (!std::isfinite(m_view.high)) shareRange(scene, b);
    m_canvas->setScene(scene);
    m_canvas->setSecond(b, !m_labelA.isEmpty() ? m_labelA : m_secondState == m_selection.state() ? tr("A, choose another token, layer or head") : tr("A, chosen now"), m_labelB);
  } else {
    m_canvas->setScene(scene);
    if (!second) m_canvas->setSecond(std::nullopt);
    else if (m_canvas->compare() != ImageCanvas::Compare::Single) m_canvas->setCompare(ImageCanvas::Compare::Single);
  }
  // A student of a run is named by its step: the bar above may meanwhile be set to another model.
  const bool ofRun = m_inspection->step >= 0 && shown.exists();
  QString step = tr("step %1").arg(m_inspection->step);
  if (m_timelineStep >= 0 && m_timelineStep != m_inspection->step) step = tr("step %1 (timeline at %2)").arg(m_inspection->step).arg(m_timelineStep);
  const QString depends = ofRun ? tr("%1, %2").arg(step, shown.depends) : shown.depends;
  m_claim->setText(shown.exists() ? shown.claim : shown.why, depends);
  updateTools();
  Q_EMIT viewChanged();
}

void MapPanel::applyFrames() {
  if (!m_inspection || m_inspection->images.size() < 2) return;
  std::vector<StripFrame> frames;
  std::vector<MapSlice> slices;
  double total = 0, high = 0;
  for (int i = 0; i < int(m_inspection->images.size()); ++i) {
    slices.push_back(sliceMap(*m_inspection, m_selection.state(), i));
    for (const float v : slices.back().values) total += std::max(0.f, v), high = std::max(high, std::abs(double(v)));
  }
  for (std::size_t i = 0; i < slices.size(); ++i) {
    StripFrame frame;
    const ImageView& view = m_inspection->images[i];  // of a video the time tells frames apart where there is no room for names
    char seconds[24];
    std::snprintf(seconds, sizeof seconds, "%.1f", view.seconds);  // as the prompt says it
    frame.label = view.slice >= 0 && view.seconds >= 0 ? tr("%1 s").arg(QLatin1String(seconds)) : QString::fromStdString(view.label);
    frame.scene = mapScene(*m_inspection, slices[i], m_view, m_thumbnails[i]);
    frame.scene.boxes.clear();
    if (!std::isfinite(m_view.high) && high > 0) frame.scene.style.high = high;  // one scale for all
    double sum = 0;
    for (const float v : slices[i].values) sum += double(std::max(0.f, v));
    frame.share = slices[i].exists() && total > 0 ? sum / total : std::nan("");
    frames.push_back(std::move(frame));
  }
  m_frames->setFrames(frames);
  m_frames->setCurrent(m_view.image);
}

void MapPanel::setView(const MapView& view) {
  m_view = view;
  if (m_inspection) m_view.image = std::clamp(m_view.image, 0, std::max(0, int(m_inspection->images.size()) - 1));
  m_map->setCurrentText(colorMapName(view.map));
  applyScene();
}

void MapPanel::endSecond() {
  m_beside.reset();
  m_second.reset();
  m_first.reset();
  m_pair = m_difference = false;
  m_labelA.clear();
  m_labelB.clear();
  m_canvas->setSecond(std::nullopt);
  m_canvas->setCompare(ImageCanvas::Compare::Single);
}

void MapPanel::setBeside(InspectionPtr beside, const QString& labelA, const QString& labelB) {
  if (!beside) {
    const bool had = m_beside != nullptr;
    if (had) endSecond();
    applyScene();
    return;
  }
  m_second.reset();
  m_first.reset();
  m_pair = false;
  m_beside = std::move(beside);
  m_besidePictures.clear();
  for (const ImageView& view : m_beside->images) m_besidePictures.push_back(pictureOf(view));
  showSecond(labelA, labelB);
}

void MapPanel::setPair(const MapSlice& before, const MapSlice& after, const QString& labelBefore, const QString& labelAfter) {
  if (!before.exists() || !after.exists()) return;
  m_beside.reset();
  m_first = before;
  m_second = after;
  m_pair = true;
  showSecond(labelBefore, labelAfter);
}

void MapPanel::compareTo(const SelectionState& other) {
  if (!comparison().isEmpty()) return m_selection.set(other);
  if (!m_inspection) return;
  const MapSlice slice = sliceMap(*m_inspection, other, m_view.image);
  if (!slice.exists()) return;
  m_second = slice;
  m_secondState = other;
  showSecond({}, QStringLiteral("B, ") + slice.claim);
}

// A second map that has just come stands beside the first, unless a comparison is shown already.
void MapPanel::showSecond(const QString& labelA, const QString& labelB) {
  m_labelA = labelA;
  m_labelB = labelB;
  applyScene();
  if (m_canvas->compare() == ImageCanvas::Compare::Single && !m_difference) m_canvas->setCompare(ImageCanvas::Compare::SideBySide);
  updateTools();
}

QString MapPanel::comparison() const {
  if (!m_beside && !m_second) return {};
  if (m_difference) return QStringLiteral("difference");
  return m_canvas->compare() == ImageCanvas::Compare::Single ? QString() : QStringLiteral("side");
}

void MapPanel::setCapture(const QString& text, const QString& button, bool enabled) {
  m_captureText->setText(text);
  m_captureButton->setText(button);
  m_captureButton->setVisible(!button.isEmpty());
  m_captureButton->setEnabled(enabled);
  m_capture->setVisible(!text.isEmpty());
}

QString MapPanel::captureText() const {
  return m_capture->isHidden() ? QString() : m_captureText->text();
}

void MapPanel::setRegion(const std::vector<int>& patches) {
  m_regionBefore = patches;
  m_canvas->setBrushPatches(patches);
  Q_EMIT regionChanged();
}

void MapPanel::clearRegion() {
  setRegion({});
}

std::vector<int> MapPanel::pickedPatches() const {
  if (m_canvas->selectedPatch() >= 0) return {m_canvas->selectedPatch()};
  return region();
}

void MapPanel::setCausal(const QString& text, bool computing, const QString& refusal) {
  m_causalText = text;
  const bool compute = text.isEmpty();
  m_causal->setText(compute ? (computing ? tr("Erasing the top 5 % …") : tr("Erase top 5 %")) : text);
  m_compute->setVisible(compute);
  m_compute->setEnabled(!computing && refusal.isEmpty());
  m_compute->setToolTip(refusal.isEmpty() ? tr("Erase the patches with the largest 5 % of this map, and as many random ones for comparison") : refusal);
}

// What is shown now becomes B; the next map that is chosen is compared with it.
void MapPanel::putAside() {
  if (m_beside || m_second || !m_slice.exists()) return;
  m_second = m_slice;
  m_secondState = m_selection.state();
  m_labelB = QStringLiteral("B, ") + m_slice.claim;
}

void MapPanel::compareWith(ImageCanvas::Compare mode) {
  if (mode == ImageCanvas::Compare::Single) {
    const bool other = m_beside != nullptr;
    endSecond();
    applyScene();
    if (other) Q_EMIT besideEnded();
    return;
  }
  putAside();
  m_difference = false;
  applyScene();
  m_canvas->setCompare(mode);
}

void MapPanel::command(const QString& name) {
  if (name == u"single") compareWith(ImageCanvas::Compare::Single);
  else if (name == u"swipe") compareWith(ImageCanvas::Compare::Swipe);
  else if (name == u"side") compareWith(ImageCanvas::Compare::SideBySide);
  else if (name == u"difference") {
    putAside();
    m_difference = !m_difference;
    applyScene();
  } else if (name == u"swap") {
    if (m_second && !m_beside) {
      const MapSlice first = m_first ? *m_first : m_slice;
      m_first = m_second;
      m_second = first;
      std::swap(m_labelA, m_labelB);
      applyScene();
    } else {
      m_canvas->swapMaps();
    }
  } else if (name == u"move") m_canvas->setTool(ImageCanvas::Tool::Move);
  else if (name == u"box") m_canvas->setTool(ImageCanvas::Tool::Box);
  else if (name == u"brush") m_canvas->setTool(ImageCanvas::Tool::Brush);
  else if (name == u"fit") m_canvas->fit();
  else if (name == u"actual") m_canvas->setZoom(1);
  else if (name == u"zoom-in") m_canvas->zoomBy(1.25);
  else if (name == u"zoom-out") m_canvas->zoomBy(0.8);
  else {
    if (name == u"map") m_view.shown = !m_view.shown;
    else if (name == u"fade") m_view.fade = !m_view.fade;
    else if (name == u"smooth") m_view.smooth = !m_view.smooth;
    else if (name == u"log") m_view.logScale = !m_view.logScale;
    else if (name == u"mask") m_view.maskOutliers = !m_view.maskOutliers;
    else if (name == u"grid") m_view.grid = !m_view.grid;
    applyScene();
    applyFrames();
    return;
  }
  updateTools();
}

bool MapPanel::isOn(const QString& name) const {
  if (name == u"map") return m_view.shown;
  if (name == u"fade") return m_view.fade;
  if (name == u"smooth") return m_view.smooth;
  if (name == u"log") return m_view.logScale;
  if (name == u"mask") return m_view.maskOutliers;
  if (name == u"grid") return m_view.grid;
  if (name == u"difference") return m_difference;
  if (name == u"single") return m_canvas->compare() == ImageCanvas::Compare::Single;
  if (name == u"swipe") return m_canvas->compare() == ImageCanvas::Compare::Swipe;
  if (name == u"side") return m_canvas->compare() == ImageCanvas::Compare::SideBySide;
  if (name == u"move") return m_canvas->tool() == ImageCanvas::Tool::Move;
  if (name == u"box") return m_canvas->tool() == ImageCanvas::Tool::Box;
  if (name == u"brush") return m_canvas->tool() == ImageCanvas::Tool::Brush;
  return false;
}

void MapPanel::updateTools() {
  for (auto it = m_tools.constBegin(); it != m_tools.constEnd(); ++it)
    if (it.value()->isCheckable()) it.value()->setChecked(isOn(it.key()));
  for (auto it = m_viewActions.constBegin(); it != m_viewActions.constEnd(); ++it) it.value()->setChecked(isOn(it.key()));
}

void MapPanel::showReadout(const PatchReadout& readout) {
  QString text = readout.place() + QStringLiteral("  ") + readout.valueText();
  if (!readout.timesText().isEmpty()) text += u' ' + readout.timesText();
  else if (m_slice.signedValues) text += tr(" nats");
  m_readout->setText(text, readout.pixelText());
}

void MapPanel::showIdleReadout() {
  if (!m_inspection || m_inspection->images.empty()) {
    m_readout->setText({});
    m_processed->setText({});
    return;
  }
  if (m_slice.exists()) {
    const auto top = std::max_element(m_slice.values.begin(), m_slice.values.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
    const int patch = int(top - m_slice.values.begin());
    const QString place = tr("row %1, column %2").arg(patch / m_slice.cols).arg(patch % m_slice.cols);
    m_readout->setText(m_slice.uniform > 0 ? tr("peak %1 = %2 × uniform").arg(significant(double(*top), 4), number(double(*top / m_slice.uniform), 1))
                                           : tr("peak %1").arg(m_slice.signedValues ? signedNumber(double(*top), 4) : significant(double(*top), 4)),
                       place);
  } else {
    m_readout->setText({});
  }
  const ImageView& view = m_inspection->images[std::size_t(m_view.image)];
  // The picture's name stands here: the bar above has no room for it beside three models.
  const QString name = elidedWords(uiFont(11), QString::fromStdString(view.label), Qt::ElideMiddle, 120);
  m_processed->setText((name.isEmpty() ? name : name + QStringLiteral(", ")) + tr("%1 × %2 px, grid %3 × %4, %5 px a token")
                           .arg(view.width)
                           .arg(view.height)
                           .arg(view.gridCols)
                           .arg(view.gridRows)
                           .arg(view.gridCols > 0 ? view.width / view.gridCols : 0));
}

}  // namespace cuescope
