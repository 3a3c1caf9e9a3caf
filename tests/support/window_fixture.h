// A main window on a FakeEngine, with settings of its own: a base of tests that drive the whole window. Header only.
#pragma once

#include <QCoreApplication>
#include <QSettings>
#include <QTemporaryDir>
#include <QtTest>
#include <memory>

#include "tests/support/fake_engine.h"
#include "ui/main_window.h"
#include "widgets/theme.h"

namespace cuescope {

struct WindowFixture {
  QTemporaryDir m_home;
  std::shared_ptr<FakeControl> m_control;
  std::unique_ptr<Session> m_session;
  std::unique_ptr<MainWindow> m_window;

  /// Settings lie below m_home; the theme is dark.
  void useOwnSettings() {
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
    QCoreApplication::setOrganizationName("cuescope-test");
    Theme::instance().setSetting(ThemeSetting::Dark);
    Theme::instance().install();
  }
  /// Shown and ready, without settings of an earlier test; `models` are listed before the engine starts.
  void openWindow(const QStringList& models = {}) {
    QSettings().clear();
    m_control = std::make_shared<FakeControl>();
    m_session = std::make_unique<Session>([control = m_control] { return makeFakeEngine(control); });
    m_window = std::make_unique<MainWindow>(*m_session);
    for (const QString& model : models) m_window->workspace().addModel(model);
    m_window->resize(1600, 1000);
    m_window->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
    m_session->start();
    QTRY_COMPARE(m_session->engineState(), EngineState::Ready);
  }
  void closeWindow() {
    m_window.reset();
    m_session.reset();
  }
};

}  // namespace cuescope
