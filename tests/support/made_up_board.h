// A board with made-up accuracies: settings by data sets, seeds around a value each. Header only.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "engine/core/board.h"

namespace cuescope::made_up {

/// `value` of a setting on a data set, by their numbers; NaN: it was not measured. The fourth setting's runs stopped early.
inline Board board(std::vector<std::string> settings, std::vector<std::string> dataSets, const std::function<double(std::size_t, std::size_t)>& value, int seeds = 3) {
  Board b;
  b.settings = std::move(settings);
  b.dataSets = std::move(dataSets);
  for (std::size_t s = 0; s < b.settings.size(); ++s) {
    b.cells.emplace_back(b.dataSets.size());
    for (int seed = 1; seed <= seeds; ++seed) {
      BoardRun run;
      run.name = b.settings[s] + "-" + std::to_string(seed);
      run.setting = b.settings[s];
      run.seed = static_cast<std::uint64_t>(seed);
      run.step = s == 3 ? 60 : 100;
      for (std::size_t d = 0; d < b.dataSets.size(); ++d) {
        const double middle = value(s, d);
        if (std::isnan(middle)) continue;
        BoardCell& cell = b.cells[s][d];
        cell.seeds.push_back(run.seed);
        cell.values.push_back(middle - 0.01 + 0.02 * (seed - 1) / (seeds - 1));
        cell.mean = {middle, middle - 0.025, middle + 0.025, seeds};
        cell.intervalOf = "seeds";
        run.accuracy[b.dataSets[d]] = {cell.values.back(), 0, 1, 512};
      }
      b.runs.push_back(run);
    }
  }
  return b;
}

}  // namespace cuescope::made_up
