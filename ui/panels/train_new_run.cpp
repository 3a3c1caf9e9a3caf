#include "ui/panels/train_new_run.h"

#include <QApplication>
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
#include <QFile>
#include <QHeaderView>
#include <QJsonDocument>
#include <QJsonObject>
#include <QStackedWidget>
#include <QTableWidget>
#include <QTimer>
#include <QToolButton>
#include <stdexcept>

#include "engine/core/engine_loader.h"
#include "engine/core/run_directory.h"
#include "ui/acts_as.h"
#include "ui/undo.h"
#include "widgets/elided_label.h"
#include "widgets/icons.h"
#include "widgets/segmented_button.h"
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
  // Below it what the run will need and where it goes: one row would be wider than a small window.
  auto* second = new QWidget(this);
  second->setFixedHeight(30);
  auto* below = new QHBoxLayout(second);
  below->setContentsMargins(8, 0, 8, 8);
  below->setSpacing(8);
  auto* title = new QLabel(tr("New run"), bar);
  title->setFont(uiFont(13, QFont::DemiBold));
  m_preset = new QComboBox(bar);
  m_preset->setToolTip(tr("Fills the form with a known set of values"));
  m_preset->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  m_preset->setMinimumContentsLength(24);
  m_preset->setAccessibleName(tr("Preset"));
  m_search = new QLineEdit(bar);
  m_search->setAccessibleName(tr("Search the parameters"));
  m_search->setToolTip(tr("Shows only the parameters that contain these words"));
  m_search->setPlaceholderText(tr("Find a parameter"));
  m_search->setClearButtonEnabled(true);
  m_search->setMinimumWidth(120);
  m_search->setMaximumWidth(280);
  m_changedOnly = new QCheckBox(tr("Changed only"), bar);
  actsAs(m_preset, "form.preset");
  actsAs(m_search, "form.find");
  actsAs(m_changedOnly, "form.changed");
  m_changedOnly->setToolTip(tr("Shows only the parameters that differ from the default"));
  m_summary = new ElidedLabel({}, bar);
  m_summary->setAlignment(Qt::AlignRight);
  auto* cancel = new QPushButton(tr("Back"), bar);
  actsAs(cancel, "form.back");
  cancel->setToolTip(tr("Back to the run; nothing is started"));
  m_start = new QPushButton(tr("Start run"), second);
  actsAs(m_start, "form.start");
  m_start->setToolTip(tr("Starts a training run with these parameters"));
  m_start->setProperty("primary", true);
  m_enqueue = new QPushButton(tr("Add to queue"), second);
  actsAs(m_enqueue, "form.queue");
  m_place = new SegmentedButton({tr("this window"), tr("own process")}, second);
  actsAs(m_place, "form.place");
  m_place->setAccessibleName(tr("Where the run trains"));
  m_place->setToolTip(tr("A process of its own goes on when this window is closed, and is found again at the next start. In this window the student can be inspected while it learns."));
  m_place->setWhatsThis(m_place->toolTip());
  auto* presetLabel = new QLabel(tr("Preset"), bar);
  presetLabel->setProperty("tone", QStringLiteral("2"));
  top->addWidget(title);
  top->addSpacing(8);
  top->addWidget(presetLabel);
  top->addWidget(m_preset);
  top->addWidget(m_search, 2);
  top->addWidget(m_changedOnly);
  top->addWidget(m_summary, 3);
  top->addWidget(cancel);
  page->addWidget(bar);
  m_planLine = new ElidedLabel(tr("Memory and time are being worked out; they stand here once all parameters are in order."), this);
  m_planLine->setPixelSize(11);
  m_planLine->setTone(ElidedLabel::Tone::Text2);
  m_planLine->setAccessibleName(tr("What the run will need"));
  below->addWidget(m_planLine, 1);
  below->addWidget(m_place);
  below->addWidget(m_enqueue);
  below->addWidget(m_start);
  QWidget::setTabOrder(cancel, m_place);
  QWidget::setTabOrder(m_place, m_enqueue);
  QWidget::setTabOrder(m_enqueue, m_start);
  page->addWidget(second);

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
  auto* side = new QWidget(split);
  auto* sideColumn = new QVBoxLayout(side);
  sideColumn->setContentsMargins(0, 0, 0, 0);
  sideColumn->setSpacing(0);
  auto* sideBar = new QHBoxLayout;
  sideBar->setContentsMargins(8, 4, 8, 4);
  sideBar->setSpacing(8);
  m_side = new SegmentedButton({tr("YAML"), tr("Diff")}, side);
  actsAs(m_side, "form.side");
  m_side->setAccessibleName(tr("YAML or difference"));
  m_against = new QComboBox(side);
  actsAs(m_against, "form.against");
  m_against->setAccessibleName(tr("Compare with"));
  m_against->setToolTip(tr("The preset, the defaults, or a run of the navigator"));
  m_against->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  m_against->setMinimumContentsLength(14);
  m_diffCount = new QLabel(side);
  m_diffCount->setProperty("tone", QStringLiteral("3"));
  sideBar->addWidget(m_side);
  sideBar->addWidget(m_against, 1);
  sideBar->addWidget(m_diffCount);
  sideColumn->addLayout(sideBar);
  m_sideStack = new QStackedWidget(side);
  sideColumn->addWidget(m_sideStack, 1);
  m_diff = new QTableWidget(0, 3, side);
  m_diff->setWhatsThis(tr("The parameters whose values differ from what is compared."));
  m_diff->setHorizontalHeaderLabels({tr("Parameter"), tr("other"), tr("new run")});
  m_diff->verticalHeader()->hide();
  m_diff->verticalHeader()->setDefaultSectionSize(22);
  m_diff->setShowGrid(false);
  m_diff->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_diff->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_diff->setTabKeyNavigation(false);
  m_diff->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
  m_diff->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_diff->setAccessibleName(tr("Parameters that differ"));
  m_yaml = new QPlainTextEdit(side);
  m_yaml->setWhatsThis(tr("The configuration as it will be written beside the run."));
  m_yaml->setReadOnly(true);
  m_yaml->setFont(monoFont(11));
  m_yaml->setLineWrapMode(QPlainTextEdit::NoWrap);
  m_yaml->setAccessibleName(tr("Configuration as it will be written"));
  m_sideStack->addWidget(m_yaml);
  m_sideStack->addWidget(m_diff);
  split->addWidget(area);
  split->addWidget(side);
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
  connect(m_preset, &QComboBox::activated, this, [this](int index) {  // one edit, whatever it replaces
    pushEdit(this, tr("Preset %1").arg(m_preset->itemText(index)), [this, index] { choosePreset(index); }, [this, before = whole()] { setWhole(before); });
  });
  connect(m_search, &QLineEdit::textChanged, this, [this] { filter(); });
  connect(m_changedOnly, &QCheckBox::toggled, this, [this] { filter(); });
  connect(cancel, &QPushButton::clicked, this, &NewRunForm::cancelled);
  connect(m_start, &QPushButton::clicked, this, [this] {
    refresh();
    if (m_start->isEnabled()) Q_EMIT startRequested(m_config, place());
  });
  connect(m_enqueue, &QPushButton::clicked, this, [this] {
    refresh();
    if (m_enqueue->isEnabled()) Q_EMIT queueRequested(m_config, place());
  });
  connect(m_place, &SegmentedButton::currentChanged, this, [this] {
    refresh();
    m_saveTimer->start();
  });
  connect(m_side, &SegmentedButton::currentChanged, this, [this](int index) {
    m_sideStack->setCurrentIndex(index);
    fillDiff();
  });
  connect(m_against, &QComboBox::activated, this, [this] {
    m_side->setCurrent(1);
    m_sideStack->setCurrentIndex(1);
    fillDiff();
  });
  m_planTimer = new QTimer(this);
  m_planTimer->setSingleShot(true);
  m_planTimer->setInterval(500);
  connect(m_planTimer, &QTimer::timeout, this, [this] {
    if (m_issues.empty()) Q_EMIT planWanted(m_config);
  });
  m_saveTimer = new QTimer(this);
  m_saveTimer->setSingleShot(true);
  m_saveTimer->setInterval(300);
  connect(m_saveTimer, &QTimer::timeout, this, &NewRunForm::save);
  setRuns({});
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
  row->label = label;
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
  editor->setWhatsThis(tip);
  label->setWhatsThis(tip);
  label->setBuddy(editor);
  row->reset = new QToolButton(row->box);
  actsAs(row->reset, "form.default");
  row->reset->setIcon(icon(Icon::Undo));
  row->reset->setAutoRaise(true);
  row->reset->setFixedSize(22, 22);
  const QString byDefault = QString::fromStdString(field.get(RunConfig()));
  row->reset->setToolTip(tr("Back to the default: %1").arg(byDefault.isEmpty() ? tr("empty") : byDefault));
  row->reset->setAccessibleName(tr("%1: back to the default").arg(QString::fromStdString(field.label)));
  QSizePolicy keep = row->reset->sizePolicy();
  keep.setRetainSizeWhenHidden(true);
  row->reset->setSizePolicy(keep);
  connect(row->reset, &QToolButton::clicked, this, [this, raw, byDefault] { edited(*raw, byDefault); });
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
  cell->addWidget(row->reset);
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
  m_presetShown = index;
  {
    const QSignalBlocker blocker(m_preset);
    m_preset->setCurrentIndex(index);
  }
  setConfig(config);
  if (!issues.empty()) m_summary->setText(QString::fromStdString(issues.front().key + ": " + issues.front().message));
  return issues.empty();
}

