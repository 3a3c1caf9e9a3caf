// The self-check passes on this machine's CPU and on the recorded goldens, and fails where something is wrong.
#include <torch/types.h>

#include <QTemporaryDir>
#include <QtTest>

#include "engine/core/failure.h"
#include "engine/evaluate/selfcheck.h"

using namespace cuescope;

class TestSelfcheck : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void everyKernelAndEveryGoldenTensorIsRight() {
    const auto lines = runSelfcheck("cpu", CUESCOPE_GOLDEN, {});
    QStringList kernels, goldens;
    for (const SelfcheckLine& line : lines) {
      const QString name = QString::fromStdString(line.name);
      QVERIFY2(line.ok, qPrintable(QString("%1: %2 above %3 %4").arg(name).arg(line.largestError).arg(line.tolerance).arg(QString::fromStdString(line.note))));
      QVERIFY2(line.tolerance > 0, line.name.c_str());
      (name.startsWith("kernel ") ? kernels : goldens) << name;
    }
    for (const char* kernel : {"linear", "addRmsNorm", "qkNormRope", "cueRecovery", "sample"}) QVERIFY2(!kernels.filter(kernel).isEmpty(), kernel);
    for (const char* tensor : {"left.hidden.0", "left.logits", "left.attention", "right.logits_last4", "mixed.last_hidden_state", "bare.sink_attention.10",
                               "left.sink_attention.5", "generate tiny-teacher", "teacher left.hidden.5"})
      QVERIFY2(!goldens.filter(tensor).isEmpty(), tensor);
    QVERIFY(goldens.size() > 80);
  }

  void aBrokenSetIsALineThatFailed() {
    QTemporaryDir folder;
    QFile file(folder.filePath("forward-student.safetensors"));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("no tensors");
    file.close();
    std::vector<SelfcheckLine> lines;
    checkGoldens("cpu", folder.path().toStdString(), lines, {});
    QCOMPARE(lines.size(), 1u);
    QVERIFY(!lines[0].ok && !lines[0].note.empty());
  }

  void aFolderWithoutGoldensIsRefused() {
    QTemporaryDir folder;
    std::vector<SelfcheckLine> lines;
    QVERIFY_THROWS_EXCEPTION(Error, checkGoldens("cpu", folder.path().toStdString(), lines, {}));
    QVERIFY_THROWS_EXCEPTION(Error, checkGoldens("cpu", "/nowhere", lines, {}));
  }

  void cudaWithoutCudaCodeIsRefused() { QVERIFY_THROWS_EXCEPTION(Error, runSelfcheck("cuda", "", {})); }
};

QTEST_GUILESS_MAIN(TestSelfcheck)
#include "tst_selfcheck.moc"
