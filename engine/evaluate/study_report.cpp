// What the results of the study say: tables, paired differences and figures. Every number with its interval and what the
// interval is over.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/core/board.h"
#include "engine/core/failure.h"
#include "engine/core/run_directory.h"
#include "engine/data/demo_folder.h"
#include "engine/evaluate/study.h"

namespace fs = std::filesystem;

namespace cuescope {
namespace {

using Json = nlohmann::ordered_json;
using Results = std::map<std::string, std::vector<StudyResult>>;  // by setting, seeds ascending

struct Column {
  const char *title, *split, *dataSource, *layout;
};
constexpr Column kColumns[] = {{"held out", "test", "", ""},
                               {"image first", "test", "", "image-first"},
                               {"question first", "test", "", "question-first"},
                               {"crowded", "ood", kDemoCrowded, ""},
                               {"new questions", "ood", kDemoComposed, ""},
                               {"new layout", "ood", kDemoLayout, ""}};

double accuracyOf(const StudyResult& result, const Column& column) {
  const auto found = result.splits.find(column.split);
  return found == result.splits.end() ? static_cast<double>(kNotComputed) : found->second.accuracy(column.dataSource, column.layout);
}

std::int64_t rowsOf(const StudyResult& result, const Column& column) {
  const StudySplit& split = result.splits.at(column.split);
  std::int64_t n = 0;
  for (std::size_t i = 0; i < split.right.size(); ++i)
    n += (!*column.dataSource || split.dataSources[i] == column.dataSource) && (!*column.layout || split.layouts[i] == column.layout) ? 1 : 0;
  return n;
}

/// Difference of two settings on the same rows. `seeds`: Student's interval over the seeds that both have; `rows`: a bootstrap
/// over rows of the difference averaged over these seeds, which says nothing about another seed.
struct Difference {
  Interval seeds, rows;
  int pairs = 0;
};

Difference compare(const std::vector<StudyResult>& a, const std::vector<StudyResult>& b, const Column& column) {
  Difference out;
  std::vector<double> perSeed, perRow;
  for (const auto& left : a) {
    const StudyResult* right = nullptr;
    for (const auto& candidate : b)
      if (candidate.seed == left.seed || candidate.seed == 0) right = &candidate;
    if (!right || !left.splits.count(column.split) || !right->splits.count(column.split)) continue;
    const StudySplit &l = left.splits.at(column.split), &r = right->splits.at(column.split);
    if (l.right.size() != r.right.size()) continue;
    perSeed.push_back(accuracyOf(left, column) - accuracyOf(*right, column));
    std::size_t row = 0;
    for (std::size_t i = 0; i < l.right.size(); ++i) {
      if ((*column.dataSource && l.dataSources[i] != column.dataSource) || (*column.layout && l.layouts[i] != column.layout)) continue;
      if (perRow.size() <= row) perRow.push_back(0);
      perRow[row++] += l.right[i] - r.right[i];
    }
  }
  out.pairs = static_cast<int>(perSeed.size());
  if (perSeed.empty()) return out;
  for (double& value : perRow) value /= static_cast<double>(perSeed.size());
  out.seeds = meanOfSeeds(perSeed);
  out.rows = bootstrapMean(perRow);
  return out;
}

std::string points(double share) { return std::isfinite(share) ? fmt::format("{:+.1f}", 100 * share) : "?"; }
std::string percent(double share) { return std::isfinite(share) ? fmt::format("{:.1f}", 100 * share) : "?"; }

std::string differenceText(const Difference& d) {
  if (d.pairs == 0) return "not measured";
  std::string text = points(d.seeds.value);
  text += std::isfinite(d.seeds.low) ? fmt::format(" ({} to {})", points(d.seeds.low), points(d.seeds.high)) : " (one seed)";
  return text + fmt::format("; rows {} to {}", points(d.rows.low), points(d.rows.high));
}

std::string verdictOf(const Difference& d) {
  if (d.pairs == 0) return "not measured";
  if (!std::isfinite(d.seeds.low)) return d.rows.low > 0 ? "up for this seed" : d.rows.high < 0 ? "down for this seed" : "open";
  if (d.seeds.low > 0) return "up";
  if (d.seeds.high < 0) return "down";
  return d.rows.low > 0 ? "up for these seeds, open for others" : d.rows.high < 0 ? "down for these seeds, open for others" : "no difference shown";
}

struct Question {
  const char *asks, *with, *without;
  int column;
};
// Pairs differ in one thing alone.
constexpr Question kQuestions[] = {
    {"Does the cue help in self-distillation (against the answer's hint)?", "opsd_cue", "opsd", 0},
    {"Does the cue help under a strong teacher?", "opd_cue", "opd", 0},
    {"Does the cue help under a teacher of middling skill?", "opd_middle_cue", "opd_middle", 0},
    {"Does the module help, with the hint (self-distillation)?", "opsd_module", "opsd", 0},
    {"Does the module help, with the cue (self-distillation)?", "opsd_vicur", "opsd_cue", 0},
    {"Does the module help, with the cue (strong teacher)?", "opd_vicur", "opd_cue", 0},
    {"Does the module help, with the cue (teacher of middling skill)?", "opd_middle_vicur", "opd_middle_cue", 0},
    {"Does the module help on image-first rows (strong teacher, cue)?", "opd_vicur", "opd_cue", 1},
    {"Does the module help question first (trained and asked so)?", "question_first_vicur", "question_first_cue", 2},
    {"ViCuR against OPD: both changes together (strong teacher)?", "opd_vicur", "opd", 0},
    {"ViCuR against OPSD: both changes together?", "opsd_vicur", "opsd", 0},
    {"The same under a teacher of middling skill?", "opd_middle_vicur", "opd_middle", 0},
    {"OPD + ViCuR against OPD, crowded pictures?", "opd_vicur", "opd", 3},
    {"OPD + ViCuR against OPD, new questions?", "opd_vicur", "opd", 4},
    {"OPD + ViCuR against OPD, new layout?", "opd_vicur", "opd", 5},
    {"OPSD + ViCuR against OPSD, new questions?", "opsd_vicur", "opsd", 4},
};

Results readAll(const fs::path& folder) {
  Results results;
  std::error_code none;
  for (fs::directory_iterator it(folder / "results", none), end; !none && it != end; it.increment(none)) {
    if (it->path().extension() != ".json") continue;
    StudyResult result = readStudyResult(it->path().string());
    for (const char* split : {"test", "ood"}) {
      if (!result.splits.count(split))
        throw Error("A result of the study is not whole", it->path().string(), std::string("it has no split «") + split + "»", "Remove the file; that training is made again.");
    }
    results[result.setting].push_back(std::move(result));
  }
  for (auto& [name, list] : results) std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.seed < b.seed; });
  return results;
}

