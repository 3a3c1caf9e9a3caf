#include "ui/models/row_request.h"
#include "ui/rollouts_detail.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QPushButton>
#include <QSplitter>
#include <QTableWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <set>

#include "ui/acts_as.h"
#include "ui/inspection_view.h"
#include "ui/models/rollout_store.h"
#include "ui/models/sample_rows.h"
#include "ui/panels/fact_table.h"
#include "ui/layouts.h"
#include "ui/panels/panel.h"
#include "ui/rollouts_cells.h"
#include "ui/table_columns.h"
#include "widgets/distribution_bars.h"
#include "widgets/elided_label.h"
#include "widgets/frame_strip.h"
#include "widgets/icons.h"
#include "widgets/image_canvas.h"

namespace cuescope {
namespace {

/// Words of a response without ids: pieces that begin at each space or line.
std::vector<StripToken> piecesOf(const std::string& text) {
  std::vector<StripToken> tokens;
  for (const char c : text) {
    if (tokens.empty() || c == ' ' || c == '\n') tokens.push_back({});
    tokens.back().bytes += c;
  }
  return tokens;
}

double at(const std::vector<float>& values, std::size_t i) { return i < values.size() ? double(values[i]) : std::nan(""); }

}  // namespace

/// The range of the colouring with its ends in words.
class GapRange : public QWidget {
 public:
  explicit GapRange(QWidget* parent = nullptr) : QWidget(parent) { setFixedHeight(20); }
  void set(const TokenColoring& coloring) {
    m_coloring = coloring;
    setToolTip(coloring.kind == TokenColoring::Kind::None ? QString() : ends().first + QStringLiteral(" … ") + ends().second);
    update();
  }
  QSize sizeHint() const override { return {290, 20}; }
  QSize minimumSizeHint() const override { return {60, 20}; }

 protected:
  void paintEvent(QPaintEvent*) override {
    if (m_coloring.kind == TokenColoring::Kind::None) return;
    const Colors& c = colors();
    QPainter p(this);
    p.setFont(monoFont(11));
    p.setPen(c.text3);
    const bool gap = m_coloring.kind == TokenColoring::Kind::Gap;
    const auto [left, right] = ends();
    const int lw = p.fontMetrics().horizontalAdvance(left) + 6, rw = p.fontMetrics().horizontalAdvance(right) + 6;
    const int bar = std::clamp(width() - lw - rw, 16, 96);
    p.drawText(QRect(0, 0, lw, height()), Qt::AlignVCenter, left);
    for (int x = 0; x < bar; ++x) {
      const double t = (x + 0.5) / bar;
      p.fillRect(QRect(lw + x, height() / 2 - 5, 1, 10), gap ? gapColor(c, (2 * t - 1) * m_coloring.limit, m_coloring.limit) : QColor(mapColor(m_coloring.map, t)));
    }
    if (gap) p.fillRect(QRect(lw + bar / 2, height() / 2 - 5, 1, 10), c.ink);
    p.drawText(QRect(lw + bar + 6, 0, std::max(0, width() - lw - bar - 6), height()), Qt::AlignVCenter, p.fontMetrics().elidedText(right, Qt::ElideRight, std::max(0, width() - lw - bar - 6)));
  }

