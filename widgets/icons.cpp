#include "widgets/icons.h"

#include <QCoreApplication>
#include <QIconEngine>
#include <QPaintEngine>
#include <QPainter>
#include <QPixmap>
#include <QPixmapCache>
#include <QSvgRenderer>
#include <QThread>
#include <array>

#include "widgets/theme.h"

namespace cuescope {
namespace {

// One SVG body an icon; «F» before a path fills it instead of stroking it.
const char* body(Icon icon) {
  switch (icon) {
    case Icon::Play: return "FM5 3.5v9l7.5-4.5z";
    case Icon::Pause: return "M5.5 3.5v9M10.5 3.5v9";
    case Icon::Stop: return "M4 4h8v8H4z";
    case Icon::Queue: return "M3 4.5h10M3 8h10M3 11.5h6";
    case Icon::Check: return "M3 8.5 6.5 12 13 4.5";
    case Icon::Cross: return "M4 4l8 8M12 4l-8 8";
    case Icon::Caution: return "M8 2.8 14 13H2zM8 6.6v3M8 11.3v.2";
    case Icon::Step: return "M4 3.5v9M12 4 6.5 8 12 12z";
    case Icon::PreviousCheckpoint: return "M4 3.5v9M12 4 6.5 8 12 12z";
    case Icon::NextCheckpoint: return "M12 3.5v9M4 4 9.5 8 4 12z";
    case Icon::Save: return "M3 3h8l2 2v8H3zM5.5 3v3.5h4.5V3M5 13V9.5h6V13";
    case Icon::Diamond: return "M8 3l5 5-5 5-5-5z";
    case Icon::DiamondFilled: return "FM8 2.5 13.5 8 8 13.5 2.5 8z";
    case Icon::Model: return "M8 2l5.2 3v6L8 14l-5.2-3V5zM2.8 5 8 8l5.2-3M8 8v6";
    case Icon::Data: return "M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M6 3.5v9";
    case Icon::Run: return "M2.5 13.5h11M2.5 2.5v11M4 10c2-5 3-6 4.5-4S11 9 13.5 5";
    case Icon::Capture: return "M2.5 5h3L6.5 3.5h3L10.5 5h3v8h-11zM8 11.2a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6z";
    case Icon::Image: return "M2.5 3h11v10h-11zM2.5 11l3.2-3.5 2.5 2.5L10 8.3l3.5 3M10.2 5.8v.2";
    case Icon::Folder: return "M2 4h4.2l1.3 1.7H14V13H2z";
    case Icon::Chip: return "M4.5 4.5h7v7h-7zM6.7 6.7h2.6v2.6H6.7zM6 2.3v2.2M10 2.3v2.2M6 11.5v2.2M10 11.5v2.2M2.3 6h2.2M2.3 10h2.2M11.5 6h2.2M11.5 10h2.2";
    case Icon::Eye: return "M1.8 8C3.5 5 5.6 3.8 8 3.8S12.5 5 14.2 8c-1.7 3-3.8 4.2-6.2 4.2S3.5 11 1.8 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z";
    case Icon::Add: return "M8 3v10M3 8h10";
    case Icon::Close: return "M4 4l8 8M12 4l-8 8";
    case Icon::Filter: return "M2.5 3.5h11L9.5 8.5v4.5l-3-1.5v-3z";
    case Icon::Search: return "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3 14 14";
    case Icon::Export: return "M8 10V2.5M5 5.2l3-2.7 3 2.7M3 8.5v5h10v-5";
    case Icon::Copy: return "M5.5 5.5h8v8h-8zM5.5 10.5h-3v-8h8v3";
    case Icon::Undo: return "M5.5 3 2.5 6l3 3M2.5 6h7a3.5 3.5 0 0 1 0 7H6";
    case Icon::Refresh: return "M13 8a5 5 0 1 1-1.5-3.5M13.2 2.3v3h-3";
    case Icon::Float: return "M5.5 2.5h8v8h-8zM5.5 5.5h-3v8h8v-3";
    case Icon::FullScreen: return "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10";
    case Icon::Pin: return "M5.5 2.5h5M6.5 2.5v4.5L4.5 9.2h7L9.5 7V2.5M8 9.2v4.6";
    case Icon::More: return "FM3 7h2v2H3zM7 7h2v2H7zM11 7h2v2h-2z";
    case Icon::ChevronDown: return "M4 6l4 4 4-4";
    case Icon::ChevronRight: return "M6 4l4 4-4 4";
    case Icon::ArrowUp: return "M8 13V3M4.5 6.5 8 3l3.5 3.5";
    case Icon::ArrowDown: return "M8 3v10M4.5 9.5 8 13l3.5-3.5";
    case Icon::Trash: return "M3 4.5h10M6 4.5v-2h4v2M4.5 4.5l.5 9h6l.5-9M6.8 7v4M9.2 7v4";
    case Icon::Edit: return "M3 13l.7-3L11 2.7l2.3 2.3L6 12.3zM9.5 4.2l2.3 2.3";
    case Icon::Help: return "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.2 6.3c0-2.3 3.7-2.2 3.7 0 0 1.5-1.9 1.5-1.9 2.9M8 11.2v.2";
    case Icon::Settings: return "M2.5 5h5M11.5 5h2M9.5 6.7a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4zM2.5 11h2M8.5 11h5M6.5 12.7a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4z";
    case Icon::Link: return "M6.5 9.5l3-3M7.3 4.7l1.4-1.4a2.8 2.8 0 0 1 4 4l-1.4 1.4M8.7 11.3l-1.4 1.4a2.8 2.8 0 0 1-4-4l1.4-1.4";
    case Icon::Grid: return "M2.5 2.5h11v11h-11zM6.2 2.5v11M9.8 2.5v11M2.5 6.2h11M2.5 9.8h11";
    case Icon::Move: return "M8 2v12M2 8h12M6.2 3.8 8 2l1.8 1.8M6.2 12.2 8 14l1.8-1.8M3.8 6.2 2 8l1.8 1.8M12.2 6.2 14 8l-1.8 1.8";
    case Icon::Box: return "M2.5 4h11v8h-11z";
    case Icon::Brush: return "M13.5 2.5 7 9M6.8 8.6c1 .3 1.5 1 1.3 2-.4 2-3 3-5.6 2.4 1.4-.6 1-1.6 1.5-2.8.4-1.1 1.6-2 2.8-1.6z";
    case Icon::Crop: return "M4.5 1.5v10h10M1.5 4.5h10v10";
    case Icon::Point: return "M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3";
    case Icon::Text: return "M3 5V3h10v2M8 3v10M6 13h4";
    case Icon::Swipe: return "M8 2v12M5.5 5.5 3 8l2.5 2.5M10.5 5.5 13 8l-2.5 2.5";
    case Icon::SideBySide: return "M2.5 3h11v10h-11zM8 3v10";
    case Icon::Single: return "M2.5 3h11v10h-11z";
    case Icon::Fit: return "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10";
    case Icon::Fade: return "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 2v12M8 5h4.8M8 8h6M8 11h4.8";
    case Icon::Funnel: return "M2.5 3.5h11L9.5 8.5v4.5l-3-1.5v-3z";
    case Icon::Count: break;
  }
  return "";
}

void drawIcon(QPainter& painter, const QRectF& rect, Icon icon, const QColor& color) {
  QSvgRenderer renderer(iconSvg(icon, color));
  const double side = std::min(rect.width(), rect.height());
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  renderer.render(&painter, QRectF(rect.center().x() - side / 2, rect.center().y() - side / 2, side, side));
  painter.restore();
}

// Reading and drawing an SVG takes a hundred times as long as copying the picture that it makes, and a page has thirty of them.
QPixmap iconPixmap(Icon icon, const QColor& color, const QSize& size) {
  const QString key = QStringLiteral("cuescope/icon/%1/%2/%3x%4").arg(int(icon)).arg(color.rgba(), 0, 16).arg(size.width()).arg(size.height());
  QPixmap pixmap;
  if (QPixmapCache::find(key, &pixmap)) return pixmap;
  pixmap = QPixmap(size);
  pixmap.fill(Qt::transparent);
  QPainter painter(&pixmap);
  drawIcon(painter, QRect(QPoint(0, 0), size), icon, color);
  painter.end();
  QPixmapCache::insert(key, pixmap);
  return pixmap;
}

class ThemedEngine : public QIconEngine {
 public:
  ThemedEngine(Icon icon, QColor color) : m_icon(icon), m_color(std::move(color)) {}
  void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override {
    paintIcon(*painter, rect, m_icon, colorOf(mode, state));
  }
  QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override { return iconPixmap(m_icon, colorOf(mode, state), size); }
  QSize actualSize(const QSize& size, QIcon::Mode, QIcon::State) override { return size; }
  QIconEngine* clone() const override { return new ThemedEngine(m_icon, m_color); }

