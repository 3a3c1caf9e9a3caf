#include "ui/panels/tokens_panel.h"

#include <QComboBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QPainter>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/acts_as.h"
#include "widgets/elided_label.h"
#include "widgets/fitted_combo.h"
#include "widgets/numbers.h"

namespace cuescope {
namespace {

/// The largest finite value, 0 when none is above it.
double largest(const std::vector<double>& values) {
  double high = 0;
  for (const double v : values)
    if (std::isfinite(v)) high = std::max(high, v);
  return high;
}

}  // namespace

// The range of the colouring, written at both ends.
class GapLegend : public QWidget {
 public:
  explicit GapLegend(QWidget* parent = nullptr) : QWidget(parent) { setFixedHeight(20); }
  void setColoring(const TokenColoring& coloring) {
    if (coloring == m_coloring) return;
    m_coloring = coloring;
    setAccessibleName(coloring.name + u' ' + coloring.unit);
    setToolTip(coloring.name + (coloring.unit.isEmpty() ? QString() : QStringLiteral(", ") + coloring.unit));
    update();
  }
  QSize sizeHint() const override { return {320, 20}; }
  QSize minimumSizeHint() const override { return {60, 20}; }

 protected:
  void paintEvent(QPaintEvent*) override {
    if (m_coloring.kind == TokenColoring::Kind::None) return;
    const Colors& c = colors();
    QPainter painter(this);
    painter.setFont(monoFont(11));
    const bool gap = m_coloring.kind == TokenColoring::Kind::Gap;
    const bool ofGap = m_coloring.name == tokenValueTitle(TokenValue::Gap);
    const QString left = gap ? (ofGap ? tr("student −%1") : QStringLiteral("−%1")).arg(number(m_coloring.limit, 0)) : number(m_coloring.low, 0);
    const int decimals = !gap && m_coloring.high < 1 ? 4 : 0;
    const QString right = gap ? (ofGap ? tr("+%1 teacher + cue, %2") : QStringLiteral("+%1 %2")).arg(number(m_coloring.limit, 0), m_coloring.unit)
                              : QStringLiteral("%1 %2").arg(number(m_coloring.high, decimals), m_coloring.unit);
    const QFontMetrics metrics(painter.font());
    const int lw = metrics.horizontalAdvance(left) + 6;
    painter.setPen(c.text3);
    painter.drawText(QRect(0, 0, lw, height()), Qt::AlignVCenter, left);
    const int bar = std::clamp(width() - lw - metrics.horizontalAdvance(right) - 8, 20, 96);
    const QRect r(lw, height() / 2 - 5, bar, 10);
    for (int x = 0; x < r.width(); ++x) {
      const double t = (x + 0.5) / r.width();
      painter.fillRect(QRect(r.left() + x, r.top(), 1, r.height()),
                       gap ? gapColor(c, (t * 2 - 1) * m_coloring.limit, m_coloring.limit) : QColor(mapColor(m_coloring.map, t)));
    }
    if (gap) painter.fillRect(QRect(r.center().x(), r.top(), 1, r.height()), c.ink);
    painter.drawText(QRect(r.right() + 6, 0, width() - r.right() - 6, height()), Qt::AlignVCenter, right);
  }