 private:
  std::pair<QString, QString> ends() const {
    if (m_coloring.kind == TokenColoring::Kind::Gap) return {tr("student −%1").arg(number(m_coloring.limit, 0)), tr("+%1 teacher, nats").arg(number(m_coloring.limit, 0))};
    return {number(m_coloring.low, 0), tr("%1 nats").arg(number(m_coloring.high, 0))};
  }
  TokenColoring m_coloring;
};

QString rolloutValueTitle(RolloutValue value) {
  switch (value) {
    case RolloutValue::Gap: return QStringLiteral("Gap");
    case RolloutValue::Advantage: return QStringLiteral("Advantage");
    case RolloutValue::StudentLogProb: return QStringLiteral("Student log p");
    case RolloutValue::TeacherLogProb: return QStringLiteral("Teacher + cue log p");
    case RolloutValue::K3: return QStringLiteral("k3");
    case RolloutValue::None: return QStringLiteral("None");
  }
  return {};
}

std::vector<double> rolloutValues(const RolloutRecord& record, RolloutValue value, double groupAdvantage) {
  std::vector<double> values;
  const std::size_t n = std::max(record.ids.size(), record.studentLogProbs.size());
  for (std::size_t t = 0; t < n; ++t) {
    const double student = at(record.studentLogProbs, t), teacher = at(record.teacherLogProbs, t), gap = teacher - student;
    switch (value) {
      case RolloutValue::Gap: values.push_back(gap); break;
      case RolloutValue::Advantage: values.push_back(record.teacherLogProbs.empty() ? groupAdvantage : gap); break;
      case RolloutValue::StudentLogProb: values.push_back(student); break;
      case RolloutValue::TeacherLogProb: values.push_back(teacher); break;
      case RolloutValue::K3: values.push_back(std::exp(gap) - gap - 1); break;
      case RolloutValue::None: values.push_back(std::nan("")); break;
    }
  }
  return values;
}

RolloutsDetail::RolloutsDetail(Session& session, Selection& selection, SampleRows& samples, QWidget* parent)
    : QWidget(parent), m_session(session), m_selection(selection), m_samples(samples) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  m_split = madeSplitter(Qt::Vertical);
  column->addWidget(m_split);

  auto* sample = new QWidget;
  auto* sampleRow = new QHBoxLayout(sample);
  sampleRow->setContentsMargins(8, 8, 8, 8);
  sampleRow->setSpacing(8);
  m_picture = new ImageCanvas;
  m_picture->setWhatsThis(tr("The picture of the chosen rollout."));
  m_picture->setShowLegend(false);
  m_picture->setEmptyText(tr("No picture"), {});
  m_picture->setMinimumSize(160, 120);
  m_rows = new FactTable;
  m_pictures = new FrameStrip;
  m_pictures->setWhatsThis(tr("The pictures of the sample; choosing one shows it above."));
  m_pictures->setFixedHeight(64);  // the chosen one is large above
  m_pictures->hide();
  connect(m_pictures, &FrameStrip::picked, this, [this](int picture) {
    m_picture->setScene(rowScene(m_samples.row(QString::fromStdString(m_detail.record.sampleId)), picture));
    m_picture->fit();
  });
  auto* pictureColumn = new QVBoxLayout;
  pictureColumn->setSpacing(4);
  pictureColumn->addWidget(m_picture, 1);
  pictureColumn->addWidget(m_pictures);
  sampleRow->addLayout(pictureColumn, 2);
  sampleRow->addWidget(m_rows, 3, Qt::AlignTop);
  m_samplePanel = new Panel(QStringLiteral("rollouts.sample"), tr("Sample"), sample);
  m_inspect = new QPushButton(icon(Icon::Eye), tr("Open in Inspect"));
  m_inspectWith = new QToolButton;
  m_inspectWith->setIcon(icon(Icon::ChevronDown));
  m_inspectWith->setPopupMode(QToolButton::InstantPopup);
  m_inspectWith->setToolTip(tr("Choose the weights: a checkpoint, or the student of the loaded run"));
  m_inspectWith->setAccessibleName(tr("Weights for Inspect"));
  auto* menu = new QMenu(m_inspectWith);
  m_inspectWith->setMenu(menu);
  connect(menu, &QMenu::aboutToShow, this, [this, menu] {
    menu->clear();
    for (const Weights& choice : weights()) connect(menu->addAction(choice.words), &QAction::triggered, this, [this, student = choice.student] { send(student); });
    if (menu->isEmpty()) menu->addAction(tr("No weights of this run are here"))->setEnabled(false);
  });
  actsAs(m_inspect, "rollouts.inspect");
  actsAs(m_inspectWith, "rollouts.inspect-with");
  m_samplePanel->addToHead(m_inspect);
  m_samplePanel->addToHead(m_inspectWith);
  connect(m_inspect, &QPushButton::clicked, this, &RolloutsDetail::openInInspect);

