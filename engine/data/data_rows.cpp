#include "engine/data/data_rows.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/core/cue_edits.h"
#include "engine/core/failure.h"
#include "engine/data/dataset.h"

namespace cuescope {

namespace {

std::vector<std::uint8_t> encodedPicture(const Sample& sample, std::size_t index, const std::string& dataFile) {
  if (!sample.imageBytes[index].empty()) return sample.imageBytes[index];
  std::filesystem::path path = index < sample.imagePaths.size() ? sample.imagePaths[index] : std::string();
  if (path.is_relative()) path = std::filesystem::path(dataFile).parent_path() / path;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error("A picture of this row is missing", path.string(), "the file cannot be opened", "Put the picture there, or store it in the row.");
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

std::shared_ptr<const Dataset> OpenData::of(const std::string& file) {
  std::string stamp;
  for (const std::string& part : {file, cueEditsFile(file)}) {
    std::error_code size, time;
    const auto bytes = std::filesystem::file_size(part, size);
    const auto written = std::filesystem::last_write_time(part, time);
    stamp += (size || time ? std::string("none") : std::to_string(bytes) + "@" + std::to_string(written.time_since_epoch().count())) + " ";
  }
  if (!m_data || m_file != file || m_stamp != stamp) {
    m_data.reset();
    m_data = std::make_shared<const Dataset>(Dataset::open({file}));
    m_file = file;
    m_stamp = stamp;
  }
  return m_data;
}

DataRows readRows(const Dataset& dataset, const std::string& file, std::int64_t first, int count) {
  DataRows out;
  out.file = file;
  out.total = dataset.size();
  out.first = std::clamp<std::int64_t>(first, 0, out.total);
  const std::int64_t end = std::min(out.total, out.first + std::max(0, count));
  for (std::int64_t i = out.first; i < end; ++i) {
    DataRow row;
    row.index = i;
    try {
      const Sample sample = dataset.row(i);
      row.id = sample.id;
      row.question = sample.question;
      for (const Turn& turn : sample.prompt)
        if (turn.role == "user") row.prompt = turn.text;
      row.answer = sample.answer.empty() ? sample.groundTruth : sample.answer;
      row.cue = sample.cue;
      row.hint = sample.hint;
      if (const auto origin = sample.texts.find("cue_provenance"); origin != sample.texts.end()) row.provenance = origin->second;
      row.kind = sample.kind;
      row.layout = sample.layout;
      row.pictures = static_cast<int>(sample.pictures());
      for (const VideoFile& video : sample.videos) row.videos.push_back(video.path);
      row.evidence = sample.evidence;
      for (std::size_t p = 0; p < sample.pictures(); ++p) {
        auto bytes = encodedPicture(sample, p, file);
        if (p == 0) row.image = std::move(bytes);
        else row.moreImages.push_back(std::move(bytes));
      }
    } catch (const Error& error) {
      row.problem = error.failure().text();
    }
    out.rows.push_back(std::move(row));
  }
  return out;
}

DataRows readRows(const std::string& file, std::int64_t first, int count, bool cueEdits) { return readRows(Dataset::open({file}, cueEdits), file, first, count); }

}  // namespace cuescope
