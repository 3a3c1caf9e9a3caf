// Navigator: four trees with counts at the left edge, a filter, and what may be dropped. Hides to nothing with F9. UI thread.
#pragma once

#include <QWidget>

class QLineEdit;
class QTreeView;

namespace cuescope {

class NavigatorModel;
class Session;
class Workspace;

class Navigator : public QWidget {
  Q_OBJECT
 public:
  Navigator(Session& session, Workspace& workspace, QWidget* parent = nullptr);
  NavigatorModel* model() const { return m_model; }
  QTreeView* tree() const { return m_tree; }
  void selectRun(const QString& name);

 Q_SIGNALS:
  /// A row was opened (double click or Enter) or chosen; runs give their name, others their path.
  void modelActivated(const QString& path);
  void dataActivated(const QString& path);
  void runChosen(const QString& name);
  void runActivated(const QString& name);
  void captureActivated(const QString& path);
  void addRequested();
  void closeRequested();

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void menu(const QPoint& position);
  void activate(const QModelIndex& index);
  Workspace& m_workspace;
  NavigatorModel* m_model = nullptr;
  QTreeView* m_tree = nullptr;
  QLineEdit* m_filter = nullptr;
};

}  // namespace cuescope
