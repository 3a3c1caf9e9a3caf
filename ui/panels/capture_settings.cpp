#include "ui/panels/capture_settings.h"

#include <QHBoxLayout>
#include <QLineEdit>
#include <QLocale>
#include <QSpinBox>
#include <QStyle>
#include <set>
#include <utility>

#include "ui/preferences.h"
#include "widgets/elided_label.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

int usualMib() { return Preferences::instance().number(preference::kCaptureMib); }

constexpr int kMost = 100'000;  // a list of more numbers is a slip of the hand

}  // namespace

std::optional<std::vector<int>> numberRanges(const QString& text, QString* why) {
  std::set<int> numbers;
  for (const QString& part : text.split(u',', Qt::SkipEmptyParts)) {
    const QStringList ends = part.trimmed().split(u'-');
    bool from = false, to = false;
    const int first = ends.value(0).trimmed().toInt(&from), last = ends.size() > 1 ? ends.value(1).trimmed().toInt(&to) : first;
    if (part.trimmed().isEmpty()) continue;
    if (!from || (ends.size() > 1 && !to) || ends.size() > 2) {
      *why = CaptureSettings::tr("«%1» is no number and no range; write 0-3, 8").arg(part.trimmed());
      return std::nullopt;
    }
    if (last < first || last - first > kMost) {
      *why = CaptureSettings::tr("«%1» ends before it begins").arg(part.trimmed());
      return std::nullopt;
    }
    for (int n = first; n <= last; ++n) numbers.insert(n);
  }
  return std::vector<int>(numbers.begin(), numbers.end());
}

CaptureSettings::CaptureSettings(QWidget* parent) : Strip(32, Ground::Panel, parent) {
  const auto field = [this](const QString& name, const QString& tip, int width) {
    auto* label = new ElidedLabel(name);
    label->setTone(ElidedLabel::Tone::Text2);
    label->setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
    auto* line = new QLineEdit;
    line->setAccessibleName(name);
    line->setPlaceholderText(tr("all"));
    line->setToolTip(tip);
    line->setWhatsThis(tip);
    line->setFont(monoFont(11));
    line->setFixedWidth(width);
    row()->addWidget(label);
    row()->addWidget(line);
    connect(line, &QLineEdit::textChanged, this, &CaptureSettings::judge);
    return line;
  };
  row()->setSpacing(6);
  m_layers = field(tr("Layers"), tr("Decoder layers whose attention is kept, as 0-3, 8; empty: all. Cue recovery keeps all its injection layers"), 76);
  m_vision = field(tr("Vision blocks"), tr("Blocks of the vision tower whose attention is kept, as 0-3, 8; empty: all"), 60);
  m_tokens = field(tr("Tokens"), tr("Response tokens, counted from 0, whose maps are kept, as 2-5, 9; empty: all. The chosen token is kept besides"), 76);
  m_budget = new QSpinBox;
  m_budget->setLocale(QLocale::c());
  m_budget->setRange(1, 1 << 20);
  m_budget->setValue(m_usual = usualMib());
  // A strip that was not touched follows the setting.
  connect(&Preferences::instance(), &Preferences::changed, this, [this](const QString& key) {
    if (key != QLatin1String(preference::kCaptureMib)) return;
    if (m_budget->value() == std::exchange(m_usual, usualMib())) m_budget->setValue(m_usual);
  });
  m_budget->setPrefix(tr("at most "));
  m_budget->setSuffix(tr(" MiB"));
  m_budget->setAccessibleName(tr("Memory of the captured numbers"));
  m_budget->setToolTip(tr("What the numbers of all captured sites may take together. More is refused before anything is computed"));
  m_note = new ElidedLabel;
  m_note->setPixelSize(11);
  m_note->setTone(ElidedLabel::Tone::Text2);
  m_note->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  row()->addWidget(m_budget);
  row()->addWidget(m_note, 1);
  connect(m_budget, &QSpinBox::valueChanged, this, &CaptureSettings::judge);
  judge();
}

QString CaptureSettings::complaint() const {
  QString why;
  for (const QLineEdit* line : {m_layers, m_vision, m_tokens})
    if (!numberRanges(line->text(), &why)) return line->accessibleName() + QStringLiteral(": ") + why;
  return {};
}

void CaptureSettings::judge() {
  for (QLineEdit* line : {m_layers, m_vision, m_tokens}) {
    QString why;
    line->setProperty("invalid", !numberRanges(line->text(), &why));
    line->style()->unpolish(line);
    line->style()->polish(line);
  }
  const QString wrong = complaint();
  m_budget->setVisible(wrong.isEmpty());  // in a narrow page the complaint takes its room
  m_note->setText(wrong.isEmpty() ? tr("For the next answer, and for sites that are computed later.") : wrong);
  Q_EMIT changed();
}

bool CaptureSettings::apply(InspectRequest& request) const {
  QString why;
  const auto layers = numberRanges(m_layers->text(), &why), vision = numberRanges(m_vision->text(), &why), tokens = numberRanges(m_tokens->text(), &why);
  if (!layers || !vision || !tokens) return false;
  request.layers = *layers;
  request.visionLayers = *vision;
  request.responseTokens = *tokens;
  request.budgetBytes = std::int64_t(m_budget->value()) << 20;
  request.attentionBudgetBytes = std::min<std::int64_t>(request.attentionBudgetBytes, request.budgetBytes);
  return true;
}

QString CaptureSettings::words() const {
  QStringList parts;
  if (!m_layers->text().trimmed().isEmpty()) parts << tr("layers %1").arg(m_layers->text().trimmed());
  if (!m_vision->text().trimmed().isEmpty()) parts << tr("vision blocks %1").arg(m_vision->text().trimmed());
  if (!m_tokens->text().trimmed().isEmpty()) parts << tr("tokens %1").arg(m_tokens->text().trimmed());
  if (m_budget->value() != m_usual) parts << tr("at most %1 MiB").arg(m_budget->value());
  return parts.join(QStringLiteral(", "));
}

QString CaptureSettings::key() const { return m_layers->text() + u'|' + m_vision->text() + u'|' + m_tokens->text() + u'|' + QString::number(m_budget->value()); }

}  // namespace cuescope
