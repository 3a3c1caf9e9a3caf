#include "engine/distill/training_data.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "engine/core/failure.h"
#include "engine/distill/rollout.h"
#include "engine/model/qwen3_vl_config.h"

namespace cuescope {

RowSource rowsOf(std::shared_ptr<const Dataset> dataset) {
  return {dataset->size(), [dataset](std::int64_t i) { return dataset->row(i); }, [dataset](std::int64_t i) { return dataset->origin(i); }};
}

RowSource only(RowSource source, std::vector<std::int64_t> rows) {
  RowSource out;
  out.size = static_cast<std::int64_t>(rows.size());
  const auto kept = std::make_shared<const std::vector<std::int64_t>>(std::move(rows));
  out.row = [row = std::move(source.row), kept](std::int64_t i) { return row(kept->at(static_cast<std::size_t>(i))); };
  if (source.origin) out.origin = [origin = std::move(source.origin), kept](std::int64_t i) { return origin(kept->at(static_cast<std::size_t>(i))); };
  return out;
}

std::string placeOf(const RowSource& source, std::int64_t row) {
  if (!source.origin) return "row " + std::to_string(row);
  const auto [file, fileRow] = source.origin(row);
  return file + ", row " + std::to_string(fileRow);
}

std::int64_t teacherPositionsOf(const RunConfig& config) {
  const auto& t = config.teacher;
  std::int64_t fewest = Qwen3VLConfig::read(resolvePath(t.kind == "reference" ? t.path : config.student.path)).text.maxPositions;
  for (const auto& route : t.routes)
    fewest = std::min<std::int64_t>(fewest, Qwen3VLConfig::read(resolvePath(route.substr(route.find('=') + 1))).text.maxPositions);
  return fewest;
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

bool Preparer::ownPictures(const Sample& sample) const { return m_config.teacher.privilege != "none" && sample.hasTeacherPictures(); }

bool Preparer::fits(const std::string& id, const RowLengths& lengths, RowProblem* problem) const {
  if (lengths.student > longestPrompt()) {
    *problem = {kPromptTooLong, id + ": the prompt has " + std::to_string(lengths.student) + " tokens, data.max_prompt_length is " + std::to_string(longestPrompt())};
    return false;
  }
  if (m_teacher && lengths.teacher > longestTeacherPrompt()) {  // spec 7-B8
    *problem = {kTeacherPromptTooLong, id + ": the teacher's prompt and the longest response have " +
                                           std::to_string(lengths.teacher + m_config.data.maxResponseLength) + " tokens, the teacher reads " + std::to_string(m_teacherPositions)};
    return false;
  }
  return true;
}

namespace {

/// From here on pictures and videos are counted together, in the order of the student's marks, as the grids are: sizes, files, evidence.
void nameInMarkOrder(Sample& sample, const std::vector<Picture>& pictures, ReadyRow& ready) {
  std::vector<std::string> files;
  std::vector<int> place;  // of each picture among all
  std::size_t videos = 0;
  for (const bool video : videoMarks(sample.prompt)) {
    const std::size_t at = files.size();
    if (video) {
      files.push_back(sample.videos[videos++].path);
      continue;
    }
    const Picture& picture = pictures[place.size()];
    ready.imageWidths[at] = picture.width;
    ready.imageHeights[at] = picture.height;
    files.push_back(place.size() < sample.imagePaths.size() ? sample.imagePaths[place.size()] : std::string());
    place.push_back(static_cast<int>(at));
  }
  for (auto* boxes : {&sample.evidence, &sample.crops})
    for (PixelBox& box : *boxes) box.image = place.at(static_cast<std::size_t>(box.image));
  sample.imagePaths = std::move(files);
}

/// What the message of an Error says of one row.
RowProblem problemOf(const Error& error) {
  Failure failure = error.failure();
  failure.nextStep.clear();  // what a person does about a row is said once, for all of them
  return {dynamic_cast<const StaleCueEdit*>(&error) ? kStaleEdit : kUnreadable, failure.text()};
}

}  // namespace

bool Preparer::measure(const Sample& sample, RowLengths* lengths, RowProblem* problem) const try {
  const std::vector<ImageSize> sizes = pictureSizes(sample);
  const auto measured = [](const Processor& processor, const std::vector<ImageSize>& sizes) {
    std::vector<VisualInput> visuals;
    for (const ImageSize& size : sizes) visuals.push_back(processor.measured(size.width, size.height));
    return visuals;
  };
  const auto videos = [&sample](const Processor& processor) {
    std::vector<VisualInput> visuals;
    for (const VideoFile& video : sample.videos) visuals.push_back(processor.measuredVideo(video.path, video.options));
    return visuals;
  };
  *lengths = {};
  lengths->student = static_cast<std::int64_t>(m_student->prompt(sample.prompt, inMarkOrder(sample.prompt, measured(*m_student, sizes), videos(*m_student))).row.ids.size());
  if (m_teacher) {
    std::vector<ImageSize> crops;
    if (m_config.teacher.privilege == "cue")
      for (const PixelBox& crop : sample.crops) crops.push_back(cropSize(crop, sizes.at(static_cast<std::size_t>(crop.image))));
    const TeacherPrompt teacher = teacherPrompt(*m_teacher, sample, measured(*m_teacher, ownPictures(sample) ? teacherPictureSizes(sample) : sizes), videos(*m_teacher), measured(*m_teacher, crops), m_config.teacher.privilege,
                                                m_config.teacher.privilegeColumn);
    lengths->teacher = static_cast<std::int64_t>(teacher.prompt.row.ids.size());
    lengths->privileged = teacher.privileged;
  }
  return fits(sample.id, *lengths, problem);
} catch (const Error& error) {
  *problem = problemOf(error);
  return false;
}

std::unique_ptr<ReadyRow> Preparer::prepare(Sample sample, RowProblem* problem) const try {
  const std::vector<Picture> pictures = decodePictures(sample);
  const auto shown = [](const Processor& processor, const std::vector<Picture>& pictures) {
    std::vector<VisualInput> visuals;
    for (const auto& picture : pictures) visuals.push_back(processor.image(processor.loaded(picture)));
    return visuals;
  };
  const auto filmed = [&sample](const Processor& processor) {
    std::vector<VisualInput> visuals;
    for (const VideoFile& video : sample.videos) visuals.push_back(processor.video(video.path, video.options));
    return visuals;
  };
  const std::vector<VisualInput> images = shown(*m_student, pictures), videos = filmed(*m_student);
  auto ready = std::make_unique<ReadyRow>();
  Prompt prompt = m_student->prompt(sample.prompt, inMarkOrder(sample.prompt, images, videos));
  RowLengths lengths{static_cast<std::int64_t>(prompt.row.ids.size()), 0, false};
  if (m_teacher) {
    const bool shares = m_teacher == m_student;
    const std::vector<VisualInput> seen = ownPictures(sample) ? shown(*m_teacher, decodeTeacherPictures(sample)) : shares ? images : shown(*m_teacher, pictures), watched = shares ? videos : filmed(*m_teacher);
    for (const VisualInput& visual : inMarkOrder(sample.prompt, seen, watched)) ready->times.push_back(visual.timestamps);
    std::vector<VisualInput> crops;
    if (m_config.teacher.privilege == "cue")
      for (const PixelBox& crop : sample.crops) crops.push_back(m_teacher->image(m_teacher->loaded(cropOf(pictures, crop))));
    TeacherPrompt teacher = teacherPrompt(*m_teacher, sample, seen, watched, crops, m_config.teacher.privilege,
                                          m_config.teacher.privilegeColumn);
    lengths.teacher = static_cast<std::int64_t>(teacher.prompt.row.ids.size());
    ready->teacher = std::move(teacher.prompt.row);
    ready->privileged = teacher.privileged;
    ready->privilege = std::move(teacher.text);
  }
  if (!fits(sample.id, lengths, problem)) return nullptr;
  for (const auto& turn : sample.prompt) ready->think = ready->think || turn.text.find("<think>") != std::string::npos;
  ready->grids = prompt.row.grids;
  for (const VisualInput& visual : inMarkOrder(sample.prompt, images, videos)) {
    ready->imageWidths.push_back(visual.grid.video ? visual.originalWidth : 0);
    ready->imageHeights.push_back(visual.grid.video ? visual.originalHeight : 0);
  }
  nameInMarkOrder(sample, pictures, *ready);
  ready->student = std::move(prompt.row);
  ready->studentText = std::move(prompt.rendered.text);
  sample.imageBytes.clear();
  sample.teacherImageBytes.clear();
  ready->sample = std::move(sample);
  return ready;
} catch (const Error& error) {
  *problem = problemOf(error);
  return nullptr;
}

}  // namespace cuescope
