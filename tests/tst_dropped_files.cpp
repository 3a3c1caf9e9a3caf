// Files as people have them, dropped on the window, with the real engine on the demo's model: a video (frames as a strip, each pair its
// own map, the times in the prompt, the keyboard through the frames); data that are damaged, empty, without their pictures or of other
// columns, each told in the page. CUESCOPE_GALLERY=folder keeps pictures of it.
#include <QApplication>
#include <QFile>
#include <QListWidget>
#include <QPushButton>
#include <QTableView>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QMimeData>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QtTest>
#include <cstdio>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "engine/core/engine_loader.h"
#include "support/gallery.h"
#include "ui/data_page.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/workspace.h"
#include "widgets/error_panel.h"
#include "widgets/frame_strip.h"
#include "widgets/theme.h"

using namespace cuescope;

class DroppedFilesTest : public QObject {
  Q_OBJECT
  QTemporaryDir m_home;
  std::unique_ptr<Session> m_session;
  std::unique_ptr<MainWindow> m_window;

  /// `frames` of 4 a second; a disc moves from left to right, so that every frame is another.
  static bool writeVideo(const QString& file, int frames) {
    cv::VideoWriter writer(file.toStdString(), cv::CAP_OPENCV_MJPEG, cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 4, cv::Size(256, 192));
    if (!writer.isOpened()) return false;
    for (int i = 0; i < frames; ++i) {
      cv::Mat frame(192, 256, CV_8UC3, cv::Scalar(230, 230, 230));
      cv::circle(frame, {20 + 216 * i / std::max(1, frames - 1), 96}, 28, cv::Scalar(40, 40, 220), cv::FILLED);
      writer.write(frame);
    }
    writer.release();
    return true;
  }