std::vector<std::string> orderOf(const Results& results) {
  std::vector<std::string> order;
  for (const auto& [name, list] : results)
    if (name.starts_with("base")) order.push_back(name);
  for (const auto& setting : studySettings())
    if (results.count(setting.name)) order.push_back(setting.name);
  return order;
}

std::string cellOf(const std::vector<StudyResult>& list, const Column& column) {
  std::vector<double> values;
  for (const auto& result : list) values.push_back(accuracyOf(result, column));
  if (values.size() == 1) {
    const auto n = static_cast<double>(rowsOf(list.front(), column));
    const Interval i = wilsonInterval(std::round(values.front() * n), n);
    return fmt::format("{} [{}-{}]", percent(i.value), percent(i.low), percent(i.high));
  }
  const Interval i = meanOfSeeds(values);
  return fmt::format("{} ({}-{})", percent(i.value), percent(i.low), percent(i.high));
}

std::string accuracyTable(const Results& results) {
  std::string out = "| setting | seeds | what | ", rule = "|---|---|---|";
  for (const auto& column : kColumns) {
    out += std::string(column.title) + " | ";
    rule += "---|";
  }
  out += "seconds |\n" + rule + "---|\n";
  for (const auto& name : orderOf(results)) {
    const auto& list = results.at(name);
    std::string says;
    for (const auto& setting : studySettings())
      if (setting.name == name) says = setting.says;
    out += fmt::format("| {} | {} | {} | ", name, name.starts_with("base") ? std::string("-") : std::to_string(list.size()), says);
    for (const auto& column : kColumns) out += cellOf(list, column) + " | ";
    double seconds = 0;
    for (const auto& result : list) seconds += result.seconds / static_cast<double>(list.size());
    out += name.starts_with("base") ? "- |\n" : fmt::format("{:.0f} |\n", seconds);
  }
  return out;
}

