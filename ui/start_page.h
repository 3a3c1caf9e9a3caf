// StartPage: what can be done first: the demo's cards, the drop target, this computer, recent things, keys. UI thread.
#pragma once

#include <QPushButton>
#include <QWidget>
#include <vector>

#include "ui/demo_scenes.h"

class QGridLayout;
class QLabel;
class QVBoxLayout;

namespace cuescope {

class DemoCard;
class ElidedLabel;
class ErrorPanel;
class Session;
class ThinBar;
class Workspace;

class StartPage : public QWidget {
  Q_OBJECT
 public:
  StartPage(Session& session, Workspace& workspace, QWidget* parent = nullptr);
  /// Opens card 0 to 2, as its button does; nothing when it cannot be opened now.
  void openCard(int card);
  QPushButton* cardButton(int card) const;
  const std::vector<SceneExample>& scenes() const { return m_scenes; }

 Q_SIGNALS:
  void sceneChosen(const cuescope::InspectRequest& request, bool whatIf);
  void trainChosen();
  void openRequested();
  void recentChosen(const QString& path);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void refresh();
  void refreshRecent();
  QWidget* computer();
  QWidget* keys();

  Session& m_session;
  Workspace& m_workspace;
  std::vector<SceneExample> m_scenes;
  std::vector<DemoCard*> m_cards;
  QGridLayout* m_grid = nullptr;
  QWidget* m_left = nullptr;
  QWidget* m_right = nullptr;
  QVBoxLayout* m_recent = nullptr;
  ElidedLabel* m_engine = nullptr;
  ElidedLabel* m_device = nullptr;
  ElidedLabel* m_memory = nullptr;
  ElidedLabel* m_pack = nullptr;
  QLabel* m_trouble = nullptr;
  ThinBar* m_loading = nullptr;
  ErrorPanel* m_error = nullptr;
  bool m_narrow = false;
};

/// One demo: a picture, what it shows, a button.
class DemoCard : public QWidget {
  Q_OBJECT
 public:
  DemoCard(const QString& title, const QString& text, const QString& note, int key, bool primary, QWidget* parent = nullptr);
  void setPicture(const QPixmap& picture);
  void setRefusal(const QString& reason);
  QPushButton* button() const { return m_button; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QLabel* m_picture = nullptr;
  QLabel* m_note = nullptr;
  QString m_noteText;
  QPushButton* m_button = nullptr;
};

}  // namespace cuescope
