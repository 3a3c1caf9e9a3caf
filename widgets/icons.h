// Icons: the studio's own set on a 16 px grid with a 1.25 px stroke. An icon follows the theme by itself: text 2 at rest,
// accent when checked, control grey when disabled. UI thread.
#pragma once

#include <QColor>
#include <QIcon>

class QPainter;
class QRectF;

namespace cuescope {

enum class Icon {
  // run states and control
  Play, Pause, Stop, Queue, Check, Cross, Caution, Step, PreviousCheckpoint, NextCheckpoint, Save, Diamond, DiamondFilled,
  // things
  Model, Data, Run, Capture, Image, Folder, Chip, Eye,
  // actions
  Add, Close, Filter, Search, Export, Copy, Undo, Refresh, Float, FullScreen, Pin, More, ChevronDown, ChevronRight,
  ArrowUp, ArrowDown, Trash, Edit, Help, Settings, Link,
  // canvas
  Grid, Move, Box, Brush, Crop, Point, Text, Swipe, SideBySide, Single, Fit, Fade, Funnel,
  Count
};

QIcon icon(Icon icon);
/// The same in one fixed colour (caution triangle, danger cross, icons inside painters).
QIcon icon(Icon icon, const QColor& color);
void paintIcon(QPainter& painter, const QRectF& rect, Icon icon, const QColor& color);
/// SVG text of an icon in a colour; for tests and for documents.
QByteArray iconSvg(Icon icon, const QColor& color);

}  // namespace cuescope
