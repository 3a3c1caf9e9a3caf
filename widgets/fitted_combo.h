// FittedCombo: a chooser as wide as the words it shows, which gives way to half of it: then they elide, with the whole in the
// tooltip. Its caption stands beside it as a label, or inside it while the label is hidden. UI thread.
#pragma once

#include <QComboBox>

class QLabel;

namespace cuescope {

class FittedCombo : public QComboBox {
  Q_OBJECT
 public:
  explicit FittedCombo(QWidget* parent = nullptr);
  /// `least` px are kept whatever the words.
  void setLeast(int least);
  /// While `caption` is hidden its words are painted before the value.
  void setCaption(QLabel* caption);
  /// What it says on the screen: the value, with the caption when that stands inside.
  QString shownText() const;
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  bool event(QEvent* event) override;  // the tooltip begins with what is elided
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  int room() const;   // px for the words
  int frame() const;  // px that the style takes beside the words
  QLabel* m_caption = nullptr;
  int m_least = 56;
};

}  // namespace cuescope
