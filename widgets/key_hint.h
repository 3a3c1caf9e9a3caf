// KeyHint: a shortcut in a small frame («Ctrl+K»). UI thread.
#pragma once

#include <QWidget>

namespace cuescope {

class KeyHint : public QWidget {
  Q_OBJECT
 public:
  explicit KeyHint(const QString& keys, QWidget* parent = nullptr);
  void setKeys(const QString& keys);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_keys;
};

}  // namespace cuescope
