// SettingsDialog: theme and shortcuts. Changes act at once, and each can be taken back (Ctrl+Z in the dialog). Not modal.
// UI thread; owned by the window.
#pragma once

#include <QDialog>
#include <QUndoStack>

class QComboBox;
class QKeySequenceEdit;
class QLabel;
class QLineEdit;
class QTableWidget;

namespace cuescope {

class MainWindow;

class SettingsDialog : public QDialog {
  Q_OBJECT
 public:
  explicit SettingsDialog(MainWindow& window);
  /// As if typed for the chosen row; the refusal is shown and returned.
  QString setKeys(const QString& action, const QString& keys);
  QUndoStack* undoStack() { return &m_undo; }
  QComboBox* theme() const { return m_theme; }

 private:
  void fill();
  void refresh();
  QString chosen() const;
  MainWindow& m_window;
  QUndoStack m_undo;
  QComboBox* m_theme = nullptr;
  QLineEdit* m_filter = nullptr;
  QTableWidget* m_table = nullptr;
  QLabel* m_name = nullptr;
  QLabel* m_refusal = nullptr;
  QKeySequenceEdit* m_keys = nullptr;
};

}  // namespace cuescope
