// The Evaluate page: pairs of evaluations and their test, the board's words, an evaluation that fails or is cancelled, filters with
// real clicks. CUESCOPE_GALLERY=folder keeps pictures of it.
#include <QComboBox>
#include <QFile>
#include <QDoubleSpinBox>
#include <QHeaderView>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>

#include "engine/core/evaluation_file.h"
#include "support/fake_engine.h"
#include "support/gallery.h"
#include "support/made_up_board.h"
#include "support/made_up_run.h"
#include "ui/evaluate_board.h"
#include "ui/evaluate_page.h"
#include "ui/evaluate_settings.h"
#include "ui/workspace.h"
#include "widgets/frame_strip.h"
#include "widgets/image_canvas.h"
#include "widgets/segmented_button.h"
#include "widgets/error_panel.h"
#include "widgets/theme.h"

using namespace cuescope;

class EvaluatePageTest : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;

  /// 20 rows; row i is right when `right(i)`.
  static EvaluationPtr evaluation(const std::function<bool(int)>& right) {
    auto e = std::make_shared<Evaluation>();
    e->model.folder = "/models/made-up";
    e->files = {"held-out.jsonl"};
    e->decoding = "greedy";
    for (int i = 0; i < 20; ++i) {
      EvaluatedSample s;
      s.index = s.fileRow = i;
      s.file = e->files.front();
      s.id = "row-" + std::to_string(i), s.kind = i % 2 ? "color" : "count", s.question = "How many circles are there?", s.groundTruth = "two";
      EvaluatedAnswer answer;
      answer.accuracy = right(i), answer.format = 1;
      answer.boxed = right(i) ? "two" : "three";
      answer.text = "I count \\boxed{" + answer.boxed + "}";
      s.answers = {answer};
      e->samples.push_back(s);
    }
    e->scores = scoresOf(e->samples, 1);
    return e;
  }
  // The page, shown, with a model and a file chosen.
  struct Chosen {
    std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();
    Session session{[control = control] { return makeFakeEngine(control); }};
    Workspace workspace;
    EvaluatePage page{session, workspace};
    Chosen() {
      workspace.addModel(QStringLiteral("/models/weak"));
      workspace.addData(QStringLiteral("/data/held-out.jsonl"));
      page.resize(1384, 820);
      page.show();
      page.modelChooser()->setCurrentIndex(page.modelChooser()->findData(QStringLiteral("/models/weak")));
      page.dataChooser()->setCurrentIndex(page.dataChooser()->findData(QStringLiteral("/data/held-out.jsonl")));
    }
  };
  static Board board() {
    constexpr double kValues[] = {0.41, 0.46, 0.42, 0.47, 0.44, 0.52};
    return made_up::board({"base", "grpo", "opsd", "opsd+vicur", "opd", "opd+vicur"}, {"shapes", "charts"}, [&](std::size_t s, std::size_t d) { return s == 4 && d == 1 ? kNotComputed : kValues[s]; });
  }
  static void keep(QWidget& widget, const char* name) { gallery::keepInBothThemes(widget, name, 80); }

 private Q_SLOTS:
  void initTestCase() {
    Theme::instance().install();
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void mcNemarIsTheExactTest() {
    QCOMPARE(mcNemar(0, 0), 1.0);
    QVERIFY(std::abs(mcNemar(10, 2) - 0.03857421875) < 1e-9);  // 2 * sum of C(12, k) / 2^12, k <= 2
    QVERIFY(std::abs(mcNemar(61, 44) - mcNemar(44, 61)) < 1e-12);
    QVERIFY(mcNemar(61, 44) > 0.1 && mcNemar(61, 44) < 0.13);
    QCOMPARE(mcNemar(5, 5), 1.0);
  }

  void pairsCountGainedAndLost() {
    const auto a = evaluation([](int i) { return i < 12; }), b = evaluation([](int i) { return i >= 8; });
    const EvaluationPairs pairs = pairsOf(*a, b.get());
    QCOMPARE(pairs.counts[int(PairKind::All)], 20);
    QCOMPARE(pairs.counts[int(PairKind::OnlyA)], 8);
    QCOMPARE(pairs.counts[int(PairKind::OnlyB)], 8);
    QCOMPARE(pairs.counts[int(PairKind::Both)], 4);
    QCOMPARE(pairs.counts[int(PairKind::Neither)], 0);
    QVERIFY(mcNemarSentence(pairs).contains(QStringLiteral("Not a clear difference")));
    QCOMPARE(pairsCsv(pairs, true).count('\n'), 21);
    auto fewer = std::make_shared<Evaluation>(*b);
    fewer->samples.resize(5);
    QCOMPARE(pairsOf(*a, fewer.get()).counts[0], 5);  // on the same rows alone
  }

  void boldNeedsAClearDifference() {
    const Board b = board();
    QVERIFY(BoardView::clearlyDiffers(b.cells[5][0], b.cells[0][0]));
    QVERIFY(!BoardView::clearlyDiffers(b.cells[2][0], b.cells[0][0]));
    QVERIFY(!BoardView::clearlyDiffers(b.cells[4][1], b.cells[0][1]));  // not measured
    BoardCell one = b.cells[5][0];
    one.mean.low = one.mean.high = std::nan("");
    QVERIFY(!BoardView::clearlyDiffers(one, b.cells[0][0]));  // no interval, no claim
    BoardView view;
    view.setBoard(b);
    QVERIFY(view.cellName(0).contains(QStringLiteral("base, shapes, 41.0 %")));
    QVERIFY(view.cellName(9).contains(QStringLiteral("not measured")));
    Board careful = b;
    careful.cautions.assign(b.settings.size(), {});
    careful.cautions[3] = "steps 60 where most rows have 100";
    careful.cells[1][0].caution = "evaluated at step 50 of 100";
    QWidget holder;
    BoardView marked(&holder);
    marked.resize(900, marked.sizeHint().height());
    view.resize(marked.size());
    marked.setBoard(careful);
    QVERIFY(marked.cellName(6).contains(QStringLiteral("Not the same experiment")) && marked.cellName(6).contains(QStringLiteral("steps 60")));
    QVERIFY(marked.cellName(2).contains(QStringLiteral("step 50 of 100")) && !marked.cellName(0).contains(QStringLiteral("Not the same")));
    const QImage plain = view.grab().toImage(), painted = marked.grab().toImage();
    const auto hasTriangle = [&](const QImage& picture, const QRect& where) {  // its hue belongs to cautions alone
      for (int y = where.top(); y <= where.bottom(); ++y)
        for (int x = where.left(); x <= where.right(); ++x)
          if (picture.rect().contains(x, y) && picture.pixelColor(x, y) == colors().caution) return true;
      return false;
    };
    const auto name = [&](int cell) { return QRect(0, marked.cellRect(cell).top(), marked.cellRect(0).left(), marked.cellRect(cell).height()); };
    QVERIFY(hasTriangle(painted, name(6)));  // before the row's name
    QVERIFY(!hasTriangle(painted, name(0)) && !hasTriangle(plain, name(6)));
    QVERIFY(hasTriangle(painted, marked.cellRect(2)) && !hasTriangle(painted, marked.cellRect(0)));
  }

  void twoEvaluationsAreFilteredByClicks() {
    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    Workspace workspace;
    EvaluatePage page(session, workspace);
    page.resize(1384, 820);
    page.show();
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    QVERIFY(page.verdict().contains(QStringLiteral("No evaluation yet")));
    page.addEvaluation(evaluation([](int i) { return i % 3 == 0; }), QStringLiteral("base"));
    QCOMPARE(page.table()->rowCount(), 20);
    page.addEvaluation(evaluation([](int i) { return i % 3 != 1; }), QStringLiteral("vicur"));
    QCOMPARE(page.chooserA()->currentText(), QStringLiteral("vicur"));
    QCOMPARE(page.chooserB()->currentText(), QStringLiteral("base"));
    QVERIFY(page.verdict().startsWith(QStringLiteral("McNemar")));
    page.boardView()->setBoard(board());
    keep(page, "evaluate");
    page.filter()->setFocus();
    QTest::keyClick(page.filter(), Qt::Key_Right);  // only A right
    QCOMPARE(page.filter()->current(), 1);
    QCOMPARE(page.table()->rowCount(), 6);
    page.exportTo(m_folder.filePath("pairs.csv"));
    QVERIFY(QFile(m_folder.filePath("pairs.csv")).size() > 100);
    page.exportTo(m_folder.filePath("board.svg"));
    QVERIFY(QFile(m_folder.filePath("board.svg")).size() > 100);
    QTest::mouseClick(page.boardView(), Qt::LeftButton, {}, page.boardView()->cellRect(3).center());
    QCOMPARE(page.boardView()->currentCell(), 3);
    QTest::keyClick(page.boardView(), Qt::Key_Down);
    QCOMPARE(page.boardView()->currentCell(), 5);
  }

  void aSampleWithSeveralPicturesHasAStrip() {
    Chosen chosen;
    EvaluatePage& page = chosen.page;
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    auto e = std::make_shared<Evaluation>(*evaluation([](int) { return true; }));
    e->files = {"two-pictures.jsonl"};
    e->samples.resize(2);
    for (int i = 0; i < 2; ++i) e->samples[std::size_t(i)].file = e->files.front(), e->samples[std::size_t(i)].id = "scene-" + std::to_string(i), e->samples[std::size_t(i)].fileRow = i;
    e->scores = scoresOf(e->samples, 1);
    page.addEvaluation(e, QStringLiteral("two pictures"));
    QCOMPARE(page.table()->rowCount(), 2);
    QTest::mouseClick(page.table()->viewport(), Qt::LeftButton, {}, page.table()->visualItemRect(page.table()->item(1, 0)).center());
    FrameStrip* strip = page.pictures();
    QTRY_VERIFY(strip->isVisible());
    QCOMPARE(strip->cellCount(), 2);
    QCOMPARE(page.picture()->scene().picture.size(), QSize(192, 192));
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, strip->cellRect(1).center());
    QCOMPARE(page.picture()->scene().picture.size(), QSize(96, 128));
    strip->setFocus();
    QTest::keyClick(strip, Qt::Key_Left);
    QCOMPARE(page.picture()->scene().picture.size(), QSize(192, 192));
  }

  void anEvaluationIsPausedContinuedAndCancelledByClicks() {
    Chosen chosen;
    auto& [control, session, workspace, page] = chosen;
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    QVERIFY(!page.pauseButton()->isVisible());
    control->setHoldEvaluation(true);
    QTest::mouseClick(page.evaluateButton(), Qt::LeftButton);
    QVERIFY(page.busy());
    QTRY_COMPARE(session.evaluationState(), EvaluationState::Running);
    QTest::mouseClick(page.pauseButton(), Qt::LeftButton);
    QCOMPARE(page.pauseButton()->text(), QStringLiteral("Go on"));
    control->setHoldEvaluation(false);
    QTRY_COMPARE(session.evaluationProgress().done, 4.0);
    keep(page, "evaluate-paused");
    QTest::mouseClick(page.pauseButton(), Qt::LeftButton);
    QTRY_VERIFY(!page.busy());
    const QColor plus = page.evaluateButton()->icon().pixmap(16, 16).toImage().pixelColor(8, 8);
    QVERIFY2(std::abs(plus.lightness() - colors().onAccentFill.lightness()) < 30, qPrintable(plus.name()));  // seen on the accent's ground
    QCOMPARE(page.evaluations(), 1);
    QCOMPARE(page.table()->rowCount(), 19);  // one row could not be asked
    QVERIFY(page.verdict().contains(QStringLiteral("1 rows could not be asked")));
    control->setHoldEvaluation(true);
    QTest::mouseClick(page.evaluateButton(), Qt::LeftButton);
    QTRY_COMPARE(session.evaluationState(), EvaluationState::Running);
    QTest::mouseClick(page.evaluateButton(), Qt::LeftButton);  // says Cancel now
    QVERIFY(!page.busy());
    QTRY_COMPARE(control->openEvaluations, 0);
    QCOMPARE(page.evaluations(), 1);
    control->setHoldEvaluation(false);
  }

  // A number typed as a person types it.
  static void type(QAbstractSpinBox* field, const char* text) {
    field->setFocus();
    field->selectAll();
    QTest::keyClicks(field, text);
    QTest::keyClick(field, Qt::Key_Tab);
  }

  void answersAreSampledWithTheCueAndJudgedByPassAtK() {
    Chosen chosen;
    auto& [control, session, workspace, page] = chosen;
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    EvaluateSettings* how = page.settings();
    // Greedy has no temperature, and says so.
    QVERIFY(!how->temperature()->isEnabled() && how->temperature()->toolTip().contains(QStringLiteral("Greedy answers are all the same")));
    how->decoding()->setFocus();
    QTest::keyClick(how->decoding(), Qt::Key_Right);
    QVERIFY(how->temperature()->isEnabled());
    type(how->temperature(), "0.7");
    type(how->passK(), "2");
    QCOMPARE(how->answers()->value(), 2);  // K answers are the least
    type(how->answers(), "4");
    type(how->seed(), "11");
    type(how->longest(), "40");
    how->privilege()->setFocus();
    QTest::keyClick(how->privilege(), Qt::Key_Down);
    QCOMPARE(how->words(), QStringLiteral("temperature 0.70, 4 answers a row, with the cue"));
    QTest::mouseClick(page.evaluateButton(), Qt::LeftButton);
    QTRY_COMPARE(page.evaluations(), 1);
    {
      std::lock_guard lock(control->mutex);
      const EvaluateRequest& asked = control->lastEvaluation;
      QVERIFY(!asked.sampling.greedy && asked.sampling.temperature == 0.7 && asked.sampling.seed == 11 && asked.sampling.maxNew == 40);
      QCOMPARE(asked.answersPerRow, 4);
      QCOMPARE(asked.passK, 2);
      QCOMPARE(asked.privilege, std::string("cue"));
    }
    QCOMPARE(page.scores()->horizontalHeaderItem(4)->text(), QStringLiteral("A, pass@2"));
    QVERIFY(!page.scores()->isColumnHidden(4));
    // In each third row two of four answers are right, passAtK(4, 2, 2) = 5 of 6; in the others three, 1.
    QVERIFY2(page.scores()->item(0, 4)->text().toDouble() > page.scores()->item(0, 2)->text().toDouble(), qPrintable(page.scores()->item(0, 4)->text()));
    page.table()->setCurrentCell(1, 0);
    QVERIFY2(page.table()->item(1, 3)->text().startsWith(QStringLiteral("3 of 4 right")), qPrintable(page.table()->item(1, 3)->text()));
    QCOMPARE(page.answer(0)->toPlainText().count(QStringLiteral("right:")), 3);
    QVERIFY(page.verdict().contains(QStringLiteral("the prompt holds the cue")));
    QVERIFY(!page.inspectButton()->isEnabled());
    keep(page, "evaluate-sampled");
    // Beside one that was asked otherwise the page says that more than the model differs.
    how->decoding()->setFocus();
    QTest::keyClick(how->decoding(), Qt::Key_Left);
    QTest::mouseClick(page.evaluateButton(), Qt::LeftButton);
    QTRY_COMPARE(page.evaluations(), 2);
    QVERIFY2(page.verdict().startsWith(QStringLiteral("A and B differ in more than the model: decoding (greedy and sampled)")), qPrintable(page.verdict()));
  }

  void aCheckpointsEvaluationGoesIntoItsRunAndIsOpenedFromThere() {
    const std::string run = made_up::writeRun(m_folder.path(), "kept", 3, 0.1);
    const QString checkpoint = QString::fromStdString(run) + QStringLiteral("/checkpoints/step-000003");
    QVERIFY(QDir().mkpath(checkpoint));
    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    QVERIFY(session.followRun(QString::fromStdString(run)));
    Workspace workspace;
    workspace.addModel(checkpoint);
    workspace.addData(QStringLiteral("/data/held-out.jsonl"));
    EvaluatePage page(session, workspace);
    page.resize(1384, 820);
    page.show();
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    page.modelChooser()->setCurrentIndex(page.modelChooser()->findData(checkpoint));
    page.dataChooser()->setCurrentIndex(page.dataChooser()->findData(QStringLiteral("/data/held-out.jsonl")));
    // A part of the file is not kept: the board compares whole files.
    page.rowsField()->setValue(10);
    QTest::mouseClick(page.evaluateButton(), Qt::LeftButton);
    QTRY_COMPARE(page.evaluations(), 1);
    const QDir folder(QString::fromStdString(run) + QStringLiteral("/evaluations"));
    QVERIFY(!folder.exists());
    page.rowsField()->setValue(256);  // more than the 20 that there are: all of them
    QTest::mouseClick(page.evaluateButton(), Qt::LeftButton);
    QTRY_COMPARE(page.evaluations(), 2);
    QCOMPARE(folder.entryList({QStringLiteral("*.json*")}), (QStringList{QStringLiteral("held-out-step-3.json"), QStringLiteral("held-out-step-3.jsonl")}));
    QTRY_VERIFY(!page.boardView()->board().settings.empty());  // and the board has read it
    QCOMPARE(page.boardView()->board().runs.front().accuracy.count("held-out"), std::size_t(1));
    // A double click on its cell leads to the run.
    QSignalSpy chosen(&page, &EvaluatePage::runChosen);
    const auto& sets = page.boardView()->board().dataSets;
    const int column = int(std::find(sets.begin(), sets.end(), "held-out") - sets.begin());
    QTest::mouseDClick(page.boardView(), Qt::LeftButton, {}, page.boardView()->cellRect(column).center());
    QCOMPARE(chosen.size(), 1);
    QCOMPARE(chosen.front().front().toString(), QStringLiteral("kept"));
    // The next window finds it in the menu of saved ones.
    EvaluatePage next(session, workspace);
    next.resize(1384, 820);
    next.show();
    QMenu* menu = next.savedButton()->menu();
    Q_EMIT menu->aboutToShow();
    QAction* entry = nullptr;
    for (QAction* each : menu->actions())
      if (each->menu() && each->text() == u"kept") entry = each->menu()->actions().front();
    QVERIFY(entry && entry->text() == u"held-out-step-3");
    entry->trigger();
    QTRY_COMPARE(next.evaluations(), 1);
    QCOMPARE(next.table()->rowCount(), 19);
    QCOMPARE(next.chooserA()->currentText(), QStringLiteral("kept: held-out-step-3"));
    // Saved elsewhere, and opened again beside it.
    const QString file = m_folder.filePath("mine.jsonl");
    QVERIFY(next.saveFile(file));
    next.openFile(file);
    QTRY_COMPARE(next.evaluations(), 2);
    QCOMPARE(next.chooserB()->currentText(), QStringLiteral("kept: held-out-step-3"));
    QVERIFY2(next.verdict().contains(QStringLiteral("A − B: 0.0 points (0.0 to 0.0) on 19 rows")), qPrintable(next.verdict()));
    keep(next, "evaluate-opened");
  }

  void aFileThatIsNoEvaluationSaysWhyInThePage() {
    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    Workspace workspace;
    EvaluatePage page(session, workspace);
    page.show();
    QFile file(m_folder.filePath("broken.jsonl"));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("{\"index\": 0\n");
    file.close();
    page.openFile(file.fileName());
    QTRY_VERIFY(page.errorPanel()->isVisible());
    QCOMPARE(page.evaluations(), 0);
    QVERIFY(!page.saveFile(m_folder.filePath("nothing.jsonl")));
    QVERIFY(!QFile::exists(m_folder.filePath("nothing.jsonl")));
  }

  void thePairedDifferenceHasItsKnownInterval() {
    const auto a = evaluation([](int i) { return i < 12; }), b = evaluation([](int i) { return i >= 16; });
    const Interval d = pairedDifference(pairsOf(*a, b.get()));  // 12 gained, 4 lost, of 20
    QCOMPARE(d.value, 0.4);
    // sd^2 = (16 - 20 * 0.16) / 19; half = 1.96 sqrt(sd^2 / 20) = 0.35972
    QVERIFY(std::abs(d.high - d.value - 0.359717) < 1e-5 && std::abs(d.value - d.low - 0.359717) < 1e-5);
  }

  void anEvaluationThatFailsSaysWhyInThePage() {
    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    Workspace workspace;
    workspace.addModel(QStringLiteral("/models/gone"));
    workspace.addData(QStringLiteral("/data/held-out.jsonl"));
    EvaluatePage page(session, workspace);
    page.resize(1384, 820);
    page.show();
    QVERIFY(QTest::qWaitForWindowExposed(&page));
    page.modelChooser()->setCurrentIndex(page.modelChooser()->findData(QStringLiteral("/models/gone")));
    QTest::mouseClick(page.evaluateButton(), Qt::LeftButton);
    QTRY_VERIFY(page.errorPanel()->isVisible());
    QVERIFY(!page.busy());
    keep(page, "evaluate-failed");
  }
};

QTEST_MAIN(EvaluatePageTest)
#include "tst_evaluate_page.moc"
