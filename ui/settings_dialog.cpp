#include "ui/settings_dialog.h"

#include <QAction>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeySequenceEdit>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/main_window.h"
#include "ui/preferences.h"
#include "ui/undo.h"
#include "widgets/segmented_button.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {
constexpr int kControlWidth = 210;  // the longest choice
}

SettingsDialog::SettingsDialog(MainWindow& window) : QDialog(&window), m_window(window) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(tr("Settings"));
  resize(640, 620);
  auto* column = new QVBoxLayout(this);
  auto* top = new QHBoxLayout;
  m_pages = new SegmentedButton({tr("General"), tr("Keys")});
  m_pages->setAccessibleName(tr("Page of the settings"));
  m_pages->setToolTip(tr("What the window does, or the keys of its actions"));
  m_filter = new QLineEdit;
  m_filter->setPlaceholderText(tr("Find a setting, an action or a key"));
  m_filter->setAccessibleName(m_filter->placeholderText());
  m_filter->setToolTip(tr("Shows what holds this text"));
  m_filter->setClearButtonEnabled(true);
  top->addWidget(m_pages);
  top->addWidget(m_filter, 1);
  column->addLayout(top);
  m_stack = new QStackedWidget;
  m_stack->addWidget(makePreferences());
  m_stack->addWidget(makeKeys());
  column->addWidget(m_stack, 1);

  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
  buttons->button(QDialogButtonBox::Close)->setToolTip(tr("Close; changes act already (Esc)"));
  auto* undo = buttons->addButton(tr("Undo"), QDialogButtonBox::ActionRole);
  undo->setToolTip(tr("Take back the last change (Ctrl+Z)"));
  undo->setShortcut(QKeySequence::Undo);
  undo->setEnabled(false);
  connect(&m_undo, &QUndoStack::canUndoChanged, undo, &QPushButton::setEnabled);
  connect(undo, &QPushButton::clicked, &m_undo, &QUndoStack::undo);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  column->addWidget(buttons);

  connect(m_pages, &SegmentedButton::currentChanged, m_stack, &QStackedWidget::setCurrentIndex);
  connect(m_filter, &QLineEdit::textChanged, this, &SettingsDialog::find);
  connect(&Preferences::instance(), &Preferences::changed, this, [this](const QString& key) {
    for (const Preference& each : preferences())
      if (each.key == key) showValue(each);
  });
  fill();
}

SettingsDialog* SettingsDialog::open(MainWindow& window, const QString& preference) {
  auto* dialog = window.findChild<SettingsDialog*>();
  if (!dialog || dialog->isHidden()) dialog = new SettingsDialog(window);  // a closed one is about to go
  dialog->show();
  dialog->raise();
  dialog->activateWindow();
  if (QWidget* control = dialog->control(preference)) {
    dialog->m_filter->clear();
    dialog->m_pages->setCurrent(0);
    dialog->m_stack->setCurrentIndex(0);
    dialog->m_area->ensureWidgetVisible(control);
    control->setFocus(Qt::ShortcutFocusReason);
  }
  return dialog;
}

// ---- preferences -------------------------------------------------------------------------------------------------------------

QWidget* SettingsDialog::makePreferences() {
  auto* page = new QWidget;
  m_form = new QFormLayout(page);
  m_form->setContentsMargins(8, 4, 8, 8);
  m_form->setVerticalSpacing(6);
  QString group;
  for (const Preference& each : preferences()) {
    if (each.group != group) {
      auto* head = new QLabel(group = each.group);
      head->setFont(uiFont(12, QFont::DemiBold));
      head->setContentsMargins(0, 8, 0, 0);
      m_form->addRow(head);
    }
    auto* row = new QWidget;
    auto* line = new QHBoxLayout(row);
    line->setContentsMargins(0, 0, 0, 0);
    QWidget* control = makeControl(each);
    line->addWidget(control);
    auto* when = new QLabel(each.nextStart ? tr("at the next start") : QString());
    when->setProperty("tone", "3");
    line->addWidget(when, 1);
    auto* label = new QLabel(each.title);
    label->setBuddy(control);
    label->setToolTip(each.help);
    m_form->addRow(label, row);
    m_controls.insert(each.key, control);
    m_rows.insert(each.key, row);
    showValue(each);
  }
  m_area = new QScrollArea;
  m_area->setWidgetResizable(true);
  m_area->setFrameShape(QFrame::NoFrame);
  m_area->setWidget(page);
  return m_area;
}

