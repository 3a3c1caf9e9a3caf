// Every text that a widget paints, with where it lies and what cuts it: the widget is painted on a device that keeps texts alone. So
// a label, a button, a cell of a table and a word in a plot are judged alike, whoever draws them. Header only; UI thread.
#pragma once

#include <QAbstractItemView>
#include <QAbstractScrollArea>
#include <QApplication>
#include <QFontMetricsF>
#include <QHelpEvent>
#include <QCoreApplication>
#include <QPaintDevice>
#include <QPaintEngine>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <QWidget>
#include <cmath>
#include <vector>

#include "widgets/curve_plot.h"

namespace cuescope::painted {

struct Text {
  QString words;
  QRectF ink;          // what is inked, in the widget
  QRectF clip;         // of the painter, in the widget; null: none
  double advance = 0;
};

class TextEngine : public QPaintEngine {
 public:
  explicit TextEngine(std::vector<Text>& out) : QPaintEngine(AllFeatures), m_out(out) {}
  bool begin(QPaintDevice*) override { return true; }
  bool end() override { return true; }
  void updateState(const QPaintEngineState&) override {}
  void drawPixmap(const QRectF&, const QPixmap&, const QRectF&) override {}
  void drawImage(const QRectF&, const QImage&, const QRectF&, Qt::ImageConversionFlags) override {}
  void drawTiledPixmap(const QRectF&, const QPixmap&, const QPointF&) override {}
  void drawPath(const QPainterPath&) override {}
  void drawPolygon(const QPointF*, int, PolygonDrawMode) override {}
  void drawRects(const QRectF*, int) override {}
  void drawLines(const QLineF*, int) override {}
  void drawEllipse(const QRectF&) override {}
  void drawPoints(const QPointF*, int) override {}
  Type type() const override { return User; }
  void drawTextItem(const QPointF& at, const QTextItem& item) override {
    if (item.text().trimmed().isEmpty()) return;
    const QTransform to = state->transform();
    const QRectF ink = QFontMetricsF(item.font()).tightBoundingRect(item.text()).translated(at);
    Text text{item.text(), to.mapRect(ink), {}, item.width()};
    if (painter()->hasClipping()) text.clip = to.mapRect(painter()->clipBoundingRect());
    m_out.push_back(text);
  }

 private:
  std::vector<Text>& m_out;
};

class Device : public QPaintDevice {
 public:
  Device(std::vector<Text>& out, const QSize& size) : m_engine(out), m_size(size) {}
  QPaintEngine* paintEngine() const override { return &m_engine; }

 protected:
  int metric(PaintDeviceMetric what) const override {
    switch (what) {
      case PdmWidth: return m_size.width();
      case PdmHeight: return m_size.height();
      case PdmWidthMM: return m_size.width() * 254 / 960;
      case PdmHeightMM: return m_size.height() * 254 / 960;
      case PdmNumColors: return 1 << 24;
      case PdmDepth: return 32;
      case PdmDpiX:
      case PdmDpiY:
      case PdmPhysicalDpiX:
      case PdmPhysicalDpiY: return 96;
      case PdmDevicePixelRatio: return 1;
      case PdmDevicePixelRatioScaled: return int(devicePixelRatioFScale());
      default: return 0;
    }
  }