NewRunForm::Whole NewRunForm::whole() const {
  Whole all{m_config, m_presetConfig, m_presetShown, {}};
  for (const auto& row : m_rows) all.broken.emplace_back(row->typed, row->rule);
  return all;
}

void NewRunForm::setWhole(const Whole& whole) {
  m_presetConfig = whole.preset;
  m_presetShown = whole.shown;
  {
    const QSignalBlocker blocker(m_preset);
    m_preset->setCurrentIndex(whole.shown);
  }
  setConfig(whole.config);
  for (std::size_t i = 0; i < m_rows.size() && i < whole.broken.size(); ++i)
    if (!whole.broken[i].second.isEmpty()) take(*m_rows[i], whole.broken[i].first);
}

void NewRunForm::resetFocused() {
  const QWidget* focus = QApplication::focusWidget();
  for (const auto& row : m_rows)
    if (focus && row->box->isAncestorOf(focus)) return row->reset->click();
}

void NewRunForm::setConfig(const RunConfig& config) {
  m_config = config;
  for (const auto& row : m_rows) {
    row->typed.clear(), row->rule.clear();
    showValue(*row, QString::fromStdString(row->field->get(config)));
    if (row->text) row->text->setCursorPosition(0);
  }
  refresh();
  if (m_saveTimer) m_saveTimer->start();
}

