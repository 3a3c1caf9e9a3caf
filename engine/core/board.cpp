#include "engine/core/board.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "engine/core/failure.h"
#include "engine/core/run_directory.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

bool sameFolder(const std::string& a, const std::string& b) {
  return fs::path(resolvePath(a)).lexically_normal() == fs::path(resolvePath(b)).lexically_normal();
}

/// The paper's order; others behind, as they come.
int rank(const std::string& setting) {
  static const std::vector<std::string> order = {"base", "sft", "grpo", "opsd", "opsd + cue", "opsd + module", "opsd + vicur", "opd", "opd + cue", "opd + module", "opd + vicur"};
  const auto found = std::find(order.begin(), order.end(), setting.substr(0, setting.find(',')));
  return static_cast<int>(found - order.begin());
}

std::string percent(double share) { return std::isfinite(share) ? fmt::format("{:.1f}", 100 * share) : "?"; }

std::string cellText(const BoardCell& cell) {
  if (cell.values.empty()) return "";
  if (!std::isfinite(cell.mean.low)) return percent(cell.mean.value);
  return fmt::format("{} ({} to {})", percent(cell.mean.value), percent(cell.mean.low), percent(cell.mean.high));
}

std::string intervalNote(const Board& board) {
  std::set<std::string> kinds;
  for (const auto& row : board.cells)
    for (const auto& cell : row)
      if (!cell.values.empty()) kinds.insert(cell.intervalOf);
  if (kinds.size() == 1 && kinds.count("seeds")) return "Accuracy in percent, mean over seeds; in brackets Student's 95 % interval of that mean.";
  if (kinds.size() == 1) return "Accuracy in percent of one seed; in brackets Wilson's 95 % interval over rows: it says nothing about another seed.";
  return "Accuracy in percent; in brackets the 95 % interval: Student's over seeds where there are several, Wilson's over rows where there is one.";
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

std::string csvField(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace

std::string settingName(const RunConfig& config) {
  if (config.distillation.lossMode == "sft") return "sft";
  const bool rewards = config.distillation.useTaskRewards, distils = config.distillation.distillationCoef > 0;
  if (rewards && !distils) return config.student.cueEnabled ? "grpo + module" : "grpo";
  const bool self = config.teacher.kind != "reference" || sameFolder(config.student.path, config.teacher.path);
  std::string name = self ? "opsd" : "opd";
  const bool cue = config.teacher.privilege == "cue", module = config.student.cueEnabled;
  if (cue && module) name += " + vicur";
  else if (cue) name += " + cue";
  else if (module) name += " + module";
  // The usual privilege is the answer's hint in self-distillation and none otherwise.
  if (!cue && config.teacher.privilege != (self ? "hint" : "none")) name += ", " + config.teacher.privilege;
  if (config.teacher.kind != "reference") name += ", teacher " + config.teacher.kind;
  if (config.distillation.lossMode != "forward_kl_topk") name += ", " + config.distillation.lossMode;
  if (rewards) name += ", task reward";
  return name;
}

BoardRun readBoardRun(const std::string& directory) {
  RunReader reader(directory);
  std::vector<ConfigIssue> issues;  // a run of another version may have other keys: what is known counts
  const RunConfig config = parseConfig(reader.configYaml(), directory, &issues);
  BoardRun run;
  run.directory = directory;
  run.name = fs::path(directory).filename().string();
  run.setting = settingName(config);
  const auto leaf = [](const std::string& path) { return fs::path(resolvePath(path)).lexically_normal().filename().string(); };
  run.models = leaf(config.student.path);
  if (config.distillation.distillationCoef > 0 && config.teacher.kind == "reference") run.models += " <- " + leaf(config.teacher.path);
  run.seed = config.trainer.seed;
  run.totalSteps = config.trainer.totalTrainingSteps;
  if (const auto status = reader.status()) {
    run.step = status->step;
    run.completed = status->state == RunState::Completed;
  }
  const std::string usual = dataNameOf(config.data.valFiles);
  for (const StepPtr& step : reader.newSteps()) {
    const auto n = step->metrics.find("val/n"), value = step->metrics.find("val/accuracy");
    if (n == step->metrics.end() || value == step->metrics.end() || usual.empty()) continue;
    run.accuracy[usual] = wilsonInterval(value->second * n->second, n->second);
  }
  std::error_code none;
  std::map<std::string, int> newest;
  for (fs::directory_iterator it(fs::path(directory) / "evaluations", none), end; !none && it != end; it.increment(none)) {
    if (it->path().extension() != ".json") continue;
    const Evaluation evaluation = readScores(it->path().string());
    if (evaluation.privilege != "none") continue;
    const std::string name = evaluation.dataName + (evaluation.decoding == "greedy" ? "" : ", " + evaluation.decoding);
    const auto known = newest.find(name);
    if (known != newest.end() && known->second > evaluation.step) continue;
    newest[name] = evaluation.step;
    run.accuracy[name] = evaluation.all().accuracy;
  }
  return run;
}

Board makeBoard(const std::vector<std::string>& folders) {
  std::vector<std::string> directories;
  for (const auto& folder : folders) {
    if (RunReader::isRunDirectory(folder)) {
      directories.push_back(folder);
      continue;
    }
    std::error_code none;
    std::vector<std::string> below;
    for (fs::directory_iterator it(folder, none), end; !none && it != end; it.increment(none))
      if (RunReader::isRunDirectory(it->path().string())) below.push_back(it->path().string());
    if (below.empty()) throw Error("There is no run in this folder", folder, "neither it nor a folder in it holds config.yaml and metrics.jsonl", "Name folders of runs, or the folder that holds them.");
    std::sort(below.begin(), below.end());
    directories.insert(directories.end(), below.begin(), below.end());
  }
  std::vector<BoardRun> runs;
  std::vector<std::string> notes;
  for (const auto& directory : directories) {
    try {
      BoardRun run = readBoardRun(directory);
      if (run.accuracy.empty()) {
        notes.push_back(run.name + ": no evaluation has been made");
        continue;
      }
      if (!run.completed) notes.push_back(fmt::format("{}: not finished (step {} of {})", run.name, run.step, run.totalSteps));
      runs.push_back(std::move(run));
    } catch (const Error& error) {
      notes.push_back(directory + ": " + error.failure().text());
    }
  }
  if (runs.empty()) {
    std::string why;
    for (const auto& note : notes) why += (why.empty() ? "" : "; ") + note;
    throw Error("No run has anything to compare", folders.empty() ? "runs" : folders.front(), why, "Evaluate a run: cuescope-cli eval --model RUN --data FILES.");
  }
  std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return rank(a.setting) < rank(b.setting); });
  Board board = boardOf(std::move(runs));
  board.notes.insert(board.notes.end(), notes.begin(), notes.end());
  return board;
}

