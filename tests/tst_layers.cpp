// The layers of the house: who may include whom, read from every #include; and what the programs link, read from their ELF files.
#include <QDirIterator>
#include <QFile>
#include <QRegularExpression>
#include <QtEndian>
#include <QtTest>
#include <map>
#include <set>

namespace {

/// Folder -> folders that its files may include, besides itself. The order inside engine/ is the order of engine/README.md.
const std::map<QString, QStringList>& table() {
  static const std::map<QString, QStringList> rows = {
      {"engine/core", {"engine/engine.h"}},
      {"engine/tokenizer", {"engine/core"}},
      {"engine/media", {"engine/core"}},
      {"engine/kernels", {"engine/core"}},
      {"engine/model", {"engine/core", "engine/kernels", "engine/engine.h"}},
      {"engine/data", {"engine/core", "engine/tokenizer", "engine/media", "engine/model/rows.h", "engine/model/qwen3_vl_config.h", "engine/engine.h"}},
      {"engine/distill", {"engine/core", "engine/tokenizer", "engine/media", "engine/kernels", "engine/model", "engine/data", "engine/engine.h"}},
      {"engine/inspect", {"engine/core", "engine/tokenizer", "engine/media", "engine/kernels", "engine/model", "engine/data", "engine/engine.h"}},
      {"engine/evaluate", {"engine/core", "engine/tokenizer", "engine/media", "engine/kernels", "engine/model", "engine/data", "engine/distill", "engine/engine.h"}},
      {"engine", {"engine"}},  // engine.h and the door behind it
      {"widgets", {}},         // plain values in, signals out: no engine type
      {"ui", {"widgets", "engine/engine.h", "engine/core"}},
      {"app/cli", {"engine/engine.h", "engine/core"}},
      {"app", {"app", "ui", "widgets", "engine/engine.h", "engine/core"}},
  };
  return rows;
}

/// Headers from elsewhere, by the folders that may use them.
struct Outside {
  QRegularExpression header;
  QStringList allowed;
};
const std::vector<Outside>& outside() {
  static const std::vector<Outside> rows = {
      {QRegularExpression("^(torch|ATen|c10)/"), {"engine/kernels", "engine/model", "engine/data", "engine/distill", "engine/inspect", "engine/evaluate", "engine"}},
      {QRegularExpression("^opencv2/"), {"engine/media"}},
      {QRegularExpression("^(arrow|parquet)/"), {"engine/data"}},
      {QRegularExpression("^qcustomplot\\.h$"), {"widgets"}},
      {QRegularExpression("^Q[A-Z][A-Za-z]+$|^Qt[A-Z]"), {"widgets", "ui", "app"}},
      {QRegularExpression("^CLI/"), {"app/cli", "app"}},
  };
  return rows;
}

/// The table's row for a file: the longest folder that holds it.
QString layerOf(const QString& file) {
  QString best;
  for (const auto& [folder, allowed] : table()) {
    if (file.startsWith(folder + "/") && folder.size() > best.size()) best = folder;
  }
  return best;
}

bool within(const QString& file, const QStringList& places) {
  for (const QString& place : places) {
    if (file == place || file.startsWith(place + "/")) return true;
  }
  return false;
}

/// Every breach in one file's text.
QStringList breaches(const QString& file, const QByteArray& text) {
  static const QRegularExpression include(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  QStringList found;
  const QString layer = layerOf(file);
  int number = 0;
  for (const QByteArray& line : text.split('\n')) {
    ++number;
    const auto match = include.match(QString::fromUtf8(line));
    if (!match.hasMatch()) continue;
    const QString header = match.captured(2), place = QString("%1:%2: ").arg(file).arg(number);
    const bool ours = header.startsWith("engine/") || header.startsWith("widgets/") || header.startsWith("ui/") || header.startsWith("app/");
    if (match.captured(1) == "\"" && !ours && !header.endsWith(".moc") && !header.startsWith("tests/")) {
      if (!QFile::exists(QString(CUESCOPE_SOURCE_DIR "/") + header)) found << place + "«" + header + "» is not rooted at the repository";
    }
    if (ours && !header.startsWith(layer + "/") && !within(header, table().at(layer))) {
      found << place + layer + " may not include " + header;
    }
    if (ours && layer == "engine/core" && layerOf(header) != "engine/core" && header != "engine/engine.h") found << place + "core includes nothing but core and the door";
    for (const auto& each : outside()) {
      if (each.header.match(header).hasMatch() && !each.allowed.contains(layer)) found << place + layer + " may not include <" + header + ">";
    }
  }
  return found;
}

/// DT_NEEDED of a 64-bit little-endian ELF file, empty when it is none.
QStringList neededLibraries(const QString& path) {
  QFile file(path);
  if (!file.open(QIODevice::ReadOnly)) return {};
  const QByteArray bytes = file.readAll();
  const auto number = [&](quint64 at, int size) -> quint64 {
    if (at + static_cast<quint64>(size) > static_cast<quint64>(bytes.size())) return 0;
    const char* data = bytes.constData() + at;
    return size == 2 ? qFromLittleEndian<quint16>(data) : size == 4 ? qFromLittleEndian<quint32>(data) : qFromLittleEndian<quint64>(data);
  };
  if (!bytes.startsWith("\x7f" "ELF\x02\x01")) return {};
  const quint64 sections = number(40, 8), sectionSize = number(58, 2), count = number(60, 2);
  QStringList names;
  for (quint64 i = 0; i < count; ++i) {
    const quint64 section = sections + i * sectionSize;
    if (number(section + 4, 4) != 6) continue;  // SHT_DYNAMIC
    const quint64 begin = number(section + 24, 8), size = number(section + 32, 8);
    const quint64 strings = number(sections + number(section + 40, 4) * sectionSize + 24, 8);
    for (quint64 entry = begin; entry < begin + size; entry += 16) {
      if (number(entry, 8) == 1) names << QString::fromUtf8(bytes.constData() + strings + number(entry + 8, 8));  // DT_NEEDED
    }
  }
  return names;
}

}  // namespace

class TestLayers : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void everyIncludeKeepsToItsLayer() {
    QStringList found;
    int files = 0;
    for (const char* top : {"engine", "widgets", "ui", "app"}) {
      QDirIterator iterator(QString(CUESCOPE_SOURCE_DIR "/") + top, {"*.h", "*.cpp", "*.cu", "*.cuh"}, QDir::Files, QDirIterator::Subdirectories);
      while (iterator.hasNext()) {
        QFile file(iterator.next());
        QVERIFY(file.open(QIODevice::ReadOnly));
        found << breaches(QDir(CUESCOPE_SOURCE_DIR).relativeFilePath(file.fileName()), file.readAll());
        ++files;
      }
    }
    QVERIFY2(files > 60, "the sources were not found");
    QVERIFY2(found.isEmpty(), qPrintable("\n" + found.join('\n')));
  }

