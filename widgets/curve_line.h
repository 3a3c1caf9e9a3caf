// CurveLine: one series made ready for drawing. Raw and smoothed values with the lowest and highest of each block of 16, 256,
// ... points, so that any range of a million points becomes at most four points a pixel column in microseconds, peaks kept. Grows
// with its series. No widget; one thread at a time.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace cuescope {

/// Lowest and highest finite value of any range of a growing list.
class MinMaxPyramid {
 public:
  void clear();
  void append(double value);  // NaN and infinite: no value
  std::size_t size() const { return m_levels.empty() ? 0 : m_levels.front().size(); }
  /// Of [begin, end); first > second when there is no value.
  std::pair<double, double> range(std::size_t begin, std::size_t end) const;

 private:
  struct Pair {
    double low, high;
  };
  std::vector<std::vector<Pair>> m_levels;  // 0: the values themselves
};

struct CurvePoint {
  double x, y;  // y NaN: the line breaks here
};

class CurveLine {
 public:
  void clear();
  /// Takes what the series has gained since the last call; `values` must begin with what it was then. Another factor or axis
  /// begins anew. `joined`: missing values do not break the line, and nothing is smoothed.
  void update(const std::vector<double>& values, double smoothing, bool joined, bool log);
  /// Points between two x (and one beyond each), for so many pixels.
  std::vector<CurvePoint> points(const std::vector<double>& xs, double from, double to, int pixels, bool smoothed) const;
  std::pair<double, double> extent() const { return m_raw.range(0, m_raw.size()); }  // of the raw values that can be shown
  std::size_t size() const { return m_raw.size(); }
  int omitted() const { return m_omitted; }  // values at or below 0 that a log axis cannot show
  std::size_t valueCount() const { return m_count; }

 private:
  MinMaxPyramid m_raw, m_smooth;
  std::vector<double> m_rawValues, m_smoothValues;
  double m_factor = -1, m_sum = 0, m_weight = 0;
  bool m_joined = false, m_log = false;
  int m_omitted = 0;
  std::size_t m_count = 0;
};

}  // namespace cuescope
