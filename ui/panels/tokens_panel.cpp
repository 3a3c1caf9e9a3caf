#include "ui/panels/tokens_panel.h"

#include <QComboBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QPainter>
#include <QToolTip>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/panels/panel.h"
#include "widgets/elided_label.h"

namespace cuescope {

// The range of the colouring, written at both ends.
class GapLegend : public QWidget {
 public:
  explicit GapLegend(QWidget* parent = nullptr) : QWidget(parent) { setFixedHeight(20); }
  void setColoring(const TokenColoring& coloring) {
    m_coloring = coloring;
    setAccessibleName(coloring.name + u' ' + coloring.unit);
    setToolTip(coloring.kind == TokenColoring::Kind::Gap
                   ? tr("Gap = log p(teacher + cue) − log p(student): orange where the teacher is surer, blue where the student is")
                   : coloring.name);
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
    const QString left = gap ? tr("student −%1").arg(number(m_coloring.limit, 0)) : number(m_coloring.low, 0);
    const QString right = gap ? tr("+%1 teacher + cue, %2").arg(number(m_coloring.limit, 0), m_coloring.unit)
                              : QStringLiteral("%1 %2").arg(number(m_coloring.high, 0), m_coloring.unit);
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
  }
  return {};
}

TokenColoring coloringOf(TokenValue value) {
  TokenColoring coloring;
  coloring.name = tokenValueTitle(value);
  coloring.unit = QStringLiteral("nats");
  coloring.kind = TokenColoring::Kind::Sequential;
  switch (value) {
    case TokenValue::None: coloring.kind = TokenColoring::Kind::None; break;
    case TokenValue::Gap:
    case TokenValue::K1: coloring.kind = TokenColoring::Kind::Gap; break;
    case TokenValue::StudentLogProb:
    case TokenValue::TeacherLogProb:
    case TokenValue::PlainLogProb:
      coloring.low = -6;
      coloring.high = 0;
      break;
    case TokenValue::Jsd: coloring.high = 1; break;
    case TokenValue::ImageShare:
      coloring.high = 1;
      coloring.unit = QStringLiteral("of attention");
      break;
    default: coloring.high = 4; break;
  }
  return coloring;
}

std::vector<double> tokenValues(const Inspection& inspection, TokenValue value, int layer) {
  std::vector<double> values;
  for (std::size_t t = 0; t < inspection.response.size(); ++t) {
    if (value == TokenValue::ImageShare) {
      values.push_back(double(imageShare(inspection, int(t), layer)));
      continue;
    }
    if (t >= inspection.distributions.size()) {
      values.push_back(std::nan(""));
      continue;
    }
    const TokenDistributions& d = inspection.distributions[t];
    const double gap = double(d.gap());
    switch (value) {
      case TokenValue::Gap: values.push_back(gap); break;
      case TokenValue::K1: values.push_back(-gap); break;
      case TokenValue::K3: values.push_back(std::exp(gap) - gap - 1); break;
      case TokenValue::ForwardKl: values.push_back(double(d.klTeacherStudent)); break;
      case TokenValue::ReverseKl: values.push_back(double(d.klStudentTeacher)); break;
      case TokenValue::Jsd: values.push_back(double(d.jsd)); break;
      case TokenValue::StudentLogProb: values.push_back(double(d.sampled[0])); break;
      case TokenValue::TeacherLogProb: values.push_back(double(d.sampled[1])); break;
      case TokenValue::PlainLogProb: values.push_back(double(d.sampled[2])); break;
      case TokenValue::Entropy: values.push_back(double(d.entropy[0])); break;
      case TokenValue::TeacherEntropy: values.push_back(double(d.entropy[1])); break;
      default: values.push_back(std::nan("")); break;
    }
  }
  return values;
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
  auto* bar = new Strip(30, Strip::Ground::Panel, this);
  auto* caption = new ElidedLabel(tr("colour"));
  caption->setTone(ElidedLabel::Tone::Text2);
  m_colour = new QComboBox;
  m_colour->setAccessibleName(tr("Colour of the tokens"));
  for (int i = 0; i < kTokenValues; ++i) m_colour->addItem(tokenValueTitle(TokenValue(i)));
  m_legend = new GapLegend;
  auto* note = new ElidedLabel(tr("bar: image share"));
  note->setTone(ElidedLabel::Tone::Text3);
  note->setPixelSize(11);
  note->setAlignment(Qt::AlignRight);
  bar->row()->addWidget(caption);
  bar->row()->addWidget(m_colour);
  bar->row()->addWidget(m_legend, 3);
  bar->row()->addWidget(note, 1);
  m_strip = new TokenStrip;
  m_strip->setAccessibleName(tr("Tokens"));
  m_strip->setEmptyText(tr("No answer yet. Ask a question and it appears here, token by token."));
  column->addWidget(bar);
  column->addWidget(m_strip, 1);

  connect(m_colour, &QComboBox::currentIndexChanged, this, &TokensPanel::refresh);
  connect(m_strip, &TokenStrip::tokenSelected, this, [this](int token) {
    if (!m_streaming) m_selection.setToken(token);
  });
  connect(m_strip, &TokenStrip::tokenHovered, this, [this](int token, const QPoint& global) {
    if (!m_inspection || token < 0 || token >= int(m_inspection->distributions.size())) return QToolTip::hideText();
    const TokenDistributions& d = m_inspection->distributions[std::size_t(token)];
    QString text = tr("<b>%1</b> response %2 of %3, id %4<table cellspacing=0>")
                       .arg(tokenWords(m_inspection->response[std::size_t(token)]).toHtmlEscaped())
                       .arg(token + 1)
                       .arg(m_inspection->response.size())
                       .arg(m_inspection->response[std::size_t(token)].id);
    for (std::size_t i = 0; i < d.ids.size() && i < 5; ++i) {
      text += QStringLiteral("<tr><td>%1&nbsp;&nbsp;</td>").arg(tokenText(QByteArray::fromStdString(d.texts[i])).toHtmlEscaped());
      for (int c = 0; c < 2; ++c)
        if (i < d.logProbs[c].size())
          text += QStringLiteral("<td align=right>%1 %2&nbsp;&nbsp;</td>")
                      .arg(c == 0 ? tr("student") : tr("teacher + cue"), number(std::exp(double(d.logProbs[c][i])), 2));
      text += QStringLiteral("</tr>");
    }
    if (std::isfinite(d.gap())) text += QStringLiteral("<tr><td colspan=3>%1</td></tr>").arg(tr("gap %1 nats").arg(signedNumber(double(d.gap()), 2)));
    QToolTip::showText(global, text + QStringLiteral("</table>"), m_strip);
  });
  refresh();
}

TokenValue TokensPanel::value() const {
  return TokenValue(m_colour->currentIndex());
}

void TokensPanel::setInspection(InspectionPtr inspection) {
  m_streaming = false;
  m_inspection = std::move(inspection);
  m_strip->setPrompt(m_inspection ? promptTokens(m_inspection->studentPrompt, !m_inspection->cueRecovery.empty()) : std::vector<StripToken>{});
  std::vector<StripToken> response;
  if (m_inspection)
    for (const Token& token : m_inspection->response) response.push_back(stripToken(token));
  m_strip->setResponse(response);
  if (m_inspection && !m_inspection->hasTeacher && value() == TokenValue::Gap) m_colour->setCurrentIndex(int(TokenValue::StudentLogProb));
  else if (m_inspection && m_inspection->hasTeacher && value() == TokenValue::StudentLogProb) m_colour->setCurrentIndex(int(TokenValue::Gap));
  refresh();
}

void TokensPanel::beginStreaming() {
  m_streaming = true;
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
  m_legend->setColoring(coloring);
  if (!m_inspection || m_streaming) return;
  const int layer = m_selection.layer();
  m_strip->setColoring(coloring, tokenValues(*m_inspection, value(), layer));
  std::vector<double> shares = tokenValues(*m_inspection, TokenValue::ImageShare, layer);
  if (!shares.empty() && std::isnan(shares.front())) shares.clear();
  m_strip->setImageShares(shares);
  m_strip->setSelection(m_selection.token());
}

void TokensPanel::step(int by, bool largeGap) {
  if (!m_inspection || m_inspection->response.empty()) return;
  const int last = int(m_inspection->response.size()) - 1;
  int token = std::clamp(m_selection.token() + by, 0, last);
  if (largeGap) {
    while (token > 0 && token < last &&
           !(token < int(m_inspection->distributions.size()) && std::abs(m_inspection->distributions[std::size_t(token)].gap()) >= 1.0f))
      token += by;
  }
  m_selection.setToken(token);
}

void TokensPanel::changeEvent(QEvent* event) {
  if (event->type() == QEvent::PaletteChange) update();
  QWidget::changeEvent(event);
}

}  // namespace cuescope
