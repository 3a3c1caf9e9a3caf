// TaskProgress: what is computed now, a thin bar, the time left, cancel. Keeps its place: nothing reflows. UI thread.
#pragma once

#include <QWidget>

class QSpacerItem;
class QToolButton;

namespace cuescope {

/// The bar alone: text 2 on line strong, 4 px; total <= 0 shows a moving part only while motion is allowed, else half.
class ThinBar : public QWidget {
  Q_OBJECT
 public:
  explicit ThinBar(QWidget* parent = nullptr);
  void setValue(double done, double total);
  double fraction() const { return m_fraction; }
  QSize sizeHint() const override { return {120, 6}; }
  QSize minimumSizeHint() const override { return {40, 6}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  double m_fraction = 0;  // -1: not known
};

class TaskProgress : public QWidget {
  Q_OBJECT
 public:
  explicit TaskProgress(QWidget* parent = nullptr);
  void setTask(const QString& what, double done, double total, double secondsLeft);
  void setIdle(const QString& words);  // «Engine ready»: no bar, no cancel
  void setCancellable(bool cancellable, const QString& reason = {});

 Q_SIGNALS:
  void cancelRequested();

 private:
  class ElidedLabel* m_what = nullptr;
  ThinBar* m_bar = nullptr;
  class ElidedLabel* m_left = nullptr;
  QToolButton* m_cancel = nullptr;
  void steady();
  QSpacerItem* m_steady = nullptr;  // behind the words
  int m_widest = 0;                 // of this task's words
};

}  // namespace cuescope
