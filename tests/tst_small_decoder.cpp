// The decoder of builds without OpenCV (PNG and JPEG by libpng and libjpeg) against the one of the full build: the same pixels, and a
// plain refusal of what is cut, damaged or of another kind.
#include <QtTest>

#include "engine/core/failure.h"
#include "engine/media/small_decoder.h"
#include "tests/support/golden.h"
#include "tests/support/small_images.h"

using namespace cuescope;

namespace {

DecodedImage small(const QByteArray& bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.constData());
  const auto size = static_cast<std::size_t>(bytes.size());
  return decodeSmall(data, size, readImageHeader(data, size, "test image"), "test image");
}
DecodedImage full(const QByteArray& bytes) { return decodeImage(reinterpret_cast<const std::uint8_t*>(bytes.constData()), static_cast<std::size_t>(bytes.size()), "test image"); }

/// Pixels, or the refusal.
QString shown(DecodedImage (*decode)(const QByteArray&), const QByteArray& bytes) {
  try {
    const DecodedImage image = decode(bytes);
    return QStringLiteral("%1 x %2 ").arg(image.width).arg(image.height) + QString::fromLatin1(QByteArray(reinterpret_cast<const char*>(image.rgb.data()), qsizetype(image.rgb.size())).toHex());
  } catch (const Error& error) {
    return QStringLiteral("refused: ") + QString::fromStdString(error.failure().text());
  }
}

QByteArray fileBytes(const char* name) {
  const auto bytes = golden::readBytes(golden::path(std::string("images/") + name));
  return {bytes.data(), static_cast<qsizetype>(bytes.size())};
}

void pictures() {
  QTest::addColumn<QByteArray>("bytes");
  for (const char* name : {"square.png", "odd.png", "extreme.png", "small.png", "gray.png", "gray16.png", "rgba.png", "palette.png", "photo.jpg", "exif_rotated.jpg"}) QTest::newRow(name) << fileBytes(name);
  for (const char* name : {"pngExif", "jpegProg"}) QTest::newRow(name) << smallImage(name);
}

}  // namespace

class TestSmallDecoder : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void thePixelsAreThoseOfTheFullBuild_data() { pictures(); }
  void thePixelsAreThoseOfTheFullBuild() {
    QFETCH(QByteArray, bytes);
    const QString want = shown(full, bytes);
    QVERIFY2(!want.startsWith("refused"), qPrintable(want.left(200)));
    QVERIFY(shown(small, bytes) == want);
  }

  void eachOrientationTurnsThePictureAlike() {
    const QByteArray bytes = smallImage("pngExif");
    const qsizetype exif = bytes.indexOf("eXIf"), value = bytes.indexOf(QByteArray("\x01\x12\0\3\0\0\0\1", 8), exif) + 8;
    QVERIFY(exif > 0 && value > 8);
    for (int orientation = 1; orientation <= 8; ++orientation) {
      const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.constData());
      ImageHeader header = readImageHeader(data, static_cast<std::size_t>(bytes.size()), "test image");
      header.orientation = orientation;
      const DecodedImage got = decodeSmall(data, static_cast<std::size_t>(bytes.size()), header, "test image");
      QByteArray turned = bytes;
      turned[value + 1] = static_cast<char>(orientation);
      quint32 crc = ~0u;  // of the changed part
      for (qsizetype i = exif; i < exif + 4 + 26; ++i) {
        crc ^= static_cast<unsigned char>(turned[i]);
        for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? 0xEDB88320u ^ (crc >> 1) : crc >> 1;
      }
      for (int i = 0; i < 4; ++i) turned[exif + 30 + i] = static_cast<char>(~crc >> (24 - 8 * i));
      const DecodedImage want = full(turned);
      QVERIFY2(got.width == want.width && got.rgb == want.rgb, qPrintable(QString::number(orientation)));
    }
  }

  void cutFilesAreRefused_data() { pictures(); }
  void cutFilesAreRefused() {
    QFETCH(QByteArray, bytes);
    for (qsizetype size = 0; size < bytes.size(); size += 1 + (size > 64 && size + 16 < bytes.size() ? bytes.size() / 97 : 0))
      QVERIFY2(shown(small, bytes.left(size)).startsWith("refused"), qPrintable(QString::number(size)));
  }

  void damageNeverCrashes_data() { pictures(); }
  void damageNeverCrashes() {
    QFETCH(QByteArray, bytes);
    for (qsizetype i = 0; i < bytes.size(); i += 1 + bytes.size() / 500) {
      QByteArray damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x5A);
      shown(small, damaged);  // any picture or a plain Error will do
    }
  }

  void otherKindsAreWhatTheFullBuildReads() {
    for (const char* name : {"webpLossless", "bmp", "tiff"}) {
      const QString said = shown(small, smallImage(name));
      QVERIFY2(said.contains("without OpenCV") && said.contains("PNG or JPEG"), qPrintable(said));
    }
  }
};

QTEST_GUILESS_MAIN(TestSmallDecoder)
#include "tst_small_decoder.moc"