QWidget* SettingsDialog::makeControl(const Preference& preference) {
  QWidget* control = nullptr;
  if (preference.choices.empty()) {
    auto* field = new QSpinBox;
    field->setLocale(QLocale::c());
    field->setRange(preference.low, preference.high);
    if (!preference.unit.isEmpty()) field->setSuffix(u' ' + preference.unit);
    field->setSpecialValueText(preference.atLow);
    connect(field, &QSpinBox::valueChanged, this, [this, &preference](int value) { change(preference, value); });
    control = field;
  } else {
    auto* box = new QComboBox;
    for (const auto& [value, words] : preference.choices) box->addItem(words, value);
    connect(box, &QComboBox::currentIndexChanged, this, [this, &preference, box](int index) { change(preference, box->itemData(index)); });
    control = box;
  }
  control->setFixedWidth(kControlWidth);
  control->setFocusPolicy(Qt::StrongFocus);  // the wheel scrolls the page
  control->setAccessibleName(preference.title);
  control->setToolTip(preference.help);
  control->setWhatsThis(preference.help);
  return control;
}

void SettingsDialog::showValue(const Preference& preference) {
  QWidget* control = m_controls.value(preference.key);
  if (!control) return;
  const QSignalBlocker quiet(control);
  const QVariant value = Preferences::instance().value(preference.key.toLatin1().constData());
  if (auto* field = qobject_cast<QSpinBox*>(control)) field->setValue(value.toInt());
  if (auto* box = qobject_cast<QComboBox*>(control))
    for (int i = 0; i < box->count(); ++i)
      if (box->itemData(i).toString() == value.toString()) box->setCurrentIndex(i);
}

void SettingsDialog::change(const Preference& preference, const QVariant& value) {
  const QString key = preference.key;
  const QVariant before = Preferences::instance().value(key.toLatin1().constData());
  if (before.toString() == value.toString()) return;
  const auto set = [key](const QVariant& to) { Preferences::instance().set(key, to); };
  m_undo.push(new Edit(preference.title, [set, value] { set(value); }, [set, before] { set(before); }, preference.choices.empty() ? key : QString()));
}

void SettingsDialog::find() {
  const QString text = m_filter->text().trimmed();
  for (const Preference& each : preferences()) m_form->setRowVisible(m_rows.value(each.key), (each.group + u' ' + each.title + u' ' + each.help).contains(text, Qt::CaseInsensitive));
  fill();
}

// ---- keys --------------------------------------------------------------------------------------------------------------------