  auto* response = new QWidget;
  auto* responseColumn = new QVBoxLayout(response);
  responseColumn->setContentsMargins(0, 0, 0, 0);
  responseColumn->setSpacing(0);
  auto* bar = new Strip(32);
  m_colour = new QComboBox;
  for (int i = 0; i <= int(RolloutValue::None); ++i) m_colour->addItem(rolloutValueTitle(RolloutValue(i)));
  m_colour->setAccessibleName(tr("Colour of the tokens"));
  m_colour->setToolTip(tr("Gap = log p(teacher + cue) − log p(student). It is the advantage of the method; without a teacher the advantage is the reward's, over its group."));
  m_range = new GapRange;
  m_special = new QCheckBox(tr("Special tokens"));
  m_special->setToolTip(tr("Shows the special tokens of the prompt and the response"));
  m_special->setChecked(true);
  m_wrap = new QCheckBox(tr("Wrap"));
  m_wrap->setToolTip(tr("Breaks the tokens into lines of the panel's width"));
  m_wrap->setChecked(true);
  actsAs(m_colour, "rollouts.colour");
  actsAs(m_special, "rollouts.special");
  actsAs(m_wrap, "rollouts.wrap");
  bar->row()->addWidget(m_colour);
  bar->row()->addWidget(m_range, 1);
  bar->row()->addWidget(m_special);
  bar->row()->addWidget(m_wrap);
  m_strip = new TokenStrip;
  m_strip->setWhatsThis(tr("The tokens of the response; choosing one shows its distributions below."));
  m_strip->setPromptShown(false);
  m_strip->setEmptyText(tr("Choose a sample."));
  responseColumn->addWidget(bar);
  responseColumn->addWidget(m_strip, 1);
  m_otherLine = new Strip(24, Strip::Ground::Window);
  m_otherHead = new ElidedLabel;
  m_otherHead->setPixelSize(12, QFont::DemiBold);
  auto* endOther = new QToolButton;
  endOther->setIcon(icon(Icon::Close));
  endOther->setAutoRaise(true);
  endOther->setToolTip(tr("End the comparison (Esc)"));
  endOther->setAccessibleName(tr("End the comparison"));
  actsAs(endOther, "rollouts.end-comparison");
  connect(endOther, &QToolButton::clicked, this, [this] { compare({}, nullptr, 0); });
  m_otherLine->row()->addWidget(m_otherHead, 1);
  m_otherLine->row()->addWidget(endOther);
  m_otherStrip = new TokenStrip;
  m_otherStrip->setWhatsThis(tr("The tokens of the response that is compared, in the same colours."));
  m_otherStrip->setPromptShown(false);
  m_otherLine->hide();
  m_otherStrip->hide();
  responseColumn->addWidget(m_otherLine);
  responseColumn->addWidget(m_otherStrip, 1);
  auto* token = new QWidget;
  auto* tokenRow = new QHBoxLayout(token);
  tokenRow->setContentsMargins(8, 4, 8, 4);
  m_tokenFacts = new FactTable;
  m_bars = new DistributionBars;
  m_bars->setWhatsThis(tr("The likeliest tokens of student and teacher at the chosen place."));
  m_bars->setLegendShown(true);
  m_bars->setEmptyText(tr("No log-probabilities are saved for this token."));
  m_bars->setMinimumHeight(74);
  tokenRow->addWidget(m_tokenFacts, 1, Qt::AlignTop);
  tokenRow->addWidget(m_bars, 1);
  responseColumn->addWidget(token);
  m_responsePanel = new Panel(QStringLiteral("rollouts.response"), tr("Response"), response);
  growWithRoom(m_responsePanel);

  m_same = new QTableWidget(0, 5);
  m_same->setWhatsThis(tr("The responses to the same prompt at other steps."));
  m_same->setHorizontalHeaderLabels({tr("Step"), tr("Answer"), tr("Reward"), tr("Mean |gap|"), tr("Gap by token")});
  for (const int right : {0, 2, 3}) m_same->horizontalHeaderItem(right)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
  m_same->verticalHeader()->hide();
  m_same->verticalHeader()->setDefaultSectionSize(22);
  m_same->setShowGrid(false);
  m_same->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_same->setSelectionMode(QAbstractItemView::SingleSelection);
  m_same->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_same->setTabKeyNavigation(false);
  m_same->setWordWrap(false);
  m_same->horizontalHeader()->setHighlightSections(false);
  m_same->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  m_same->horizontalHeader()->setSectionResizeMode(1, QHeaderView::Stretch);
  elideHeads(m_same);
  for (const auto& [number, width] : {std::pair{0, 56}, {2, 64}, {3, 84}, {4, 150}}) setColumn(m_same, number, width);
  m_same->setItemDelegateForColumn(4, new SparkDelegate(m_same));
  m_same->setAccessibleName(tr("The same prompt over the steps"));
  m_samePanel = new Panel(QStringLiteral("rollouts.same"), tr("Same prompt over steps"), m_same);
  placePanels(false);

