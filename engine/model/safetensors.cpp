#include "engine/model/safetensors.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "engine/core/failure.h"

namespace cuescope {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kLargestHeader = 100ull << 20;  // the format's own limit
constexpr std::uint64_t kWindow = 4ull << 20;           // of memory, that one thread fills before it takes the next
constexpr std::uint64_t kScratch = 256ull << 10;        // of another type, read before it is converted

struct TypeName {
  const char* name;
  at::ScalarType type;
};
constexpr TypeName kTypes[] = {{"F64", at::kDouble},
                               {"F32", at::kFloat},
                               {"F16", at::kHalf},
                               {"BF16", at::kBFloat16},
                               {"I64", at::kLong},
                               {"I32", at::kInt},
                               {"I16", at::kShort},
                               {"I8", at::kChar},
                               {"U8", at::kByte},
                               {"BOOL", at::kBool},
                               {"F8_E4M3", at::kFloat8_e4m3fn},
                               {"F8_E5M2", at::kFloat8_e5m2}};

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error("This safetensors file cannot be used", path, why, "Download or save the file again.");
}

std::shared_ptr<const int> openDescriptor(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw Error("The file cannot be opened", path, std::strerror(errno), "Check the path and the permissions.");
  return {new int(descriptor), [](const int* d) {
            ::close(*d);
            delete d;
          }};
}

void readExactly(int descriptor, void* to, std::uint64_t size, std::uint64_t from, const std::string& path) {
  auto* out = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t n = ::pread(descriptor, out, std::min<std::uint64_t>(size, 1ull << 30), static_cast<off_t>(from));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error("The file cannot be read", path, std::strerror(errno), "Check the disk.");
    if (n == 0) refuse(path, "it ended while it was being read");
    out += n;
    from += static_cast<std::uint64_t>(n);
    size -= static_cast<std::uint64_t>(n);
  }
}

json parseHeader(const std::string& text, const std::string& path) {
  std::set<std::string> keys;
  std::string twice;
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::key && depth == 1 && !keys.insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return true;
  };
  json header;
  try {
    header = json::parse(text, watch);
  } catch (const json::exception&) {
    refuse(path, "its header is not JSON");
  }
  if (!header.is_object()) refuse(path, "its header is not a JSON object");
  if (!twice.empty()) refuse(path, "its header names the tensor " + twice + " twice");
  return header;
}

// A whole number that is not negative, else nothing.
std::optional<std::uint64_t> count(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_integer() && value.get<std::int64_t>() >= 0)
    return static_cast<std::uint64_t>(value.get<std::int64_t>());
  return std::nullopt;
}

TensorEntry parseEntry(const std::string& name, const json& value, const std::string& path, std::uint64_t dataBegin,
                       std::uint64_t fileSize) {
  const auto wrong = [&](const std::string& why) { refuse(path, "the header's entry for " + name + " " + why); };
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets"))
    wrong("lacks dtype, shape or data_offsets");
  const json &dtype = value["dtype"], &shape = value["shape"], &offsets = value["data_offsets"];
  if (!dtype.is_string() || !shape.is_array() || !offsets.is_array() || offsets.size() != 2)
    wrong("has fields of the wrong kind");
  TensorEntry entry;
  entry.name = name;
  const auto* type =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeName& t) { return t.name == dtype; });
  if (type == std::end(kTypes)) wrong("has the unknown type " + dtype.get<std::string>());
  entry.dtype = type->type;
  std::uint64_t bytes = c10::elementSize(entry.dtype);
  for (const json& dimension : shape) {
    const auto n = count(dimension);
    if (!n || *n > (1ull << 48)) wrong("has an impossible shape");
    if (__builtin_mul_overflow(bytes, *n, &bytes)) wrong("has an impossible shape");
    entry.shape.push_back(static_cast<std::int64_t>(*n));
  }
  const auto begin = count(offsets[0]), end = count(offsets[1]);
  if (!begin || !end || *begin > *end) wrong("has impossible offsets");
  if (*end > fileSize - dataBegin)
    wrong("points " + std::to_string(*end - (fileSize - dataBegin)) +
          " bytes beyond the end of the file; the file was probably cut short");
  if (*end - *begin != bytes)
    wrong("claims " + std::to_string(*end - *begin) + " bytes where its shape and type need " + std::to_string(bytes));
  entry.begin = dataBegin + *begin;
  entry.end = dataBegin + *end;
  return entry;
}

