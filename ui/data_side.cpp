#include "ui/data_side.h"

#include <QHBoxLayout>
#include <QPainter>
#include <QPlainTextEdit>
#include <QScrollArea>
#include <QSplitter>
#include <QTextBlock>
#include <QVBoxLayout>

#include "ui/layouts.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/panel.h"
#include "widgets/elided_label.h"
#include "widgets/icons.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {

LintList::LintList(QWidget* parent) : QWidget(parent) {
  setAccessibleName(tr("Lint of this row"));
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void LintList::setFindings(const std::vector<Finding>& findings) {
  m_findings = findings;
  QStringList words;
  for (const Finding& f : findings) words << checkTitle(f.check) + QStringLiteral(": ") + f.words + QStringLiteral(", ") + f.detail;
  setAccessibleDescription(words.join(QStringLiteral(". ")));
  setToolTip(words.join(u'\n'));
  setMinimumHeight(sizeHint().height());
  updateGeometry();
  update();
}

void LintList::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter p(this);
  p.fillRect(rect(), c.panel);
  int y = 2;
  for (const Finding& f : m_findings) {
    if (!f.open) paintIcon(p, QRectF(8, y + 6, 16, 16), f.verdict == Verdict::Fine ? Icon::Check : f.verdict == Verdict::Look ? Icon::Caution : Icon::Cross,
              f.verdict == Verdict::Fine ? c.text2 : f.verdict == Verdict::Look ? c.caution : c.danger);
    p.setFont(uiFont(12));
    p.setPen(c.text);
    paintWords(p, QRect(32, y + 1, width() - 40, 17), Qt::AlignVCenter, f.verdict == Verdict::Fine && !f.open ? checkTitle(f.check) : checkTitle(f.check) + QStringLiteral(": ") + f.words);
    p.setFont(uiFont(11));
    p.setPen(c.text3);
    paintWords(p, QRect(32, y + 16, width() - 40, 16), Qt::AlignVCenter, elidedWords(p.font(), f.detail, Qt::ElideRight, width() - 40));
    p.fillRect(QRect(0, y + 33, width(), 1), c.line);
    y += 34;
  }
}

DataSide::DataSide(QWidget* parent) : QWidget(parent) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  m_split = madeSplitter(Qt::Vertical);
  column->addWidget(m_split);
  auto* prompts = madeSplitter(Qt::Horizontal);
  for (int i = 0; i < 2; ++i) {
    auto* half = new QWidget;
    auto* halfColumn = new QVBoxLayout(half);
    halfColumn->setContentsMargins(0, 0, 0, 0);
    halfColumn->setSpacing(0);
    auto* head = new Strip(24);
    m_head[i] = new ElidedLabel(i ? tr("Teacher") : tr("Student"));
    m_head[i]->setPixelSize(12, QFont::DemiBold);
    head->row()->addWidget(m_head[i], 1);
    m_text[i] = new QPlainTextEdit;
    m_text[i]->setWhatsThis(i ? tr("The prompt as the teacher reads it.") : tr("The prompt as the student reads it."));
    m_text[i]->setReadOnly(true);
    m_text[i]->setFont(monoFont(11));
    m_text[i]->setAcceptDrops(false);
    m_text[i]->setTabChangesFocus(true);
    m_text[i]->setAccessibleName(i ? tr("Prompt of the teacher") : tr("Prompt of the student"));
    halfColumn->addWidget(head);
    halfColumn->addWidget(m_text[i], 1);
    prompts->addWidget(half);
  }
  m_promptPanel = new Panel(QStringLiteral("data.prompts"), tr("Prompts"), prompts);
  auto* batch = new QWidget;
  auto* batchColumn = new QVBoxLayout(batch);
  batchColumn->setContentsMargins(0, 0, 0, 0);
  batchColumn->setSpacing(0);
  auto* batchStrip = new Strip(24);
  m_batchHead = new ElidedLabel;
  m_batchHead->setPixelSize(12, QFont::DemiBold);
  batchStrip->row()->addWidget(m_batchHead, 1);
  m_batch = new QPlainTextEdit;
  m_batch->setWhatsThis(tr("The row as the trainer gets it: the student's prompt, masked, and behind it the reference answer, which the loss counts. A distillation run puts the student's own response there."));
  m_batch->setReadOnly(true);
  m_batch->setFont(monoFont(11));
  m_batch->setAcceptDrops(false);
  m_batch->setTabChangesFocus(true);
  m_batch->setAccessibleName(tr("Decoded batch with its loss mask"));
  batchColumn->addWidget(batchStrip);
  batchColumn->addWidget(m_batch, 1);
  m_promptPanel->addTab(tr("Batch"), batch);
  growWithRoom(m_promptPanel);
  m_lint = new LintList;
  auto* scroll = new QScrollArea;
  scroll->setWidget(m_lint);
  scroll->setWidgetResizable(true);
  m_lintPanel = new Panel(QStringLiteral("data.lint"), tr("Lint"), scroll);
  m_provenance = new FactTable;
  auto* holder = new QWidget;
  auto* holderColumn = new QVBoxLayout(holder);
  holderColumn->setContentsMargins(8, 4, 8, 4);
  holderColumn->addWidget(m_provenance);
  holderColumn->addStretch(1);
  m_provenancePanel = new Panel(QStringLiteral("data.provenance"), tr("Provenance"), holder);
  placePanels(false);
  connect(&Theme::instance(), &Theme::changed, this, &DataSide::mark);
}

