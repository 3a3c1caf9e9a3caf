#include "engine/evaluate/row_check.h"

#include <algorithm>

#include "engine/distill/row_screen.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {
namespace {

std::int64_t placesIn(const std::vector<std::int64_t>& ids, const Qwen3VLConfig& config) {
  return std::count_if(ids.begin(), ids.end(), [&](std::int64_t id) { return id == config.imageToken || id == config.videoToken; });
}

/// The prompt as it was rendered: a picture's places folded to the one placeholder that they were made of.
std::string renderedText(std::vector<std::int64_t> ids, const Qwen3VLConfig& config, const Tokenizer& tokenizer) {
  ids.erase(std::unique(ids.begin(), ids.end(), [&](std::int64_t a, std::int64_t b) { return a == b && (a == config.imageToken || a == config.videoToken); }), ids.end());
  return tokenizer.decode(ids);
}

std::int64_t tokensOf(const std::vector<Grid>& grids, const Qwen3VLConfig& config) {
  std::int64_t sum = 0;
  for (const Grid& grid : grids) sum += grid.t * grid.h * grid.w / (config.vision.merge * config.vision.merge);
  return sum;
}

}  // namespace

RowChecker::RowChecker(const RunConfig& config, const Processors& processors) : m_config(config) {
  const std::string folder = resolvePath(config.student.path);
  m_student = processors(folder);
  m_studentConfig = Qwen3VLConfig::read(folder);
  const bool own = config.teacher.kind == "reference";
  if (usesTeacher(config) && !(own && config.teacher.path.empty())) {
    const std::string other = resolvePath(own ? config.teacher.path : config.student.path);
    m_teacher = other == folder ? m_student : processors(other);
    m_teacherConfig = Qwen3VLConfig::read(other);
  }
  m_screen = std::make_unique<Preparer>(config, m_student, m_teacher, m_teacher ? teacherPositionsOf(config) : 0);
  RunConfig open = config;
  open.data.maxPromptLength = 1 << 30;
  m_open = std::make_unique<Preparer>(open, m_student, m_teacher, 1ll << 40);
}

RowVerdict RowChecker::check(const std::shared_ptr<const Dataset>& dataset, std::int64_t index, const CueEdit* edit, bool batch) const {
  RowVerdict verdict;
  const auto [file, fileRow] = dataset->origin(index);
  verdict.row = fileRow;
  verdict.studentLimit = m_screen->longestPrompt();
  verdict.answerLimit = m_config.data.maxResponseLength;
  if (m_teacher) verdict.teacherLimit = m_screen->longestTeacherPrompt();
  verdict.privilegeKind = m_config.teacher.privilege;
  const auto refuse = [&](const RowProblem& problem) {
    verdict.category = problem.category;
    verdict.reason = problem.reason;
  };
  RowSource source = rowsOf(dataset);
  if (edit && edit->changed())
    source.row = [dataset, edit, file = file, fileRow = fileRow](std::int64_t i) {
      Sample sample = dataset->row(i);
      applyCueEdit(sample, *edit, file, fileRow);
      return sample;
    };
  LookedRow look = lookAtRow(source, index, *m_screen, m_config, RowUse::Train);
  verdict.id = look.sample.id;
  verdict.kind = look.sample.kind;
  verdict.layout = look.sample.layout;
  verdict.dataSource = look.sample.dataSource;
  refuse(look.problem);
  if (look.problem.category == kUnreadable || look.problem.category == kStaleEdit) return verdict;
  RowProblem problem;
  const auto row = m_open->prepare(std::move(look.sample), &problem);
  if (!row) {
    refuse(problem);
    return verdict;
  }
  verdict.student = static_cast<std::int64_t>(row->student.ids.size());
  verdict.studentText = row->studentText;
  if (m_teacher) {
    verdict.teacher = static_cast<std::int64_t>(row->teacher.ids.size());
    verdict.teacherText = renderedText(row->teacher.ids, m_teacherConfig, m_teacher->tokenizer());
  }
  verdict.privileged = row->privileged;
  verdict.privilege = row->privilege;
  countPlaces(verdict, *row);
  addAnswer(verdict, *row, batch);
  return verdict;
}

void RowChecker::countPlaces(RowVerdict& verdict, const ReadyRow& row) const {
  verdict.places[0] = placesIn(row.student.ids, m_studentConfig);
  verdict.visual[0] = tokensOf(row.student.grids, m_studentConfig);
  if (m_teacher) {
    verdict.places[1] = placesIn(row.teacher.ids, m_teacherConfig);
    verdict.visual[1] = tokensOf(row.teacher.grids, m_teacherConfig);
  }
  for (const Grid& grid : row.student.grids) verdict.grids.push_back({grid.t, grid.h, grid.w});
}

// As a supervised run takes the answers of the data (Run::useAnswersOfTheData).
void RowChecker::addAnswer(RowVerdict& verdict, const ReadyRow& row, bool batch) const {
  const Tokenizer& tokenizer = m_student->tokenizer();
  std::vector<std::int64_t> answer;
  if (!row.sample.answer.empty()) {
    answer = tokenizer.encode(row.sample.answer);
    if (!m_studentConfig.eosTokens.empty()) answer.push_back(m_studentConfig.eosTokens.front());
    verdict.answer = static_cast<std::int64_t>(answer.size());
    answer.resize(std::min(answer.size(), static_cast<std::size_t>(m_config.data.maxResponseLength)));
  }
  if (!batch) return;
  const auto put = [&](std::int64_t id, bool trained) {
    const bool visual = id == m_studentConfig.imageToken || id == m_studentConfig.videoToken;
    auto& list = verdict.batch;
    if (visual && !trained && !list.empty() && list.back().id == id) ++list.back().count;
    else list.push_back({id, tokenizer.bytes(id), 1, visual, trained});
  };
  for (const std::int64_t id : row.student.ids) put(id, false);
  for (const std::int64_t id : answer) put(id, true);
}

}  // namespace cuescope
