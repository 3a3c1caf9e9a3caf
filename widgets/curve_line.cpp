#include "widgets/curve_line.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cuescope {
namespace {

constexpr std::size_t kBlock = 16;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

void MinMaxPyramid::clear() { m_levels.clear(); }

void MinMaxPyramid::append(double value) {
  const Pair pair = std::isfinite(value) ? Pair{value, value} : Pair{kInfinity, -kInfinity};
  if (m_levels.empty()) m_levels.emplace_back();
  std::size_t at = m_levels[0].size();
  m_levels[0].push_back(pair);
  for (std::size_t level = 1;; ++level) {
    at /= kBlock;
    if (level == m_levels.size()) {
      if (m_levels[level - 1].size() <= kBlock) return;
      // A new level begins when the one below has more than a block: it takes in what is there.
      m_levels.emplace_back();
      for (std::size_t i = 0; i < m_levels[level - 1].size(); ++i) {
        const Pair& below = m_levels[level - 1][i];
        if (i % kBlock == 0) m_levels[level].push_back(below);
        else m_levels[level].back() = {std::min(m_levels[level].back().low, below.low), std::max(m_levels[level].back().high, below.high)};
      }
      continue;
    }
    if (at == m_levels[level].size()) m_levels[level].push_back(pair);
    else m_levels[level][at] = {std::min(m_levels[level][at].low, pair.low), std::max(m_levels[level][at].high, pair.high)};
  }
}

std::pair<double, double> MinMaxPyramid::range(std::size_t begin, std::size_t end) const {
  double low = kInfinity, high = -kInfinity;
  end = std::min(end, size());
  const auto take = [&](const Pair& pair) { low = std::min(low, pair.low), high = std::max(high, pair.high); };
  for (std::size_t level = 0; begin < end; ++level) {
    const bool top = level + 1 >= m_levels.size();
    while (begin < end && (top || begin % kBlock)) take(m_levels[level][begin++]);
    while (begin < end && end % kBlock) take(m_levels[level][--end]);
    begin /= kBlock, end /= kBlock;
  }
  return {low, high};
}

void CurveLine::clear() {
  m_raw.clear(), m_smooth.clear();
  m_rawValues.clear(), m_smoothValues.clear();
  m_sum = m_weight = 0;
  m_omitted = 0, m_count = 0;
}

void CurveLine::update(const std::vector<double>& values, double smoothing, bool joined, bool log) {
  if (smoothing != m_factor || joined != m_joined || log != m_log || values.size() < size()) clear();
  m_factor = smoothing, m_joined = joined, m_log = log;
  const bool smooth = smoothing > 0 && !joined;
  const double none = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = size(); i < values.size(); ++i) {
    const double v = values[i];
    if (log && std::isfinite(v) && v <= 0) ++m_omitted;
    const auto shown = [log, none](double y) { return std::isfinite(y) && (!log || y > 0) ? y : none; };
    m_rawValues.push_back(shown(v));
    m_raw.append(m_rawValues.back());
    m_count += std::isfinite(m_rawValues.back());
    if (!smooth) continue;
    double s = none;
    if (std::isfinite(v)) {  // without the weight the first points would be pulled to 0
      m_sum = smoothing * m_sum + (1 - smoothing) * v;
      m_weight = smoothing * m_weight + (1 - smoothing);
      s = m_sum / m_weight;
    }
    m_smoothValues.push_back(shown(s));
    m_smooth.append(m_smoothValues.back());
  }
}

std::vector<CurvePoint> CurveLine::points(const std::vector<double>& xs, double from, double to, int pixels, bool smoothed) const {
  std::vector<CurvePoint> out;
  const std::vector<double>& values = smoothed ? m_smoothValues : m_rawValues;
  const MinMaxPyramid& pyramid = smoothed ? m_smooth : m_raw;
  const std::size_t n = std::min(xs.size(), values.size());
  const auto index = [&](double x) { return std::size_t(std::lower_bound(xs.begin(), xs.begin() + std::ptrdiff_t(n), x) - xs.begin()); };
  std::size_t begin = index(from), end = std::min(n, index(to) + 2);
  begin = begin > 0 ? begin - 1 : 0;
  if (m_joined) {  // values that come every n-th step: the neighbours that exist
    while (begin > 0 && std::isnan(values[begin])) --begin;
    while (end < n && std::isnan(values[end - 1])) ++end;
  }
  const auto put = [&](std::size_t i) {
    if (!m_joined || !std::isnan(values[i])) out.push_back({xs[i], values[i]});
  };
  if (end - begin <= 4 * std::size_t(std::max(1, pixels)) || !(to > from)) {
    for (std::size_t i = begin; i < end; ++i) put(i);
    return out;
  }
  const double width = (to - from) / pixels;
  std::size_t at = begin;
  for (int column = 0; column <= pixels + 1 && at < end; ++column) {
    std::size_t next = column > pixels ? end : std::min(end, index(from + column * width));
    if (next <= at) continue;
    const auto [low, high] = pyramid.range(at, next);
    if (low > high) {
      put(at);  // nothing in this column: a break, or nothing when joined
    } else {
      // First, lowest, highest, last: the line looks as if all points had been drawn.
      const double x = xs[at], last = xs[next - 1];
      if (!std::isnan(values[at])) out.push_back({x, values[at]});
      out.push_back({x + (last - x) / 3, low});
      if (high > low) out.push_back({x + 2 * (last - x) / 3, high});
      if (!std::isnan(values[next - 1])) out.push_back({last, values[next - 1]});
    }
    at = next;
  }
  return out;
}

}  // namespace cuescope
