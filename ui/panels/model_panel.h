// ModelPanel: the shown student as a tree of modules with shapes, types, sizes and norms of its weights; the cue recovery module
// first. Headers are read at once, norms on a thread of its own: small models whole, of large ones the cue recovery module, the rest
// when it is opened. UI thread; it joins its thread when it goes.
#pragma once

#include <QWidget>
#include <thread>
#include <vector>

#include "engine/core/snapshots.h"
#include "ui/model_listing.h"

class QLineEdit;
class QTreeWidget;
class QTreeWidgetItem;

namespace cuescope {

class ElidedLabel;

class ModelPanel : public QWidget {
  Q_OBJECT
 public:
  explicit ModelPanel(QWidget* parent = nullptr);
  ~ModelPanel() override;
  /// The folder of a model; a name such as «run:student» has no files and says so.
  void setModel(const QString& folder, const ModelInfo& info);
  const ModelListing& listing() const { return m_listing; }
  const std::vector<double>& norms() const { return m_norms; }
  QTreeWidget* tree() const { return m_tree; }
  QString summary() const;

 Q_SIGNALS:
  void normsArrived();

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void load();
  void fill();
  void compute(std::vector<std::size_t> which);
  void setNorm(std::size_t tensor, double norm);
  void refreshBranch(QTreeWidgetItem* item);

  QString m_folder, m_wanted;
  std::string m_digest;  // of the weights that are listed
  ModelInfo m_info;
  ModelListing m_listing;
  std::vector<double> m_norms;
  std::vector<QTreeWidgetItem*> m_items;  // by tensor
  ElidedLabel* m_summary = nullptr;
  ElidedLabel* m_cue = nullptr;
  QLineEdit* m_filter = nullptr;
  QTreeWidget* m_tree = nullptr;
  std::vector<std::size_t> m_opened;  // tensors of branches that were opened while norms were computed
  int m_run = 0;  // tells the answers of old threads apart
  std::jthread m_thread;
};

}  // namespace cuescope
