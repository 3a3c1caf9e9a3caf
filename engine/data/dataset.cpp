#include "engine/data/dataset.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "engine/core/failure.h"
#include "engine/media/decode.h"

namespace cuescope {

namespace {

std::size_t countMarks(const std::vector<Turn>& turns, const std::string& mark) {
  std::size_t count = 0;
  for (const Turn& turn : turns)
    for (std::size_t at = turn.text.find(mark); at != std::string::npos; at = turn.text.find(mark, at + mark.size())) ++count;
  return count;
}

}  // namespace

Dataset Dataset::open(const std::vector<std::string>& files) {
  if (files.empty()) throw Error("There is no data file", "data", {}, "Name at least one .parquet or .jsonl file.");
  Dataset dataset;
  std::int64_t end = 0;
  for (const std::string& file : files) {
    const std::filesystem::path path(file);
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored))
      throw Error("The data file does not exist", file, {}, "Check the path; the demo's files come from `cuescope-cli demo make`.");
    const std::string extension = path.extension().string();
    if (extension == ".parquet") {
      dataset.m_files.push_back(openParquet(file));
    } else if (extension == ".jsonl" || extension == ".json") {
      dataset.m_files.push_back(openJsonl(file));
    } else {
      throw Error("The data file has an unknown kind", file, "its name ends with «" + extension + "»", "Use .parquet or .jsonl.");
    }
    end += dataset.m_files.back()->size();
    dataset.m_names.push_back(file);
    dataset.m_ends.push_back(end);
  }
  return dataset;
}

std::pair<std::string, std::int64_t> Dataset::origin(std::int64_t i) const {
  if (i < 0 || i >= size()) throw std::out_of_range("data row " + std::to_string(i) + " of " + std::to_string(size()));
  const auto file = std::upper_bound(m_ends.begin(), m_ends.end(), i) - m_ends.begin();
  return {m_names[static_cast<std::size_t>(file)], i - (file == 0 ? 0 : m_ends[static_cast<std::size_t>(file) - 1])};
}

Sample Dataset::row(std::int64_t i) const {
  const auto [name, row] = origin(i);
  const auto file = std::upper_bound(m_ends.begin(), m_ends.end(), i) - m_ends.begin();
  Sample sample = m_files[static_cast<std::size_t>(file)]->row(row);
  checkSample(sample, name, row);
  if (sample.index < 0) sample.index = i;
  if (sample.id.empty()) sample.id = std::filesystem::path(name).stem().string() + "-" + std::to_string(row);
  return sample;
}

void checkSample(const Sample& sample, const std::string& file, std::int64_t row) {
  const auto bad = [&](const std::string& why) { throw Error("A row of the data is bad", file + ", row " + std::to_string(row), why); };
  if (sample.prompt.empty()) bad("it has no prompt");
  for (const auto* turns : {&sample.prompt, &sample.teacherTurns}) {
    for (const Turn& turn : *turns)
      if (turn.role != "system" && turn.role != "user" && turn.role != "assistant") bad("a turn has the role «" + turn.role + "»");
    if (turns->empty()) continue;
    const std::string which = turns == &sample.prompt ? "prompt" : "teacher_prompt";
    const std::size_t marks = countMarks(*turns, "<image>");
    if (marks != sample.pictures())
      bad(which + " has " + std::to_string(marks) + " <image> marks, the row has " + std::to_string(sample.pictures()) + " images");
    if (countMarks(*turns, "<video>") > 0) bad(which + " has a <video> mark; video rows are not read from data sets yet");
  }
  for (std::size_t i = 0; i < sample.pictures(); ++i)
    if (sample.imageBytes[i].empty() && (i >= sample.imagePaths.size() || sample.imagePaths[i].empty()))
      bad("image " + std::to_string(i) + " has neither bytes nor a path");
  for (const PixelBox& box : sample.evidence) {
    if (box.image < 0 || static_cast<std::size_t>(box.image) >= sample.pictures())
      bad("an evidence box belongs to image " + std::to_string(box.image) + ", which does not exist");
    if (!(box.width > 0 && box.height > 0 && box.x >= 0 && box.y >= 0)) bad("an evidence box has no area or lies outside the image");
  }
}

std::vector<Picture> decodePictures(const Sample& sample) {
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < sample.pictures(); ++i) {
    const std::vector<std::uint8_t>& bytes = sample.imageBytes[i];
    Picture picture;
    const bool named = i < sample.imagePaths.size() && !sample.imagePaths[i].empty();
    picture.label = named ? std::filesystem::path(sample.imagePaths[i]).filename().string() : sample.id;
    DecodedImage image = bytes.empty() ? readImage(sample.imagePaths[i]) : decodeImage(bytes.data(), bytes.size(), picture.label);
    picture.width = image.width;
    picture.height = image.height;
    picture.rgb = std::move(image.rgb);
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

}  // namespace cuescope