 private:
  TokenColoring m_coloring;
};

QString tokenValueTitle(TokenValue value) {
  switch (value) {
    case TokenValue::Gap: return QStringLiteral("Gap");
    case TokenValue::K1: return QStringLiteral("k1");
    case TokenValue::K3: return QStringLiteral("k3");
    case TokenValue::ForwardKl: return QStringLiteral("KL(T + cue ∥ S)");
    case TokenValue::ReverseKl: return QStringLiteral("KL(S ∥ T + cue)");
    case TokenValue::Jsd: return QStringLiteral("JSD");
    case TokenValue::StudentLogProb: return QStringLiteral("Student log p");
    case TokenValue::TeacherLogProb: return QStringLiteral("Teacher + cue log p");
    case TokenValue::PlainLogProb: return QStringLiteral("Teacher, no cue log p");
    case TokenValue::Entropy: return QStringLiteral("Student entropy");
    case TokenValue::TeacherEntropy: return QStringLiteral("Teacher + cue entropy");
    case TokenValue::ImageShare: return QStringLiteral("Image share");
    case TokenValue::None: return QStringLiteral("None");
    case TokenValue::ErasedLogProb: return QStringLiteral("Teacher, image erased log p");
    case TokenValue::GapFromCue: return QStringLiteral("Gap, part of the cue");
    case TokenValue::GapFromWeights: return QStringLiteral("Gap, part of the weights");
    case TokenValue::StudentRank: return QStringLiteral("Student rank");
    case TokenValue::TextShare: return QStringLiteral("Text share");
    case TokenValue::SinkShare: return QStringLiteral("Sink share");
    case TokenValue::PatchShare: return QStringLiteral("To picked patches");
    case TokenValue::Beside: return QStringLiteral("Other student − this one");
  }
  return {};
}

const std::vector<TokenValue>& tokenValueOrder() {
  static const std::vector<TokenValue> kOrder = {
      TokenValue::Gap,           TokenValue::GapFromCue,    TokenValue::GapFromWeights, TokenValue::K1,         TokenValue::K3,
      TokenValue::ForwardKl,     TokenValue::ReverseKl,     TokenValue::Jsd,            TokenValue::StudentLogProb, TokenValue::TeacherLogProb,
      TokenValue::PlainLogProb,  TokenValue::ErasedLogProb, TokenValue::Entropy,        TokenValue::TeacherEntropy, TokenValue::StudentRank,
      TokenValue::ImageShare,    TokenValue::TextShare,     TokenValue::SinkShare,      TokenValue::PatchShare, TokenValue::Beside,
      TokenValue::None};
  return kOrder;
}

QString tokenValueExplanation(TokenValue value) {
  switch (value) {
    case TokenValue::Gap: return QObject::tr("log p(teacher + cue) − log p(student): orange where the teacher is surer, blue where the student is. It is the method's advantage");
    case TokenValue::GapFromCue: return QObject::tr("log p(teacher + cue) − log p(teacher, no cue): what the cue brings");
    case TokenValue::GapFromWeights: return QObject::tr("log p(teacher, no cue) − log p(student): what the teacher's weights bring");
    case TokenValue::K1: return QObject::tr("log p(student) − log p(teacher + cue): an estimate of the reverse KL, the gap's negative");
    case TokenValue::K3: return QObject::tr("exp(gap) − gap − 1: an estimate of the reverse KL that is never negative");
    case TokenValue::ForwardKl: return QObject::tr("KL of the student from the teacher with cue, over the whole vocabulary");
    case TokenValue::ReverseKl: return QObject::tr("KL of the teacher with cue from the student, over the whole vocabulary");
    case TokenValue::Jsd: return QObject::tr("Jensen-Shannon divergence of student and teacher with cue, at most log 2");
    case TokenValue::StudentRank: return QObject::tr("Place of the token among the student's most likely ones; exact within the captured top tokens");
    case TokenValue::ImageShare: return QObject::tr("Share of attention on the image, mean over heads of the layer");
    case TokenValue::TextShare: return QObject::tr("Share of attention on text without the sink, mean over heads of the layer");
    case TokenValue::SinkShare: return QObject::tr("Share of attention on the sink, mean over heads of the layer");
    case TokenValue::PatchShare: return QObject::tr("Attention to the patches that were picked on the map, at the chosen layer and head");
    case TokenValue::Beside: return QObject::tr("log p of the other student minus log p of this one: orange where the other is surer");
    case TokenValue::None: return QObject::tr("No colour");
    default: return QObject::tr("%1, nats").arg(tokenValueTitle(value));
  }
}

TokenColoring coloringOf(TokenValue value) {
  TokenColoring coloring;
  coloring.name = tokenValueTitle(value);
  coloring.unit = QStringLiteral("nats");
  coloring.kind = TokenColoring::Kind::Sequential;
  switch (value) {
    case TokenValue::None: coloring.kind = TokenColoring::Kind::None; break;
    case TokenValue::Gap:
    case TokenValue::GapFromCue:
    case TokenValue::GapFromWeights:
    case TokenValue::Beside:
    case TokenValue::K1: coloring.kind = TokenColoring::Kind::Gap; break;
    case TokenValue::ErasedLogProb:
    case TokenValue::StudentLogProb:
    case TokenValue::TeacherLogProb:
    case TokenValue::PlainLogProb:
      coloring.low = -6;
      coloring.high = 0;
      break;
    case TokenValue::Jsd: coloring.high = 1; break;
    case TokenValue::ImageShare:
    case TokenValue::TextShare:
    case TokenValue::SinkShare:
    case TokenValue::PatchShare:
      coloring.high = 1;
      coloring.unit = QStringLiteral("of attention");
      break;
    case TokenValue::StudentRank:
      coloring.low = 1;
      coloring.high = 6;
      coloring.unit = QStringLiteral("place");
      break;
    default: coloring.high = 4; break;
  }
  return coloring;
}

std::vector<double> tokenValues(const Inspection& inspection, TokenValue value, int layer) {
  TokenContext context;
  context.selection.layer = layer;
  return tokenValues(inspection, value, context);
}

std::vector<double> tokenValues(const Inspection& inspection, TokenValue value, const TokenContext& context) {
  const int layer = context.selection.layer;
  if (value == TokenValue::PatchShare)
    return context.patches.empty() ? std::vector<double>(inspection.response.size(), std::nan("")) : patchAttention(inspection, context.selection, context.image, context.patches);
  std::vector<double> values;
  for (std::size_t t = 0; t < inspection.response.size(); ++t) {
    switch (value) {
      case TokenValue::ImageShare: values.push_back(double(imageShare(inspection, int(t), layer))); continue;
      case TokenValue::TextShare: values.push_back(double(textShare(inspection, int(t), layer))); continue;
      case TokenValue::SinkShare: values.push_back(double(sinkShare(inspection, int(t), layer))); continue;
      default: break;
    }
    if (t >= inspection.distributions.size()) {
      values.push_back(std::nan(""));
      continue;
    }
    const TokenDistributions& d = inspection.distributions[t];
    const double gap = double(d.gap());
    switch (value) {
      case TokenValue::Gap: values.push_back(gap); break;
      case TokenValue::GapFromCue: values.push_back(double(d.gapFromCue())); break;
      case TokenValue::GapFromWeights: values.push_back(double(d.gapFromWeights())); break;
      case TokenValue::K1: values.push_back(-gap); break;
      case TokenValue::K3: values.push_back(std::exp(gap) - gap - 1); break;
      case TokenValue::ForwardKl: values.push_back(double(d.klTeacherStudent)); break;
      case TokenValue::ReverseKl: values.push_back(double(d.klStudentTeacher)); break;
      case TokenValue::Jsd: values.push_back(double(d.jsd)); break;
      case TokenValue::StudentLogProb: values.push_back(double(d.sampled[0])); break;
      case TokenValue::TeacherLogProb: values.push_back(double(d.sampled[1])); break;
      case TokenValue::PlainLogProb: values.push_back(double(d.sampled[2])); break;
      case TokenValue::ErasedLogProb: values.push_back(double(d.sampled[3])); break;
      case TokenValue::Entropy: values.push_back(double(d.entropy[0])); break;
      case TokenValue::TeacherEntropy: values.push_back(double(d.entropy[1])); break;
      case TokenValue::StudentRank: {
        const int rank = rankOf(d, inspection.response[t].id, Condition::Student);
        values.push_back(rank > 0 ? double(rank) : std::nan(""));
        break;
      }
      case TokenValue::Beside:
        values.push_back(context.beside && t < context.beside->distributions.size() ? double(context.beside->distributions[t].sampled[0] - d.sampled[0]) : std::nan(""));
        break;
      default: values.push_back(std::nan("")); break;
    }
  }
  return values;
}

bool isClamped(const TokenDistributions& d, const ClampLimits& limits) {
  const double gap = double(d.gap());
  const QString& mode = limits.lossMode;
  const auto uses = [&](std::initializer_list<const char*> names) {
    return mode.isEmpty() || std::any_of(names.begin(), names.end(), [&](const char* name) { return mode == QLatin1String(name); });
  };
  if (limits.lossMax > 0 && std::isfinite(gap)) {
    if (uses({"k1", "kl", "abs"}) && std::abs(gap) > limits.lossMax) return true;
    if (uses({"k3", "low_var_kl"}) && std::exp(gap) - gap - 1 > limits.lossMax) return true;
    if (!mode.isEmpty() && uses({"k2", "mse"}) && gap * gap / 2 > limits.lossMax) return true;
  }
  return uses({"forward_kl_topk"}) && std::isfinite(d.sampled[1]) && limits.logProbMin < 0 && double(d.sampled[1]) < limits.logProbMin;
}

QString tokenTip(const Inspection& inspection, int token) {
  if (token < 0 || token >= int(inspection.response.size())) return {};
  const Token& chosen = inspection.response[std::size_t(token)];
  QString text = QObject::tr("<b>%1</b> response %2 of %3, id %4").arg(tokenWords(chosen).toHtmlEscaped()).arg(token + 1).arg(inspection.response.size()).arg(chosen.id);
  if (token >= int(inspection.distributions.size())) return text;
  const TokenDistributions& d = inspection.distributions[std::size_t(token)];
  text += QStringLiteral("<table cellspacing=0 cellpadding=1><tr><td></td>");
  static const char* const kHeads[] = {"student", "T + cue", "T", "T erased"};
  for (int c = 0; c < kConditions; ++c)
    if (!d.logProbs[c].empty()) text += QStringLiteral("<td align=right>&nbsp;&nbsp;%1</td>").arg(QLatin1String(kHeads[c]));
  text += QStringLiteral("</tr>");
  for (std::size_t i = 0; i < d.ids.size() && i < 6; ++i) {
    const QString name = tokenText(QByteArray::fromStdString(d.texts[i])).toHtmlEscaped();
    text += QStringLiteral("<tr><td>%1</td>").arg(d.ids[i] == chosen.id ? QStringLiteral("<b>%1</b>").arg(name) : name);
    for (int c = 0; c < kConditions; ++c)
      if (i < d.logProbs[c].size()) text += QStringLiteral("<td align=right>&nbsp;&nbsp;%1</td>").arg(number(std::exp(double(d.logProbs[c][i])), 2));
    text += QStringLiteral("</tr>");
  }
  text += QStringLiteral("</table>");
  QStringList facts;
  if (const int rank = rankOf(d, chosen.id, Condition::Student)) facts << QObject::tr("place %1 of the student's").arg(rank);
  else if (!d.logProbs[0].empty()) facts << QObject::tr("not among the student's first %1").arg(d.ids.size());
  if (std::isfinite(d.gap())) facts << QObject::tr("gap %1 nats").arg(signedNumber(double(d.gap()), 2));
  return text + facts.join(QStringLiteral(", "));
}

StripToken stripToken(const Token& token) {
  StripToken strip;
  strip.bytes = QByteArray::fromStdString(token.text);
  strip.special = token.special;
  strip.visual = token.visual;
  return strip;
}

std::vector<StripToken> promptTokens(const RenderedPrompt& prompt, bool hasSink) {
  std::vector<StripToken> tokens;
  for (std::size_t i = 0; i < prompt.tokens.size(); ++i) {
    tokens.push_back(stripToken(prompt.tokens[i]));
    tokens.back().cue = int(i) >= prompt.cueBegin && int(i) < prompt.cueEnd;
    tokens.back().sink = hasSink && i == 0;
  }
  return tokens;
}

TokensPanel::TokensPanel(Selection& selection, QWidget* parent) : QWidget(parent), m_selection(selection) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  m_bar = new QWidget;
  auto* bar = new QHBoxLayout(m_bar);
  bar->setContentsMargins(0, 0, 4, 0);
  bar->setSpacing(8);
  auto* caption = new ElidedLabel(tr("colour"));
  caption->setTone(ElidedLabel::Tone::Text2);
  auto* colour = new FittedCombo;
  actsAs(colour, "tokens.colour");
  colour->setLeast(96);
  m_colour = colour;
  m_colour->setToolTip(tr("What the colour of a token shows"));
  m_colour->setAccessibleName(tr("Colour of the tokens"));
  for (const TokenValue each : tokenValueOrder()) {
    m_colour->addItem(tokenValueTitle(each), int(each));
    m_colour->setItemData(m_colour->count() - 1, tokenValueExplanation(each), Qt::ToolTipRole);
  }
  m_legend = new GapLegend;
  m_note = new ElidedLabel(tr("bar: image share"));
  m_note->setTone(ElidedLabel::Tone::Text3);
  m_note->setPixelSize(11);
  m_note->setAllOrNothing(true);
  m_note->setAlignment(Qt::AlignRight);
  m_note->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  bar->addWidget(caption);
  bar->addWidget(m_colour);
  m_legend->setMaximumWidth(340);  // what is over goes to the note
  bar->addWidget(m_legend, 100);
  bar->addWidget(m_note, 1);
  m_strip = new TokenStrip;
  m_strip->setWhatsThis(tr("The tokens of the response; the chosen one is what the other panels show."));
  m_strip->setAccessibleName(tr("Tokens"));
  m_strip->setEmptyText(tr("No answer yet. Ask a question and it appears here, token by token."));
  column->addWidget(m_strip, 1);

