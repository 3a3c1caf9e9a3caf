#include "engine/distill/training_data.h"

#include <numeric>
#include <stdexcept>

#include "engine/core/failure.h"
#include "engine/distill/rollout.h"

namespace cuescope {

RowSource rowsOf(std::shared_ptr<const Dataset> dataset) {
  return {dataset->size(), [dataset](std::int64_t i) { return dataset->row(i); }, [dataset](std::int64_t i) { return dataset->origin(i); }};
}

DataCursor::DataCursor(std::int64_t size, bool shuffle, std::uint64_t seed)
    : m_size(size), m_shuffle(shuffle), m_seed(seed) {
  shuffleEpoch();
}

void DataCursor::restore(std::int64_t epoch, std::int64_t position) {
  m_epoch = epoch;
  m_position = position;
  shuffleEpoch();
}

void DataCursor::shuffleEpoch() {
  m_order.resize(static_cast<std::size_t>(m_size));
  std::iota(m_order.begin(), m_order.end(), 0);
  if (!m_shuffle) return;
  for (std::int64_t i = m_size - 1; i > 0; --i) {  // Fisher-Yates
    const auto j =
        static_cast<std::int64_t>(rolloutSeed(m_seed ^ 0x5eedull, m_epoch, i) % static_cast<std::uint64_t>(i + 1));
    std::swap(m_order[static_cast<std::size_t>(i)], m_order[static_cast<std::size_t>(j)]);
  }
}

void DataCursor::beginBatch(std::int64_t batch) {
  if (m_position > 0 && m_size - m_position < batch) {
    ++m_epoch;
    m_position = 0;
    shuffleEpoch();
  }
}

std::int64_t DataCursor::next() {
  if (m_size < 1) throw Error("There is nothing to learn from", "data.train_files", "there are no rows", "Check the data.");
  if (m_position >= m_size) {
    ++m_epoch;
    m_position = 0;
    shuffleEpoch();
  }
  return m_order[static_cast<std::size_t>(m_position++)];
}

Preparer::Preparer(const RunConfig& config, std::shared_ptr<const Processor> student,
                   std::shared_ptr<const Processor> teacher, std::int64_t teacherPositions)
    : m_config(config),
      m_student(std::move(student)),
      m_teacher(std::move(teacher)),
      m_teacherPositions(teacherPositions) {}

std::unique_ptr<ReadyRow> Preparer::prepare(Sample sample, std::string* reason) const try {
  auto refuse = [&](const std::string& why) {
    if (reason) *reason = sample.id + ": " + why;
    return nullptr;
  };
  std::vector<VisualInput> visuals;
  const std::vector<Picture> pictures = decodePictures(sample);
  for (const auto& picture : pictures) visuals.push_back(m_student->image(m_student->loaded(picture)));
  auto ready = std::make_unique<ReadyRow>();
  Prompt prompt = m_student->prompt(sample.prompt, visuals);
  if (prompt.row.ids.size() > static_cast<std::size_t>(m_config.data.maxPromptLength)) {
    return refuse("the prompt has " + std::to_string(prompt.row.ids.size()) + " tokens, data.max_prompt_length is " +
                  std::to_string(m_config.data.maxPromptLength));
  }
  if (m_teacher) {
    std::vector<VisualInput> own;
    if (m_teacher != m_student) {
      for (const auto& picture : pictures) own.push_back(m_teacher->image(m_teacher->loaded(picture)));
    }
    TeacherPrompt teacher =
        teacherPrompt(*m_teacher, sample, m_teacher == m_student ? visuals : own, m_config.teacher.privilege,
                      m_config.teacher.privilegeColumn);
    const auto tokens = static_cast<std::int64_t>(teacher.prompt.row.ids.size()) + m_config.data.maxResponseLength;
    if (tokens > m_teacherPositions) {  // spec 7-B8
      return refuse("the teacher's prompt and the longest response have " + std::to_string(tokens) +
                    " tokens, the teacher reads " + std::to_string(m_teacherPositions));
    }
    ready->teacher = std::move(teacher.prompt.row);
    ready->privileged = teacher.privileged;
    ready->privilege = std::move(teacher.text);
  }
  for (const auto& turn : sample.prompt) ready->think = ready->think || turn.text.find("<think>") != std::string::npos;
  ready->grids = prompt.row.grids;
  for (const auto& picture : pictures) {
    ready->imageWidths.push_back(picture.width);
    ready->imageHeights.push_back(picture.height);
  }
  ready->student = std::move(prompt.row);
  ready->studentText = std::move(prompt.rendered.text);
  sample.imageBytes.clear();
  ready->sample = std::move(sample);
  return ready;
} catch (const Error& error) {
  if (reason) *reason = error.what();
  return nullptr;
}

}  // namespace cuescope
