// Made-up values for widget tests and the gallery: a drawing, an attention map with peaks, heads, tokens, curves. Seeded.
#pragma once

#include <QImage>
#include <QPainter>
#include <cmath>
#include <random>
#include <vector>

#include "widgets/curve_plot.h"
#include "widgets/distribution_bars.h"
#include "widgets/heatmap_layer.h"
#include "widgets/matrix_view.h"
#include "widgets/token_strip.h"

namespace cuescope::made_up {

inline QImage drawing(int width = 768, int height = 576) {
  QImage image(width, height, QImage::Format_RGB32);
  image.fill(Qt::white);
  QPainter p(&image);
  p.setRenderHint(QPainter::Antialiasing);
  p.setPen(QPen(Qt::black, 3));
  p.drawEllipse(QPointF(width * 0.5, height * 0.5), height * 0.39, height * 0.39);
  p.drawLine(QPointF(width * 0.22, height * 0.61), QPointF(width * 0.76, height * 0.35));
  p.drawLine(QPointF(width * 0.25, height * 0.3), QPointF(width * 0.57, height * 0.88));
  p.setFont(uiFont(height / 16));
  p.drawText(QPointF(width * 0.26, height * 0.45), QStringLiteral("4"));
  p.drawText(QPointF(width * 0.58, height * 0.45), QStringLiteral("8"));
  p.drawText(QPointF(width * 0.43, height * 0.76), QStringLiteral("6"));
  return image;
}

/// Shares that sum to 1, with peaks near the drawing's labels; `sharp` 0 is nearly uniform.
inline PatchMap peaks(int rows = 18, int cols = 24, double sharp = 1, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> noise(0.3, 1.0);
  PatchMap map{rows, cols, {}, 1.0 / (rows * cols)};
  const double centres[3][2] = {{0.42, 0.28}, {0.42, 0.59}, {0.72, 0.44}};
  double sum = 0;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < cols; ++c) {
      double v = 0.25 * noise(random);
      for (const auto& centre : centres)
        v += sharp * 8 * std::exp(-(std::pow((r + 0.5) / rows - centre[0], 2) + std::pow((c + 0.5) / cols - centre[1], 2)) / 0.004);
      map.values.push_back(float(v));
      sum += v;
    }
  for (float& v : map.values) v /= float(sum);
  return map;
}

inline HeatmapScene scene(bool dark) {
  HeatmapScene s;
  s.picture = drawing();
  s.map = peaks();
  s.style.map = defaultColorMap(dark);
  s.boxes = {{QRectF(180, 216, 64, 48), QStringLiteral("evidence"), false}, {QRectF(430, 220, 64, 64), QStringLiteral("erase"), true}};
  s.selectedPatch = 6 * 24 + 18;
  return s;
}

inline HeadMaps heads(int layers, int count, bool injection, int rows = 18, int cols = 24) {
  HeadMaps maps;
  for (int l = 0; l < layers; ++l) maps.layers.push_back(injection ? 5 * l : l);
  maps.heads = count, maps.gridRows = rows, maps.gridCols = cols, maps.uniform = 1.0 / (rows * cols), maps.injection = injection;
  for (int l = 0; l < layers; ++l)
    for (int h = 0; h < count; ++h) {
      const PatchMap one = peaks(rows, cols, ((l * 7 + h * 5) % 6) / 3.0, unsigned(l * 100 + h));
      maps.values.insert(maps.values.end(), one.values.begin(), one.values.end());
    }
  return maps;
}

inline std::vector<StripToken> prompt() {
  std::vector<StripToken> tokens{{"<|im_start|>", true}, {"system", false}, {"\n", false}, {"Think", false}, {" first", false}, {".", false}, {"<|im_end|>", true}, {"<|im_start|>", true}, {"user", false}, {"<|vision_start|>", true}};
  tokens[0].sink = true;
  for (int i = 0; i < 432; ++i) {
    StripToken t{"<|image_pad|>", true};
    t.visual = i;
    tokens.push_back(t);
  }
  for (const char* text : {"<|vision_end|>"}) tokens.push_back({text, true});
  for (const char* text : {"Find", " x", "."}) tokens.push_back({text, false});
  for (const char* text : {" [Hint]:", " Two", " chords", " cross"}) {
    StripToken t{text, false};
    t.cue = true;
    tokens.push_back(t);
  }
  for (const char* text : {"<|im_end|>", "<|im_start|>"}) tokens.push_back({text, true});
  tokens.push_back({"assistant", false});
  return tokens;
}

inline std::vector<StripToken> response() {
  std::vector<StripToken> tokens;
  for (const char* text : {"<think>", "\n", "The", " two", " ch", "ords", " intersect", " inside", " the", " circle", " at", " P", ".", " The", " segments", " of", " one", " chord", " are", " x", " and",
                           " 8", ",", " and", " of", " the", " other", " 4", " and", " 6", ".", " So", " x", " ·", " 8", " =", " 4", " ·", " 6", ",", " which", " gives", " x", " =", " 3", ".", "\n", "</think>", "\n"})
    tokens.push_back({text, false});
  tokens.push_back({QByteArray("\xE4\xB8"), false});
  tokens[14].clamped = true;
  tokens.push_back({"<|im_end|>", true});
  return tokens;
}