  connect(m_colour, &QComboBox::currentIndexChanged, this, &RolloutsDetail::colourStrip);
  for (TokenStrip* strip : {m_strip, m_otherStrip}) {
    connect(m_special, &QCheckBox::toggled, strip, &TokenStrip::setSpecialShown);
    connect(m_wrap, &QCheckBox::toggled, strip, &TokenStrip::setWrap);
  }
  m_same->viewport()->installEventFilter(this);
  connect(m_strip, &TokenStrip::tokenSelected, this, [this](int chosen) {
    m_token = chosen;
    showToken();
    m_selection.setToken(chosen);
  });
  connect(m_strip, &TokenStrip::tokenActivated, this, [this] { openInInspect(); });
  connect(m_same, &QTableWidget::cellClicked, this, [this](int row) {
    if (row >= 0 && row < int(m_sameRows.size())) Q_EMIT sameChosen(m_sameRows[std::size_t(row)]);
  });
  connect(m_same, &QTableWidget::cellActivated, this, [this](int row) {
    if (row >= 0 && row < int(m_sameRows.size())) Q_EMIT sameChosen(m_sameRows[std::size_t(row)]);
  });
  connect(&m_session, &Session::actionsChanged, this, &RolloutsDetail::refreshInspect);
  connect(&m_session, &Session::checkpointWritten, this, &RolloutsDetail::refreshInspect);
  connect(&Theme::instance(), &Theme::changed, this, [this] { m_range->update(); });
  show({}, {}, nullptr, 0);
}

void RolloutsDetail::placePanels(bool tabs) {
  m_split->addWidget(m_samplePanel);
  if (tabs) m_split->addWidget(new PanelStack({m_responsePanel, m_samePanel}));
  else for (Panel* panel : {m_responsePanel, m_samePanel}) m_split->addWidget(panel);
}

void RolloutsDetail::defaultSizes() { m_split->setSizes({280, 330, 170}); }

void RolloutsDetail::show(const QString& run, const QString& file, const RolloutFacts* facts, double groupAdvantage) {
  m_run = run;
  m_has = m_openLater = false;
  m_groupAdvantage = groupAdvantage;
  m_detail = {};
  if (facts) {
    try {
      m_detail = readRollout(file.toStdString(), *facts);
      m_facts = *facts;
      m_has = true;
    } catch (...) {
      Q_EMIT failed(currentFailure("reading a saved response"));
    }
  }
  m_samplePanel->setNote(!m_has ? QString() : tr("%1 at step %2").arg(m_facts.sampleId.empty() ? tr("row %1").arg(m_facts.index) : QString::fromStdString(m_facts.sampleId)).arg(m_facts.step));
  m_token = -1;
  if (m_has) {
    const auto gaps = rolloutValues(m_detail.record, RolloutValue::Gap, 0);
    for (std::size_t t = 0; t < gaps.size(); ++t)
      if (std::isfinite(gaps[t]) && (m_token < 0 || std::abs(gaps[t]) > std::abs(gaps[std::size_t(m_token)]))) m_token = int(t);
  }
  fillStrip();
  colourStrip();
  showToken();
  if (m_has) return pictureArrived(QString::fromStdString(m_detail.record.sampleId));  // with the facts
  fillFacts();
  refreshInspect();
  m_picture->setScene({});
  m_pictures->hide();
}

