#include "ui/panels/what_if_panel.h"

#include <QComboBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QSignalBlocker>
#include <QStandardItemModel>
#include <QVBoxLayout>
#include <cmath>

#include "ui/acts_as.h"
#include "ui/inspection_view.h"
#include "ui/panels/fact_table.h"
#include "widgets/elided_label.h"
#include "widgets/fitted_combo.h"
#include "widgets/segmented_button.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

// What the knock-out chooser's entries mean.
enum KnockChoice { KnockNone, KnockHead, KnockAttention, KnockMlp, KnockLayer, KnockImage, KnockImageAll };

void enable(QComboBox* box, int item, bool enabled, const QString& why) {
  auto* model = qobject_cast<QStandardItemModel*>(box->model());
  if (!model || !model->item(item)) return;
  model->item(item)->setEnabled(enabled);
  box->setItemData(item, enabled ? QString() : why, Qt::ToolTipRole);
  if (!enabled && box->currentIndex() == item) box->setCurrentIndex(0);
}

}  // namespace

QString causalSentence(const WhatIf& answer, const QString& what) {
  return QStringLiteral("%1: %2 nats, random %3")
      .arg(what, signedNumber(double(answer.after - answer.before), 2), signedNumber(double(answer.randomMean - answer.before), 2));
}

WhatIfPanel::WhatIfPanel(QWidget* parent) : QWidget(parent) {
  m_bar = new QWidget;
  auto* bar = new QHBoxLayout(m_bar);
  bar->setContentsMargins(0, 0, 4, 0);
  bar->setSpacing(6);
  m_change = new SegmentedButton({tr("Erase"), tr("Blur"), tr("Average"), tr("Keep only")});
  m_change->setAccessibleName(tr("Change made to the region"));
  m_change->setToolTip(tr("What is done to the region that was boxed or painted on the map"));
  m_run = new QPushButton(tr("Run"));
  m_region = new ElidedLabel;
  m_region->setTone(ElidedLabel::Tone::Text2);
  m_region->setPixelSize(11);
  m_region->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  m_clear = new QPushButton(tr("Clear"));
  m_clear->setToolTip(tr("Forget the region and all changes (Del)"));
  for (QPushButton* button : {m_clear, m_run}) button->setFixedHeight(22);
  bar->addWidget(m_change);
  bar->addWidget(m_region, 1);
  bar->addWidget(m_clear);
  bar->addWidget(m_run);

  m_choices = new QWidget;
  auto* choices = new QGridLayout(m_choices);
  choices->setContentsMargins(8, 2, 0, 1);
  choices->setHorizontalSpacing(6);
  choices->setVerticalSpacing(3);
  choices->setColumnStretch(1, 1);
  const auto combo = [&](const QString& caption, const QString& tip) {
    auto* label = new QLabel(caption);
    label->setProperty("tone", "2");
    auto* box = new FittedCombo;
    box->setLeast(84);
    box->setAccessibleName(caption);
    box->setToolTip(tip);
    box->setWhatsThis(tip);
    box->setMinimumWidth(84);
    box->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    label->setBuddy(box);
    const int row = choices->rowCount() - (choices->count() == 0 ? 1 : 0);
    choices->addWidget(label, row, 0);
    choices->addWidget(box, row, 1);
    return box;
  };
  m_module = combo(tr("Module"), tr("The cue recovery module: as it is, off, scaled, or one injection layer alone"));
  m_cue = combo(tr("Cue"), tr("The teacher's cue: as given, a wrong one (sides, colours and numbers exchanged), none, or as it is typed above now. The teacher is judged then"));
  m_cue->addItems({tr("as given"), tr("wrong"), tr("none"), tr("as typed")});
  m_knockOut = combo(tr("Knock out"), tr("Silence a part of the decoder at the shown layer and head, or keep the chosen token from reading the image"));
  m_knockOut->addItems({tr("nothing"), tr("this head"), tr("this layer's attention"), tr("this layer's MLP"), tr("this layer"), tr("the token's view of the region"), tr("all views of the region")});
  actsAs(m_change, "what-if.change");
  actsAs(m_run, "inspect.what-if");
  actsAs(m_clear, "what-if.clear");
  actsAs(m_module, "what-if.module");
  actsAs(m_cue, "what-if.cue");
  actsAs(m_knockOut, "what-if.knock-out");
  m_facts = new FactTable;
  m_facts->setRowHeight(25);
  m_facts->setValuesFirst(true);
  m_facts->setAccessibleName(tr("What if, result"));
  m_texts = new QWidget;
  auto* texts = new QVBoxLayout(m_texts);
  texts->setContentsMargins(8, 0, 4, 0);
  texts->setSpacing(0);
  m_before = new ElidedLabel;
  m_after = new ElidedLabel;
  m_note = new ElidedLabel(tr("Attention is not a cause. This change is."));
  for (ElidedLabel* label : {m_before, m_after, m_note}) {
    label->setFixedHeight(25);
    label->setPixelSize(11);
    label->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    texts->addWidget(label);
  }
  m_note->setTone(ElidedLabel::Tone::Text3);
  m_note->setWholeDim(true);
  auto* content = new QWidget;
  m_grid = new QGridLayout(content);
  m_grid->setContentsMargins(0, 0, 0, 0);
  m_grid->setSpacing(0);
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setFocusPolicy(Qt::NoFocus);
  area->setWidget(content);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(area);
  arrange();
  connect(m_run, &QPushButton::clicked, this, &WhatIfPanel::runRequested);
  connect(m_clear, &QPushButton::clicked, this, [this] {
    resetChoices();
    Q_EMIT clearRequested();
  });
  setPossible({}, false, false);
  clearAnswer();
  // Filled and whole: from here on a choice is a person's.
  for (QComboBox* box : {m_module, m_cue, m_knockOut}) connect(box, &QComboBox::currentIndexChanged, this, &WhatIfPanel::refreshRun);
  refreshRun();
}

