#include "widgets/curve_math.h"

#include <algorithm>
#include <cmath>

#include "widgets/numbers.h"

namespace cuescope {

std::vector<double> smoothed(const std::vector<double>& values, double factor) {
  if (factor <= 0) return values;
  std::vector<double> out(values.size());
  double sum = 0, weight = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) {
      sum = factor * sum + (1 - factor) * values[i];
      weight = factor * weight + (1 - factor);  // without it the first points would be pulled to 0
      out[i] = sum / weight;
    } else {
      out[i] = std::numeric_limits<double>::quiet_NaN();
    }
  }
  return out;
}

namespace curves {

const std::vector<double>& xValues(const CurveRun& run, CurveX x) {
  return x == CurveX::Step ? run.steps : x == CurveX::Tokens ? run.tokens : run.seconds;
}

int indexAt(const CurveRun& run, double step) {
  const auto after = std::upper_bound(run.steps.begin(), run.steps.end(), step);
  return int(after - run.steps.begin()) - 1;
}

double xOfStep(const CurveRun& run, CurveX x, double step) {
  if (x == CurveX::Step || run.steps.empty()) return step;
  const std::vector<double>& xs = xValues(run, x);
  const int at = indexAt(run, step);
  if (at < 0) return xs.empty() ? 0 : xs.front() * (run.steps.front() > 0 ? step / run.steps.front() : 0);
  if (std::size_t(at) + 1 >= xs.size()) return xs.back();
  const double span = run.steps[std::size_t(at) + 1] - run.steps[std::size_t(at)];
  return xs[std::size_t(at)] + (xs[std::size_t(at) + 1] - xs[std::size_t(at)]) * (span > 0 ? (step - run.steps[std::size_t(at)]) / span : 0);
}

double stepOfX(const CurveRun& run, CurveX x, double value) {
  if (run.steps.empty()) return 0;
  const std::vector<double>& xs = xValues(run, x);
  const auto after = std::lower_bound(xs.begin(), xs.end(), value);
  std::size_t at = std::size_t(after - xs.begin());
  if (at >= xs.size()) at = xs.size() - 1;
  if (at > 0 && value - xs[at - 1] < xs[at] - value) --at;
  return run.steps[at];
}

std::vector<double> ticks(double low, double high, bool log, int wanted) {
  std::vector<double> out;
  if (!(high > low) || !std::isfinite(low) || !std::isfinite(high)) return out;
  if (log) {
    if (low <= 0) return out;
    const int first = int(std::ceil(std::log10(low) - 1e-9)), last = int(std::floor(std::log10(high) + 1e-9));
    const int every = std::max(1, (last - first + wanted) / std::max(1, wanted));
    for (int d = first; d <= last; d += every) out.push_back(std::pow(10.0, d));
    if (out.size() >= 2) return out;
    out.clear();  // less than two decades: round numbers between
  }
  const double rough = (high - low) / std::max(1, wanted), magnitude = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * magnitude;
  for (const double m : {1.0, 2.0, 2.5, 5.0})
    if (m * magnitude >= rough * 0.999) {
      step = m * magnitude;
      break;
    }
  // Two numbers on an axis do not say how it runs: finer until there are three.
  const auto count = [&](double by) { return std::floor(high / by + 1e-9) - std::ceil(low / by - 1e-9) + 1; };
  for (int finer = 0; finer < 4 && wanted >= 3 && count(step) < 3; ++finer) {
    const double lead = step / std::pow(10.0, std::floor(std::log10(step) + 1e-9));  // 1, 2, 2.5 or 5
    step *= lead > 4 ? 0.5 : lead > 2.2 ? 0.8 : 0.5;
  }
  for (double v = std::ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) out.push_back(std::abs(v) < step * 1e-9 ? 0 : v);
  return out;
}

QString tickText(double value, double step, bool log) {
  const double size = std::abs(value);
  // As many digits as tell two neighbours apart.
  const int apart = step > 0 && size > 0 ? std::clamp(int(std::ceil(std::log10(size / step) - 1e-9)) + 1, 1, 15) : 1;
  if (size >= 1e9) return QString::number(value / 1e9, 'g', std::max(3, apart)) + QStringLiteral(" G");
  if (size >= 1e6) return QString::number(value / 1e6, 'g', std::max(3, apart)) + QStringLiteral(" M");
  if (size >= 1e4) return QString::number(value / 1e3, 'g', std::max(4, apart)) + QStringLiteral(" k");
  QString text;
  if (log || step <= 0) {
    text = size != 0 && size < 1e-3 ? QString::number(value, 'e', 0) : QString::number(value, 'g', 4);
  } else {
    int decimals = std::max(0, int(std::ceil(-std::log10(step) - 1e-9)));
    if (decimals < 6 && std::abs(step * std::pow(10, decimals) - std::round(step * std::pow(10, decimals))) > 1e-6) ++decimals;
    text = size != 0 && size < 1e-4 ? QString::number(value, 'g', std::max(3, apart)) : QString::number(value, 'f', decimals);
    if (value == 0) text = QStringLiteral("0");
  }
  return plainExponent(text);
}

TickLabels tickLabels(const std::vector<double>& values, bool log, qsizetype most) {
  TickLabels labels;
  const double step = values.size() > 1 ? std::abs(values[1] - values[0]) : 0;
  for (const double v : values) labels.texts.push_back(tickText(v, step, log));
  const bool fit = std::all_of(labels.texts.begin(), labels.texts.end(), [&](const QString& text) { return text.size() <= most; });
  if (log || fit || step <= 0) return labels;
  const int exponent = int(std::floor(std::log10(step) + 1e-9));
  const double lead = step / std::pow(10.0, exponent);  // 1, 2, 2.5 or 5
  labels.base = labels.texts.front() + QStringLiteral(", in ") + plainExponent(exponent == 0 ? QStringLiteral("1") : QStringLiteral("1e%1").arg(exponent));
  for (std::size_t i = 0; i < values.size(); ++i) labels.texts[i] = QString::number(std::round((values[i] - values[0]) / step) * std::round(lead * 4) / 4);
  return labels;
}

QString timeTickText(double seconds, double range) {
  if (range >= 3 * 3600) return QString::number(seconds / 3600, 'g', 3) + QStringLiteral(" h");
  if (range >= 180) return QString::number(seconds / 60, 'g', 3) + QStringLiteral(" min");
  return QString::number(seconds, 'g', 3) + QStringLiteral(" s");
}

}  // namespace curves
}  // namespace cuescope