void RolloutsDetail::fillFacts() {
  std::vector<FactRow> rows;
  const auto put = [&](const QString& name, const QString& value, const QString& tip = {}) { rows.push_back({name, {value}, {}, tip}); };
  if (m_has) {
    const RolloutRecord& r = m_detail.record;
    const DataRow* data = m_samples.row(QString::fromStdString(r.sampleId));
    put(tr("Prompt"), QString::fromStdString(promptWords(r.input)), QString::fromStdString(r.input));
    put(tr("Reference answer"), QString::fromStdString(r.groundTruth));
    const QString boxed = QString::fromStdString(boxedPart(r.output));
    put(tr("Answer"), boxed.isEmpty() ? tr("no \\boxed{}") : boxed, QString::fromStdString(r.output));
    if (std::isfinite(r.score))
      put(tr("Reward"), std::isfinite(r.accuracy) && std::isfinite(r.format) ? tr("%1 (accuracy %2, format %3)").arg(number(r.score, 2), number(r.accuracy, 0), number(r.format, 0)) : number(r.score, 2));
    if (m_facts.tokens >= 0) put(tr("Response tokens"), m_facts.stopped < 0 ? QString::number(m_facts.tokens) : tr("%1, ended by %2").arg(m_facts.tokens).arg(m_facts.stopped ? tr("a stop token") : tr("length")));
    if (std::isfinite(m_facts.meanGap)) put(tr("Mean |gap|"), tr("%1 nats").arg(number(double(m_facts.meanGap), 2)), tr("Mean of |log p(teacher + cue) − log p(student)|"));
    if (data && !data->cue.empty()) put(tr("Cue"), QString::fromStdString(data->cue), QString::fromStdString(data->cue));
    for (const auto& [key, value] : m_detail.others) {
      if (value.size() > 200 || value.starts_with('[') || value.starts_with('{') || rows.size() > 11) continue;
      put(QString::fromStdString(key), QString::fromStdString(value), QString::fromStdString(value));
    }
  }
  m_rows->setRows(rows);
}

std::vector<StripToken> RolloutsDetail::tokensOf(const RolloutRecord& r, bool* missing) const {
  if (r.ids.empty()) return piecesOf(r.output);
  const RunRecord* run = m_session.run(m_run);
  const QHash<qint64, QByteArray> words = m_words.value(run ? QString::fromStdString(run->status.directory) : QString());
  std::vector<StripToken> tokens;
  for (const std::int64_t id : r.ids) {
    StripToken token;
    if (const auto it = words.constFind(id); it != words.constEnd()) token.bytes = it.value();
    else {
      token.bytes = '#' + QByteArray::number(qint64(id));
      *missing = true;
    }
    token.special = token.bytes.startsWith("<|") && token.bytes.endsWith("|>");
    tokens.push_back(token);
  }
  return tokens;
}

void RolloutsDetail::compare(const QString& file, const RolloutFacts* facts, double groupAdvantage) {
  const bool again = facts && m_hasOther && facts->step == m_otherFacts.step && facts->index == m_otherFacts.index && facts->offset == m_otherFacts.offset;
  m_hasOther = false;
  m_other = {};
  if (facts && !again) {
    try {
      m_other = readRollout(file.toStdString(), *facts);
      m_otherFacts = *facts;
      m_otherAdvantage = groupAdvantage;
      m_hasOther = true;
    } catch (...) {
      Q_EMIT failed(currentFailure("reading a saved response"));
    }
  }
  fillOther();
  colourStrip();
  Q_EMIT comparisonChanged();
}

QString RolloutsDetail::otherHead() const { return m_hasOther ? m_otherHead->text() + QStringLiteral(", ") + m_otherHead->dim() : QString(); }

void RolloutsDetail::fillOther() {
  m_otherLine->setVisible(m_hasOther);
  m_otherStrip->setVisible(m_hasOther);
  if (!m_hasOther) return m_otherStrip->setResponse({});
  bool missing = false;
  m_otherStrip->setResponse(tokensOf(m_other.record, &missing));
  const RolloutRecord& r = m_other.record;
  const QString boxed = QString::fromStdString(boxedPart(r.output));
  QStringList facts{boxed.isEmpty() ? tr("no \\boxed{}") : tr("answers %1").arg(boxed)};
  if (std::isfinite(r.score)) facts << tr("reward %1").arg(number(r.score, 2));
  if (std::isfinite(m_otherFacts.meanGap)) facts << tr("mean |gap| %1 nats").arg(number(double(m_otherFacts.meanGap), 2));
  m_otherHead->setText(tr("B, %1 at step %2").arg(r.sampleId.empty() ? tr("row %1").arg(m_otherFacts.index) : QString::fromStdString(r.sampleId)).arg(m_otherFacts.step), facts.join(QStringLiteral(", ")));
  if (missing) decode();
}

