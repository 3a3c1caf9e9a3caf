// The tour's steps around the desk: comparing two looks, the report, the help.
#include <QAction>

#include "ui/help_window.h"
#include "ui/inspect_page.h"
#include "ui/panels/map_panel.h"
#include "ui/tour.h"

namespace cuescope {

void Tour::planDesk() {
  ImageCanvas* canvas = m_window.inspectPage()->map()->canvas();
  m_steps.push_back({QStringLiteral("compare"), tr("a map is put aside, swiped over, stands beside the next one that is chosen, and is alone again"), 5000,
                     [this] {
                       m_window.setPage(MainWindow::Inspect);
                       m_window.action(QStringLiteral("map.swipe"))->trigger();
                     },
                     {},
                     [this, canvas] {
                       const bool swiped = canvas->compare() == ImageCanvas::Compare::Swipe;
                       m_window.action(QStringLiteral("map.side"))->trigger();
                       const bool beside = canvas->compare() == ImageCanvas::Compare::SideBySide;
                       const std::optional<MapSlice> kept = m_window.inspectPage()->map()->secondSlice();
                       const SelectionState chosen = m_window.selection().state();
                       m_window.selection().setHead(chosen.head == 0 ? 1 : 0);
                       const bool other = kept && m_window.inspectPage()->map()->secondSlice() && m_window.inspectPage()->map()->secondSlice()->values == kept->values && m_window.inspectPage()->map()->slice().values != kept->values;
                       m_window.selection().set(chosen);
                       m_window.action(QStringLiteral("map.single"))->trigger();
                       return firstWrong({must(swiped, "2 does not swipe"), must(beside, "3 does not show both"), must(other, "the map that was put aside is not beside the next one"), must(canvas->compare() == ImageCanvas::Compare::Single, "1 does not show one")});
                     }});
  m_steps.push_back({QStringLiteral("report"), tr("inspection and run are written as HTML and PDF, twice with the same bytes"), 60000,
                     [this] {
                       for (const char* page : {"look", "run"}) {
                         m_window.setPage(qstrcmp(page, "run") == 0 ? MainWindow::Train : MainWindow::Inspect);
                         for (const char* ending : {".html", ".pdf"})
                           for (const char* turn : {"", "-again"}) m_window.exportReport(m_folder + QStringLiteral("/report-") + QLatin1String(page) + QLatin1String(turn) + QLatin1String(ending));
                       }
                     },
                     {},
                     [this] {
                       for (const QString& page : {QStringLiteral("look"), QStringLiteral("run")}) {
                         const QByteArray html = bytesOf(QStringLiteral("report-%1.html").arg(page)), pdf = bytesOf(QStringLiteral("report-%1.pdf").arg(page));
                         const QString wrong = firstWrong({must(html.startsWith("<!DOCTYPE html>") && html.contains("data:image/png;base64,") && !html.contains("src=\"http"), "the HTML is not one page with its pictures"),
                                                           must(pdf.startsWith("%PDF-") && pdf.contains("%%EOF"), "the PDF is not whole"), must(html == bytesOf(QStringLiteral("report-%1-again.html").arg(page)), "the HTML has other bytes the second time"),
                                                           must(pdf == bytesOf(QStringLiteral("report-%1-again.pdf").arg(page)), "the PDF has other bytes the second time")});
                         if (!wrong.isEmpty()) return wrong;
                       }
                       return QString();
                     }});
  m_steps.push_back({QStringLiteral("help"), tr("F1 opens the help; a search finds a page"), 5000,
                     [this] {
                       m_window.action(QStringLiteral("help.open"))->trigger();
                       m_window.help()->search(QStringLiteral("control socket"));
                     },
                     {},
                     [this] {
                       const QString page = m_window.help()->page();
                       m_window.help()->search({});
                       m_window.help()->close();
                       return must(page == u"files.md", "the search does not lead to the page on files");
                     }});
}

}  // namespace cuescope
