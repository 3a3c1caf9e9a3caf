// SegmentedButton: a few choices of which one is on, in one frame («step | tokens | time»). ← → move. UI thread.
#pragma once

#include <QStringList>
#include <QWidget>
#include <vector>

#include "widgets/icons.h"

namespace cuescope {

class SegmentedButton : public QWidget {
  Q_OBJECT
 public:
  explicit SegmentedButton(const QStringList& labels, QWidget* parent = nullptr);
  void setLabels(const QStringList& labels);
  void setCurrent(int index);
  int current() const { return m_current; }
  void next();  // to the next choice that can be taken, round
  /// A choice that cannot be taken now; the reason becomes its tooltip.
  void setChoiceEnabled(int index, bool enabled, const QString& reason = {});
  void setMono(bool mono);
  /// Icons instead of the labels, which become the tooltips of the choices.
  void setIcons(const std::vector<Icon>& icons);

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 Q_SIGNALS:
  void currentChanged(int index);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int widthOf(int index) const;
  QRect segment(int index) const;
  int at(const QPoint& position) const;
  QStringList m_labels;
  std::vector<bool> m_enabled;
  QStringList m_reasons;
  int m_current = 0, m_hover = -1;
  bool m_mono = false;
  std::vector<Icon> m_icons;
};

}  // namespace cuescope
