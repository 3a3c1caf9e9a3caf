// Builds without Arrow: parquet is a readable refusal.
#include "engine/core/failure.h"
#include "engine/data/data_export.h"

namespace cuescope {

namespace {
[[noreturn]] void refuse(const std::string& file) {
  throw Error("This build does not read or write parquet", file, "it was configured without Arrow", "Use JSONL, or a build with Arrow.");
}
}  // namespace

bool haveParquet() { return false; }
std::shared_ptr<DatasetFile> openParquet(const std::string& file, std::int64_t) { refuse(file); }
void writeParquet(const std::string& file, const std::vector<Sample>&, std::int64_t) { refuse(file); }
void exportParquet(const std::string& file, const std::string&, bool, const std::function<Sample(std::int64_t)>&, const std::function<std::string(std::int64_t)>&) { refuse(file); }

}  // namespace cuescope
