#include "engine/distill/row_screen.h"

#include "engine/core/failure.h"

namespace cuescope {
namespace {

constexpr std::size_t kExamples = 100;
constexpr std::int64_t kRowsPerReport = 64;

bool tooLong(const RowProblem& problem) { return problem.category == kPromptTooLong || problem.category == kTeacherPromptTooLong; }

}  // namespace

LookedRow lookAtRow(const RowSource& source, std::int64_t row, const Preparer& preparer, const RunConfig& config, RowUse use) {
  LookedRow looked;
  try {
    looked.sample = source.row(row);
  } catch (const StaleCueEdit& error) {
    looked.problem = {kStaleEdit, error.failure().why};
    return looked;
  } catch (const Error& error) {
    looked.problem = {kUnreadable, error.failure().why.empty() ? error.what() : error.failure().why};
    return looked;
  }
  if (!preparer.measure(looked.sample, &looked.lengths, &looked.problem)) return looked;
  if (use == RowUse::Train && config.distillation.lossMode == "sft" && looked.sample.answer.empty())
    looked.problem = {kNoAnswer, looked.sample.id + ": the row has no answer to learn (extra_info.answer)"};
  return looked;
}

bool stopsRun(const RunConfig& config, const RowProblem& problem) {
  if (tooLong(problem)) return !config.data.filterOverlongPrompts && config.data.truncation == "error";
  return config.data.badRows == "stop";
}

Error stopAt(const std::string& place, const RowProblem& problem) {
  if (tooLong(problem))
    return {"A row of the data is too long", place, problem.reason, "Raise the limit, or leave such rows out: data.filter_overlong_prompts: true."};
  return {"A row of the data cannot be used", place, problem.reason, "Mend the row, or leave such rows out: data.bad_rows: skip."};
}

std::string RowScreen::text() const {
  std::string out;
  for (const auto& [category, count] : leftOut) out += (out.empty() ? "" : ", ") + std::to_string(count) + " " + category;
  return out;
}

RowScreen screenRows(const RowSource& source, const Preparer& preparer, const RunConfig& config, RowUse use, std::int64_t enough,
                     const EventSink& sink, std::stop_token stop) {
  RowScreen screen;
  const std::string what = use == RowUse::Train ? "Measuring the training rows" : "Measuring the held-out rows";
  for (std::int64_t i = 0; i < source.size && (enough <= 0 || static_cast<std::int64_t>(screen.kept.size()) < enough); ++i) {
    if (stop.stop_requested()) throw Cancelled();
    if (sink && i % kRowsPerReport == 0) sink(Progress{what, static_cast<double>(i), static_cast<double>(source.size)});
    ++screen.looked;
    const LookedRow row = lookAtRow(source, i, preparer, config, use);
    if (row.usable()) {
      screen.kept.push_back(i);
      continue;
    }
    if (stopsRun(config, row.problem)) throw stopAt(placeOf(source, i), row.problem);
    ++screen.leftOut[row.problem.category];
    if (screen.examples.size() < kExamples) {
      const auto [file, fileRow] = source.origin ? source.origin(i) : std::pair<std::string, std::int64_t>{"", i};
      screen.examples.push_back({file, fileRow, row.problem});
    }
  }
  return screen;
}

}  // namespace cuescope