 private:
  QColor colorOf(QIcon::Mode mode, QIcon::State state) const {
    const Colors& c = colors();
    if (mode == QIcon::Disabled) return c.control;
    return m_color.isValid() ? m_color : state == QIcon::On ? c.accent : c.text2;
  }
  Icon m_icon;
  QColor m_color;
};

}  // namespace

QByteArray iconSvg(Icon icon, const QColor& color) {
  const char* path = body(icon);
  const bool filled = *path == 'F';
  QByteArray svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><path d=\"";
  svg += filled ? path + 1 : path;
  const QByteArray name = color.name().toLatin1();
  svg += filled ? "\" fill=\"" + name + "\"/></svg>"
                : "\" fill=\"none\" stroke=\"" + name + "\" stroke-width=\"1.25\" stroke-linecap=\"round\" stroke-linejoin=\"round\"/></svg>";
  return svg;
}

void paintIcon(QPainter& painter, const QRectF& rect, Icon icon, const QColor& color) {
  // On whole pixels of the screen the kept picture is the same; anywhere else, and on paper, it is drawn.
  const QTransform device = painter.deviceTransform();
  const QRectF place = device.mapRect(rect);
  const bool whole = place == QRectF(place.toRect()) && rect.width() == rect.height() && device.type() <= QTransform::TxTranslate;
  const bool screen = painter.paintEngine() && painter.paintEngine()->type() == QPaintEngine::Raster && qApp && QThread::currentThread() == qApp->thread();
  if (whole && screen) painter.drawPixmap(rect.topLeft(), iconPixmap(icon, color, rect.size().toSize()));
  else drawIcon(painter, rect, icon, color);
}

QIcon icon(Icon icon) { return QIcon(new ThemedEngine(icon, {})); }
QIcon icon(Icon icon, const QColor& color) { return QIcon(new ThemedEngine(icon, color)); }

}  // namespace cuescope
