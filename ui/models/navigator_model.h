// NavigatorModel: the four trees of the navigator (Models, Data, Runs, Captures) over Workspace and Session. Groups that are
// empty hold one row that says what may be dropped. Rebuilt when either changes; run rows change in place. UI thread.
#pragma once

#include <QAbstractItemModel>
#include <vector>

#include "ui/session.h"
#include "ui/workspace.h"
#include "widgets/icons.h"

namespace cuescope {

class NavigatorModel : public QAbstractItemModel {
  Q_OBJECT
 public:
  enum Group { Models, Data, Runs, Captures, GroupCount };
  enum Role { DetailRole = Qt::UserRole + 1, PathRole, GroupRole, HintRole };

  NavigatorModel(Session& session, Workspace& workspace, QObject* parent = nullptr);

  QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
  QModelIndex parent(const QModelIndex& child) const override;
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override { return 1; }
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;
  /// A run by its name, a model or data file by its path; outside the window all are their files.
  QStringList mimeTypes() const override;
  QMimeData* mimeData(const QModelIndexList& indexes) const override;
  void setFilter(const QString& text);
  QModelIndex runIndex(const QString& name) const;

 private:
  struct Row {
    QString name, detail, path, tip;
    Icon icon = Icon::Model;
    bool hint = false;
    bool demo = false;
  };
  void rebuild();
  Row runRow(const QString& name) const;

  Session& m_session;
  Workspace& m_workspace;
  QString m_filter;
  std::vector<Row> m_rows[GroupCount];
};

}  // namespace cuescope
