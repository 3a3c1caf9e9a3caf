// cuescope: the window. Parses the command line, shows the window, and opens the engine behind it after the first paint.
#include <QApplication>
#include <QCommandLineParser>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QSettings>
#include <QTimer>
#include <cstdio>
#include <cstring>

#include "engine/core/engine_loader.h"
#include "ui/export.h"
#include "ui/main_window.h"
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
  // Drawing to a file needs fonts but no display; so do the words of --help and --version.
  bool windowless = render;
  for (int i = 1; i < argc; ++i) windowless = windowless || !std::strcmp(argv[i], "--help") || !std::strcmp(argv[i], "-h") || !std::strcmp(argv[i], "--version");
  const bool display = qEnvironmentVariableIsSet("DISPLAY") || qEnvironmentVariableIsSet("WAYLAND_DISPLAY");
  bool tour = false;
  for (int i = 1; i < argc; ++i) tour = tour || !std::strncmp(argv[i], "--tour", 6);
  if ((windowless || (tour && !display)) && !qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");

  QApplication application(argc, argv);
  QApplication::setOrganizationName(QStringLiteral("cuescope"));
  QApplication::setApplicationName(QStringLiteral("cuescope"));
  QApplication::setApplicationDisplayName(QStringLiteral("Cuescope"));
  QApplication::setApplicationVersion(QStringLiteral(CUESCOPE_VERSION));
  if (render) {
    cuescope::loadFonts();
    QStringList arguments = application.arguments();
    arguments.removeAt(1);
    return cuescope::renderCommand(arguments);
  }

  QCommandLineParser parser;
  parser.setApplicationDescription(QStringLiteral(
      "A desktop studio for visual-cue on-policy distillation of Qwen3-VL.\n\n"
      "Files: an image, model folder, data file, run folder or capture; each is opened as if it had been dropped.\n"
      "  cuescope render CAPTURE --format png|svg|pdf --output F   draws a figure without a window (render --help)"));
  parser.addHelpOption();
  parser.addVersionOption();
  parser.addPositionalArgument(QStringLiteral("files"), QStringLiteral("What to open."), QStringLiteral("[files...]"));
  parser.addOption({QStringLiteral("tour"), QStringLiteral("Go through the main job on the demo; one picture a step and tour.json."), QStringLiteral("folder")});
  parser.addOption({QStringLiteral("theme"), QStringLiteral("dark or light."), QStringLiteral("theme")});
  parser.addOption({QStringLiteral("bench-start"), QStringLiteral("Print the milliseconds until the window was painted, and until the engine was ready; then quit.")});
  parser.process(application);
  const QString theme = parser.value(QStringLiteral("theme"));
  if (!theme.isEmpty() && theme != u"dark" && theme != u"light") {
    std::fprintf(stderr, "cuescope: --theme is dark or light, not «%s»\n", qPrintable(theme));
    return 2;
  }
  const bool touring = parser.isSet(QStringLiteral("tour"));
  if (touring) {  // settings of its own: a tour neither reads a person's window nor changes it
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, parser.value(QStringLiteral("tour")) + QStringLiteral("/.settings"));
  }
  chooseTheme(touring && theme.isEmpty() ? QStringLiteral("dark") : theme);

  cuescope::Session session([] { return cuescope::loadEngine({}); });
  cuescope::MainWindow window(session);
  if (touring) window.resize(1600, 1000);
  const bool bench = parser.isSet(QStringLiteral("bench-start"));
  new FirstPaint(&window, [&] {
    if (bench) std::printf("window %lld ms\n", static_cast<long long>(clock.elapsed()));
    session.start();
    QStringList paths;
    for (const QString& path : parser.positionalArguments()) paths << QFileInfo(path).absoluteFilePath();
    window.openPaths(paths);
  });
  if (bench) {
    QObject::connect(&session, &cuescope::Session::engineStateChanged, &application, [&] {
      if (session.engineState() == cuescope::EngineState::Loading) return;
      std::printf("engine %lld ms%s\n", static_cast<long long>(clock.elapsed()), session.engineState() == cuescope::EngineState::Ready ? "" : ", failed");
      QApplication::quit();
    });
  }
  std::unique_ptr<cuescope::Tour> guide;
  if (touring) {
    guide = std::make_unique<cuescope::Tour>(window, session, parser.value(QStringLiteral("tour")));
    QObject::connect(guide.get(), &cuescope::Tour::finished, &application, [](bool passed) { QApplication::exit(passed ? 0 : 1); }, Qt::QueuedConnection);
    guide->start();
  }
  window.show();
  return QApplication::exec();
}