std::string questionTable(const Results& results, Json& json) {
  std::string out = "| question | compared | rows | difference, points | reading |\n|---|---|---|---|---|\n";
  for (const auto& q : kQuestions) {
    const auto with = results.find(q.with), without = results.find(q.without);
    if (with == results.end() || without == results.end()) continue;
    const Difference d = compare(with->second, without->second, kColumns[q.column]);
    out += fmt::format("| {} | {} - {} | {} | {} | {} |\n", q.asks, q.with, q.without, kColumns[q.column].title, differenceText(d), verdictOf(d));
    json.push_back({{"question", q.asks}, {"with", q.with}, {"without", q.without}, {"rows", kColumns[q.column].title}, {"pairs", d.pairs}, {"difference", d.seeds.value},
                    {"seeds95", {d.seeds.low, d.seeds.high}}, {"rows95", {d.rows.low, d.rows.high}}, {"reading", verdictOf(d)}});
  }
  return out;
}

/// Against the model that training began with, so that every setting has a sign.
std::string gainTable(const Results& results) {
  std::string out = "| setting | gain over its start: held out | crowded | new questions | new layout |\n|---|---|---|---|---|\n";
  for (const auto& setting : studySettings()) {
    const auto found = results.find(setting.name), base = results.find("base, " + setting.student);
    if (found == results.end() || base == results.end()) continue;
    out += "| " + setting.name + " |";
    for (const int column : {0, 3, 4, 5}) {
      const Difference d = compare(found->second, base->second, kColumns[column]);
      out += " " + points(d.seeds.value) + (std::isfinite(d.seeds.low) ? fmt::format(" ({} to {})", points(d.seeds.low), points(d.seeds.high)) : fmt::format(" [{} to {}]", points(d.rows.low), points(d.rows.high))) + " |";
    }
    out += "\n";
  }
  return out;
}

std::string objectiveTable(const Results& results) {
  std::string out = "| objective | rate | held out after | sampled accuracy in training: first fifth, last fifth | seconds | points a minute of training |\n|---|---|---|---|---|---|\n";
  const auto base = results.find("base, " + std::string("student-weak"));
  for (const char* name : {"opd", "opd_k1", "opd_k2", "opd_abs", "opd_reverse_kl", "grpo"}) {
    const auto found = results.find(name);
    if (found == results.end() || base == results.end()) continue;
    const auto setting = std::find_if(studySettings().begin(), studySettings().end(), [&](const auto& s) { return s.name == name; });
    double first = 0, last = 0, seconds = 0;
    for (const auto& result : found->second) {
      const std::size_t n = result.trainAccuracy.size(), fifth = std::max<std::size_t>(1, n / 5);
      for (std::size_t i = 0; i < std::min(fifth, n); ++i) {
        first += result.trainAccuracy[i] / static_cast<double>(fifth);
        last += result.trainAccuracy[n - 1 - i] / static_cast<double>(fifth);
      }
      seconds += result.seconds;
    }
    const auto seeds = static_cast<double>(found->second.size());
    const Difference d = compare(found->second, base->second, kColumns[0]);
    out += fmt::format("| {} | {:.0e} | {} | {}, {} | {:.0f} | {:+.1f} |\n", std::string(name) == "grpo" ? "reward (grpo)" : setting->lossMode, setting->lr, cellOf(found->second, kColumns[0]), percent(first / seeds),
                       percent(last / seeds), seconds / seeds, 100 * d.seeds.value / (seconds / seeds / 60));
  }
  return out;
}

