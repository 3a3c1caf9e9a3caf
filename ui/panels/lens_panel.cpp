#include "ui/panels/lens_panel.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/acts_as.h"
#include "ui/panels/panel.h"
#include "widgets/elided_label.h"
#include "widgets/segmented_button.h"
#include "widgets/token_strip.h"

namespace cuescope {

LensTable lensTable(const Inspection& inspection) {
  LensTable table;
  const LogitLens& lens = inspection.logitLens;
  if (lens.empty()) return table;
  std::vector<std::size_t> columns;
  for (int t = 0; t < int(inspection.response.size()); ++t) {
    const auto found = std::find(lens.positions.begin(), lens.positions.end(), inspection.predicting(t));
    if (found == lens.positions.end()) continue;
    columns.push_back(std::size_t(found - lens.positions.begin()));
    table.tokens.push_back(t);
    table.names.push_back(tokenWords(inspection.response[std::size_t(t)]));
  }
  if (columns.empty()) return table;
  table.layers = lens.layers;
  for (std::size_t l = 0; l < lens.layers.size(); ++l)
    for (const std::size_t column : columns) {
      LensCell cell;
      const std::size_t at = lens.at(l, column);
      for (int k = 0; k < lens.top; ++k) {
        const std::size_t i = at * std::size_t(lens.top) + std::size_t(k);
        if (i >= lens.logProbs.size()) break;
        cell.texts.push_back(tokenText(QByteArray::fromStdString(lens.texts[i])));
        cell.probabilities.push_back(std::exp(double(lens.logProbs[i])));
      }
      cell.chosen = at < lens.chosen.size() ? std::exp(double(lens.chosen[at])) : std::nan("");
      cell.entropy = at < lens.entropy.size() ? double(lens.entropy[at]) : std::nan("");
      table.cells.push_back(std::move(cell));
    }
  return table;
}

std::vector<LayerShares> layerShares(const Inspection& inspection, const SelectionState& selection) {
  std::vector<LayerShares> out;
  SelectionState at = selection;
  at.site = Site::SelfAttention;
  const AttentionStack* stack = stackOf(inspection, at);
  const int query = stack ? queryOf(inspection, *stack, at) : -1;
  if (query < 0) return out;
  for (std::size_t l = 0; l < stack->layers.size(); ++l) {
    LayerShares shares{stack->layers[l], 0, std::nan(""), std::nan("")};
    const float* first = stack->map(std::size_t(query), l, 0);
    for (std::size_t i = 0; i < std::size_t(stack->heads) * std::size_t(stack->keys); ++i) shares.image += double(first[i]);
    shares.image /= stack->heads;
    const auto mean = [&](const std::vector<float>& values) {
      if (values.empty()) return std::nan("");
      double sum = 0;
      for (int h = 0; h < stack->heads; ++h) sum += double(values[(std::size_t(query) * stack->layers.size() + l) * std::size_t(stack->heads) + std::size_t(h)]);
      return sum / stack->heads;
    };
    shares.text = mean(stack->textShare);
    shares.sink = mean(stack->sinkShare);
    out.push_back(shares);
  }
  return out;
}

LensPanel::LensPanel(Selection& selection, QWidget* parent) : QWidget(parent), m_selection(selection) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* head = new Strip(32, Strip::Ground::Panel, this);
  m_title = new ElidedLabel;
  m_title->setPixelSize(11);
  m_title->setTone(ElidedLabel::Tone::Text2);
  m_by = new SegmentedButton({tr("p of the token"), tr("entropy")});
  m_by->setAccessibleName(tr("Colour of the cells"));
  m_by->setToolTip(tr("Yellow is certain: the probability of the token that comes, or little entropy"));
  m_compute = new QPushButton(tr("Compute"));
  actsAs(m_by, "lens.colour");
  actsAs(m_compute, "lens.compute");
  head->row()->addWidget(m_title, 1);
  head->row()->addWidget(m_by);
  head->row()->addWidget(m_compute);
  m_grid = new LensGrid;
  m_grid->setWhatsThis(siteExplanation(Site::LogitLens));
  m_grid->setEmptyText(tr("The logit lens was not computed"), tr("It reads every layer's state with the language head: what the student would say if it stopped there"));
  column->addWidget(head);
  column->addWidget(m_grid, 1);
  connect(m_by, &SegmentedButton::currentChanged, this, [this](int index) { m_grid->setByEntropy(index == 1); });
  connect(m_compute, &QPushButton::clicked, this, &LensPanel::computeRequested);
  connect(m_grid, &LensGrid::picked, this, [this](int layer, int token) {
    SelectionState next = m_selection.state();
    next.layer = layer;
    next.token = token;
    next.prompt = -1;
    m_selection.set(next);
  });
  refresh();
}