  void theTableCatchesWhatItShould() {
    QCOMPARE(breaches("engine/core/x.cpp", "#include <torch/types.h>\n").size(), 1);
    QCOMPARE(breaches("engine/core/x.cpp", "#include \"engine/model/rows.h\"\n").size(), 2);
    QCOMPARE(breaches("engine/model/x.cpp", "#include \"engine/distill/run.h\"\n").size(), 1);
    QCOMPARE(breaches("engine/inspect/x.cpp", "\n#include \"engine/evaluate/bench.h\"\n"), QStringList{"engine/inspect/x.cpp:2: engine/inspect may not include engine/evaluate/bench.h"});
    QCOMPARE(breaches("engine/model/x.cpp", "#include <QString>\n").size(), 1);
    QCOMPARE(breaches("widgets/x.h", "#include \"engine/core/snapshots.h\"\n").size(), 1);
    QCOMPARE(breaches("ui/x.cpp", "#include <ATen/ATen.h>\n").size(), 1);
    QCOMPARE(breaches("ui/x.cpp", "#include \"engine/data/processor.h\"\n").size(), 1);
    QCOMPARE(breaches("app/cli/x.cpp", "#include \"ui/session.h\"\n").size(), 1);
    QCOMPARE(breaches("app/cli/x.cpp", "#include <QtCore>\n").size(), 1);
    QCOMPARE(breaches("ui/x.cpp", "#include \"session.h\"\n").size(), 1);
    QCOMPARE(breaches("ui/x.cpp", "#include \"ui/session.h\"\n#include \"engine/core/worker.h\"\n#include <QString>\n#include <vector>\n").size(), 0);
    QCOMPARE(breaches("engine/inspect/x.cpp", "#include <ATen/ATen.h>\n#include \"engine/model/rows.h\"\n").size(), 0);
  }

  void theCommandLineLinksNeitherQtNorTorch() {
    const QString program = QCoreApplication::applicationDirPath() + "/../bin/cuescope-cli";
    QVERIFY2(QFile::exists(program), "cuescope-cli is not built");
    const QStringList libraries = neededLibraries(program);
    QVERIFY2(libraries.contains("libc.so.6"), qPrintable(libraries.join(' ')));
    for (const QString& library : libraries) {
      QVERIFY2(!library.contains("Qt") && !library.contains("torch") && !library.contains("c10") && !library.contains("opencv"), qPrintable(library));
    }
  }

  void theStudioLinksNoTorch() {
    const QString program = QCoreApplication::applicationDirPath() + "/../bin/cuescope";
    QVERIFY2(QFile::exists(program), "cuescope is not built");
    const QStringList libraries = neededLibraries(program);
    QVERIFY2(libraries.filter("libQt6Widgets").size() == 1, qPrintable(libraries.join(' ')));
    for (const QString& library : libraries) {
      QVERIFY2(!library.contains("torch") && !library.contains("c10") && !library.contains("opencv") && !library.contains("arrow"), qPrintable(library));
    }
  }

  void thisTestItselfLinksQt() {  // the ELF reader reads
    QVERIFY(neededLibraries(QCoreApplication::applicationFilePath()).join(' ').contains("libQt6Core"));
    QVERIFY(neededLibraries(QString(CUESCOPE_SOURCE_DIR "/CMakeLists.txt")).isEmpty());
  }
};

QTEST_GUILESS_MAIN(TestLayers)
#include "tst_layers.moc"