Board boardOf(std::vector<BoardRun> runs) {
  Board board;
  std::map<std::string, std::set<std::string>> pairs;
  for (const auto& run : runs) pairs[run.setting].insert(run.models);
  for (auto& run : runs)
    if (pairs[run.setting].size() > 1) run.setting += ", " + run.models;
  std::set<std::string> dataSets;
  for (const auto& run : runs) {
    if (std::find(board.settings.begin(), board.settings.end(), run.setting) == board.settings.end()) board.settings.push_back(run.setting);
    for (const auto& [name, accuracy] : run.accuracy) dataSets.insert(name);
  }
  board.dataSets.assign(dataSets.begin(), dataSets.end());
  std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.seed < b.seed; });
  for (const auto& setting : board.settings) {
    std::vector<BoardCell> row;
    for (const auto& data : board.dataSets) {
      BoardCell cell;
      Interval only;
      for (const auto& run : runs) {
        const auto found = run.accuracy.find(data);
        if (run.setting != setting || found == run.accuracy.end()) continue;
        cell.seeds.push_back(run.seed);
        cell.values.push_back(found->second.value);
        only = found->second;
      }
      cell.mean = cell.values.size() == 1 ? only : meanOfSeeds(cell.values);
      cell.intervalOf = cell.values.size() == 1 ? "rows" : "seeds";
      row.push_back(std::move(cell));
    }
    board.cells.push_back(std::move(row));
  }
  board.runs = std::move(runs);
  return board;
}

std::string boardText(const Board& board) {
  std::vector<std::vector<std::string>> table{{"setting", "seeds"}};
  for (const auto& data : board.dataSets) table.front().push_back(data);
  for (std::size_t r = 0; r < board.settings.size(); ++r) {
    std::size_t seeds = 0;
    for (const auto& cell : board.cells[r]) seeds = std::max(seeds, cell.values.size());
    table.push_back({board.settings[r], std::to_string(seeds)});
    for (const auto& cell : board.cells[r]) table.back().push_back(cellText(cell));
  }
  std::vector<std::size_t> widths(table.front().size(), 0);
  for (const auto& row : table)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  std::string out;
  for (const auto& row : table) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) line += fmt::format("{:<{}}  ", row[c], widths[c]);
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  out += intervalNote(board) + "\n";
  for (const auto& note : board.notes) out += "Note: " + note + "\n";
  return out;
}

