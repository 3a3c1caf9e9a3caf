// CommandPalette: one field over the window that finds any action, setting, run, sample or part of the selection. UI thread.
#pragma once

#include <QFrame>
#include <QString>
#include <functional>
#include <vector>

class QLineEdit;
class QListView;
class QSortFilterProxyModel;
class QStandardItemModel;

namespace cuescope {

struct PaletteEntry {
  QString title, detail, keys;
  std::function<void()> run;
  QString refusal;  // why it cannot be run now; the entry is shown and says so
};

class CommandPalette : public QFrame {
  Q_OBJECT
 public:
  explicit CommandPalette(QWidget* window);
  void open(std::vector<PaletteEntry> entries, const QString& prompt);
  QLineEdit* field() const { return m_field; }
  int shownCount() const;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void filter(const QString& text);
  void runCurrent();
  std::vector<PaletteEntry> m_entries;
  QLineEdit* m_field = nullptr;
  QListView* m_list = nullptr;
  QStandardItemModel* m_model = nullptr;
};

}  // namespace cuescope
