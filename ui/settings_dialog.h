// SettingsDialog: what a person sets for the window (ui/preferences.h), and the keys. Changes act at once, or at the next start where it
// says so, and each can be taken back (Ctrl+Z in the dialog). Not modal. UI thread; owned by the window.
#pragma once

#include <QDialog>
#include <QHash>
#include <QUndoStack>

class QFormLayout;
class QKeySequenceEdit;
class QLabel;
class QLineEdit;
class QScrollArea;
class QStackedWidget;
class QTableWidget;

namespace cuescope {

class MainWindow;
class SegmentedButton;
struct Preference;

class SettingsDialog : public QDialog {
  Q_OBJECT
 public:
  explicit SettingsDialog(MainWindow& window);
  /// The window's one dialog, in front; a key of a preference puts the focus on its control.
  static SettingsDialog* open(MainWindow& window, const QString& preference = {});
  QWidget* control(const QString& preference) const { return m_controls.value(preference); }
  SegmentedButton* pages() const { return m_pages; }
  QLineEdit* filter() const { return m_filter; }
  QTableWidget* table() const { return m_table; }
  QKeySequenceEdit* keysField() const { return m_keys; }

 private:
  QWidget* makePreferences();
  QWidget* makeKeys();
  QWidget* makeControl(const Preference& preference);
  void showValue(const Preference& preference);
  void change(const Preference& preference, const QVariant& value);
  void find();
  void fill();
  void refresh();
  QString chosen() const;
  void setKeys(const QString& keys);

  MainWindow& m_window;
  QUndoStack m_undo;
  SegmentedButton* m_pages = nullptr;
  QStackedWidget* m_stack = nullptr;
  QLineEdit* m_filter = nullptr;
  QScrollArea* m_area = nullptr;
  QFormLayout* m_form = nullptr;
  QHash<QString, QWidget*> m_controls, m_rows;  // by the preference
  QTableWidget* m_table = nullptr;
  QLabel* m_name = nullptr;
  QLabel* m_refusal = nullptr;
  QKeySequenceEdit* m_keys = nullptr;
};

}  // namespace cuescope