void DataSide::placePanels(bool tabs) {
  const QList<Panel*> panels{m_promptPanel, m_lintPanel, m_provenancePanel};
  if (tabs) m_split->addWidget(new PanelStack(panels));
  else for (Panel* panel : panels) m_split->addWidget(panel);
}

void DataSide::defaultSizes() { m_split->setSizes({330, 240, 190}); }

QString DataSide::studentHead() const { return m_heads[0]; }
QString DataSide::teacherHead() const { return m_heads[1]; }

void DataSide::setPrompts(const SidePrompt& student, const SidePrompt& teacher, const QString& note) {
  const SidePrompt* prompts[] = {&student, &teacher};
  for (int i = 0; i < 2; ++i) {
    m_heads[i] = tr("%1, %2").arg(i ? tr("Teacher") : tr("Student"), prompts[i]->tokens >= 0 ? tr("%1 tokens").arg(prompts[i]->tokens) : tr("not counted"));
    m_head[i]->setText(i ? tr("Teacher") : tr("Student"), prompts[i]->tokens >= 0 ? tr("%1 tokens").arg(prompts[i]->tokens) : tr("not counted"));
    if (m_text[i]->toPlainText() != prompts[i]->text) m_text[i]->setPlainText(prompts[i]->text);
  }
  m_cue = teacher.cue;
  m_promptPanel->setNote(note);
  mark();
}

void DataSide::setTeacherText(const QString& text, const QString& cue) {
  if (m_text[1]->toPlainText() != text) m_text[1]->setPlainText(text);
  m_cue = cue;
  m_promptPanel->setNote(tr("counting"));
  mark();
}

void DataSide::setBatch(const std::vector<BatchToken>& batch, const QString& note) {
  m_trained.clear();
  QString text;
  int masked = 0, trained = 0;
  QByteArray pending;  // a character may lie across tokens
  const auto flush = [&] {
    text += QString::fromUtf8(pending);
    pending.clear();
  };
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const BatchToken& token = batch[i];
    (token.trained ? trained : masked) += token.count;
    if (token.visual || (i > 0 && batch[i - 1].trained != token.trained)) flush();
    if (token.trained && (m_trained.empty() || !batch[i - 1].trained)) m_trained.emplace_back(int(text.size()), int(text.size()));
    if (token.visual) text += tr("[%1 × %2]").arg(token.count).arg(QString::fromStdString(token.text));
    else pending += QByteArray::fromStdString(token.text);
  }
  flush();
  if (!m_trained.empty()) m_trained.back().second = int(text.size());
  if (m_batch->toPlainText() != text) m_batch->setPlainText(text);
  m_batchHead->setText(batch.empty() ? tr("No batch") : trained ? tr("%1 masked, %2 trained").arg(masked).arg(trained) : tr("%1 masked, nothing to train on").arg(masked), note);
  mark();
}

