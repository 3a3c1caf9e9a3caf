// The script that gives an installed Cuescope its libraries: it links what it is shown, and never removes what it is shown.
#include <QtTest/QtTest>

class TestPack : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> m_folder;

  QString at(const QString& path) const { return m_folder->filePath(path); }
  void put(const QString& file) const {
    QVERIFY(QDir().mkpath(QFileInfo(at(file)).path()));
    QFile out(at(file));
    QVERIFY(out.open(QIODevice::WriteOnly) && out.write("library") == 7);
  }
  /// `--use folder` for the pack in pack/; returns the exit code.
  int use(const QString& folder, QString* said = nullptr) const {
    QProcess script;
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert(QStringLiteral("CUESCOPE_PACK"), at(QStringLiteral("pack")));
    script.setProcessEnvironment(environment);
    script.start(QStringLiteral("bash"), {QStringLiteral(CUESCOPE_SOURCE_DIR "/installer/pack.sh"), QStringLiteral("--use"), folder});
    if (!script.waitForFinished()) return -1;
    if (said) *said = QString::fromUtf8(script.readAllStandardError());
    return script.exitCode();
  }

 private Q_SLOTS:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }

  void aFolderIsLinked() {
    put(QStringLiteral("site/torch/lib/libtorch_cpu.so"));
    put(QStringLiteral("site/pyarrow/libparquet.so.2600"));
    for (int again = 0; again < 2; ++again) {
      QCOMPARE(use(at(QStringLiteral("site"))), 0);
      QCOMPARE(QFileInfo(at(QStringLiteral("pack/torch"))).canonicalFilePath(), QFileInfo(at(QStringLiteral("site/torch"))).canonicalFilePath());
      QVERIFY(QFileInfo::exists(at(QStringLiteral("pack/pyarrow/libparquet.so.2600"))));
    }
    put(QStringLiteral("libtorch/lib/libtorch_cpu.so"));
    QCOMPARE(use(at(QStringLiteral("libtorch"))), 0);
    QCOMPARE(use(at(QStringLiteral("pack/torch"))), 0);  // the link: what it leads to is used again
    QCOMPARE(QFileInfo(at(QStringLiteral("pack/torch"))).canonicalFilePath(), QFileInfo(at(QStringLiteral("libtorch"))).canonicalFilePath());
  }

  void thePackItselfIsRefused_data() {
    QTest::addColumn<QString>("folder");
    QTest::newRow("the pack") << "pack";
    QTest::newRow("by another way") << "other/../pack";
    QTest::newRow("through a link") << "link";
    QTest::newRow("its LibTorch") << "pack/torch";
    QTest::newRow("a folder that links into it") << "site";
  }
  void thePackItselfIsRefused() {
    QFETCH(QString, folder);
    put(QStringLiteral("pack/torch/lib/libtorch_cpu.so"));
    put(QStringLiteral("pack/nvidia/cudnn/lib/libcudnn.so.9"));
    QVERIFY(QDir().mkpath(at(QStringLiteral("other"))) && QDir().mkpath(at(QStringLiteral("site"))));
    QVERIFY(QFile::link(at(QStringLiteral("pack")), at(QStringLiteral("link"))));
    QVERIFY(QFile::link(at(QStringLiteral("pack/torch")), at(QStringLiteral("site/torch"))));
    QString said;
    QCOMPARE(use(at(folder), &said), 1);
    QVERIFY2(said.contains(QStringLiteral("lies in the pack")), qPrintable(said));
    for (const char* file : {"pack/torch/lib/libtorch_cpu.so", "pack/nvidia/cudnn/lib/libcudnn.so.9"}) {
      QFile kept(at(QString::fromLatin1(file)));
      QVERIFY(kept.open(QIODevice::ReadOnly) && kept.readAll() == "library");
    }
    QVERIFY(!QFileInfo(at(QStringLiteral("pack/torch"))).isSymLink());
  }

  void aPackOfLinksIsRefusedAndKept() {
    put(QStringLiteral("site/torch/lib/libtorch_cpu.so"));
    QCOMPARE(use(at(QStringLiteral("site"))), 0);
    QCOMPARE(use(at(QStringLiteral("pack"))), 1);
    QVERIFY(QFileInfo::exists(at(QStringLiteral("pack/torch/lib/libtorch_cpu.so"))));
  }

  // What a desktop is told of the program, asked of the tools that desktops and software centres use.
  void theDesktopIsToldWhatItsOwnToolsAccept_data() {
    QTest::addColumn<QString>("tool");
    QTest::addColumn<QString>("package");
    QTest::addColumn<QStringList>("arguments");
    const QString file = QStringLiteral(CUESCOPE_SOURCE_DIR "/installer/desktop/io.github.cuescope.Cuescope");
    QTest::newRow("desktop file") << "desktop-file-validate" << "desktop-file-utils" << QStringList{file + ".desktop"};
    QTest::newRow("AppStream") << "appstreamcli" << "appstream" << QStringList{"validate", "--no-net", "--no-color", file + ".metainfo.xml"};
    QTest::newRow("MIME types") << "update-mime-database" << "shared-mime-info" << QStringList{"mime"};
  }
  void theDesktopIsToldWhatItsOwnToolsAccept() {
    QFETCH(QString, tool);
    QFETCH(QString, package);
    QFETCH(QStringList, arguments);
    const QString program = QStandardPaths::findExecutable(tool);
    if (program.isEmpty()) QSKIP(qPrintable(tool + " is not here; Debian's package " + package + " has it"));
    QVERIFY(QDir().mkpath(at("mime/packages")));
    QVERIFY(QFile::copy(QStringLiteral(CUESCOPE_SOURCE_DIR "/installer/desktop/io.github.cuescope.Cuescope.xml"), at("mime/packages/cuescope.xml")));
    QProcess run;
    run.setWorkingDirectory(m_folder->path());
    run.setProcessChannelMode(QProcess::MergedChannels);
    run.start(program, arguments);
    QVERIFY(run.waitForFinished());
    const QByteArray said = run.readAll();
    QVERIFY2(run.exitCode() == 0, said);
    QVERIFY2(!said.contains("warning") && !said.contains("error") && !said.contains("W:") && !said.contains("E:"), said);
    if (tool != "update-mime-database") return;
    QFile globs(at("mime/globs2"));
    QVERIFY(globs.open(QIODevice::ReadOnly));
    const QByteArray patterns = globs.readAll();
    QVERIFY2(patterns.contains("application/x-cuescope-capture:*.capture"), patterns);
    QVERIFY(QFile::exists(at("mime/application/x-cuescope-capture.xml")) && QFile::exists(at("mime/treemagic")));
  }

  // The program, its icon and its types are named alike wherever they are named.
  void theDesktopFilesNameEachOther() {
    const auto text = [](const char* ending) {
      QFile file(QStringLiteral(CUESCOPE_SOURCE_DIR "/installer/desktop/io.github.cuescope.Cuescope.") + QLatin1String(ending));
      return file.open(QIODevice::ReadOnly) ? QString::fromUtf8(file.readAll()) : QString();
    };
    const QString desktop = text("desktop"), about = text("metainfo.xml"), types = text("xml");
    QVERIFY(desktop.contains("Icon=io.github.cuescope.Cuescope\n") && desktop.contains("Exec=cuescope %F\n"));
    QVERIFY(about.contains("<launchable type=\"desktop-id\">io.github.cuescope.Cuescope.desktop</launchable>") && about.contains("<binary>cuescope</binary>"));
    static const QRegularExpression kType("<mime-type type=\"([^\"]+)\">"), kVersion("<release version=\"([^\"]+)\""), kProject("project\\(cuescope VERSION ([0-9.]+)");
    int seen = 0;
    for (auto found = kType.globalMatch(types); found.hasNext(); ++seen) QVERIFY(desktop.contains(found.next().captured(1) + u';'));
    QCOMPARE(seen, 2);
    QFile project(QStringLiteral(CUESCOPE_SOURCE_DIR "/CMakeLists.txt"));
    QVERIFY(project.open(QIODevice::ReadOnly));
    QCOMPARE(kVersion.match(about).captured(1), kProject.match(QString::fromUtf8(project.readAll())).captured(1));
  }
};

QTEST_GUILESS_MAIN(TestPack)
#include "tst_pack.moc"
