// Accessibility of custom-painted widgets: a widget that implements CellSource is read as a group of named cells. UI thread.
#pragma once

#include <QRect>
#include <QString>

class QWidget;

namespace cuescope {

class CellSource {
 public:
  virtual ~CellSource() = default;
  virtual int cellCount() const = 0;
  virtual QString cellName(int index) const = 0;
  virtual QRect cellRect(int index) const = 0;  // in the widget's coordinates
  virtual int currentCell() const = 0;          // -1: none
};

/// Registers the interface for every widget that is a CellSource. Called by Theme::install().
void installCellAccessibility();
/// Tells assistive technology that the current cell changed; its name is announced.
void announceCell(QWidget* widget);

}  // namespace cuescope
