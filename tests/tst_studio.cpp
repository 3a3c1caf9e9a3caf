// The whole window with a FakeEngine behind it, driven by keys, mouse and drops; what is shown, linked and exported.
#include <QAbstractItemModelTester>
#include <QAction>
#include <QComboBox>
#include <QDropEvent>
#include <QLineEdit>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QSvgRenderer>
#include <QTableView>
#include <QTemporaryDir>
#include <QUrl>
#include <QtTest>
#include <algorithm>
#include <cmath>

#include "engine/core/capture.h"
#include "support/window_fixture.h"
#include "ui/command_palette.h"
#include "ui/data_page.h"
#include "ui/export.h"
#include "ui/inspect_page.h"
#include "ui/main_window.h"
#include "ui/models/navigator_model.h"
#include "ui/navigator.h"
#include "ui/page_bar.h"
#include "ui/panels/alignment_panel.h"
#include "ui/panels/ask_bar.h"
#include "ui/panels/distributions_panel.h"
#include "ui/panels/fact_table.h"
#include "ui/panels/map_panel.h"
#include "ui/panels/panel.h"
#include "ui/panels/tokens_panel.h"
#include "ui/panels/what_if_panel.h"
#include "widgets/error_panel.h"
#include "widgets/matrix_view.h"

using namespace cuescope;

class TestStudio : public QObject, private WindowFixture {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase();
  void init();
  void cleanup();
  void everyActionHasATooltipAndNoTwoShareAShortcutOnAPage();
  void theStartPageOpensFirst();
  void askingFillsEveryPanel();
  void theSelectionLinksMapMatrixAndStripAtOnceAndAsksTheEngineNothing();
  void keysWalkTokensLayersAndHeads();
  void anotherQuestionBeginsAtTheLargestGapAndTheSameOneWhereItWas();
  void aDroppedPictureIsInspected();
  void aBadFileIsAMessageInThePanel();
  void aBrokenModelIsAMessageInThePanel();
  void whatIfShowsBeforeAfterAndRandom();
  void thePaletteFindsActions();
  void pagesChangeByKeyAndByClick();
  void panelsFloatCloseAndComeBack();
  void themesSwitchAndLoseNothing();
  void exportsParseAndAreTheSameTwice();
  void aCaptureReopensWithoutTheModel();
  void renderRefusesWhatItCannotDraw();
  void itemModelsKeepTheirContract();
  void dataRowsAreListedAndSentToInspect();
  void cueScoreStandsBesideUniform();
  void twoPromptsThatDisagreeAreNamed();

 private:
  void ask();
  void drop(const QString& path);
};

void TestStudio::initTestCase() {
  useOwnSettings();
}

void TestStudio::init() {
  openWindow({"/models/weak", "/models/strong"});
}

void TestStudio::cleanup() {
  closeWindow();
}

void TestStudio::ask() {
  QSignalSpy arrived(m_session.get(), &Session::inspectionArrived);
  m_window->setPage(MainWindow::Inspect);
  AskBar* bar = m_window->inspectPage()->askBar();
  bar->setStudent("/models/weak");
  bar->setTeacher("/models/strong");
  bar->questionField()->setText("What digit is on the red circle?");
  QTest::mouseClick(bar->askButton(), Qt::LeftButton);
  QTRY_COMPARE(arrived.size(), 1);
  QVERIFY(m_window->selection().token() >= 0);  // the largest gap, as nothing was chosen before
  m_window->selection().setToken(0);
}

