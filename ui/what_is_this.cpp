#include "ui/what_is_this.h"

#include <QHelpEvent>
#include <QWhatsThis>
#include <QWidget>
#include <utility>

#include "widgets/curve_plot.h"

namespace cuescope {

QString metricExplanation(const QString& id) {
  static const std::pair<const char*, const char*> kWords[] = {
      {"distillation/loss", "What is minimised: the mean over response tokens of the chosen loss, in nats for the divergences."},
      {"loss", "What is minimised: the mean over response tokens of the chosen loss, in nats for the divergences."},
      {"gap", "log p(teacher + cue) − log p(student) of the sampled tokens, nats, mean. Above zero the teacher likes the token more."},
      {"k1", "log p(student) − log p(teacher), nats, mean over response tokens; the negative of the gap."},
      {"k3", "exp(x) − x − 1 with x = log p(teacher) − log p(student): an estimate of the reverse KL with less noise, never negative."},
      {"kl", "Kullback-Leibler divergence between teacher and student, nats, mean over response tokens."},
      {"mass", "How much of the distribution the kept top tokens hold; falling means that the rest matters more and more."},
      {"clamp", "Share of response tokens whose loss hit its clamp."},
      {"length", "Response tokens, mean over the step's responses. A collapse or a run to the limit is trouble."},
      {"entropy", "How undecided a distribution is, nats; for the sink's attention ln(visual tokens) is uniform."},
      {"grad_norm", "Norm of all gradients before they are clipped. A step where it is not finite is skipped."},
      {"reward", "Score of the responses: 0.9 accuracy + 0.1 format."},
      {"acc", "Share of right answers; on held-out rows with a 95 % Wilson interval."},
      {"hit", "Share of probe images where the sink's brightest patch lies inside the evidence."},
      {"evidence", "Share of the sink's attention inside the evidence boxes, beside what a uniform map would give."},
      {"update_ratio", "Size of what the cue recovery module adds, against the size of the sink's state, by layer."},
      {"lr", "Learning rate of the step."},
      {"timing", "Seconds of one phase of the step."},
      {"mfu", "Share of the device's peak arithmetic that the step used."},
      {"tokens", "Response tokens that were trained on."},
      {"memory", "Memory of the process at its highest."},
  };
  // The longest known word inside the name decides: «cue/entropy/L5» is an entropy, «update_ratio» no ratio of anything else.
  const char* found = nullptr;
  std::size_t length = 0;
  for (const auto& [word, sentence] : kWords)
    if (id.contains(QLatin1String(word), Qt::CaseInsensitive) && std::char_traits<char>::length(word) > length) {
      found = sentence;
      length = std::char_traits<char>::length(word);
    }
  return found ? QObject::tr(found) : QString();
}

WhatIsThis::WhatIsThis(QObject* parent) : QObject(parent) {}

QString WhatIsThis::wordsFor(QWidget* widget, const QPoint& position) {
  QPoint at = position;
  for (QWidget* w = widget; w; at = w->mapToParent(at), w = w->isWindow() ? nullptr : w->parentWidget()) {
    if (auto* grid = qobject_cast<CurveGrid*>(w)) {
      const int panel = grid->panelAt(at);
      if (panel >= 0) {
        const CurvePanel& one = grid->panels()[std::size_t(panel)];
        const QString sentence = metricExplanation(one.id);
        return QStringLiteral("%1%2. %3").arg(one.title, one.unit.isEmpty() ? QString() : QStringLiteral(", ") + one.unit, sentence.isEmpty() ? QObject::tr("The run's metric %1.").arg(one.id) : sentence);
      }
    }
    if (!w->whatsThis().isEmpty()) return w->whatsThis();
    if (!w->toolTip().isEmpty()) return w->toolTip();
  }
  return {};
}

bool WhatIsThis::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::QueryWhatsThis || event->type() == QEvent::WhatsThis) {
    auto* widget = qobject_cast<QWidget*>(watched);
    if (!widget) return false;
    auto* help = static_cast<QHelpEvent*>(event);
    const QString words = wordsFor(widget, help->pos());
    if (words.isEmpty()) return false;
    if (event->type() == QEvent::WhatsThis) QWhatsThis::showText(help->globalPos(), words, widget);
    event->accept();
    return true;
  }
  return false;
}

}  // namespace cuescope
