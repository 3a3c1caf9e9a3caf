// Navigator: four trees with counts at the left edge, a filter, and what may be dropped; or, in a narrow window and with F9, a rail
// of 38 px with an icon for each tree. UI thread.
#pragma once

#include <QWidget>

class QLineEdit;
class QTreeView;

namespace cuescope {

class NavigatorModel;
class NavigatorRail;
class Session;
class Workspace;

class Navigator : public QWidget {
  Q_OBJECT
 public:
  Navigator(Session& session, Workspace& workspace, QWidget* parent = nullptr);
  NavigatorModel* model() const { return m_model; }
  QTreeView* tree() const { return m_tree; }
  void selectRun(const QString& name);
  void setRail(bool rail);
  bool isRail() const { return m_isRail; }
  NavigatorRail* rail() const { return m_rail; }

 Q_SIGNALS:
  /// A row was opened (double click or Enter) or chosen; runs give their name, others their path.
  void modelActivated(const QString& path);
  void dataActivated(const QString& path);
  void runChosen(const QString& name);
  void runCompared(const QString& name);    // Ctrl+click: laid over the shown one
  void modelCompared(const QString& path);  // the same: another student beside the shown one
  void runActivated(const QString& name);
  void captureActivated(const QString& path);
  void addRequested();
  void forgetRequested(const QString& path);  // out of the list
  void railRequested(bool rail);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void menu(const QPoint& position);
  void activate(const QModelIndex& index);
  Workspace& m_workspace;
  NavigatorModel* m_model = nullptr;
  QTreeView* m_tree = nullptr;
  QString m_run;  // marked
  QLineEdit* m_filter = nullptr;
  QWidget* m_whole = nullptr;
  NavigatorRail* m_rail = nullptr;
  bool m_isRail = false;
};

}  // namespace cuescope
