#include "app/cli/command.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>

#include "engine/core/config.h"
#include "engine/core/engine_loader.h"

namespace cuescope::cli {

namespace {

bool g_progressLine = false;  // a line without its end is on the terminal

std::string duration(double seconds) {
  char text[32];
  if (seconds < 60) std::snprintf(text, sizeof text, "%.0f s", seconds);
  else if (seconds < 3600) std::snprintf(text, sizeof text, "%d min %02d s", static_cast<int>(seconds) / 60, static_cast<int>(seconds) % 60);
  else std::snprintf(text, sizeof text, "%d h %02d min", static_cast<int>(seconds) / 3600, static_cast<int>(seconds) / 60 % 60);
  return text;
}

/// One line, rewritten at most ten times a second.
class ProgressLine {
 public:
  void show(const Progress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (progress.what != m_what) {
      m_what = progress.what;
      m_begin = now;
      m_doneAtBegin = progress.done;
    } else if (now - m_shown < std::chrono::milliseconds(100)) {
      return;
    }
    m_shown = now;
    std::string line = progress.what;
    if (progress.total > 0) {
      char share[16];
      std::snprintf(share, sizeof share, "  %3.0f %%", 100 * progress.done / progress.total);
      line += share;
      const double left = progress.secondsLeft >= 0 ? progress.secondsLeft : estimate(progress, now);
      if (left >= 0) line += "  " + duration(std::ceil(left)) + " left";
    }
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
    std::fflush(stderr);
    g_progressLine = true;
  }

 private:
  double estimate(const Progress& progress, std::chrono::steady_clock::time_point now) const {
    const double done = progress.done - m_doneAtBegin, seconds = std::chrono::duration<double>(now - m_begin).count();
    return done > 0 && seconds > 1 ? (progress.total - progress.done) * seconds / done : -1;
  }

  std::string m_what;
  double m_doneAtBegin = 0;
  std::chrono::steady_clock::time_point m_begin, m_shown;
};

}  // namespace

Engine& Context::engine() {
  if (!m_engine) m_engine = loadEngine(options, progress());
  return *m_engine;
}

EventSink Context::progress() const {
  auto line = isatty(STDERR_FILENO) ? std::make_shared<ProgressLine>() : nullptr;
  return [line](const Event& event) {
    if (const auto* progress = std::get_if<Progress>(&event); progress && line) line->show(*progress);
    if (const auto* log = std::get_if<LogLine>(&event)) {
      clearProgress();
      std::fprintf(stderr, "%s\n", log->text.c_str());
    }
  };
}

void clearProgress() {
  if (!g_progressLine) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  g_progressLine = false;
}

int refuseSettings(const Context& context, const std::string& what, const std::string& file, const std::vector<ConfigIssue>& issues) {
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& issue : issues) list.push_back({{"key", issue.key}, {"message", issue.message}});
    printJson({{"issues", list}});
  }
  std::fprintf(stderr, "%s; %s must change:\n", what.c_str(), issues.size() == 1 ? "one setting" : (std::to_string(issues.size()) + " settings").c_str());
  for (const auto& issue : issues) std::fprintf(stderr, "  %s: %s\n", (issue.key.empty() ? file : issue.key).c_str(), issue.message.c_str());  // no key: the file as a whole
  return kBadUsage;
}

void printJson(const nlohmann::ordered_json& value) {
  std::cout << value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
}

std::string readInput() { return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()}; }

std::function<SamplingOptions()> addSampling(CLI::App& command) {
  auto options = std::make_shared<SamplingOptions>();
  auto greedy = std::make_shared<bool>(false);
  command.add_option("--max-new", options->maxNew, "Largest number of new tokens")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  command.add_flag("--ignore-eos", options->ignoreEos, "Go on after the end token");
  auto* group = command.add_option_group("sampling", "How tokens are drawn (greedy unless one of these is given)");
  group->add_flag("--greedy", *greedy, "Always the most likely token");
  const std::vector<CLI::Option*> drawn = {
      group->add_option("--temperature", options->temperature, "Divides the logits; 0 is greedy")->check(notNegative()),
      group->add_option("--top-k", options->topK, "Only the K most likely; 0: off")->check(notNegative()),
      group->add_option("--top-p", options->topP, "Only the smallest set with this probability")->check(CLI::Range(0.0, 1.0)),
      group->add_option("--min-p", options->minP, "Only tokens with this share of the largest probability")->check(CLI::Range(0.0, 1.0)),
      group->add_option("--seed", options->seed, "Random seed")};
  group->add_option("--repetition-penalty", options->repetitionPenalty, "Above 1: tokens that were seen become less likely")->check(aboveZero());
  group->add_option("--presence-penalty", options->presencePenalty, "Taken from the logit of each token of the answer so far");
  group->add_option("--frequency-penalty", options->frequencyPenalty, "The same for each time it occurred");
  return [options, greedy, drawn] {
    const bool asked = std::any_of(drawn.begin(), drawn.end(), [](const CLI::Option* option) { return option->count() > 0; });
    options->greedy = *greedy || !asked || options->temperature == 0;
    return *options;
  };
}

namespace {

CLI::Validator number(const char* words, const char* sign, bool zero) {
  return CLI::Validator(
      [words, zero](std::string& text) {
        double value = 0;
        const bool good = CLI::detail::lexical_cast(text, value) && std::isfinite(value) && (zero ? value >= 0 : value > 0);
        return good ? std::string() : "«" + text + "» is no number " + words;
      },
      sign);
}

}  // namespace

CLI::Validator notNegative() { return number("of 0 or more", ">= 0", true); }
CLI::Validator aboveZero() { return number("above 0", "> 0", false); }
CLI::Validator demoFile() {
  return CLI::Validator(
      [](std::string& text) {
        text = resolvePath(text);
        return std::string();
      },
      "");
}

void addJson(CLI::App& command, Context& context) { command.add_flag("--json", context.json, "Print JSON, for programs"); }

}  // namespace cuescope::cli
