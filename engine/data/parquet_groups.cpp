#include "engine/data/parquet_groups.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/byte_size.h>
#include <parquet/arrow/reader.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "engine/core/failure.h"

namespace cuescope {
namespace {

constexpr const char* kWhat = "The parquet file could not be opened";
constexpr const char* kNext = "If it was cut short, copy or download it again; if it is of another kind, name it .jsonl or write it as parquet.";
constexpr std::int64_t kBatchBytes = 8 << 20;      // of a large group, decoded at a time
constexpr std::int64_t kStreamBytes = 1 << 20;     // of each column, read ahead of the decoder

void check(const arrow::Status& status, const std::string& file) {
  if (!status.ok()) throw Error(kWhat, file, status.message(), kNext);
}

template <typename T>
T must(arrow::Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().message());
  return std::move(*result);
}
void must(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message());
}

/// A file that is gone when it is closed; below 0 where none can be made. /var/tmp lies on a disk where /tmp may lie in memory.
struct NamelessFile {
  int file = -1;
  NamelessFile() {
    std::error_code ignored;
    const char* own = std::getenv("TMPDIR");
    for (const std::string& folder : {std::string(own ? own : ""), std::string("/var/tmp"), std::filesystem::temp_directory_path(ignored).string()}) {
      if (folder.empty()) continue;
      std::string name = folder + "/cuescope-rows-XXXXXX";
      if ((file = mkstemp(name.data())) < 0) continue;
      unlink(name.c_str());
      return;
    }
  }
  NamelessFile(const NamelessFile&) = delete;
  ~NamelessFile() {
    if (file >= 0) close(file);
  }
};

}  // namespace

struct ParquetGroups::Unpacked {
  std::shared_ptr<arrow::ipc::RecordBatchFileReader> reader;
  std::vector<std::int64_t> ends;  // rows up to the end of each batch
};

ParquetGroups::ParquetGroups(const std::string& file, std::int64_t keptBytes) : m_file(file), m_keptBytes(keptBytes) {
  try {
    parquet::arrow::FileReaderBuilder builder;
    check(builder.OpenFile(file), file);
    check(builder.Build(&m_reader), file);
    check(m_reader->GetSchema(&m_schema), file);
    const auto metadata = m_reader->parquet_reader()->metadata();
    for (int g = 0; g < metadata->num_row_groups(); ++g) {
      m_ends.push_back(rows() + metadata->RowGroup(g)->num_rows());
      m_bytes.push_back(metadata->RowGroup(g)->total_byte_size());
    }
  } catch (const parquet::ParquetException& error) {
    throw Error(kWhat, file, error.what(), kNext);
  }
}

ParquetGroups::~ParquetGroups() = default;

std::int64_t ParquetGroups::keptBytes() const {
  std::int64_t all = 0;
  for (const std::int64_t bytes : m_bytes) all += bytes;
  return std::min(all, m_keptBytes);
}

ParquetGroups::Place ParquetGroups::place(std::int64_t row) {
  const auto group = static_cast<int>(std::upper_bound(m_ends.begin(), m_ends.end(), row) - m_ends.begin());
  const auto g = static_cast<std::size_t>(group);
  const std::int64_t within = row - (group == 0 ? 0 : m_ends[g - 1]);
  if (const Unpacked* large = m_bytes[g] > m_keptBytes ? unpacked(group) : nullptr) {
    const auto batch = static_cast<int>(std::upper_bound(large->ends.begin(), large->ends.end(), within) - large->ends.begin());
    auto table = kept({group, batch});
    if (!table) table = keep({group, batch}, must(arrow::Table::FromRecordBatches({must(large->reader->ReadRecordBatch(batch))})));
    return {table, within - (batch == 0 ? 0 : large->ends[static_cast<std::size_t>(batch) - 1])};
  }
  auto table = kept({group, 0});
  if (!table) {
    table = must(m_reader->ReadRowGroup(group));
    ++m_reads;
    keep({group, 0}, table);
  }
  return {table, within};
}

std::shared_ptr<arrow::Table> ParquetGroups::kept(std::pair<int, int> of) {
  const auto known = std::find_if(m_parts.begin(), m_parts.end(), [&](const Part& part) { return part.of == of; });
  if (known == m_parts.end()) return nullptr;
  m_parts.splice(m_parts.begin(), m_parts, known);
  return known->table;
}

std::shared_ptr<arrow::Table> ParquetGroups::keep(std::pair<int, int> of, std::shared_ptr<arrow::Table> table) {
  m_parts.push_front({of, table, std::max<std::int64_t>(1, arrow::util::TotalBufferSize(*table))});
  std::int64_t bytes = 0;
  for (auto it = m_parts.begin(); it != m_parts.end();) {
    bytes += it->bytes;
    it = bytes > m_keptBytes && it != m_parts.begin() ? m_parts.erase(it) : std::next(it);
  }
  return table;
}

// A second reader, which streams: the first one reads whole columns of a group at once.
const ParquetGroups::Unpacked* ParquetGroups::unpacked(int group) {
  if (const auto known = m_unpacked.find(group); known != m_unpacked.end()) return known->second.get();
  const NamelessFile file;
  if (file.file < 0) return (m_unpacked[group] = nullptr).get();
  const auto sink = must(arrow::io::FileOutputStream::Open(dup(file.file)));
  const std::int64_t rows = m_ends[static_cast<std::size_t>(group)] - (group == 0 ? 0 : m_ends[static_cast<std::size_t>(group) - 1]);
  auto large = std::make_unique<Unpacked>();
  parquet::ReaderProperties reading = parquet::default_reader_properties();
  reading.enable_buffered_stream();
  reading.set_buffer_size(kStreamBytes);
  parquet::ArrowReaderProperties decoding;
  decoding.set_pre_buffer(false);
  decoding.set_batch_size(std::clamp<std::int64_t>(rows * std::min(kBatchBytes, m_keptBytes) / m_bytes[static_cast<std::size_t>(group)], 1, rows));
  parquet::arrow::FileReaderBuilder builder;
  must(builder.OpenFile(m_file, false, reading));
  builder.properties(decoding);
  const auto reader = must(builder.Build());
  const auto batches = must(reader->GetRecordBatchReader(std::vector<int>{group}));
  const auto writer = must(arrow::ipc::MakeFileWriter(sink, batches->schema()));
  ++m_reads;
  std::int64_t end = 0;
  for (;;) {
    std::shared_ptr<arrow::RecordBatch> batch;
    must(batches->ReadNext(&batch));  // a damaged file: the rows of this group cannot be read
    if (!batch) break;
    if (batch->num_rows() == 0) continue;
    if (!writer->WriteRecordBatch(*batch).ok()) return (m_unpacked[group] = nullptr).get();  // the disk is full
    large->ends.push_back(end += batch->num_rows());
  }
  if (!writer->Close().ok() || !sink->Close().ok()) return (m_unpacked[group] = nullptr).get();
  const auto source = must(arrow::io::ReadableFile::Open(dup(file.file)));  // not before: it looks at the size once
  large->reader = must(arrow::ipc::RecordBatchFileReader::Open(source));
  return (m_unpacked[group] = std::move(large)).get();
}

}  // namespace cuescope
