// CueCanvas: a picture with numbered evidence marks to draw, move and resize: box, point, crop. Drag draws; a mark is taken by its
// inside or its corners; arrow keys move by 1 px, Shift by a patch; Del deletes; Tab leaves. It changes nothing itself: what a
// person did arrives as marksEdited(), and the page makes an edit of it that can be undone. UI thread.
#pragma once

#include <QImage>
#include <QWidget>
#include <vector>

#include "engine/core/cue_edits.h"
#include "widgets/accessible_cells.h"

namespace cuescope {

struct Colors;

class CueCanvas : public QWidget, public CellSource {
  Q_OBJECT
 public:
  enum class Tool { Move, Box, Point, Crop };
  explicit CueCanvas(QWidget* parent = nullptr);

  void setPicture(const QImage& picture);
  const QImage& picture() const { return m_picture; }
  /// Which of the row's pictures it is: its marks alone are shown and taken, new ones are its own.
  void setImage(int image);
  int image() const { return m_image; }
  void setMarks(const std::vector<CueMark>& marks);
  void setTool(Tool tool);
  Tool tool() const { return m_tool; }
  void setGrid(bool shown, int patch);  // lines every `patch` pixels
  void setSnap(bool snap) { m_snap = snap; }
  void setSelected(int mark);
  /// What stands in the place of a picture that is not there.
  void setEmptyText(const QString& title, const QString& detail);
  int selected() const { return m_selected; }
  void removeSelected();

  QPointF toWidget(const QPointF& pixel) const;
  QPointF toPicture(const QPointF& position) const;
  /// All that it shows, in its own coordinates, on any device: the window's and an exported file's.
  void paintMarks(QPainter& painter, const Colors& colors) const;

  QSize sizeHint() const override { return {520, 400}; }
  QSize minimumSizeHint() const override { return {200, 160}; }
  int cellCount() const override { return int(m_marks.size()); }
  QString cellName(int index) const override;
  QRect cellRect(int index) const override;
  int currentCell() const override { return m_selected; }

 Q_SIGNALS:
  /// `words` name the edit («Draw box 3»); `key` merges drags and key repeats of one mark.
  void marksEdited(const std::vector<cuescope::CueMark>& marks, const QString& words, const QString& key);
  void selectedChanged(int mark);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  QRectF pictureRect() const;
  QRectF rectOf(const CueMark& mark) const;  // in the widget
  int markAt(const QPointF& position) const;
  int cornerAt(const QPointF& position) const;  // of the selected mark, -1 none
  QPointF snapped(QPointF pixel) const;
  void select(int mark);
  void leaveDrag();
  void emitEdit(const QString& verb);

  QImage m_picture;
  QString m_emptyTitle, m_emptyDetail;
  bool isHere(int mark) const { return m_marks[std::size_t(mark)].image == m_image; }
  std::vector<CueMark> m_marks;
  int m_image = 0;
  Tool m_tool = Tool::Box;
  bool m_grid = true, m_snap = false;
  int m_patch = 32, m_selected = -1;
  enum class Drag { None, Draw, Move, Corner } m_drag = Drag::None;
  int m_corner = -1, m_number = 0;
  QPointF m_from;
  CueMark m_before;
};

}  // namespace cuescope
