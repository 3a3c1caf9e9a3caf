#include "ui/undo.h"

#include <QDateTime>
#include <QWidget>

namespace cuescope {
namespace {
constexpr qint64 kMergeMilliseconds = 2000;
}

Edit::Edit(const QString& words, std::function<void()> apply, std::function<void()> takeBack, const QString& mergeKey)
    : QUndoCommand(words), m_apply(std::move(apply)), m_takeBack(std::move(takeBack)), m_key(mergeKey), m_time(QDateTime::currentMSecsSinceEpoch()) {}

// Qt asks mergeWith only of commands with the same id; the key itself is compared there.
int Edit::id() const {
  return m_key.isEmpty() ? -1 : 1;
}

bool Edit::mergeWith(const QUndoCommand* later) {
  const auto* edit = dynamic_cast<const Edit*>(later);
  if (!edit || edit->m_key != m_key || edit->m_time - m_time > kMergeMilliseconds) return false;
  m_apply = edit->m_apply;
  m_time = edit->m_time;
  setText(edit->text());
  return true;
}

QUndoStack* undoStackOf(const QWidget* widget) {
  for (const QObject* owner = widget; owner; owner = owner->parent())
    if (auto* stack = owner->findChild<QUndoStack*>(QString(), Qt::FindDirectChildrenOnly)) return stack;
  return nullptr;
}

void pushEdit(const QWidget* widget, const QString& words, std::function<void()> apply, std::function<void()> takeBack, const QString& mergeKey) {
  if (QUndoStack* stack = undoStackOf(widget)) stack->push(new Edit(words, std::move(apply), std::move(takeBack), mergeKey));
  else apply();
}

}  // namespace cuescope