// Choices, numbers and texts beside each other, or the texts below where that would leave them no room.
void WhatIfPanel::arrange() {
  m_stacked = width() < 540;
  for (QWidget* part : {m_choices, static_cast<QWidget*>(m_facts), m_texts}) m_grid->removeWidget(part);
  m_grid->addWidget(m_choices, 0, 0, Qt::AlignTop);
  m_grid->addWidget(m_facts, 0, 1, Qt::AlignTop);
  m_grid->addWidget(m_texts, m_stacked ? 1 : 0, m_stacked ? 0 : 2, 1, m_stacked ? 2 : 1, Qt::AlignTop);
  m_grid->setColumnStretch(0, 2);
  m_grid->setColumnStretch(1, 10);
  m_grid->setColumnStretch(2, m_stacked ? 0 : 10);
  m_grid->setRowStretch(2, 1);
}

void WhatIfPanel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  if ((width() < 540) != m_stacked) arrange();
}

Change WhatIfPanel::change() const {
  return Change(m_change->current());
}

void WhatIfPanel::setChange(Change change) {
  m_change->setCurrent(int(change));
}

void WhatIfPanel::setPossible(const std::vector<int>& injectionLayers, bool teacher, bool cue) {
  if (injectionLayers != m_injection || m_module->count() == 0) {
    m_injection = injectionLayers;
    const QSignalBlocker block(m_module);
    m_module->clear();
    m_module->addItem(tr("on"));
    if (!injectionLayers.empty()) {
      for (const QString& words : {tr("off"), QStringLiteral("× 0.5"), QStringLiteral("× 2"), QStringLiteral("× 4")}) m_module->addItem(words);
      for (int layer : injectionLayers) m_module->addItem(tr("only L%1").arg(layer));
    }
  }
  m_module->setEnabled(!injectionLayers.empty());
  m_module->setToolTip(injectionLayers.empty() ? tr("This student has no cue recovery module.") : tr("The cue recovery module: as it is, off, scaled, or one injection layer alone"));
  m_cue->setEnabled(teacher);
  m_cue->setToolTip(teacher ? tr("The teacher's cue: as given, wrong, none, or as it is typed above now. The teacher is judged then") : tr("A cue is the teacher's. Choose a teacher above and ask again."));
  enable(m_cue, 1, cue, tr("There is no cue whose sides, colours and numbers could be exchanged."));
  enable(m_cue, 2, cue, tr("There is no cue to leave out."));
}