  /// As a file manager does it.
  void drop(const QString& file) {
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(file)});
    const QPoint at = m_window->rect().center();
    QDragEnterEvent enter(at, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(m_window.get(), &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent dropped(at, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(m_window.get(), &dropped);
    QVERIFY(dropped.isAccepted());
  }

 private Q_SLOTS:
  void initTestCase() {
    qputenv("CUESCOPE_ENGINE", (QCoreApplication::applicationDirPath() + "/../bin/libcuescope_engine.so").toUtf8());
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
    QCoreApplication::setOrganizationName("cuescope-test");
    Theme::instance().setSetting(ThemeSetting::Dark);
    Theme::instance().install();
    m_session = std::make_unique<Session>([] { return loadEngine({}); });
    m_window = std::make_unique<MainWindow>(*m_session);
    m_window->resize(1600, 1000);
    m_window->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
    m_session->start();
    QTRY_COMPARE_WITH_TIMEOUT(m_session->engineState(), EngineState::Ready, 60000);
  }
  void cleanupTestCase() {
    m_window.reset();
    m_session.reset();
  }

  void framesAreAStripWithTheirOwnMapsTimesAndKeys() {
    const QString file = m_home.filePath("moving disc.avi");
    QVERIFY(writeVideo(file, 16));  // 4 s: 8 frames at 2 a second, 4 pairs
    QSignalSpy arrived(m_session.get(), &Session::inspectionArrived), failed(m_session.get(), &Session::inspectionFailed);
    drop(file);
    QTRY_VERIFY_WITH_TIMEOUT(arrived.size() + failed.size() > 0, 120000);
    if (!failed.isEmpty()) QFAIL(failed[0][1].value<Failure>().text().c_str());
    InspectPage* page = m_window->inspectPage();
    const Inspection& look = *page->inspection();
    QCOMPARE(look.images.size(), std::size_t(4));
    FrameStrip* strip = page->map()->frames();
    QVERIFY(strip->isVisible());
    QCOMPARE(strip->cellCount(), 4);

    // Times in the prompt are the mean of each pair (spec 2.7). Frames 0, 2, 4, 6, 9, 11, 13, 15 of 4 a second.
    std::string prompt;
    for (const Token& token : look.studentPrompt.tokens) prompt += token.text;  // as the model reads it
    const int taken[] = {0, 2, 4, 6, 9, 11, 13, 15};
    for (int pair = 0; pair < 4; ++pair) {
      const double seconds = (taken[2 * pair] + taken[2 * pair + 1]) / 2.0 / 4.0;
      char words[32];
      std::snprintf(words, sizeof words, "<%.1f seconds>", seconds);  // halves to even, as the reference writes them
      QVERIFY2(prompt.find(words) != std::string::npos, words);
      QCOMPARE(look.images[std::size_t(pair)].slice, pair);
      QVERIFY(std::abs(look.images[std::size_t(pair)].seconds - seconds) < 1e-6);
    }
    int placeholders = 0;
    for (const Token& token : look.studentPrompt.tokens) placeholders += token.text == "<|video_pad|>";
    int cells = 0;
    for (const ImageView& view : look.images) cells += view.gridRows * view.gridCols;
    QCOMPARE(placeholders, cells);

    // Every pair has pixels and a map of its own.
    for (std::size_t i = 1; i < 4; ++i) QVERIFY(look.images[i].rgb != look.images[i - 1].rgb);
    SelectionState selection;
    selection.site = Site::SelfAttention;
    selection.token = 0;
    selection.layer = look.selfAttention.layers.back();
    std::vector<std::vector<float>> maps;
    double sum = 0;
    for (int i = 0; i < 4; ++i) {
      const MapSlice slice = sliceMap(look, selection, i);
      QVERIFY(slice.exists());
      QCOMPARE(int(slice.values.size()), look.images[std::size_t(i)].gridRows * look.images[std::size_t(i)].gridCols);
      maps.push_back(slice.values);
      for (const float v : slice.values) sum += double(v);
    }
    QVERIFY(maps[0] != maps[1] && maps[1] != maps[2] && maps[2] != maps[3]);
    QVERIFY(sum > 0 && sum <= 1.0001);  // shares of one query over all frames

    gallery::keep(*m_window, "video", 200);
    strip->setFocus();
    QTest::keyClick(strip, Qt::Key_Right);
    QCOMPARE(page->map()->view().image, 1);
    QTest::keyClick(strip, Qt::Key_End);
    QCOMPARE(page->map()->view().image, 3);
    gallery::keep(*m_window, "video-last", 200);
    QTest::keyClick(strip, Qt::Key_Left);
    QCOMPARE(page->map()->view().image, 2);
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, strip->cellRect(0).center());
    QCOMPARE(page->map()->view().image, 0);
  }

  void aFileThatIsNoVideoSaysSo() {
    const QString file = m_home.filePath("broken.avi");
    QFile out(file);
    QVERIFY(out.open(QIODevice::WriteOnly));
    out.write("RIFF and nothing behind it");
    out.close();
    QSignalSpy failed(m_session.get(), &Session::inspectionFailed);
    drop(file);
    QTRY_COMPARE_WITH_TIMEOUT(failed.size(), 1, 60000);
    const Failure failure = failed[0][1].value<Failure>();
    QVERIFY(!failure.what.empty() && failure.where.find("broken.avi") != std::string::npos);
    bool told = false;
    for (const ErrorPanel* panel : m_window->inspectPage()->findChildren<ErrorPanel*>()) told |= panel->isVisible();
    QVERIFY(told);
    gallery::keep(*m_window, "video-broken", 200);
  }

  void dataThatCannotBeReadSaysWhyInThePage_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QString>("words");
    QFile whole(QStringLiteral(CUESCOPE_RESOURCES "/demo/data/test.parquet"));
    QVERIFY(whole.open(QIODevice::ReadOnly));
    QTest::newRow("cut parquet") << QStringLiteral("cut.parquet") << whole.read(20000) << QStringLiteral("could not be opened");
    QTest::newRow("no parquet") << QStringLiteral("words.parquet") << QByteArray("these are words") << QStringLiteral("could not be opened");
    QTest::newRow("empty parquet") << QStringLiteral("empty.parquet") << QByteArray() << QStringLiteral("could not be opened");
    QTest::newRow("empty jsonl") << QStringLiteral("empty.jsonl") << QByteArray() << QStringLiteral("has no rows");
    QTest::newRow("blank jsonl") << QStringLiteral("blank.jsonl") << QByteArray("\n  \n") << QStringLiteral("has no rows");
  }
  void dataThatCannotBeReadSaysWhyInThePage() {
    QFETCH(QString, name);
    QFETCH(QByteArray, bytes);
    QFETCH(QString, words);
    const QString file = m_home.filePath(name);
    QFile out(file);
    QVERIFY(out.open(QIODevice::WriteOnly));
    out.write(bytes);
    out.close();
    drop(file);
    auto* page = m_window->findChild<DataPage*>();
    QVERIFY(page && page->isVisible());
    QTRY_VERIFY_WITH_TIMEOUT(page->errorPanel()->isVisible(), 30000);
    QVERIFY2(page->errorPanel()->details().contains(words) && page->errorPanel()->details().contains(name), qPrintable(page->errorPanel()->details()));
    QCOMPARE(page->model()->rowCount(), 0);
    gallery::keep(*m_window, qPrintable(QStringLiteral("data-") + QString(name).replace(u'.', u'-')), 200);
    drop(QStringLiteral(CUESCOPE_RESOURCES "/demo/data/examples.jsonl"));  // and a good file is shown again
    QTRY_VERIFY_WITH_TIMEOUT(page->model()->rowCount() > 3, 30000);
    QVERIFY(!page->errorPanel()->isVisible());
  }

  void badRowsSayWhyAndTheOthersStayReadable() {
    const QString file = m_home.filePath("rows.jsonl");
    QFile out(file);
    QVERIFY(out.open(QIODevice::WriteOnly));
    out.write(R"({"id": "gone", "prompt": "<image>What color?", "images": ["nowhere.png"], "cue": "The disc."})" "\n");
    out.write(R"({"question": "other columns", "answer": "42"})" "\n");
    out.write("{ this is no JSON\n");
    out.write(R"({"id": "text", "prompt": "What is two and two?", "extra_info": {"answer": "four"}})" "\n");
    out.close();
    drop(file);
    auto* page = m_window->findChild<DataPage*>();
    QTRY_COMPARE_WITH_TIMEOUT(page->model()->rowCount(), 4, 30000);
    const char* words[] = {"nowhere.png", "prompt", "row 2", ""};
    for (int row = 0; row < 4; ++row) {
      page->table()->selectRow(row);
      const QString problem = QString::fromStdString(page->model()->row(row)->problem);
      QCOMPARE(problem.isEmpty(), row == 3);
      QVERIFY2(problem.contains(QLatin1String(words[row])), qPrintable(problem));
      QCOMPARE(page->suggestButton()->isEnabled(), false);
      if (row < 3) QCOMPARE(page->side()->lint()->findings().front().verdict, Verdict::Wrong);
      if (row == 0) gallery::keep(*m_window, "data-missing-picture", 400);
    }
    QTRY_VERIFY_WITH_TIMEOUT(!page->side()->lint()->findings().front().open, 30000);
    QCOMPARE(page->side()->lint()->findings().front().check, Check::Length);
    QVERIFY(page->side()->batchNote().contains(QStringLiteral("trained")));
    QTest::mouseClick(page->lintButton(), Qt::LeftButton);
    QTRY_COMPARE_WITH_TIMEOUT(page->lintButton()->text(), QStringLiteral("Run lint"), 30000);
    QVERIFY(page->complaints()->count() >= 3);
    gallery::keep(*m_window, "data-bad-rows", 400);
  }
};

QTEST_MAIN(DroppedFilesTest)
#include "tst_dropped_files.moc"
