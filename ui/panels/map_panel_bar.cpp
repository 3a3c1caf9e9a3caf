// The bar above the map: site, layer, head, colours, range, tools.
#include <QAction>
#include <QComboBox>
#include <QDoubleValidator>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QSlider>
#include <QToolButton>
#include <QWidgetAction>
#include <cmath>
#include <utility>

#include "ui/panels/map_panel.h"
#include "ui/acts_as.h"
#include "ui/panels/panel.h"
#include "widgets/fitted_combo.h"
#include "widgets/icons.h"

namespace cuescope {

void MapPanel::buildSiteBar(Strip* bar) {
  const auto combo = [&](const QString& name, const QString& tip, int least, bool captioned) {
    auto* box = new FittedCombo;
    box->setLeast(least);
    box->setAccessibleName(name);
    box->setToolTip(tip);
    box->setWhatsThis(tip);
    QLabel* label = nullptr;
    if (captioned) {
      label = new QLabel(name);
      label->setProperty("tone", "2");
      box->setCaption(label);
      bar->row()->addWidget(label);
    }
    bar->row()->addWidget(box);
    return std::pair<FittedCombo*, QLabel*>(box, label);
  };
  bar->row()->setSpacing(6);
  m_site = combo(tr("Site"), tr("Where in the model the map comes from"), 92, false).first;
  const auto layer = combo(tr("Layer"), tr("Layer of the map (↑ ↓)"), 48, true);
  const auto head = combo(tr("Head"), tr("Head of the map ([ and ], M for the mean, X for the maximum)"), 66, true);
  m_layer = layer.first;
  m_head = head.first;
  m_map = combo(tr("Colour map"), tr("Colours of magnitudes: all even in lightness and safe for the colour-blind. Signed values always wear the diverging ramp"), 76, false).first;
  actsAs(m_site, "map.site");
  actsAs(m_layer, "map.layer");
  actsAs(m_head, "map.head");
  actsAs(m_map, "map.colours");
  m_map->addItems(colorMapNames());
  m_map->setCurrentText(colorMapName(m_view.map));
  m_opacity = new QSlider(Qt::Horizontal);
  m_opacity->setRange(0, 100);
  m_opacity->setValue(100);
  m_opacity->setFixedWidth(48);
  m_opacity->setAccessibleName(tr("Opacity"));
  m_opacity->setToolTip(tr("Opacity of the map (Shift+wheel over the picture)"));
  actsAs(m_opacity, "map.opacity");
  auto* opacity = new QLabel(tr("Opacity"));
  opacity->setProperty("tone", "2");
  opacity->setBuddy(m_opacity);
  bar->row()->addWidget(opacity);
  bar->row()->addWidget(m_opacity);
  m_image = combo(tr("Image"), tr("Which image of the prompt"), 72, false).first;
  actsAs(m_image, "map.image");
  bar->row()->addStretch(1);
  const auto tool = [&](const char* name, Icon shape, const QString& tip, bool checkable = true) {
    auto* button = new QToolButton;
    button->setIcon(icon(shape));
    button->setCheckable(checkable);
    button->setAutoRaise(true);
    button->setFixedSize(22, 22);
    button->setToolTip(tip);
    button->setWhatsThis(tip);
    button->setAccessibleName(tip);
    actsAs(button, (QByteArrayLiteral("map.") + name).constData());
    if (checkable || qstrcmp(name, "fit") == 0) connect(button, &QToolButton::clicked, this, [this, key = QString::fromLatin1(name)] { command(key); });
    bar->row()->addWidget(button);
    m_tools.insert(QString::fromLatin1(name), button);
    return button;
  };
  bar->row()->setSpacing(4);
  tool("fade", Icon::Fade, tr("Fade towards uniform (U)"));
  tool("single", Icon::Single, tr("One map (1)"));
  tool("swipe", Icon::Swipe, tr("Swipe: this map over the one that was shown when you chose it (2)"));
  tool("side", Icon::SideBySide, tr("Side by side (3)"));
  tool("move", Icon::Move, tr("Move the picture; a click picks a patch (V)"));
  tool("box", Icon::Box, tr("Box a region for what if (B)"));
  tool("brush", Icon::Brush, tr("Paint a region for what if (I)"));
  tool("fit", Icon::Fit, tr("Fit (F)"), false);
  QToolButton* more = tool("view", Icon::More, tr("How the map is drawn: colours, range, log, smooth, outliers, grid; and every tool of this bar"), false);
  buildViewMenu();
  more->setMenu(m_viewMenu);
  more->setPopupMode(QToolButton::InstantPopup);
  // In a narrower bar these go first; the menu at the end has them all.
  int order = 0;
  bar->giveWay(opacity, ++order);
  for (const char* name : {"fade", "move", "brush"}) bar->giveWay(m_tools.value(QLatin1String(name)), ++order);
  bar->giveWay(m_opacity, ++order);
  bar->giveWay(m_map, ++order);
  bar->giveWay(head.second, ++order);
  bar->giveWay(layer.second, ++order);
  for (const char* name : {"side", "swipe", "single", "fit", "box"}) bar->giveWay(m_tools.value(QLatin1String(name)), ++order);

  connect(m_site, &QComboBox::currentIndexChanged, this, [this] {
    if (m_filling || !m_inspection) return;
    SelectionState next = m_selection.state();
    next.site = Site(m_site->currentData().toInt());
    if (next.site != Site::SelfAttention) next.prompt = -1;
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
    m_canvas->setSelectedPatch(-1);
    clearRegion();
    refresh();
    Q_EMIT patchesPicked();
  });
  connect(m_map, &QComboBox::currentIndexChanged, this, [this] {
    m_view.map = colorMapFromName(m_map->currentText());
    m_followTheme = m_view.map == defaultColorMap(Theme::instance().isDark());
    applyScene();
    applyFrames();
  });
  connect(m_opacity, &QSlider::valueChanged, this, [this](int value) {
    m_view.opacity = value / 100.0;
    m_canvas->setOpacity(m_view.opacity);
    Q_EMIT viewChanged();
  });
}

void MapPanel::buildViewMenu() {
  m_viewMenu = new QMenu(this);
  m_viewMenu->setToolTipsVisible(true);
  const std::pair<const char*, QString> choices[] = {{"smooth", tr("Smooth (G)")}, {"log", tr("Log scale (L)")}, {"mask", tr("Mask outliers (Shift+M)")},
                                                     {"grid", tr("Patch grid (Shift+G)")}, {"fade", tr("Fade towards uniform (U)")}, {"", {}},
                                                     {"single", tr("One map (1)")}, {"swipe", tr("Swipe (2)")}, {"side", tr("Side by side (3)")}, {"difference", tr("Difference A − B (D)")}, {"", {}},
                                                     {"move", tr("Move tool (V)")}, {"box", tr("Box tool (B)")}, {"brush", tr("Brush tool (I)")}};
  for (const auto& [name, words] : choices) {
    if (words.isEmpty()) {
      m_viewMenu->addSeparator();
      continue;
    }
    QAction* action = m_viewMenu->addAction(words);
    action->setCheckable(true);
    connect(action, &QAction::triggered, this, [this, key = QString::fromLatin1(name)] { command(key); });
    m_viewActions.insert(QString::fromLatin1(name), action);
  }
  connect(m_viewMenu->addAction(tr("Fit (F)")), &QAction::triggered, this, [this] { command(QStringLiteral("fit")); });
  QMenu* maps = m_viewMenu->addMenu(tr("Colour map"));
  connect(maps, &QMenu::aboutToShow, this, [this, maps] {
    maps->clear();
    for (int i = 0; i < m_map->count(); ++i) {
      QAction* action = maps->addAction(m_map->itemText(i));
      action->setCheckable(true);
      action->setChecked(i == m_map->currentIndex());
      action->setEnabled(m_map->isEnabled());
      connect(action, &QAction::triggered, this, [this, i] { m_map->setCurrentIndex(i); });
    }
  });
  m_viewMenu->addSeparator();
  auto* box = new QWidget;
  auto* form = new QFormLayout(box);
  form->setContentsMargins(10, 6, 10, 8);
  form->setSpacing(4);
  const auto field = [&](const QString& name, const QString& placeholder) {
    auto* line = new QLineEdit;
    line->setAccessibleName(name);
    line->setToolTip(tr("%1 of the colour scale").arg(name));
    line->setPlaceholderText(placeholder);
    line->setFixedWidth(96);
    auto* check = new QDoubleValidator(line);
    check->setLocale(QLocale::c());
    line->setValidator(check);
    form->addRow(name, line);
    connect(line, &QLineEdit::editingFinished, this, [this] {
      bool lowOk = false, highOk = false;
      const double low = m_low->text().toDouble(&lowOk), high = m_high->text().toDouble(&highOk);
      m_view.low = lowOk ? low : 0;
      m_view.high = highOk && high > m_view.low ? high : std::nan("");
      applyScene();
      applyFrames();
    });
    return line;
  };
  auto* opacity = new QSlider(Qt::Horizontal);
  opacity->setRange(0, 100);
  opacity->setValue(m_opacity->value());
  opacity->setFixedWidth(96);
  opacity->setAccessibleName(tr("Opacity"));
  opacity->setToolTip(tr("Opacity of the map (Shift+wheel over the picture)"));
  form->addRow(tr("Opacity"), opacity);
  connect(opacity, &QSlider::valueChanged, m_opacity, &QSlider::setValue);
  connect(m_opacity, &QSlider::valueChanged, opacity, &QSlider::setValue);
  m_low = field(tr("Range from"), QStringLiteral("0"));
  m_high = field(tr("to"), tr("largest value"));
  auto* automatic = new QPushButton(tr("Largest value"));
  automatic->setToolTip(tr("The range follows the map that is shown"));
  form->addRow(QString(), automatic);
  connect(automatic, &QPushButton::clicked, this, [this] {
    m_low->clear();
    m_high->clear();
    m_view.low = 0;
    m_view.high = std::nan("");
    applyScene();
    applyFrames();
  });
  auto* action = new QWidgetAction(m_viewMenu);
  action->setDefaultWidget(box);
  m_viewMenu->addAction(action);
}

}  // namespace cuescope
