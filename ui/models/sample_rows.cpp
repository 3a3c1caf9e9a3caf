#include "ui/models/sample_rows.h"

#include <QBuffer>
#include <QFileInfo>
#include <QImageReader>
#include <QPointer>
#include <algorithm>
#include <cmath>

#include "engine/core/config.h"
#include "ui/session.h"

namespace cuescope {
namespace {

constexpr int kBatch = 24;           // ids of one job: about a screen
constexpr int kPage = 200;           // rows read at a time while an id is looked for
constexpr qint64 kKeepBytes = 96ll << 20;   // of pictures and thumbnails
constexpr qint64 kThumbBytes = 48ll << 20;  // of thumbnails among them: about a thousand
constexpr QSize kThumb(128, 96);     // device pixels: 34 px rows at up to 300 %

/// «demo-train-1912» says row 1912; -1 when the id ends with no number.
std::int64_t numberAtEnd(const std::string& id) {
  std::size_t begin = id.size();
  while (begin > 0 && id[begin - 1] >= '0' && id[begin - 1] <= '9' && id.size() - begin < 12) --begin;
  return begin < id.size() ? std::stoll(id.substr(begin)) : -1;
}

/// Rows of the ids, in one go over the files. The row that an id's number names is tried first; it is nearly always the one.
struct Hint {
  std::string file;
  std::int64_t row;
};
std::vector<DataRow> find(Engine& engine, const std::vector<std::string>& files, std::vector<std::string> ids, const std::vector<Hint>& hints, std::stop_token stop) {
  std::vector<DataRow> found;
  const auto take = [&](const DataRow& row) {
    const auto wanted = std::find(ids.begin(), ids.end(), row.id);
    if (wanted == ids.end()) return;
    ids.erase(wanted);
    found.push_back(row);
  };
  for (const Hint& hint : hints) {
    if (stop.stop_requested()) throw Cancelled();
    if (!QFileInfo::exists(QString::fromStdString(hint.file))) continue;  // the data was moved: looked for below
    for (const DataRow& row : engine.readRows(hint.file, hint.row, 1).rows)
      if (row.index == hint.row) take(row);
  }
  for (const std::string& file : files) {
    for (const std::string& id : std::vector<std::string>(ids)) {
      const std::int64_t at = numberAtEnd(id);
      if (stop.stop_requested()) throw Cancelled();
      if (at < 0) continue;
      for (const DataRow& row : engine.readRows(file, at, 1).rows)
        if (row.index == at) take(row);
    }
  }
  for (const std::string& file : files) {
    for (std::int64_t first = 0; !ids.empty(); first += kPage) {
      if (stop.stop_requested()) throw Cancelled();
      const DataRows page = engine.readRows(file, first, kPage);
      for (const DataRow& row : page.rows) take(row);
      if (first + kPage >= page.total) break;
    }
  }
  return found;
}

}  // namespace

SampleRows::SampleRows(Session& session, std::string tag, QObject* parent) : QObject(parent), m_session(session), m_tag(std::move(tag)) {
  m_timer.setSingleShot(true);
  m_timer.setInterval(20);
  connect(&m_timer, &QTimer::timeout, this, &SampleRows::ask);
}

void SampleRows::setFiles(const QStringList& files) {
  if (files == m_files) return;
  m_files = files;
  ++m_generation;
  m_rows.clear();
  m_thumbs.clear();
  m_order.clear();
  m_thumbOrder.clear();
  m_missing.clear();
  m_asked.clear();
  m_wanted.clear();
  m_hints.clear();
  m_bytes = m_thumbBytes = 0;
}

void SampleRows::hint(const QString& id, const QString& file, qint64 row) {
  if (row >= 0 && !file.isEmpty()) m_hints.insert(id, {file, row});
}

const DataRow* SampleRows::row(const QString& id) {
  const auto it = m_rows.constFind(id);
  if (it != m_rows.constEnd()) return &it.value();
  if (id.isEmpty() || (m_files.isEmpty() && !m_hints.contains(id)) || m_missing.contains(id) || m_asked.contains(id)) return nullptr;
  m_wanted.removeAll(id);
  m_wanted.prepend(id);  // what was looked at last comes first
  if (!m_timer.isActive()) m_timer.start();
  return nullptr;
}

QImage thumbnailOf(const DataRow& row) {
  const QImage image = QImage::fromData(row.image.data(), int(row.image.size()));
  return image.isNull() ? image : image.scaled(kThumb, Qt::KeepAspectRatio, Qt::SmoothTransformation);
}

QImage SampleRows::thumbnail(const QString& id) {
  const auto it = m_thumbs.constFind(id);
  if (it != m_thumbs.constEnd()) return it.value();
  const DataRow* at = row(id);
  if (!at) return {};
  const QImage image = thumbnailOf(*at);
  m_thumbs.insert(id, image);
  m_thumbOrder << id;
  m_thumbBytes += image.sizeInBytes();
  while (m_thumbBytes > kThumbBytes && m_thumbOrder.size() > kBatch) m_thumbBytes -= m_thumbs.take(m_thumbOrder.takeFirst()).sizeInBytes();
  return image;
}

void SampleRows::ask() {
  if (m_wanted.isEmpty()) return;
  QStringList ids;
  while (!m_wanted.isEmpty() && ids.size() < kBatch) ids << m_wanted.takeFirst();
  if (m_wanted.size() > 8 * kBatch) m_wanted = m_wanted.mid(0, 8 * kBatch);  // scrolled past long ago
  for (const QString& id : ids) m_asked.insert(id);
  std::vector<std::string> files, wanted;
  for (const QString& file : m_files) files.push_back(file.toStdString());
  for (const QString& id : ids) wanted.push_back(id.toStdString());
  std::vector<Hint> hints;
  for (const QString& id : ids)
    if (const auto it = m_hints.constFind(id); it != m_hints.constEnd()) hints.push_back({it->first.toStdString(), it->second});
  const QPointer<SampleRows> self(this);
  m_session.submit(m_tag, [=, generation = m_generation](Engine& engine, const EventSink&, std::stop_token stop) {
    std::vector<DataRow> found;
    try {
      found = find(engine, files, wanted, hints, stop);
    } catch (const Error&) {
      found.clear();  // a data file that has gone: the samples are shown without pictures, and say so
    }
    Session::reply(QPointer<QObject>(self.data()), [self, ids, found = std::move(found), generation] {
      if (!self || generation != self->m_generation) return;
      for (const DataRow& row : found) {
        const QString id = QString::fromStdString(row.id);
        self->m_bytes += pictureBytes(row);
        self->m_rows.insert(id, row);
        self->m_order << id;
      }
      while (self->m_bytes + self->m_thumbBytes > kKeepBytes && self->m_order.size() > kBatch) {
        const QString oldest = self->m_order.takeFirst();
        self->m_bytes -= pictureBytes(self->m_rows.value(oldest));
        self->m_rows.remove(oldest);
      }
      for (const QString& id : ids) {
        self->m_asked.remove(id);
        if (!self->m_rows.contains(id)) self->m_missing.insert(id);
      }
      for (const QString& id : ids) Q_EMIT self->arrived(id);
      if (!self->m_wanted.isEmpty()) self->m_timer.start();
    });
  }, false);
}

qint64 pictureBytes(const DataRow& row) {
  qint64 bytes = qint64(row.image.size());
  for (const auto& more : row.moreImages) bytes += qint64(more.size());
  return bytes;
}

QSize pictureSize(const DataRow& row, int picture) {
  if (picture < 0 || picture > int(row.moreImages.size())) return {};
  const std::vector<std::uint8_t>& bytes = picture == 0 ? row.image : row.moreImages[std::size_t(picture) - 1];
  QByteArray view = QByteArray::fromRawData(reinterpret_cast<const char*>(bytes.data()), qsizetype(bytes.size()));
  QBuffer buffer(&view);
  return QImageReader(&buffer).size();
}

std::vector<std::pair<int, int>> otherSizes(const DataRow& row) {
  std::vector<std::pair<int, int>> sizes;
  for (int i = 1; i <= int(row.moreImages.size()); ++i) {
    const QSize size = pictureSize(row, i);
    sizes.emplace_back(std::max(0, size.width()), std::max(0, size.height()));
  }
  return sizes;
}

HeatmapScene rowScene(const DataRow* row, int picture) {
  HeatmapScene scene;
  scene.showMap = false;
  if (!row || picture < 0 || picture > int(row->moreImages.size())) return scene;
  const std::vector<std::uint8_t>& bytes = picture == 0 ? row->image : row->moreImages[std::size_t(picture) - 1];
  scene.picture = QImage::fromData(bytes.data(), int(bytes.size())).convertToFormat(QImage::Format_RGB888);
  for (const PixelBox& box : row->evidence)
    if (box.image == picture) scene.boxes.push_back({QRectF(double(box.x), double(box.y), double(box.width), double(box.height)), QString::fromStdString(box.label), false});
  return scene;
}

std::vector<StripFrame> rowFrames(const DataRow* row) {
  std::vector<StripFrame> frames;
  for (int i = 0; row && !row->moreImages.empty() && i <= int(row->moreImages.size()); ++i) {
    StripFrame frame;
    frame.label = QObject::tr("%1 of %2").arg(i + 1).arg(row->moreImages.size() + 1);
    frame.scene = rowScene(row, i);
    frame.share = std::nan("");
    if (frame.scene.picture.height() > 160) frame.scene.picture = frame.scene.picture.scaledToHeight(160, Qt::SmoothTransformation);
    frames.push_back(std::move(frame));
  }
  return frames;
}

QStringList dataFilesOf(const QString& runDirectory) {
  const QString file = runDirectory + QStringLiteral("/config.yaml");
  QStringList files;
  if (!QFileInfo::exists(file)) return files;
  std::vector<ConfigIssue> issues;
  try {
    for (const std::string& path : readConfig(file.toStdString(), &issues).data.trainFiles) files << QString::fromStdString(resolvePath(path));
  } catch (const Error&) {
    files.clear();  // the Train page tells what is wrong with it
  }
  return files;
}

}  // namespace cuescope