  connect(m_colour, &QComboBox::currentIndexChanged, this, &TokensPanel::refresh);
  connect(m_strip, &TokenStrip::tokenSelected, this, [this](int token) {
    if (m_streaming) return;
    setSpan(-1, -1);
    m_selection.setToken(token);
  });
  connect(m_strip, &TokenStrip::spanSelected, this, [this](int first, int last) {
    if (m_streaming || !m_inspection) return;
    setSpan(first, last);
    // The chosen token lies in the span: it is where the drag began.
    if (m_selection.token() < first || m_selection.token() > last) m_selection.setToken(first);
  });
  connect(m_strip, &TokenStrip::promptTokenSelected, this, [this](int token) {
    if (!m_streaming && m_inspection) m_selection.setPrompt(token == m_selection.state().prompt ? -1 : token);
  });
  connect(m_strip, &TokenStrip::tokenHovered, this, [this](int token, const QPoint& global) {
    if (!m_inspection || m_streaming || token < 0 || token >= int(m_inspection->response.size())) return QToolTip::hideText();
    QToolTip::showText(global, tokenTip(*m_inspection, token), m_strip);
  });
  refresh();
}

TokenValue TokensPanel::value() const {
  return TokenValue(m_colour->currentData().toInt());
}

void TokensPanel::setValue(TokenValue value) {
  m_colour->setCurrentIndex(m_colour->findData(int(value)));
}

