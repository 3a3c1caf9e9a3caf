// What leaves Train, Rollouts, Data and Evaluate: every view as PNG, SVG, PDF, CSV and NPZ, the same bytes twice and from its recipe
// without the window; the clipboard; dialogs that offer only what the view can do; errors on the page that they concern.
// CUESCOPE_GALLERY=folder keeps the pictures.
#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QFileDialog>
#include <QJsonDocument>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QProcess>
#include <QSvgRenderer>
#include <QTableView>
#include <QTableWidget>
#include <QtTest>

#include "engine/core/rollout_record.h"
#include "support/made_up_board.h"
#include "support/made_up_run.h"
#include "support/window_fixture.h"
#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/evaluate_board.h"
#include "ui/evaluate_page.h"
#include "ui/inspect_page.h"
#include "ui/models/rollout_store.h"
#include "ui/page_view.h"
#include "ui/panels/train_page.h"
#include "ui/rollouts_cells.h"
#include "ui/rollouts_detail.h"
#include "ui/rollouts_page.h"
#include "widgets/error_panel.h"

using namespace cuescope;

class TestPageExports : public QObject, private WindowFixture {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { useOwnSettings(); }
  void init() {
    openWindow({"/models/weak"});
    static int number = 0;  // a folder that is written twice would hold its steps twice
    m_directory = QString::fromStdString(made_up::writeRun(m_home.filePath(QString::number(++number)), "shown-run", 40, 0.4));
    m_window->activateWindow();
    RunWriter writer(m_directory.toStdString());
    for (const int step : {39, 40}) {
      std::string lines;
      for (int i = 0; i < 4; ++i) {
        RolloutRecord r;
        r.step = step, r.index = i, r.sampleId = "scene-" + std::to_string(i), r.input = "What color is the circle, \"red\" or blue?", r.output = "\\boxed{red}", r.groundTruth = "red", r.score = i % 2;
        for (int t = 0; t < 6; ++t) r.ids.push_back(100 + t), r.studentLogProbs.push_back(-0.5f), r.teacherLogProbs.push_back(-1.2f + 0.1f * float(i + t));
        lines += toJsonLine(r);
      }
      writer.appendRollouts(step, lines);
    }
    QVERIFY(m_session->followRun(m_directory));
    m_window->selection().setRun("shown-run");
    m_window->selection().setStep(40);
  }
  void cleanup() { closeWindow(); }

  void everyViewOfEveryPageIsWrittenTheSameTwiceAndFromItsRecipe() {
    fillPages();
    int views = 0, files = 0;
    for (const MainWindow::Page page : {MainWindow::Train, MainWindow::Rollouts, MainWindow::Data, MainWindow::Evaluate}) {
      showPage(page);
      ViewSource* source = sourceOf(page);
      for (const QString& name : source->viewNames()) {
        if (name == "checkpoints") continue;  // the made-up run has none; said below
        const PageView view = source->view(name);
        const QString what = view.page + "-" + name;
        QVERIFY2(!view.title.isEmpty() && !view.facts.isEmpty(), qPrintable(what));
        const QStringList formats = pageFormats(view);
        QVERIFY2(formats.contains("csv"), qPrintable(what));
        for (const QString& format : formats) {
          const QString first = file(what + "." + format), second = file(what + "-again." + format), third = file(what + "-rendered." + format);
          source->setCurrentView(name);
          QVERIFY2(m_window->exportView(first), qPrintable(first));
          source->setCurrentView(name);
          QVERIFY2(m_window->exportView(second), qPrintable(second));
          const QByteArray bytes = read(first);
          QVERIFY2(bytes.size() > 20, qPrintable(first));
          QVERIFY2(bytes == read(second), qPrintable("other bytes the second time: " + first));
          QCOMPARE(renderCommand({"cuescope", "--recipe", first + ".recipe.json", "--output", third}), 0);
          QVERIFY2(bytes == read(third), qPrintable("the recipe gives other bytes: " + first));
          if (format == "svg") QVERIFY2(QSvgRenderer(bytes).isValid() && bytes.contains("<title>"), qPrintable(first));
          if (format == "png") QVERIFY2(QImage::fromData(bytes).width() > 400, qPrintable(first));
          if (format == "pdf") QVERIFY2(bytes.startsWith("%PDF-") && !bytes.contains("(D:" + QByteArray::number(QDate::currentDate().year())), qPrintable(first));
          if (format == "csv") QVERIFY2(bytes.count('\n') == qsizetype(pageTable(view).rows.size()) + rowsWithLineEnds(view) + 1, qPrintable(first));
          ++files;
        }
        ++views;
      }
    }
    QVERIFY2(views == 21, qPrintable(QString::number(views)));
    QVERIFY(files > 80);
  }

