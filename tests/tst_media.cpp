// Decoding of files from outside: the goldens' pixels, every format, and files that are broken, cut, or made to do
// harm.
#include "tests/support/golden.h"

#include <QTemporaryDir>
#include <QtEndian>
#include <QtTest>
#include <sys/resource.h>
#include <numeric>

#include "engine/core/failure.h"
#include "engine/media/decode.h"
#include "tests/support/small_images.h"

using namespace cuescope;

namespace {

DecodedImage decode(const QByteArray& bytes) {
  return decodeImage(reinterpret_cast<const std::uint8_t*>(bytes.constData()), static_cast<std::size_t>(bytes.size()),
                     "test image");
}

QByteArray fileBytes(const std::string& name) {
  const auto bytes = golden::readBytes(golden::path(name));
  return {bytes.data(), static_cast<qsizetype>(bytes.size())};
}

QString failureOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return QString::fromStdString(error.failure().text());
  }
  return {};
}

at::Tensor tensorOf(const DecodedImage& image) {
  return at::from_blob(const_cast<std::uint8_t*>(image.rgb.data()), {image.height, image.width, 3}, at::kByte).clone();
}

std::array<int, 3> pixel(const DecodedImage& image, int x, int y) {
  const auto* p = image.rgb.data() + (y * image.width + x) * 3;
  return {p[0], p[1], p[2]};
}

/// A PNG file that claims a size and holds nothing: header, one data part of zeros, end; checksums right.
QByteArray pngBomb(quint32 width, quint32 height) {
  const auto part = [](const QByteArray& type, const QByteArray& body) {
    const auto number = [](quint32 value) {
      value = qToBigEndian(value);
      return QByteArray(reinterpret_cast<const char*>(&value), 4);
    };
    const QByteArray content = type + body;
    quint32 crc = ~0u;
    for (const char c : content) {
      crc ^= static_cast<unsigned char>(c);
      for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? 0xEDB88320u ^ (crc >> 1) : crc >> 1;
    }
    return number(static_cast<quint32>(body.size())) + content + number(~crc);
  };
  QByteArray size(8, '\0');
  qToBigEndian(width, size.data());
  qToBigEndian(height, size.data() + 4);
  return QByteArray("\x89PNG\r\n\x1A\n", 8) + part("IHDR", size + QByteArray("\x08\x02\0\0\0", 5)) +
         part("IDAT", qCompress(QByteArray(1000, '\0')).mid(4)) + part("IEND", {});
}

}  // namespace

class MediaTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void goldenImagesGiveTheirPixels_data();
  void goldenImagesGiveTheirPixels();
  void sixteenBitsAreScaledNotClipped();
  void everyFormatShowsThePicture_data();
  void everyFormatShowsThePicture();
  void transparentPixelsAreWhite();
  void exifTurnsThePicture_data();
  void exifTurnsThePicture();
  void cutFilesAreRefusedWhereverTheyAreCut_data();
  void cutFilesAreRefusedWhereverTheyAreCut();
  void flippedBitsNeverCrash();
  void hugeAndEmptyAndForeignFilesAreRefused_data();
  void hugeAndEmptyAndForeignFilesAreRefused();
  void pngGoesThereAndBack();
  void videoFramesAreTheRecordedOnes();
  void videosThatAreNoneAreRefused();
  void aMegapixelComesBack();
};

void MediaTest::goldenImagesGiveTheirPixels_data() {
  QTest::addColumn<QString>("file");
  for (const char* file : {"square.png", "odd.png", "extreme.png", "small.png", "gray.png", "rgba.png", "palette.png",
                           "photo.jpg", "exif_rotated.jpg"}) {
    QTest::newRow(file) << file;
  }
}

void MediaTest::goldenImagesGiveTheirPixels() {
  QFETCH(QString, file);
  const golden::Set set("preprocess");
  const auto image = readImage(golden::path("images/" + file.toStdString()));
  std::string message;
  QVERIFY2(set.close("image." + file.section('.', 0, 0).toStdString() + ".rgb", tensorOf(image), &message),
           message.c_str());
}

void MediaTest::sixteenBitsAreScaledNotClipped() {
  const golden::Set set("preprocess");
  const auto image = readImage(golden::path("images/gray16.png"));
  std::string message;
  QVERIFY2(golden::compare("gray16 scaled", tensorOf(image), set["image.gray16.rgb_scaled"], {}, &message),
           message.c_str());
}

