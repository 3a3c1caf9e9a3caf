// NavigatorRail: the navigator in 38 px: an icon for each of its four trees, whose entries are a menu. UI thread.
#pragma once

#include <QWidget>

class QMenu;
class QToolButton;

namespace cuescope {

class NavigatorModel;

class NavigatorRail : public QWidget {
  Q_OBJECT
 public:
  static constexpr int kWidth = 38;
  explicit NavigatorRail(NavigatorModel* model, QWidget* parent = nullptr);
  QToolButton* button(int group) const { return m_buttons[group]; }

 Q_SIGNALS:
  void activated(const QModelIndex& index);
  void openRequested();
  void addRequested();

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void fill(int group);
  NavigatorModel* m_model;
  QToolButton* m_buttons[4] = {};
  QMenu* m_menus[4] = {};
};

}  // namespace cuescope