TokenContext TokensPanel::context() const {
  return {m_selection.state(), m_image, m_patches, m_beside.get()};
}

void TokensPanel::setPicked(int image, const std::vector<int>& patches) {
  if (image == m_image && patches == m_patches) return;
  m_image = image;
  m_patches = patches;
  m_sharesLayer = -2;
  refresh();
}

void TokensPanel::setBeside(InspectionPtr beside) {
  m_beside = std::move(beside);
  if (m_beside) setValue(TokenValue::Beside);
  else if (value() == TokenValue::Beside) setValue(TokenValue::Gap);
  refresh();
}

QString TokensPanel::barNote() const {
  return m_note->text();
}

void TokensPanel::setInspection(InspectionPtr inspection) {
  m_streaming = false;
  setSpan(-1, -1);
  m_inspection = std::move(inspection);
  m_sharesLayer = -2;
  if (m_beside && (!m_inspection || m_beside->response.size() != m_inspection->response.size())) m_beside.reset();
  m_strip->setPrompt(m_inspection ? promptTokens(m_inspection->studentPrompt, !m_inspection->cueRecovery.empty()) : std::vector<StripToken>{});
  std::vector<StripToken> response;
  if (m_inspection)
    for (std::size_t t = 0; t < m_inspection->response.size(); ++t) {
      response.push_back(stripToken(m_inspection->response[t]));
      response.back().clamped = t < m_inspection->distributions.size() && isClamped(m_inspection->distributions[t], m_limits);
    }
  m_strip->setResponse(response);
  if (m_inspection && !m_inspection->hasTeacher && value() == TokenValue::Gap) setValue(TokenValue::StudentLogProb);
  else if (m_inspection && m_inspection->hasTeacher && value() == TokenValue::StudentLogProb) setValue(TokenValue::Gap);
  refresh();
}