inline std::vector<double> gaps(std::size_t count) {
  std::mt19937 random(4);
  std::normal_distribution<double> normal(0.2, 1.2);
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(i % 5 == 0 ? 0.02 : normal(random));
  return values;
}

inline DistributionSet distributions() {
  DistributionSet set;
  for (bool& p : set.present) p = true;
  const char* texts[] = {"8", "6", "4", "9", "2", "5"};
  const double p[6][4] = {{.41, .93, .58, .12}, {.28, .03, .19, .16}, {.13, .01, .09, .19}, {.05, .01, .04, .08}, {.04, .001, .03, .14}, {.03, .003, .02, .11}};
  for (int i = 0; i < 6; ++i) {
    DistributionRow row;
    row.token = QString::fromLatin1(texts[i]);
    std::copy(p[i], p[i] + 4, row.probability);
    set.rows.push_back(row);
  }
  const double tail[] = {.06, .02, .05, .20};
  std::copy(tail, tail + 4, set.tail);
  set.chosen = 0;
  return set;
}

inline std::vector<double> falling(int steps, double from, double to, double noise, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, noise);
  std::vector<double> y;
  for (int i = 0; i < steps; ++i) y.push_back(to + (from - to) * std::exp(-i / (steps * 0.4)) + normal(random));
  return y;
}

inline CurveRun run(const QString& name, int steps) {
  CurveRun r;
  r.name = name;
  for (int i = 0; i < steps; ++i) r.steps.push_back(i), r.tokens.push_back(i * 5200.0), r.seconds.push_back(i * 14.3);
  return r;
}

inline std::vector<CurvePanel> panels(int steps) {
  using Kind = CurveSeries::Kind;
  const auto series = [](int run, std::vector<double> y) {
    CurveSeries s;
    s.run = run, s.y = std::move(y);
    return s;
  };
  std::vector<CurvePanel> all(9);
  const char* titles[] = {"Distillation loss", "Gap", "k3", "Response length", "Entropy", "Gradient norm", "Evidence mass", "Update size", "Accuracy, held-out"};
  const char* units[] = {"token-mean, nats", "log p(T + cue) − log p(S), mean, nats", "clamped ±10, nats", "tokens, mean", "nats", "before clip", "sink map inside boxes, by layer", "‖out‖ / ‖sink‖, by layer", "demo, n = 256"};
  for (int i = 0; i < 9; ++i) {
    CurvePanel& p = all[std::size_t(i)];
    p.id = QString::number(i), p.title = QString::fromUtf8(titles[i]), p.unit = QString::fromUtf8(units[i]);
    if (i == 4) {
      for (int k = 0; k < 2; ++k) {
        CurveSeries s = series(0, falling(steps, k ? 0.38 : 0.62, k ? 0.37 : 0.46, 0.015, unsigned(20 + k)));
        s.kind = Kind::Condition, s.index = k, s.label = k ? QStringLiteral("teacher + cue") : QStringLiteral("student");
        p.series.push_back(s);
      }
      p.decimals = 2;
    } else if (i == 6 || i == 7) {
      for (int k = 0; k < 6; ++k) {
        std::vector<double> y = falling(steps, 0.04, 0.05 + 0.04 * ((k * 5) % 6), 0.002, unsigned(40 + k));
        CurveSeries s = series(0, y);
        s.kind = Kind::Ordinal, s.index = k, s.count = 6, s.label = QStringLiteral("L%1").arg(5 * k);
        p.series.push_back(s);
      }
      if (i == 6) p.reference = 0.037, p.referenceName = QStringLiteral("uniform");
    } else {
      const double from[] = {0.75, 0.8, 0.3, 600, 0, 0.8, 0, 0, 0.36}, to[] = {0.38, 0.42, 0.16, 480, 0, 0.6, 0, 0, 0.42};
      p.series.push_back(series(0, falling(steps, from[i], to[i], 0.06 * to[i], unsigned(i))));
      p.series.push_back(series(1, falling(steps, from[i], to[i] * 1.25, 0.06 * to[i], unsigned(i + 100))));
    }
  }
  all[3].decimals = 0;
  all[3].marks = {{118, QStringLiteral("falling 5 tokens a step")}};
  all[5].log = true, all[5].decimals = 2, all[5].reference = 1, all[5].referenceName = QStringLiteral("clip 1.0");
  all[5].series[0].y[std::size_t(steps * 2 / 3)] = std::numeric_limits<double>::infinity();
  all[5].marks = {{steps * 2.0 / 3, QStringLiteral("not finite, step skipped")}};
  CurveSeries& accuracy = all[8].series[0];
  accuracy.smoothed = false;
  for (std::size_t k = 0; k < accuracy.y.size(); ++k) {
    if (k % 20) accuracy.y[k] = std::nan("");
    accuracy.low.push_back(accuracy.y[k] - 0.03), accuracy.high.push_back(accuracy.y[k] + 0.03);
  }
  all[8].decimals = 2;
  return all;
}

}  // namespace cuescope::made_up