// Tensors fill the data part without overlap or gap: bytes that belong to no tensor are a sign of a damaged header.
void checkCoverage(const std::vector<TensorEntry>& entries, std::uint64_t dataBegin, const std::string& path,
                   std::uint64_t size) {
  std::vector<const TensorEntry*> order;
  for (const auto& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](auto* a, auto* b) { return std::tie(a->begin, a->end) < std::tie(b->begin, b->end); });
  std::uint64_t at = dataBegin;
  const TensorEntry* last = nullptr;
  for (const auto* entry : order) {
    if (entry->begin < at)
      refuse(path, "the data of " + entry->name + " overlaps that of " + (last ? last->name : "the header"));
    if (entry->begin > at) refuse(path, "there are bytes before " + entry->name + " that belong to no tensor");
    at = entry->end;
    last = entry;
  }
  if (at != size) refuse(path, std::to_string(size - at) + " bytes at its end belong to no tensor");
}

template <typename From, typename To>
void convertPiece(const void* from, void* to, std::uint64_t n) {
  const auto* in = static_cast<const From*>(from);
  auto* out = static_cast<To*>(to);
  for (std::uint64_t i = 0; i < n; ++i) out[i] = static_cast<To>(static_cast<float>(in[i]));
}

using Convert = void (*)(const void*, void*, std::uint64_t);
template <typename From>
Convert converterFrom(at::ScalarType to) {
  if (to == at::kFloat) return convertPiece<From, float>;
  if (to == at::kBFloat16) return convertPiece<From, c10::BFloat16>;
  if (to == at::kHalf) return convertPiece<From, c10::Half>;
  return nullptr;
}
Convert converter(at::ScalarType from, at::ScalarType to) {
  if (from == at::kFloat) return converterFrom<float>(to);
  if (from == at::kDouble) return converterFrom<double>(to);
  if (from == at::kBFloat16) return converterFrom<c10::BFloat16>(to);
  if (from == at::kHalf) return converterFrom<c10::Half>(to);
  return nullptr;
}

// Large fresh storage is touched for the first time here: huge pages save most of the page faults.
void adviseHugePages(void* data, std::uint64_t bytes) {
  constexpr std::uintptr_t kHuge = 2u << 20;
  const auto begin = (reinterpret_cast<std::uintptr_t>(data) + kHuge - 1) / kHuge * kHuge;
  const auto end = (reinterpret_cast<std::uintptr_t>(data) + bytes) / kHuge * kHuge;
  if (end > begin)
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // advice: failure changes nothing
}

}  // namespace

Safetensors Safetensors::open(const std::string& path) {
  Safetensors out;
  out.add(path);
  return out;
}

void Safetensors::add(const std::string& path) {
  File file{path, 0, {}, openDescriptor(path)};
  struct stat info {};
  if (::fstat(*file.descriptor, &info) != 0) throw Error("The file cannot be opened", path, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) refuse(path, "it is not an ordinary file");
  file.size = static_cast<std::uint64_t>(info.st_size);
  if (file.size < 8) refuse(path, "it has only " + std::to_string(file.size) + " bytes");
  unsigned char length[8];
  readExactly(*file.descriptor, length, 8, 0, path);
  std::uint64_t headerSize = 0;
  for (int i = 7; i >= 0; --i) headerSize = headerSize << 8 | length[i];
  if (headerSize > file.size - 8)
    refuse(path, "its header claims " + std::to_string(headerSize) +
                     " bytes, more than the file has: it was cut short, or it is no safetensors file");
  if (headerSize > kLargestHeader)
    refuse(path, "its header claims " + std::to_string(headerSize) + " bytes; the format allows 100 MB");
  file.header.resize(headerSize);
  readExactly(*file.descriptor, file.header.data(), headerSize, 8, path);

  const std::uint64_t dataBegin = 8 + headerSize;
  std::vector<TensorEntry> entries;
  const json header = parseHeader(file.header, path);
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) refuse(path, "its metadata is not a JSON object");
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) refuse(path, "its metadata holds something else than text");
        m_metadata[key] = text.get<std::string>();
      }
      continue;
    }
    entries.push_back(parseEntry(name, value, path, dataBegin, file.size));
    entries.back().file = m_files.size();
  }
  checkCoverage(entries, dataBegin, path, file.size);
  for (auto& entry : entries) {
    if (!m_index.emplace(entry.name, m_entries.size()).second)
      refuse(path, "another file of the folder holds " + entry.name + " too");
    m_entries.push_back(std::move(entry));
  }
  m_files.push_back(std::move(file));
}

