#include "ui/panels/model_panel.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QPointer>
#include <QRegularExpression>
#include <QSignalBlocker>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "ui/panels/panel.h"
#include "ui/session.h"
#include "widgets/elided_label.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

constexpr std::int64_t kWholeBytes = 64ll << 20;  // models up to this size get all norms at once
enum Column { Name, Shape, Type, Size, Norm };
constexpr int kTensor = Qt::UserRole + 1;

QString countText(std::int64_t n) {
  return n >= 1'000'000'000 ? QStringLiteral("%1 B").arg(double(n) / 1e9, 0, 'f', 2) : n >= 1'000'000 ? QStringLiteral("%1 M").arg(double(n) / 1e6, 0, 'f', 2) : n >= 10'000 ? QStringLiteral("%1 k").arg(double(n) / 1e3, 0, 'f', 1) : QString::number(n);
}

}  // namespace

ModelPanel::ModelPanel(QWidget* parent) : QWidget(parent) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* head = new Strip(30, Strip::Ground::Panel, this);
  m_summary = new ElidedLabel;
  m_filter = new QLineEdit;
  m_filter->setToolTip(tr("Shows only the modules whose name contains these words"));
  m_filter->setPlaceholderText(tr("Filter"));
  m_filter->setAccessibleName(tr("Filter the modules"));
  m_filter->setFixedWidth(120);
  m_filter->setClearButtonEnabled(true);
  head->row()->addWidget(m_summary, 1);
  head->row()->addWidget(m_filter);
  auto* cue = new Strip(24, Strip::Ground::Panel, this);
  m_cue = new ElidedLabel;
  m_cue->setPixelSize(11);
  m_cue->setTone(ElidedLabel::Tone::Text2);
  cue->row()->addWidget(m_cue, 1);
  m_tree = new QTreeWidget;
  m_tree->setAccessibleName(tr("Modules of the student"));
  m_tree->setWhatsThis(tr("Every weight of the shown student, from the headers of its files: shape, type, size, and the root of the sum of its squares. An output projection of the cue "
                          "recovery module with norm 0 adds nothing yet."));
  m_tree->setHeaderLabels({tr("Module"), tr("Shape"), tr("Type"), tr("Size"), tr("Norm")});
  m_tree->setFrameShape(QFrame::NoFrame);
  m_tree->setUniformRowHeights(true);
  m_tree->setAlternatingRowColors(false);
  m_tree->setTextElideMode(Qt::ElideMiddle);
  m_tree->header()->setSectionResizeMode(Name, QHeaderView::Stretch);
  for (int c : {Shape, Type, Size, Norm}) m_tree->header()->setSectionResizeMode(c, QHeaderView::ResizeToContents);
  m_tree->header()->setStretchLastSection(false);
  column->addWidget(head);
  column->addWidget(cue);
  column->addWidget(m_tree, 1);
  connect(m_filter, &QLineEdit::textChanged, this, [this](const QString& words) {
    for (std::size_t i = 0; i < m_items.size(); ++i) m_items[i]->setHidden(!m_listing.tensors[i].name.contains(words, Qt::CaseInsensitive));
    // A branch is shown as long as one of its leaves is.
    std::function<bool(QTreeWidgetItem*)> visible = [&](QTreeWidgetItem* item) {
      if (item->childCount() == 0) return !item->isHidden();
      bool any = false;
      for (int i = 0; i < item->childCount(); ++i) any = visible(item->child(i)) || any;
      item->setHidden(!any);
      if (any && !words.isEmpty()) item->setExpanded(true);
      return any;
    };
    for (int i = 0; i < m_tree->topLevelItemCount(); ++i) visible(m_tree->topLevelItem(i));
  });
  connect(m_tree, &QTreeWidget::itemExpanded, this, [this](QTreeWidgetItem* item) {
    std::vector<std::size_t> which;
    for (int i = 0; i < item->childCount(); ++i)
      if (const QVariant tensor = item->child(i)->data(Name, kTensor); tensor.isValid() && std::isnan(m_norms[std::size_t(tensor.toULongLong())])) which.push_back(std::size_t(tensor.toULongLong()));
    if (m_thread.joinable()) m_opened.insert(m_opened.end(), which.begin(), which.end());  // after what is computed now
    else if (!which.empty()) compute(which);
  });
  m_summary->setText(tr("No model yet"), tr("it comes with the first answer"));
}