  // Another process, without a display, without the studio's style, with another hash seed and the desktop's own font and colours: the
  // bytes of every view are those of the window.
  void theRecipeGivesTheSameBytesInAProcessOfItsOwn() {
    fillPages();
    const QString program = QCoreApplication::applicationDirPath() + "/../bin/cuescope";
    QVERIFY(QFile::exists(program));
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "QT_HASH_SEED"}) environment.remove(name);
    QStringList drawn, different;
    for (const MainWindow::Page page : {MainWindow::Train, MainWindow::Rollouts, MainWindow::Data, MainWindow::Evaluate}) {
      showPage(page);
      for (const QString& name : sourceOf(page)->viewNames()) {
        if (name == "checkpoints") continue;  // the made-up run has none
        const PageView view = sourceOf(page)->view(name);
        for (const QString& format : figureFormats()) {
          const QString path = file(QStringLiteral("process-%1-%2.%3").arg(view.page, name, format)), again = file(QStringLiteral("process-again.") + format);
          exportPageView(path, view, 2);
          QFile::remove(again);
          QProcess process;
          process.setProcessEnvironment(environment);
          process.start(program, {"render", "--recipe", path + ".recipe.json", "--output", again});
          QVERIFY2(process.waitForFinished(60000), qPrintable(path));
          QVERIFY2(process.exitCode() == 0, process.readAllStandardError());
          drawn << view.page + u'-' + name;
          if (read(path) != read(again)) different << QFileInfo(path).fileName();
        }
      }
    }
    QVERIFY2(different.isEmpty(), qPrintable("other bytes in another process: " + different.join(", ")));
    QCOMPARE(drawn.size(), 21 * 3);
  }

  void theFigureSaysRunStepAndUnits() {
    fillPages();
    m_window->setPage(MainWindow::Train);
    const PageView curves = m_window->trainPage()->view("curves");
    QVERIFY(curves.title.contains("shown-run"));
    QVERIFY2(curves.facts.join(' ').contains("step 40 of 150") && curves.facts.join(' ').contains("training step"), qPrintable(curves.facts.join(' ')));
    QVERIFY(pageTable(curves).columns.contains("unit"));
    const PageView list = m_window->rolloutsPage()->view("list");
    QVERIFY(list.facts.join(' ').contains("run shown-run, step 40") && list.facts.join(' ').contains("nats"));
  }

  void theNumbersAreRawAndWhole() {
    fillPages();
    const PageView curves = m_window->trainPage()->view("curves");
    double last = 0;
    for (const QStringList& row : pageTable(curves).rows)
      if (row[0] == "actor/distillation/loss" && row[3] == "40") last = row.back().toDouble();
    const RunRecord* run = m_session->run("shown-run");
    QCOMPARE(last, run->steps.back()->metrics.at("actor/distillation/loss"));
    const QByteArray npz = pageNpz(curves);
    QVERIFY(npz.contains("shown-run.steps.npy") && npz.contains("shown-run.actor_distillation_loss.npy"));
    QVERIFY(pageNpz(m_window->trainPage()->view("probes")).contains("'shape': (6, 6)"));
  }

  void aViewIsDrawnAtTheChosenScale() {
    fillPages();
    m_window->setPage(MainWindow::Train);
    m_window->trainPage()->setCurrentView("phases");
    QVERIFY(m_window->exportView(file("two.png")));
    m_window->action("export.scale-4")->trigger();
    QVERIFY(m_window->action("export.scale-4")->isChecked() && !m_window->action("export.scale-2")->isChecked());
    QVERIFY(m_window->exportView(file("four.png")));
    QCOMPARE(QImage(file("four.png")).width(), 2 * QImage(file("two.png")).width());
  }

  // At every scale the same picture: what is recorded and played is not scaled again by the file's dots an inch.
  void figuresKeepTheirPlaceAtEveryScale() {
    fillPages();
    m_window->evaluatePage()->boardView()->setBoard(board());
    for (const PageView& view : {m_window->trainPage()->view("curves"), m_window->evaluatePage()->view("board"), m_window->dataPage()->view("row")}) {
      const QImage one = QImage::fromData(pageBytes(view, "png", 1)), four = QImage::fromData(pageBytes(view, "png", 4));
      QCOMPARE(four.size(), one.size() * 4);
      const QImage small = four.scaled(one.size() / 8, Qt::IgnoreAspectRatio, Qt::SmoothTransformation), same = one.scaled(one.size() / 8, Qt::IgnoreAspectRatio, Qt::SmoothTransformation);
      double difference = 0;
      for (int y = 0; y < small.height(); ++y)
        for (int x = 0; x < small.width(); ++x) difference += std::abs(qGray(small.pixel(x, y)) - qGray(same.pixel(x, y)));
      difference /= small.width() * small.height();
      QVERIFY2(difference < 4, qPrintable(view.name + QString(": %1 grey levels a pixel").arg(difference)));
    }
  }

  void whatTheViewCannotBeIsRefusedOnItsPage() {
    fillPages();
    m_window->setPage(MainWindow::Train);
    m_window->trainPage()->setCurrentView("health");
    QVERIFY(!m_window->exportView(file("health.doc")));
    QCOMPARE(m_window->page(), MainWindow::Train);
    QVERIFY(!m_window->inspectPage()->error()->isVisible());
    auto* error = m_window->trainPage()->findChild<ErrorPanel*>();
    QVERIFY(error->isVisible());
    QVERIFY2(error->details().contains("csv"), qPrintable(error->details()));
    m_window->trainPage()->setCurrentView("checkpoints");
    QVERIFY(!m_window->exportView(file("checkpoints.csv")));
    QVERIFY2(error->details().contains("no checkpoint"), qPrintable(error->details()));
    QVERIFY(!QFile::exists(file("checkpoints.csv")));
    QCOMPARE(renderCommand({"cuescope", "--recipe", file("missing.recipe.json"), "--output", file("x.png")}), 2);
  }

  void theDialogOffersWhatTheViewCanDoAndBlocksNothing() {
    fillPages();
    m_window->setPage(MainWindow::Data);
    m_window->dataPage()->setCurrentView("prompts");
    m_window->action("file.export")->trigger();
    auto* dialog = m_window->findChild<QFileDialog*>();
    QVERIFY(dialog && !dialog->isModal());
    QVERIFY2(dialog->selectedFiles().value(0).endsWith("prompts.png"), qPrintable(dialog->selectedFiles().join(' ')));
    QVERIFY2(dialog->nameFilters().join(' ').contains("csv") && !dialog->nameFilters().join(' ').contains("npz") && !dialog->nameFilters().join(' ').contains("capture"), qPrintable(dialog->nameFilters().join(' ')));
    delete dialog;
    m_window->setPage(MainWindow::Rollouts);
    m_window->action("export.rollouts-histogram")->trigger();
    dialog = m_window->findChild<QFileDialog*>();
    QVERIFY(dialog && dialog->windowTitle().contains("histogram"));
    QVERIFY(dialog->nameFilters().join(' ').contains("npz"));
    Q_EMIT dialog->fileSelected(file("from-dialog.csv"));
    QVERIFY(read(file("from-dialog.csv")).startsWith("mean_abs_gap_nats"));
    delete dialog;
  }

  void copyTakesTheViewAndOfATableItsChosenRows() {
    fillPages();
    m_window->activateWindow();
    m_window->setPage(MainWindow::Rollouts);
    QTableView* table = m_window->rolloutsPage()->table();
    table->selectRow(1);
    table->setFocus();
    QTest::keyClick(table, Qt::Key_C, Qt::ControlModifier);
    const QMimeData* data = QApplication::clipboard()->mimeData();
    QVERIFY(data->hasImage());
    QVERIFY2(data->text().contains('\t') && data->text().contains(table->model()->index(1, 1).data().toString()) && !data->text().contains('\n'), qPrintable(data->text()));
    m_window->setPage(MainWindow::Train);
    m_window->trainPage()->curves()->setFocus();
    QTest::keyClick(m_window->trainPage()->curves(), Qt::Key_C, Qt::ControlModifier);
    data = QApplication::clipboard()->mimeData();
    QVERIFY(data->hasImage() && qvariant_cast<QImage>(data->imageData()).width() > 900);
    QVERIFY(data->text().startsWith("metric\tunit\trun\tstep"));
  }

  void theViewWorkedInLastIsTheOneThatLeaves() {
    fillPages();
    m_window->setPage(MainWindow::Rollouts);
    RolloutsPage* page = m_window->rolloutsPage();
    QTest::mouseClick(page->histogram(), Qt::LeftButton, {}, QPoint(60, 40));
    QCOMPARE(page->currentView(), QString("histogram"));
    page->histogram()->clearThreshold();
    page->detail()->strip()->setFocus();
    QCOMPARE(page->currentView(), QString("response"));
    page->table()->setFocus();
    QCOMPARE(page->currentView(), QString("list"));
  }

  void saveKeepsTheRowsEditsOnDataAlone() {
    fillPages();
    m_window->setPage(MainWindow::Train);
    QVERIFY(!m_window->action("file.save")->isEnabled());
    m_window->setPage(MainWindow::Data);
    QVERIFY(m_window->action("file.save")->isEnabled());
    QVERIFY(m_window->action("file.save")->text().contains("edits"));
  }

 private:
  QString file(const QString& name) const {
    static const QString kept = qEnvironmentVariable("CUESCOPE_GALLERY");
    return (kept.isEmpty() ? m_home.path() : kept) + u'/' + name;
  }
  static QByteArray read(const QString& path) {
    QFile in(path);
    return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
  }
  static qsizetype rowsWithLineEnds(const PageView& view) {
    qsizetype ends = 0;
    for (const QStringList& row : pageTable(view).rows)
      for (const QString& cell : row) ends += cell.count('\n');
    return ends;
  }
  void showPage(MainWindow::Page page) {
    m_window->setPage(page);
    if (page != MainWindow::Evaluate) return;
    QTest::qWait(50);  // shown again, it reads the runs' own board
    m_window->evaluatePage()->boardView()->setBoard(board());
  }
  ViewSource* sourceOf(MainWindow::Page page) {
    switch (page) {
      case MainWindow::Train: return m_window->trainPage();
      case MainWindow::Rollouts: return m_window->rolloutsPage();
      case MainWindow::Data: return m_window->dataPage();
      default: return m_window->evaluatePage();
    }
  }
  void fillPages() {
    m_window->setPage(MainWindow::Train);
    QTRY_VERIFY(m_window->trainPage()->curves()->panels().size() > 2);
    m_window->setPage(MainWindow::Rollouts);
    QTRY_COMPARE(m_window->rolloutsPage()->model()->rowCount(), 4);
    QTRY_VERIFY(m_window->rolloutsPage()->detail()->sameTable()->rowCount() > 1);
    m_window->setPage(MainWindow::Data);
    m_window->dataPage()->openFile("made-up.jsonl");
    QTRY_VERIFY(m_window->dataPage()->model()->rowCount() > 1);
    QImage picture(192, 144, QImage::Format_RGB888);
    picture.fill(QColor(90, 120, 150));
    CueCanvas* canvas = m_window->dataPage()->canvas();
    canvas->setPicture(picture);
    QTest::mousePress(canvas, Qt::LeftButton, {}, canvas->toWidget({20, 20}).toPoint());
    QTest::mouseMove(canvas, canvas->toWidget({80, 90}).toPoint());
    QTest::mouseRelease(canvas, Qt::LeftButton, {}, canvas->toWidget({80, 90}).toPoint());
    QCOMPARE(m_window->dataPage()->currentCue().marks.size(), std::size_t(1));
    m_window->dataPage()->cueField()->setPlainText("By a theorem it is four.");
    QTest::qWait(250);  // the prompts are rendered after a moment
    m_window->dataPage()->lintAll();
    QTRY_VERIFY(m_window->dataPage()->complaintCount() > 0);
    m_window->setPage(MainWindow::Evaluate);
    EvaluatePage* evaluate = m_window->evaluatePage();
    QTest::qWait(30);  // its own board has been read
    evaluate->addEvaluation(evaluation(3), "base");
    evaluate->addEvaluation(evaluation(2), "vicur");
    evaluate->boardView()->setBoard(board());
  }
  static EvaluationPtr evaluation(int every) {
    auto e = std::make_shared<Evaluation>();
    e->model.folder = "/models/weak";
    e->files = {"held-out.jsonl"};
    e->decoding = "greedy";
    for (int i = 0; i < 70; ++i) {
      EvaluatedSample s;
      s.index = s.fileRow = i;
      s.file = e->files.front();
      s.id = "row-" + std::to_string(i), s.kind = i % 2 ? "color" : "count", s.question = "How many circles, and where?", s.groundTruth = "two";
      EvaluatedAnswer answer;
      answer.accuracy = i % every == 0, answer.format = 1;
      answer.boxed = i % every == 0 ? "two" : "three";
      answer.text = "I count \\boxed{" + answer.boxed + "},\nas it seems";
      s.answers = {answer};
      e->samples.push_back(s);
    }
    e->scores = scoresOf(e->samples, 1);
    return e;
  }
  static Board board() {
    return made_up::board({"base", "opd+vicur"}, {"shapes"}, [](std::size_t s, std::size_t) { return s == 0 ? 0.41 : 0.51; }, 2);
  }
  QString m_directory;
};

QTEST_MAIN(TestPageExports)
#include "tst_page_exports.moc"
