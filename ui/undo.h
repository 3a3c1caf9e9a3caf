// Undo of edits (cues, regions, annotations, settings): one QUndoStack a page, all in the window's QUndoGroup, the shown page's
// stack active. A page takes part by owning a stack: `m_undo = new QUndoStack(this)`; the window finds it when the page is shown.
// Edit > Undo and Redo (Ctrl+Z, Ctrl+Shift+Z) then act on it, with the edit's words. A text field with the focus keeps its own
// undo. The selection has its own history and is no edit. UI thread.
#pragma once

#include <QUndoStack>
#include <functional>

class QWidget;

namespace cuescope {

/// One edit as what it does and what takes it back. Both must leave the same state each time; they are called with the stack's
/// own signals on. `mergeKey`: an edit that follows one with the same key within two seconds becomes one step with it (typing,
/// dragging a slider); empty never merges.
class Edit : public QUndoCommand {
 public:
  Edit(const QString& words, std::function<void()> apply, std::function<void()> takeBack, const QString& mergeKey = {});
  void redo() override { m_apply(); }
  void undo() override { m_takeBack(); }
  int id() const override;
  bool mergeWith(const QUndoCommand* later) override;

 private:
  std::function<void()> m_apply, m_takeBack;
  QString m_key;
  qint64 m_time = 0;
};

/// The stack that edits of this widget go to: of the nearest ancestor (or itself) that owns one; null if none does.
QUndoStack* undoStackOf(const QWidget* widget);

/// Applies the edit and puts it on the widget's stack; without a stack it is applied alone.
void pushEdit(const QWidget* widget, const QString& words, std::function<void()> apply, std::function<void()> takeBack, const QString& mergeKey = {});

}  // namespace cuescope