void NewRunForm::setStudent(const QString& folder) {
  RunConfig config = m_config;
  config.student.path = folder.toStdString();
  setConfig(config);
}

bool NewRunForm::setField(const QString& key, const QString& value) {
  for (const auto& row : m_rows)
    if (QString::fromStdString(row->field->key) == key) {
      edited(*row, value);
      return row->rule.isEmpty();
    }
  return false;
}

QString NewRunForm::shown(const Row& row) const {
  return row.rule.isEmpty() ? QString::fromStdString(row.field->get(m_config)) : row.typed;
}

void NewRunForm::showValue(Row& row, const QString& value) {
  const QSignalBlocker text(row.text), choice(row.choice), check(row.check);
  if (row.check) row.check->setChecked(value == QLatin1String("true"));
  if (row.choice) row.choice->setCurrentText(value);
  if (row.text && row.text->text() != value) row.text->setText(value);
}

// One edit of the page's undo; typing in one field is one edit.
void NewRunForm::edited(Row& row, const QString& value) {
  const QString before = shown(row);
  Row* raw = &row;
  pushEdit(this, QString::fromStdString(row.field->label), [this, raw, value] { take(*raw, value); }, [this, raw, before] { take(*raw, before); }, QString::fromStdString(row.field->key));
}

void NewRunForm::take(Row& row, const QString& value) {
  showValue(row, value);
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
  m_saveTimer->start();
}