void MediaTest::everyFormatShowsThePicture_data() {
  QTest::addColumn<QString>("name");
  QTest::addColumn<int>("tolerance");
  for (const char* name : {"webpLossless", "tiff", "tiffPages", "bmp"}) QTest::newRow(name) << name << 0;
  QTest::newRow("jpegProg") << "jpegProg"
                            << 250;  // subsampled colour of so small a picture bleeds; size and order count
}

void MediaTest::everyFormatShowsThePicture() {
  QFETCH(QString, name);
  QFETCH(int, tolerance);
  const auto image = decode(smallImage(name.toStdString()));
  QCOMPARE(image.width, 8);
  QCOMPARE(image.height, 6);
  const auto check = [&](int x, int y, std::array<int, 3> want) {
    const auto got = pixel(image, x, y);
    for (int c = 0; c < 3; ++c) QVERIFY(std::abs(got[c] - want[c]) <= tolerance);
  };
  check(0, 0, {255, 255, 0});
  check(0, 5, {200, 30, 40});
  check(7, 5, {10, 120, 250});
}

void MediaTest::transparentPixelsAreWhite() {
  const auto image = decode(smallImage("webpAlpha"));
  QCOMPARE(pixel(image, 1, 1), (std::array<int, 3>{255, 255, 255}));
  QCOMPARE(pixel(image, 2, 2), (std::array<int, 3>{255, 255, 255}));
  QCOMPARE(pixel(image, 5, 4), (std::array<int, 3>{132, 187, 252}));  // (10, 120, 250) at 128 of 255
  QCOMPARE(pixel(image, 0, 5), (std::array<int, 3>{200, 30, 40}));
}

void MediaTest::exifTurnsThePicture_data() {
  QTest::addColumn<QString>("name");
  for (const char* name : {"pngExif", "webpExif", "tiffOrient"}) QTest::newRow(name) << name;
}

void MediaTest::exifTurnsThePicture() {
  QFETCH(QString, name);
  const auto image = decode(smallImage(name.toStdString()));
  QCOMPARE(image.width, 6);
  QCOMPARE(image.height, 8);
  QCOMPARE(pixel(image, 5, 0), (std::array<int, 3>{255, 255, 0}));  // the first row is the right column now
  QCOMPARE(pixel(image, 0, 0), (std::array<int, 3>{200, 30, 40}));
  QCOMPARE(pixel(image, 0, 7), (std::array<int, 3>{10, 120, 250}));
}

void MediaTest::cutFilesAreRefusedWhereverTheyAreCut_data() {
  QTest::addColumn<QByteArray>("bytes");
  for (const char* name : {"odd.png", "rgba.png", "gray16.png", "palette.png", "photo.jpg", "exif_rotated.jpg"}) {
    QTest::newRow(name) << fileBytes(std::string("images/") + name);
  }
  for (const char* name : {"webpLossless", "webpAlpha", "tiff", "bmp", "jpegProg"})
    QTest::newRow(name) << smallImage(name);
}

void MediaTest::cutFilesAreRefusedWhereverTheyAreCut() {
  QFETCH(QByteArray, bytes);
  QVERIFY(failureOf([&] { decode(bytes); }).isEmpty());
  for (qsizetype size = 0; size < bytes.size();
       size += 1 + (size > 64 && size + 16 < bytes.size() ? bytes.size() / 97 : 0)) {
    const auto message = failureOf([&] { decode(bytes.left(size)); });
    QVERIFY2(message.contains("test image"),
             qPrintable(QString("cut to %1 of %2 bytes: %3").arg(size).arg(bytes.size()).arg(message)));
  }
}

void MediaTest::flippedBitsNeverCrash() {
  // Damage that a checksum covers is refused; elsewhere any picture or a plain Error will do.
  auto png = fileBytes("images/odd.png");
  png[png.size() / 2] = static_cast<char>(png[png.size() / 2] ^ 0x10);
  QVERIFY(failureOf([&] { decode(png); }).contains("damaged"));
  for (const char* name : {"tiff", "bmp", "webpLossless", "webpExif", "tiffPages"}) {
    const auto whole = smallImage(name);
    for (qsizetype i = 0; i < whole.size(); ++i) {
      auto bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ 0xFF);
      failureOf([&] { decode(bytes); });
    }
  }
}

