// cuescope: the window. Parses the command line, shows the window, and opens the engine behind it after the first paint.
#include <QApplication>
#include <QCommandLineParser>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QSettings>
#include <QTemporaryDir>
#include <QTimer>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine/core/engine_loader.h"
#include "ui/export.h"
#include "ui/frame_bench.h"
#include "ui/main_window.h"
#include "ui/panels/train_page.h"
#include "ui/notice_bar.h"
#include "ui/preferences.h"
#include "ui/report.h"
#include "ui/session_file.h"
#include "ui/tour.h"
#include "widgets/theme.h"

namespace {

/// Calls back once, when the window was painted for the first time.
class FirstPaint : public QObject {
 public:
  FirstPaint(QWidget* window, std::function<void()> then) : QObject(window), m_then(std::move(then)) { window->installEventFilter(this); }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override {
    if (event->type() == QEvent::Paint && m_then) {
      watched->removeEventFilter(this);
      QTimer::singleShot(0, this, std::exchange(m_then, nullptr));
    }
    return false;
  }

 private:
  std::function<void()> m_then;
};

/// Tells the frame bench when an event was handled, painting included.
class Application : public QApplication {
 public:
  using QApplication::QApplication;
  cuescope::FrameBench* bench = nullptr;

  bool notify(QObject* receiver, QEvent* event) override {
    const QEvent::Type type = event->type();  // the event may be gone afterwards
    const bool handled = QApplication::notify(receiver, event);
    if (bench) bench->eventHandled(receiver, type);
    return handled;
  }
};

void chooseTheme(const QString& asked) {
  using namespace cuescope;
  const QString theme = asked.isEmpty() ? QSettings().value(QStringLiteral("theme"), QStringLiteral("system")).toString() : asked;
  Theme::instance().setSetting(theme == u"dark" ? ThemeSetting::Dark : theme == u"light" ? ThemeSetting::Light : ThemeSetting::System);
  Theme::instance().install();
}

}  // namespace