void WhatIfPanel::setPlace(const WhatIfPlace& place) {
  m_place = place;
  const QString layer = QString::number(place.layer);
  const QSignalBlocker block(m_knockOut);
  m_knockOut->setItemText(KnockHead, place.head >= 0 ? tr("head %1 of layer %2").arg(place.head).arg(layer) : tr("this head"));
  m_knockOut->setItemText(KnockAttention, tr("attention of layer %1").arg(layer));
  m_knockOut->setItemText(KnockMlp, tr("MLP of layer %1").arg(layer));
  m_knockOut->setItemText(KnockLayer, tr("layer %1").arg(layer));
  const QString decoder = tr("The shown site has no decoder layer. Choose Self-attention or Cue recovery.");
  const bool layered = place.decoder && place.layer >= 0;
  enable(m_knockOut, KnockHead, layered && place.head >= 0, layered ? tr("Choose one head first ([ and ]).") : decoder);
  for (int item : {KnockAttention, KnockMlp, KnockLayer}) enable(m_knockOut, item, layered, decoder);
  for (int item : {KnockImage, KnockImageAll}) enable(m_knockOut, item, place.position >= 0 && !place.imageKeys.empty(), tr("Choose a token of the response, and a picture."));
  refreshRun();
}

void WhatIfPanel::setForced(std::int64_t id, const QString& text) {
  m_forcedId = id;
  m_forcedText = text;
  refreshRun();
}

bool WhatIfPanel::anythingChosen() const {
  const bool viewOnly = m_knockOut->currentIndex() == KnockImage || m_knockOut->currentIndex() == KnockImageAll;
  return (m_patches > 0 && !viewOnly) || m_module->currentIndex() > 0 || m_cue->currentIndex() > 0 || m_knockOut->currentIndex() > 0 || m_forcedId >= 0;
}

void WhatIfPanel::resetChoices() {
  for (QComboBox* box : {m_module, m_cue, m_knockOut}) {
    const QSignalBlocker block(box);
    box->setCurrentIndex(0);
  }
  m_forcedId = -1;
  m_forcedText.clear();
  refreshRun();
}

void WhatIfPanel::fill(WhatIfRequest& request, const std::string& editedCue) const {
  const int module = m_module->currentIndex();
  if (module > 0) {
    ModuleChange change;
    if (module == 1) change.off = true;
    else if (module <= 4) change.scale = module == 2 ? 0.5 : module == 3 ? 2.0 : 4.0;
    else change.onlyLayer = m_injection[std::size_t(module - 5)];
    request.module = change;
  }
  if (m_cue->currentIndex() > 0) {
    CueChange change;
    change.variant = m_cue->currentIndex() == 1 ? CueVariant::Wrong : m_cue->currentIndex() == 2 ? CueVariant::None : CueVariant::Edited;
    if (change.variant == CueVariant::Edited) change.text = editedCue;
    request.cue = change;
  }
  const int knock = m_knockOut->currentIndex();
  if (knock > KnockNone) {
    KnockOut out;
    out.what = knock == KnockHead ? KnockOut::What::Head : knock == KnockAttention ? KnockOut::What::Attention : knock == KnockMlp ? KnockOut::What::Mlp
               : knock == KnockLayer ? KnockOut::What::Layer : KnockOut::What::Keys;
    if (out.what == KnockOut::What::Keys) {
      out.keys = m_place.imageKeys;
      if (knock == KnockImage) out.queries = {m_place.position};
      request.visualTokens.clear();  // the region names what is not read; its pixels stay
    } else {
      out.layer = m_place.layer;
      if (out.what == KnockOut::What::Head) out.head = m_place.head;
    }
    request.knockOuts = {out};
  }
  request.forcedId = m_forcedId;
}

