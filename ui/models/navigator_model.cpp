#include "ui/models/navigator_model.h"

#include <QMimeData>
#include <QUrl>

#include "ui/drags.h"

#include <QFont>

#include "widgets/theme.h"

namespace cuescope {
namespace {

const char* const kTitles[] = {"Models", "Data", "Runs", "Captures"};
const char* const kHints[] = {"Drop a Hugging Face model folder here, for example Qwen3-VL-2B-Instruct.", "Drop a verl parquet or JSONL file.",
                              "No runs yet. Start one from Train, or drop a run folder.", "Saved looks at one image appear here."};
constexpr quintptr kRoot = 0;  // internal id: 0 for groups, group + 1 for rows

Icon stateIcon(RunState state) {
  switch (state) {
    case RunState::Running: return Icon::Play;
    case RunState::Paused: return Icon::Pause;
    case RunState::Completed: return Icon::Check;
    case RunState::Failed: return Icon::Cross;
    case RunState::Ready: return Icon::Queue;
    case RunState::Stopping:
    case RunState::Stopped: return Icon::Stop;
  }
  return Icon::Run;
}

}  // namespace

NavigatorModel::NavigatorModel(Session& session, Workspace& workspace, QObject* parent)
    : QAbstractItemModel(parent), m_session(session), m_workspace(workspace) {
  rebuild();
  connect(&workspace, &Workspace::changed, this, &NavigatorModel::rebuild);
  connect(&session, &Session::runAdded, this, &NavigatorModel::rebuild);
  connect(&session, &Session::runsFound, this, &NavigatorModel::rebuild);
  connect(&session, &Session::runStatusChanged, this, [this](const RunStatus& status) {
    const QModelIndex at = runIndex(QString::fromStdString(status.run));
    if (!at.isValid()) return;
    m_rows[Runs][std::size_t(at.row())] = runRow(QString::fromStdString(status.run));
    Q_EMIT dataChanged(at, at);
  });
}

NavigatorModel::Row NavigatorModel::runRow(const QString& name) const {
  Row row;
  row.name = name;
  if (const RunRecord* run = m_session.run(name)) {
    const RunStatus& status = run->status;
    row.detail = status.state == RunState::Completed || status.totalSteps <= 0 ? QString::number(status.step)
                                                                              : QStringLiteral("%1/%2").arg(status.step).arg(status.totalSteps);
    row.icon = stateIcon(status.state);
    row.path = QString::fromStdString(status.directory);
    row.tip = QStringLiteral("%1, %2, step %3\n%4").arg(name, QString::fromLatin1(runStateName(status.state))).arg(status.step).arg(row.path);
  }
  return row;
}

void NavigatorModel::rebuild() {
  beginResetModel();
  for (auto& rows : m_rows) rows.clear();
  const auto entries = [&](Group group, const std::vector<WorkspaceEntry>& list, Icon shape) {
    for (const WorkspaceEntry& entry : list) {
      if (!m_filter.isEmpty() && !entry.name.contains(m_filter, Qt::CaseInsensitive)) continue;
      Row row;
      row.name = entry.demo ? QStringLiteral("demo ") + entry.name : entry.name;
      row.detail = entry.detail;
      row.path = entry.path;
      row.tip = entry.path;
      row.icon = shape;
      row.demo = entry.demo;
      m_rows[group].push_back(row);
    }
  };
  entries(Models, m_workspace.models(), Icon::Model);
  entries(Data, m_workspace.data(), Icon::Data);
  for (const QString& name : m_session.runs())
    if (m_filter.isEmpty() || name.contains(m_filter, Qt::CaseInsensitive)) m_rows[Runs].push_back(runRow(name));
  entries(Captures, m_workspace.captures(), Icon::Capture);
  for (int g = 0; g < GroupCount; ++g) {
    if (!m_rows[g].empty() || !m_filter.isEmpty()) continue;
    Row hint;
    hint.name = tr(kHints[g]);
    hint.hint = true;
    m_rows[g].push_back(hint);
  }
  endResetModel();
}

void NavigatorModel::setFilter(const QString& text) {
  m_filter = text.trimmed();
  rebuild();
}

QModelIndex NavigatorModel::runIndex(const QString& name) const {
  for (std::size_t i = 0; i < m_rows[Runs].size(); ++i)
    if (!m_rows[Runs][i].hint && m_rows[Runs][i].name == name) return index(int(i), 0, index(Runs, 0));
  return {};
}

QModelIndex NavigatorModel::index(int row, int column, const QModelIndex& parent) const {
  if (!hasIndex(row, column, parent)) return {};
  return parent.isValid() ? createIndex(row, column, quintptr(parent.row() + 1)) : createIndex(row, column, kRoot);
}

QModelIndex NavigatorModel::parent(const QModelIndex& child) const {
  if (!child.isValid() || child.internalId() == kRoot) return {};
  return createIndex(int(child.internalId()) - 1, 0, kRoot);
}

int NavigatorModel::rowCount(const QModelIndex& parent) const {
  if (!parent.isValid()) return GroupCount;
  if (parent.column() > 0 || parent.internalId() != kRoot) return 0;
  return int(m_rows[parent.row()].size());
}

QVariant NavigatorModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  if (index.internalId() == kRoot) {
    const auto& rows = m_rows[index.row()];
    switch (role) {
      case Qt::DisplayRole: return tr(kTitles[index.row()]);
      case Qt::FontRole: return uiFont(12, QFont::DemiBold);
      case DetailRole: return QString::number(rows.size() == 1 && rows.front().hint ? 0 : int(rows.size()));
      case GroupRole: return index.row();
      case Qt::AccessibleTextRole: return tr("%1, %2").arg(tr(kTitles[index.row()]), data(index, DetailRole).toString());
      default: return {};
    }
  }
  const int group = int(index.internalId()) - 1;
  const Row& row = m_rows[group][std::size_t(index.row())];
  switch (role) {
    case Qt::DisplayRole: return row.name;
    case Qt::DecorationRole: return row.hint ? QVariant() : QVariant(icon(row.icon));
    case Qt::ToolTipRole: return row.tip;
    case Qt::FontRole: return row.hint ? uiFont(11) : uiFont(12);
    case Qt::AccessibleTextRole: return row.detail.isEmpty() ? row.name : row.name + QStringLiteral(", ") + row.detail;
    case DetailRole: return row.detail;
    case PathRole: return row.path;
    case GroupRole: return group;
    case HintRole: return row.hint;
    default: return {};
  }
}

QStringList NavigatorModel::mimeTypes() const { return {QString::fromLatin1(kRunMime), QString::fromLatin1(kEntryMime), QStringLiteral("text/uri-list")}; }

QMimeData* NavigatorModel::mimeData(const QModelIndexList& indexes) const {
  if (indexes.isEmpty() || data(indexes.front(), HintRole).toBool()) return nullptr;
  const QString path = data(indexes.front(), PathRole).toString();
  auto* mime = new QMimeData;
  if (data(indexes.front(), GroupRole).toInt() == Runs) mime->setData(kRunMime, data(indexes.front(), Qt::DisplayRole).toString().toUtf8());
  else mime->setData(kEntryMime, path.toUtf8());
  if (!path.isEmpty()) mime->setUrls({QUrl::fromLocalFile(path)});
  return mime;
}

Qt::ItemFlags NavigatorModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  if (data(index, HintRole).toBool()) return Qt::ItemIsEnabled | Qt::ItemNeverHasChildren;
  return index.internalId() == kRoot ? Qt::ItemIsEnabled : Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsDragEnabled | Qt::ItemNeverHasChildren;
}

}  // namespace cuescope