std::string gapTable(const Results& results) {
  std::string out = "| setting | gap at the start, by quarter of the response | at the end | says «hint» | boxes an answer that it did not look up |\n|---|---|---|---|---|\n";
  for (const auto& name : orderOf(results)) {
    const auto& list = results.at(name);
    std::vector<double> first(4, 0), last(4, 0);
    double hints = 0, unlooked = 0;
    const auto seeds = static_cast<double>(list.size());
    bool gaps = true;
    for (const auto& result : list) {
      hints += result.splits.at("test").hintWord / seeds;
      unlooked += result.splits.at("test").unlooked / seeds;
      gaps = gaps && result.gapFirst.size() == 4 && result.gapLast.size() == 4;
      for (std::size_t q = 0; gaps && q < 4; ++q) {
        first[q] += result.gapFirst[q] / seeds;
        last[q] += result.gapLast[q] / seeds;
      }
    }
    const auto four = [&](const std::vector<double>& v) { return gaps ? fmt::format("{:+.2f} {:+.2f} {:+.2f} {:+.2f}", v[0], v[1], v[2], v[3]) : std::string("-"); };
    out += fmt::format("| {} | {} | {} | {} | {} |\n", name, four(first), four(last), percent(hints), percent(unlooked));
  }
  return out;
}

/// Rows of one layout: mean selectivity over seeds and rows, a bootstrap over rows.
Interval selectivityOf(const std::vector<StudyResult>& list, int layer, const std::string& layout) {
  std::vector<double> rows;
  for (const auto& result : list) {
    const StudySplit& split = result.splits.at("test");
    const auto found = split.selectivity.find(layer);
    if (found == split.selectivity.end()) continue;
    for (std::size_t i = 0; i < found->second.size(); ++i)
      if (split.layouts[i] == layout && std::isfinite(found->second[i])) rows.push_back(found->second[i]);
  }
  return bootstrapMean(rows);
}

/// Among rows that the start got wrong: selectivity of those that are right now, less that of those still wrong.
Interval predictionOf(const std::vector<StudyResult>& list, const StudySplit& base, int layer) {
  std::vector<double> gained, missed;
  for (const auto& result : list) {
    const StudySplit& split = result.splits.at("test");
    const auto found = split.selectivity.find(layer);
    if (found == split.selectivity.end()) continue;
    for (std::size_t i = 0; i < std::min(found->second.size(), base.right.size()); ++i) {
      if (base.right[i] || !std::isfinite(found->second[i])) continue;
      (split.right[i] ? gained : missed).push_back(found->second[i]);
    }
  }
  if (gained.size() < 2 || missed.size() < 2) return {kNotComputed, kNotComputed, kNotComputed, 0};
  const Interval a = bootstrapMean(gained), b = bootstrapMean(missed);
  const double spread = std::sqrt(std::pow((a.high - a.low) / 2, 2) + std::pow((b.high - b.low) / 2, 2));
  const double value = a.value - b.value;
  return {value, value - spread, value + spread, static_cast<std::int64_t>(gained.size() + missed.size())};
}

std::string sinkTable(const Results& results) {
  std::string out =
      "| setting | layer | mass on evidence | on objects | even: evidence, objects | selectivity, image first | question first | gained less still wrong |\n|---|---|---|---|---|---|---|---|\n";
  for (const auto& setting : studySettings()) {
    const auto found = results.find(setting.name), base = results.find("base, " + setting.student);
    if (!setting.module || found == results.end() || base == results.end()) continue;
    const auto& list = found->second;
    for (const auto& [layer, unused] : list.front().splits.at("test").masses) {
      double evidence = 0, objects = 0;
      for (const auto& result : list) {
        const auto mass = result.splits.at("test").masses.find(layer);
        if (mass == result.splits.at("test").masses.end()) continue;
        evidence += mass->second.first / static_cast<double>(list.size());
        objects += mass->second.second / static_cast<double>(list.size());
      }
      const auto text = [](const Interval& i) { return i.n > 0 ? fmt::format("{:+.3f} ({:+.3f} to {:+.3f})", i.value, i.low, i.high) : std::string("-"); };
      out += fmt::format("| {} | {} | {:.3f} | {:.3f} | {:.3f}, {:.3f} | {} | {} | {} |\n", setting.name, layer, evidence, objects, list.front().splits.at("test").evenEvidence,
                         list.front().splits.at("test").evenObjects, text(selectivityOf(list, layer, "image-first")), text(selectivityOf(list, layer, "question-first")),
                         text(predictionOf(list, base->second.front().splits.at("test"), layer)));
    }
  }
  return out;
}

