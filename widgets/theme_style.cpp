// The palette and the style sheet that are made from the colours.
#include <QHash>

#include "widgets/theme.h"

namespace cuescope {

QPalette paletteOf(const Colors& c) {
  QPalette p;
  p.setColor(QPalette::Window, c.panel);
  p.setColor(QPalette::WindowText, c.text);
  p.setColor(QPalette::Base, c.well);
  p.setColor(QPalette::AlternateBase, c.panel);
  p.setColor(QPalette::Text, c.text);
  p.setColor(QPalette::PlaceholderText, c.text3);
  p.setColor(QPalette::Button, c.raised);
  p.setColor(QPalette::ButtonText, c.text);
  p.setColor(QPalette::BrightText, c.danger);
  p.setColor(QPalette::Light, c.hover);
  p.setColor(QPalette::Midlight, c.raised);
  p.setColor(QPalette::Mid, c.lineStrong);
  p.setColor(QPalette::Dark, c.line);
  p.setColor(QPalette::Shadow, c.gap);
  p.setColor(QPalette::Highlight, c.selection);
  p.setColor(QPalette::HighlightedText, c.text);
  p.setColor(QPalette::Link, c.accent);
  p.setColor(QPalette::LinkVisited, c.accent);
  p.setColor(QPalette::ToolTipBase, c.raised);
  p.setColor(QPalette::ToolTipText, c.text);
  for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) p.setColor(QPalette::Disabled, role, c.text3);
  p.setColor(QPalette::Disabled, QPalette::Highlight, c.hover);
  p.setColor(QPalette::Disabled, QPalette::HighlightedText, c.text3);
  return p;
}