RunPlace NewRunForm::place() const { return m_place->current() == 0 ? RunPlace::Window : RunPlace::Process; }
void NewRunForm::setPlace(RunPlace place) {
  m_place->setCurrent(place == RunPlace::Window ? 0 : 1);
  refresh();
}

void NewRunForm::keepIn(const QString& file) {
  m_file = file;
  QFile in(file);
  if (!in.open(QIODevice::ReadOnly)) return;
  const QJsonObject whole = QJsonDocument::fromJson(in.readAll()).object();
  const QString yaml = whole.value(QLatin1String("yaml")).toString();
  if (yaml.isEmpty()) return;  // damaged: the preset stays
  std::vector<ConfigIssue> issues;
  const int preset = int(m_presets.indexOf(whole.value(QLatin1String("preset")).toString()));
  if (preset >= 0) choosePreset(preset);
  setConfig(parseConfig(yaml.toStdString(), {}, &issues));
  const QJsonObject broken = whole.value(QLatin1String("broken")).toObject();
  for (const auto& row : m_rows)
    if (const QString key = QString::fromStdString(row->field->key); broken.contains(key)) take(*row, broken.value(key).toString());
  setPlace(whole.value(QLatin1String("window")).toBool() ? RunPlace::Window : RunPlace::Process);
}

void NewRunForm::save() const {
  if (m_file.isEmpty()) return;
  QJsonObject broken;
  for (const auto& row : m_rows)
    if (!row->rule.isEmpty()) broken.insert(QString::fromStdString(row->field->key), row->typed);
  const QJsonObject whole{{QStringLiteral("yaml"), QString::fromStdString(writeConfig(m_config))}, {QStringLiteral("broken"), broken}, {QStringLiteral("window"), place() == RunPlace::Window},
                          {QStringLiteral("preset"), m_presets.value(m_preset->currentIndex())}};
  try {
    writeFileDurably(m_file.toStdString(), QJsonDocument(whole).toJson().toStdString());
  } catch (const Error& error) {
    m_summary->setText(tr("What is typed here cannot be kept: %1").arg(QString::fromStdString(error.failure().why)));
  }
}

void NewRunForm::setRuns(const std::vector<std::pair<QString, QString>>& runs) {
  m_runs = runs;
  const QString before = m_against->currentText();
  m_against->clear();
  m_against->addItem(tr("preset"));
  m_against->addItem(tr("defaults"));
  for (const auto& [name, yaml] : m_runs) m_against->addItem(name);
  if (const int at = m_against->findText(before); at >= 0) m_against->setCurrentIndex(at);
  fillDiff();
}

void NewRunForm::fillDiff() {
  if (!m_diff) return;
  RunConfig other;
  const int at = m_against->currentIndex();
  if (at == 0) other = m_presetConfig;
  if (at >= 2 && std::size_t(at - 2) < m_runs.size()) {
    std::vector<ConfigIssue> issues;
    other = parseConfig(m_runs[std::size_t(at - 2)].second.toStdString(), {}, &issues);
  }
  m_diff->setRowCount(0);
  for (const ConfigField& field : configFields()) {
    const QString own = QString::fromStdString(field.get(m_config)), theirs = QString::fromStdString(field.get(other));
    if (own == theirs) continue;
    const int row = m_diff->rowCount();
    m_diff->insertRow(row);
    const QString texts[] = {QString::fromStdString(field.key), theirs, own};
    for (int c = 0; c < 3; ++c) {
      auto* item = new QTableWidgetItem(texts[c]);
      item->setFont(monoFont(11));
      item->setToolTip(c ? texts[c] : QString::fromStdString(field.label + ". " + field.sentence));
      if (c) item->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
      m_diff->setItem(row, c, item);
    }
  }
  m_diffCount->setText(tr("%1 of %2 differ").arg(m_diff->rowCount()).arg(configFields().size()));
}

