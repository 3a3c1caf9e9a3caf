// TensorBoard event files: scalars, written and read without protobuf (a dozen fields). A record is
//   uint64 length | masked crc32c of the length | bytes of an Event message | masked crc32c of the bytes        (little endian)
// Source: the TFRecord layout and event.proto / summary.proto of TensorFlow. No torch, no Qt; one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cuescope {

/// Appends to folder/events.out.tfevents.<start>.cuescope. Throws Error when the disk refuses (DiskFull when it is full; then no part
/// of the record is there).
class EventFileWriter {
 public:
  /// `startSeconds` names the file and stamps its first record; a run gives its own start, so that equal runs give equal files
  /// apart from times.
  EventFileWriter(const std::string& folder, double startSeconds);
  ~EventFileWriter();
  EventFileWriter(const EventFileWriter&) = delete;
  EventFileWriter& operator=(const EventFileWriter&) = delete;

  /// All scalars of one step in one record, flushed to the kernel before it returns. Values that are not finite are written as
  /// they are: TensorBoard shows them as such.
  void scalars(std::int64_t step, double wallSeconds, const std::map<std::string, double>& values);
  /// Says that what other files of the folder hold of `step` and later no longer counts: TensorBoard leaves it
  /// out, and so does readForeignSteps.
  void restart(std::int64_t step, double wallSeconds);
  const std::string& file() const { return m_path; }

 private:
  void record(const std::string& bytes);
  std::string m_path;
  int m_file = -1;
};

struct EventScalar {
  std::int64_t step = 0;
  double wallSeconds = 0;
  float value = 0;
};
struct EventFileContents {
  std::map<std::string, std::vector<EventScalar>> scalars;
  std::optional<std::int64_t> restart;  // what files before this one hold of this step and later no longer counts
  bool truncated = false;  // the last record is incomplete: a writer may still be at it
  std::int64_t wholeBytes = 0;  // of the records before it
};
/// Scalars of one event file (simple values and rank-0 float tensors; everything else is skipped). Throws Error that names the
/// offset when a checksum does not match or the file is none.
EventFileContents readEventFile(const std::string& file);

/// Cuts a record that a dead writer left half-written off the end of each event file of a folder. Only for the folder's owner.
void cutTornRecords(const std::string& folder);

/// CRC-32C (Castagnoli), and TensorFlow's masked form of it.
std::uint32_t crc32c(const void* bytes, std::size_t size);
std::uint32_t maskedCrc32c(const void* bytes, std::size_t size);

}  // namespace cuescope
