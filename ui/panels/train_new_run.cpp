#include "ui/panels/train_new_run.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDirIterator>
#include <QFileInfo>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSignalBlocker>
#include <QSplitter>
#include <QStyle>
#include <QVBoxLayout>
#include <stdexcept>

#include "engine/core/engine_loader.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

QString presetTitle(const QString& file) {
  const QFileInfo info(file);
  const QString folder = info.dir().dirName();
  return folder == QLatin1String("presets") ? info.completeBaseName() : folder + QLatin1Char('/') + info.completeBaseName();
}

void setInvalid(QWidget* editor, bool invalid) {
  if (!editor || editor->property("invalid").toBool() == invalid) return;
  editor->setProperty("invalid", invalid);
  editor->style()->unpolish(editor);
  editor->style()->polish(editor);
}

}  // namespace

NewRunForm::NewRunForm(QWidget* parent) : QWidget(parent) {
  auto* page = new QVBoxLayout(this);
  page->setContentsMargins(0, 0, 0, 0);
  page->setSpacing(0);

  auto* bar = new QWidget(this);
  bar->setFixedHeight(38);
  auto* top = new QHBoxLayout(bar);
  top->setContentsMargins(8, 0, 8, 0);
  top->setSpacing(8);
  auto* title = new QLabel(tr("New run"), bar);
  title->setFont(uiFont(13, QFont::DemiBold));
  m_preset = new QComboBox(bar);
  m_preset->setMinimumWidth(200);
  m_preset->setAccessibleName(tr("Preset"));
  m_search = new QLineEdit(bar);
  m_search->setPlaceholderText(tr("Find a parameter"));
  m_search->setClearButtonEnabled(true);
  m_search->setFixedWidth(220);
  m_changedOnly = new QCheckBox(tr("Changed only"), bar);
  m_summary = new QLabel(bar);
  auto* cancel = new QPushButton(tr("Back"), bar);
  m_start = new QPushButton(tr("Start run"), bar);
  m_start->setProperty("primary", true);
  auto* presetLabel = new QLabel(tr("Preset"), bar);
  presetLabel->setProperty("tone", QStringLiteral("2"));
  top->addWidget(title);
  top->addSpacing(8);
  top->addWidget(presetLabel);
  top->addWidget(m_preset);
  top->addWidget(m_search);
  top->addWidget(m_changedOnly);
  top->addStretch(1);
  top->addWidget(m_summary);
  top->addWidget(cancel);
  top->addWidget(m_start);
  page->addWidget(bar);

  auto* split = new QSplitter(Qt::Horizontal, this);
  split->setHandleWidth(1);
  split->setChildrenCollapsible(false);
  auto* area = new QScrollArea(split);
  area->setWidgetResizable(true);
  area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* form = new QWidget;
  auto* column = new QVBoxLayout(form);
  column->setContentsMargins(8, 8, 12, 16);
  column->setSpacing(2);
  QString group;
  for (const ConfigField& field : configFields()) {
    const QString head = QString::fromStdString(field.key).section(QLatin1Char('.'), 0, 0);
    if (head != group) {
      group = head;
      auto* label = new QLabel(head.left(1).toUpper() + head.mid(1), form);
      label->setFont(uiFont(12, QFont::DemiBold));
      label->setContentsMargins(0, 10, 0, 2);
      column->addWidget(label);
      m_heads.emplace_back(label, head);
    }
    makeRow(field, column);
  }
  column->addStretch(1);
  area->setWidget(form);
  m_yaml = new QPlainTextEdit(split);
  m_yaml->setReadOnly(true);
  m_yaml->setFont(monoFont(11));
  m_yaml->setLineWrapMode(QPlainTextEdit::NoWrap);
  m_yaml->setAccessibleName(tr("Configuration as it will be written"));
  split->addWidget(area);
  split->addWidget(m_yaml);
  split->setStretchFactor(0, 3);
  split->setStretchFactor(1, 2);
  page->addWidget(split, 1);

  QDirIterator files(QString::fromStdString(resourceFolder()) + QStringLiteral("/presets"), {QStringLiteral("*.yaml")}, QDir::Files, QDirIterator::Subdirectories);
  while (files.hasNext()) m_presets << files.next();
  std::sort(m_presets.begin(), m_presets.end());
  for (const QString& file : std::as_const(m_presets)) m_preset->addItem(presetTitle(file));
  if (m_presets.isEmpty()) {
    m_preset->addItem(tr("no presets found"));
    m_preset->setEnabled(false);
    m_preset->setToolTip(tr("The resources hold no presets folder; the defaults are shown."));
  }
  connect(m_preset, &QComboBox::activated, this, [this](int index) { choosePreset(index); });
  connect(m_search, &QLineEdit::textChanged, this, [this] { filter(); });
  connect(m_changedOnly, &QCheckBox::toggled, this, [this] { filter(); });
  connect(cancel, &QPushButton::clicked, this, &NewRunForm::cancelled);
  connect(m_start, &QPushButton::clicked, this, [this] {
    refresh();
    if (m_start->isEnabled()) Q_EMIT startRequested(m_config);
  });
  // The demo's cue run is what a first visitor wants to see.
  int first = 0;
  for (int i = 0; i < m_presets.size(); ++i)
    if (m_presets[i].contains(QStringLiteral("opd")) && m_presets[i].contains(QStringLiteral("vicur"))) {
      first = i;
      break;
    }
  if (m_presets.isEmpty() || !choosePreset(first)) setConfig(m_config);
  m_preset->setCurrentIndex(first);
}