void NewRunForm::setPlan(const RunPlan& plan) {
  const QString memory = plan.availableBytes > 0 ? tr("about %1 of %2").arg(QString::fromStdString(bytesText(plan.peakBytes)), QString::fromStdString(bytesText(plan.availableBytes + plan.baselineBytes)))
                                                 : tr("about %1").arg(QString::fromStdString(bytesText(plan.peakBytes)));
  QString text = tr("Memory %1, most in %2. Time about %3 a step, %4 in all.")
                     .arg(memory, QString::fromStdString(plan.peakPhase), QString::fromStdString(secondsText(plan.secondsPerStep)), QString::fromStdString(secondsText(plan.secondsInAll)));
  if (!plan.fits()) text.prepend(tr("This does not fit the memory that is free now. "));
  m_planLine->setText(text);
  m_planLine->setTone(plan.fits() ? ElidedLabel::Tone::Text2 : ElidedLabel::Tone::Text);
  m_planLine->setToolTip(QStringLiteral("%1<pre>%2</pre>").arg(text.toHtmlEscaped(), QString::fromStdString(planTable(plan)).toHtmlEscaped()));
}

void NewRunForm::setPlanFailure(const QString& why) {
  m_planLine->setText(tr("Memory and time: not computed. %1").arg(why));
  m_planLine->setTone(ElidedLabel::Tone::Text2);
  m_planLine->setToolTip(why);
}

QString NewRunForm::planText() const { return m_planLine->text(); }

void NewRunForm::setRefusal(const QString& reason) {
  m_refusal = reason;
  refresh();
}

void NewRunForm::refresh() {
  m_issues = validate(m_config);
  const RunConfig defaults;
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
    row->note->setText(complaint ? words.join(QLatin1Char(' ')) : tr("%1 Source: %2.").arg(QString::fromStdString(row->field->sentence), QString::fromStdString(row->field->source)));
    const bool changed = !row->rule.isEmpty() || row->field->get(m_config) != row->field->get(defaults);
    row->reset->setVisible(changed);
    const QFont weight = uiFont(12, changed ? QFont::DemiBold : QFont::Normal);
    if (row->label->font() != weight) row->label->setFont(weight);
  }
  const QString yaml = QString::fromStdString(writeConfig(m_config));
  if (yaml != m_yaml->toPlainText()) {
    const int at = m_yaml->verticalScrollBar()->value();
    m_yaml->setPlainText(yaml);
    m_yaml->verticalScrollBar()->setValue(at);
    if (m_sideStack->currentIndex() == 1) fillDiff();
  }
  if (m_planTimer && m_issues.empty() && yaml != m_plannedYaml) {
    m_plannedYaml = yaml;
    m_planTimer->start();
  }
  const bool ready = m_refusal.isEmpty() || place() == RunPlace::Process;  // a process needs nothing of this window
  m_enqueue->setEnabled(m_issues.empty());
  m_enqueue->setToolTip(m_issues.empty() ? tr("Starts by itself when nothing trains any more; the queue survives the window") : tr("Correct the named parameters first."));
  m_start->setEnabled(m_issues.empty() && ready);
  const QString count = m_issues.empty() ? QString() : m_issues.size() == 1 ? tr("1 parameter needs a change") : tr("%1 parameters need a change").arg(m_issues.size());
  const QString words = !count.isEmpty() ? count : ready ? QString() : m_refusal;
  m_summary->setText(words);
  m_start->setToolTip(words.isEmpty() ? tr("Starts a training run with these parameters") : words);
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
