// The row groups of a parquet file, decoded when a row of them is asked for. Drawing rows at random asks for another group with nearly
// every row: those that were used last stay, as many as fit a bound, the newest in any case. A group that is larger than the bound is
// never whole in memory: it is decoded once, in batches, into a file without a name, and its batches are read from there in any order.
// Where no such file can be written it is held whole. Not thread-safe; engine thread.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace parquet::arrow {
class FileReader;
}

namespace cuescope {

class ParquetGroups {
 public:
  /// Throws Error when this is no parquet file.
  ParquetGroups(const std::string& file, std::int64_t keptBytes);
  ~ParquetGroups();

  const arrow::Schema& schema() const { return *m_schema; }
  std::int64_t rows() const { return m_ends.empty() ? 0 : m_ends.back(); }
  /// How often a group was decoded.
  std::int64_t reads() const { return m_reads; }
  /// Bytes that stay once all rows were drawn, by what the file says of itself.
  std::int64_t keptBytes() const;

  /// A decoded table that holds the row, and its place in there. Throws std::exception.
  struct Place {
    std::shared_ptr<arrow::Table> table;
    std::int64_t row = 0;
  };
  Place place(std::int64_t row);

 private:
  struct Unpacked;  // a large group in its file
  struct Part {
    std::pair<int, int> of;  // group, and batch of a large one
    std::shared_ptr<arrow::Table> table;
    std::int64_t bytes = 0;
  };
  std::shared_ptr<arrow::Table> keep(std::pair<int, int> of, std::shared_ptr<arrow::Table> table);
  std::shared_ptr<arrow::Table> kept(std::pair<int, int> of);
  const Unpacked* unpacked(int group);  // null: there is no room for its file

  std::string m_file;
  std::int64_t m_keptBytes;
  std::unique_ptr<parquet::arrow::FileReader> m_reader;
  std::shared_ptr<arrow::Schema> m_schema;
  std::vector<std::int64_t> m_ends, m_bytes;  // by group: rows up to its end, bytes decoded
  std::map<int, std::unique_ptr<Unpacked>> m_unpacked;
  std::list<Part> m_parts;  // the latest use first
  std::int64_t m_reads = 0;
};

}  // namespace cuescope
