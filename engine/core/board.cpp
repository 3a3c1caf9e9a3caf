#include "engine/core/board.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
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

constexpr const char* kTriangle = "\u25b3";  // of a row or cell that cannot be held against the others

std::string cellText(const BoardCell& cell) {
  if (cell.values.empty()) return "";
  const std::string mark = cell.caution.empty() ? "" : std::string(" ") + kTriangle;
  if (!std::isfinite(cell.mean.low)) return percent(cell.mean.value) + mark;
  return fmt::format("{} ({} to {})", percent(cell.mean.value), percent(cell.mean.low), percent(cell.mean.high)) + mark;
}

std::string rowName(const Board& board, std::size_t row) {
  return board.settings[row] + (row < board.cautions.size() && !board.cautions[row].empty() ? std::string(" ") + kTriangle : "");
}

/// Columns of a line of text: bytes that begin a character.
std::size_t widthOf(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// What the triangles mean, a line each; empty without one.
std::string cautionLines(const Board& board, const char* before) {
  std::string out;
  for (std::size_t r = 0; r < board.settings.size(); ++r) {
    if (r < board.cautions.size() && !board.cautions[r].empty()) out += before + board.settings[r] + ": " + board.cautions[r] + "\n";
    for (std::size_t d = 0; d < board.dataSets.size(); ++d)
      if (!board.cells[r][d].caution.empty()) out += before + board.settings[r] + ", " + board.dataSets[d] + ": " + board.cells[r][d].caution + "\n";
  }
  return out.empty() ? out : before + std::string("not the same experiment as the other rows:\n") + out;
}

/// What does not make another experiment: seed and names, what is written or watched, how the same numbers are computed. Models and data
/// are compared by what they are, and the method itself is the row's name.
const std::set<std::string> kSameExperiment = {
    "trainer.seed", "trainer.experiment_name", "trainer.default_local_dir", "trainer.save_freq", "trainer.test_freq", "trainer.max_actor_ckpt_to_keep", "trainer.val_before_train",
    "trainer.probe_freq", "trainer.capture_freq", "trainer.rollout_save_freq", "trainer.resume_mode", "trainer.device", "trainer.threads",
    "data.train_files", "data.val_files", "data.val_max_samples", "data.probe_rows", "rollout.kv_cache_mib", "rollout.max_num_seqs", "rollout.gap_alarm",
    "student.path", "student.enable_gradient_checkpointing", "student.cue.enabled", "teacher.path", "teacher.routes", "teacher.privilege", "teacher.kind",
    "distillation.loss_mode", "distillation.vocabulary_chunk", "distillation.use_task_rewards", "actor.ppo_max_token_len_per_gpu", "actor.oom_policy"};

/// A short word for a key; its last part for most.
std::string wordOf(const std::string& key) {
  if (key == "trainer.total_training_steps") return "steps";
  if (key == "actor.optim.lr") return "lr";
  if (key == "data.train_batch_size") return "batch";
  const auto dot = key.rfind('.');
  const std::string last = dot == std::string::npos ? key : key.substr(dot + 1);
  return last == "loss_mode" || last == "n" || last == "interval" || last == "init" ? key : last;
}

/// Digests of a run's files as its first and last start recorded them; empty where it did not.
struct RecordedData {
  std::string train, val;
};
RecordedData recordedData(const std::string& directory) {
  std::ifstream in(fs::path(directory) / "provenance.json", std::ios::binary);
  const auto json = in ? nlohmann::json::parse(in, nullptr, false) : nlohmann::json();
  if (!json.is_object()) return {};
  const nlohmann::json* start = &json;
  if (const auto starts = json.find("starts"); starts != json.end() && starts->is_array() && !starts->empty()) start = &starts->back();
  RecordedData data;
  int valFiles = 0;
  if (const auto files = start->find("data"); files != start->end() && files->is_array()) {
    for (const auto& file : *files) {
      if (!file.is_object()) continue;
      const std::string digest = file.value("xxh3", "");
      if (file.value("use", "") == "train") data.train += (data.train.empty() ? "" : " ") + digest;
      else data.val = digest, ++valFiles;
    }
  }
  if (valFiles > 1) data.val = start->value("val_digest", "");
  return data;
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
  if (config.trainer.valOnly) return "base";
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
  const RecordedData recorded = recordedData(directory);
  if (!config.trainer.valOnly) {
    for (const auto& field : configFields())
      if (!kSameExperiment.contains(field.key)) run.recipe[run.recipe.contains(wordOf(field.key)) ? field.key : wordOf(field.key)] = field.get(config);
    run.recipe["training data"] = dataNameOf(config.data.trainFiles) + (recorded.train.empty() ? "" : " " + recorded.train);
  }
  const std::string usual = dataNameOf(config.data.valFiles);
  for (const StepPtr& step : reader.newSteps()) {
    const auto n = step->metrics.find("val/n"), value = step->metrics.find("val/accuracy");
    if (n == step->metrics.end() || value == step->metrics.end() || usual.empty()) continue;
    run.accuracy[usual] = wilsonInterval(value->second * n->second, n->second);
    run.evaluatedAt[usual] = step->step;
    run.digests[usual] = recorded.val;
  }
  std::error_code none;
  std::vector<Evaluation> evaluations;
  for (fs::directory_iterator it(fs::path(directory) / "evaluations", none), end; !none && it != end; it.increment(none)) {
    if (it->path().extension() != ".json") continue;
    Evaluation evaluation = readScores(it->path().string());
    if (evaluation.privilege == "none") evaluations.push_back(std::move(evaluation));
  }
  std::stable_sort(evaluations.begin(), evaluations.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  for (const Evaluation& evaluation : evaluations) {
    std::string name = evaluation.dataName + (evaluation.decoding == "greedy" ? "" : ", " + evaluation.decoding);
    // Files of one name that are not the same are two data sets.
    const auto known = run.digests.find(name);
    if (known != run.digests.end() && !known->second.empty() && !evaluation.dataDigest.empty() && known->second != evaluation.dataDigest) name += " (" + evaluation.dataDigest.substr(0, 6) + ")";
    run.accuracy[name] = evaluation.all().accuracy;
    run.evaluatedAt[name] = evaluation.step;
    run.digests[name] = evaluation.dataDigest;
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

namespace {

/// Data sets of one name are one column when they are the same files. A run that does not know its files joins the others only when
/// these are all the same, and is said to.
void nameColumns(std::vector<BoardRun>& runs, std::vector<std::string>& notes) {
  std::map<std::string, std::set<std::string>> digests;
  for (const auto& run : runs)
    for (const auto& [name, accuracy] : run.accuracy)
      if (const auto found = run.digests.find(name); found != run.digests.end() && !found->second.empty()) digests[name].insert(found->second);
  for (auto& run : runs) {
    const auto accuracy = run.accuracy;
    for (const auto& [name, value] : accuracy) {
      if (digests[name].empty()) continue;
      const std::string digest = run.digests.contains(name) ? run.digests.at(name) : std::string();
      if (digest.empty()) notes.push_back(run.name + ": it does not know which file «" + name + "» was");
      if (digests[name].size() < 2) continue;
      const std::string column = name + (digest.empty() ? " (unknown file)" : " (" + digest.substr(0, 6) + ")");
      if (column == name) continue;
      run.accuracy[column] = value;
      run.evaluatedAt[column] = run.evaluatedAt.contains(name) ? run.evaluatedAt.at(name) : run.step;
      run.digests[column] = digest;
      run.accuracy.erase(name);
    }
  }
}

/// Rows of one name that are not the same experiment say in what they differ: first the models, then every setting.
void nameRows(std::vector<BoardRun>& runs) {
  std::map<std::string, std::set<std::string>> pairs;
  for (const auto& run : runs) pairs[run.setting].insert(run.models);
  for (auto& run : runs)
    if (pairs[run.setting].size() > 1) run.setting += ", " + run.models;
  std::map<std::string, std::map<std::string, std::set<std::string>>> values;
  for (const auto& run : runs)
    for (const auto& [word, value] : run.recipe) values[run.setting][word].insert(value);
  for (auto& run : runs) {
    std::string differs;
    const std::string setting = run.setting;
    for (const auto& [word, all] : values[setting]) {
      if (all.size() < 2) continue;
      const auto own = run.recipe.find(word);
      // Long values (digests, lists of files) are told apart, but not printed.
      const std::string value = own == run.recipe.end() ? "?" : own->second;
      differs += ", " + word + " " + (value.size() <= 24 ? value : value.substr(0, 12) + "\u2026" + value.substr(value.size() - 6));
    }
    run.setting += differs;
  }
}

/// One seed counts once: a run that was made again, or a copy of it, says nothing new about other seeds.
void dropRepeats(std::vector<BoardRun>& runs, std::vector<std::string>& notes) {
  std::vector<BoardRun> kept;
  for (auto& run : runs) {
    const auto same = std::find_if(kept.begin(), kept.end(), [&](const BoardRun& other) { return other.setting == run.setting && other.seed == run.seed; });
    if (same == kept.end()) {
      kept.push_back(std::move(run));
      continue;
    }
    const bool further = run.step > same->step;
    if (further) std::swap(*same, run);
    notes.push_back(fmt::format("{}: the same setting and seed {} as {}, which counts{}", run.name, run.seed, same->name, further ? " because it went further" : ""));
    // A data set that only this one was evaluated on is not lost.
    for (const auto& [name, value] : run.accuracy) {
      if (same->accuracy.contains(name)) continue;
      same->accuracy[name] = value;
      if (const auto at = run.evaluatedAt.find(name); at != run.evaluatedAt.end()) same->evaluatedAt[name] = at->second;
    }
  }
  runs = std::move(kept);
}

/// What most rows have, by word; of equals what comes first.
template <class T>
const T* usual(const std::vector<T>& values) {
  const T* best = nullptr;
  std::ptrdiff_t most = 0;
  for (const T& value : values)
    if (const auto count = std::count(values.begin(), values.end(), value); count > most) best = &value, most = count;
  return best;
}

/// The words of a recipe that any method has; others (a loss's own constants) belong to the method.
constexpr const char* kCommon[] = {"steps", "batch", "lr", "training data", "max_prompt_length", "max_response_length", "freeze_vision_tower", "freeze_language_model"};

void addCautions(Board& board) {
  board.cautions.assign(board.settings.size(), {});
  std::vector<const BoardRun*> first(board.settings.size(), nullptr);
  for (std::size_t r = 0; r < board.settings.size(); ++r)
    for (const auto& run : board.runs)
      if (run.setting == board.settings[r] && !first[r]) first[r] = &run;
  for (const char* word : kCommon) {
    std::vector<std::string> values;
    for (const BoardRun* run : first)
      if (run && run->recipe.contains(word)) values.push_back(run->recipe.at(word));
    const std::string* most = usual(values);
    for (std::size_t r = 0; most && r < first.size(); ++r) {
      if (!first[r] || !first[r]->recipe.contains(word) || first[r]->recipe.at(word) == *most) continue;
      std::string& text = board.cautions[r];
      text += (text.empty() ? "" : "; ") + (std::string(word) == "training data" ? std::string("other training data") : fmt::format("{} {} where most rows have {}", word, first[r]->recipe.at(word), *most));
    }
  }
  for (std::size_t d = 0; d < board.dataSets.size(); ++d) {
    std::vector<std::int64_t> counts;
    for (const auto& run : board.runs)
      if (const auto found = run.accuracy.find(board.dataSets[d]); found != run.accuracy.end()) counts.push_back(found->second.n);
    const std::int64_t* most = usual(counts);
    for (std::size_t r = 0; r < board.settings.size(); ++r) {
      std::set<int> steps;
      std::set<std::int64_t> rows;
      int total = 0;
      for (const auto& run : board.runs) {
        const auto found = run.accuracy.find(board.dataSets[d]);
        if (run.setting != board.settings[r] || found == run.accuracy.end()) continue;
        if (const auto at = run.evaluatedAt.find(board.dataSets[d]); at != run.evaluatedAt.end() && at->second >= 0) steps.insert(at->second);
        rows.insert(found->second.n);
        total = std::max(total, run.recipe.empty() ? 0 : run.totalSteps);
      }
      std::string& text = board.cells[r][d].caution;
      if (steps.size() > 1) text = fmt::format("its seeds were evaluated at steps {} to {}", *steps.begin(), *steps.rbegin());
      else if (!steps.empty() && total > 0 && *steps.begin() != total) text = fmt::format("evaluated at step {} of {}", *steps.begin(), total);
      if (most && !rows.empty() && (rows.size() > 1 || *rows.begin() != *most))
        text += (text.empty() ? "" : "; ") + fmt::format("on {} rows where most have {}", *rows.begin() == *most ? *rows.rbegin() : *rows.begin(), *most);
    }
  }
}

}  // namespace

Board boardOf(std::vector<BoardRun> runs) {
  Board board;
  nameColumns(runs, board.notes);
  nameRows(runs);
  dropRepeats(runs, board.notes);
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
  addCautions(board);
  return board;
}

std::string cautionOf(const Board& board, std::size_t row, std::size_t column) {
  std::string text = row < board.cautions.size() ? board.cautions[row] : std::string();
  const std::string& cell = board.cells[row][column].caution;
  if (!cell.empty()) text += (text.empty() ? "" : "; ") + cell;
  return text;
}

std::string boardText(const Board& board) {
  std::vector<std::vector<std::string>> table{{"setting", "seeds"}};
  for (const auto& data : board.dataSets) table.front().push_back(data);
  for (std::size_t r = 0; r < board.settings.size(); ++r) {
    std::size_t seeds = 0;
    for (const auto& cell : board.cells[r]) seeds = std::max(seeds, cell.values.size());
    table.push_back({rowName(board, r), std::to_string(seeds)});
    for (const auto& cell : board.cells[r]) table.back().push_back(cellText(cell));
  }
  std::vector<std::size_t> widths(table.front().size(), 0);
  for (const auto& row : table)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], widthOf(row[c]));
  std::string out;
  for (const auto& row : table) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) line += row[c] + std::string(widths[c] - widthOf(row[c]) + 2, ' ');
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  out += intervalNote(board) + "\n" + cautionLines(board, (std::string(kTriangle) + " ").c_str());
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
    out += "| " + rowName(board, r) + " | " + std::to_string(seeds) + " |";
    for (const auto& cell : board.cells[r]) out += " " + cellText(cell) + " |";
    out += "\n";
  }
  const std::string cautions = cautionLines(board, (std::string("- ") + kTriangle + " ").c_str());
  return out + "\n" + intervalNote(board) + "\n" + (cautions.empty() ? "" : "\n" + cautions);
}