QString styleSheetOf(const Colors& c) {
  // clang-format off
  QString qss = QStringLiteral(R"(
* { outline: 0; }
QWidget { color: @text; }
QMainWindow, QDialog { background: @panel; }
QMainWindow::separator { background: @gap; width: 1px; height: 1px; }
QSplitter::handle { background: @gap; }
QToolTip { background: @raised; color: @text; border: 1px solid @lineStrong; padding: 4px 6px; }

QMenuBar { background: @window; color: @text2; border: 0; padding: 0 6px; }
QMenuBar::item { padding: 5px 8px; background: transparent; }
QMenuBar::item:selected { background: @hover; color: @text; }
QMenu { background: @raised; color: @text; border: 1px solid @lineStrong; padding: 4px 0; }
QMenu::item { padding: 4px 28px 4px 28px; min-height: 16px; }
QMenu::item:selected { background: @hover; }
QMenu::item:disabled { color: @text3; }
QMenu::separator { height: 1px; background: @lineStrong; margin: 4px 0; }
QMenu::indicator { width: 14px; height: 14px; left: 8px; }
QMenu::icon { left: 8px; }

QStatusBar { background: @window; color: @text2; min-height: 24px; }
QStatusBar::item { border: 0; }
QToolBar { background: @panel; border: 0; spacing: 4px; padding: 0 8px; }

QPushButton { background: @raised; color: @text; border: 1px solid @lineStrong; border-radius: 2px; padding: 2px 9px; min-height: 16px; }
QPushButton:hover { background: @hover; }
QPushButton:pressed, QPushButton:open { background: @well; }
QPushButton:checked { background: @selection; color: @accent; }
QPushButton:disabled { background: @panel; color: @text3; border-color: @line; }
QPushButton[primary="true"] { background: @accentFill; color: @onAccentFill; border-color: @accentFill; font-weight: 600; }
QPushButton[primary="true"]:hover { background: @accent; }
QPushButton[primary="true"]:disabled { background: @panel; color: @text3; border-color: @line; }
QPushButton::menu-indicator { image: url(:/cuescope/chevron-down-@theme.svg); width: 14px; subcontrol-position: right center; right: 3px; }

QToolButton { background: transparent; color: @text2; border: 1px solid transparent; border-radius: 2px; padding: 2px; }
QToolButton:hover { background: @hover; color: @text; }
QToolButton:pressed { background: @well; }
QToolButton:checked { background: @selection; color: @accent; }
QToolButton:disabled { color: @text3; background: transparent; }
QToolButton[framed="true"] { background: @raised; border-color: @lineStrong; color: @text; padding: 2px 8px; }
QToolButton[framed="true"]:hover { background: @hover; }
QToolButton[framed="true"]:disabled { background: @panel; border-color: @line; color: @text3; }
QToolButton::menu-indicator { image: none; }
QToolButton[popupMode="1"] { padding-right: 18px; }
QToolButton::menu-button { border: 0; width: 16px; }
QToolButton::menu-arrow { image: url(:/cuescope/chevron-down-@theme.svg); }

QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox {
  background: @well; color: @text; border: 1px solid @lineStrong; border-radius: 2px; padding: 2px 6px;
  selection-background-color: @selection; selection-color: @text; }
QLineEdit, QAbstractSpinBox { min-height: 16px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QAbstractSpinBox:focus { border-color: @accent; }
QLineEdit:disabled, QPlainTextEdit:disabled, QAbstractSpinBox:disabled { background: @panel; color: @text3; border-color: @line; }
QLineEdit[invalid="true"], QAbstractSpinBox[invalid="true"], QComboBox[invalid="true"], QPlainTextEdit[invalid="true"] { border-color: @danger; }
QLineEdit[bare="true"] { border: 0; background: transparent; padding: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { background: transparent; border: 0; width: 16px; }
QAbstractSpinBox::up-arrow { image: url(:/cuescope/chevron-up-@theme.svg); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url(:/cuescope/chevron-down-@theme.svg); width: 10px; height: 10px; }

QComboBox { background: @raised; color: @text; border: 1px solid @lineStrong; border-radius: 2px; padding: 2px 4px 2px 8px; min-height: 16px; }
QComboBox:hover { background: @hover; }
QComboBox:editable { background: @well; }
QComboBox:disabled { background: @panel; color: @text3; border-color: @line; }
QComboBox::drop-down { border: 0; width: 18px; }
QComboBox::down-arrow { image: url(:/cuescope/chevron-down-@theme.svg); width: 14px; height: 14px; }
QComboBox QAbstractItemView { background: @raised; border: 1px solid @lineStrong; selection-background-color: @hover; selection-color: @text; padding: 2px 0; }

QCheckBox, QRadioButton { color: @text; spacing: 6px; background: transparent; }
QCheckBox:disabled, QRadioButton:disabled { color: @text3; }
QCheckBox::indicator, QTreeView::indicator, QTableView::indicator, QListView::indicator { width: 11px; height: 11px; border: 1px solid @control; border-radius: 2px; background: @well; }
QCheckBox::indicator:hover { background: @hover; }
QCheckBox::indicator:checked, QTreeView::indicator:checked, QTableView::indicator:checked, QListView::indicator:checked {
  background: @accentFill; border-color: @accentFill; image: url(:/cuescope/check-@theme.svg); }
QCheckBox::indicator:disabled { border-color: @line; background: @panel; }
QRadioButton::indicator { width: 11px; height: 11px; border: 1px solid @control; border-radius: 6px; background: @well; }
QRadioButton::indicator:checked { background: @accentFill; border: 3px solid @well; }

QSlider::groove:horizontal { height: 2px; background: @lineStrong; }
QSlider::sub-page:horizontal { background: @accent; }
QSlider::handle:horizontal { width: 6px; height: 12px; margin: -5px 0; background: @ink; border: 0; border-radius: 1px; }
QSlider::sub-page:horizontal:disabled, QSlider::handle:horizontal:disabled { background: @control; }

QAbstractScrollArea { background: @panel; border: 0; }
QTreeView, QTableView, QListView { background: @panel; alternate-background-color: @panel; border: 0; gridline-color: @line;
  selection-background-color: @selection; selection-color: @text; show-decoration-selected: 1; }
QTreeView::item, QListView::item { min-height: 22px; border: 0; padding: 0 4px; }
QTableView::item { border: 0; border-bottom: 1px solid @line; padding: 0 6px; }
QTreeView::item:hover, QTableView::item:hover, QListView::item:hover { background: @hover; }
QTreeView::item:selected, QTableView::item:selected, QListView::item:selected { background: @selection; color: @text; }
QTreeView::branch { background: transparent; }
QTreeView::branch:selected { background: @selection; }
QTreeView::branch:has-children:closed { image: url(:/cuescope/chevron-right-@theme.svg); }
QTreeView::branch:has-children:open { image: url(:/cuescope/chevron-down-@theme.svg); }
QHeaderView { background: @window; border: 0; }
QHeaderView::section { background: @window; color: @text2; border: 0; border-bottom: 1px solid @line; padding: 3px 6px; font-size: 11px; }
QHeaderView::section:vertical { padding: 0 4px; }
QHeaderView::section:hover { color: @text; }
QHeaderView::up-arrow { image: url(:/cuescope/chevron-up-@theme.svg); width: 10px; height: 10px; }
QHeaderView::down-arrow { image: url(:/cuescope/chevron-down-@theme.svg); width: 10px; height: 10px; }
QTableCornerButton::section { background: @window; border: 0; }

QScrollBar:vertical { background: transparent; width: 9px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 9px; margin: 0; }
QScrollBar::handle:vertical { background: @lineStrong; min-height: 24px; margin: 0 2px; border-radius: 2px; }
QScrollBar::handle:horizontal { background: @lineStrong; min-width: 24px; margin: 2px 0; border-radius: 2px; }
QScrollBar::handle:hover { background: @control; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: @panel; border: 0; }

QTabWidget::pane { border: 0; background: @panel; }
QTabBar { background: @window; qproperty-drawBase: 0; }
QTabBar::tab { background: @window; color: @text2; border: 0; border-top: 2px solid transparent; padding: 3px 12px 4px 12px; min-height: 15px; }
QTabBar::tab:selected { background: @panel; color: @text; border-top-color: @accent; }
QTabBar::tab:hover:!selected { color: @text; background: @hover; }
QTabBar::close-button { image: url(:/cuescope/close-@theme.svg); }
QDockWidget { color: @text; titlebar-close-icon: url(:/cuescope/close-@theme.svg); }
QDockWidget::title { background: @window; padding: 4px 8px; border-bottom: 1px solid @line; }

QGroupBox { border: 1px solid @line; margin-top: 8px; padding-top: 8px; }
QGroupBox::title { subcontrol-origin: margin; left: 8px; color: @text2; }
QProgressBar { background: @lineStrong; border: 0; max-height: 4px; min-height: 4px; }
QProgressBar::chunk { background: @text2; }
QFrame[rule="true"] { background: @line; border: 0; max-height: 1px; min-height: 1px; }
QFrame[ground="window"], QWidget[ground="window"] { background: @window; }
QFrame[ground="panel"], QWidget[ground="panel"] { background: @panel; }
QFrame[ground="well"], QWidget[ground="well"] { background: @well; }
QLabel { background: transparent; }
QLabel:disabled { color: @text3; }
QLabel[tone="2"] { color: @text2; }
QLabel[tone="3"] { color: @text3; font-size: 11px; }
QLabel[tone="danger"] { color: @danger; }
)");
  // clang-format on
  const QHash<QString, QColor> tokens{
      {"window", c.window}, {"panel", c.panel}, {"well", c.well}, {"raised", c.raised}, {"hover", c.hover},
      {"selection", c.selection}, {"line", c.line}, {"lineStrong", c.lineStrong}, {"gap", c.gap}, {"control", c.control},
      {"text", c.text}, {"text2", c.text2}, {"text3", c.text3}, {"accent", c.accent}, {"accentFill", c.accentFill},
      {"onAccentFill", c.onAccentFill}, {"caution", c.caution}, {"danger", c.danger}, {"ink", c.ink}};
  QString out;
  out.reserve(qss.size() + 1024);
  for (qsizetype i = 0; i < qss.size(); ++i) {
    if (qss[i] != QLatin1Char('@')) {
      out += qss[i];
      continue;
    }
    qsizetype end = i + 1;
    while (end < qss.size() && qss[end].isLetterOrNumber()) ++end;
    const QString name = qss.mid(i + 1, end - i - 1);
    out += name == QLatin1String("theme") ? QString::fromLatin1(c.dark ? "dark" : "light") : tokens.value(name).name();
    i = end - 1;
  }
  return out;
}

}  // namespace cuescope
