// Dataset: rows of questions about pictures from parquet or JSONL files, in verl's columns (spec 3.1) and a few of our own.
// Rows are read when asked for: parquet by row group, of which the latest stay decoded (kKeptGroupBytes a file; parquet_groups.h), JSONL by line offset. Not thread-safe; engine thread.
//
// Columns. Required: `prompt`. Known: data_source, teacher_prompt, images [{bytes, path}], videos [{video, fps, nframes, min_frames,
// max_frames}] (video: a file; relative to the data file, or a file:// address), reward_model {style, ground_truth},
// ability, extra_info {index, split, answer, question}. Ours: id, hint, cue, cue_provenance, evidence [{image, x, y, w, h, label}]
// (pixels of the stored picture; kind "crop" of one shows the teacher that part), kind, layout ("image-first" or "question-first"),
// teacher_images, written as images: what the teacher sees in their place (teacherPrompt in distill/teacher.h says when).
// In JSONL `bytes` is base64 and `path` is relative to the file; a picture may also be {"image": path, file:// address or
// data:image/...;base64,...}, as verl's image reader takes it.
// Other columns are ignored, but for text, which Sample::texts keeps. A bad row throws Error that names file, row and reason; the caller decides what to do with it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/cue_edits.h"
#include "engine/core/failure.h"
#include "engine/core/snapshots.h"
#include "engine/data/processor.h"
#include "engine/media/decode.h"

namespace cuescope {

/// A video of a row, and how it is to be read where the row says so.
struct VideoFile {
  std::string path;      // absolute or relative to the data file
  VideoOptions options;
};

/// One row. Empty strings and vectors stand for absent values.
struct Sample {
  std::string id;
  std::string dataSource;
  std::vector<Turn> prompt;        // text with <image> and <video> marks; as many of each as pictures and videos
  std::vector<Turn> teacherTurns;  // verl's teacher_prompt; empty: the teacher reads `prompt` (and `cue` or `hint`)
  std::string hint;                // gives the answer away
  std::string cue;                 // says where to look
  std::string rewardStyle = "rule", groundTruth;
  std::string ability;
  std::string question, answer;    // extra_info: bare question, reference response
  std::string kind, layout;
  std::string split;
  std::int64_t index = -1;
  std::vector<std::vector<std::uint8_t>> imageBytes;  // encoded files; empty where imagePaths says where the file lies
  std::vector<std::string> imagePaths;                // same length as imageBytes; absolute or relative to the data file
  std::vector<std::vector<std::uint8_t>> teacherImageBytes;  // the same of the column `teacher_images`; none: the teacher sees the student's
  std::vector<std::string> teacherImagePaths;
  std::vector<VideoFile> videos;                      // files; verl's column `videos`
  std::vector<PixelBox> evidence;
  std::vector<PixelBox> crops;     // parts of the pictures that a cue shows besides (evidence of kind "crop"); they count as evidence too
  bool cueEdited = false;          // cue, evidence and crops are those of an edit beside the data
  std::map<std::string, std::string> texts;  // every text column by name, for privileges of one's own; cue_provenance as JSON

  std::size_t pictures() const { return imageBytes.size(); }
  bool hasTeacherPictures() const { return !teacherImageBytes.empty(); }
  /// The teacher's view is whole as the data have it, words and pictures: no cue or hint is added to it.
  bool hasTeacherView() const { return hasTeacherPictures() && !teacherTurns.empty(); }
};

/// Rows of one file.
class DatasetFile {
 public:
  virtual ~DatasetFile() = default;
  virtual std::int64_t size() const = 0;
  virtual Sample row(std::int64_t i) const = 0;
  /// How often a row group was read and decoded; 0 where a file has none.
  virtual std::int64_t groupReads() const { return 0; }
  /// Bytes of decoded row groups that stay once all rows were drawn, by what the file says of itself.
  virtual std::int64_t decodedBytes() const { return 0; }
};
/// Decoded row groups of one parquet file that stay in memory; one is there whatever its size.
inline constexpr std::int64_t kKeptGroupBytes = 128ll << 20;

/// Edits of a data file that a person made on the Data page (engine/core/cue_edits.h).
struct EditedFile {
  std::string file, editsFile;
  std::string digest;  // of the edits' bytes
  std::int64_t rows = 0, crops = 0;  // rows that differ from the data; crops among their marks
  bool applied = false;
};

/// An edit was made on another version of the row than the one that is there.
class StaleCueEdit : public Error {
 public:
  using Error::Error;
};

class Dataset {
 public:
  /// Files are concatenated; .parquet, .jsonl or .json. Only what is needed to count rows and check columns is read. With `cueEdits`
  /// the edits beside each file take the place of its cues and marks. Throws Error.
  static Dataset open(const std::vector<std::string>& files, bool cueEdits = false);

