#include "ui/help_window.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QRegularExpression>
#include <QSignalBlocker>
#include <QSplitter>
#include <QTextBlock>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "engine/core/engine_loader.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

QString anchorOf(const QString& heading) {
  QString out;
  for (const QChar c : heading.toLower())
    if (c.isLetterOrNumber()) out += c;
    else if (c.isSpace() || c == u'-') out += u'-';
  return out;
}

}  // namespace

QString helpFolder() {
  return QString::fromStdString(resourceFolder()) + QStringLiteral("/docs");
}

QList<HelpPage> helpPages() {
  QList<HelpPage> pages;
  const QDir folder(helpFolder());
  QFile contents(folder.filePath(QStringLiteral("contents.txt")));
  if (!contents.open(QIODevice::ReadOnly | QIODevice::Text)) return pages;
  for (const QString& line : QString::fromUtf8(contents.readAll()).split(u'\n', Qt::SkipEmptyParts)) {
    QFile file(folder.filePath(line.trimmed()));
    if (!file.open(QIODevice::ReadOnly | QIODevice::Text)) continue;
    HelpPage page{line.trimmed(), {}, QString::fromUtf8(file.readAll())};
    static const QRegularExpression kTitle(QStringLiteral("^# +(.+)$"), QRegularExpression::MultilineOption);
    page.title = kTitle.match(page.text).captured(1);
    // Markers for the test of the tutorial are not for reading.
    static const QRegularExpression kMarker(QStringLiteral("<!--.*?-->\\n?"), QRegularExpression::DotMatchesEverythingOption);
    page.text.remove(kMarker);
    pages.append(page);
  }
  return pages;
}

HelpWindow::HelpWindow(QWidget* parent) : QWidget(parent, Qt::Window), m_pages(helpPages()) {
  setWindowTitle(tr("Cuescope help"));
  resize(980, 760);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(8, 8, 8, 8);
  column->setSpacing(6);
  m_search = new QLineEdit;
  m_search->setPlaceholderText(tr("Search all pages"));
  m_search->setAccessibleName(tr("Search all pages"));
  m_search->setToolTip(tr("Pages that hold all these words; they are marked in the text (Ctrl+F)"));
  m_search->setClearButtonEnabled(true);
  m_contents = new QListWidget;
  m_contents->setAccessibleName(tr("Contents"));
  m_contents->setToolTip(tr("The pages of the help"));
  m_contents->setMinimumWidth(180);
  m_text = new QTextBrowser;
  m_text->setAccessibleName(tr("Help page"));
  m_text->setToolTip(tr("The chosen page; Alt+← goes back"));
  m_text->setOpenLinks(false);
  m_text->setSearchPaths({helpFolder()});
  m_text->document()->setDocumentMargin(16);
  auto* split = new QSplitter(Qt::Horizontal);
  split->addWidget(m_contents);
  split->addWidget(m_text);
  split->setStretchFactor(1, 1);
  split->setSizes({210, 750});
  column->addWidget(m_search);
  column->addWidget(split, 1);
  connect(m_search, &QLineEdit::textChanged, this, &HelpWindow::search);
  connect(m_contents, &QListWidget::currentItemChanged, this, [this](QListWidgetItem* item) {
    if (item) open(item->data(Qt::UserRole).toString());
  });
  connect(m_text, &QTextBrowser::anchorClicked, this, [this](const QUrl& url) {
    if (url.isRelative()) open(url.toString());
  });
  connect(&Theme::instance(), &Theme::changed, this, [this] { open(m_page); });
  list();
  if (m_pages.isEmpty()) m_text->setPlainText(tr("The help pages are missing.\nThey should be in %1.\nNext: install Cuescope again.").arg(helpFolder()));
  else open(m_pages.front().file);
}

void HelpWindow::list() {
  const QStringList words = m_search->text().simplified().split(u' ', Qt::SkipEmptyParts);
  const QSignalBlocker block(m_contents);
  m_contents->clear();
  for (const HelpPage& page : m_pages) {
    int found = 0;
    bool all = true;
    for (const QString& word : words) {
      const int here = int(page.text.count(word, Qt::CaseInsensitive));
      all = all && here > 0;
      found += here;
    }
    if (!all) continue;
    auto* item = new QListWidgetItem(words.isEmpty() ? page.title : QStringLiteral("%1   %2").arg(page.title).arg(found));
    item->setData(Qt::UserRole, page.file);
    item->setToolTip(words.isEmpty() ? page.title : tr("%1 places").arg(found));
    m_contents->addItem(item);
    if (page.file == m_page) m_contents->setCurrentItem(item);
  }
  if (m_contents->count() == 0) {
    auto* none = new QListWidgetItem(tr("No page holds these words"));
    none->setFlags(Qt::NoItemFlags);
    m_contents->addItem(none);
  }
}

bool HelpWindow::open(const QString& page) {
  const QString file = page.section(u'#', 0, 0).isEmpty() ? m_page : page.section(u'#', 0, 0), anchor = page.section(u'#', 1);
  for (const HelpPage& one : std::as_const(m_pages)) {
    if (one.file != file) continue;
    m_page = file;
    m_text->document()->setDefaultFont(uiFont(13));
    m_text->setMarkdown(one.text);
    for (QTextBlock block = m_text->document()->begin(); block.isValid(); block = block.next()) {
      QTextBlockFormat format = block.blockFormat();  // Markdown comes without any room between its parts
      if (!block.textList() && !QTextCursor(block).currentTable()) {
        format.setTopMargin(format.headingLevel() > 1 ? 14 : 0);
        format.setBottomMargin(6);
        QTextCursor(block).setBlockFormat(format);
      }
      if (block.blockFormat().headingLevel() > 0 && !anchor.isEmpty() && anchorOf(block.text()) == anchor) {
        m_text->setTextCursor(QTextCursor(block));
        m_text->ensureCursorVisible();
      }
    }
    const QSignalBlocker blocker(m_contents);
    for (int i = 0; i < m_contents->count(); ++i)
      if (m_contents->item(i)->data(Qt::UserRole).toString() == file) m_contents->setCurrentRow(i);
    mark();
    return true;
  }
  return false;
}

void HelpWindow::search(const QString& words) {
  if (m_search->text() != words) {
    m_search->setText(words);  // comes back here
    return;
  }
  list();
  if (!m_contents->currentItem() && m_contents->count() > 0 && m_contents->item(0)->flags() != Qt::NoItemFlags) m_contents->setCurrentRow(0);
  mark();
}

// Every place that was found, and the first one in sight.
void HelpWindow::mark() {
  QList<QTextEdit::ExtraSelection> marks;
  for (const QString& word : m_search->text().simplified().split(u' ', Qt::SkipEmptyParts))
    for (QTextCursor at = m_text->document()->find(word); !at.isNull(); at = m_text->document()->find(word, at)) {
      QTextEdit::ExtraSelection one;
      one.cursor = at;
      one.format.setBackground(colors().selection);
      one.format.setFontUnderline(true);
      marks.append(one);
    }
  m_text->setExtraSelections(marks);
  if (!marks.isEmpty()) {
    QTextCursor first = marks.front().cursor;
    for (const auto& one : std::as_const(marks))
      if (one.cursor < first) first = one.cursor;
    first.setPosition(first.selectionStart());
    m_text->setTextCursor(first);
    m_text->ensureCursorVisible();
  }
}

void HelpWindow::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Find)) return m_search->setFocus();
  if (event->key() == Qt::Key_Escape) {
    if (m_search->text().isEmpty()) close();
    else m_search->clear();
    return;
  }
  QWidget::keyPressEvent(event);
}

}  // namespace cuescope