// A row of the other steps, with Ctrl: its response below the shown one.
bool RolloutsDetail::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_same->viewport() && event->type() == QEvent::MouseButtonPress) {
    auto* mouse = static_cast<QMouseEvent*>(event);
    const int row = m_same->rowAt(int(mouse->position().y()));
    if (mouse->button() == Qt::LeftButton && (mouse->modifiers() & Qt::ControlModifier) && row >= 0 && row < int(m_sameRows.size())) {
      Q_EMIT sameCompared(m_sameRows[std::size_t(row)]);
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

void RolloutsDetail::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Escape && m_hasOther) return compare({}, nullptr, 0);
  QWidget::keyPressEvent(event);
}

void RolloutsDetail::fillStrip() {
  m_tokens.clear();
  if (m_has) {
    const RolloutRecord& r = m_detail.record;
    bool missing = false;
    m_tokens = tokensOf(r, &missing);
    if (missing) decode();
    m_responsePanel->setNote(r.ids.empty() ? tr("words; the dump has no token ids") : tr("%1 tokens").arg(r.ids.size()));
  } else {
    m_responsePanel->setNote({});
  }
  m_strip->setResponse(m_tokens);
  m_strip->setSelection(m_token);
}

// The tokens' bytes, asked of the tokenizer that wrote the ids: the run's student.
void RolloutsDetail::decode() {
  const RunRecord* run = m_session.run(m_run);
  if (!run) return;
  std::string folder;
  const QString config = QString::fromStdString(run->status.directory) + QStringLiteral("/config.yaml");
  try {
    std::vector<ConfigIssue> issues;
    if (QFileInfo::exists(config)) folder = resolvePath(readConfig(config.toStdString(), &issues).student.path);
  } catch (const Error&) {
    folder.clear();  // shown as ids then
  }
  if (folder.empty() || !QFileInfo(QString::fromStdString(folder)).isDir()) return;
  const QString key = QString::fromStdString(run->status.directory);
  std::set<std::int64_t> wanted;
  for (const RolloutRecord* record : {&m_detail.record, &m_other.record})
    for (const std::int64_t id : record->ids)
      if (!m_words[key].contains(id)) wanted.insert(id);
  for (const auto& top : m_detail.record.teacherTopIds)
    for (std::size_t k = 0; k < std::min<std::size_t>(4, top.size()); ++k)
      if (!m_words[key].contains(top[k])) wanted.insert(top[k]);
  const QPointer<RolloutsDetail> self(this);
  m_session.submit("rollout-words", [self, key, folder, wanted](Engine& engine, const EventSink&, std::stop_token stop) {
    QHash<qint64, QByteArray> words;
    for (const std::int64_t id : wanted) {
      if (stop.stop_requested()) throw Cancelled();
      words.insert(id, QByteArray::fromStdString(engine.detokenize(folder, {id})));
    }
    Session::reply(QPointer<QObject>(self.data()), [self, key, words] {
      if (!self) return;
      for (auto it = words.begin(); it != words.end(); ++it) self->m_words[key].insert(it.key(), it.value());
      self->fillStrip();
      if (self->m_hasOther) self->fillOther();
      self->colourStrip();
      self->showToken();
    });
  });
}

TokenColoring rolloutColoring(RolloutValue value) {
  TokenColoring coloring;
  coloring.name = rolloutValueTitle(value);
  coloring.unit = QStringLiteral("nats");
  coloring.kind = TokenColoring::Kind::Sequential;
  if (value == RolloutValue::Gap || value == RolloutValue::Advantage) coloring.kind = TokenColoring::Kind::Gap;
  else if (value == RolloutValue::None) coloring.kind = TokenColoring::Kind::None;
  else if (value == RolloutValue::K3) coloring.high = 4;
  else coloring.low = -6, coloring.high = 0;
  return coloring;
}

void RolloutsDetail::colourStrip() {
  const auto value = RolloutValue(std::max(0, m_colour->currentIndex()));
  const TokenColoring coloring = rolloutColoring(value);
  m_range->set(coloring);
  m_strip->setColoring(coloring, m_has ? rolloutValues(m_detail.record, value, m_groupAdvantage) : std::vector<double>());
  m_otherStrip->setColoring(coloring, m_hasOther ? rolloutValues(m_other.record, value, m_otherAdvantage) : std::vector<double>());
}