Safetensors Safetensors::openFolder(const std::string& folder) {
  const fs::path base(folder);
  std::error_code ignored;
  Safetensors out;
  if (fs::exists(base / "model.safetensors", ignored)) {
    out.add((base / "model.safetensors").string());
    return out;
  }
  const fs::path indexPath = base / "model.safetensors.index.json";
  if (!fs::exists(indexPath, ignored)) {
    bool pickle = false;
    for (const auto& item : fs::directory_iterator(base, ignored)) {
      const auto extension = item.path().extension();
      pickle = pickle || extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt";
    }
    if (pickle)
      throw Error("This folder has its weights only as a pickle", folder,
                  "pickle files (.bin, .pt) can run any code when they are opened, so Cuescope never opens them",
                  "Convert the weights to model.safetensors, for example with Transformers' save_pretrained.");
    throw Error("This folder has no weights", folder,
                "there is neither model.safetensors nor model.safetensors.index.json in it",
                "Choose the folder of a Hugging Face Qwen3-VL model.");
  }
  std::ifstream stream(indexPath);
  const json index = json::parse(stream, nullptr, false);
  if (index.is_discarded() || !index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    throw Error("The list of weight files cannot be read", indexPath.string(), "it is not JSON with a weight_map",
                "Download the file again.");
  std::map<std::string, std::string> shardOf;
  std::set<std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    const std::string file = shard.is_string() ? shard.get<std::string>() : std::string();
    if (file.empty() || file.find('/') != std::string::npos || file == "..")
      throw Error("The list of weight files cannot be read", indexPath.string(),
                  "the file named for " + name + " is not one of this folder");
    shardOf[name] = file;
    shards.insert(file);
  }
  for (const auto& shard : shards) {
    if (!fs::exists(base / shard, ignored))
      throw Error("A weight file is missing", (base / shard).string(), "model.safetensors.index.json names it",
                  "Download it, or copy the whole folder again.");
    out.add((base / shard).string());
  }
  for (const auto& [name, shard] : shardOf) {
    const TensorEntry* entry = out.find(name);
    if (!entry)
      throw Error("A weight is missing", (base / shard).string(),
                  "the index says that it holds " + name + ", but it does not", "Download the file again.");
  }
  return out;
}

const TensorEntry* Safetensors::find(const std::string& name) const {
  const auto found = m_index.find(name);
  return found == m_index.end() ? nullptr : &m_entries[found->second];
}

at::Tensor Safetensors::read(const std::string& name) const {
  const TensorEntry* entry = find(name);
  if (!entry)
    throw Error("A tensor is missing", m_files.empty() ? std::string() : m_files[0].path,
                "there is none named " + name);
  at::Tensor out = at::empty(entry->shape, at::TensorOptions().dtype(entry->dtype));
  const File& file = m_files[entry->file];
  readExactly(*file.descriptor, out.data_ptr(), entry->bytes(), entry->begin, file.path);
  return out;
}

