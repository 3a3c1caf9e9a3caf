#include "ui/panels/what_if_panel.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/inspection_view.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/panel.h"
#include "widgets/elided_label.h"
#include "widgets/segmented_button.h"
#include "widgets/theme.h"

namespace cuescope {

QString causalSentence(const WhatIf& answer, const QString& what) {
  return QStringLiteral("%1: %2 nats, random %3")
      .arg(what, signedNumber(double(answer.after - answer.before), 2), signedNumber(double(answer.randomMean - answer.before), 2));
}

WhatIfPanel::WhatIfPanel(QWidget* parent) : QWidget(parent) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* bar = new Strip(30, Strip::Ground::Panel, this);
  auto* title = new ElidedLabel(tr("What if"));
  title->setPixelSize(12, QFont::DemiBold);
  m_change = new SegmentedButton({tr("Erase"), tr("Blur"), tr("Average"), tr("Keep only")});
  m_change->setAccessibleName(tr("Change made to the region"));
  m_region = new ElidedLabel;
  m_region->setTone(ElidedLabel::Tone::Text3);
  m_region->setPixelSize(11);
  m_clear = new QPushButton(tr("Clear"));
  m_clear->setToolTip(tr("Forget the region (Del)"));
  m_run = new QPushButton(tr("Run"));
  bar->row()->addWidget(title);
  bar->row()->addWidget(m_change);
  bar->row()->addWidget(m_region, 1);
  bar->row()->addWidget(m_clear);
  bar->row()->addWidget(m_run);
  column->addWidget(bar);
  auto* results = new QHBoxLayout;
  results->setContentsMargins(0, 0, 8, 0);
  results->setSpacing(8);
  m_facts = new FactTable;
  m_facts->setAccessibleName(tr("What if, result"));
  results->addWidget(m_facts, 4);
  auto* texts = new QVBoxLayout;
  texts->setContentsMargins(0, 0, 0, 0);
  texts->setSpacing(0);
  m_before = new ElidedLabel;
  m_after = new ElidedLabel;
  m_note = new ElidedLabel(tr("Attention is not a cause. This change is."));
  for (ElidedLabel* label : {m_before, m_after, m_note}) {
    label->setFixedHeight(22);
    label->setPixelSize(11);
    texts->addWidget(label);
  }
  m_note->setTone(ElidedLabel::Tone::Text3);
  texts->addStretch(1);
  results->addLayout(texts, 5);
  column->addLayout(results, 1);
  connect(m_run, &QPushButton::clicked, this, &WhatIfPanel::runRequested);
  connect(m_clear, &QPushButton::clicked, this, &WhatIfPanel::clearRequested);
  clearAnswer();
}

Change WhatIfPanel::change() const {
  return Change(m_change->current());
}

void WhatIfPanel::setChange(Change change) {
  m_change->setCurrent(int(change));
}

void WhatIfPanel::setState(int patches, const QString& token, bool busy, const QString& refusal) {
  m_token = token;
  m_region->setText(patches == 0 ? tr("no region: box (B) or paint (I) one on the map") : patches == 1 ? tr("1 patch") : tr("%1 patches").arg(patches));
  m_clear->setEnabled(patches > 0);
  const QString reason = busy ? tr("A what if is being computed.") : !refusal.isEmpty() ? refusal : patches == 0 ? tr("Box or paint a region on the map first.") : QString();
  m_run->setEnabled(reason.isEmpty());
  m_run->setText(busy ? tr("Running …") : tr("Run"));
  m_run->setToolTip(reason.isEmpty() ? tr("Change this region, and as many random ones, and answer again (R)") : reason);
}

void WhatIfPanel::setAnswer(const WhatIfPtr& answer) {
  m_facts->setRows({{tr("log p(“%1”) student").arg(m_token), {number(double(answer->before), 2) + QStringLiteral(" → ") + number(double(answer->after), 2)}, {}, {}},
                    {tr("change by this region"), {signedNumber(double(answer->after - answer->before), 2) + tr(" nats")}, {}, QString::fromStdString(answer->description)},
                    {tr("%1 random regions").arg(answer->randomRegions),
                     {signedNumber(double(answer->randomMean - answer->before), 2) + QStringLiteral(" ± ") + number(double(answer->randomDeviation), 2)},
                     {},
                     tr("Mean and standard deviation of the change when as many patches elsewhere are changed")}});
  m_before->setText(tr("before  ") + QString::fromStdString(answer->answerBefore));
  m_after->setText(tr("after  ") + (answer->answerAfter.empty() ? tr("not computed") : QString::fromStdString(answer->answerAfter)));
}

void WhatIfPanel::setFailure(const Failure& failure) {
  m_facts->setRows({});
  m_before->setText(QString::fromStdString(failure.what));
  m_after->setText(QString::fromStdString(failure.why), QString::fromStdString(failure.nextStep));
}

void WhatIfPanel::clearAnswer() {
  const QString none = tr("not computed");
  m_facts->setRows({{tr("log p of the token, student"), {none}, {}, {}}, {tr("change by this region"), {none}, {}, {}}, {tr("16 random regions"), {none}, {}, {}}});
  m_before->setText({});
  m_after->setText({});
}

QString WhatIfPanel::answerText() const {
  return m_facts->text() + u'\n' + m_before->text() + u'\n' + m_after->text();
}

}  // namespace cuescope
