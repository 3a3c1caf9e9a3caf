// The Data page with real clicks and keys: cues and marks are drawn, typed, undone and kept beside the data; lint names what is wrong
// and jumps to it; the answer column shows what the box holds. CUESCOPE_GALLERY=folder keeps pictures of it.
#include <QFile>
#include <QListWidget>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTableView>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QUndoStack>

#include "engine/core/cue_edits.h"
#include "engine/core/failure.h"
#include "support/fake_engine.h"
#include "support/gallery.h"
#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/workspace.h"
#include "widgets/theme.h"

using namespace cuescope;

class DataPageTest : public QObject {
  Q_OBJECT
  QTemporaryDir m_folder;

  struct Opened {
    std::unique_ptr<Session> session;
    std::unique_ptr<Workspace> workspace;
    std::unique_ptr<DataPage> page;
  };
  Opened open(const QString& file) {
    Opened o;
    auto control = std::make_shared<FakeControl>();
    o.session = std::make_unique<Session>([control] { return makeFakeEngine(control); });
    o.workspace = std::make_unique<Workspace>();
    o.page = std::make_unique<DataPage>(*o.session, *o.workspace);
    o.page->resize(1384, 820);
    o.page->show();
    if (!QTest::qWaitForWindowExposed(o.page.get())) qFatal("no window");
    o.page->openFile(file);
    return o;
  }
  static DataRow row(const char* cue, const char* answer = "so it is \\boxed{red}") {
    DataRow r;
    r.index = 0, r.id = "r0", r.question = "What color?", r.prompt = "<image>What color?", r.answer = answer, r.cue = cue, r.pictures = 1;
    r.evidence = {{0, 10, 20, 30, 40, "circle"}};
    return r;
  }
  static Verdict verdictOf(const std::vector<Finding>& findings, Check check) {
    for (const Finding& f : findings)
      if (f.check == check) return f.verdict;
    return Verdict::Fine;
  }
  static void keep(QWidget& widget, const char* name) { gallery::keepInBothThemes(widget, name, 250); }

 private Q_SLOTS:
  void initTestCase() {
    Theme::instance().install();
    Theme::instance().setSetting(ThemeSetting::Dark);
  }

  void lintNamesEachFault() {
    const auto of = [](const DataRow& r, int w = 192, int h = 192) { return lintRow(r, cueOf(r), w, h); };
    QVERIFY(!worst(of(row("The circle is at the left."))));
    QCOMPARE(verdictOf(of(row("")), Check::Cue), Verdict::Look);
    QCOMPARE(verdictOf(of(row("The red circle is at the left.")), Check::Leak), Verdict::Wrong);
    QCOMPARE(verdictOf(of(row("The infrared circle.")), Check::Leak), Verdict::Fine);
    QCOMPARE(verdictOf(of(row("Side 13 and 4.", "\\boxed{3}")), Check::Leak), Verdict::Fine);
    QCOMPARE(verdictOf(of(row("Use the theorem of Pythagoras.")), Check::Theorem), Verdict::Look);
    QCOMPARE(verdictOf(of(row("The circle."), 30, 30), Check::Boxes), Verdict::Wrong);
    DataRow two = row("The circle.");
    two.pictures = 2;
    QCOMPARE(verdictOf(of(two), Check::Placeholders), Verdict::Wrong);
    QCOMPARE(verdictOf(lintRow(two, cueOf(two), 0, 0, 900, 1100, 1024), Check::Length), Verdict::Wrong);
    two.problem = "row 3 is broken";
    QCOMPARE(of(two).size(), std::size_t(1));
  }

  void editsAreKeptBesideTheDataWithTheirOriginal() {
    const std::string file = m_folder.filePath("kept.jsonl").toStdString();
    CueEdit edit = cueOf(row("as it was"));
    edit.row = 7;
    edit.cue = "as it is";
    edit.marks.push_back({"point", 5, 6, 1, 1, "here", "edited"});
    edit.by = "ann", edit.at = "2026-01-02T03:04:05Z", edit.changes = 2;
    writeCueEdits(cueEditsFile(file), {{7, edit}});
    const CueEdits back = readCueEdits(cueEditsFile(file));
    QCOMPARE(back.size(), std::size_t(1));
    QCOMPARE(back.at(7).cue, std::string("as it is"));
    QCOMPARE(back.at(7).originalCue, std::string("as it was"));
    QVERIFY(back.at(7).marks == edit.marks && back.at(7).by == "ann" && back.at(7).changes == 2);
    edit.cue = edit.originalCue, edit.marks = edit.originalMarks;
    writeCueEdits(cueEditsFile(file), {{7, edit}});  // nothing left to keep
    QVERIFY(readCueEdits(cueEditsFile(file)).empty());
    QVERIFY(!QFile::exists(QString::fromStdString(cueEditsFile(file))));
  }