void MediaTest::hugeAndEmptyAndForeignFilesAreRefused_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::addColumn<QString>("expected");
  QTest::newRow("empty") << QByteArray() << "empty";
  QTest::newRow("text") << QByteArray("Dear diary, this is no picture.") << "not an image";
  QTest::newRow("pickle") << QByteArray("\x80\x04\x95\x10\0\0\0\0\0\0\0", 11) << "not an image";
  QTest::newRow("30000 x 30000") << pngBomb(30000, 30000) << "30000 x 30000";
  QTest::newRow("2147483647 x 2147483647") << pngBomb(2147483647, 2147483647) << "too large";
  QTest::newRow("0 x 5") << pngBomb(0, 5) << "no width";
  QTest::newRow("data for fewer rows than claimed") << pngBomb(4000, 4000) << "cannot be decoded";
  QTest::newRow("GIF") << smallImage("gif") << "GIF";
  QTest::newRow("animated WebP") << smallImage("webpAnimated") << "animated";
  QTest::newRow("floating-point TIFF") << smallImage("tiffFloat") << "floating-point";
}

void MediaTest::hugeAndEmptyAndForeignFilesAreRefused() {
  QFETCH(QByteArray, bytes);
  QFETCH(QString, expected);
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
  };
  const long before = peak();
  const auto message = failureOf([&] { decode(bytes); });
  QVERIFY2(message.contains(expected), qPrintable(message));
  QVERIFY2(peak() - before < 128, "MiB: it was refused before its pixels had room");
  QVERIFY(failureOf([] { readImage("/nowhere/at/all.png"); }).contains("no such file"));
  QVERIFY(failureOf([] { readImage(CUESCOPE_GOLDEN); }).contains("it is a folder"));
}

void MediaTest::pngGoesThereAndBack() {
  const auto image = readImage(golden::path("images/odd.png"));
  const auto bytes = encodePng(image.width, image.height, image.rgb.data());
  QVERIFY(decodeImage(bytes.data(), bytes.size(), "png").rgb == image.rgb);
}

void MediaTest::videoFramesAreTheRecordedOnes() {
  const golden::Set set("preprocess");
  const auto file = golden::path("video/clip.avi");
  const auto probe = probeVideo(file);
  QCOMPARE(probe.totalFrames, 14);
  QCOMPARE(probe.fps, 6.0);
  QCOMPARE(probe.width, 56);
  QCOMPARE(probe.height, 40);
  std::vector<int> all(14);
  std::iota(all.begin(), all.end(), 0);
  std::vector<at::Tensor> frames;
  for (const auto& frame : readVideo(file, all).frames) frames.push_back(tensorOf(frame));
  std::string message;
  QVERIFY2(set.close("video.frames", at::stack(frames), &message), message.c_str());
  const auto few = readVideo(file, {3, 13});
  QCOMPARE(few.frames.size(), 2u);
  QVERIFY(at::equal(tensorOf(few.frames[1]), set["video.frames"][13]));
  const auto beyond = readVideo(file, {3, 20});
  QCOMPARE(beyond.frames.size(), 1u);
  QCOMPARE(beyond.totalFrames, 14);
}

void MediaTest::videosThatAreNoneAreRefused() {
  QTemporaryDir folder;
  const auto with = [&](const QByteArray& bytes) {
    QFile file(folder.filePath("clip.avi"));
    if (file.open(QFile::WriteOnly)) file.write(bytes);
    file.close();
    return failureOf([&] { probeVideo(file.fileName().toStdString()); });
  };
  QVERIFY(with({}).contains("empty"));
  QVERIFY(with("Dear diary").contains("not a video"));
  QVERIFY(with("#EXTM3U\n/etc/passwd\n").contains("list of other files"));
  QVERIFY(with(fileBytes("video/clip.avi").left(100)).contains("clip.avi"));
  QVERIFY(failureOf([] { probeVideo("/nowhere.mp4"); }).contains("no such file"));
}

void MediaTest::aMegapixelComesBack() {
  DecodedImage image{1024, 1024, std::vector<std::uint8_t>(1024 * 1024 * 3)};
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(i / 3 % 1024 / 4 + (i * 2654435761u >> 20) % 16);
  const auto png = encodePng(1024, 1024, image.rgb.data());
  QVERIFY(decodeImage(png.data(), png.size(), "png").rgb == image.rgb);
}

QTEST_GUILESS_MAIN(MediaTest)
#include "tst_media.moc"