void Safetensors::readInto(const std::vector<Target>& targets, const std::function<void(double)>& progress) const {
  struct Piece {
    const TensorEntry* entry;
    char* to;  // where the piece's first element goes
    std::uint64_t from, elements;
    Convert convert;
    std::uint64_t toElement;
  };
  std::vector<Piece> pieces;
  std::vector<const Target*> rest;  // other devices and types: through LibTorch, one at a time
  std::uint64_t total = 0;
  for (const Target& target : targets) {
    const TensorEntry& entry = *target.entry;
    if (target.tensor.numel() * static_cast<std::int64_t>(c10::elementSize(entry.dtype)) !=
        static_cast<std::int64_t>(entry.bytes()))
      throw Error("A weight has the wrong shape", m_files[entry.file].path,
                  entry.name + " does not fit the model of config.json");
    const auto to = target.tensor.scalar_type();
    const Convert convert = to == entry.dtype ? nullptr : converter(entry.dtype, to);
    if (!target.tensor.is_cpu() || !target.tensor.is_contiguous() || (to != entry.dtype && !convert)) {
      rest.push_back(&target);
      continue;
    }
    auto* data = static_cast<char*>(target.tensor.data_ptr());
    const std::uint64_t toElement = c10::elementSize(to), fromElement = c10::elementSize(entry.dtype);
    adviseHugePages(data, target.tensor.numel() * toElement);
    // Cut where a window of the memory ends: two threads that begin in one large page wait for one another.
    const auto count = static_cast<std::uint64_t>(target.tensor.numel());
    for (std::uint64_t at = 0; at < count;) {
      char* const piece = data + at * toElement;
      const std::uint64_t room = kWindow - reinterpret_cast<std::uintptr_t>(piece) % kWindow;
      const std::uint64_t n = std::min(count - at, (room + toElement - 1) / toElement);
      pieces.push_back({&entry, piece, entry.begin + at * fromElement, n, convert, toElement});
      at += n;
    }
    total += entry.bytes();
  }
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return std::tie(a.entry->file, a.from) < std::tie(b.entry->file, b.from);
  });
  const auto window = [](const Piece& piece) { return reinterpret_cast<std::uintptr_t>(piece.to) / kWindow; };
  std::vector<std::size_t> shares;  // where a share begins: neighbours that fill one window
  for (std::size_t i = 0; i < pieces.size(); ++i)
    if (i == 0 || window(pieces[i]) != window(pieces[i - 1])) shares.push_back(i);
  shares.push_back(pieces.size());

  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> done{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto fill = [&](const Piece& piece, std::vector<char>& scratch) {
    const File& file = m_files[piece.entry->file];
    const std::uint64_t fromElement = c10::elementSize(piece.entry->dtype);
    if (!piece.convert) {
      readExactly(*file.descriptor, piece.to, piece.elements * fromElement, piece.from, file.path);
    } else {
      scratch.resize(kScratch);
      for (std::uint64_t at = 0; at < piece.elements;) {
        const std::uint64_t n = std::min(piece.elements - at, kScratch / fromElement);
        readExactly(*file.descriptor, scratch.data(), n * fromElement, piece.from + at * fromElement, file.path);
        piece.convert(scratch.data(), piece.to + at * piece.toElement, n);
        at += n;
      }
    }
    done += piece.elements * fromElement;
  };
  const auto work = [&](bool reports) {
    std::vector<char> scratch;
    try {
      for (std::size_t share = next++; share + 1 < shares.size(); share = next++) {
        for (std::size_t i = shares[share]; i < shares[share + 1]; ++i) fill(pieces[i], scratch);
        if (reports && progress) progress(static_cast<double>(done) / static_cast<double>(total));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next = shares.size();
    }
  };
  const int helpers = total > 4 * kWindow ? std::clamp(at::get_num_threads() - 1, 0, 7) : 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < helpers; ++i) threads.emplace_back([&] { work(false); });
    work(true);
  }
  if (failure) std::rethrow_exception(failure);
  for (const Target* target : rest) {
    c10::InferenceMode off(false);
    at::NoGradGuard noGrad;
    target->tensor.copy_(read(target->entry->name).view_as(target->tensor));
  }
}

void writeSafetensors(const std::string& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                    [&](const TypeName& t) { return t.type == tensor.scalar_type(); });
    if (type == std::end(kTypes))
      throw Error("A tensor cannot be written", path, name + " has a type that safetensors does not know");
    if (header.contains(name)) throw Error("A tensor cannot be written", path, name + " is there twice");
    header[name] = {
        {"dtype", type->name}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, offset + tensor.nbytes()}}};
    offset += tensor.nbytes();
  }
  std::string text = header.dump();
  text.append((64 - (8 + text.size()) % 64) % 64, ' ');  // data on a cache line

  const std::string temporary = path + ".part-" + std::to_string(::getpid());
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const auto fail = [&](int number) {
    if (descriptor >= 0) {
      ::close(descriptor);
      ::unlink(temporary.c_str());
    }
    if (meansDiskFull(number)) throw DiskFull("The file cannot be written", path, 8 + text.size() + offset);
    throw Error("The file cannot be written", path, std::strerror(number), "Check the folder's permissions.");
  };
  if (descriptor < 0) fail(errno);
  const auto put = [&](const void* data, std::uint64_t size) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t n = ::write(descriptor, bytes, std::min<std::uint64_t>(size, 1ull << 30));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(errno);
      bytes += n;
      size -= static_cast<std::uint64_t>(n);
    }
  };
  unsigned char length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(text.size() >> (8 * i));
  put(length, 8);
  put(text.data(), text.size());
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor bytes = tensor.detach().cpu().contiguous();
    put(bytes.data_ptr(), bytes.nbytes());
  }
  if (::fsync(descriptor) != 0) fail(errno);
  ::close(descriptor);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int number = errno;
    ::unlink(temporary.c_str());
    if (meansDiskFull(number)) throw DiskFull("The file cannot be written", path, 8 + text.size() + offset);
    throw Error("The file cannot be written", path, std::strerror(number), "Check the folder's permissions.");
  }
  const std::string parent = fs::path(path).parent_path().string();
  if (const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      folder >= 0) {
    ::fsync(folder);  // the rename itself; not every file system can
    ::close(folder);
  }
}

}  // namespace cuescope
