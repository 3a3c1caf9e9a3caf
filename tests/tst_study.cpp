// The study's results: files that come back as they were written, and a report that names what is not whole.
#include "engine/core/failure.h"
#include "engine/evaluate/study.h"

#include <QtTest>
#include <cmath>
#include <filesystem>
#include <fstream>

using namespace cuescope;
namespace fs = std::filesystem;

namespace {

StudySplit splitOf(std::vector<int> right) {
  StudySplit split;
  split.right = std::move(right);
  split.kinds.assign(split.right.size(), "colour");
  split.layouts.assign(split.right.size(), "image-first");
  split.dataSources.assign(split.right.size(), "made up");
  split.selectivity[3].assign(split.right.size(), 0.25f);
  split.selectivity[3].back() = std::numeric_limits<float>::quiet_NaN();
  split.masses[3] = {0.5, std::numeric_limits<double>::quiet_NaN()};
  return split;
}

StudyResult resultOf(const std::string& setting) {
  StudyResult result;
  result.setting = setting;
  result.seed = 1;
  result.steps = 2;
  result.splits = {{"test", splitOf({1, 0, 1})}, {"ood", splitOf({0, 0, 1})}};
  result.gapFirst = {0.5, std::numeric_limits<double>::quiet_NaN(), 0, -1};
  return result;
}

}  // namespace

class TestStudy : public QObject {
  Q_OBJECT
  std::unique_ptr<QTemporaryDir> m_folder;

  std::string put(const std::string& name, const StudyResult& result) {
    const fs::path results = fs::path(m_folder->path().toStdString()) / "results";
    fs::create_directories(results);
    std::ofstream(results / name) << studyResultJson(result);
    return (results / name).string();
  }

 private Q_SLOTS:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }

  void aResultComesBackAsItWasWritten() {
    const StudyResult want = resultOf("opd"), got = readStudyResult(put("opd-seed1.json", want));
    QCOMPARE(got.splits.size(), std::size_t(2));
    const StudySplit& split = got.splits.at("test");
    QCOMPARE(split.right, want.splits.at("test").right);
    QCOMPARE(split.selectivity.at(3).size(), std::size_t(3));
    QCOMPARE(split.selectivity.at(3)[1], 0.25f);
    QVERIFY(std::isnan(split.selectivity.at(3)[2]) && std::isnan(split.masses.at(3).second) && std::isnan(got.gapFirst[1]));
    QCOMPARE(split.masses.at(3).first, 0.5);
    QCOMPARE(got.gapFirst[3], -1.0);
  }

  void theReportIsWritten() {
    put("opd-seed1.json", resultOf("opd"));
    put("base-student-weak.json", resultOf("base, student-weak"));
    writeStudyReport(m_folder->path().toStdString(), 1, 2);
    QVERIFY(fs::file_size(m_folder->filePath("study.md").toStdString()) > 1000);
  }

  void aResultWithoutASplitIsNamed_data() {
    QTest::addColumn<QString>("split");
    QTest::newRow("test") << "test";
    QTest::newRow("ood") << "ood";
  }
  void aResultWithoutASplitIsNamed() {
    QFETCH(QString, split);
    put("base-student-weak.json", resultOf("base, student-weak"));
    StudyResult half = resultOf("opd");
    half.splits.erase(split.toStdString());
    const std::string file = put("opd-seed1.json", half);
    try {
      writeStudyReport(m_folder->path().toStdString(), 1, 2);
      QFAIL("it was read");
    } catch (const Error& error) {
      QCOMPARE(error.failure().where, file);
      QVERIFY(QString::fromStdString(error.failure().why).contains(split));
    }
  }
};

QTEST_GUILESS_MAIN(TestStudy)
#include "tst_study.moc"
