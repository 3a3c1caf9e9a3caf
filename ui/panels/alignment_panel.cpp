#include "ui/panels/alignment_panel.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMimeData>
#include <QPainter>
#include <QPlainTextEdit>
#include <QScrollArea>
#include <QTextCursor>
#include <QVBoxLayout>
#include <map>

#include "ui/panels/fact_table.h"
#include "ui/panels/panel.h"
#include "widgets/elided_label.h"
#include "widgets/empty_panel.h"
#include "widgets/icons.h"
#include "widgets/numbers.h"
#include "widgets/theme.h"
#include "widgets/words.h"

namespace cuescope {

namespace {

constexpr int kPromptLines = 7;  // whole ones, enough for a short prompt

// A prompt to read: what is copied is the prompt, without the marks that keep its tokens whole.
class PromptView : public QPlainTextEdit {
 protected:
  QMimeData* createMimeDataFromSelection() const override {
    auto* data = new QMimeData;
    data->setText(plainPrompt(textCursor().selectedText().replace(QChar::ParagraphSeparator, u'\n')));
    return data;
  }
};

QColor partColor(int kind, const Colors& c) {
  return kind == 0 ? c.control : kind == 1 ? c.lineStrong : kind == 2 ? c.conditions[1] : c.conditions[0];
}

}  // namespace

SequenceBar::SequenceBar(QWidget* parent) : QWidget(parent) {
  setFixedHeight(10);
}

void SequenceBar::setPrompt(const RenderedPrompt& prompt, int responseTokens) {
  m_parts.clear();
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i) {
    const bool cue = int(i) >= prompt.cueBegin && int(i) < prompt.cueEnd;
    const int kind = prompt.tokens[i].visual >= 0 ? 1 : cue ? 2 : 0;
    if (m_parts.empty() || m_parts.back().kind != kind) m_parts.push_back({0, kind});
    ++m_parts.back().tokens;
  }
  if (responseTokens > 0) m_parts.push_back({responseTokens, 3});
  update();
}

void SequenceBar::paintEvent(QPaintEvent*) {
  const Colors& c = colors();
  QPainter painter(this);
  int total = 0;
  for (const Part& part : m_parts) total += part.tokens;
  double x = 0;
  for (const Part& part : m_parts) {
    const double w = double(width()) * part.tokens / std::max(1, total);
    painter.fillRect(QRectF(x, 0, std::max(1.0, w - 1), height()), partColor(part.kind, c));
    x += w;
  }
}

namespace {

// Swatch and word, in the order of the bars.
class SequenceLegend : public QWidget {
 public:
  SequenceLegend() { setFixedHeight(18); }

 protected:
  void paintEvent(QPaintEvent*) override {
    const Colors& c = colors();
    QPainter painter(this);
    painter.setFont(uiFont(11));
    int x = 0;
    const QString words[] = {AlignmentPanel::tr("text"), AlignmentPanel::tr("image"), AlignmentPanel::tr("cue"), AlignmentPanel::tr("response")};
    for (int kind = 0; kind < 4; ++kind) {
      painter.fillRect(QRect(x, 5, 10, 8), partColor(kind, c));
      painter.setPen(c.text3);
      const int width = qRound(wordsWidth(painter.font(), words[kind]));
      paintWords(painter, QRect(x + 14, 0, width + 2, height()), Qt::AlignLeft | Qt::AlignVCenter, words[kind]);
      x += 14 + width + 12;
    }
  }
};

}  // namespace

