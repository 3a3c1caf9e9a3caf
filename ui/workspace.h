// Workspace: the models, data files and captures that the window knows, and what was opened lately. Kept in the user's
// settings; the demo's own come from the resources. Also says what a dropped path is. UI thread; owned by the main window.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <functional>
#include <vector>

namespace cuescope {

/// What a dropped or opened path is, by its looks alone; the engine judges the content.
enum class PathKind { Image, Video, Model, Data, Run, Capture, Missing, Unknown, Foreign };
PathKind kindOf(const QString& path);
QString kindWord(PathKind kind);  // "model", "data set", ...

struct WorkspaceEntry {
  QString name, path, detail;
  bool demo = false;
};

class Workspace : public QObject {
  Q_OBJECT
 public:
  explicit Workspace(QObject* parent = nullptr);

  const std::vector<WorkspaceEntry>& models() const { return m_models; }
  const std::vector<WorkspaceEntry>& data() const { return m_data; }
  const std::vector<WorkspaceEntry>& captures() const { return m_captures; }
  QStringList recent() const { return m_recent; }

  void addModel(const QString& path);
  void addData(const QString& path);
  void addCapture(const QString& path);
  void setModelDetail(const QString& path, const QString& detail);
  void addRecent(const QString& path);
  /// Out of all lists; what it returns puts it back to its places.
  std::function<void()> forget(const QString& path);

  /// Folder of the demo, with its models (weak, middle, strong, teacher) and data; may hold nothing yet.
  QString demoFolder() const { return m_demo; }
  bool isDemo(const QString& path) const;
  /// Model of the demo by name, "" if it is not there.
  QString demoModel(const QString& name) const;
  /// First demo data file whose name contains `part`, "" if none.
  QString demoData(const QString& part) const;
  /// Ready configurations: presets/*.yaml of the resources.
  QStringList presets() const;

 Q_SIGNALS:
  void changed();

 private:
  void save() const;

  QString m_demo;
  std::vector<WorkspaceEntry> m_models, m_data, m_captures;
  QStringList m_recent;
};

}  // namespace cuescope
