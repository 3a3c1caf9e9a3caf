// NoticeBar: one quiet line under the page bar: what happened, with at most two buttons and a close. Never modal. UI thread.
#pragma once

#include <QWidget>
#include <functional>

class QPushButton;
class QToolButton;

namespace cuescope {

class ElidedLabel;

class NoticeBar : public QWidget {
  Q_OBJECT
 public:
  explicit NoticeBar(QWidget* parent = nullptr);
  struct Button {
    QString text, tip;
    std::function<void()> run;
  };
  /// A notice that is shown already stays first; the new one joins it. Buttons of the newest count.
  void say(const QString& text, std::vector<Button> buttons = {});
  QString text() const;
  QPushButton* button(int index) const { return m_buttons[std::size_t(index)]; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  ElidedLabel* m_text = nullptr;
  std::vector<QPushButton*> m_buttons;
  std::vector<std::function<void()>> m_runs;
};

}  // namespace cuescope
