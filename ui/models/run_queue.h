// RunQueue: runs that wait for their turn. The next one starts when nothing trains any more, here or in a process that this
// window knows; a start that fails puts its run back at the top and holds the queue, with the reason. Kept in queue.json of the
// runs' folder, replaced whole after each change: it survives the window. UI thread; owned by the Train page.
#pragma once

#include <QAbstractListModel>
#include <optional>
#include <vector>

#include "engine/core/config.h"
#include "ui/session.h"

namespace cuescope {

struct QueuedRun {
  RunConfig config;
  bool asProcess = true;
  bool starting = false;
};

class RunQueue : public QAbstractListModel {
  Q_OBJECT
 public:
  RunQueue(Session& session, QObject* parent = nullptr);

  /// Reads the queue of a folder and keeps it there from now on. A damaged file is kept beside under another name.
  void open(const QString& folder);
  QString file() const { return m_file; }

  void add(const RunConfig& config, bool asProcess);
  void remove(int row);
  void insert(int row, const QueuedRun& run);
  void move(int from, int to);
  const std::vector<QueuedRun>& items() const { return m_items; }
  int size() const { return int(m_items.size()); }
  /// While it is held nothing starts by itself.
  void setHeld(bool held, const QString& why = {});
  bool held() const { return m_held; }
  /// What the queue waits for, in a sentence; empty when it is empty or about to start.
  QString waitingFor() const;

  int rowCount(const QModelIndex& parent = {}) const override { return parent.isValid() ? 0 : size(); }
  QVariant data(const QModelIndex& index, int role) const override;

 Q_SIGNALS:
  void changed();
  void notice(const QString& words);

 private:
  void consider();
  void startNext();
  void save();
  void began();
  void failed(const Failure& failure);

  Session& m_session;
  QString m_file, m_why;
  std::vector<QueuedRun> m_items;
  bool m_held = false, m_considering = false;
};

}  // namespace cuescope