void TestStudio::drop(const QString& path) {
  QMimeData data;
  data.setUrls({QUrl::fromLocalFile(path)});
  QDragEnterEvent enter(QPoint(300, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(m_window.get(), &enter);
  QVERIFY(enter.isAccepted());
  QDropEvent event(QPointF(300, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(m_window.get(), &event);
}

void TestStudio::everyActionHasATooltipAndNoTwoShareAShortcutOnAPage() {
  QHash<QString, QString> keys;
  const auto actions = m_window->actions();
  QVERIFY(actions.size() > 50);
  for (auto it = actions.begin(); it != actions.end(); ++it) {
    QVERIFY2(!it.value()->statusTip().isEmpty(), qPrintable(it.key()));
    const QString shortcut = it.value()->shortcut().toString();
    if (shortcut.isEmpty()) continue;
    for (int place = 0; place <= MainWindow::PageCount; ++place) {  // keys mean one thing a page
      if (!(m_window->placesOf(it.key()) & (1u << place))) continue;
      const QString here = QString("%1 at %2").arg(shortcut).arg(place);
      QVERIFY2(!keys.contains(here), qPrintable(here + " of " + it.key() + " and " + keys.value(here)));
      keys.insert(here, it.key());
    }
  }
}

void TestStudio::theStartPageOpensFirst() {
  QVERIFY(m_window->onStart());
  QVERIFY(!m_window->actions().value("file.save")->isEnabled());
  QVERIFY(!m_window->actions().value("train.pause")->isEnabled());
  QVERIFY(!m_window->actions().value("train.pause")->toolTip().isEmpty());
}

void TestStudio::askingFillsEveryPanel() {
  ask();
  InspectPage* page = m_window->inspectPage();
  QVERIFY(page->map()->slice().exists());
  QVERIFY(page->map()->slice().claim.contains("36 visual tokens"));
  QCOMPARE(page->map()->slice().depends, QString("same for every response token"));
  QCOMPARE(page->tokens()->strip()->responseSize(), 5);
  QCOMPARE(page->matrix()->maps().heads, 4);
  QCOMPARE(page->distributions()->bars()->distributions().rows.size(), std::size_t(6));
  QCOMPARE(page->alignment()->verdict(), QString("Aligned"));
  QVERIFY(page->cueScore()->table()->text().contains("Mass in evidence"));
  QCOMPARE(m_window->selection().token(), 0);
  QCOMPARE(m_window->pageBar()->cell(4)->value(), QString("Cue recovery"));
}

void TestStudio::theSelectionLinksMapMatrixAndStripAtOnceAndAsksTheEngineNothing() {
  ask();
  InspectPage* page = m_window->inspectPage();
  const auto before = page->map()->slice().values;
  const auto asked = [this] {
    std::lock_guard lock(m_control->mutex);
    return m_control->history;
  };
  const std::string history = asked();
  SelectionState next = m_window->selection().state();
  next.site = Site::SelfAttention;
  next.layer = 3;
  next.head = 2;
  next.token = 4;
  m_window->selection().set(next);
  // No event has been served since: what is shown was sliced from what is here.
  QVERIFY(page->map()->slice().values != before);
  QCOMPARE(page->matrix()->selectedLayer(), 3);
  QCOMPARE(page->matrix()->selectedHead(), 2);
  QCOMPARE(page->tokens()->strip()->selectedFirst(), 4);
  QVERIFY(m_window->pageBar()->cell(3)->value().startsWith("4"));
  QVERIFY(!page->capturing() && !m_session->inspecting());
  QCOMPARE(asked(), history);
  // A layer that the other site lacks becomes the nearest that exists.
  m_window->selection().setSite(Site::CueRecovery);
  QCOMPARE(m_window->selection().layer(), 2);
  m_window->selection().back();
  QCOMPARE(m_window->selection().token(), 4);
}

void TestStudio::keysWalkTokensLayersAndHeads() {
  ask();
  m_window->setFocus();
  QTest::keyClick(m_window.get(), Qt::Key_Right);
  QCOMPARE(m_window->selection().token(), 1);
  QTest::keyClick(m_window.get(), Qt::Key_Down);
  QCOMPARE(m_window->selection().layer(), 2);
  TokenStrip* strip = m_window->inspectPage()->tokens()->strip();
  QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, strip->cellRect(2).center() - strip->viewport()->pos());
  QTest::keyClick(strip, Qt::Key_Up);  // it has the focus and no use for this key
  QCOMPARE(m_window->selection().token(), 2);
  QCOMPARE(m_window->selection().layer(), 0);
  QTest::keyClick(strip, Qt::Key_Down);
  QCOMPARE(m_window->selection().layer(), 2);
  m_window->actions().value("selection.head")->trigger();
  QCOMPARE(m_window->selection().head(), 0);
  m_window->actions().value("selection.max")->trigger();
  QCOMPARE(m_window->selection().head(), kHeadMax);
}

void TestStudio::anotherQuestionBeginsAtTheLargestGapAndTheSameOneWhereItWas() {
  ask();
  InspectPage* page = m_window->inspectPage();
  const auto& all = page->inspection()->distributions;
  const auto largest = std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return std::abs(a.gap()) < std::abs(b.gap()); }) - all.begin();
  const int other = largest == 0 ? 1 : 0;
  for (const bool same : {true, false}) {
    QSignalSpy arrived(m_session.get(), &Session::inspectionArrived);
    m_window->selection().setToken(other);
    if (!same) page->askBar()->questionField()->setText("What shape is it?");
    QTest::mouseClick(page->askBar()->askButton(), Qt::LeftButton);
    QTRY_COMPARE(arrived.size(), 1);
    QCOMPARE(m_window->selection().token(), same ? other : int(largest));
  }
}

void TestStudio::aDroppedPictureIsInspected() {
  QImage image(64, 48, QImage::Format_RGB32);
  image.fill(Qt::red);
  const QString path = m_home.filePath("red.png");
  QVERIFY(image.save(path));
  QSignalSpy arrived(m_session.get(), &Session::inspectionArrived);
  drop(path);
  QVERIFY(!m_window->onStart());
  QTRY_COMPARE(arrived.size(), 1);
  std::lock_guard lock(m_control->mutex);
  QCOMPARE(m_control->lastRequest.images, std::vector<std::string>{path.toStdString()});
}

void TestStudio::aBadFileIsAMessageInThePanel() {
  const QString path = m_home.filePath("words.png");
  QFile file(path);
  QVERIFY(file.open(QIODevice::WriteOnly));
  file.write("words");
  file.close();
  m_control->failInspectWith = "This file is no image";
  QSignalSpy failed(m_session.get(), &Session::inspectionFailed);
  drop(path);
  QTRY_COMPARE(failed.size(), 1);
  QVERIFY(m_window->inspectPage()->error()->isVisible());
  QVERIFY(m_window->inspectPage()->error()->details().contains("This file is no image"));
  {
    std::lock_guard lock(m_control->mutex);
    m_control->failInspectWith.clear();
  }
  ask();
  QVERIFY(!m_window->inspectPage()->error()->isVisible());
}

void TestStudio::aBrokenModelIsAMessageInThePanel() {
  QVERIFY(QDir(m_home.path()).mkpath("broken"));
  drop(m_home.filePath("broken"));
  QTRY_VERIFY(m_window->inspectPage()->error()->isVisible());
  QVERIFY(m_window->inspectPage()->error()->details().contains("This folder is no model"));
}

void TestStudio::whatIfShowsBeforeAfterAndRandom() {
  ask();
  InspectPage* page = m_window->inspectPage();
  QVERIFY(!page->whatIf()->runButton()->isEnabled());
  page->map()->setRegion({7, 8});
  QVERIFY(page->whatIf()->runButton()->isEnabled());
  QTest::mouseClick(page->whatIf()->runButton(), Qt::LeftButton);
  QTRY_VERIFY(page->whatIf()->answerText().contains("seven"));
  QVERIFY(page->whatIf()->answerText().contains("16 random"));
  page->computeCausal();
  QTRY_VERIFY(page->map()->causalText().contains(QStringLiteral("−2.31 nats, random −0.11")));
  m_window->selection().setToken(2);
  QVERIFY(page->map()->causalText().isEmpty());  // another token has not been tried
}

void TestStudio::thePaletteFindsActions() {
  m_window->actions().value("edit.find")->trigger();
  CommandPalette* palette = m_window->palettePopup();
  QVERIFY(palette->isVisible());
  const int all = palette->shownCount();
  QTest::keyClicks(palette->field(), "light dark");
  QVERIFY(palette->shownCount() >= 1 && palette->shownCount() < all);
  QTest::keyClick(palette->field(), Qt::Key_Return);
  QVERIFY(!palette->isVisible());
  QVERIFY(!Theme::instance().isDark());
  m_window->actions().value("view.theme")->trigger();
  QVERIFY(Theme::instance().isDark());
}

void TestStudio::pagesChangeByKeyAndByClick() {
  m_window->actions().value("page.4")->trigger();
  QCOMPARE(m_window->page(), MainWindow::Data);
  QTest::mouseClick(m_window->pageBar(), Qt::LeftButton, {}, m_window->pageBar()->tab(1).center());
  QCOMPARE(m_window->page(), MainWindow::Train);
}

void TestStudio::panelsFloatCloseAndComeBack() {
  m_window->setPage(MainWindow::Inspect);
  Panel* panel = m_window->inspectPage()->panels().front();
  panel->setFloating(true);
  QVERIFY(panel->isWindow());
  panel->close();
  QVERIFY(!panel->isWindow());
  panel->hide();
  m_window->actions().value("view.reset")->trigger();
  QVERIFY(panel->isVisible());
}

void TestStudio::themesSwitchAndLoseNothing() {
  ask();
  m_window->selection().setToken(3);
  const auto values = m_window->inspectPage()->map()->slice().values;
  const QImage dark = m_window->grab().toImage();
  m_window->actions().value("view.theme")->trigger();
  const QImage light = m_window->grab().toImage();
  QVERIFY(qGray(light.pixel(5, 5)) > qGray(dark.pixel(5, 5)) + 80);
  QCOMPARE(m_window->selection().token(), 3);
  QCOMPARE(m_window->inspectPage()->map()->slice().values, values);
  m_window->actions().value("view.theme")->trigger();
}

void TestStudio::exportsParseAndAreTheSameTwice() {
  ask();
  for (const char* ending : {"png", "svg", "pdf", "csv"}) {
    QByteArray bytes[2];
    for (int i = 0; i < 2; ++i) {
      const QString path = m_home.filePath(QStringLiteral("map%1.%2").arg(i).arg(QLatin1String(ending)));
      QVERIFY(m_window->exportView(path));
      QFile file(path);
      QVERIFY(file.open(QIODevice::ReadOnly));
      bytes[i] = file.readAll();
    }
    QVERIFY(!bytes[0].isEmpty());
    QVERIFY2(bytes[0] == bytes[1], ending);
    if (!qstrcmp(ending, "svg")) QVERIFY(QSvgRenderer(bytes[0]).isValid());
    if (!qstrcmp(ending, "png")) QVERIFY(QImage::fromData(bytes[0]).width() > 400);
    if (!qstrcmp(ending, "pdf")) QVERIFY(bytes[0].startsWith("%PDF-"));
    if (!qstrcmp(ending, "csv")) QVERIFY(bytes[0].count('\n') >= 2);
  }
  for (auto what : {ExportChoice::What::Tokens, ExportChoice::What::Distributions}) {
    ExportChoice choice = m_window->exportChoice();
    choice.what = what;
    const QByteArray svg = figureBytes(figureOf(*m_window->inspectPage()->inspection(), choice), "svg");
    QVERIFY(QSvgRenderer(svg).isValid());
  }
  QVERIFY(!m_window->exportView(m_home.filePath("map.xyz")));
  QVERIFY(m_window->inspectPage()->error()->isVisible());
}

void TestStudio::aCaptureReopensWithoutTheModel() {
  ask();
  const QString path = m_home.filePath("look.capture"), picture = m_home.filePath("look.png");
  QVERIFY(m_window->exportView(path));
  QVERIFY(m_window->exportView(picture));
  const auto values = m_window->inspectPage()->map()->slice().values;
  drop(path);
  QCOMPARE(m_window->inspectPage()->map()->slice().values, values);
  QVERIFY(!m_window->inspectPage()->whatIf()->runButton()->isEnabled());
  // The command without a window draws the window's bytes from capture and recipe.
  const QString again = m_home.filePath("again.png");
  QCOMPARE(renderCommand({"cuescope", path, "--format", "png", "--output", again, "--recipe", picture + ".recipe.json"}), 0);
  QFile a(picture), b(again);
  QVERIFY(a.open(QIODevice::ReadOnly) && b.open(QIODevice::ReadOnly));
  QVERIFY(a.readAll() == b.readAll());
}

void TestStudio::renderRefusesWhatItCannotDraw() {
  QCOMPARE(renderCommand({"cuescope", "--output", "x.png"}), 2);
  QCOMPARE(renderCommand({"cuescope", "missing.capture", "--output", "x.bmp"}), 2);
  QCOMPARE(renderCommand({"cuescope", m_home.filePath("missing.capture"), "--output", m_home.filePath("x.png")}), 1);
}

void TestStudio::itemModelsKeepTheirContract() {
  QAbstractItemModelTester navigator(m_window->navigator()->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
  m_window->workspace().addCapture(m_home.filePath("one.capture"));
  m_window->navigator()->model()->setFilter("weak");
  QCOMPARE(m_window->navigator()->model()->rowCount(m_window->navigator()->model()->index(NavigatorModel::Captures, 0)), 0);
  m_window->navigator()->model()->setFilter({});
  DataRowsModel rows;
  QAbstractItemModelTester tester(&rows, QAbstractItemModelTester::FailureReportingMode::QtTest);
  rows.clear("file");
  DataRows page;
  page.file = "file";
  page.total = 3;
  page.rows.resize(2);
  rows.add(page);
  QCOMPARE(rows.rowCount(), 2);
  page.first = 2;
  page.rows.resize(1);
  rows.add(page);
  QCOMPARE(rows.rowCount(), 3);
  QVERIFY(!rows.canFetchMore({}));
}

void TestStudio::dataRowsAreListedAndSentToInspect() {
  QFile file(m_home.filePath("rows.jsonl"));
  QVERIFY(file.open(QIODevice::WriteOnly));
  file.write("{}\n");
  file.close();
  drop(file.fileName());
  QTRY_COMPARE(m_window->dataPage()->model()->rowCount(), 3);
  QCOMPARE(m_window->page(), MainWindow::Data);
  QSignalSpy arrived(m_session.get(), &Session::inspectionArrived);
  Q_EMIT m_window->dataPage()->table()->activated(m_window->dataPage()->model()->index(1, 0));
  QTRY_COMPARE(arrived.size(), 1);
  QCOMPARE(m_window->page(), MainWindow::Inspect);
  std::lock_guard lock(m_control->mutex);
  QCOMPARE(m_control->lastRequest.cue, std::string("The red circle is at northwest."));
}

void TestStudio::cueScoreStandsBesideUniform() {
  const InspectionPtr inspection = fakeInspection(1);
  MapSlice map;
  map.rows = map.cols = 6;
  map.values.assign(36, 0.f);
  map.values[7] = 0.75f;  // row 1, column 1: inside the box of two by two patches
  map.values[35] = 0.25f;
  const auto score = cueScore(*inspection, map);
  QVERIFY(score.has_value());
  QCOMPARE(score->patches, 4);
  QCOMPARE(score->mass, 0.75f);
  QCOMPARE(score->uniformMass, 4.f / 36);
  QVERIFY(score->hit);
}

void TestStudio::twoPromptsThatDisagreeAreNamed() {
  Inspection broken = *fakeInspection(1);
  QVERIFY(alignmentOf(broken).aligned);
  std::erase_if(broken.teacherPrompt.tokens, [](const Token& token) { return token.visual == 5; });
  const Alignment alignment = alignmentOf(broken);
  QVERIFY(!alignment.aligned);
  QVERIFY(alignment.verdict.startsWith("Not aligned"));
}

QTEST_MAIN(TestStudio)
#include "tst_studio.moc"
