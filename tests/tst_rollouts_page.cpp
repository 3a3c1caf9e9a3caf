// The Rollouts page with real clicks and keys on run folders written by the core, dumps as verl writes them and the fake engine:
// search, sort, threshold, colours, the same prompt over steps, the timeline's step, export, a file of many rows.
// CUESCOPE_GALLERY=folder keeps pictures of it.
#include <QComboBox>
#include <QFile>
#include <QHeaderView>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTableView>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "support/fake_engine.h"
#include "support/gallery.h"
#include "support/made_up_run.h"
#include "ui/models/rollout_store.h"
#include "ui/rollouts_cells.h"
#include "ui/rollouts_detail.h"
#include "ui/rollouts_page.h"
#include "widgets/frame_strip.h"
#include "widgets/image_canvas.h"
#include "widgets/theme.h"

using namespace cuescope;

class RolloutsPageTest : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;

  std::unique_ptr<Session> open() {
    auto control = std::make_shared<FakeControl>();
    return std::make_unique<Session>([control] { return makeFakeEngine(control); });
  }
  /// A run of ten steps with six responses each; response i has a mean gap of about (i + 1) / 10 nats.
  QString writeRun(const std::string& name) {
    const std::string directory = made_up::writeRun(m_folder.path(), name, 10, 0.4);
    RunWriter writer(directory);
    for (int step = 1; step <= 10; ++step) {
      std::string lines;
      for (int i = 0; i < 6; ++i) {
        RolloutRecord r;
        r.step = step, r.index = i, r.sampleId = "scene-" + std::to_string((i + (i == 5 ? step : 0)) % 40);
        r.input = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>" + std::string(i % 2 ? "What color is the circle?" : "How many squares are there?") + "<|im_end|>\n<|im_start|>assistant\n";
        r.output = i == 3 ? "By a theorem it is \\boxed{9}" : "I see it at the center. \\boxed{red}<|im_end|>";
        r.groundTruth = "red";
        const int tokens = 12 + 5 * i;
        for (int t = 0; t < tokens; ++t) {
          r.ids.push_back(100 + t);
          r.studentLogProbs.push_back(-0.5f - 0.1f * float(t % 4));
          r.teacherLogProbs.push_back(r.studentLogProbs.back() + (t % 3 == 0 ? -1.f : 1.f) * float(i + 1) / 10 * (1 + 0.3f * float(std::sin(t * 1.7))));
        }
        r.score = i % 2 ? 0.1 : 1.0, r.accuracy = i % 2 ? 0 : 1, r.format = 1, r.stopped = i != 3;
        lines += toJsonLine(r);
      }
      writer.appendRollouts(step, lines);
    }
    return QString::fromStdString(directory);
  }
  static void keep(QWidget& widget, const char* name) { gallery::keepInBothThemes(widget, name, 80); }
  struct Opened {
    std::unique_ptr<Session> session;
    std::unique_ptr<Selection> selection;
    std::unique_ptr<RolloutsPage> page;
  };
  Opened show(const QString& run) {
    Opened o;
    o.session = open();
    o.selection = std::make_unique<Selection>();
    o.session->followRun(run);
    o.page = std::make_unique<RolloutsPage>(*o.session, *o.selection);
    o.page->resize(1384, 820);
    o.page->show();
    if (!QTest::qWaitForWindowExposed(o.page.get())) qFatal("no window");
    return o;
  }

 private Q_SLOTS:
  void initTestCase() {
    Theme::instance().install();
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void queriesAreUnderstood_data() {
    QTest::addColumn<QString>("query");
    QTest::addColumn<bool>("valid");
    QTest::addColumn<bool>("matches");
    QTest::newRow("empty") << "" << true << true;
    QTest::newRow("gap") << "gap > 0.5" << true << true;
    QTest::newRow("gap below") << "gap<=0.5" << true << false;
    QTest::newRow("not text") << "gap > 0.5 and not text:\"theorem\"" << true << false;
    QTest::newRow("or") << "reward >= 1 or tokens < 10" << true << true;
    QTest::newRow("brackets") << "(reward >= 1 or tokens > 100) and kind:count" << true << false;
    QTest::newRow("bare words") << "theorem find" << true << true;
    QTest::newRow("ends") << "ends:length" << true << true;
    QTest::newRow("not saved") << "max > 0" << true << false;
    QTest::newRow("no number") << "gap > x" << false << false;
    QTest::newRow("unknown field") << "size > 3" << false << false;
    QTest::newRow("open bracket") << "(gap > 1" << false << false;
    QTest::newRow("nothing behind and") << "gap > 1 and" << false << false;
  }
  void queriesAreUnderstood() {
    QFETCH(QString, query);
    QFETCH(bool, valid);
    QFETCH(bool, matches);
    RolloutFacts facts;
    facts.meanGap = 0.7f, facts.score = 0.1f, facts.tokens = 8, facts.stopped = 0, facts.kind = "geometry", facts.prompt = "Find h.";
    RolloutQuery parsed;
    QString why;
    QCOMPARE(parsed.parse(query, &why), valid);
    QCOMPARE(why.isEmpty(), valid);
    if (valid) QCOMPARE(parsed.matches(facts, [] { return QStringLiteral("By a Theorem"); }), matches);
  }

  void theNewestStepIsListedByItsGap() {
    auto o = show(writeRun("list"));
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
    QCOMPARE(o.page->stepChooser()->currentText(), QStringLiteral("Step 10"));
    QVERIFY(o.page->model()->facts(0)->meanGap > o.page->model()->facts(5)->meanGap);
    QTRY_VERIFY(o.page->detail()->hasSample());
    QVERIFY(o.page->detail()->strip()->responseSize() > 30);
    QTRY_VERIFY(o.page->detail()->sameTable()->rowCount() >= 1);
    keep(*o.page, "rollouts");
  }

  void typingFiltersAndAWrongQueryIsNamed() {
    auto o = show(writeRun("filter"));
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
    o.page->queryField()->setFocus();
    QTest::keyClicks(o.page->queryField(), "not text:\"theorem\" and gap > 0.15");
    QTRY_COMPARE(o.page->model()->rowCount(), 4);
    QCOMPARE(o.page->countText(), QStringLiteral("4 of 6"));
    QTest::keyClicks(o.page->queryField(), " and");
    QVERIFY(o.page->queryField()->property("invalid").toBool());
    QCOMPARE(o.page->model()->rowCount(), 4);
    o.page->queryField()->clear();
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
  }

  void headersSortAndTheHistogramKeepsTheLargeGaps() {
    auto o = show(writeRun("sort"));
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
    QHeaderView* header = o.page->table()->horizontalHeader();
    const auto click = [&](int column) {
      QTest::mouseClick(header->viewport(), Qt::LeftButton, {}, {header->sectionViewportPosition(column) + 20, header->height() / 2});
    };
    click(RolloutTable::Tokens);
    const int first = o.page->model()->facts(0)->tokens;
    click(RolloutTable::Tokens);
    QVERIFY(o.page->model()->facts(0)->tokens != first);
    GapHistogram* histogram = o.page->histogram();
    QTest::mouseClick(histogram, Qt::LeftButton, {}, {int(histogram->xOf(0.35)), 40});
    QTRY_COMPARE(o.page->model()->rowCount(), 3);
    histogram->setFocus();
    QTest::keyClick(histogram, Qt::Key_Delete);
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
  }

  void theTimelinesStepIsFollowedAndAStepWithoutRolloutsSaysSo() {
    auto o = show(writeRun("steps"));
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
    o.selection->setStep(4);
    QTRY_COMPARE(o.page->stepChooser()->currentText(), QStringLiteral("Step 4"));
    QTRY_VERIFY(o.page->model()->rowCount() == 6 && o.page->model()->facts(0)->step == 4);
    o.selection->setStep(137);
    QPushButton* go = nullptr;
    for (QPushButton* button : o.page->findChildren<QPushButton*>())
      if (button->isVisible() && button->text() == QStringLiteral("Go to 10")) go = button;
    QVERIFY(go);
    QTest::mouseClick(go, Qt::LeftButton);
    QCOMPARE(o.selection->step(), 10);
    QTRY_VERIFY(o.page->table()->isVisible());
  }

  void theSamePromptIsFollowedOverTheSteps() {
    auto o = show(writeRun("same"));
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
    const int row = o.page->model()->rowOf(QStringLiteral("scene-2"));
    QVERIFY(row >= 0);
    o.page->table()->setFocus();
    o.page->table()->selectRow(row);
    QTableWidget* same = o.page->detail()->sameTable();
    QTRY_COMPARE(same->rowCount(), 10);
    QCOMPARE(o.selection->sample(), QStringLiteral("scene-2"));
    same->scrollToItem(same->item(2, 1));
    QTest::mouseClick(same->viewport(), Qt::LeftButton, {}, same->visualItemRect(same->item(2, 1)).center());
    QCOMPARE(o.selection->step(), 3);
    QTRY_COMPARE(o.page->detail()->detail().record.step, 3);
    QCOMPARE(o.page->detail()->detail().record.sampleId, std::string("scene-2"));
  }

  void ctrlClickPutsAnotherResponseBelowAndThenReplacesA() {
    auto o = show(writeRun("compared"));
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
    QTRY_VERIFY(o.page->detail()->hasSample());
    RolloutsDetail* detail = o.page->detail();
    QTableView* table = o.page->table();
    const auto ctrlClick = [&](int row) { QTest::mouseClick(table->viewport(), Qt::LeftButton, Qt::ControlModifier, table->visualRect(o.page->model()->index(row, RolloutTable::Prompt)).center()); };
    QCOMPARE(o.page->sampleAt(), 0);
    const std::string a = detail->detail().record.sampleId;
    ctrlClick(2);
    QVERIFY(detail->comparing() && detail->otherStrip()->isVisible());
    QCOMPARE(o.page->sampleAt(), 0);  // A stays what it was
    const RolloutFacts* other = o.page->model()->facts(2);
    QVERIFY2(detail->otherHead().startsWith(QStringLiteral("B, %1 at step 10").arg(QString::fromStdString(other->sampleId))), qPrintable(detail->otherHead()));
    QCOMPARE(detail->otherStrip()->cellCount(), int(other->tokens));
    // The same colours: a token's value is named in both.
    QVERIFY(detail->otherStrip()->cellName(0).contains(QStringLiteral("Gap")));
    keep(*o.page, "rollouts-compared");
    ctrlClick(1);  // two at most: A is replaced, B stays
    QCOMPARE(o.page->sampleAt(), 1);
    QVERIFY(detail->detail().record.sampleId != a);
    QVERIFY(detail->otherHead().contains(QString::fromStdString(other->sampleId)));
    table->setFocus();
    QTest::keyClick(table, Qt::Key_Escape);
    QVERIFY(!detail->comparing() && !detail->otherStrip()->isVisible());
    // The same prompt at an earlier step, from its own list.
    QTableWidget* same = detail->sameTable();
    QTRY_VERIFY(same->rowCount() > 4);
    same->scrollToItem(same->item(2, 1));
    QTest::mouseClick(same->viewport(), Qt::LeftButton, Qt::ControlModifier, same->visualItemRect(same->item(2, 1)).center());
    QVERIFY2(detail->otherHead().contains(QStringLiteral("at step %1").arg(same->item(2, 0)->text())), qPrintable(detail->otherHead()));
    QCOMPARE(detail->detail().record.step, 10);
  }

  void tokensTakeTheChosenColourAndTellTheirNumbers() {
    RolloutRecord r;
    r.ids = {1, 2};
    r.studentLogProbs = {-1, -2};
    r.teacherLogProbs = {-0.5f, -3};
    QCOMPARE(rolloutValues(r, RolloutValue::Gap, 0), (std::vector<double>{0.5, -1}));
    QCOMPARE(rolloutValues(r, RolloutValue::Advantage, 0.25), (std::vector<double>{0.5, -1}));
    r.teacherLogProbs.clear();
    QCOMPARE(rolloutValues(r, RolloutValue::Advantage, 0.25), (std::vector<double>{0.25, 0.25}));
    auto o = show(writeRun("colour"));
    QTRY_VERIFY(o.page->detail()->hasSample());
    QTest::keyClick(o.page->detail()->colour(), Qt::Key_Down);
    QCOMPARE(o.page->detail()->colour()->currentText(), QStringLiteral("Advantage"));
    TokenStrip* strip = o.page->detail()->strip();
    const QRectF place = strip->tokenRect(4);
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, place.center().toPoint());
    QCOMPARE(o.selection->token(), 4);
  }

  void aSampleWithSeveralPicturesHasAStrip() {
    const std::string directory = made_up::writeRun(m_folder.path(), "pictures", 2, 0.4);
    for (const char* name : {"two-pictures.jsonl", "one.jsonl"}) QVERIFY(QFile(m_folder.filePath(name)).open(QIODevice::WriteOnly));
    RunWriter writer(directory);
    RolloutRecord r;
    r.step = 2, r.sampleId = "scene-1", r.input = "Left:<image>Right:<image>What differs?", r.output = "the square", r.dataFile = m_folder.filePath("two-pictures.jsonl").toStdString(), r.dataRow = 1;
    r.ids = {100, 101}, r.studentLogProbs = {-0.5f, -0.4f}, r.teacherLogProbs = {-0.3f, -0.9f};
    RolloutRecord single = r;
    single.index = 1, single.sampleId = "scene-2", single.dataFile = m_folder.filePath("one.jsonl").toStdString(), single.dataRow = 2, single.teacherLogProbs = {-0.4f, -0.5f};
    writer.appendRollouts(2, toJsonLine(r) + toJsonLine(single));
    Opened o = show(QString::fromStdString(directory));
    QTRY_COMPARE(o.page->model()->rowCount(), 2);
    RolloutsDetail* detail = o.page->detail();
    const auto choose = [&](const QString& id) {
      for (int row = 0; row < 2; ++row)
        if (QString::fromStdString(o.page->model()->facts(row)->sampleId) == id) QTest::mouseClick(o.page->table()->viewport(), Qt::LeftButton, {}, o.page->table()->visualRect(o.page->model()->index(row, 0)).center());
    };
    choose("scene-1");
    FrameStrip* strip = detail->pictures();
    QTRY_VERIFY(strip->isVisible());
    QCOMPARE(strip->cellCount(), 2);
    const auto size = [&] { return detail->picture()->scene().picture.size(); };
    const auto boxes = [&] { return detail->picture()->scene().boxes.size(); };
    QCOMPARE(size(), QSize(192, 192));
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, strip->cellRect(1).center());
    QCOMPARE(size(), QSize(96, 128));
    QCOMPARE(boxes(), std::size_t(1));  // its own evidence
    strip->setFocus();
    QTest::keyClick(strip, Qt::Key_Left);
    QCOMPARE(size(), QSize(192, 192));
    choose("scene-2");  // one picture: no strip
    QTRY_VERIFY(!strip->isVisible());
  }

  void withoutWeightsInspectSaysWhy() {
    auto o = show(writeRun("weights"));
    QTRY_VERIFY(o.page->detail()->hasSample());
    QVERIFY(!o.page->detail()->inspectButton()->isEnabled());
    QVERIFY(!o.page->detail()->inspectButton()->toolTip().isEmpty());
  }

  void aDumpOfVerlOpensWithWordsInsteadOfTokens() {
    QDir().mkpath(m_folder.filePath("verl"));
    for (const int step : {5, 10}) {
      QFile file(m_folder.filePath(QStringLiteral("verl/%1.jsonl").arg(step)));
      QVERIFY(file.open(QIODevice::WriteOnly));
      for (int i = 0; i < 3; ++i)
        file.write(QStringLiteral("{\"input\": \"user\\nQuestion %1\\nassistant\\n\", \"output\": \"It is \\\\boxed{%1}\", \"gts\": \"%1\", \"score\": %2, \"step\": %3, \"acc\": true}\n").arg(i).arg(i * 0.5).arg(step).toUtf8());
    }
    auto session = open();
    Failure failure;
    const QString name = session->openForeignRun(m_folder.filePath("verl"), &failure);
    QCOMPARE(name, QStringLiteral("verl"));
    Selection selection;
    selection.setRun(name);
    RolloutsPage page(*session, selection);
    page.resize(1384, 820);
    page.show();
    QTRY_COMPARE(page.model()->rowCount(), 3);
    QCOMPARE(page.model()->index(0, RolloutTable::Tokens).data().toString(), QStringLiteral("not saved"));
    QTRY_COMPARE(page.detail()->strip()->responseSize(), 3);
    QTRY_COMPARE(page.detail()->sameTable()->rowCount(), 2);
    keep(page, "rollouts-verl");
    QVERIFY(session->openForeignRun(m_folder.path() + "/nothing", &failure).isEmpty());
    QVERIFY(!failure.what.empty());
  }

  void theListIsWrittenAsCsvAndThePageAsPng() {
    auto o = show(writeRun("export"));
    QTRY_COMPARE(o.page->model()->rowCount(), 6);
    o.page->exportTo(m_folder.filePath("list.csv"));
    QFile file(m_folder.filePath("list.csv"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray bytes = file.readAll();
    QCOMPARE(bytes.count('\n'), 7);
    QVERIFY(bytes.startsWith("step,index,sample,"));
    o.page->exportTo(m_folder.filePath("page.png"));
    QVERIFY(!QImage(m_folder.filePath("page.png")).isNull());
    QVERIFY_EXCEPTION_THROWN(o.page->exportTo(m_folder.filePath("page.doc")), Error);
  }

  void aHundredThousandRowsComeInParts() {
    const QString path = m_folder.filePath("large.jsonl");
    {
      QFile file(path);
      QVERIFY(file.open(QIODevice::WriteOnly));
      for (int i = 0; i < 100000; ++i)
        file.write("{\"input\": \"user\\nQuestion " + QByteArray::number(i) + "\\nassistant\\n\", \"output\": \"It is \\\\boxed{" + QByteArray::number(i % 10) + "}\", \"gts\": \"3\", \"score\": 0.5, \"step\": 1}\n");
    }
    auto session = open();
    const QString name = session->openForeignRun(path);
    QVERIFY(!name.isEmpty());
    Selection selection;
    selection.setRun(name);
    RolloutsPage page(*session, selection);
    page.resize(1384, 820);
    page.show();
    int widest = 0, parts = 0, known = 0;  // rows come in parts, and the window has its turn between two of them
    connect(page.store(), &RolloutStore::rowsAdded, this, [&](int first) {
      QCOMPARE(first, known);
      known = int(page.store()->rows().size());
      widest = std::max(widest, known - first);
      ++parts;
    });
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    QTRY_COMPARE_WITH_TIMEOUT(page.model()->rowCount(), 100000, 60000);
    QVERIFY2(parts >= 50 && widest <= 2000, qPrintable(QString("%1 parts, the widest of %2 rows").arg(parts).arg(widest)));
  }
};

QTEST_MAIN(RolloutsPageTest)
#include "tst_rollouts_page.moc"