void NewRunForm::makeRow(const ConfigField& field, QVBoxLayout* column) {
  auto row = std::make_unique<Row>();
  row->field = &field;
  row->box = new QWidget(this);
  auto* grid = new QGridLayout(row->box);
  grid->setContentsMargins(0, 1, 0, 1);
  grid->setHorizontalSpacing(8);
  grid->setVerticalSpacing(0);
  auto* label = new QLabel(QString::fromStdString(field.label), row->box);
  label->setProperty("tone", QStringLiteral("2"));
  label->setFixedWidth(170);
  label->setWordWrap(true);
  const QString key = QString::fromStdString(field.key);
  const QString tip = tr("%1\n%2\nDefault %3. Source: %4.").arg(key, QString::fromStdString(field.sentence), QString::fromStdString(field.get(RunConfig())), QString::fromStdString(field.source));
  Row* raw = row.get();
  QWidget* editor = nullptr;
  if (field.type == "bool") {
    editor = row->check = new QCheckBox(row->box);
    connect(row->check, &QCheckBox::toggled, this, [this, raw](bool on) { edited(*raw, on ? QStringLiteral("true") : QStringLiteral("false")); });
  } else if (!field.choices.empty()) {
    editor = row->choice = new QComboBox(row->box);
    for (const std::string& choice : field.choices) row->choice->addItem(QString::fromStdString(choice));
    connect(row->choice, &QComboBox::activated, this, [this, raw] { edited(*raw, raw->choice->currentText()); });
  } else {
    editor = row->text = new QLineEdit(row->box);
    row->text->setFont(monoFont(11));
    connect(row->text, &QLineEdit::textEdited, this, [this, raw](const QString& text) { edited(*raw, text); });
  }
  editor->setAccessibleName(QString::fromStdString(field.label));
  editor->setToolTip(tip);
  label->setToolTip(tip);
  label->setBuddy(editor);
  const bool wide = field.type == "text" || field.type == "path" || field.type == "paths";
  if (!row->check) editor->setMinimumWidth(wide ? 260 : 120);
  if (!row->check && !wide) editor->setMaximumWidth(160);
  auto* unit = new QLabel(QString::fromStdString(field.unit), row->box);
  unit->setProperty("tone", QStringLiteral("3"));
  row->note = new QLabel(row->box);
  row->note->setProperty("tone", QStringLiteral("3"));
  row->note->setWordWrap(true);
  grid->addWidget(label, 0, 0);
  auto* cell = new QHBoxLayout;  // the unit stands beside its number
  cell->setSpacing(8);
  cell->addWidget(editor, wide ? 1 : 0);
  cell->addWidget(unit);
  if (!wide) cell->addStretch(1);
  grid->addLayout(cell, 0, 1, 1, 2);
  grid->addWidget(row->note, 1, 1, 1, 2);
  grid->setColumnStretch(1, 1);
  column->addWidget(row->box);
  m_rows.push_back(std::move(row));
}

bool NewRunForm::choosePreset(int index) {
  if (index < 0 || index >= m_presets.size()) return false;
  std::vector<ConfigIssue> issues;
  RunConfig config;
  try {
    config = readConfig(m_presets[index].toStdString(), &issues);
  } catch (const Error& error) {
    m_summary->setText(QString::fromStdString(error.failure().what));
    return false;
  }
  m_presetConfig = config;
  {
    const QSignalBlocker blocker(m_preset);
    m_preset->setCurrentIndex(index);
  }
  setConfig(config);
  if (!issues.empty()) m_summary->setText(QString::fromStdString(issues.front().key + ": " + issues.front().message));
  return issues.empty();
}

