// LensPanel: the logit lens of the response by layer, and SharesPanel: where the chosen position's attention goes, layer by layer.
// UI thread.
#pragma once

#include <QWidget>

#include "ui/inspection_view.h"
#include "widgets/lens_grid.h"
#include "widgets/share_bars.h"

class QPushButton;

namespace cuescope {

class ElidedLabel;
class SegmentedButton;

/// Columns of the response tokens that the lens was read for.
LensTable lensTable(const Inspection& inspection);
/// Shares of the chosen response token (or prompt token) by layer, mean over heads.
std::vector<LayerShares> layerShares(const Inspection& inspection, const SelectionState& selection);

class LensPanel : public QWidget {
  Q_OBJECT
 public:
  LensPanel(Selection& selection, QWidget* parent = nullptr);
  void setInspection(InspectionPtr inspection);
  void refresh();
  void setCompute(const QString& refusal, bool busy);
  LensGrid* grid() const { return m_grid; }
  bool byEntropy() const;
  QPushButton* computeButton() const { return m_compute; }

 Q_SIGNALS:
  void computeRequested();

 private:
  Selection& m_selection;
  InspectionPtr m_inspection;
  ElidedLabel* m_title = nullptr;
  SegmentedButton* m_by = nullptr;
  QPushButton* m_compute = nullptr;
  LensGrid* m_grid = nullptr;
};

class SharesPanel : public QWidget {
  Q_OBJECT
 public:
  SharesPanel(Selection& selection, QWidget* parent = nullptr);
  void setInspection(InspectionPtr inspection);
  void refresh();
  ShareBars* bars() const { return m_bars; }

 private:
  Selection& m_selection;
  InspectionPtr m_inspection;
  ElidedLabel* m_title = nullptr;
  ShareBars* m_bars = nullptr;
};

}  // namespace cuescope
