// What a run would make of its data: every row is looked at by the run's own screen, and what passes has its pictures decoded, as
// the run does when it draws the row; so nothing surprises it later (spec 7-B8).
#include <algorithm>
#include <chrono>
#include <memory>

#include "engine/core/digest.h"
#include "engine/core/failure.h"
#include "engine/distill/row_screen.h"
#include "engine/evaluate/evaluation.h"

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
  const auto dataset = std::make_shared<const Dataset>(Dataset::open(verdict.files, config.data.cueEdits));
  verdict.digest = filesDigest(verdict.files, [&](std::uint64_t done, std::uint64_t total) {
    if (stop.stop_requested()) throw Cancelled();
    if (sink) sink(Progress{"Reading the files", static_cast<double>(done), static_cast<double>(total)});
  });
  verdict.rows = dataset->size();
  for (const EditedFile& edited : dataset->edited()) verdict.edits.push_back({edited.editsFile, edited.digest, edited.rows, edited.crops, edited.applied});

  const auto student = std::make_shared<const Processor>(resolvePath(config.student.path));
  std::shared_ptr<const Processor> teacher;
  const bool own = config.teacher.kind == "reference";
  if (usesTeacher(config) && !(own && config.teacher.path.empty())) {
    const std::string folder = resolvePath(own ? config.teacher.path : config.student.path);
    teacher = folder == resolvePath(config.student.path) ? student : std::make_shared<const Processor>(folder);
  }
  const Preparer preparer(config, student, teacher, teacher ? teacherPositionsOf(config) : 0);
  verdict.studentLimit = preparer.longestPrompt();
  if (teacher) verdict.teacherLimit = preparer.longestTeacherPrompt();

  const RowSource source = rowsOf(dataset);
  std::vector<std::pair<std::int64_t, std::int64_t>> studentTokens, teacherTokens;
  for (std::int64_t i = 0; i < source.size; ++i) {
    if (stop.stop_requested()) throw Cancelled();
    LookedRow row = lookAtRow(source, i, preparer, config, RowUse::Train);
    if (row.lengths.student > 0) studentTokens.emplace_back(row.lengths.student, i);
    if (row.lengths.teacher > 0) teacherTokens.emplace_back(row.lengths.teacher, i);
    if (row.usable()) {
      try {
        // Damage that no header shows: the run meets it when it draws the row. A video is only known once it is read.
        if (row.sample.videos.empty()) decodePictures(row.sample), decodeTeacherPictures(row.sample);
        else preparer.prepare(row.sample, &row.problem);
      } catch (const Error& error) {
        row.problem = {kUnreadable, error.what()};
      }
    }
    if (row.usable()) {
      ++verdict.kept;
      verdict.privileged += row.lengths.privileged ? 1 : 0;
      ++verdict.kinds[row.sample.kind];
      ++verdict.layouts[row.sample.layout];
      ++verdict.dataSources[row.sample.dataSource];
    } else {
      ++verdict.dropped[row.problem.category];
      const auto [file, fileRow] = dataset->origin(i);
      if (verdict.stops.empty() && stopsRun(config, row.problem)) verdict.stops = stopAt(placeOf(source, i), row.problem).failure().text();
      if (verdict.problems.size() < kListed) verdict.problems.push_back({file, fileRow, row.sample.id, row.problem.reason, row.problem.category});
    }
    if (sink && i % 32 == 31) sink(Progress{"Checking rows", static_cast<double>(i + 1), static_cast<double>(source.size)});
  }
  verdict.student = lengthsOf(std::move(studentTokens));
  verdict.teacher = lengthsOf(std::move(teacherTokens));
  verdict.batches = config.data.trainBatchSize > 0 ? verdict.kept / config.data.trainBatchSize : 0;
  verdict.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return verdict;
}

}  // namespace cuescope