void NewRunForm::setConfig(const RunConfig& config) {
  m_config = config;
  for (const auto& row : m_rows) {
    const QString value = QString::fromStdString(row->field->get(config));
    row->typed.clear(), row->rule.clear();
    const QSignalBlocker text(row->text), choice(row->choice), check(row->check);
    if (row->check) row->check->setChecked(value == QLatin1String("true"));
    if (row->choice) row->choice->setCurrentText(value);
    if (row->text) row->text->setText(value), row->text->setCursorPosition(0);
  }
  refresh();
}

void NewRunForm::setStudent(const QString& folder) {
  RunConfig config = m_config;
  config.student.path = folder.toStdString();
  setConfig(config);
}

bool NewRunForm::setField(const QString& key, const QString& value) {
  for (const auto& row : m_rows)
    if (QString::fromStdString(row->field->key) == key) {
      {
        const QSignalBlocker text(row->text), choice(row->choice), check(row->check);
        if (row->check) row->check->setChecked(value == QLatin1String("true"));
        if (row->choice) row->choice->setCurrentText(value);
        if (row->text) row->text->setText(value);
      }
      edited(*row, value);
      return row->rule.isEmpty();
    }
  return false;
}

void NewRunForm::edited(Row& row, const QString& value) {
  row.typed = value;
  row.rule.clear();
  try {
    RunConfig next = m_config;
    row.field->set(next, value.toStdString());
    m_config = std::move(next);
  } catch (const std::invalid_argument& broken) {
    row.rule = QString::fromUtf8(broken.what());
  }
  refresh();
}

void NewRunForm::setRefusal(const QString& reason) {
  m_refusal = reason;
  refresh();
}

void NewRunForm::refresh() {
  m_issues = validate(m_config);
  for (const auto& row : m_rows)
    if (!row->rule.isEmpty()) m_issues.push_back({row->field->key, row->rule.toStdString()});
  for (const auto& row : m_rows) {
    QStringList words;
    for (const ConfigIssue& issue : m_issues)
      if (issue.key == row->field->key) words << QString::fromStdString(issue.message);
    QWidget* editor = row->text ? static_cast<QWidget*>(row->text) : row->choice;
    setInvalid(editor, !words.isEmpty());
    const bool complaint = !words.isEmpty();
    const QString tone = complaint ? QStringLiteral("danger") : QStringLiteral("3");
    if (row->note->property("tone").toString() != tone) {
      row->note->setProperty("tone", tone);
      row->note->style()->unpolish(row->note);
      row->note->style()->polish(row->note);
    }
    row->note->setText(complaint ? words.join(QLatin1Char(' ')) : QString::fromStdString(row->field->sentence));
  }
  const QString yaml = QString::fromStdString(writeConfig(m_config));
  if (yaml != m_yaml->toPlainText()) {
    const int at = m_yaml->verticalScrollBar()->value();
    m_yaml->setPlainText(yaml);
    m_yaml->verticalScrollBar()->setValue(at);
  }
  m_start->setEnabled(m_issues.empty() && m_refusal.isEmpty());
  const QString count = m_issues.empty() ? QString() : m_issues.size() == 1 ? tr("1 parameter needs a change") : tr("%1 parameters need a change").arg(m_issues.size());
  m_summary->setText(count.isEmpty() ? m_refusal : count);
  m_start->setToolTip(count.isEmpty() ? m_refusal : count + QLatin1Char('.'));
  if (m_changedOnly->isChecked()) filter();
}

void NewRunForm::filter() {
  const QString find = m_search->text();
  QStringList shown;
  for (const auto& row : m_rows) {
    const ConfigField& f = *row->field;
    const QString key = QString::fromStdString(f.key);
    const bool fits = find.isEmpty() || key.contains(find, Qt::CaseInsensitive) || QString::fromStdString(f.label).contains(find, Qt::CaseInsensitive) ||
                      QString::fromStdString(f.sentence).contains(find, Qt::CaseInsensitive);
    const bool changed = f.get(m_config) != f.get(m_presetConfig) || !row->rule.isEmpty();
    row->box->setVisible(fits && (!m_changedOnly->isChecked() || changed));
    if (!row->box->isHidden()) shown << key.section(QLatin1Char('.'), 0, 0);
  }
  for (const auto& [label, group] : m_heads) label->setVisible(shown.contains(group));
}

}  // namespace cuescope