int main(int argc, char** argv) {
  QElapsedTimer clock;
  clock.start();
  const bool render = argc > 1 && std::strcmp(argv[1], "render") == 0;
  const bool report = argc > 1 && std::strcmp(argv[1], "report") == 0;
  // Drawing to a file needs fonts but no display; so do the words of --help and --version.
  bool windowless = render || report;
  for (int i = 1; i < argc; ++i) windowless = windowless || !std::strcmp(argv[i], "--help") || !std::strcmp(argv[i], "-h") || !std::strcmp(argv[i], "--version");
  const bool display = qEnvironmentVariableIsSet("DISPLAY") || qEnvironmentVariableIsSet("WAYLAND_DISPLAY");
  bool tour = false;
  for (int i = 1; i < argc; ++i) tour = tour || !std::strncmp(argv[i], "--tour", 6) || !std::strncmp(argv[i], "--bench-", 8);
  if ((windowless || (tour && !display)) && !qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
  if (!display && !qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) {  // Qt would end the program here, and advise to install it again
    std::fputs("cuescope: there is no display here (DISPLAY and WAYLAND_DISPLAY are empty).\n"
               "next: start it on a desktop. Without one there are cuescope-cli, cuescope render, cuescope report, and the window in pictures: cuescope --tour DIR\n", stderr);
    return 1;
  }

  QCoreApplication::setOrganizationName(QStringLiteral("cuescope"));
  QCoreApplication::setApplicationName(QStringLiteral("cuescope"));
  if (!tour && !windowless) cuescope::applyScale();

  Application application(argc, argv);
  QApplication::setApplicationDisplayName(QStringLiteral("Cuescope"));
  QApplication::setApplicationVersion(QStringLiteral(CUESCOPE_VERSION));
  if (render || report) {
    cuescope::loadFonts();
    QApplication::setFont(cuescope::uiFont(12));  // as in the window: a painted widget begins with it
    QStringList arguments = application.arguments();
    arguments.removeAt(1);
    return report ? cuescope::reportCommand(arguments) : cuescope::renderCommand(arguments);
  }

  QCommandLineParser parser;
  parser.setApplicationDescription(QStringLiteral(
      "A desktop studio for visual-cue on-policy distillation of Qwen3-VL.\n\n"
      "Files: an image, model folder, data file, run folder or capture; each is opened as if it had been dropped.\n"
      "  cuescope render CAPTURE --format png|svg|pdf --output F   draws a figure without a window (render --help)\n"
      "  cuescope report RUN|CAPTURE --output F.html|F.pdf          writes a page with all figures (report --help)"));
  parser.addHelpOption();
  parser.addVersionOption();
  parser.addPositionalArgument(QStringLiteral("files"), QStringLiteral("What to open."), QStringLiteral("[files...]"));
  parser.addOption({QStringLiteral("tour"), QStringLiteral("Go through the main job on the demo; one picture a step and tour.json."), QStringLiteral("folder")});
  parser.addOption({QStringLiteral("tour-steps"), QStringLiteral("Training steps that the tour watches before it pauses the run (more give better pictures)."), QStringLiteral("number"), QStringLiteral("5")});
  parser.addOption({QStringLiteral("tour-size"), QStringLiteral("Width and height of the tour's window, as 1280x800."), QStringLiteral("size"), QStringLiteral("1600x1000")});
  parser.addOption({QStringLiteral("theme"), QStringLiteral("dark or light."), QStringLiteral("theme")});
  parser.addOption({QStringLiteral("bench-start"), QStringLiteral("Print as JSON the milliseconds until the window was painted and until the engine was ready; then quit.")});
  parser.addOption({QStringLiteral("bench-frames"), QStringLiteral("Work in the window for so many seconds while the demo run trains, and print the frame times as JSON."), QStringLiteral("seconds")});
  parser.addOption({QStringLiteral("bench-ui"), QStringLiteral("Work in the window for --minutes while the demo run trains, with curves of a million points and a map of 4096 × 4096; print frame times, linked selection, first map and window start as JSON.")});
  parser.addOption({QStringLiteral("minutes"), QStringLiteral("Length of --bench-ui."), QStringLiteral("number"), QStringLiteral("10")});
  parser.process(application);
  const QString theme = parser.value(QStringLiteral("theme"));
  if (!theme.isEmpty() && theme != u"dark" && theme != u"light") {
    std::fprintf(stderr, "cuescope: --theme is dark or light, not «%s»\n", qPrintable(theme));
    return 2;
  }
  bool tourNumber = true;
  const int tourSteps = parser.value(QStringLiteral("tour-steps")).toInt(&tourNumber);
  if (!tourNumber || tourSteps < 5 || tourSteps > 190) {
    std::fprintf(stderr, "cuescope: --tour-steps takes 5 to 190, not «%s»\n", qPrintable(parser.value(QStringLiteral("tour-steps"))));
    return 2;
  }
  const QStringList sides = parser.value(QStringLiteral("tour-size")).split(u'x');
  const QSize tourSize(sides.value(0).toInt(), sides.value(1).toInt());
  if (sides.size() != 2 || tourSize.width() < 800 || tourSize.height() < 500 || tourSize.width() > 8000 || tourSize.height() > 8000) {
    std::fprintf(stderr, "cuescope: --tour-size takes a size from 800x500 on, not «%s»\n", qPrintable(parser.value(QStringLiteral("tour-size"))));
    return 2;
  }
  const bool touring = parser.isSet(QStringLiteral("tour"));
  const bool benchStart = parser.isSet(QStringLiteral("bench-start")), benchUi = parser.isSet(QStringLiteral("bench-ui")), benchFrames = benchUi || parser.isSet(QStringLiteral("bench-frames"));
  bool aNumber = true;
  const double benchSeconds = benchUi ? parser.value(QStringLiteral("minutes")).toDouble(&aNumber) * 60 : benchFrames ? parser.value(QStringLiteral("bench-frames")).toDouble(&aNumber) : 0;
  if (benchFrames && (!aNumber || !(benchSeconds > 0 && benchSeconds <= 3600))) {
    std::fprintf(stderr, "cuescope: %s, not «%s»\n", benchUi ? "--minutes takes a number up to 60" : "--bench-frames takes seconds from 1 to 3600", qPrintable(parser.value(benchUi ? QStringLiteral("minutes") : QStringLiteral("bench-frames"))));
    return 2;
  }
  // Settings and runs of their own: a tour or a measurement neither reads a person's window nor changes it.
  const bool alone = touring || benchStart || benchFrames;
  std::unique_ptr<QTemporaryDir> scratch;  // outlives the session, which ends its run in there
  if (alone && !touring) scratch = std::make_unique<QTemporaryDir>();
  const QString own = scratch ? scratch->path() : QFileInfo(parser.value(QStringLiteral("tour"))).absoluteFilePath();
  if (alone) {
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, own + QStringLiteral("/.settings"));
  }
  const QString settingsNotice = alone ? QString() : cuescope::checkSettings();
  chooseTheme(alone && theme.isEmpty() ? QStringLiteral("dark") : theme);

  cuescope::Session session([options = cuescope::engineOptions()] { return cuescope::loadEngine(options); });
  // Under an application's style sheet every widget that is put into another is styled anew with all that it holds, and the pages
  // are built from the inside: the sheet is laid over the whole window once.
  const QString sheet = application.styleSheet();
  application.setStyleSheet({});
  cuescope::MainWindow window(session);
  application.setStyleSheet(sheet);
  if (alone) {
    window.resize(touring ? tourSize : QSize(1600, 1000));
    window.setRunsFolder(own + QStringLiteral("/runs"));
  }
  qint64 firstPaint = 0;
  new FirstPaint(&window, [&] {
    firstPaint = clock.elapsed();
    session.start();
    if (!alone) window.keepSession();
    if (!settingsNotice.isEmpty()) window.notice()->say(settingsNotice);
    QStringList paths;
    for (const QString& path : parser.positionalArguments()) paths << QFileInfo(path).absoluteFilePath();
    window.openPaths(paths);
    // While the engine loads: the half-filled form, the queue, and the runs of earlier days, those that train now among them.
    QTimer::singleShot(0, &window, [&window, &session, runs = alone ? own + QStringLiteral("/runs") : QString::fromStdString(cuescope::runsFolder({}))] {
      window.trainPage()->keepIn(runs);
      session.findRuns(runs);
    });
  });
  if (benchStart) {
    QObject::connect(&session, &cuescope::Session::engineStateChanged, &application, [&] {
      if (session.engineState() == cuescope::EngineState::Loading) return;
      const bool ready = session.engineState() == cuescope::EngineState::Ready;
      if (!ready) std::fprintf(stderr, "cuescope: %s\n", session.engineFailure().text().c_str());
      else std::printf("{\"first_paint_ms\":%lld,\"engine_ready_ms\":%lld}\n", static_cast<long long>(firstPaint), static_cast<long long>(clock.elapsed()));
      QApplication::exit(ready ? 0 : 1);
    });
  }
  std::unique_ptr<cuescope::FrameBench> frames;
  if (benchFrames) {
    frames = std::make_unique<cuescope::FrameBench>(window, session, cuescope::FrameBenchOptions{benchSeconds, benchUi, clock, &firstPaint});
    application.bench = frames.get();
    QObject::connect(frames.get(), &cuescope::FrameBench::finished, &application, [](bool measured) { QApplication::exit(measured ? 0 : 1); }, Qt::QueuedConnection);
  }
  std::unique_ptr<cuescope::Tour> guide;
  if (touring) {
    guide = std::make_unique<cuescope::Tour>(window, session, parser.value(QStringLiteral("tour")), tourSteps);
    QObject::connect(guide.get(), &cuescope::Tour::finished, &application, [](bool passed) { QApplication::exit(passed ? 0 : 1); }, Qt::QueuedConnection);
    guide->start();
  }
  window.show();
  const int code = QApplication::exec();
  application.bench = nullptr;
  return code;
}