std::string boardMarkdown(const Board& board) {
  std::string out = "| setting | seeds |", rule = "|---|---|";
  for (const auto& data : board.dataSets) {
    out += " " + data + " |";
    rule += "---|";
  }
  out += "\n" + rule + "\n";
  for (std::size_t r = 0; r < board.settings.size(); ++r) {
    std::size_t seeds = 0;
    for (const auto& cell : board.cells[r]) seeds = std::max(seeds, cell.values.size());
    out += "| " + board.settings[r] + " | " + std::to_string(seeds) + " |";
    for (const auto& cell : board.cells[r]) out += " " + cellText(cell) + " |";
    out += "\n";
  }
  return out + "\n" + intervalNote(board) + "\n";
}

std::string boardCsv(const Board& board) {
  std::string out = "setting,data,seed,step,accuracy,low95,high95,rows,run\n";
  for (const auto& setting : board.settings) {
    for (const auto& run : board.runs) {
      if (run.setting != setting) continue;
      for (const auto& [data, accuracy] : run.accuracy)
        out += fmt::format("{},{},{},{},{:.6f},{:.6f},{:.6f},{},{}\n", csvField(setting), csvField(data), run.seed, run.step, accuracy.value, accuracy.low, accuracy.high, accuracy.n, csvField(run.name));
    }
  }
  return out;
}

std::string boardSvg(const Board& board) {
  constexpr double kLabel = 220, kPlot = 560, kRow = 26, kTop = 56, kGap = 40;
  const double rows = static_cast<double>(board.settings.size()), block = rows * kRow + kTop + kGap;
  const double width = kLabel + kPlot + 110, height = block * static_cast<double>(board.dataSets.size()) + 30;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"Inter, sans-serif\" font-size=\"13\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n", width, height);
  for (std::size_t d = 0; d < board.dataSets.size(); ++d) {
    double least = 1, most = 0;
    for (const auto& row : board.cells) {
      const BoardCell& cell = row[d];
      for (const double value : cell.values) least = std::min(least, value), most = std::max(most, value);
      if (!cell.values.empty() && std::isfinite(cell.mean.low)) least = std::min(least, cell.mean.low), most = std::max(most, cell.mean.high);
    }
    if (most < least) continue;
    const double step = most - least > 0.4 ? 0.1 : most - least > 0.15 ? 0.05 : 0.02;
    const double low = std::max(0.0, std::floor(least / step) * step), high = std::min(1.0, std::max(low + step, std::ceil(most / step) * step));
    const double top = static_cast<double>(d) * block;
    const auto x = [&](double value) { return kLabel + kPlot * (std::clamp(value, low, high) - low) / (high - low); };
    out += fmt::format("<text x=\"12\" y=\"{:.0f}\" font-size=\"15\" font-weight=\"600\" fill=\"#1b1f24\">{}: accuracy, %</text>\n", top + 24, escaped(board.dataSets[d]));
    for (double tick = low; tick <= high + 1e-9; tick += step) {
      out += fmt::format("<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"#e3e6ea\"/><text x=\"{0:.1f}\" y=\"{3:.1f}\" text-anchor=\"middle\" fill=\"#57606a\">{4:.0f}</text>\n", x(tick),
                         top + kTop - 10, top + kTop + rows * kRow, top + kTop + rows * kRow + 18, 100 * tick);
    }
    for (std::size_t r = 0; r < board.settings.size(); ++r) {
      const BoardCell& cell = board.cells[r][d];
      const double y = top + kTop + (static_cast<double>(r) + 0.5) * kRow;
      out += fmt::format("<text x=\"12\" y=\"{:.1f}\" fill=\"#1b1f24\">{}</text>\n", y + 4.5, escaped(board.settings[r]));
      if (cell.values.empty()) continue;
      if (std::isfinite(cell.mean.low))
        out += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#1f6feb\" stroke-width=\"2\"/>\n", x(cell.mean.low), x(cell.mean.high), y, y);
      out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"3\" height=\"16\" fill=\"#1f6feb\"/>\n", x(cell.mean.value) - 1.5, y - 8);
      for (const double value : cell.values) out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"none\" stroke=\"#1b1f24\"/>\n", x(value), y);
      out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"#1b1f24\">{}</text>\n", kLabel + kPlot + 14, y + 4.5, percent(cell.mean.value));
    }
  }
  out += fmt::format("<text x=\"12\" y=\"{:.0f}\" fill=\"#57606a\" font-size=\"12\">{}</text>\n</svg>\n", height - 10, escaped("Circles: seeds. Bar: mean. Line: 95 % interval (over seeds where there are several, over rows where there is one)."));
  return out;
}

}  // namespace cuescope