void WhatIfPanel::setState(int patches, const QString& token, bool busy, const QString& refusal) {
  m_patches = patches;
  m_token = token;
  m_busy = busy;
  m_refusal = refusal;
  refreshRun();
}

void WhatIfPanel::refreshRun() {
  QStringList chosen;
  if (m_patches > 0) chosen << (m_patches == 1 ? tr("region: 1 patch") : tr("region: %1 patches").arg(m_patches));
  if (m_module->currentIndex() > 0) chosen << tr("module %1").arg(m_module->currentText());
  if (m_cue->currentIndex() > 0) chosen << tr("cue %1").arg(m_cue->currentText());
  if (m_knockOut->currentIndex() > 0) chosen << tr("without %1").arg(m_knockOut->currentText());
  if (m_forcedId >= 0) chosen << tr("go on from “%1” instead").arg(m_forcedText);
  const QString hint = tr("Box (B) or paint (I) a region, choose a part, or double click a token under Distributions");
  m_region->setText(chosen.isEmpty() ? tr("nothing chosen yet") : chosen.join(QStringLiteral(" · ")));
  if (chosen.isEmpty()) m_region->setToolTip(hint);
  m_clear->setEnabled(!chosen.isEmpty());
  const QString reason = m_busy ? tr("A what if is being computed.") : !m_refusal.isEmpty() ? m_refusal : !anythingChosen() ? tr("Choose what to change first: a region, the module, the cue, a part, or a token.") : QString();
  m_run->setEnabled(reason.isEmpty());
  m_run->setText(m_busy ? tr("Running …") : tr("Run"));
  m_run->setToolTip(reason.isEmpty() ? tr("Make the change, and random ones of the same size, and answer again (R)") : reason);
}

void WhatIfPanel::setAnswer(const WhatIfPtr& answer) {
  m_answer = answer;
  const QString who = answer->subject == Condition::Student ? tr("student") : tr("teacher");
  const bool random = std::isfinite(answer->randomMean) && answer->randomRegions > 0;
  m_facts->setRows({{tr("log p(“%1”) %2").arg(m_token, who), {number(double(answer->before), 2) + QStringLiteral(" → ") + number(double(answer->after), 2)}, {}, {}},
                    {tr("change"), {signedNumber(double(answer->after - answer->before), 2) + tr(" nats")}, {}, QString::fromStdString(answer->description)},
                    {random ? tr("%1 random ones").arg(answer->randomRegions) : tr("random comparison"),
                     {random ? signedNumber(double(answer->randomMean - answer->before), 2) + QStringLiteral(" ± ") + number(double(answer->randomDeviation), 2) : tr("none")},
                     {},
                     random ? (answer->randomWhat.empty() ? tr("Mean and standard deviation of the change when as many patches elsewhere are changed") : QString::fromStdString(answer->randomWhat))
                            : tr("This change has no random counterpart of the same size")}});
  m_before->setText(tr("before  ") + QString::fromStdString(answer->answerBefore));
  m_after->setText(tr("after  ") + (answer->answerAfter.empty() ? tr("not computed") : QString::fromStdString(answer->answerAfter)));
  m_note->setText(tr("Attention is not a cause. This change is."), QString::fromStdString(answer->description));
}

void WhatIfPanel::setFailure(const Failure& failure) {
  m_answer.reset();
  m_facts->setRows({});
  m_before->setText(QString::fromStdString(failure.what));
  m_after->setText(QString::fromStdString(failure.why), QString::fromStdString(failure.nextStep));
}

void WhatIfPanel::clearAnswer() {
  m_answer.reset();
  const QString none = tr("not computed");
  m_facts->setRows({{tr("log p of the token"), {none}, {}, {}}, {tr("change"), {none}, {}, {}}, {tr("16 random ones"), {none}, {}, {}}});
  m_before->setText({});
  m_after->setText({});
  m_note->setText(tr("Attention is not a cause. This change is."));
}

QString WhatIfPanel::answerText() const {
  return m_facts->text() + u'\n' + m_before->text() + u'\n' + m_after->text();
}

}  // namespace cuescope