void LensPanel::setInspection(InspectionPtr inspection) {
  m_inspection = std::move(inspection);
  m_grid->setTable(m_inspection ? lensTable(*m_inspection) : LensTable{});
  refresh();
}

bool LensPanel::byEntropy() const {
  return m_by->current() == 1;
}

void LensPanel::setCompute(const QString& refusal, bool busy) {
  m_compute->setText(busy ? tr("Computing …") : tr("Compute"));
  m_compute->setEnabled(refusal.isEmpty() && !busy);
  m_compute->setToolTip(refusal.isEmpty() ? tr("Read every layer's state at every response token") : refusal);
}

void LensPanel::refresh() {
  const bool there = !m_grid->table().empty();
  m_compute->setVisible(!there);
  m_by->setVisible(there);
  m_title->setText(there ? tr("Most likely token after each layer") : tr("Logit lens"));
  m_grid->setSelection(m_selection.layer(), m_selection.token());
}

SharesPanel::SharesPanel(Selection& selection, QWidget* parent) : QWidget(parent), m_selection(selection) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* head = new Strip(26, Strip::Ground::Panel, this);
  m_title = new ElidedLabel;
  m_title->setPixelSize(11);
  m_title->setTone(ElidedLabel::Tone::Text2);
  head->row()->addWidget(m_title, 1);
  m_bars = new ShareBars;
  m_bars->setEmptyText(tr("No attention shares yet. They come with the answer."));
  m_bars->setWhatsThis(tr("Where the chosen position's attention goes at each layer, mean over heads: to the image, to text, to the sink. They sum to 1."));
  auto* area = new QScrollArea;
  area->setWidgetResizable(true);
  area->setFrameShape(QFrame::NoFrame);
  area->setFocusPolicy(Qt::NoFocus);
  area->setWidget(m_bars);
  column->addWidget(head);
  column->addWidget(area, 1);
  connect(m_bars, &ShareBars::layerPicked, this, [this](int layer) {
    SelectionState next = m_selection.state();
    next.site = Site::SelfAttention;
    next.layer = layer;
    m_selection.set(next);
  });
  refresh();
}

void SharesPanel::setInspection(InspectionPtr inspection) {
  m_inspection = std::move(inspection);
  refresh();
}

void SharesPanel::refresh() {
  const SelectionState& state = m_selection.state();
  if (!m_inspection) {
    m_title->setText(tr("Attention by layer"));
    m_bars->setShares({});
    return;
  }
  const bool prompt = state.prompt >= 0 && state.site == Site::SelfAttention && state.prompt < int(m_inspection->studentPrompt.tokens.size());
  const bool token = state.token >= 0 && state.token < int(m_inspection->response.size());
  m_title->setText(prompt  ? tr("Prompt token %1 “%2”").arg(state.prompt).arg(tokenWords(m_inspection->studentPrompt.tokens[std::size_t(state.prompt)]))
                   : token ? tr("Token %1 “%2”").arg(state.token).arg(tokenWords(m_inspection->response[std::size_t(state.token)]))
                           : tr("No token chosen"),
                   tr("share of attention, mean of heads"));
  m_bars->setShares(layerShares(*m_inspection, state));
  m_bars->setSelectedLayer(state.layer);
}

}  // namespace cuescope