void TokensPanel::beginStreaming() {
  m_streaming = true;
  setSpan(-1, -1);
  m_strip->setColoring({}, {});
  m_strip->setImageShares({});
  m_strip->setSelection(-1);
  m_strip->setPrompt({});
  m_strip->setResponse({});
}

void TokensPanel::append(const Token& token) {
  if (m_streaming) m_strip->appendResponse(stripToken(token));
}

void TokensPanel::refresh() {
  TokenColoring coloring = coloringOf(value());
  if (!m_inspection || m_streaming) {
    m_legend->setColoring(coloring);
    return;
  }
  const int layer = m_selection.layer();
  const std::vector<double> values = tokenValues(*m_inspection, value(), context());
  if (value() == TokenValue::PatchShare) {  // shares of a few patches are small: the ramp ends at the largest
    coloring.high = largest(values);
    if (!(coloring.high > 0)) coloring.high = 1;
  }
  m_legend->setColoring(coloring);
  m_strip->setColoring(coloring, values);
  if (m_sharesLayer != layer || !m_patches.empty()) {
    m_sharesLayer = layer;
    QString note = tr("bar: image share");
    if (m_patches.empty()) {
      m_shares = tokenValues(*m_inspection, TokenValue::ImageShare, layer);
      if (!m_shares.empty() && std::isnan(m_shares.front())) m_shares.clear();
    } else {
      m_shares = value() == TokenValue::PatchShare ? values : tokenValues(*m_inspection, TokenValue::PatchShare, context());
      const double high = largest(m_shares);
      if (high > 0)
        for (double& v : m_shares) v /= high;
      note = m_patches.size() == 1 ? tr("bar: attention to the picked patch, longest %1").arg(significant(high, 4))
                                   : tr("bar: attention to %1 picked patches, longest %2").arg(m_patches.size()).arg(significant(high, 4));
    }
    m_note->setText(note);
    m_strip->setImageShares(m_shares);
  }
  m_strip->setPromptSelection(m_selection.site() == Site::SelfAttention ? m_selection.state().prompt : -1);
  // A span stays while the chosen token is one of it.
  if (m_span.first >= 0 && (m_selection.token() < m_span.first || m_selection.token() > m_span.second)) setSpan(-1, -1);
  if (m_span.first < 0) m_strip->setSelection(m_selection.token());
}

void TokensPanel::setSpan(int first, int last) {
  if (m_span == std::pair{first, last}) return;
  m_span = {first, last};
  Q_EMIT spanChanged(first, last);
}

void TokensPanel::step(int by, bool largeGap) {
  if (!m_inspection || m_inspection->response.empty()) return;
  const int last = int(m_inspection->response.size()) - 1;
  setSpan(-1, -1);
  int token = std::clamp(m_selection.token() + by, 0, last);
  if (largeGap) {
    const auto large = [&](int t) { return t < int(m_inspection->distributions.size()) && std::abs(m_inspection->distributions[std::size_t(t)].gap()) >= 1.0f; };
    token = m_selection.token() + by;
    while (token >= 0 && token <= last && !large(token)) token += by;
    if (token < 0 || token > last) return;  // there is none further on: the choice stays
  }
  m_selection.setToken(token);
}

void TokensPanel::changeEvent(QEvent* event) {
  if (event->type() == QEvent::PaletteChange) update();
  QWidget::changeEvent(event);
}

}  // namespace cuescope