  std::int64_t size() const { return m_ends.empty() ? 0 : m_ends.back(); }
  /// Throws Error for a bad row (the caller may skip it) and std::out_of_range for a wrong index.
  Sample row(std::int64_t i) const;
  /// Of all files (DatasetFile::decodedBytes).
  std::int64_t decodedBytes() const;
  /// The edits that lie beside the files, applied or not; files without any are left out.
  const std::vector<EditedFile>& edited() const { return m_edited; }
  /// File and row inside it, for messages.
  std::pair<std::string, std::int64_t> origin(std::int64_t i) const;

 private:
  std::vector<std::string> m_names;
  std::vector<std::shared_ptr<DatasetFile>> m_files;
  std::vector<std::int64_t> m_ends;
  std::vector<CueEdits> m_edits;  // by file; empty without
  std::vector<EditedFile> m_edited;
};

/// Puts an edit in the place of the row's cue, evidence and crops; of pictures that it does not know (ofAllPictures) they stay. Throws StaleCueEdit when the
/// row is not the one that was edited.
void applyCueEdit(Sample& sample, const CueEdit& edit, const std::string& file, std::int64_t row);
/// The picture that `crop` cuts out of pictures[crop.image].
Picture cropOf(const std::vector<Picture>& pictures, const PixelBox& crop);
/// Its size by that of the picture. Throws Error when nothing of it lies inside.
ImageSize cropSize(const PixelBox& crop, ImageSize picture);
/// Sizes of a sample's pictures from their headers (media/decode.h). Throws Error as decodePictures, but for damage in the pixels.
std::vector<ImageSize> pictureSizes(const Sample& sample);
std::vector<ImageSize> teacherPictureSizes(const Sample& sample);

/// The marks of the turns in their order: true for <video>, false for <image>.
std::vector<bool> videoMarks(const std::vector<Turn>& turns);
/// What belongs to the pictures and to the videos of a row, in the order of the marks. Where their numbers do not match (checkSample,
/// Processor::prompt) pictures come first, and whoever reads them with the marks complains.
template <typename T>
std::vector<T> inMarkOrder(const std::vector<Turn>& turns, const std::vector<T>& pictures, const std::vector<T>& videos) {
  const std::vector<bool> marks = videoMarks(turns);
  std::vector<T> out = pictures;
  out.insert(out.end(), videos.begin(), videos.end());
  const auto filmed = static_cast<std::size_t>(std::count(marks.begin(), marks.end(), true));
  if (filmed != videos.size() || marks.size() != out.size()) return out;
  std::size_t picture = 0, video = 0;
  for (std::size_t i = 0; i < marks.size(); ++i) out[i] = marks[i] ? videos[video++] : pictures[picture++];
  return out;
}

/// The pictures of a sample, decoded (bytes, or the files named by imagePaths). Throws Error.
std::vector<Picture> decodePictures(const Sample& sample);
std::vector<Picture> decodeTeacherPictures(const Sample& sample);

/// Throws Error when marks and pictures of `sample` do not match, a turn has no role, or an evidence box names no picture.
void checkSample(const Sample& sample, const std::string& file, std::int64_t row);

/// The file that a row of `folder`'s data names as a video: absolute, relative to the folder, or a file:// address. Throws
/// std::invalid_argument for other addresses.
std::string videoPath(const std::string& named, const std::string& folder);

/// Whether this build reads and writes parquet.
bool haveParquet();
/// One file of one kind. `keptBytes`: of decoded row groups. Parquet is an Error in builds without Arrow.
std::shared_ptr<DatasetFile> openParquet(const std::string& file, std::int64_t keptBytes = kKeptGroupBytes);
std::shared_ptr<DatasetFile> openJsonl(const std::string& file);
/// Written next to the file and renamed: a reader never sees half a file.
void writeParquet(const std::string& file, const std::vector<Sample>& samples, std::int64_t rowsPerGroup = 100);
void writeJsonl(const std::string& file, const std::vector<Sample>& samples);

}  // namespace cuescope