void RolloutsDetail::showToken() {
  std::vector<FactRow> rows;
  DistributionSet set;
  const RolloutRecord& r = m_detail.record;
  if (m_has && m_token >= 0 && m_token < int(m_tokens.size())) {
    const auto t = std::size_t(m_token);
    const double student = at(r.studentLogProbs, t), teacher = at(r.teacherLogProbs, t);
    const QString words = tokenText(m_tokens[t].bytes, m_tokens[t].special);
    rows.push_back({tr("Token “%1”").arg(words), {r.ids.empty() ? tr("word %1").arg(m_token) : tr("response %1, id %2").arg(m_token).arg(t < r.ids.size() ? r.ids[t] : -1)}, {}, {}});
    if (!r.studentLogProbs.empty()) rows.push_back({tr("log p student"), {number(student, 2)}, {}, {}});
    if (!r.teacherLogProbs.empty()) {
      rows.push_back({tr("log p teacher + cue"), {number(teacher, 2)}, {}, {}});
      rows.push_back({tr("gap = advantage"), {signedNumber(teacher - student, 2)}, {}, tr("log p(teacher + cue) − log p(student); k1 is its negative")});
    } else if (!r.studentLogProbs.empty()) {
      rows.push_back({tr("advantage of the response"), {signedNumber(m_groupAdvantage, 2)}, {}, tr("Reward minus the mean reward of the same prompt's responses in this step")});
    }
    if (std::isfinite(student)) {
      DistributionRow row;
      row.token = words;
      row.probability[0] = std::exp(student);
      row.probability[1] = std::isfinite(teacher) ? std::exp(teacher) : std::nan("");
      set.present[0] = true;
      set.present[1] = std::isfinite(teacher);
      set.rows = {row};
      set.tail[0] = 1 - row.probability[0];
      set.tail[1] = 1 - row.probability[1];
      set.chosen = 0;
      if (t < r.teacherTopIds.size()) {  // the teacher's likeliest tokens; of the student only the sampled one was saved
        const RunRecord* run = m_session.run(m_run);
        const auto words = m_words.value(run ? QString::fromStdString(run->status.directory) : QString());
        for (std::size_t k = 0; k < std::min<std::size_t>(4, r.teacherTopIds[t].size()); ++k) {
          const std::int64_t id = r.teacherTopIds[t][k];
          if (t < r.ids.size() && id == r.ids[t]) continue;
          DistributionRow other;
          other.token = words.contains(id) ? tokenText(words.value(id)) : u'#' + QString::number(id);
          other.probability[0] = std::nan("");
          other.probability[1] = std::exp(double(r.teacherTopLogProbs[t][k]));
          set.tail[1] -= other.probability[1];
          set.rows.push_back(other);
        }
        set.tail[1] = std::max(0.0, set.tail[1]);
      }
    }
  }
  m_tokenFacts->setRows(rows);
  m_bars->setDistributions(set);
}

void RolloutsDetail::selectToken(int token) {
  if (!m_has || token == m_token || token < 0 || token >= int(m_tokens.size())) return;
  m_token = token;
  m_strip->setSelection(token);
  showToken();
}

void RolloutsDetail::pictureArrived(const QString& sampleId) {
  if (!m_has || QString::fromStdString(m_detail.record.sampleId) != sampleId) return;
  const DataRow* row = m_samples.row(sampleId);
  m_picture->setEmptyText(row                                  ? tr("No picture in this row")
                          : m_samples.files().isEmpty()        ? tr("The data of this run is not known")
                          : m_samples.isMissing(sampleId)      ? tr("The run's data files have no row «%1» now").arg(sampleId)
                                                               : tr("Fetching the picture"),
                          m_samples.files().isEmpty() ? tr("A dump names no pictures.") : QString());
  m_picture->setScene(rowScene(row));
  m_picture->fit();
  const std::vector<StripFrame> frames = rowFrames(row);
  m_pictures->setCurrent(0);
  m_pictures->setFrames(frames);
  m_pictures->setVisible(!frames.empty());
  fillFacts();
  refreshInspect();
}

