#include "ui/workspace.h"

#include <QDir>
#include <QDirIterator>
#include <QHash>
#include <QFileInfo>
#include <QSettings>
#include <algorithm>

#include "engine/core/engine_loader.h"
#include "engine/core/foreign_run.h"
#include "engine/core/run_directory.h"

namespace cuescope {
namespace {

constexpr int kRecentLimit = 20;

void put(std::vector<WorkspaceEntry>& list, const QString& path, bool demo) {
  const QString clean = QDir::cleanPath(path);
  const bool known = std::any_of(list.begin(), list.end(), [&](const WorkspaceEntry& entry) { return entry.path == clean; });
  if (!known) list.push_back({QFileInfo(clean).fileName(), clean, {}, demo});
}

QStringList paths(const std::vector<WorkspaceEntry>& list) {
  QStringList out;
  for (const WorkspaceEntry& entry : list)
    if (!entry.demo) out << entry.path;
  return out;
}

}  // namespace

PathKind kindOf(const QString& path) {
  const QFileInfo info(path);
  if (!info.exists()) return PathKind::Missing;
  if (info.isDir()) {
    const QDir folder(path);
    if (RunReader::isRunDirectory(path.toStdString())) return PathKind::Run;
    if (folder.exists(QStringLiteral("config.json"))) return PathKind::Model;
    if (!findForeignRun(path.toStdString()).empty()) return PathKind::Foreign;
    return PathKind::Unknown;
  }
  // Only JSONL and event files can be a run of another program; nothing else is looked into.
  if ((info.suffix() == u"jsonl" || info.fileName().contains(QStringLiteral("tfevents"))) && !findForeignRun(path.toStdString()).empty()) return PathKind::Foreign;
  static const QHash<QString, PathKind> kKinds = {
      {"png", PathKind::Image},   {"jpg", PathKind::Image},   {"jpeg", PathKind::Image},     {"webp", PathKind::Image},
      {"bmp", PathKind::Image},   {"tif", PathKind::Image},   {"tiff", PathKind::Image},     {"gif", PathKind::Image},
      {"mp4", PathKind::Video},   {"avi", PathKind::Video},   {"mov", PathKind::Video},      {"mkv", PathKind::Video},
      {"webm", PathKind::Video},  {"parquet", PathKind::Data}, {"jsonl", PathKind::Data},    {"capture", PathKind::Capture},
      {"cuescope", PathKind::Capture}};
  return kKinds.value(info.suffix().toLower(), PathKind::Unknown);
}

QString kindWord(PathKind kind) {
  switch (kind) {
    case PathKind::Image: return QObject::tr("image");
    case PathKind::Video: return QObject::tr("video");
    case PathKind::Model: return QObject::tr("model");
    case PathKind::Data: return QObject::tr("data set");
    case PathKind::Run: return QObject::tr("run");
    case PathKind::Capture: return QObject::tr("capture");
    case PathKind::Foreign: return QObject::tr("run of another program");
    case PathKind::Missing: return QObject::tr("missing");
    case PathKind::Unknown: return QObject::tr("file");
  }
  return {};
}

Workspace::Workspace(QObject* parent)
    : QObject(parent), m_demo(QDir::cleanPath(QString::fromStdString(resourceFolder()) + QStringLiteral("/demo"))) {
  const QDir demo(m_demo);
  // The order of skill: what is distilled first, what teaches last.
  QStringList folders = demo.entryList(QDir::Dirs | QDir::NoDotAndDotDot, QDir::Name);
  const QStringList order = {QStringLiteral("weak"), QStringLiteral("middle"), QStringLiteral("strong"), QStringLiteral("teacher")};
  std::stable_sort(folders.begin(), folders.end(), [&](const QString& a, const QString& b) {
    const auto place = [&](const QString& name) {
      for (int i = 0; i < order.size(); ++i)
        if (name.contains(order[i])) return i;
      return int(order.size());
    };
    return place(a) < place(b);
  });
  for (const QString& folder : folders)
    if (demo.exists(folder + QStringLiteral("/config.json"))) put(m_models, demo.filePath(folder), true);
  const QDir data(demo.filePath(QStringLiteral("data")));
  for (const QString& file : data.entryList({QStringLiteral("*.parquet"), QStringLiteral("*.jsonl")}, QDir::Files, QDir::Name))
    put(m_data, data.filePath(file), true);
  QSettings settings;
  for (const QString& path : settings.value(QStringLiteral("workspace/models")).toStringList()) put(m_models, path, false);
  for (const QString& path : settings.value(QStringLiteral("workspace/data")).toStringList()) put(m_data, path, false);
  for (const QString& path : settings.value(QStringLiteral("workspace/captures")).toStringList())
    if (QFileInfo::exists(path)) put(m_captures, path, false);
  m_recent = settings.value(QStringLiteral("workspace/recent")).toStringList();
}

void Workspace::save() const {
  QSettings settings;
  settings.setValue(QStringLiteral("workspace/models"), paths(m_models));
  settings.setValue(QStringLiteral("workspace/data"), paths(m_data));
  settings.setValue(QStringLiteral("workspace/captures"), paths(m_captures));
  settings.setValue(QStringLiteral("workspace/recent"), m_recent);
}

void Workspace::addModel(const QString& path) {
  put(m_models, path, isDemo(path));
  save();
  Q_EMIT changed();
}

void Workspace::addData(const QString& path) {
  put(m_data, path, isDemo(path));
  save();
  Q_EMIT changed();
}

void Workspace::addCapture(const QString& path) {
  put(m_captures, path, false);
  save();
  Q_EMIT changed();
}

void Workspace::setModelDetail(const QString& path, const QString& detail) {
  for (WorkspaceEntry& entry : m_models)
    if (entry.path == QDir::cleanPath(path)) entry.detail = detail;
  Q_EMIT changed();
}

void Workspace::addRecent(const QString& path) {
  const QString clean = QDir::cleanPath(path);
  m_recent.removeAll(clean);
  m_recent.prepend(clean);
  while (m_recent.size() > kRecentLimit) m_recent.removeLast();
  save();
  Q_EMIT changed();
}

std::function<void()> Workspace::forget(const QString& path) {
  const QString clean = QDir::cleanPath(path);
  std::vector<std::function<void()>> places;
  for (auto* list : {&m_models, &m_data, &m_captures}) {
    const auto at = std::find_if(list->begin(), list->end(), [&](const WorkspaceEntry& entry) { return entry.path == clean && !entry.demo; });
    if (at == list->end()) continue;
    places.push_back([list, entry = *at, place = at - list->begin()] {
      const bool known = std::any_of(list->begin(), list->end(), [&](const WorkspaceEntry& each) { return each.path == entry.path; });
      if (!known) list->insert(list->begin() + std::min<std::ptrdiff_t>(place, std::ssize(*list)), entry);
    });
    list->erase(at);
  }
  if (const qsizetype place = m_recent.indexOf(clean); place >= 0) {
    places.push_back([this, clean, place] {
      if (!m_recent.contains(clean)) m_recent.insert(std::min(place, m_recent.size()), clean);
    });
    m_recent.removeAll(clean);
  }
  save();
  Q_EMIT changed();
  return [this, places] {
    for (const auto& back : places) back();
    save();
    Q_EMIT changed();
  };
}

bool Workspace::isDemo(const QString& path) const {
  return QDir::cleanPath(path).startsWith(m_demo + u'/');
}

QString Workspace::demoModel(const QString& name) const {
  for (const WorkspaceEntry& entry : m_models)
    if (entry.demo && entry.name.contains(name)) return entry.path;
  return {};
}

QString Workspace::demoData(const QString& part) const {
  for (const WorkspaceEntry& entry : m_data)
    if (entry.demo && entry.name.contains(part)) return entry.path;
  return {};
}

QStringList Workspace::presets() const {
  QStringList files;
  QDirIterator folder(QString::fromStdString(resourceFolder()) + QStringLiteral("/presets"), {QStringLiteral("*.yaml")}, QDir::Files, QDirIterator::Subdirectories);
  while (folder.hasNext()) files << folder.next();
  files.sort();
  return files;
}

}  // namespace cuescope