 private:
  mutable TextEngine m_engine;
  QSize m_size;
};

/// The widget alone, without its children.
inline std::vector<Text> textsOf(QWidget& widget) {
  std::vector<Text> texts;
  Device device(texts, widget.size());
  QPainter painter(&device);
  // Curves are kept in a picture of their own by the plot: they are painted anew.
  if (auto* grid = dynamic_cast<CurveGrid*>(&widget)) grid->paintCurves(painter, QRectF(QPointF(0, 0), QSizeF(widget.size())));
  else widget.render(&painter, {}, {}, QWidget::RenderFlags());
  return texts;
}

/// Where a widget's pixels can be seen, and in which direction what cannot be is a scroll away.
struct Room {
  QRectF rect;
  bool scrollsX = false, scrollsY = false;
};
inline Room roomOf(const QWidget& widget) {
  Room room{QRectF(widget.rect()), false, false};
  const auto viewport = [&](const QWidget* at) {
    const auto* area = at->parentWidget() ? qobject_cast<const QAbstractScrollArea*>(at->parentWidget()) : nullptr;
    if (!area || area->viewport() != at) return;
    room.scrollsX = room.scrollsX || area->horizontalScrollBar()->maximum() > area->horizontalScrollBar()->minimum();
    room.scrollsY = room.scrollsY || area->verticalScrollBar()->maximum() > area->verticalScrollBar()->minimum();
  };
  viewport(&widget);
  for (const QWidget* at = &widget; at->parentWidget() && !at->isWindow(); at = at->parentWidget()) {
    viewport(at);
    const QWidget* parent = at->parentWidget();
    room.rect &= QRectF(parent->rect()).translated(-widget.mapTo(parent, QPoint(0, 0)));
  }
  return room;
}

inline QString tooltipAt(QWidget& widget, const QPoint& at) {
  // hideText() leaves the last one standing for a third of a second.
  for (QWidget* window : QApplication::topLevelWidgets())
    if (window->inherits("QTipLabel")) window->hide();
  QHelpEvent help(QEvent::ToolTip, at, widget.mapToGlobal(at));
  QCoreApplication::sendEvent(&widget, &help);
  const QString text = QToolTip::isVisible() ? QToolTip::text() : QString();
  QToolTip::hideText();
  return text;
}

/// An elided text holds «…» right behind a letter; one with « …» means to.
inline bool isElided(const QString& words) {
  const qsizetype at = words.indexOf(QChar(0x2026));
  return at >= 0 && !(at > 0 && words[at - 1] == u' ');
}

/// What is wrong with the texts of one widget: cut, outside, over each other, or elided without the whole in a tooltip.
inline QStringList complaints(QWidget& widget) {
  QStringList wrong;
  std::vector<Text> texts = textsOf(widget);
  const Room room = roomOf(widget);
  const auto say = [&](const Text& text, const QString& what) { wrong << QStringLiteral("«%1» %2").arg(text.words.left(60), what); };
  constexpr double kSlack = 1.6;  // of a glyph's edge
  for (const Text& text : texts) {
    const QRectF& ink = text.ink;
    // Out of sight in a direction that scrolls: nothing is lost.
    if (room.scrollsX && (ink.right() > room.rect.right() || ink.left() < room.rect.left())) continue;
    if (room.scrollsY && (ink.bottom() > room.rect.bottom() || ink.top() < room.rect.top())) continue;
    if (!text.clip.isNull() && !text.clip.intersects(ink)) {
      if (text.clip.width() < 2 || text.clip.height() < 2) say(text, QStringLiteral("has no room at all"));
      continue;  // painted, but meant to be out of sight (a strip that scrolls by itself)
    }
    if (!text.clip.isNull() && (ink.left() < text.clip.left() - kSlack || ink.right() > text.clip.right() + kSlack))
      say(text, QStringLiteral("is cut at the side: %1..%2 of %3..%4").arg(ink.left()).arg(ink.right()).arg(text.clip.left()).arg(text.clip.right()));
    else if (!text.clip.isNull() && (ink.top() < text.clip.top() - kSlack || ink.bottom() > text.clip.bottom() + kSlack))
      say(text, QStringLiteral("is cut above or below: %1..%2 of %3..%4").arg(ink.top()).arg(ink.bottom()).arg(text.clip.top()).arg(text.clip.bottom()));
    else if (ink.left() < room.rect.left() - kSlack || ink.right() > room.rect.right() + kSlack || ink.top() < room.rect.top() - kSlack || ink.bottom() > room.rect.bottom() + kSlack)
      say(text, QStringLiteral("leaves the widget: %1,%2 to %3,%4 of %5x%6").arg(ink.left()).arg(ink.top()).arg(ink.right()).arg(ink.bottom()).arg(room.rect.width()).arg(room.rect.height()));
    if (isElided(text.words)) {
      const QString tip = tooltipAt(widget, ink.center().toPoint());
      const QString head = text.words.section(QChar(0x2026), 0, 0).trimmed(), tail = text.words.section(QChar(0x2026), 1).trimmed();
      if (head.size() + tail.size() < 3) say(text, QStringLiteral("is elided to nothing"));
      else if (tip.isEmpty()) say(text, QStringLiteral("is elided and has no tooltip"));
      else if (!tip.contains(head) || !tip.contains(tail)) say(text, QStringLiteral("is elided and its tooltip does not hold the whole: «%1»").arg(tip.left(80)));
    }
  }
  for (std::size_t a = 0; a < texts.size(); ++a)
    for (std::size_t b = a + 1; b < texts.size(); ++b) {
      const QRectF both = texts[a].ink & texts[b].ink;
      // Marked text is painted twice, the second time over the first.
      if (texts[a].words == texts[b].words && (texts[a].ink.topLeft() - texts[b].ink.topLeft()).manhattanLength() < 1.5) continue;
      if (both.width() > 2 && both.height() > 2 && (texts[a].clip.isNull() || texts[a].clip.intersects(both)) && (texts[b].clip.isNull() || texts[b].clip.intersects(both)))
        say(texts[a], QStringLiteral("lies over «%1»").arg(texts[b].words.left(40)));
    }
  return wrong;
}

}  // namespace cuescope::painted