  void aNewFileHasTheEditsAndTheSourceIsNeverWrittenOver() {
    const QString source = m_folder.filePath("source.jsonl"), output = m_folder.filePath("edited.jsonl");
    const QByteArray bytes = "{\"id\":\"a\",\"cue\":\"old\",\"evidence\":[],\"extra\":[1,2]}\n{\"id\":\"b\",\"cue\":\"kept\",\"evidence\":[]}\n";
    QFile file(source);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(bytes);
    file.close();
    CueEdit edit;
    edit.row = 0, edit.cue = "new", edit.originalCue = "old", edit.by = "ann";
    writeEditedJsonl(source.toStdString(), {{0, edit}}, output.toStdString());
    QFile written(output);
    QVERIFY(written.open(QIODevice::ReadOnly));
    const QByteArray first = written.readLine(), second = written.readLine();
    QVERIFY(first.contains("\"cue\":\"new\"") && first.contains("cue_provenance") && first.contains("\"extra\":[1,2]"));
    QCOMPARE(second, QByteArray("{\"id\":\"b\",\"cue\":\"kept\",\"evidence\":[]}\n"));
    QVERIFY_EXCEPTION_THROWN(writeEditedJsonl(source.toStdString(), {{0, edit}}, source.toStdString()), Error);
    QVERIFY(file.open(QIODevice::ReadOnly));
    QCOMPARE(file.readAll(), bytes);
  }

  void aBoxIsDrawnMovedNamedAndTakenBack() {
    CueCanvas canvas;
    canvas.resize(400, 400);
    QImage picture(192, 192, QImage::Format_RGB888);
    picture.fill(Qt::white);
    canvas.setPicture(picture);
    std::vector<CueMark> marks;
    QStringList words;
    connect(&canvas, &CueCanvas::marksEdited, this, [&](const std::vector<CueMark>& now, const QString& what, const QString&) { marks = now, words << what; });
    canvas.show();
    QVERIFY(QTest::qWaitForWindowExposed(&canvas));
    const auto at = [&](double x, double y) { return canvas.toWidget({x, y}).toPoint(); };
    const auto drag = [&](QPoint from, QPoint to) {
      QTest::mousePress(&canvas, Qt::LeftButton, {}, from);
      QTest::mouseMove(&canvas, (from + to) / 2);
      QTest::mouseMove(&canvas, to);
      QTest::mouseRelease(&canvas, Qt::LeftButton, {}, to);
    };
    drag(at(20, 30), at(80, 90));
    QCOMPARE(marks.size(), std::size_t(1));
    QVERIFY(std::abs(marks[0].x - 20) <= 1 && std::abs(marks[0].width - 60) <= 2 && marks[0].from == "edited");
    drag(at(100, 100), at(101, 100));  // a slip
    QCOMPARE(marks.size(), std::size_t(1));
    canvas.setTool(CueCanvas::Tool::Point);
    QTest::mouseClick(&canvas, Qt::LeftButton, {}, at(150, 150));
    QCOMPARE(marks.size(), std::size_t(2));
    QCOMPARE(marks[1].kind, std::string("point"));
    canvas.setTool(CueCanvas::Tool::Move);
    QTest::mouseClick(&canvas, Qt::LeftButton, {}, at(50, 60));
    QCOMPARE(canvas.selected(), 0);
    const float x = marks[0].x;
    QTest::keyClick(&canvas, Qt::Key_Right);
    QCOMPARE(marks[0].x, x + 1);
    QTest::keyClick(&canvas, Qt::Key_Left, Qt::ShiftModifier);
    QCOMPARE(marks[0].x, std::max(0.0f, x + 1 - 32));
    drag(canvas.toWidget({double(marks[0].x + marks[0].width), double(marks[0].y + marks[0].height)}).toPoint(), at(120, 140));  // a corner
    QVERIFY(std::abs(marks[0].x + marks[0].width - 120) <= 2);
    QTest::keyClick(&canvas, Qt::Key_Delete);
    QCOMPARE(marks.size(), std::size_t(1));
    QVERIFY(words.join(u' ').contains(QStringLiteral("Draw box 1")) && words.last().contains(QStringLiteral("Delete")));
  }

