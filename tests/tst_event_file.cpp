// TensorBoard event files: known checksums, the exact bytes of a record, round trip, damage.
#include <QtTest>

#include <cmath>
#include <fstream>

#include "engine/core/event_file.h"
#include "engine/core/failure.h"

using namespace cuescope;

class EventFileTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void checksumsEqualThePublishedOnes();
  void theFirstRecordNamesTheFormat();
  void scalarsComeBackAsTheyWereWritten();
  void aHalfWrittenLastRecordIsLeftForLater();
  void aFlippedByteIsRefusedWithItsPlace();
  void aSecondWriterAppends();
};

namespace {

QByteArray contents(const std::string& file) {
  QFile f(QString::fromStdString(file));
  return f.open(QIODevice::ReadOnly) ? f.readAll() : QByteArray();
}

void write(const std::string& file, const QByteArray& bytes) {
  QFile f(QString::fromStdString(file));
  QVERIFY(f.open(QIODevice::WriteOnly));
  f.write(bytes);
}

}  // namespace

void EventFileTest::checksumsEqualThePublishedOnes() {
  // RFC 3720, appendix B.4
  const std::string zeros(32, '\0'), ones(32, '\xff');
  QCOMPARE(crc32c(zeros.data(), zeros.size()), 0x8a9136aau);
  QCOMPARE(crc32c(ones.data(), ones.size()), 0x62a8ab43u);
  QCOMPARE(crc32c("123456789", 9), 0xe3069283u);
}

void EventFileTest::theFirstRecordNamesTheFormat() {
  QTemporaryDir dir;
  EventFileWriter writer(dir.path().toStdString(), 12.0);
  const QByteArray bytes = contents(writer.file());
  QCOMPARE(bytes.size(), 8 + 4 + 9 + 15 + 4);
  QVERIFY(bytes.contains("brain.Event:2"));
}

void EventFileTest::scalarsComeBackAsTheyWereWritten() {
  QTemporaryDir dir;
  EventFileWriter writer(dir.path().toStdString(), 12.0);
  for (int step = 0; step < 300; ++step) writer.scalars(step, 12.0 + step, {{"actor/loss", 1.0 / (1 + step)}, {"gap", std::nan("")}});
  const EventFileContents got = readEventFile(writer.file());
  QVERIFY(!got.truncated);
  QCOMPARE(got.scalars.size(), std::size_t(2));
  const auto& loss = got.scalars.at("actor/loss");
  QCOMPARE(loss.size(), std::size_t(300));
  QCOMPARE(loss[299].step, 299);
  QCOMPARE(loss[299].wallSeconds, 311.0);
  QCOMPARE(loss[299].value, float(1.0 / 300));
  QVERIFY(std::isnan(got.scalars.at("gap")[7].value));
}

void EventFileTest::aHalfWrittenLastRecordIsLeftForLater() {
  QTemporaryDir dir;
  EventFileWriter writer(dir.path().toStdString(), 12.0);
  writer.scalars(1, 13, {{"a", 1}});
  const QByteArray whole = contents(writer.file());
  writer.scalars(2, 14, {{"a", 2}});
  const QByteArray two = contents(writer.file());
  for (int cut = int(whole.size()) + 1; cut < two.size(); ++cut) {
    write(writer.file(), two.left(cut));
    const EventFileContents got = readEventFile(writer.file());
    QVERIFY(got.truncated);
    QCOMPARE(got.scalars.at("a").size(), std::size_t(1));
  }
}

void EventFileTest::aFlippedByteIsRefusedWithItsPlace() {
  QTemporaryDir dir;
  EventFileWriter writer(dir.path().toStdString(), 12.0);
  writer.scalars(1, 13, {{"a", 1}});
  QByteArray bytes = contents(writer.file());
  bytes[bytes.size() - 8] = char(bytes[bytes.size() - 8] ^ 1);
  write(writer.file(), bytes);
  try {
    readEventFile(writer.file());
    QFAIL("a damaged file was accepted");
  } catch (const Error& error) {
    QVERIFY(error.failure().where.find("byte 40") != std::string::npos);
  }
}

void EventFileTest::aSecondWriterAppends() {
  QTemporaryDir dir;
  { EventFileWriter(dir.path().toStdString(), 12.0).scalars(1, 13, {{"a", 1}}); }
  { EventFileWriter(dir.path().toStdString(), 12.0).scalars(2, 14, {{"a", 2}}); }
  QDir folder(dir.path());
  QCOMPARE(folder.entryList(QDir::Files).size(), 1);
  QCOMPARE(readEventFile(folder.filePath(folder.entryList(QDir::Files)[0]).toStdString()).scalars.at("a").size(), std::size_t(2));
}

QTEST_GUILESS_MAIN(EventFileTest)
#include "tst_event_file.moc"
