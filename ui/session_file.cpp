#include "ui/session_file.h"

#include <QDateTime>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QSaveFile>
#include <QSettings>

#include "engine/core/capture.h"

namespace cuescope {
namespace {

constexpr qsizetype kPictureLimit = 8 << 20;
constexpr qint64 kSessionLimit = 64 << 20;

// The old file stays: a person may want what is in it.
QString setAside(const QString& file) {
  QString kept = file + QStringLiteral(".bak");
  for (int n = 2; QFileInfo::exists(kept); ++n) kept = file + QStringLiteral(".bak%1").arg(n);
  return QFile::rename(file, kept) ? kept : QString();
}

QString settingsFolder() {
  return QFileInfo(QSettings().fileName()).absolutePath();
}

QJsonArray strings(const std::vector<std::string>& values) {
  QJsonArray out;
  for (const std::string& value : values) out.append(QString::fromStdString(value));
  return out;
}

}  // namespace

QString checkSettings() {
  QString file, why;
  {
    QSettings settings;
    file = settings.fileName();
    settings.sync();
    const bool empty = !QFileInfo::exists(file) || settings.allKeys().isEmpty();
    const QVariant version = settings.value(QStringLiteral("version"));
    if (settings.status() != QSettings::NoError) why = QObject::tr("could not be read");
    else if (!empty && version.toInt() != kSettingsVersion) why = version.isValid() ? QObject::tr("are of another version (%1)").arg(version.toString().left(20)) : QObject::tr("name no version");
    // A file with bytes but no keys was cut off or overwritten.
    else if (empty && QFileInfo(file).size() > 0) why = QObject::tr("hold nothing that can be read");
    if (why.isEmpty()) {
      if (version.toInt() != kSettingsVersion) settings.setValue(QStringLiteral("version"), kSettingsVersion);
      return {};
    }
  }
  const QString kept = setAside(file);
  QSettings fresh;
  fresh.clear();  // what this process had cached of the old file
  fresh.setValue(QStringLiteral("version"), kSettingsVersion);
  fresh.sync();
  if (kept.isEmpty()) return QObject::tr("The settings %1, and the old file %2 could not be kept. Defaults are used.").arg(why, file);
  return QObject::tr("The settings %1. Defaults are used; the old file is kept as %2.").arg(why, kept);
}

QJsonObject requestToJson(const InspectRequest& request) {
  QJsonObject json{{"student", QString::fromStdString(request.student)}, {"teacher", QString::fromStdString(request.teacher)},
                   {"images", strings(request.images)},                   {"image_label", QString::fromStdString(request.imageLabel)},
                   {"question", QString::fromStdString(request.question)}, {"cue", QString::fromStdString(request.cue)},
                   {"sample", QString::fromStdString(request.sampleId)},  {"response", QString::fromStdString(request.response)}};
  if (!request.imageBytes.empty() && qsizetype(request.imageBytes.size()) <= kPictureLimit)
    json["image_bytes"] = QString::fromLatin1(QByteArray(reinterpret_cast<const char*>(request.imageBytes.data()), qsizetype(request.imageBytes.size())).toBase64());
  QJsonArray evidence;
  for (const PixelBox& box : request.evidence) evidence.append(QJsonArray{box.image, box.x, box.y, box.width, box.height, QString::fromStdString(box.label)});
  json["evidence"] = evidence;
  return json;
}

InspectRequest requestFromJson(const QJsonObject& json) {
  InspectRequest request;
  const auto text = [&](const char* key) { return json[QLatin1String(key)].toString().toStdString(); };
  request.student = text("student");
  request.teacher = text("teacher");
  for (const QJsonValue& image : json["images"].toArray()) request.images.push_back(image.toString().toStdString());
  request.imageLabel = text("image_label");
  request.question = text("question");
  request.cue = text("cue");
  request.sampleId = text("sample");
  request.response = text("response");
  const QByteArray bytes = QByteArray::fromBase64(json["image_bytes"].toString().toLatin1());
  request.imageBytes.assign(bytes.begin(), bytes.end());
  for (const QJsonValue& box : json["evidence"].toArray()) {
    const QJsonArray sides = box.toArray();
    if (sides.size() != 6) continue;
    request.evidence.push_back({sides[0].toInt(), float(sides[1].toDouble()), float(sides[2].toDouble()), float(sides[3].toDouble()), float(sides[4].toDouble()), sides[5].toString().toStdString()});
  }
  return request;
}

SessionFile::SessionFile(QObject* parent) : QObject(parent), m_folder(settingsFolder()) {
  m_pool.setMaxThreadCount(1);  // writes in order
}

SessionFile::~SessionFile() {
  m_pool.waitForDone();
}

bool SessionFile::lock() {
  QDir().mkpath(m_folder);
  m_lock = std::make_unique<QLockFile>(m_folder + QStringLiteral("/session.lock"));
  m_lock->setStaleLockTime(0);  // stale when its process is gone, however old
  return m_lock->tryLock(0);
}

std::optional<SessionFile::Found> SessionFile::read(QString* notice) {
  const QString name = m_folder + QStringLiteral("/session.json");
  if (!QFileInfo::exists(name)) return std::nullopt;
  QString why;
  QJsonObject whole;
  {
    QFile file(name);
    QJsonParseError error;
    if (file.size() > kSessionLimit) why = tr("is larger than any session");
    else if (!file.open(QIODevice::ReadOnly)) why = tr("could not be opened");
    else {
      whole = QJsonDocument::fromJson(file.readAll(), &error).object();
      if (error.error != QJsonParseError::NoError) why = tr("is damaged (%1)").arg(error.errorString());
      else if (whole["format"].toInt() != kSessionFormat) why = tr("is of another version");
    }
  }
  if (!why.isEmpty()) {
    const QString kept = setAside(name);
    if (notice) *notice = kept.isEmpty() ? tr("The session %1; nothing is restored.").arg(why) : tr("The session %1; nothing is restored. The old file is kept as %2.").arg(why, kept);
    return std::nullopt;
  }
  Found found;
  found.state = whole["state"].toObject();
  found.ended = whole["ended"].toBool(true);
  found.saved = QDateTime::fromString(whole["saved"].toString(), Qt::ISODate).toString(QStringLiteral("d MMMM HH:mm:ss"));
  const QString capture = m_folder + QStringLiteral("/session.capture");
  if (QFileInfo::exists(capture)) found.capture = capture;
  return found;
}

void SessionFile::write(const QJsonObject& state, bool ended) {
  const QByteArray bytes = QJsonDocument(state).toJson(QJsonDocument::Compact);
  if (!ended && bytes == m_last) return;
  m_last = bytes;
  const QJsonObject whole{{"format", kSessionFormat}, {"saved", QDateTime::currentDateTime().toString(Qt::ISODate)}, {"ended", ended}, {"state", state}};
  m_pool.start([this, whole, name = m_folder + QStringLiteral("/session.json")] {
    QSaveFile file(name);
    if (!file.open(QIODevice::WriteOnly) || file.write(QJsonDocument(whole).toJson()) < 0 || !file.commit())
      report(tr("The session cannot be kept in %1: %2").arg(name, file.errorString()));
  });
  if (ended) m_pool.waitForDone();
}

void SessionFile::keep(const InspectionPtr& inspection, const InspectRequest& request) {
  m_pool.clear();  // an older answer that still waits is of no use; the state is written again by the next tick
  m_last.clear();
  m_pool.start([this, inspection, request, name = m_folder + QStringLiteral("/session.capture")] {
    try {
      writeCapture(name.toStdString(), *inspection, captureInfo(*inspection, request));
    } catch (...) {
      report(QString::fromStdString(currentFailure("keeping the session").text()));
    }
  });
}

void SessionFile::forgetCapture() {
  m_pool.start([name = m_folder + QStringLiteral("/session.capture")] { QFile::remove(name); });
}

// From the writing thread.
void SessionFile::report(const QString& sentence) {
  QMetaObject::invokeMethod(this, [this, sentence] {
    if (!m_reported) Q_EMIT failed(sentence);
    m_reported = true;
  }, Qt::QueuedConnection);
}

}  // namespace cuescope
