// Reports on paper: HTML with the pictures inside, PDF page by page, and the headless command.
#include <QBuffer>
#include <QCommandLineParser>
#include <QFileInfo>
#include <QPainter>
#include <QPdfWriter>
#include <cstdio>

#include "engine/core/capture.h"
#include "ui/report.h"
#include "widgets/theme.h"

namespace cuescope {
namespace {

constexpr double kPageWidth = 595, kPageHeight = 842, kMargin = 42;  // A4 in points
constexpr double kWidth = kPageWidth - 2 * kMargin;

QString html(const QString& text) { return text.toHtmlEscaped().replace(u'\n', QStringLiteral("<br>")); }

// Draws blocks one under another and starts a page where the next one does not fit.
class Pages {
 public:
  Pages(QPdfWriter& writer, const QString& footer) : m_writer(writer), m_painter(&writer), m_footer(footer) {
    m_painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    foot();
  }
  void paragraph(const QString& text, const QFont& font, const QColor& color, double after) {
    for (const QString& line : text.split(u'\n')) {
      // Words that are longer than the page are cut where they must be.
      const QRectF room(0, 0, kWidth, 1e6);
      const auto flags = Qt::TextWordWrap | Qt::TextWrapAnywhere | Qt::AlignLeft | Qt::AlignTop;
      m_painter.setFont(font);
      QString rest = line;
      while (true) {
        const double height = std::max(m_painter.fontMetrics().height() * 1.0, m_painter.boundingRect(room, flags, rest).height());
        const double left = kPageHeight - kMargin - m_y;
        if (height <= left || rest.size() < 2) {
          space(height);
          m_painter.setPen(color);
          m_painter.drawText(QRectF(kMargin, m_y, kWidth, height), flags, rest);
          m_y += height;
          break;
        }
        if (m_y > kMargin) {
          next();
          continue;
        }
        qsizetype fits = rest.size();
        while (fits > 1 && m_painter.boundingRect(room, flags, rest.left(fits)).height() > left) fits = fits * 9 / 10;
        m_painter.setPen(color);
        m_painter.drawText(QRectF(kMargin, m_y, kWidth, left), flags, rest.left(fits));
        rest = rest.mid(fits);
        next();
      }
    }
    m_y += after;
  }
  void table(const QList<QStringList>& rows, bool head, const Colors& c) {
    const qsizetype columns = rows.isEmpty() ? 0 : rows.front().size();
    if (columns == 0) return;
    const double first = head ? kWidth * (columns > 3 ? 0.28 : 0.4) : 110, other = (kWidth - first) / double(std::max<qsizetype>(1, columns - 1));
    const auto flags = Qt::TextWordWrap | Qt::TextWrapAnywhere | Qt::AlignLeft | Qt::AlignTop;
    for (qsizetype r = 0; r < rows.size(); ++r) {
      const bool bold = head && r == 0;
      double height = 0;
      const auto fontOf = [&](qsizetype column) { return bold || column == 0 ? uiFont(9, bold ? QFont::DemiBold : QFont::Normal) : monoFont(8); };
      for (qsizetype i = 0; i < columns; ++i) {
        m_painter.setFont(fontOf(i));
        height = std::max(height, m_painter.boundingRect(QRectF(0, 0, (i ? other : first) - 6, 500), flags, rows[r].value(i)).height());
      }
      height = std::min(height + 4, kPageHeight - 2 * kMargin);
      space(height);
      double x = kMargin;
      for (qsizetype i = 0; i < columns; ++i) {
        m_painter.setFont(fontOf(i));
        m_painter.setPen(i == 0 || bold ? c.text2 : c.text);
        m_painter.drawText(QRectF(x, m_y + 2, (i ? other : first) - 6, height), flags, rows[r].value(i));
        x += i ? other : first;
      }
      m_y += height;
      m_painter.fillRect(QRectF(kMargin, m_y - 0.5, kWidth, 0.5), c.line);
    }
    m_y += 10;
  }
  void figure(const Figure& figure) {
    const double scale = std::min({1.0, kWidth / figure.size.width(), (kPageHeight - 2 * kMargin - 20) / figure.size.height()});
    const QSizeF size = figure.size * scale;
    space(size.height());
    m_painter.save();
    m_painter.translate(kMargin, m_y);
    m_painter.scale(scale, scale);
    m_painter.setClipRect(QRectF(QPointF(), figure.size));
    figure.paint(m_painter, QRectF(QPointF(), figure.size));
    m_painter.restore();
    m_y += size.height() + 4;
  }
  void keepTogether(double height) { space(height); }

