// The tour's bad files: each must end as a message in the panel, and cost neither memory nor the studio.
#include <QDir>
#include <QFile>
#include <QImage>
#include <QPainter>
#include <QtEndian>

#include "ui/export.h"
#include "ui/inspect_page.h"
#include "ui/status_strip.h"
#include "ui/tour.h"
#include "widgets/error_panel.h"

namespace cuescope {

QByteArray drawnPhotograph() {
  QImage image(320, 240, QImage::Format_RGB32);
  QPainter painter(&image);
  for (int y = 0; y < 240; ++y) {
    painter.setPen(QColor(90 + y / 3, 140 + y / 4, 200 - y / 2));
    painter.drawLine(0, y, 319, y);
  }
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setBrush(QColor(230, 180, 60));
  painter.drawEllipse(QPointF(90, 70), 36, 36);
  painter.setBrush(QColor(60, 90, 50));
  painter.drawPolygon(QPolygonF({{0, 240}, {150, 120}, {320, 240}}));
  painter.end();
  return pngBytes(image);
}

namespace {

std::uint32_t crc32(const QByteArray& bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
  }
  return ~crc;
}

QByteArray bigEndian(std::uint32_t value) {
  QByteArray bytes(4, '\0');
  qToBigEndian(value, bytes.data());
  return bytes;
}

QByteArray pngChunk(const QByteArray& typeAndData) {
  return bigEndian(std::uint32_t(typeAndData.size() - 4)) + typeAndData + bigEndian(crc32(typeAndData));
}

// A valid header of 30,000 × 30,000 pixels (2.7 GB decoded) over a few bytes of data.
QByteArray hugePng() {
  const QByteArray header = QByteArray("IHDR") + bigEndian(30000) + bigEndian(30000) + QByteArray("\x08\x02\x00\x00\x00", 5);
  const QByteArray data = QByteArray("IDAT") + qCompress(QByteArray(4096, '\0')).mid(4);
  return QByteArray("\x89PNG\r\n\x1a\n", 8) + pngChunk(header) + pngChunk(data) + pngChunk("IEND");
}

QByteArray lyingSafetensors() {
  const QByteArray json = R"({"model.language_model.embed_tokens.weight":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}})";
  QByteArray length(8, '\0');
  qToLittleEndian(quint64(json.size()), length.data());
  return length + json + QByteArray(64, '\0');
}

}  // namespace

void Tour::planBadFiles() {
  InspectPage* inspect = m_window.inspectPage();
  const struct {
    const char* name;
    const char* file;
    QByteArray bytes;
  } bad[] = {{"bad-not-an-image", "notes.png", "these are words, not a picture\n"}, {"bad-truncated", "truncated.png", drawnPhotograph().left(200)}, {"bad-empty", "empty.jpg", {}}, {"bad-bomb", "bomb.png", hugePng()}};
  for (const auto& one : bad)
    m_steps.push_back({QString::fromLatin1(one.name), tr("a bad file is a message in the panel, with a next step; the studio goes on"), 20000,
                       
                       [this, file = QString::fromLatin1(one.file), bytes = one.bytes] {
                         m_memory = memoryUse().used;
                         dropFile(writeFile(file, bytes));
                       }, [this] { return m_failureSeen; },
                       [=, this] {
                         return firstWrong({must(inspect->error()->isVisible() && !inspect->error()->details().isEmpty(), "no message is shown"),
                                            must(memoryUse().used - m_memory < 512e6, "it took over 512 MB")});
                       }});
  m_steps.push_back({QStringLiteral("bad-model"), tr("a folder that is no model is a message too"), 20000,
                     [this] {
                       QDir(m_folder).mkpath(QStringLiteral("no-model"));
                       dropFile(m_folder + QStringLiteral("/no-model"));
                     },
                     [this] { return m_failureSeen; }, [=] { return must(inspect->error()->isVisible(), "no message is shown"); }});
  // Folders that look like the demo's student, but for their weights.
  const struct {
    const char* name;
    const char* weights;
    QByteArray bytes;
    const char* asserted;
  } folders[] = {{"bad-safetensors", "model.safetensors", lyingSafetensors(), "weights whose header promises more than the file holds are refused"},
                 {"bad-pickle", "pytorch_model.bin", QByteArray("\x80\x02}q\x00.", 6), "a folder with pickled weights alone is refused, and nothing of it is run"}};
  for (const auto& one : folders)
    m_steps.push_back({QString::fromLatin1(one.name), tr(one.asserted), 20000,
                       [this, name = QString::fromLatin1(one.name), weights = QString::fromLatin1(one.weights), bytes = one.bytes] {
                         m_memory = memoryUse().used;
                         m_models = m_session.models().size();
                         const QDir demo(m_window.workspace().demoModel(QStringLiteral("weak")));
                         const QString folder = m_folder + u'/' + name;
                         QDir().mkpath(folder);
                         for (const QString& file : demo.entryList(QDir::Files))
                           if (!file.contains(QStringLiteral("safetensors"))) QFile::copy(demo.filePath(file), folder + u'/' + file);
                         writeFile(name + u'/' + weights, bytes);
                         dropFile(folder);
                       },
                       [this] { return m_failureSeen; },
                       [=, this] {
                         return firstWrong({must(inspect->error()->isVisible() && !inspect->error()->details().isEmpty(), "no message is shown"), must(m_session.models().size() == m_models, "the model was opened"),
                                            must(memoryUse().used - m_memory < 512e6, "it took over 512 MB")});
                       }});
}

}  // namespace cuescope
