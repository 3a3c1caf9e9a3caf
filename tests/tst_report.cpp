// Reports: one page that needs nothing else, the same bytes for the same input, and a refusal in words for the rest.
#include <QDir>
#include <QFile>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>

#include "engine/core/capture.h"
#include "support/fake_engine.h"
#include "ui/report.h"
#include "widgets/theme.h"

using namespace cuescope;

class TestReport : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase();
  void anInspectionBecomesOnePage();
  void aRunBecomesOnePage();
  void sameInputSameBytes();
  void wordsOfAFileStayWords();
  void theCommandWritesBothAndRefusesInWords();

 private:
  QString run();
  QByteArray bytes(const QString& name) const {
    QFile file(m_folder.filePath(name));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
  }
  QTemporaryDir m_folder;
};

void TestReport::initTestCase() {
  Theme::instance().setSetting(ThemeSetting::Light);
  Theme::instance().install();
}

// A run folder as the engine writes one.
QString TestReport::run() {
  const QString folder = m_folder.filePath("demo-run");
  if (QFile::exists(folder)) return folder;
  QDir().mkpath(folder);
  RunWriter writer(folder.toStdString());
  writer.writeConfig("trainer:\n  name: demo-run\n  total_training_steps: 40\n");
  for (int step = 1; step <= 40; ++step) {
    StepSnapshot one;
    one.run = "demo-run";
    one.step = step;
    one.metrics = {{"actor/distillation/loss", 2.0 / step}, {"actor/grad_norm", step == 7 ? std::nan("") : 1.0}, {"response_length/mean", 20.0}};
    one.secondsSinceStart = step * 0.5;
    one.tokensSinceStart = step * 100;
    writer.append(one);
  }
  RunStatus status;
  status.run = "demo-run";
  status.directory = folder.toStdString();
  status.state = RunState::Stopped;
  status.step = status.totalSteps = 40;
  writer.writeStatus(status);
  return folder;
}

void TestReport::anInspectionBecomesOnePage() {
  const QByteArray html = reportHtml(inspectionReport(*fakeInspection(1), "Erase top 5 %: −2.31 nats, random −0.11", false));
  QVERIFY(html.startsWith("<!DOCTYPE html>"));
  QVERIFY(html.contains("What digit is on the red circle?"));
  QVERIFY(html.contains("Attention is not a cause."));
  QVERIFY(html.count("data:image/png;base64,") >= 4);  // maps of two layers, tokens, distributions
  // Nothing is fetched: no address but the pictures inside.
  static const QRegularExpression kOutside("(src|href)=\"(?!data:)");
  QVERIFY(!QString::fromUtf8(html).contains(kOutside));
  QVERIFY(!html.contains("<script"));
  const QByteArray pdf = reportPdf(inspectionReport(*fakeInspection(1), {}, false));
  QVERIFY(pdf.startsWith("%PDF-") && pdf.contains("%%EOF"));
}

void TestReport::aRunBecomesOnePage() {
  const QByteArray html = reportHtml(runReport(readRun(run()), false));
  QVERIFY(html.contains("demo-run"));
  QVERIFY(html.contains("40 of 40"));
  QVERIFY(html.contains("data:image/png;base64,"));
  QVERIFY(html.contains("total_training_steps: 40"));
  QVERIFY2(html.contains("<h2>Health</h2>"), "health is missing");
  QVERIFY(!html.contains(m_folder.path().toUtf8()));  // no path of this machine
}

void TestReport::sameInputSameBytes() {
  const QByteArray first = reportPdf(inspectionReport(*fakeInspection(1), {}, false));
  const QByteArray runFirst = reportPdf(runReport(readRun(run()), false));
  QTest::qWait(1100);  // a clock in it would show
  QCOMPARE(reportPdf(inspectionReport(*fakeInspection(1), {}, false)), first);
  QCOMPARE(reportPdf(runReport(readRun(run()), false)), runFirst);
  QCOMPARE(reportHtml(runReport(readRun(run()), true)), reportHtml(runReport(readRun(run()), true)));
  QVERIFY(reportHtml(runReport(readRun(run()), true)) != reportHtml(runReport(readRun(run()), false)));
}

void TestReport::wordsOfAFileStayWords() {
  Inspection hostile = *fakeInspection(1);
  hostile.question = "<script>alert(1)</script><img src=x onerror=alert(2)>";
  hostile.cue = "\"><iframe src=\"http://example.org\">";
  hostile.student.name = "<b>model</b>";
  const QByteArray html = reportHtml(inspectionReport(hostile, {}, false));
  QVERIFY(!html.contains("<script") && !html.contains("<iframe") && !html.contains("<img src=x") && !html.contains("<b>model"));
  QVERIFY(html.contains("&lt;script&gt;"));
}

void TestReport::theCommandWritesBothAndRefusesInWords() {
  const QString capture = m_folder.filePath("look.capture");
  writeCapture(capture.toStdString(), *fakeInspection(1), {});
  QCOMPARE(reportCommand({"report", capture, "--output", m_folder.filePath("look.html")}), 0);
  QCOMPARE(reportCommand({"report", capture, "--output", m_folder.filePath("look.pdf")}), 0);
  QCOMPARE(reportCommand({"report", run(), "--output", m_folder.filePath("run.html"), "--theme", "dark"}), 0);
  QVERIFY(bytes("look.html").size() > 20000 && bytes("look.pdf").startsWith("%PDF-") && bytes("run.html").contains("demo-run"));
  const QByteArray before = bytes("look.html");
  QCOMPARE(reportCommand({"report", capture, "--output", m_folder.filePath("look.html")}), 0);
  QCOMPARE(bytes("look.html"), before);
  QCOMPARE(reportCommand({"report"}), 2);
  QCOMPARE(reportCommand({"report", capture}), 2);
  QCOMPARE(reportCommand({"report", capture, "--output", m_folder.filePath("look.docx")}), 1);
  QCOMPARE(reportCommand({"report", m_folder.path(), "--output", m_folder.filePath("x.html")}), 1);
  QCOMPARE(reportCommand({"report", m_folder.filePath("missing"), "--output", m_folder.filePath("x.html")}), 1);
}

QTEST_MAIN(TestReport)
#include "tst_report.moc"
