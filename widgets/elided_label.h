// ElidedLabel: one line that elides instead of being clipped, with the whole text in its tooltip. UI thread.
#pragma once

#include <QColor>
#include <QString>
#include <QWidget>
#include <vector>

namespace cuescope {

/// Names elide in the middle, prose at the end. A second part may follow in text 3.
class ElidedLabel : public QWidget {
  Q_OBJECT
 public:
  explicit ElidedLabel(const QString& text = {}, QWidget* parent = nullptr);
  void setText(const QString& text, const QString& dim = {});
  QString text() const { return m_text; }
  QString dim() const { return m_dim; }
  QString dimText() const { return m_dim; }
  void setElide(Qt::TextElideMode mode);
  void setAlignment(Qt::Alignment alignment);
  void setPixelSize(int pixels, QFont::Weight weight = QFont::Normal);
  void setMono(bool mono);
  enum class Tone { Text, Text2, Text3 };
  void setTone(Tone tone);
  /// The second part is shown whole or not at all.
  void setWholeDim(bool whole);
  /// Of two parts the first gives way: the second is short and matters more (a state behind a name).
  void setKeepDim(bool keep);
  /// Shown whole or not at all; the tooltip has it either way.
  void setAllOrNothing(bool all);
  bool isElided() const;

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void tellWhole();
  QFont labelFont() const;
  QFont dimFont() const;
  QString m_text, m_dim, m_whole;  // m_whole: the tooltip that this label gave itself
  Qt::TextElideMode m_mode = Qt::ElideRight;
  Qt::Alignment m_alignment = Qt::AlignLeft;
  int m_pixels = 12;
  QFont::Weight m_weight = QFont::Normal;
  bool m_mono = false, m_wholeDim = false, m_keepDim = false, m_allOrNothing = false;
  Tone m_tone = Tone::Text;
};

}  // namespace cuescope
