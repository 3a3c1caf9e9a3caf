// ErrorPanel: what failed, where, why, and what to do next as buttons, in the panel it concerns. Copy details is always
// there. UI thread.
#pragma once

#include <QFrame>
#include <QString>
#include <vector>

class QHBoxLayout;
class QLabel;

namespace cuescope {

class ErrorPanel : public QFrame {
  Q_OBJECT
 public:
  explicit ErrorPanel(QWidget* parent = nullptr);
  /// Plain sentences. `nextStep` is written after the reason; buttons come from addAction.
  void setFailure(const QString& what, const QString& where, const QString& why, const QString& nextStep = {});
  void setActions(const QStringList& labels);
  QString details() const;  // what Copy details puts on the clipboard

 Q_SIGNALS:
  void actionChosen(int index);

 private:
  void restyle();
  QString m_whatText, m_where, m_why, m_next;
  QLabel* m_icon = nullptr;
  QLabel* m_what = nullptr;
  QLabel* m_body = nullptr;
  QHBoxLayout* m_buttons = nullptr;
};

}  // namespace cuescope
