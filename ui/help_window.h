// HelpWindow: resources/docs in the window: contents at the left, a page at the right, a search over all pages. Not modal; one for
// the main window. Pages are Markdown; links between them stay inside, links elsewhere are shown, not followed. UI thread.
#pragma once

#include <QList>
#include <QString>
#include <QWidget>

class QLineEdit;
class QListWidget;
class QTextBrowser;

namespace cuescope {

struct HelpPage {
  QString file, title, text;  // text: the Markdown as it is
};
/// The pages in the order of docs/contents.txt (one file name a line); a missing or unreadable page is left out.
QList<HelpPage> helpPages();
QString helpFolder();

class HelpWindow : public QWidget {
  Q_OBJECT
 public:
  explicit HelpWindow(QWidget* parent = nullptr);
  /// By file name («train.md»), with an optional «#heading».
  bool open(const QString& page);
  void search(const QString& words);
  QString page() const { return m_page; }
  QTextBrowser* text() const { return m_text; }
  QListWidget* contents() const { return m_contents; }
  QLineEdit* searchField() const { return m_search; }

 protected:
  void keyPressEvent(QKeyEvent* event) override;

 private:
  void list();
  void mark();
  QList<HelpPage> m_pages;
  QString m_page;
  QLineEdit* m_search = nullptr;
  QListWidget* m_contents = nullptr;
  QTextBrowser* m_text = nullptr;
};

}  // namespace cuescope
