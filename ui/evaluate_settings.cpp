#include "ui/evaluate_settings.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLocale>
#include <QSpinBox>

#include "ui/acts_as.h"
#include "widgets/segmented_button.h"
#include "widgets/theme.h"

namespace cuescope {

EvaluateSettings::EvaluateSettings(QWidget* parent) : Strip(30, Ground::Panel, parent) {
  m_privilege = new QComboBox;
  m_privilege->addItem(tr("Question alone"), QStringLiteral("none"));
  m_privilege->addItem(tr("with the cue"), QStringLiteral("cue"));
  m_privilege->addItem(tr("with the hint"), QStringLiteral("hint"));
  m_privilege->setAccessibleName(tr("What the model reads"));
  m_privilege->setToolTip(tr("What the model reads: the question, or the teacher's prompt with cue or hint. The board compares the question alone."));
  m_decoding = new SegmentedButton({tr("Greedy"), tr("Sampled")});
  m_decoding->setAccessibleName(tr("How answers are drawn"));
  m_decoding->setToolTip(tr("Greedy: always the most likely token. Sampled: drawn at a temperature, one answer or several to each row."));
  const auto real = [](double low, double high, double step, double value, const QString& name, const QString& prefix) {
    auto* field = new QDoubleSpinBox;
    field->setLocale(QLocale::c());
    field->setRange(low, high);
    field->setSingleStep(step);
    field->setDecimals(2);
    field->setValue(value);
    field->setPrefix(prefix);
    field->setAccessibleName(name);
    return field;
  };
  const auto whole = [](int low, int high, int value, const QString& name, const QString& prefix, const QString& suffix) {
    auto* field = new QSpinBox;
    field->setLocale(QLocale::c());
    field->setRange(low, high);
    field->setValue(value);
    field->setPrefix(prefix);
    field->setSuffix(suffix);
    field->setAccessibleName(name);
    return field;
  };
  m_temperature = real(0.01, 100, 0.1, 1, tr("Temperature"), tr("temperature "));
  m_topP = real(0.01, 1, 0.05, 1, tr("Top-p"), tr("top-p "));
  m_answers = whole(1, 4096, 1, tr("Answers to each row"), tr("answers "), {});
  m_passK = whole(1, 4096, 1, tr("K of pass@K"), tr("pass@"), {});
  m_seed = whole(0, 999'999, 0, tr("Seed"), tr("seed "), {});
  m_longest = whole(1, 99'999, 256, tr("Longest answer"), {}, tr(" tokens"));
  m_longest->setToolTip(tr("An answer ends here at the latest, and is judged as it is"));
  const std::pair<QWidget*, const char*> tied[] = {{m_privilege, "evaluate.privilege"}, {m_decoding, "evaluate.decoding"}, {m_temperature, "evaluate.temperature"}, {m_topP, "evaluate.top-p"},
                                                   {m_answers, "evaluate.answers"},     {m_passK, "evaluate.pass-at"},     {m_seed, "evaluate.seed"},               {m_longest, "evaluate.longest"}};
  for (const auto& [control, action] : tied) {
    actsAs(control, action);
    row()->addWidget(control);
  }
  row()->addStretch(1);
  connect(m_privilege, &QComboBox::currentIndexChanged, this, &EvaluateSettings::changed);
  connect(m_decoding, &SegmentedButton::currentChanged, this, &EvaluateSettings::refresh);
  for (QDoubleSpinBox* field : {m_temperature, m_topP}) connect(field, &QDoubleSpinBox::valueChanged, this, &EvaluateSettings::changed);
  for (QSpinBox* field : {m_seed, m_longest}) connect(field, &QSpinBox::valueChanged, this, &EvaluateSettings::changed);
  // K answers are the least that pass@K can be told from.
  connect(m_answers, &QSpinBox::valueChanged, this, [this](int answers) {
    if (m_passK->value() > answers) m_passK->setValue(answers);
    Q_EMIT changed();
  });
  connect(m_passK, &QSpinBox::valueChanged, this, [this](int k) {
    if (m_answers->value() < k) m_answers->setValue(k);
    Q_EMIT changed();
  });
  refresh();
}

void EvaluateSettings::refresh() {
  const bool sampled = m_decoding->current() == 1;
  const std::pair<QWidget*, QString> fields[] = {{m_temperature, tr("Divides the logits before a token is drawn")},
                                                 {m_topP, tr("Only the smallest set of tokens with this probability")},
                                                 {m_answers, tr("How often each row is answered; accuracy is the mean over the answers")},
                                                 {m_passK, tr("Share of rows with a right answer among K, the unbiased estimate from all answers of a row")},
                                                 {m_seed, tr("The same seed gives the same answers, whatever else is asked")}};
  for (const auto& [field, tip] : fields) {
    field->setEnabled(sampled);
    field->setToolTip(sampled ? tip : tr("Greedy answers are all the same. Choose Sampled."));
  }
  Q_EMIT changed();
}

void EvaluateSettings::apply(EvaluateRequest& request) const {
  request.privilege = m_privilege->currentData().toString().toStdString();
  request.sampling.maxNew = m_longest->value();
  request.sampling.greedy = m_decoding->current() == 0;
  if (request.sampling.greedy) return;
  request.sampling.temperature = m_temperature->value();
  request.sampling.topP = m_topP->value();
  request.sampling.seed = static_cast<std::uint64_t>(m_seed->value());
  request.answersPerRow = m_answers->value();
  request.passK = m_passK->value();
}

QString EvaluateSettings::words() const {
  QString words = m_decoding->current() == 0 ? tr("greedy") : tr("temperature %1").arg(number(m_temperature->value(), 2));
  if (m_decoding->current() == 1 && m_answers->value() > 1) words += tr(", %1 answers a row").arg(m_answers->value());
  if (m_privilege->currentIndex() > 0) words += QStringLiteral(", ") + m_privilege->currentText();
  return words;
}

}  // namespace cuescope
