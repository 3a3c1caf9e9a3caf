// Pictures of what a test shows, for looking at: written where CUESCOPE_GALLERY names a folder, else nothing happens. Header only.
#pragma once

#include <QTest>
#include <QWidget>

#include "widgets/theme.h"

namespace cuescope::gallery {

/// NAME-dark.png or NAME-light.png after `wait` milliseconds, in the theme that is on.
inline void keep(QWidget& widget, const char* name, int wait) {
  const QString folder = qEnvironmentVariable("CUESCOPE_GALLERY");
  if (folder.isEmpty()) return;
  QTest::qWait(wait);
  QVERIFY(widget.grab().save(folder + QStringLiteral("/%1-%2.png").arg(QLatin1String(name), QLatin1String(colors().dark ? "dark" : "light"))));
}

/// Both; the dark theme stays on.
inline void keepInBothThemes(QWidget& widget, const char* name, int wait) {
  if (qEnvironmentVariable("CUESCOPE_GALLERY").isEmpty()) return;
  for (const ThemeSetting theme : {ThemeSetting::Light, ThemeSetting::Dark}) {
    Theme::instance().setSetting(theme);
    keep(widget, name, wait);
  }
}

}  // namespace cuescope::gallery
