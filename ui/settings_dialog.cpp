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
#include <QSettings>
#include <QSignalBlocker>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/main_window.h"
#include "ui/undo.h"
#include "widgets/theme.h"

namespace cuescope {

SettingsDialog::SettingsDialog(MainWindow& window) : QDialog(&window), m_window(window) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(tr("Settings"));
  resize(640, 620);
  auto* column = new QVBoxLayout(this);
  auto* form = new QFormLayout;
  m_theme = new QComboBox;
  m_theme->addItems({tr("Dark"), tr("Light"), tr("System")});
  m_theme->setCurrentIndex(int(Theme::instance().setting()));
  m_theme->setAccessibleName(tr("Theme"));
  m_theme->setToolTip(tr("Dark, light, or what the desktop uses"));
  form->addRow(tr("Theme"), m_theme);
  column->addLayout(form);
  connect(m_theme, &QComboBox::currentIndexChanged, this, [this](int index) {
    const auto set = [this](int theme) {
      const QSignalBlocker block(m_theme);
      m_theme->setCurrentIndex(theme);
      Theme::instance().setSetting(ThemeSetting(theme));
      QSettings().setValue(QStringLiteral("theme"), QStringList{QStringLiteral("dark"), QStringLiteral("light"), QStringLiteral("system")}[theme]);
    };
    m_undo.push(new Edit(tr("Theme"), [set, index] { set(index); }, [set, before = int(Theme::instance().setting())] { set(before); }));
  });

  m_filter = new QLineEdit;
  m_filter->setPlaceholderText(tr("Find an action or a key"));
  m_filter->setAccessibleName(tr("Find an action or a key"));
  m_filter->setToolTip(tr("Shows the actions whose words or keys hold this text"));
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
  column->addWidget(m_filter);
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

  connect(m_filter, &QLineEdit::textChanged, this, &SettingsDialog::fill);
  connect(m_table, &QTableWidget::itemSelectionChanged, this, &SettingsDialog::refresh);
  connect(set, &QPushButton::clicked, this, [this] { setKeys(chosen(), m_keys->keySequence().toString()); });
  connect(none, &QPushButton::clicked, this, [this] { setKeys(chosen(), {}); });
  connect(standard, &QPushButton::clicked, this, [this] { setKeys(chosen(), m_window.defaultKeys(chosen()).toString()); });
  fill();
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

QString SettingsDialog::setKeys(const QString& name, const QString& keys) {
  const QAction* action = m_window.action(name);
  if (!action) return {};
  const QString before = action->shortcut().toString();
  if (before == keys) return {};
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
  return refusal;
}

}  // namespace cuescope
