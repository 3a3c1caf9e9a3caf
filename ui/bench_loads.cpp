#include "ui/bench_loads.h"

#include <QStackedWidget>
#include <QVBoxLayout>
#include <cmath>

#include "widgets/curve_plot.h"
#include "widgets/image_canvas.h"

namespace cuescope {
namespace {

// A walk that is the same every time.
double noise(std::uint32_t& state) {
  state = state * 1664525u + 1013904223u;
  return double(state >> 8) / double(1u << 24) - 0.5;
}

}  // namespace

BenchLoads::BenchLoads() : QWidget(nullptr, Qt::Window) {
  resize(1600, 1000);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  m_stack = new QStackedWidget;
  column->addWidget(m_stack);
  m_curves = new CurveGrid;
  m_canvas = new ImageCanvas;
  m_stack->addWidget(m_curves);
  m_stack->addWidget(m_canvas);

  CurveRun run;
  run.name = QStringLiteral("million");
  run.steps.resize(kPoints);
  for (int i = 0; i < kPoints; ++i) run.steps[std::size_t(i)] = i;
  run.tokens = run.steps;
  run.seconds = run.steps;
  std::vector<CurvePanel> panels;
  std::uint32_t state = 1;
  for (int p = 0; p < 3; ++p) {
    CurvePanel panel;
    panel.id = QStringLiteral("bench/%1").arg(p);
    panel.title = QStringLiteral("Curve %1").arg(p + 1);
    CurveSeries series;
    series.y.resize(kPoints);
    for (int i = 0; i < kPoints; ++i) series.y[std::size_t(i)] = 2 * std::exp(-double(i) / 3e5) + 0.3 * noise(state);
    panel.series = {series};
    panels.push_back(panel);
  }
  m_curves->setColumns(1);
  m_curves->setData({run}, panels);

  HeatmapScene scene;
  scene.picture = QImage(kSide, kSide, QImage::Format_RGB32);
  for (int y = 0; y < kSide; ++y) {
    auto* line = reinterpret_cast<QRgb*>(scene.picture.scanLine(y));
    for (int x = 0; x < kSide; ++x) line[x] = qRgb(x >> 4, y >> 4, (x ^ y) & 255);
  }
  scene.map.rows = scene.map.cols = kSide;
  scene.map.values.resize(std::size_t(kSide) * kSide);
  for (float& value : scene.map.values) value = float(noise(state) + 0.5);
  scene.map.uniform = 0.5;
  m_canvas->setScene(scene);
}

void BenchLoads::showCurves(bool curves) {
  m_stack->setCurrentIndex(curves ? 0 : 1);
}

}  // namespace cuescope
