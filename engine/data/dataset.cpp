#include "engine/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "engine/core/digest.h"
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

std::vector<bool> videoMarks(const std::vector<Turn>& turns) {
  std::vector<bool> marks;
  for (const Turn& turn : turns) {
    for (std::size_t at = 0; at < turn.text.size();) {
      const std::size_t image = turn.text.find("<image>", at), video = turn.text.find("<video>", at);
      if (image == std::string::npos && video == std::string::npos) break;
      marks.push_back(video < image);
      at = std::min(image, video) + 7;  // both have seven characters
    }
  }
  return marks;
}

std::string videoPath(const std::string& named, const std::string& folder) {
  const std::string path = named.starts_with("file://") ? named.substr(7) : named;
  if (path.find("://") != std::string::npos) throw std::invalid_argument("a video lies at «" + named + "»; only files are read");
  return path.empty() || std::filesystem::path(path).is_absolute() ? path : (std::filesystem::path(folder) / path).string();
}

Dataset Dataset::open(const std::vector<std::string>& files, bool cueEdits) {
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
    dataset.m_edits.emplace_back();
    const std::string editsFile = cueEditsFile(file);
    if (!std::filesystem::is_regular_file(editsFile, ignored)) continue;
    EditedFile edited{file, editsFile, filesDigest({editsFile}), 0, 0, cueEdits};
    CueEdits edits = readCueEdits(editsFile);
    for (const auto& [row, edit] : edits) {
      if (row < 0 || row >= dataset.m_files.back()->size())
        throw Error("A saved cue edit belongs to no row", editsFile, "row " + std::to_string(row) + "; the data have " + std::to_string(dataset.m_files.back()->size()),
                    "The data file was changed since: move the edits away, or leave them out with data.cue_edits: false.");
      if (!edit.changed()) continue;
      ++edited.rows;
      edited.crops += std::count_if(edit.marks.begin(), edit.marks.end(), [](const CueMark& mark) { return mark.kind == "crop"; });
    }
    dataset.m_edited.push_back(std::move(edited));
    if (cueEdits) dataset.m_edits.back() = std::move(edits);
  }
  return dataset;
}

std::pair<std::string, std::int64_t> Dataset::origin(std::int64_t i) const {
  if (i < 0 || i >= size()) throw std::out_of_range("data row " + std::to_string(i) + " of " + std::to_string(size()));
  const auto file = std::upper_bound(m_ends.begin(), m_ends.end(), i) - m_ends.begin();
  return {m_names[static_cast<std::size_t>(file)], i - (file == 0 ? 0 : m_ends[static_cast<std::size_t>(file) - 1])};
}

std::int64_t Dataset::decodedBytes() const {
  std::int64_t bytes = 0;
  for (const auto& file : m_files) bytes += file->decodedBytes();
  return bytes;
}

Sample Dataset::row(std::int64_t i) const {
  const auto [name, row] = origin(i);
  const auto file = std::upper_bound(m_ends.begin(), m_ends.end(), i) - m_ends.begin();
  Sample sample = m_files[static_cast<std::size_t>(file)]->row(row);
  const CueEdits& edits = m_edits[static_cast<std::size_t>(file)];
  if (const auto edit = edits.find(row); edit != edits.end() && edit->second.changed()) applyCueEdit(sample, edit->second, name, row);
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
    const bool own = turns == &sample.teacherTurns && sample.hasTeacherPictures();
    const std::size_t marks = countMarks(*turns, "<image>"), pictures = own ? sample.teacherImageBytes.size() : sample.pictures();
    if (marks != pictures)
      bad(which + " has " + std::to_string(marks) + " <image> marks, the row has " + std::to_string(pictures) + (own ? " teacher_images" : " images"));
    const std::size_t videos = countMarks(*turns, "<video>");
    if (videos != sample.videos.size()) bad(which + " has " + std::to_string(videos) + " <video> marks, the row has " + std::to_string(sample.videos.size()) + " videos");
  }
  if (sample.hasTeacherPictures() && sample.teacherTurns.empty() && sample.teacherImageBytes.size() != sample.pictures())
    bad("it has " + std::to_string(sample.teacherImageBytes.size()) + " teacher_images for " + std::to_string(sample.pictures()) +
        " images; other numbers need a teacher_prompt with marks of its own");
  const auto there = [&](const auto& bytes, const auto& paths, const std::string& what) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
      if (bytes[i].empty() && (i >= paths.size() || paths[i].empty())) bad(what + " " + std::to_string(i) + " has neither bytes nor a path");
  };
  there(sample.imageBytes, sample.imagePaths, "image");
  there(sample.teacherImageBytes, sample.teacherImagePaths, "teacher image");
  for (std::size_t i = 0; i < sample.videos.size(); ++i)
    if (sample.videos[i].path.empty()) bad("video " + std::to_string(i) + " names no file");
  for (const PixelBox& box : sample.evidence) {
    if (box.image < 0 || static_cast<std::size_t>(box.image) >= sample.pictures())
      bad("an evidence box belongs to image " + std::to_string(box.image) + ", which does not exist");
    if (!(box.width > 0 && box.height > 0 && box.x >= 0 && box.y >= 0)) bad("an evidence box has no area or lies outside the image");
  }
}