ModelPanel::~ModelPanel() = default;

QString ModelPanel::summary() const {
  return m_summary->text() + u' ' + m_summary->dimText() + u'\n' + m_cue->text();
}

// The page names the model at every answer; files are read when the panel is looked at.
void ModelPanel::setModel(const QString& folder, const ModelInfo& info) {
  if (folder == m_wanted && info.digest == m_info.digest) return;
  m_wanted = folder;
  m_info = info;
  if (isVisible()) load();
}

void ModelPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  load();
}

void ModelPanel::load() {
  if (m_wanted == m_folder && m_info.digest == m_digest) return;
  m_folder = m_wanted;
  m_digest = m_info.digest;
  m_opened.clear();
  ++m_run;
  m_thread = {};
  m_tree->clear();
  m_items.clear();
  m_norms.clear();
  m_listing = {};
  const QString name = QString::fromStdString(m_info.name);
  try {
    m_listing = readModelListing(m_folder);
  } catch (...) {
    const Failure failure = currentFailure("listing a model");
    m_summary->setText(name.isEmpty() ? m_folder : name, m_folder.startsWith(QStringLiteral("run:")) ? tr("lives in the run; its checkpoints can be listed") : QString::fromStdString(failure.what));
    m_cue->setText({});
    return;
  }
  m_norms.assign(m_listing.tensors.size(), std::nan(""));
  m_summary->setText(tr("%1: %2 parameters").arg(name, countText(m_listing.parameters)),
                     tr("%1 tensors, %2, computed in %3").arg(m_listing.tensors.size()).arg(bytesText(double(m_listing.bytes)), QString::fromStdString(m_info.dtype)));
  QStringList layers;
  for (int layer : m_listing.injectionLayers) layers << QStringLiteral("L%1").arg(layer);
  m_cue->setText(layers.isEmpty() ? tr("No cue recovery module in this folder") : tr("Cue recovery module: %1 parameters at %2").arg(countText(m_listing.cueParameters), layers.join(QStringLiteral(", "))));
  fill();
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < m_listing.tensors.size(); ++i)
    if (isCueTensor(m_listing.tensors[i].name)) which.push_back(i);
  if (m_listing.bytes <= kWholeBytes)
    for (std::size_t i = 0; i < m_listing.tensors.size(); ++i)
      if (!isCueTensor(m_listing.tensors[i].name)) which.push_back(i);
  if (!which.empty()) compute(which);
}

void ModelPanel::fill() {
  const QSignalBlocker block(m_tree);  // opening the branches is no wish for norms
  m_items.assign(m_listing.tensors.size(), nullptr);
  QHash<QString, QTreeWidgetItem*> branches;
  const auto numbers = [](QTreeWidgetItem* item) {
    item->setFont(Name, monoFont(11));
    for (int c : {Shape, Type, Size, Norm}) {
      item->setFont(c, monoFont(11));
      item->setTextAlignment(c, Qt::AlignRight | Qt::AlignVCenter);
    }
  };
  auto* cue = m_listing.cueParameters > 0 ? new QTreeWidgetItem(m_tree, {tr("cue recovery module")}) : nullptr;
  for (std::size_t i = 0; i < m_listing.tensors.size(); ++i) {
    const TensorLine& t = m_listing.tensors[i];
    QStringList parts = t.name.split(u'.');
    QTreeWidgetItem* parent = nullptr;
    QString path;
    const bool own = cue && isCueTensor(t.name);
    qsizetype from = 0;
    if (own) {
      parent = cue;
      path = QStringLiteral("cue");
      from = parts.indexOf(QRegularExpression(QStringLiteral("^sink_.*")));
    }
    for (qsizetype p = from; p + 1 < parts.size(); ++p) {
      path += u'.' + parts[p];
      QTreeWidgetItem*& branch = branches[path];
      if (!branch) {
        branch = parent ? new QTreeWidgetItem(parent, {parts[p]}) : new QTreeWidgetItem(m_tree, {parts[p]});
        numbers(branch);
      }
      parent = branch;
    }
    auto* item = parent ? new QTreeWidgetItem(parent) : new QTreeWidgetItem(m_tree);
    item->setText(Name, parts.last());
    item->setText(Shape, shapeText(t.shape));
    item->setText(Type, t.dtype);
    item->setText(Size, bytesText(double(t.bytes)));
    item->setToolTip(Name, t.name);
    item->setData(Name, kTensor, qulonglong(i));
    numbers(item);
    m_items[i] = item;
  }
  for (int i = 0; i < m_tree->topLevelItemCount(); ++i) refreshBranch(m_tree->topLevelItem(i));
  if (cue) {
    numbers(cue);
    cue->setExpanded(true);
    for (int i = 0; i < cue->childCount(); ++i) cue->child(i)->setExpanded(true);
  }
  for (int i = 0; i < m_tree->topLevelItemCount(); ++i) m_tree->topLevelItem(i)->setExpanded(true);
}

