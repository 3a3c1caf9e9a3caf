// The help: its pages, their links, the search; and the tutorial, whose steps the tour performs in the same order.
#include <QApplication>
#include <QFile>
#include <QListWidget>
#include <QRegularExpression>
#include <QTextBrowser>
#include <QtTest>

#include "ui/help_window.h"
#include "widgets/theme.h"

using namespace cuescope;

class TestHelp : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { Theme::instance().install(); }
  void everyPageOpensAndEveryLinkLeadsSomewhere();
  void searchFindsPagesAndMarksThePlaces();
  void everyTutorialStepIsPerformedByTheTour();
  void keysNamedInTheTutorialAreTheWindows();
  void everyFileNamedByTheMethodExists();
};

QString textOf(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? QString::fromUtf8(file.readAll()) : QString();
}

void TestHelp::everyPageOpensAndEveryLinkLeadsSomewhere() {
  const auto pages = helpPages();
  QVERIFY(pages.size() >= 10);
  HelpWindow window;
  for (const HelpPage& page : pages) {
    QVERIFY2(!page.title.isEmpty(), qPrintable(page.file));
    QVERIFY2(window.open(page.file), qPrintable(page.file));
    QVERIFY(window.text()->document()->characterCount() > 200);
    static const QRegularExpression kLink("\\]\\(([^)]+)\\)");
    auto links = kLink.globalMatch(page.text);
    while (links.hasNext()) {
      const QString target = links.next().captured(1);
      QVERIFY2(window.open(target), qPrintable(page.file + " -> " + target));
    }
  }
  QVERIFY(!window.open("nowhere.md"));
  for (const char* page : {"start.md", "inspect.md", "train.md", "rollouts.md", "data.md", "evaluate.md"}) QVERIFY2(window.open(page), page);
}

void TestHelp::searchFindsPagesAndMarksThePlaces() {
  HelpWindow window;
  const int all = window.contents()->count();
  window.search("checkpoint folder");
  QVERIFY(window.contents()->count() >= 1 && window.contents()->count() < all);
  QVERIFY(!window.text()->extraSelections().isEmpty());
  window.search("zyzzyva");
  QCOMPARE(window.contents()->count(), 1);
  QVERIFY(window.contents()->item(0)->text().contains("No page"));
  window.search("");
  QCOMPARE(window.contents()->count(), all);
}

// The tour's steps are read from its source: their names, in the order in which they run.
void TestHelp::everyTutorialStepIsPerformedByTheTour() {
  const QString source = textOf(CUESCOPE_SOURCE_DIR "/ui/tour_steps.cpp") + textOf(CUESCOPE_SOURCE_DIR "/ui/tour_files.cpp") + textOf(CUESCOPE_SOURCE_DIR "/ui/tour_training.cpp") + textOf(CUESCOPE_SOURCE_DIR "/ui/tour_desk.cpp");
  QVERIFY(!source.isEmpty());
  QStringList steps;
  static const QRegularExpression kStep("(?:push_back\\(\\{QStringLiteral\\(\"|\\{\")([a-z0-9-]+)\"");
  auto found = kStep.globalMatch(source);
  while (found.hasNext()) steps << found.next().captured(1);
  const QString tutorial = textOf(CUESCOPE_SOURCE_DIR "/resources/docs/tutorial.md");
  static const QRegularExpression kHead("^## ", QRegularExpression::MultilineOption), kMarker("<!-- tour: ([^>]*) -->");
  const QStringList parts = tutorial.split(kHead).mid(1);
  QVERIFY(parts.size() >= 9);
  int marked = 0, last = -1;
  static const QStringList kInOrder = {"start", "engine", "demo-scene", "layer-and-head", "causal", "what-if", "new-run", "train-start", "train-watch", "train-pause", "inspect-paused", "train-resume", "train-stop", "export"};
  for (const QString& part : parts) {
    const QString title = part.section('\n', 0, 0);
    const auto marker = kMarker.match(part);
    if (!title.front().isDigit()) continue;
    QVERIFY2(marker.hasMatch(), qPrintable("the step «" + title + "» names no step of the tour"));
    for (const QString& name : marker.captured(1).split(' ', Qt::SkipEmptyParts)) {
      QVERIFY2(steps.contains(name), qPrintable("«" + title + "»: the tour has no step " + name));
      ++marked;
      if (!kInOrder.contains(name)) continue;
      const int place = int(kInOrder.indexOf(name));
      QVERIFY2(place > last, qPrintable("out of order: " + name));
      last = place;
    }
  }
  QVERIFY(marked >= 15);
  QCOMPARE(last, int(kInOrder.size()) - 1);
}

void TestHelp::keysNamedInTheTutorialAreTheWindows() {
  const QString actions = textOf(CUESCOPE_SOURCE_DIR "/ui/main_window_actions.cpp");
  static const QRegularExpression kKeys("\\*\\*((?:Ctrl|Shift|Alt)\\+[A-Za-z+]+|F\\d+)\\*\\*");
  int seen = 0;
  for (const char* page : {"tutorial.md", "window.md", "train.md", "inspect.md"}) {
    auto keys = kKeys.globalMatch(textOf(QString(CUESCOPE_SOURCE_DIR "/resources/docs/") + page));
    while (keys.hasNext()) {
      const QString one = keys.next().captured(1);
      QVERIFY2(actions.contains("\"" + one + "\""), qPrintable(QString(page) + " names " + one));
      ++seen;
    }
  }
  QVERIFY(seen > 20);
}

void TestHelp::everyFileNamedByTheMethodExists() {
  static const QRegularExpression kPath("`((?:engine|ui|tests)/[A-Za-z0-9_/.*]+)`");
  auto paths = kPath.globalMatch(textOf(CUESCOPE_SOURCE_DIR "/resources/docs/method.md"));
  int seen = 0;
  while (paths.hasNext()) {
    QString path = paths.next().captured(1);
    const QString header = path.endsWith(".*") ? path.chopped(1) + "h" : path;
    QVERIFY2(QFile::exists(QString(CUESCOPE_SOURCE_DIR "/") + header), qPrintable(path));
    ++seen;
  }
  QVERIFY(seen > 15);
}

QTEST_MAIN(TestHelp)
#include "tst_help.moc"
