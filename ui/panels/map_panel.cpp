#include "ui/panels/map_panel.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/panels/panel.h"
#include "widgets/elided_label.h"
#include "widgets/icons.h"

namespace cuescope {
namespace {

QImage pictureOf(const ImageView& view) {
  if (view.rgb.size() < std::size_t(view.width) * std::size_t(view.height) * 3) return {};
  return QImage(view.rgb.data(), view.width, view.height, view.width * 3, QImage::Format_RGB888).copy();
}

}  // namespace

HeatmapScene mapScene(const Inspection& inspection, const MapSlice& slice, const MapView& view) {
  HeatmapScene scene;
  if (slice.image < 0 || slice.image >= int(inspection.images.size())) return scene;
  scene.picture = pictureOf(inspection.images[std::size_t(slice.image)]);
  scene.map = {slice.rows, slice.cols, slice.values, double(slice.uniform)};
  scene.style.map = view.map;
  scene.style.opacity = view.opacity;
  scene.style.smooth = view.smooth;
  scene.style.fade = view.fade;
  scene.style.logScale = view.logScale;
  scene.style.maskOutliers = view.maskOutliers;
  scene.showMap = view.shown && slice.exists();
  scene.showGrid = view.grid;
  for (const PixelBox& box : inspection.evidence)
    if (box.image == slice.image)
      scene.boxes.push_back({QRectF(double(box.x), double(box.y), double(box.width), double(box.height)), QStringLiteral("evidence"), false});
  return scene;
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
  connect(m_compute, &QPushButton::clicked, this, &MapPanel::computeRequested);
  claimLine->row()->addWidget(m_claim, 1);
  claimLine->row()->addWidget(m_causal);
  claimLine->row()->addWidget(m_compute);
  m_canvas = new ImageCanvas;
  m_canvas->setSnapToPatches(true);
  m_canvas->setAccessibleName(tr("Attention map"));
  m_canvas->setEmptyText(tr("No picture yet"), tr("Drop one anywhere, paste one, or open a demo scene from Start"));
  auto* footer = new Strip(22, Strip::Ground::Panel, this);
  m_readout = new ElidedLabel;
  m_readout->setPixelSize(11);
  m_readout->setMono(true);
  m_processed = new ElidedLabel;
  m_processed->setPixelSize(11);
  m_processed->setTone(ElidedLabel::Tone::Text3);
  m_processed->setAlignment(Qt::AlignRight);
  footer->row()->addWidget(m_readout, 3);
  footer->row()->addWidget(m_processed, 2);
  column->addWidget(bar);
  column->addWidget(claimLine);
  column->addWidget(m_canvas, 1);
  column->addWidget(footer);

  connect(m_canvas, &ImageCanvas::hovered, this, &MapPanel::showReadout);
  connect(m_canvas, &ImageCanvas::hoverLeft, this, &MapPanel::showIdleReadout);
  connect(m_canvas, &ImageCanvas::brushChanged, this, &MapPanel::regionChanged);
  connect(m_canvas, &ImageCanvas::boxDrawn, this, [this](const QRectF& pixels) {
    std::vector<int> patches = region();
    const HeatmapScene& scene = m_canvas->scene();
    for (int p = 0; p < int(m_slice.values.size()); ++p)
      if (pixels.contains(patchPixels(scene, p).center()) && std::find(patches.begin(), patches.end(), p) == patches.end()) patches.push_back(p);
    std::sort(patches.begin(), patches.end());
    setRegion(patches);
  });
  connect(m_canvas, &ImageCanvas::opacityChanged, this, [this](double opacity) {
    m_view.opacity = opacity;
    m_opacity->setValue(int(opacity * 100));
    Q_EMIT viewChanged();
  });
  connect(m_canvas, &ImageCanvas::layerStepRequested, this, [this](int by) {
    const int next = std::clamp(m_layer->currentIndex() + by, 0, std::max(0, m_layer->count() - 1));
    m_layer->setCurrentIndex(next);
  });
  connect(&Theme::instance(), &Theme::changed, this, [this] {
    if (!m_followTheme) return;
    m_view.map = defaultColorMap(Theme::instance().isDark());
    m_map->setCurrentText(colorMapName(m_view.map));
    m_followTheme = true;
  });
  setCausal({}, false);
  showIdleReadout();
  updateTools();
}

void MapPanel::buildSiteBar(Strip* bar) {
  const auto caption = [&](const QString& text) {
    auto* label = new QLabel(text);
    label->setProperty("tone", "2");
    bar->row()->addWidget(label);
  };
  const auto combo = [&](const QString& name, const QString& tip) {
    auto* box = new QComboBox;
    box->setAccessibleName(name);
    box->setToolTip(tip);
    box->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    bar->row()->addWidget(box);
    return box;
  };
  bar->row()->setSpacing(6);
  m_site = combo(tr("Site"), tr("Where in the model the map comes from"));
  caption(tr("Layer"));
  m_layer = combo(tr("Layer"), tr("Layer of the map (↑ ↓)"));
  caption(tr("Head"));
  m_head = combo(tr("Head"), tr("Head of the map ([ and ], M for the mean, X for the maximum)"));
  m_map = combo(tr("Colour map"), tr("Colour map of the shares"));
  m_map->addItems(colorMapNames());
  m_map->setCurrentText(colorMapName(m_view.map));
  m_opacity = new QSlider(Qt::Horizontal);
  m_opacity->setRange(0, 100);
  m_opacity->setValue(100);
  m_opacity->setFixedWidth(56);
  m_opacity->setAccessibleName(tr("Opacity"));
  m_opacity->setToolTip(tr("Opacity of the map (Shift+wheel over the picture)"));
  bar->row()->addWidget(m_opacity);
  m_image = combo(tr("Image"), tr("Which image of the prompt"));
  bar->row()->addStretch(1);
  const auto tool = [&](const char* name, Icon shape, const QString& tip, bool checkable = true) {
    auto* button = new QToolButton;
    button->setIcon(icon(shape));
    button->setCheckable(checkable);
    button->setAutoRaise(true);
    button->setFixedSize(22, 22);
    button->setToolTip(tip);
    button->setAccessibleName(tip);
    connect(button, &QToolButton::clicked, this, [this, key = QString::fromLatin1(name)] { command(key); });
    bar->row()->addWidget(button);
    m_tools.insert(QString::fromLatin1(name), button);
  };
  bar->row()->setSpacing(4);
  tool("grid", Icon::Grid, tr("Patch grid"));
  tool("fade", Icon::Fade, tr("Fade towards uniform (U)"));
  tool("single", Icon::Single, tr("One map (1)"));
  tool("swipe", Icon::Swipe, tr("Swipe: this map over the one that was shown when you chose it (2)"));
  tool("side", Icon::SideBySide, tr("Side by side (3)"));
  tool("move", Icon::Move, tr("Move the picture (V)"));
  tool("box", Icon::Box, tr("Box a region for what if (B)"));
  tool("brush", Icon::Brush, tr("Paint a region for what if (I)"));
  tool("fit", Icon::Fit, tr("Fit (F)"), false);

  connect(m_site, &QComboBox::currentIndexChanged, this, [this] {
    if (m_filling || !m_inspection) return;
    SelectionState next = m_selection.state();
    next.site = Site(m_site->currentData().toInt());
    m_selection.set(fitted(*m_inspection, next));
  });
  connect(m_layer, &QComboBox::currentIndexChanged, this, [this] {
    if (!m_filling && m_layer->currentIndex() >= 0) m_selection.setLayer(m_layer->currentData().toInt());
  });
  connect(m_head, &QComboBox::currentIndexChanged, this, [this] {
    if (!m_filling && m_head->currentIndex() >= 0) m_selection.setHead(m_head->currentData().toInt());
  });
  connect(m_image, &QComboBox::currentIndexChanged, this, [this](int index) {
    if (m_filling || index < 0) return;
    m_view.image = index;
    clearRegion();
    refresh();
  });
  connect(m_map, &QComboBox::currentIndexChanged, this, [this] {
    m_view.map = colorMapFromName(m_map->currentText());
    m_followTheme = m_view.map == defaultColorMap(Theme::instance().isDark());
    applyScene();
  });
  connect(m_opacity, &QSlider::valueChanged, this, [this](int value) {
    m_view.opacity = value / 100.0;
    m_canvas->setOpacity(m_view.opacity);
    Q_EMIT viewChanged();
  });
}

void MapPanel::setInspection(InspectionPtr inspection) {
  m_inspection = std::move(inspection);
  m_view.image = 0;
  m_second.reset();
  m_canvas->setSecond(std::nullopt);
  m_canvas->setCompare(ImageCanvas::Compare::Single);
  m_canvas->setBrushPatches({});
  fillSites();
  refresh();
  m_canvas->fit();
  Q_EMIT regionChanged();
}

void MapPanel::fillSites() {
  m_filling = true;
  m_site->clear();
  m_image->clear();
  if (m_inspection) {
    for (Site site : sitesOf(*m_inspection)) m_site->addItem(siteTitle(site), int(site));
    for (const ImageView& view : m_inspection->images) m_image->addItem(QString::fromStdString(view.label));
  }
  m_site->setEnabled(m_site->count() > 0);
  m_image->setVisible(m_image->count() > 1);
  m_filling = false;
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
  const AttentionStack* stack = stackOf(*m_inspection, state.site);
  m_layer->clear();
  m_head->clear();
  if (stack) {
    for (int layer : stack->layers) m_layer->addItem(QString::number(layer), layer);
    m_head->addItem(QStringLiteral("mean"), kHeadMean);
    if (!stack->headsAveraged) {
      m_head->addItem(QStringLiteral("max"), kHeadMax);
      for (int h = 0; h < stack->heads; ++h) m_head->addItem(QString::number(h), h);
    }
    m_layer->setCurrentIndex(m_layer->findData(state.layer));
    m_head->setCurrentIndex(m_head->findData(state.head));
  }
  m_filling = false;
  m_slice = sliceMap(*m_inspection, state, m_view.image);
  applyScene();
  showIdleReadout();
}

void MapPanel::applyScene() {
  if (!m_inspection) return;
  HeatmapScene scene = mapScene(*m_inspection, m_slice, m_view);
  scene.chosenPatches = region();
  scene.selectedPatch = m_canvas->selectedPatch();
  m_canvas->setScene(scene);
  // A student of a run is named by its step: the bar above may meanwhile be set to another model.
  const bool ofRun = m_inspection->step >= 0 && m_slice.exists();
  const QString depends = ofRun ? tr("step %1, %2").arg(m_inspection->step).arg(m_slice.depends) : m_slice.depends;
  m_claim->setText(m_slice.exists() ? m_slice.claim : m_slice.why, depends);
  updateTools();
  Q_EMIT viewChanged();
}

void MapPanel::clearRegion() {
  m_canvas->setBrushPatches({});
  Q_EMIT regionChanged();
}

void MapPanel::setCausal(const QString& text, bool computing, const QString& refusal) {
  m_causalText = text;
  const bool compute = text.isEmpty();
  m_causal->setText(compute ? (computing ? tr("Erasing the top 5 % …") : tr("Top 5 %: not computed")) : text);
  m_compute->setVisible(compute);
  m_compute->setEnabled(!computing && refusal.isEmpty());
  if (!refusal.isEmpty()) m_compute->setToolTip(refusal);
}

void MapPanel::command(const QString& name) {
  const auto compare = [this](ImageCanvas::Compare mode) {
    if (mode != ImageCanvas::Compare::Single && !m_canvas->hasSecond() && m_slice.exists()) {
      // What is shown now becomes B; the next map that is chosen is compared with it.
      m_canvas->setSecond(m_canvas->scene(), tr("A, chosen now"), QStringLiteral("B, ") + m_slice.claim);
    }
    if (mode == ImageCanvas::Compare::Single) m_canvas->setSecond(std::nullopt);
    m_canvas->setCompare(mode);
  };
  if (name == u"single") compare(ImageCanvas::Compare::Single);
  else if (name == u"swipe") compare(ImageCanvas::Compare::Swipe);
  else if (name == u"side") compare(ImageCanvas::Compare::SideBySide);
  else if (name == u"swap") m_canvas->swapMaps();
  else if (name == u"move") m_canvas->setTool(ImageCanvas::Tool::Move);
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
}

void MapPanel::showReadout(const PatchReadout& readout) {
  m_readout->setText(readout.place() + QStringLiteral("  ") + readout.valueText() + u' ' + readout.timesText(), readout.pixelText());
}

void MapPanel::showIdleReadout() {
  if (!m_inspection || m_inspection->images.empty()) {
    m_readout->setText({});
    m_processed->setText({});
    return;
  }
  if (m_slice.exists()) {
    const auto top = std::max_element(m_slice.values.begin(), m_slice.values.end());
    const int patch = int(top - m_slice.values.begin());
    const double times = m_slice.uniform > 0 ? double(*top / m_slice.uniform) : 0;
    m_readout->setText(tr("peak %1 = %2 × uniform").arg(number(double(*top), 4), number(times, 1)),
                       tr("row %1, column %2").arg(patch / m_slice.cols).arg(patch % m_slice.cols));
  } else {
    m_readout->setText({});
  }
  const ImageView& view = m_inspection->images[std::size_t(m_view.image)];
  m_processed->setText(tr("%1 × %2 px, merged grid %3 × %4, 1 token = %5 px")
                           .arg(view.width)
                           .arg(view.height)
                           .arg(view.gridCols)
                           .arg(view.gridRows)
                           .arg(view.gridCols > 0 ? view.width / view.gridCols : 0));
}

}  // namespace cuescope
