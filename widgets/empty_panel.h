// EmptyPanel: why nothing is here, what comes, and the nearest thing to do. Dashed frame. UI thread.
#pragma once

#include <QFrame>
#include <QString>

class QLabel;
class QPainter;
class QPushButton;
class QRectF;

namespace cuescope {

struct Colors;

class EmptyPanel : public QFrame {
  Q_OBJECT
 public:
  explicit EmptyPanel(QWidget* parent = nullptr);
  void setText(const QString& sentence, const QString& detail = {}, const QString& button = {});

 Q_SIGNALS:
  void actionChosen();

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QLabel* m_sentence = nullptr;
  QLabel* m_detail = nullptr;
  QPushButton* m_button = nullptr;
};

/// The same for custom-painted widgets: sentence and hint in the middle of `rect`.
void paintEmpty(QPainter& painter, const QRectF& rect, const QString& sentence, const QString& detail, const Colors& colors);

}  // namespace cuescope