  void typingACueIsSavedUndoneAndFoundAgain() {
    const QString file = m_folder.filePath("typed.jsonl");
    auto o = open(file);
    QTRY_VERIFY(o.page->model()->rowCount() > 0);
    QTRY_VERIFY(o.page->table()->currentIndex().isValid());
    const std::string before = o.page->currentCue().cue;
    auto* undo = o.page->findChild<QUndoStack*>();
    QVERIFY(undo);
    o.page->cueField()->setFocus();
    o.page->cueField()->moveCursor(QTextCursor::End);
    QTest::keyClicks(o.page->cueField(), " At the left.");
    QCOMPARE(o.page->currentCue().cue, before + " At the left.");
    QCOMPARE(o.page->unsaved(), 1);
    QVERIFY(o.page->saveButton()->isEnabled());
    undo->undo();
    QCOMPARE(o.page->currentCue().cue, before);
    undo->redo();
    QCOMPARE(o.page->currentCue().cue, before + " At the left.");
    QTest::mouseClick(o.page->saveButton(), Qt::LeftButton);
    QCOMPARE(o.page->unsaved(), 0);
    QVERIFY(!QFile::exists(file));  // the source is not made, let alone changed
    auto again = open(file);
    QTRY_COMPARE(again.page->currentCue().cue, before + " At the left.");
    QVERIFY(!again.page->currentCue().by.empty() && !again.page->currentCue().at.empty());
    keep(*again.page, "data");
  }

  void lintOfTheWholeSetJumpsToItsRows() {
    auto o = open(m_folder.filePath("linted.jsonl"));
    QTRY_VERIFY(o.page->model()->rowCount() > 1);
    o.page->cueField()->setPlainText(QString());
    QTest::mouseClick(o.page->lintButton(), Qt::LeftButton);
    QTRY_VERIFY(o.page->complaints()->count() > 0);
    QTRY_COMPARE(o.page->lintButton()->text(), QStringLiteral("Run lint"));
    o.page->table()->selectRow(1);
    QListWidget* list = o.page->complaints();
    const qint64 row = list->item(0)->data(Qt::UserRole).toLongLong();
    QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualItemRect(list->item(0)).center());
    QCOMPARE(o.page->currentCue().row, row);
    o.page->exportTo(m_folder.filePath("complaints.csv"));
    QVERIFY(QFile(m_folder.filePath("complaints.csv")).size() > 30);
  }

  void searchKeepsTheMatchingRows() {
    auto o = open(m_folder.filePath("searched.jsonl"));
    QTRY_VERIFY(o.page->model()->rowCount() > 1);
    const int all = o.page->table()->model()->rowCount();
    QTest::keyClicks(o.page->searchField(), QString::fromStdString(o.page->model()->row(1)->id));
    QTRY_VERIFY(o.page->table()->model()->rowCount() < all);
    QVERIFY(o.page->table()->model()->rowCount() >= 1);
  }

  void theAnswerColumnShowsWhatTheBoxHolds() {
    DataRowsModel model;
    model.clear(QStringLiteral("x"));
    DataRows rows;
    rows.file = "x", rows.total = 1, rows.rows = {row("c", "a long way to the answer \\boxed{\\frac{1}{2}}")};
    model.add(rows);
    QCOMPARE(model.index(0, DataRowsModel::Answer).data().toString(), QStringLiteral("\\frac{1}{2}"));
    QVERIFY(model.index(0, DataRowsModel::Answer).data(Qt::ToolTipRole).toString().startsWith(QStringLiteral("a long way")));
  }
};

QTEST_MAIN(DataPageTest)
#include "tst_data_page.moc"
