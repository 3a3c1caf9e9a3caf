// Where Inspect's panels stand in rooms of three sizes.
#include <QSplitter>
#include <algorithm>

#include "ui/inspect_page.h"
#include "ui/layouts.h"
#include "ui/panels/panel.h"

namespace cuescope {
namespace {

constexpr int kWhatIfHeight = 104;  // head, three rows, line
constexpr int kTokensHeight = 168;  // head, two lines of the prompt, two of the response
constexpr int kMatrixHeight = 206, kScoreHeight = 204;

}  // namespace

InspectPage::Room InspectPage::roomFor(const QSize& given) const {
  return given.width() >= kWideFrom && given.height() >= 740 ? Wide : given.width() >= 1040 && given.height() >= 560 ? Narrow : Compact;
}

// The three arrangements of the design: wide as the mock-up for 1600 × 1000; narrow as the one for 1280 × 800, where what if goes to
// the right and alignment and cue score share the matrix's tabs; and one group of tabs beside the map where there is less.
void InspectPage::placePanels() {
  const auto tabs = [&](std::initializer_list<const char*> names) {
    QList<Panel*> shared;
    for (const char* name : names) shared << panel(name);
    return new PanelStack(shared);
  };
  QSplitter *lower = nullptr, *lowerRight = nullptr;
  if (room() == Wide) {
    m_left->addWidget(panel("what-if"));
    m_left->addWidget(panel("tokens"));
    m_right->addWidget(tabs({"matrix", "shares", "model", "steps", "recipe"}));
    lowerRight = madeSplitter(Qt::Vertical);
    lowerRight->addWidget(panel("alignment"));
    lowerRight->addWidget(panel("cue-score"));
    lower = madeSplitter(Qt::Horizontal);
    lower->addWidget(tabs({"distributions", "change", "lens"}));
    lower->addWidget(lowerRight);
    lower->setStretchFactor(0, 1);
    lower->setStretchFactor(1, 1);
    m_right->addWidget(lower);
  } else if (room() == Narrow) {
    m_left->addWidget(panel("tokens"));
    m_right->addWidget(tabs({"matrix", "alignment", "cue-score", "shares", "model", "steps", "recipe"}));
    m_right->addWidget(panel("what-if"));
    m_right->addWidget(tabs({"distributions", "change", "lens"}));
  } else {
    m_right->addWidget(tabs({"distributions", "tokens", "matrix", "what-if", "alignment", "cue-score", "change", "lens", "shares", "model", "steps", "recipe"}));
  }
  m_lower = lower, m_lowerRight = lowerRight;
}

void InspectPage::defaultSizes() {
  if (room() == Wide) {
    m_columns->setSizes({716, 667});
    const int height = std::max(700, m_columns->height());
    m_left->setSizes({height - kWhatIfHeight - kTokensHeight - 2, kWhatIfHeight, kTokensHeight});
    m_right->setSizes({kMatrixHeight, height - kMatrixHeight - 1});
    if (m_lower) m_lower->setSizes({334, 333});
    if (m_lowerRight) m_lowerRight->setSizes({height - kMatrixHeight - kScoreHeight - 2, kScoreHeight});
  } else if (room() == Narrow) {
    m_columns->setSizes({620, 620});
    m_left->setSizes({500, 158});
    m_right->setSizes({202, kWhatIfHeight, 352});
  } else {
    m_columns->setSizes({420, 340});
  }
}

}  // namespace cuescope