std::string kindTable(const Results& results) {
  std::string out = "| kind |", rule = "|---|";
  std::vector<std::string> shown;
  for (const char* name : {"base, student-weak", "opd", "opd_cue", "opd_vicur", "grpo", "base, teacher-middle", "opsd", "opsd_cue", "opsd_vicur"})
    if (results.count(name)) shown.push_back(name);
  for (const auto& name : shown) {
    out += " " + name + " |";
    rule += "---|";
  }
  out += "\n" + rule + "\n";
  for (const auto& kind : kDemoKinds) {
    out += "| " + kind + " |";
    for (const auto& name : shown) {
      double right = 0, n = 0;
      for (const auto& result : results.at(name)) {
        const StudySplit& split = result.splits.at("test");
        for (std::size_t i = 0; i < split.right.size(); ++i) {
          if (split.kinds[i] != kind) continue;
          right += split.right[i];
          ++n;
        }
      }
      out += " " + (n > 0 ? percent(right / n) : std::string("-")) + " |";
    }
    out += "\n";
  }
  return out;
}

Board figureBoard(const Results& results) {
  std::vector<BoardRun> runs;
  for (const auto& name : orderOf(results)) {
    for (const auto& result : results.at(name)) {
      BoardRun run;
      run.name = run.setting = name;
      run.seed = result.seed;
      run.completed = true;
      run.step = result.steps;
      for (const auto& column : kColumns) {
        const auto n = static_cast<double>(rowsOf(result, column));
        run.accuracy[column.title] = wilsonInterval(std::round(accuracyOf(result, column) * n), n);
      }
      runs.push_back(std::move(run));
    }
  }
  return boardOf(std::move(runs));
}

}  // namespace

void writeStudyReport(const std::string& folder, int seeds, int steps) {
  const fs::path path(folder);
  const Results results = readAll(path);
  if (results.empty()) return;
  std::size_t trained = 0;
  for (const auto& [name, list] : results) trained += name.starts_with("base") ? 0 : list.size();
  Json answers = Json::array();
  const std::string questions = questionTable(results, answers);
  std::string text = fmt::format(
      "# The study of the demo\n"
      "{} of {} trainings, {} steps of 32 sampled responses each, the same data order a seed in every setting; greedy answers to held-out rows. Accuracy in percent; (round brackets): Student's 95 % interval over seeds; "
      "[square brackets]: Wilson's over rows, for what has one seed.\n\n",
      trained, studySettings().size() * static_cast<std::size_t>(seeds), steps);
  text += "Held out: scenes and questions as trained, never seen. Crowded: 7 to 9 objects instead of 3 to 6. New questions: six kinds that no training contains, of known words. New layout: the question before and behind the picture.\n\n";
  text += "## Accuracy\n" + accuracyTable(results) + "\n## Questions\nPaired on the same rows and seeds; points of accuracy; over seeds in brackets, then a bootstrap over rows of these seeds.\n\n" + questions;
  text += "\n## Gain over the start\n" + gainTable(results);
  text += "\n## Objectives for equal compute\nThe same number of updates and sampled responses; rates as listed, one each, not searched.\n\n" + objectiveTable(results);
  text += "\n## Gap and leakage\nGap: mean log p(teacher) - log p(student) of the sampled tokens. Not looked up: the response boxes an answer without naming a region, a digit or «none» before it, as every reference response does.\n\n" + gapTable(results);
  text += "\n## Where the sink looks\nSelectivity: share of evidence in the mass on objects, less what an even look at the objects gives (0: objects, not evidence). Gained less still wrong: mean selectivity of rows that the start got wrong and the trained student right, less that of rows still wrong; "
          "above 0: looking at the evidence goes with gaining. Bootstrap over rows.\n\n" + sinkTable(results);
  text += "\n## By kind, held out\n" + kindTable(results);
  const Board board = figureBoard(results);
  writeFileDurably((path / "study.md").string(), text);
  writeFileDurably((path / "study.csv").string(), boardCsv(board));
  writeFileDurably((path / "study.svg").string(), boardSvg(board));
  Json json = {{"steps", steps}, {"trainings", trained}, {"questions", answers}};
  writeFileDurably((path / "study.json").string(), json.dump(1) + "\n");
}

}  // namespace cuescope
