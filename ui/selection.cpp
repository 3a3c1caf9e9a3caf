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
  parts.setFlag(Token, state.token != m_state.token);
  parts.setFlag(SitePart, state.site != m_state.site);
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

}  // namespace cuescope