QWidget* SettingsDialog::makeKeys() {
  auto* page = new QWidget;
  auto* column = new QVBoxLayout(page);
  column->setContentsMargins(0, 0, 0, 0);
  m_table = new QTableWidget(0, 3);
  m_table->setHorizontalHeaderLabels({tr("Action"), tr("Where"), tr("Keys")});
  m_table->setAccessibleName(tr("Actions and their keys"));
  m_table->setToolTip(tr("Choose an action to give it other keys; keys mean one thing a page"));
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setDefaultSectionSize(22);
  m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->setShowGrid(false);
  m_table->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
  m_table->setColumnWidth(1, 130);
  m_table->setColumnWidth(2, 180);
  column->addWidget(m_table, 1);

  auto* row = new QHBoxLayout;
  m_name = new QLabel;
  m_keys = new QKeySequenceEdit;
  m_keys->setAccessibleName(tr("New keys"));
  m_keys->setToolTip(tr("Press the keys that the chosen action gets"));
  auto* set = new QPushButton(tr("Set keys"));
  set->setToolTip(tr("Give these keys to the chosen action"));
  auto* none = new QPushButton(tr("No keys"));
  none->setToolTip(tr("The chosen action keeps its menu entry and loses its keys"));
  auto* standard = new QPushButton(tr("Default"));
  standard->setToolTip(tr("The keys that the action came with"));
  row->addWidget(m_name, 1);
  row->addWidget(m_keys);
  for (QPushButton* button : {set, none, standard}) row->addWidget(button);
  column->addLayout(row);
  m_refusal = new QLabel;
  m_refusal->setWordWrap(true);
  m_refusal->setProperty("tone", "2");
  m_refusal->hide();
  column->addWidget(m_refusal);
  connect(m_table, &QTableWidget::itemSelectionChanged, this, &SettingsDialog::refresh);
  connect(set, &QPushButton::clicked, this, [this] { setKeys(m_keys->keySequence().toString()); });
  connect(none, &QPushButton::clicked, this, [this] { setKeys({}); });
  connect(standard, &QPushButton::clicked, this, [this] { setKeys(m_window.defaultKeys(chosen()).toString()); });
  return page;
}

void SettingsDialog::fill() {
  const QString before = chosen();
  const QSignalBlocker block(m_table);
  m_table->setRowCount(0);
  for (const QString& name : m_window.actionOrder()) {
    const QAction* action = m_window.action(name);
    const QString words = MainWindow::plainText(action), keys = MainWindow::keysText(action);
    if (!words.contains(m_filter->text(), Qt::CaseInsensitive) && !keys.contains(m_filter->text(), Qt::CaseInsensitive)) continue;
    const int row = m_table->rowCount();
    m_table->insertRow(row);
    auto* item = new QTableWidgetItem(words);
    item->setData(Qt::UserRole, name);
    item->setToolTip(action->statusTip());
    m_table->setItem(row, 0, item);
    m_table->setItem(row, 1, new QTableWidgetItem(MainWindow::placesText(m_window.placesOf(name))));
    auto* shown = new QTableWidgetItem(keys);
    shown->setFont(monoFont(11));
    m_table->setItem(row, 2, shown);
    if (name == before) m_table->selectRow(row);
  }
  if (m_table->currentRow() < 0 && m_table->rowCount() > 0) m_table->selectRow(0);
  refresh();
}

QString SettingsDialog::chosen() const {
  const QTableWidgetItem* item = m_table && m_table->currentRow() >= 0 ? m_table->item(m_table->currentRow(), 0) : nullptr;
  return item ? item->data(Qt::UserRole).toString() : QString();
}

void SettingsDialog::refresh() {
  const QAction* action = m_window.action(chosen());
  m_name->setText(action ? MainWindow::plainText(action) : tr("No action is chosen"));
  m_keys->setKeySequence(action ? action->shortcut() : QKeySequence());
  m_refusal->hide();
}

void SettingsDialog::setKeys(const QString& keys) {
  const QString name = chosen();
  const QAction* action = m_window.action(name);
  if (!action) return;
  const QString before = action->shortcut().toString();
  if (before == keys) return;
  const QString refusal = m_window.setKeys(name, QKeySequence(keys));
  if (refusal.isEmpty()) {
    const auto set = [this, name](const QString& to) {
      m_window.setKeys(name, QKeySequence(to));
      fill();
    };
    m_undo.push(new Edit(tr("Keys of «%1»").arg(MainWindow::plainText(action)), [set, keys] { set(keys); }, [set, before] { set(before); }));
  }
  m_refusal->setText(refusal);
  m_refusal->setVisible(!refusal.isEmpty());
}

}  // namespace cuescope