AlignmentPanel::AlignmentPanel(QWidget* parent) : QWidget(parent) {
  auto* content = new QWidget;
  auto* all = new QVBoxLayout(content);
  all->setContentsMargins(0, 6, 0, 0);
  all->setSpacing(4);
  auto* verdict = new QHBoxLayout;
  verdict->setContentsMargins(8, 0, 8, 0);
  verdict->setSpacing(6);
  m_mark = new QLabel;
  m_mark->setFixedSize(16, 16);
  m_verdict = new ElidedLabel;
  m_verdict->setPixelSize(12, QFont::DemiBold);
  verdict->addWidget(m_mark);
  verdict->addWidget(m_verdict, 1);
  all->addLayout(verdict);
  m_body = new QWidget;
  all->addWidget(m_body, 1);
  all->addStretch(0);
  auto* whole = new QVBoxLayout(m_body);
  whole->setContentsMargins(0, 0, 0, 0);
  whole->setSpacing(6);
  auto* column = new QVBoxLayout;
  column->setContentsMargins(8, 0, 8, 0);
  column->setSpacing(4);
  for (int i = 0; i < 2; ++i) {
    m_titles[i] = new ElidedLabel;
    m_titles[i]->setPixelSize(11);
    m_titles[i]->setTone(ElidedLabel::Tone::Text2);
    m_bars[i] = new SequenceBar;
    column->addWidget(m_titles[i]);
    column->addWidget(m_bars[i]);
  }
  column->addWidget(new SequenceLegend);
  auto* texts = new QHBoxLayout;
  texts->setSpacing(4);
  for (int i = 0; i < 2; ++i) {
    m_texts[i] = new PromptView;
    m_texts[i]->setWhatsThis(i == 0 ? tr("The prompt as the student reads it.") : tr("The prompt as the teacher reads it, with the cue."));
    m_texts[i]->setReadOnly(true);
    m_texts[i]->setFont(monoFont(11));
    m_texts[i]->setTabChangesFocus(true);
    m_texts[i]->setMinimumHeight(kPromptLines * QFontMetrics(monoFont(11)).lineSpacing() + 2 * int(m_texts[i]->document()->documentMargin()) + 2 * m_texts[i]->frameWidth());
    m_texts[i]->setAccessibleName(i == 0 ? tr("Prompt of the student") : tr("Prompt of the teacher with the cue"));
    texts->addWidget(m_texts[i]);
  }
  column->addLayout(texts, 1);
  whole->addLayout(column, 1);
  m_table = new FactTable;
  m_table->setHeader({tr("Check"), tr("Student"), tr("Teacher")});
  m_table->setAccessibleName(tr("Alignment of the prompts"));
  whole->addWidget(m_table);
  m_boundary = new FactTable;
  m_boundary->setHeader({tr("Boundary, position · id"), tr("Student"), tr("Teacher")});
  m_boundary->setAccessibleName(tr("Positions and ids around the first response token"));
  whole->addWidget(m_boundary);
  // A low dock shows the verdict and the prompts; the tables are reached below them.
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setFocusPolicy(Qt::NoFocus);
  area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  area->setWidget(content);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(area);
  setInspection({});
}

QString AlignmentPanel::verdict() const {
  return m_verdict->text();
}

void AlignmentPanel::showPrompt(QPlainTextEdit* view, const RenderedPrompt& prompt) {
  const FoldedPrompt folded = foldedPrompt(prompt);
  view->setPlainText(folded.text + tr("▏response →"));
  QList<QTextEdit::ExtraSelection> marks;
  if (folded.cueBegin >= 0) {
    QTextEdit::ExtraSelection mark;
    mark.cursor = QTextCursor(view->document());
    mark.cursor.setPosition(folded.cueBegin);
    mark.cursor.setPosition(folded.cueEnd, QTextCursor::KeepAnchor);
    mark.format.setBackground(colors().gapHigh);
    mark.format.setForeground(colors().text);
    marks << mark;
  }
  view->setExtraSelections(marks);
}

void AlignmentPanel::setInspection(const InspectionPtr& inspection) {
  m_inspection = inspection;
  m_mark->setVisible(inspection != nullptr);
  m_body->setVisible(inspection != nullptr);
  if (!inspection) {
    m_verdict->setText(tr("No answer yet"), tr("the prompts appear with it"));
    m_table->setRows({});
    m_boundary->setRows({});
    for (int i = 0; i < 2; ++i) {
      m_titles[i]->setText({});
      m_texts[i]->setPlainText({});
      m_bars[i]->setPrompt({}, 0);
    }
    return;
  }
  const Alignment alignment = alignmentOf(*inspection);
  const int n = int(inspection->response.size());
  m_mark->setPixmap(icon(alignment.aligned ? Icon::Check : Icon::Cross, alignment.aligned ? colors().text : colors().danger).pixmap(QSize(16, 16), devicePixelRatioF()));
  m_verdict->setText(alignment.verdict, inspection->hasTeacher ? tr("%1 response ids in both prompts").arg(n) : tr("choose a teacher to compare prompts"));
  m_titles[0]->setText(tr("Student, prompt %1 tokens").arg(inspection->studentPrompt.responseBegin()));
  m_titles[1]->setText(inspection->hasTeacher ? tr("Teacher + cue, prompt %1 tokens").arg(inspection->teacherPrompt.responseBegin()) : tr("No teacher"));
  m_bars[0]->setPrompt(inspection->studentPrompt, n);
  m_bars[1]->setPrompt(inspection->hasTeacher ? inspection->teacherPrompt : RenderedPrompt{}, inspection->hasTeacher ? n : 0);
  showPrompt(m_texts[0], inspection->studentPrompt);
  if (inspection->hasTeacher) showPrompt(m_texts[1], inspection->teacherPrompt);
  else m_texts[1]->setPlainText(tr("No teacher was asked."));
  std::vector<FactRow> rows;
  for (const AlignmentRow& row : alignment.rows) rows.push_back({row.check, {row.student, row.teacher}, row.ok, {}});
  m_table->setRows(rows);
  std::vector<FactRow> lines;
  for (const BoundaryRow& line : alignment.boundary) {
    const auto place = [](int position, std::int64_t id) { return position < 0 ? QStringLiteral("none") : QStringLiteral("%1 · %2").arg(position).arg(id); };
    const bool response = line.offset >= 0;
    lines.push_back({(response ? tr("response %1 “%2”").arg(line.offset) : tr("prompt %1 “%2”").arg(QString::number(line.offset).replace(u'-', QChar(0x2212)))).arg(line.studentText),
                     {place(line.studentPosition, line.studentId), inspection->hasTeacher ? place(line.teacherPosition, line.teacherId) : tr("none")},
                     response && inspection->hasTeacher ? std::optional<bool>(line.studentId == line.teacherId) : std::nullopt,
                     response ? tr("The same id must stand at the first position behind each prompt: it is scored from the row before it")
                              : tr("End of the prompt: “%1” of the student, “%2” of the teacher").arg(line.studentText, line.teacherText)});
  }
  m_boundary->setRows(lines);
}

