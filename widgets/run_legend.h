// RunLegend: which line of the curves is which run: a title, then each run's line sample and name, the selected run first. Names
// share the width that is there and elide in the middle; the tooltip has them whole. UI thread.
#pragma once

#include <QStringList>
#include <QWidget>

namespace cuescope {

class RunLegend : public QWidget {
  Q_OBJECT
 public:
  explicit RunLegend(const QString& title, QWidget* parent = nullptr);
  void setRuns(const QStringList& names);
  QStringList runs() const { return m_runs; }
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_title;
  QStringList m_runs;
};

}  // namespace cuescope
