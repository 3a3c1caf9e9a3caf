// rollouts: the saved responses of a run, or of verl's dumps, as the window's Rollouts page lists them.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "app/cli/command.h"
#include "engine/core/rollout_index.h"
#include "engine/core/run_directory.h"

namespace cuescope::cli {
namespace {

constexpr int kLinesAtOnce = 256;

struct Asked {
  std::string from, find, sort;
  int step = -1;
  std::size_t limit = 20;
};

std::vector<RolloutFile> filesOf(const Asked& asked) {
  std::vector<RolloutFile> files;
  if (std::filesystem::is_regular_file(asked.from)) files.push_back({asked.from, rolloutStepOf(asked.from)});
  else files = rolloutFiles(RunReader::isRunDirectory(asked.from) ? asked.from + "/rollouts" : asked.from);
  if (files.empty()) throw Error("There are no saved responses", asked.from, "no N.jsonl lies there", "Name a run, its rollouts folder, or one file; runs save with trainer.rollout_save_freq above 0.");
  return files;
}

/// Upper and lower case are the same for ASCII letters.
bool holds(const std::string& text, const std::string& words) {
  const auto lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
  return std::search(text.begin(), text.end(), words.begin(), words.end(), [&](char a, char b) { return lower(static_cast<unsigned char>(a)) == lower(static_cast<unsigned char>(b)); }) != text.end();
}

std::vector<RolloutFacts> factsOf(const Context& context, const Asked& asked, const std::vector<RolloutFile>& files) {
  std::vector<RolloutFacts> found;
  for (std::size_t f = 0; f < files.size(); ++f) {
    if (asked.step >= 0 && files[f].step >= 0 && files[f].step != asked.step) continue;
    RolloutScanner scanner(files[f].path, static_cast<int>(f), files[f].step);
    for (std::vector<RolloutFacts> lines; !(lines = scanner.next(kLinesAtOnce, context.stop)).empty();)
      for (RolloutFacts& facts : lines)
        if ((asked.step < 0 || facts.step == asked.step) && (asked.find.empty() || holds(facts.sampleId + "\n" + rolloutText(files[f].path, facts), asked.find))) found.push_back(std::move(facts));
    if (context.stop.stop_requested()) throw Cancelled();
    if (scanner.problems() > 0) std::fprintf(stderr, "%s: %d lines are no saved response; %s\n", files[f].path.c_str(), scanner.problems(), scanner.firstProblem().c_str());
  }
  return found;
}

double keyOf(const RolloutFacts& facts, const std::string& sort) {
  if (sort == "gap") return facts.meanGap;
  if (sort == "max") return facts.maxGap;
  return sort == "score" ? facts.score : facts.tokens;
}

/// The largest first; what is not saved comes last.
void sortBy(std::vector<RolloutFacts>& list, const std::string& sort) {
  if (sort.empty()) return;
  std::stable_sort(list.begin(), list.end(), [&](const RolloutFacts& a, const RolloutFacts& b) {
    const double x = keyOf(a, sort), y = keyOf(b, sort);
    return std::isnan(y) ? !std::isnan(x) : x > y;
  });
}

nlohmann::ordered_json number(float value) { return std::isnan(value) ? nlohmann::ordered_json() : nlohmann::ordered_json(value); }

int list(const Context& context, const Asked& asked) {
  const auto files = filesOf(asked);
  std::vector<RolloutFacts> found = factsOf(context, asked, files);
  sortBy(found, asked.sort);
  const std::size_t shown = asked.limit == 0 ? found.size() : std::min(asked.limit, found.size());
  if (context.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < shown; ++i) {
      const RolloutFacts& f = found[i];
      const RolloutDetail whole = readRollout(files[static_cast<std::size_t>(f.file)].path, f);
      rows.push_back({{"step", f.step}, {"index", f.index}, {"id", f.sampleId}, {"kind", f.kind}, {"tokens", f.tokens}, {"score", number(f.score)}, {"mean_gap", number(f.meanGap)}, {"max_gap", number(f.maxGap)},
                      {"stopped", f.stopped < 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(f.stopped == 1)}, {"prompt", f.prompt}, {"output", whole.record.output}});
    }
    printJson({{"found", found.size()}, {"responses", rows}});
    return kOk;
  }
  std::printf("step   score    gap    max  tokens  sample            answer\n");
  for (std::size_t i = 0; i < shown; ++i) {
    const RolloutFacts& f = found[i];
    std::printf("%4d  %6.3g %6.3g %6.3g  %6d  %-16s  %s\n", f.step, static_cast<double>(f.score), static_cast<double>(f.meanGap), static_cast<double>(f.maxGap), f.tokens, f.sampleId.c_str(), f.answer.c_str());
  }
  std::printf("%zu of %zu responses\n", shown, found.size());
  return kOk;
}

}  // namespace

void addRollouts(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("rollouts", "Lists saved responses with score, gap and length");
  auto asked = std::make_shared<Asked>();
  command->add_option("from", asked->from, "A run, a folder of N.jsonl files, or one of them")->required()->check(CLI::ExistingPath);
  command->add_option("--step", asked->step, "Of this step alone")->check(notNegative());
  command->add_option("--find", asked->find, "Words in id, prompt or response");
  command->add_option("--sort", asked->sort, "The largest first: score, gap (mean), max, tokens")->check(CLI::IsMember({"score", "gap", "max", "tokens"}));
  command->add_option("--limit", asked->limit, "At most so many; 0: all")->check(notNegative())->capture_default_str();
  addJson(*command, context);
  command->callback([&context, asked] { context.run = [&context, asked] { return list(context, *asked); }; });
}

}  // namespace cuescope::cli