std::string boardCsv(const Board& board) {
  std::string out = "setting,data,seed,step,accuracy,low95,high95,rows,run,data_digest,caution\n";
  for (std::size_t r = 0; r < board.settings.size(); ++r) {
    const std::string& setting = board.settings[r];
    for (const auto& run : board.runs) {
      if (run.setting != setting) continue;
      for (const auto& [data, accuracy] : run.accuracy) {
        const auto column = static_cast<std::size_t>(std::find(board.dataSets.begin(), board.dataSets.end(), data) - board.dataSets.begin());
        const auto at = run.evaluatedAt.find(data);
        const auto digest = run.digests.find(data);
        out += fmt::format("{},{},{},{},{:.6f},{:.6f},{:.6f},{},{},{},{}\n", csvField(setting), csvField(data), run.seed, at == run.evaluatedAt.end() ? run.step : at->second, accuracy.value, accuracy.low, accuracy.high,
                           accuracy.n, csvField(run.name), digest == run.digests.end() ? "" : digest->second, csvField(cautionOf(board, r, column)));
      }
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
      out += fmt::format("<text x=\"12\" y=\"{:.1f}\" fill=\"#1b1f24\">{}</text>\n", y + 4.5, escaped(cautionOf(board, r, d).empty() ? board.settings[r] : board.settings[r] + " " + kTriangle));
      if (cell.values.empty()) continue;
      if (std::isfinite(cell.mean.low))
        out += fmt::format("<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#1f6feb\" stroke-width=\"2\"/>\n", x(cell.mean.low), x(cell.mean.high), y, y);
      out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"3\" height=\"16\" fill=\"#1f6feb\"/>\n", x(cell.mean.value) - 1.5, y - 8);
      for (const double value : cell.values) out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"none\" stroke=\"#1b1f24\"/>\n", x(value), y);
      out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"#1b1f24\">{}</text>\n", kLabel + kPlot + 14, y + 4.5, percent(cell.mean.value));
    }
  }
  bool marked = false;
  for (std::size_t r = 0; r < board.settings.size(); ++r)
    for (std::size_t d = 0; d < board.dataSets.size(); ++d) marked = marked || !cautionOf(board, r, d).empty();
  const std::string meaning = marked ? std::string(" ") + kTriangle + ": at other steps or settings than most rows, not the same experiment." : "";
  out += fmt::format("<text x=\"12\" y=\"{:.0f}\" fill=\"#57606a\" font-size=\"12\">{}</text>\n</svg>\n", height - 10, escaped("Circles: seeds. Bar: mean. Line: 95 % interval (over seeds where there are several, over rows where there is one)." + meaning));
  return out;
}

}  // namespace cuescope