 private:
  void space(double height) {
    if (m_y + height > kPageHeight - kMargin && m_y > kMargin) next();
  }
  void next() {
    m_writer.newPage();
    m_y = kMargin;
    ++m_page;
    foot();
  }
  void foot() {
    m_painter.setFont(uiFont(8));
    m_painter.setPen(lightColors().text3);
    m_painter.drawText(QRectF(kMargin, kPageHeight - kMargin + 8, kWidth, 14), Qt::AlignLeft, m_painter.fontMetrics().elidedText(m_footer, Qt::ElideRight, int(kWidth - 40)));
    m_painter.drawText(QRectF(kMargin, kPageHeight - kMargin + 8, kWidth, 14), Qt::AlignRight, QString::number(m_page));
  }
  QPdfWriter& m_writer;
  QPainter m_painter;
  QString m_footer;
  double m_y = kMargin;
  int m_page = 1;
};

}  // namespace

QByteArray reportHtml(const Report& report) {
  const Colors& c = report.dark ? darkColors() : lightColors();
  QString out = QStringLiteral(
                    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
                    "<meta name=\"generator\" content=\"Cuescope\"><title>%1</title>\n<style>body{background:%2;color:%3;font:15px/1.45 Inter,sans-serif;max-width:1000px;margin:32px auto;padding:0 20px}"
                    "h1{font-size:22px;margin:0}h2{font-size:16px;margin:32px 0 8px}p{margin:8px 0}.sub,figcaption{color:%4;font-size:13px}table{border-collapse:collapse;font-size:13px;margin:8px 0}"
                    "td,th{text-align:left;vertical-align:top;padding:3px 16px 3px 0;border-bottom:1px solid %5}td{font-family:'JetBrains Mono NL','JetBrains Mono',monospace;white-space:pre-wrap;overflow-wrap:anywhere}"
                    "td:first-child{font-family:inherit;color:%6}figure{margin:16px 0}img{max-width:100%;height:auto}pre{font:12px/1.4 'JetBrains Mono NL','JetBrains Mono',monospace;background:%7;padding:12px;overflow:auto}</style></head><body>\n")
                    .arg(html(report.title), c.panel.name(), c.text.name(), c.text3.name(), c.line.name(), c.text2.name(), c.well.name());
  out += QStringLiteral("<h1>%1</h1>\n<p class=\"sub\">%2</p>\n").arg(html(report.title), html(report.subtitle));
  for (const ReportBlock& block : report.blocks) {
    switch (block.kind) {
      case ReportBlock::Kind::Heading: out += QStringLiteral("<h2>%1</h2>\n").arg(html(block.text)); break;
      case ReportBlock::Kind::Text: out += QStringLiteral("<p>%1</p>\n").arg(html(block.text)); break;
      case ReportBlock::Kind::Code: out += QStringLiteral("<pre>%1</pre>\n").arg(block.text.toHtmlEscaped()); break;
      case ReportBlock::Kind::Facts:
      case ReportBlock::Kind::Table: {
        out += QStringLiteral("<table>\n");
        for (qsizetype r = 0; r < block.rows.size(); ++r) {
          const char* cell = block.kind == ReportBlock::Kind::Table && r == 0 ? "th" : "td";
          out += QStringLiteral("<tr>");
          for (const QString& value : block.rows[r]) out += QStringLiteral("<%1>%2</%1>").arg(QLatin1String(cell), html(value));
          out += QStringLiteral("</tr>\n");
        }
        out += QStringLiteral("</table>\n");
        break;
      }
      case ReportBlock::Kind::Picture:
        out += QStringLiteral("<figure><img width=\"%1\" alt=\"%2\" src=\"data:image/png;base64,").arg(int(block.figure.size.width())).arg(html(block.text)) +
               QString::fromLatin1(figureBytes(block.figure, QStringLiteral("png")).toBase64()) + QStringLiteral("\"><figcaption>%1</figcaption></figure>\n").arg(html(block.text));
        break;
    }
  }
  out += QStringLiteral("</body></html>\n");
  return out.toUtf8();
}

QByteArray reportPdf(const Report& report) {
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  const OneHashSeed seed;
  {
    QPdfWriter writer(&buffer);
    writer.setTitle(report.title);
    writer.setCreator(QStringLiteral("Cuescope"));
    writer.setResolution(72);
    writer.setPageSize(QPageSize(QPageSize::A4));
    writer.setPageMargins(QMarginsF());
    Pages pages(writer, report.title);
    const Colors& c = lightColors();  // paper is white
    pages.paragraph(report.title, uiFont(18, QFont::DemiBold), c.text, 2);
    pages.paragraph(report.subtitle, uiFont(10), c.text3, 12);
    for (const ReportBlock& block : report.blocks) {
      switch (block.kind) {
        case ReportBlock::Kind::Heading:
          pages.keepTogether(60);  // never alone at the foot of a page
          pages.paragraph(block.text, uiFont(12, QFont::DemiBold), c.text, 6);
          break;
        case ReportBlock::Kind::Text: pages.paragraph(block.text, uiFont(10), c.text, 8); break;
        case ReportBlock::Kind::Code: pages.paragraph(block.text, monoFont(8), c.text, 8); break;
        case ReportBlock::Kind::Facts: pages.table(block.rows, false, c); break;
        case ReportBlock::Kind::Table: pages.table(block.rows, true, c); break;
        case ReportBlock::Kind::Picture:
          pages.figure(block.figure);
          pages.paragraph(block.text, uiFont(9), c.text3, 12);
          break;
      }
    }
  }
  return stablePdf(bytes);
}

void writeReport(const QString& file, const Report& report) {
  const QString ending = QFileInfo(file).suffix().toLower();
  if (ending == u"html" || ending == u"htm") return writeBytes(file, reportHtml(report));
  if (ending == u"pdf") return writeBytes(file, reportPdf(report));
  throw Error("This ending names no kind of report", file.toStdString(), "reports end in .html or .pdf", "Give the file one of these endings.");
}

int reportCommand(const QStringList& arguments) {
  QCommandLineParser parser;
  parser.setApplicationDescription(QStringLiteral("Writes a run or a capture as one self-contained page with its figures."));
  parser.addOption({{QStringLiteral("h"), QStringLiteral("help")}, QStringLiteral("Say this.")});
  parser.addPositionalArgument(QStringLiteral("source"), QStringLiteral("Run folder or capture file."));
  parser.addOption({QStringLiteral("output"), QStringLiteral("File to write, .html or .pdf."), QStringLiteral("file")});
  parser.addOption({QStringLiteral("theme"), QStringLiteral("light or dark (HTML)."), QStringLiteral("theme"), QStringLiteral("light")});
  const auto refuse = [](const QString& words) {
    std::fprintf(stderr, "cuescope report: %s. See cuescope report --help.\n", qPrintable(words.endsWith(QLatin1Char('.')) ? words.chopped(1) : words));
    return 2;
  };
  if (!parser.parse(arguments)) return refuse(parser.errorText());
  if (parser.isSet(QStringLiteral("help"))) {
    std::fputs(qPrintable(verbHelp(parser, QStringLiteral("report"))), stdout);
    return 0;
  }
  if (parser.positionalArguments().size() != 1) return refuse(QStringLiteral("name one run folder or capture"));
  const QString output = parser.value(QStringLiteral("output")), theme = parser.value(QStringLiteral("theme"));
  if (output.isEmpty()) return refuse(QStringLiteral("name the file to write with --output"));
  if (theme != u"light" && theme != u"dark") return refuse(QStringLiteral("--theme is light or dark, not «%1»").arg(theme));
  // The curves take their colours from the theme of the process; paper is light.
  const bool dark = theme == u"dark" && !output.endsWith(QStringLiteral(".pdf"), Qt::CaseInsensitive);
  Theme::instance().setSetting(dark ? ThemeSetting::Dark : ThemeSetting::Light);
  Theme::instance().install();
  try {
    const QString source = parser.positionalArguments().front();
    writeReport(output, QFileInfo(source).isDir() ? runReport(readRun(source), dark) : inspectionReport(*readCapture(source.toStdString()).inspection, {}, dark));
    return 0;
  } catch (...) {
    std::fprintf(stderr, "%s\n", currentFailure("report").text().c_str());
    return 1;
  }
}

}  // namespace cuescope