// A branch shows the sum of what is under it; its norm is there when all of its leaves' are.
void ModelPanel::refreshBranch(QTreeWidgetItem* item) {
  double squares = 0;
  std::int64_t bytes = 0, count = 0;
  bool whole = true;
  std::function<void(QTreeWidgetItem*)> add = [&](QTreeWidgetItem* at) {
    if (const QVariant tensor = at->data(Name, kTensor); tensor.isValid()) {
      const std::size_t i = std::size_t(tensor.toULongLong());
      bytes += m_listing.tensors[i].bytes;
      count += m_listing.tensors[i].count;
      if (std::isfinite(m_norms[i])) squares += m_norms[i] * m_norms[i];
      else whole = false;
    }
    for (int i = 0; i < at->childCount(); ++i) add(at->child(i));
  };
  add(item);
  if (!item->data(Name, kTensor).isValid()) {
    item->setText(Shape, countText(count));
    item->setText(Size, bytesText(double(bytes)));
    item->setText(Norm, whole ? number(std::sqrt(squares), 3) : QString());
  }
  for (int i = 0; i < item->childCount(); ++i)
    if (item->child(i)->childCount() > 0) refreshBranch(item->child(i));
}

void ModelPanel::setNorm(std::size_t tensor, double norm) {
  m_norms[tensor] = norm;
  m_items[tensor]->setText(Norm, std::isfinite(norm) ? number(norm, 3) : tr("not finite"));
  if (norm == 0.0) m_items[tensor]->setToolTip(Norm, tr("0: what is multiplied with this adds nothing yet"));
}

void ModelPanel::compute(std::vector<std::size_t> which) {
  std::vector<TensorLine> lines;
  for (const std::size_t i : which) lines.push_back(m_listing.tensors[i]);
  m_thread = std::jthread([self = QPointer<QObject>(this), panel = this, which = std::move(which), lines = std::move(lines), run = ++m_run](std::stop_token stop) {
    std::vector<double> norms;
    for (const TensorLine& line : lines) {
      if (stop.stop_requested()) return;
      try {
        norms.push_back(tensorNorm(line));
      } catch (...) {
        norms.push_back(std::nan(""));  // the file went away meanwhile; the listing says what was there
      }
    }
    Session::reply(self, [panel, which, norms, run] {
      if (run != panel->m_run) return;
      panel->m_thread = {};
      for (std::size_t i = 0; i < which.size(); ++i) panel->setNorm(which[i], norms[i]);
      for (int i = 0; i < panel->m_tree->topLevelItemCount(); ++i) panel->refreshBranch(panel->m_tree->topLevelItem(i));
      std::vector<std::size_t> next = std::exchange(panel->m_opened, {});
      std::erase_if(next, [&](std::size_t i) { return !std::isnan(panel->m_norms[i]) || std::find(which.begin(), which.end(), i) != which.end(); });
      if (!next.empty()) panel->compute(std::move(next));
      Q_EMIT panel->normsArrived();
    });
  });
}

}  // namespace cuescope