void applyCueEdit(Sample& sample, const CueEdit& edit, const std::string& file, std::int64_t row) {
  // An id that the data lack was made from the file's name, which may have changed.
  const bool otherId = !sample.id.empty() && !edit.id.empty() && sample.id != edit.id;
  if (otherId || sample.cue != edit.originalCue)
    throw StaleCueEdit("A saved cue edit does not fit its row", file + ", row " + std::to_string(row),
                       otherId ? "it was made on «" + edit.id + "», the row is «" + sample.id + "»" : "the cue in the data is no longer the one that was edited",
                       "Edit the row again on the Data page, or leave the edits out with data.cue_edits: false.");
  sample.cue = edit.cue;
  sample.texts.erase("cue");
  if (!edit.cue.empty()) sample.texts["cue"] = edit.cue;
  const bool all = ofAllPictures(edit);
  const auto known = [&](const PixelBox& box) { return all || box.image == 0; };
  std::erase_if(sample.evidence, known);
  std::erase_if(sample.crops, known);
  for (const CueMark& mark : edit.marks) {
    if (mark.image < 0 || static_cast<std::size_t>(mark.image) >= sample.pictures())
      throw StaleCueEdit("A saved cue edit does not fit its row", file + ", row " + std::to_string(row),
                         "a mark belongs to picture " + std::to_string(mark.image + 1) + ", the row has " + std::to_string(sample.pictures()),
                         "Edit the row again on the Data page, or leave the edits out with data.cue_edits: false.");
    const PixelBox box{mark.image, mark.x, mark.y, mark.width, mark.height, mark.label};
    sample.evidence.push_back(box);
    if (mark.kind == "crop") sample.crops.push_back(box);
  }
  sample.cueEdited = true;
}

namespace {

struct Cut {
  int x = 0, y = 0, width = 0, height = 0;
};

/// Whole pixels that a crop touches.
Cut cutOf(const PixelBox& crop, ImageSize picture) {
  const auto low = [](double at, int size) { return static_cast<int>(std::clamp<double>(std::floor(at), 0, size)); };
  const auto high = [](double at, int size) { return static_cast<int>(std::clamp<double>(std::ceil(at), 0, size)); };
  const int left = low(crop.x, picture.width), top = low(crop.y, picture.height),
            right = high(static_cast<double>(crop.x) + crop.width, picture.width), bottom = high(static_cast<double>(crop.y) + crop.height, picture.height);
  if (right <= left || bottom <= top)
    throw Error("A crop shows nothing", "picture of " + std::to_string(picture.width) + " x " + std::to_string(picture.height), "it lies outside the picture",
                "Draw it again on the Data page.");
  return {left, top, right - left, bottom - top};
}

}  // namespace

ImageSize cropSize(const PixelBox& crop, ImageSize picture) {
  const Cut cut = cutOf(crop, picture);
  return {cut.width, cut.height};
}

Picture cropOf(const std::vector<Picture>& pictures, const PixelBox& crop) {
  const Picture& from = pictures.at(static_cast<std::size_t>(crop.image));
  const Cut cut = cutOf(crop, {from.width, from.height});
  Picture out;
  out.label = from.label + ", crop";
  out.width = cut.width;
  out.height = cut.height;
  const auto line = static_cast<std::size_t>(cut.width) * 3;
  out.rgb.resize(line * static_cast<std::size_t>(cut.height));
  for (int y = 0; y < cut.height; ++y)
    std::memcpy(out.rgb.data() + static_cast<std::size_t>(y) * line,
                from.rgb.data() + (static_cast<std::size_t>(cut.y + y) * static_cast<std::size_t>(from.width) + static_cast<std::size_t>(cut.x)) * 3, line);
  return out;
}

namespace {

std::vector<ImageSize> sizesOf(const std::vector<std::vector<std::uint8_t>>& stored, const std::vector<std::string>& paths, const std::string& id) {
  std::vector<ImageSize> sizes;
  for (std::size_t i = 0; i < stored.size(); ++i)
    sizes.push_back(stored[i].empty() ? readImageSize(paths[i]) : imageSize(stored[i].data(), stored[i].size(), id));
  return sizes;
}

std::vector<Picture> decoded(const std::vector<std::vector<std::uint8_t>>& stored, const std::vector<std::string>& paths, const std::string& id) {
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    Picture picture;
    const bool named = i < paths.size() && !paths[i].empty();
    picture.label = named ? std::filesystem::path(paths[i]).filename().string() : id;
    DecodedImage image = stored[i].empty() ? readImage(paths[i]) : decodeImage(stored[i].data(), stored[i].size(), picture.label);
    picture.width = image.width;
    picture.height = image.height;
    picture.rgb = std::move(image.rgb);
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

}  // namespace

std::vector<ImageSize> pictureSizes(const Sample& sample) { return sizesOf(sample.imageBytes, sample.imagePaths, sample.id); }
std::vector<ImageSize> teacherPictureSizes(const Sample& sample) { return sizesOf(sample.teacherImageBytes, sample.teacherImagePaths, sample.id); }
std::vector<Picture> decodePictures(const Sample& sample) { return decoded(sample.imageBytes, sample.imagePaths, sample.id); }
std::vector<Picture> decodeTeacherPictures(const Sample& sample) { return decoded(sample.teacherImageBytes, sample.teacherImagePaths, sample.id); }

}  // namespace cuescope
