#include "ui/selection.h"

namespace cuescope {
namespace {
constexpr std::size_t kHistoryLimit = 200;
}

Selection::Selection(QObject* parent) : QObject(parent), m_history{m_state} {}

void Selection::setRun(const QString& run) {
  SelectionState next = m_state;
  next.run = run;
  set(next);
}
void Selection::setStep(int step) {
  SelectionState next = m_state;
  next.step = step;
  set(next);
}
void Selection::setSample(const QString& sample) {
  SelectionState next = m_state;
  next.sample = sample;
  set(next);
}
void Selection::setToken(int token) {
  SelectionState next = m_state;
  next.token = token;
  next.prompt = -1;
  set(next);
}
void Selection::setSite(Site site) {
  SelectionState next = m_state;
  next.site = site;
  set(next);
}
void Selection::setLayer(int layer) {
  SelectionState next = m_state;
  next.layer = layer;
  set(next);
}
void Selection::setHead(int head) {
  SelectionState next = m_state;
  next.head = head;
  set(next);
}

void Selection::setPrompt(int position) {
  SelectionState next = m_state;
  next.prompt = position;
  if (position >= 0) next.site = Site::SelfAttention;
  set(next);
}

void Selection::set(const SelectionState& state) {
  if (state == m_state) return;
  m_history.resize(m_place + 1);
  m_history.push_back(state);
  if (m_history.size() > kHistoryLimit) m_history.erase(m_history.begin());
  m_place = m_history.size() - 1;
  apply(state);
}

void Selection::correct(const SelectionState& state) {
  if (state == m_state) return;
  m_history[m_place] = state;
  apply(state);
}

void Selection::back() {
  if (canGoBack()) apply(m_history[--m_place]);
}

void Selection::forward() {
  if (canGoForward()) apply(m_history[++m_place]);
}

void Selection::apply(const SelectionState& state) {
  Parts parts;
  parts.setFlag(Run, state.run != m_state.run);
  parts.setFlag(Step, state.step != m_state.step);
  parts.setFlag(Sample, state.sample != m_state.sample);
  parts.setFlag(Token, state.token != m_state.token || state.prompt != m_state.prompt);
  parts.setFlag(SitePart, state.site != m_state.site || state.visionQuery != m_state.visionQuery);
  parts.setFlag(Layer, state.layer != m_state.layer);
  parts.setFlag(Head, state.head != m_state.head);
  m_state = state;
  if (parts) Q_EMIT changed(parts);
}

QString headName(int head) {
  if (head == kHeadMean) return QStringLiteral("mean");
  if (head == kHeadMax) return QStringLiteral("max");
  return QString::number(head);
}

QString siteTitle(Site site) {
  switch (site) {
    case Site::CueRecovery: return QStringLiteral("Cue recovery");
    case Site::SelfAttention: return QStringLiteral("Self-attention");
    case Site::Vision: return QStringLiteral("Vision tower");
    case Site::Rollout: return QStringLiteral("Attention rollout");
    case Site::GradientAttention: return QStringLiteral("Gradient × attention");
    case Site::LogitLens: return QStringLiteral("Logit lens");
    case Site::Occlusion: return QStringLiteral("Occlusion");
  }
  return {};
}

QString siteExplanation(Site site) {
  switch (site) {
    case Site::CueRecovery:
      return QStringLiteral("The cue recovery module lets the sink, the first token, read the visual tokens at its injection layers. This is how its attention is shared out "
                            "among them. It is the same for every response token. Attention is not a cause.");
    case Site::SelfAttention:
      return QStringLiteral("The decoder's own attention: what the position that predicts the chosen token reads of the image, at one layer and head. The rest of its "
                            "attention goes to text and to the sink. Click a token of the prompt to see its own. Attention is not a cause.");
    case Site::Vision:
      return QStringLiteral("Attention inside the vision tower, before the decoder: what each visual token receives from all others, or, after a double click on a patch, "
                            "what that patch reads. It knows nothing of the question.");
    case Site::Rollout:
      return QStringLiteral("Attention rollout (Abnar & Zuidema 2020): attention of all layers up to this one multiplied through, half of each step kept for the state itself. "
                            "It follows where information could have come from. Attention is not a cause.");
    case Site::GradientAttention:
      return QStringLiteral("Attention times the slope of the chosen token's log-probability by that attention. Orange speaks for the token, blue against it, to first order.");
    case Site::LogitLens:
      return QStringLiteral("The probability of the chosen token when the final norm and the language head read each visual token's own state after a layer.");
    case Site::Occlusion:
      return QStringLiteral("Each cell of the image is erased in turn and the student is scored again: log p of the chosen token before minus after. Orange cells were needed. "
                            "This map is causal; it costs one forward pass a cell.");
  }
  return {};
}

}  // namespace cuescope
