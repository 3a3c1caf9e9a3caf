// What a run would make of its data: every row is read, its pictures are decoded and both prompts rendered by the true processors,
// exactly as the run does it, so that nothing surprises it later (spec 7-B8).
#include <algorithm>
#include <chrono>
#include <memory>

#include "engine/core/digest.h"
#include "engine/core/failure.h"
#include "engine/distill/training_data.h"
#include "engine/evaluate/evaluation.h"
#include "engine/model/qwen3_vl_config.h"

namespace cuescope {
namespace {

constexpr std::size_t kListed = 1000;
constexpr std::size_t kBins = 24;

DataVerdict::Lengths lengthsOf(std::vector<std::pair<std::int64_t, std::int64_t>> rows) {  // tokens, row
  DataVerdict::Lengths lengths;
  if (rows.empty()) return lengths;
  std::sort(rows.begin(), rows.end());
  lengths.least = rows.front().first;
  lengths.most = rows.back().first;
  lengths.longestRow = rows.back().second;
  lengths.median = rows[(rows.size() - 1) / 2].first;
  lengths.p95 = rows[std::min(rows.size() - 1, rows.size() * 95 / 100)].first;
  lengths.counts.assign(kBins, 0);
  for (const auto& [tokens, row] : rows)
    ++lengths.counts[std::min(kBins - 1, static_cast<std::size_t>(tokens) * kBins / static_cast<std::size_t>(lengths.most + 1))];
  return lengths;
}

}  // namespace

DataVerdict checkRows(const std::vector<std::string>& files, const RunConfig& config, const EventSink& sink, std::stop_token stop) {
  const auto begin = std::chrono::steady_clock::now();
  DataVerdict verdict;
  for (const auto& file : files.empty() ? config.data.trainFiles : files) verdict.files.push_back(resolvePath(file));
  const Dataset dataset = Dataset::open(verdict.files);
  verdict.digest = filesDigest(verdict.files);
  verdict.rows = dataset.size();
  verdict.studentLimit = config.data.maxPromptLength;

  // Everything passes the preparer's own limits, so that lengths of rows that are too long are known as well.
  RunConfig open = config;
  open.data.maxPromptLength = 1 << 30;
  const auto student = std::make_shared<const Processor>(resolvePath(config.student.path));
  std::shared_ptr<const Processor> teacher;
  const bool own = config.teacher.kind == "reference";
  if (config.distillation.distillationCoef > 0 && !(own && config.teacher.path.empty())) {
    const std::string folder = resolvePath(own ? config.teacher.path : config.student.path);
    teacher = folder == resolvePath(config.student.path) ? student : std::make_shared<const Processor>(folder);
    verdict.teacherLimit = Qwen3VLConfig::read(folder).text.maxPositions - config.data.maxResponseLength;
  }
  const Preparer preparer(open, student, teacher, 1ll << 40);

  std::vector<std::pair<std::int64_t, std::int64_t>> studentTokens, teacherTokens;
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    if (stop.stop_requested()) throw Cancelled();
    const auto [file, fileRow] = dataset.origin(i);
    DataVerdict::Problem problem{file, fileRow, {}, {}, {}};
    try {
      Sample sample = dataset.row(i);
      problem.id = sample.id;
      const auto row = preparer.prepare(std::move(sample), &problem.reason);
      if (!row) {
        problem.category = "unreadable";
      } else {
        const auto own = static_cast<std::int64_t>(row->student.ids.size()), other = static_cast<std::int64_t>(row->teacher.ids.size());
        studentTokens.emplace_back(own, i);
        if (teacher) teacherTokens.emplace_back(other, i);
        if (own > verdict.studentLimit) {
          problem.category = "prompt too long";
          problem.reason = "the prompt has " + std::to_string(own) + " tokens, data.max_prompt_length is " + std::to_string(verdict.studentLimit);
        } else if (teacher && other > verdict.teacherLimit) {
          problem.category = "teacher prompt too long";
          problem.reason = "the teacher's prompt has " + std::to_string(other) + " tokens; with the longest answer it reads at most " + std::to_string(verdict.teacherLimit);
        } else {
          ++verdict.kept;
          verdict.privileged += row->privileged ? 1 : 0;
          ++verdict.kinds[row->sample.kind];
          ++verdict.layouts[row->sample.layout];
          ++verdict.dataSources[row->sample.dataSource];
        }
      }
    } catch (const Error& error) {
      problem.category = "unreadable";
      problem.reason = error.failure().why.empty() ? error.what() : error.failure().why;
    }
    if (!problem.category.empty()) {
      ++verdict.dropped[problem.category];
      if (verdict.problems.size() < kListed) verdict.problems.push_back(std::move(problem));
    }
    if (sink && i % 32 == 31) sink(Progress{"Checking rows", static_cast<double>(i + 1), static_cast<double>(dataset.size())});
  }
  verdict.student = lengthsOf(std::move(studentTokens));
  verdict.teacher = lengthsOf(std::move(teacherTokens));
  verdict.batches = config.data.trainBatchSize > 0 ? verdict.kept / config.data.trainBatchSize : 0;
  verdict.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return verdict;
}

}  // namespace cuescope
