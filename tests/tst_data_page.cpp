// The Data page with real clicks and keys: cues and marks are drawn, typed, undone and kept beside the data; lint names what is wrong
// and jumps to it; the answer column shows what the box holds. CUESCOPE_GALLERY=folder keeps pictures of it.
#include <QFile>
#include <QJsonArray>
#include <QListWidget>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTableView>
#include <QTableWidget>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QUndoStack>

#include "engine/core/cue_edits.h"
#include "engine/core/failure.h"
#include "support/fake_engine.h"
#include "support/gallery.h"
#include "ui/data_cue_canvas.h"
#include "ui/data_page.h"
#include "ui/models/row_request.h"
#include "ui/panels/panel.h"
#include "ui/workspace.h"
#include "widgets/frame_strip.h"
#include "widgets/segmented_button.h"
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
    RowVerdict tokens;
    tokens.student = 900, tokens.teacher = 1100, tokens.studentLimit = 1024, tokens.teacherLimit = 1024, tokens.answerLimit = 40;
    QCOMPARE(verdictOf(lintRow(two, cueOf(two), 0, 0, &tokens), Check::Length), Verdict::Wrong);
    tokens.teacher = 1000;
    QCOMPARE(verdictOf(lintRow(two, cueOf(two), 0, 0, &tokens), Check::Length), Verdict::Fine);
    tokens.answer = 41;
    QCOMPARE(verdictOf(lintRow(two, cueOf(two), 0, 0, &tokens), Check::Length), Verdict::Look);  // it is cut
    tokens.student = 1025;
    QCOMPARE(verdictOf(lintRow(two, cueOf(two), 0, 0, &tokens), Check::Length), Verdict::Wrong);
    DataRow one = row("The circle.");
    tokens.places[0] = tokens.visual[0] = tokens.places[1] = tokens.visual[1] = 36;
    tokens.grids = {{1, 12, 12}};
    QCOMPARE(verdictOf(lintRow(one, cueOf(one), 0, 0, &tokens), Check::Placeholders), Verdict::Fine);
    tokens.places[1] = 35;
    QCOMPARE(verdictOf(lintRow(one, cueOf(one), 0, 0, &tokens), Check::Placeholders), Verdict::Wrong);
    tokens.category = "unreadable", tokens.reason = "the picture is missing";
    QCOMPARE(verdictOf(lintRow(one, cueOf(one), 0, 0, &tokens), Check::Readable), Verdict::Wrong);
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

  void whereACueComesFromIsKeptWithIt() {
    DataRow made = row("The circle.");
    made.provenance = R"({"how": "generated", "model": "qwen3-vl-32b", "prompt": "visible only", "seed": 7, "saw_answer": false})";
    const CueEdit own = cueOf(made);
    QCOMPARE(own.origin.model, std::string("qwen3-vl-32b"));
    QCOMPARE(own.origin.seed, std::int64_t(7));
    QCOMPARE(own.origin.sawAnswer, 0);
    CueEdit edit = own;
    edit.cue = "The red circle.", edit.changes = 1;
    edit.origin = {"suggested", "teacher-strong", "Say what is visible", -1, 0};
    const CueEdit back = parseCueEdit(cueEditLine(edit));
    QVERIFY(back.origin == edit.origin);
    QVERIFY(QString::fromStdString(editedLine(R"({"id": "a", "extra": [1, 2]})", edit)).contains(QStringLiteral(R"("extra":[1,2])")));
    QCOMPARE(cueOriginOf("no json").model, std::string());
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

  void eachPictureOfARowHasItsOwnMarks() {
    auto o = open(m_folder.filePath("two-pictures.jsonl"));
    QTRY_VERIFY(o.page->table()->currentIndex().isValid());
    FrameStrip* strip = o.page->pictures();
    QVERIFY(strip->isVisible());
    QCOMPARE(strip->cellCount(), 2);
    CueCanvas* canvas = o.page->canvas();
    const QSize first = canvas->picture().size();
    QCOMPARE(o.page->currentCue().marks.size(), std::size_t(2));
    keep(*o.page, "data-two-pictures");
    // The second picture, by a click: another size, and a box that is drawn there is its own.
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, strip->cellRect(1).center());
    QCOMPARE(canvas->picture().size(), QSize(96, 128));
    QVERIFY(canvas->picture().size() != first);
    canvas->setSelected(-1);
    const auto at = [&](double x, double y) { return canvas->toWidget({x, y}).toPoint(); };
    QTest::mousePress(canvas, Qt::LeftButton, {}, at(40, 60));
    QTest::mouseMove(canvas, at(60, 80));
    QTest::mouseMove(canvas, at(80, 110));
    QTest::mouseRelease(canvas, Qt::LeftButton, {}, at(80, 110));
    QCOMPARE(o.page->currentCue().marks.size(), std::size_t(3));
    QCOMPARE(o.page->currentCue().marks.back().image, 1);
    // A mark of the first picture cannot be taken here; Space walks the marks of the shown picture alone.
    canvas->setFocus();
    canvas->setSelected(-1);
    QTest::keyClick(canvas, Qt::Key_Space);
    QCOMPARE(canvas->selected(), 1);
    QTest::keyClick(canvas, Qt::Key_Space);
    QCOMPARE(canvas->selected(), 2);
    QTest::keyClick(canvas, Qt::Key_Space);
    QCOMPARE(canvas->selected(), 1);
    // Choosing a mark of the first picture in the table shows that picture.
    auto* table = o.page->findChild<QTableWidget*>();
    QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualItemRect(table->item(0, 1)).center());
    QCOMPARE(canvas->image(), 0);
    QCOMPARE(canvas->picture().size(), first);
    QCOMPARE(canvas->selected(), 0);
    // Inspect gets both pictures in their places, each with its marks.
    QSignalSpy chosen(o.page.get(), &DataPage::rowChosen);
    QTest::keyClick(o.page->table(), Qt::Key_Return);
    QCOMPARE(chosen.size(), 1);
    const auto sent = chosen.front().front().value<DataRow>();
    const InspectRequest request = requestOf(sent);
    QCOMPARE(request.moreImages.size(), std::size_t(1));
    QCOMPARE(request.question, std::string("Left:<image>Right:<image>What differs?"));
    QCOMPARE(request.evidence.size(), std::size_t(3));
    QCOMPARE(request.evidence.back().image, 1);
    // And the edit comes back with its pictures.
    QVERIFY(o.page->save());
    const CueEdits kept = readCueEdits(cueEditsFile(o.page->file().toStdString()));
    QCOMPARE(kept.begin()->second.marks.back().image, 1);
    QVERIFY(ofAllPictures(kept.begin()->second));
  }

  void aMarkBeyondItsOwnPictureIsNamed() {
    DataRow two = row("The circle.");
    two.pictures = 2, two.prompt = "<image><image>What color?";
    two.evidence = {{1, 10, 20, 30, 40, "circle"}};
    const auto boxes = [&](int w, int h) { return verdictOf(lintRow(two, cueOf(two), 192, 192, nullptr, {{w, h}}), Check::Boxes); };
    QCOMPARE(boxes(100, 100), Verdict::Fine);
    QCOMPARE(boxes(30, 100), Verdict::Wrong);
    two.evidence[0].image = 2;
    QCOMPARE(boxes(100, 100), Verdict::Wrong);  // there is no such picture
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

  void lengthsPlacesAndTheBatchComeFromTheEngine() {
    auto o = open(m_folder.filePath("lengths.jsonl"));
    QTRY_VERIFY(o.page->side()->lint()->findings().size() > 0 && !o.page->side()->lint()->findings().front().open);
    const std::vector<Finding>& findings = o.page->side()->lint()->findings();
    QCOMPARE(findings.front().check, Check::Length);
    QVERIFY2(findings.front().detail.contains(QStringLiteral("student 60 of 1,024")), qPrintable(findings.front().detail));
    QCOMPARE(verdictOf(findings, Check::Length), Verdict::Fine);
    QCOMPARE(verdictOf(findings, Check::Placeholders), Verdict::Fine);
    QVERIFY(o.page->side()->studentText()->toPlainText().contains(QStringLiteral("[image, 36 tokens]")));
    QVERIFY(o.page->side()->batchText()->toPlainText().contains(QStringLiteral("[36 × <|image_pad|>]")));
    QVERIFY(o.page->side()->batchText()->toPlainText().endsWith(QStringLiteral("four<|im_end|>")));
    QVERIFY(o.page->side()->batchNote().contains(QStringLiteral("2 trained")));
    o.page->side()->promptPanel()->setCurrentTab(1);
    keep(*o.page, "data-batch");
    o.page->side()->promptPanel()->setCurrentTab(0);
    o.page->cueField()->setPlainText(QString(200, u'x'));  // over what the teacher reads
    QTRY_COMPARE(verdictOf(o.page->side()->lint()->findings(), Check::Length), Verdict::Wrong);
    QTest::mouseClick(o.page->lintButton(), Qt::LeftButton);
    QTRY_COMPARE(o.page->lintButton()->text(), QStringLiteral("Run lint"));
    bool long1 = false;
    for (int i = 0; i < o.page->complaints()->count(); ++i) long1 |= o.page->complaints()->item(i)->text().contains(QStringLiteral("teacher prompt too long"));
    QVERIFY(long1);
  }

  void theTeachersPromptFollowsAnEditAtOnce() {
    auto o = open(m_folder.filePath("follows.jsonl"));
    QTRY_VERIFY(o.page->side()->teacherText()->toPlainText().contains(QStringLiteral("<|im_start|>assistant")));
    const QString before = o.page->side()->teacherText()->toPlainText();
    o.page->cueField()->setFocus();
    o.page->cueField()->moveCursor(QTextCursor::End);
    QTest::keyClicks(o.page->cueField(), " At the left.");
    const QString now = o.page->side()->teacherText()->toPlainText();  // no event was served in between
    QVERIFY2(now.contains(QStringLiteral("northwest. At the left.<|im_end|>")), qPrintable(now));
    QCOMPARE(QString(now).remove(QStringLiteral(" At the left.")), before);
    QTRY_COMPARE(o.page->side()->teacherText()->toPlainText(), now);  // and the engine's rendering says the same
    o.page->cueField()->setPlainText(QString());
    QVERIFY(!o.page->side()->teacherText()->toPlainText().contains(QStringLiteral("[Hint]")));
  }

  void eachMarkIsDrawnWithTheMouseUndoneAndRedone() {
    auto o = open(m_folder.filePath("marks.jsonl"));
    QTRY_VERIFY(!o.page->canvas()->picture().isNull());
    auto* undo = o.page->findChild<QUndoStack*>();
    CueCanvas* canvas = o.page->canvas();
    const auto at = [&](double x, double y) { return canvas->toWidget({x, y}).toPoint(); };
    const std::size_t begun = o.page->currentCue().marks.size();
    const char* kinds[] = {"box", "point", "crop"};
    for (int tool = 1; tool <= 3; ++tool) {
      o.page->tools()->setCurrent(tool);
      Q_EMIT o.page->tools()->currentChanged(tool);
      const QPoint from = at(20 + 40 * tool, 30), to = at(50 + 40 * tool, 90);
      QTest::mousePress(canvas, Qt::LeftButton, {}, from);
      QTest::mouseMove(canvas, (from + to) / 2);
      QTest::mouseMove(canvas, to);
      QTest::mouseRelease(canvas, Qt::LeftButton, {}, to);
      QCOMPARE(o.page->currentCue().marks.size(), begun + std::size_t(tool));
      QCOMPARE(o.page->currentCue().marks.back().kind, std::string(kinds[tool - 1]));
      undo->undo();
      QCOMPARE(o.page->currentCue().marks.size(), begun + std::size_t(tool) - 1);
      undo->redo();
      QCOMPARE(o.page->currentCue().marks.back().kind, std::string(kinds[tool - 1]));
    }
    QVERIFY(o.page->save());
    auto again = open(m_folder.filePath("marks.jsonl"));
    QTRY_COMPARE(again.page->currentCue().marks.size(), begun + 3);
    QVERIFY(again.page->currentCue().marks == o.page->currentCue().marks);
    keep(*again.page, "data-marks");
  }

  void editsThatAreNotSavedComeBackWithTheirFileAndWithTheSession() {
    const QString file = m_folder.filePath("unsaved.jsonl"), other = m_folder.filePath("other.jsonl");
    for (const QString& path : {file, other}) {
      QFile made(path);  // the session asks whether it is still there
      QVERIFY(made.open(QIODevice::WriteOnly));
      made.write("{}\n");
    }
    auto o = open(file);
    QTRY_VERIFY(o.page->model()->rowCount() > 1);
    o.page->table()->selectRow(1);
    o.page->cueField()->setPlainText(QStringLiteral("Only here."));
    o.page->openFile(other);
    QTRY_VERIFY(o.page->model()->rowCount() > 1);
    QCOMPARE(o.page->unsaved(), 0);
    o.page->cueField()->setPlainText(QStringLiteral("There too."));
    const QJsonObject state = o.page->sessionState();  // what is written every few seconds
    o.page->openFile(file);
    QTRY_VERIFY(o.page->model()->rowCount() > 1);
    QCOMPARE(o.page->unsaved(), 1);
    QCOMPARE(o.page->model()->cueAt(1).cue, std::string("Only here."));
    QVERIFY(!QFile::exists(QString::fromStdString(cueEditsFile(file.toStdString()))));
    o.page.reset();  // killed

    auto control = std::make_shared<FakeControl>();
    Session session([control] { return makeFakeEngine(control); });
    Workspace workspace;
    DataPage page(session, workspace);
    page.show();
    page.restoreSessionState(state);
    QCOMPARE(page.file(), other);
    QTRY_VERIFY(page.model()->rowCount() > 1);
    QCOMPARE(page.currentCue().cue, std::string("There too."));
    QCOMPARE(page.unsaved(), 1);
    QVERIFY(page.saveButton()->isEnabled());
    page.openFile(file);
    QTRY_VERIFY(page.model()->rowCount() > 1);
    QCOMPARE(page.model()->cueAt(1).cue, std::string("Only here."));
    page.restoreSessionState({{"file", 3}, {"unsaved", QJsonObject{{other, QJsonArray{"no edit"}}}}});  // damaged: survived
  }

  void aTeacherSuggestsACueThatCanBeTakenBack() {
    auto o = open(m_folder.filePath("suggested.jsonl"));
    QTRY_VERIFY(o.page->model()->rowCount() > 0);
    QTRY_VERIFY2(o.page->suggestButton()->isEnabled(), qPrintable(o.page->suggestButton()->toolTip()));
    const CueEdit before = o.page->currentCue();
    QTest::mouseClick(o.page->suggestButton(), Qt::LeftButton);
    QTRY_VERIFY(o.page->currentCue().cue != before.cue);
    const CueEdit now = o.page->currentCue();
    QCOMPARE(now.cue, std::string("the red circle four."));
    QCOMPARE(now.origin.how, std::string("suggested"));
    QVERIFY(!now.origin.model.empty() && now.origin.prompt.find("What digit is on the red circle?") != std::string::npos);
    QCOMPARE(now.origin.sawAnswer, 0);
    QVERIFY(now.origin.prompt.find("four") == std::string::npos);  // the answer was not told
    QCOMPARE(verdictOf(o.page->side()->lint()->findings(), Check::Leak), Verdict::Wrong);  // but it was said
    o.page->cueField()->moveCursor(QTextCursor::End);
    QTest::keyClicks(o.page->cueField(), "!");
    QCOMPARE(o.page->currentCue().origin.how, std::string("suggested, edited"));
    QCOMPARE(o.page->currentCue().origin.sawAnswer, 1);  // whoever types has it on the page
    auto* undo = o.page->findChild<QUndoStack*>();
    while (undo->canUndo()) undo->undo();
    QCOMPARE(o.page->currentCue().cue, before.cue);
    QVERIFY(o.page->currentCue().origin == before.origin);
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