QString DataSide::batchNote() const { return m_batchHead->text(); }

// The cue's ground is the teacher's orange, as in every panel; ink text on it.
void DataSide::mark() {
  QList<QTextEdit::ExtraSelection> marks;
  const qsizetype at = m_cue.isEmpty() ? -1 : m_text[1]->toPlainText().lastIndexOf(m_cue);
  if (at >= 0) {
    QTextEdit::ExtraSelection mark;
    mark.cursor = QTextCursor(m_text[1]->document());
    mark.cursor.setPosition(int(at));
    mark.cursor.setPosition(int(at + m_cue.size()), QTextCursor::KeepAnchor);
    mark.format.setBackground(colors().gapHigh);
    mark.format.setForeground(colors().text);
    marks << mark;
  }
  m_text[1]->setExtraSelections(marks);
  QList<QTextEdit::ExtraSelection> trained;
  for (const auto& [begin, end] : m_trained) {
    QTextEdit::ExtraSelection span;
    span.cursor = QTextCursor(m_batch->document());
    span.cursor.setPosition(begin);
    span.cursor.setPosition(std::min(end, int(m_batch->document()->characterCount()) - 1), QTextCursor::KeepAnchor);
    span.format.setBackground(colors().gapLow);  // the student's ground under ink text
    span.format.setForeground(colors().text);
    trained << span;
  }
  m_batch->setExtraSelections(trained);
}

void DataSide::setProvenance(const CueEdit& cue, const DataRow* row) {
  std::vector<FactRow> rows;
  const auto put = [&](const QString& name, const QString& value, const QString& tip = {}) { rows.push_back({name, {value}, {}, tip}); };
  if (row && row->problem.empty()) {  // of a row that cannot be read nothing is known
    const CueOrigin& o = cue.origin;
    const bool own = cue.cue != cue.originalCue;  // its text is a person's or a teacher's; else the data's
    put(tr("Cue from"), own ? (o.how.empty() ? tr("edited") : QString::fromStdString(o.how)) : cue.cue.empty() ? tr("none") : o.how.empty() ? tr("the data file") : tr("the data file, %1").arg(QString::fromStdString(o.how)));
    if (!cue.cue.empty() && !(own && o.model.empty())) {
      put(tr("Model"), o.model.empty() ? tr("not recorded") : QString::fromStdString(o.model), QString::fromStdString(o.model));
      put(tr("Prompt"), o.prompt.empty() ? tr("not recorded") : QString::fromStdString(o.prompt).simplified(), QString::fromStdString(o.prompt));
      put(tr("Seed"), o.seed >= 0 ? QString::number(o.seed) : !o.model.empty() && own ? tr("greedy") : tr("not recorded"));
    }
    if (!cue.cue.empty()) put(tr("Saw the answer"), o.sawAnswer < 0 ? tr("not recorded") : o.sawAnswer ? tr("yes") : tr("no"));
    if (cue.changed()) {
      put(tr("Edited by"), tr("%1, %2 changes").arg(QString::fromStdString(cue.by)).arg(cue.changes));
      put(tr("Edited at"), QString::fromStdString(cue.at));
      put(tr("Original cue"), cue.originalCue.empty() ? tr("none") : QString::fromStdString(cue.originalCue), QString::fromStdString(cue.originalCue));
      put(tr("Original marks"), QString::number(cue.originalMarks.size()));
    }
    QStringList kind{QString::fromStdString(row->kind), QString::fromStdString(row->layout)};
    kind.removeAll(QString());
    put(tr("Kind, layout"), kind.isEmpty() ? tr("none") : kind.join(QStringLiteral(", ")));
    put(tr("Pictures"), QString::number(row->pictures));
    put(tr("Reference answer"), bareAnswer(row->answer), QString::fromStdString(row->answer));
  }
  m_provenance->setRows(rows);
}

}  // namespace cuescope