void RolloutsDetail::setSame(const std::vector<RolloutFacts>& rows) {
  m_sameRows = rows;
  m_same->setRowCount(int(rows.size()));
  int current = -1;
  for (int i = 0; i < int(rows.size()); ++i) {
    const RolloutFacts& f = rows[std::size_t(i)];
    const auto put = [&](int column, const QString& text, bool right) {
      auto* item = new QTableWidgetItem(text);
      item->setFont(monoFont(11));
      item->setTextAlignment((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
      item->setToolTip(text);
      m_same->setItem(i, column, item);
    };
    put(0, QString::number(f.step), true);
    put(1, QString::fromStdString(f.answer), false);
    put(2, std::isfinite(f.score) ? number(double(f.score), 2) : tr("none"), true);
    put(3, std::isfinite(f.meanGap) ? number(double(f.meanGap), 2) : tr("not saved"), true);
    QVariantList spark;
    for (const float v : f.spark) spark << v;
    auto* cell = new QTableWidgetItem;
    cell->setData(kSparkRole, spark);
    m_same->setItem(i, 4, cell);
    if (m_has && f.step == m_facts.step && f.offset == m_facts.offset) current = i;
  }
  m_samePanel->setNote(rows.empty() ? QString() : rows.size() == 1 ? tr("1 saved response") : tr("%1 saved responses").arg(rows.size()));
  if (current >= 0) {
    m_same->setCurrentCell(current, 0);
    m_same->scrollToItem(m_same->item(current, 0), QAbstractItemView::PositionAtCenter);
  }
}

// ---- to Inspect ------------------------------------------------------------------------------------------------------------

std::vector<RolloutsDetail::Weights> RolloutsDetail::weights() const {
  std::vector<Weights> list;
  const RunRecord* run = m_session.run(m_run);
  if (!run || !m_has) return list;
  std::vector<CheckpointInfo> saved;
  for (const CheckpointInfo& info : run->checkpoints)
    if (info.complete) saved.push_back(info);
  // The response of step s was sampled by the weights after step s - 1.
  std::stable_sort(saved.begin(), saved.end(), [&](const auto& a, const auto& b) { return std::abs(a.step - (m_facts.step - 1)) < std::abs(b.step - (m_facts.step - 1)); });
  const RunRecord* own = m_session.ownRun();
  const bool live = own && own == run && m_session.allowed(RunAction::InspectStudent);
  const Weights now{kRunStudent, tr("the student as it is now, step %1").arg(run->status.step)};
  const int liveDistance = std::abs(run->status.step - (m_facts.step - 1));
  for (const CheckpointInfo& info : saved) {
    if (live && list.empty() && liveDistance < std::abs(info.step - (m_facts.step - 1))) list.push_back(now);
    list.push_back({info.folder, tr("checkpoint of step %1").arg(info.step)});
  }
  if (live && std::none_of(list.begin(), list.end(), [](const Weights& w) { return w.student == kRunStudent; })) list.push_back(now);
  return list;
}

void RolloutsDetail::refreshInspect() {
  QString refusal;
  const auto list = weights();
  if (!m_has) refusal = tr("Choose a sample first.");
  else if (list.empty()) refusal = tr("No weights of this run are here: it has no checkpoint, and it is not the run that is loaded.");
  else if (!m_samples.row(QString::fromStdString(m_detail.record.sampleId))) refusal = tr("The picture of this sample is not here, so the model cannot be asked about it.");
  m_inspect->setEnabled(refusal.isEmpty());
  m_inspectWith->setEnabled(refusal.isEmpty());
  m_inspect->setToolTip(refusal.isEmpty() ? tr("This sample with its own %1 response ids, read by %2 (Enter). The response of step %3 was sampled after step %4.")
                                                .arg(m_detail.record.ids.size()).arg(list.front().words).arg(m_facts.step).arg(m_facts.step - 1)
                                          : refusal);
  if (m_openLater && refusal.isEmpty()) openInInspect();
}

void RolloutsDetail::openWhenReady() {
  m_openLater = true;
  refreshInspect();
}

void RolloutsDetail::openInInspect() {
  m_openLater = false;
  if (!m_inspect->isEnabled()) return;
  send(weights().front().student);
}

void RolloutsDetail::send(const std::string& student) {
  const DataRow* row = m_samples.row(QString::fromStdString(m_detail.record.sampleId));
  const RunRecord* run = m_session.run(m_run);
  if (!row || !run) return;
  InspectRequest request = requestOf(*row);
  request.student = student;
  request.teacher = student == kRunStudent ? kRunTeacher : teacherFolderOf(*run);
  request.responseIds = m_detail.record.ids;
  request.response = m_detail.record.ids.empty() ? m_detail.record.output : std::string();
  Q_EMIT inspectRequested(request);
}

}  // namespace cuescope