void AlignmentPanel::changeEvent(QEvent* event) {
  if (event->type() == QEvent::PaletteChange && m_inspection) setInspection(m_inspection);
  QWidget::changeEvent(event);
}

CueScorePanel::CueScorePanel(QWidget* parent) : QWidget(parent) {
  auto* content = new QWidget;
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  m_table = new FactTable;
  m_table->setHeader({tr("Measure"), tr("This map"), tr("Uniform")});
  m_table->setAccessibleName(tr("Cue score"));
  m_empty = new EmptyPanel;
  m_empty->setText(tr("No evidence boxes in this row."), tr("The demo's scenes have them; a picture of your own has none."));
  m_sites = new FactTable;
  m_sites->setHeader({tr("Best layer of each site"), tr("mass"), tr("hit"), tr("IoU")});
  m_sites->setAccessibleName(tr("Cue score of every captured site"));
  column->addWidget(m_table);
  column->addWidget(m_sites);
  column->addWidget(m_empty);
  column->addStretch(1);
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setFocusPolicy(Qt::NoFocus);
  area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  area->setWidget(content);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(area);
  setMap({}, {});
}

void CueScorePanel::setMap(const InspectionPtr& inspection, const MapSlice& map) {
  const auto score = inspection ? cueScore(*inspection, map) : std::nullopt;
  m_table->setVisible(score.has_value());
  m_empty->setVisible(!score.has_value());
  if (!inspection) m_empty->setText(tr("No answer yet."), tr("The map's score against the evidence boxes comes with it."));
  else if (!score) m_empty->setText(tr("No evidence boxes in this row."), tr("The demo's scenes have them; a picture of your own has none."));
  std::map<Site, EvidenceScore> best;
  if (inspection)
    for (const EvidenceScore& each : inspection->evidenceScores)
      if (each.image == map.image && !each.prompt && (!best.count(each.site) || each.mass > best[each.site].mass)) best[each.site] = each;
  std::vector<FactRow> sites;
  for (const auto& [site, each] : best)
    sites.push_back({tr("%1, layer %2").arg(siteTitle(site)).arg(each.layer), {significant(double(each.mass), 2), each.hit ? tr("yes") : tr("no"), number(double(each.iou), 2)}, {},
                     tr("Mean of heads. A map without any preference: mass %1, hit %2, IoU %3")
                         .arg(significant(double(each.uniformMass), 3), significant(double(each.uniformHit), 3), significant(double(each.uniformIou), 3))});
  m_sites->setRows(sites);
  m_sites->setVisible(!sites.empty());
  if (!score) return;
  m_table->setRows(
      {{tr("Mass in evidence"), {significant(double(score->mass), 2), significant(double(score->uniformMass), 3)}, {}, tr("Share of the map inside the %1 evidence patches").arg(score->patches)},
       {tr("Pointing hit"), {score->hit ? tr("yes") : tr("no"), significant(double(score->uniformHit), 3)}, {}, tr("Does the largest patch lie in the evidence?")},
       {tr("IoU, top %1 patches").arg(score->patches), {number(double(score->iou), 2), significant(double(score->uniformIou), 3)}, {}, tr("Overlap of the largest patches with the evidence patches")}});
}

}  // namespace cuescope
