// What Cuescope writes, read by the programs that people will open it with: an exported model by Transformers, event files by the
// tensorboard package (tests/read_back.py). CUESCOPE_PEER_PYTHON names a Python that has them; without them these tests are skipped.
#include <QProcess>
#include <QTemporaryDir>
#include <QtTest>

namespace {

constexpr int kSkipped = 77, kPatience = 240'000;

QString commandLine() { return QCoreApplication::applicationDirPath() + QStringLiteral("/../bin/cuescope-cli"); }

}  // namespace

class TestReadBack : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;
  QString m_trouble;
  bool m_trained = false;

  /// A short run with the cue recovery module, and its checkpoint as a folder of its own; made once, when a test needs it.
  bool train() {
    if (m_trained || !m_trouble.isEmpty()) return m_trained;
    const QStringList begin{QStringLiteral("train"), QStringLiteral(CUESCOPE_RESOURCES "/presets/demo/opd_vicur.yaml"), "trainer.default_local_dir=" + m_folder.path(), "trainer.experiment_name=run",
                            "trainer.total_training_steps=3", "trainer.save_freq=3", "trainer.test_freq=0", "trainer.val_before_train=false", "data.train_batch_size=4", "data.max_response_length=8", "trainer.threads=1"};
    for (const QStringList& words : {begin, QStringList{"export", m_folder.filePath("run"), "--output", m_folder.filePath("exported")}}) {
      QProcess cli;
      cli.setProcessChannelMode(QProcess::MergedChannels);
      cli.start(commandLine(), words);
      if (!cli.waitForFinished(kPatience) || cli.exitCode() != 0) {
        m_trouble = words.front() + ": " + QString::fromUtf8(cli.readAll());
        return false;
      }
    }
    return m_trained = true;
  }

  /// What read_back.py says of it; empty words and a skipped test where this Python cannot ask.
  void check(const QStringList& words) {
    const QString python = qEnvironmentVariable("CUESCOPE_PEER_PYTHON", QStringLiteral("python3"));
    QProcess script;
    script.setProcessChannelMode(QProcess::MergedChannels);
    script.start(python, QStringList{QStringLiteral(CUESCOPE_SOURCE_DIR "/tests/read_back.py")} + words);
    const bool finished = script.waitForFinished(kPatience);
    const QByteArray said = script.readAll().trimmed();
    if (script.error() == QProcess::FailedToStart) QSKIP(qPrintable(python + " does not start"));
    QVERIFY2(finished, said);
    if (script.exitCode() == kSkipped) QSKIP(said);
    ++ran;
    QVERIFY2(script.exitCode() == 0, said);
    qInfo("%s", said.constData());
  }
  static bool has(const char* package) {
    const QString look = QStringLiteral("import importlib.util, sys; sys.exit(importlib.util.find_spec('%1') is None)").arg(QLatin1String(package));
    return QProcess::execute(qEnvironmentVariable("CUESCOPE_PEER_PYTHON", QStringLiteral("python3")), {"-c", look}) == 0;
  }
  void folders() const {
    QTest::addColumn<QString>("folder");
    QTest::newRow("the demo's student") << QStringLiteral(CUESCOPE_RESOURCES "/demo/student-weak");
    QTest::newRow("a run's checkpoint, exported") << m_folder.filePath("exported");
  }
  void ask(const QString& what) {
    QFETCH(QString, folder);
    if (!QFile::exists(folder) && has("transformers")) QVERIFY2(train(), qPrintable(m_trouble));
    check({what, commandLine(), folder});
  }

 public:
  int ran = 0;

 private Q_SLOTS:
  void transformersGivesTheSameLogits_data() { folders(); }
  void transformersGivesTheSameLogits() { ask("logits"); }
  void transformersGivesTheSameGreedyAnswers_data() { folders(); }
  void transformersGivesTheSameGreedyAnswers() { ask("answers"); }
  void transformersGivesTheSameTokens_data() { folders(); }
  void transformersGivesTheSameTokens() { ask("tokens"); }
  void tensorboardReadsEveryNumberOfARun() {
    if (has("tensorboard")) QVERIFY2(train(), qPrintable(m_trouble));
    check({"events", m_folder.filePath("run")});
  }
};

int main(int argc, char** argv) {
  QCoreApplication application(argc, argv);
  TestReadBack test;
  const int failed = QTest::qExec(&test, argc, argv);
  return failed == 0 && test.ran == 0 ? kSkipped : failed;
}
#include "tst_read_back.moc"
