// Golden sets: recorded reference tensors (NAME.safetensors) with the tolerance that their manifest (NAME.json) states for each.
// Header only, no Qt; include it before Qt headers. Errors are std::runtime_error with the file and the tensor in the text.
//   golden::Set set("preprocess");
//   std::string message;
//   QVERIFY2(set.close("image.odd.pixel_values", got, &message), message.c_str());
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace golden {

/// A file below tests/golden.
inline std::string path(const std::string& name) { return std::string(CUESCOPE_GOLDEN) + "/" + name; }

inline std::vector<char> readBytes(const std::string& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  if (!in) throw std::runtime_error(file + ": cannot be opened");
  std::vector<char> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

inline nlohmann::json readJson(const std::string& file) {
  const auto bytes = readBytes(file);
  return nlohmann::json::parse(bytes.begin(), bytes.end());
}

/// All tensors of a safetensors file, by name.
inline std::map<std::string, at::Tensor> readSafetensors(const std::string& file) {
  static const std::map<std::string, at::ScalarType> types = {
      {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}, {"I64", at::kLong},
      {"I32", at::kInt},    {"I16", at::kShort}, {"I8", at::kChar},  {"U8", at::kByte},       {"BOOL", at::kBool}};
  const auto bytes = readBytes(file);
  std::uint64_t headerSize = 0;
  std::memcpy(&headerSize, bytes.data(), sizeof headerSize);
  const char* data = bytes.data() + sizeof headerSize + headerSize;
  const auto header = nlohmann::json::parse(bytes.data() + sizeof headerSize, data);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    const auto begin = entry["data_offsets"][0].get<std::size_t>(), end = entry["data_offsets"][1].get<std::size_t>();
    auto tensor = at::empty(entry["shape"].get<std::vector<std::int64_t>>(), types.at(entry["dtype"]));
    if (tensor.nbytes() != end - begin) throw std::runtime_error(file + ": " + name + " has a size that is not its shape's");
    std::memcpy(tensor.data_ptr(), data + begin, end - begin);
    tensors.emplace(name, tensor);
  }
  return tensors;
}

/// |got - want| <= atol + rtol |want| for all values but a fraction maxOutside, and the mean of |got - want| at most maxMean.
struct Tolerance {
  double atol = 0, rtol = 0;
  double maxOutside = 0;
  double maxMean = std::numeric_limits<double>::infinity();
};

/// Compares two tensors; false fills `message` with the worst element. Equal infinities agree; NaN agrees with NaN only.
/// `rows`, a bool (or 0/1) tensor over the leading dimensions, limits the comparison to its true places («valid positions only»).
inline bool compare(const std::string& name, at::Tensor got, at::Tensor want, const Tolerance& tolerance, std::string* message,
                    const at::Tensor& rows = {}) {
  std::ostringstream text;
  text << name << ": ";
  const auto fail = [&] {
    if (message) *message = text.str();
    return false;
  };
  if (!got.defined()) {
    text << "the result is an undefined tensor";
    return fail();
  }
  got = got.detach().cpu();
  if (got.sizes() != want.sizes()) {
    text << "shape " << got.sizes() << ", expected " << want.sizes();
    return fail();
  }
  if (rows.defined()) {
    const auto mask = rows.cpu().to(at::kBool);
    got = got.index({mask});
    want = want.index({mask});
  }
  got = got.to(at::kDouble).contiguous().flatten();
  want = want.to(at::kDouble).contiguous().flatten();
  if (want.numel() == 0) return true;
  const auto same = got.eq(want).logical_or(got.isnan().logical_and(want.isnan()));
  const auto difference = at::where(same, at::zeros_like(got), (got - want).abs());
  const auto allowed = want.abs().mul(tolerance.rtol).add(tolerance.atol);
  const auto good = difference.le(allowed).logical_and(difference.isfinite());  // NaN and infinity agree only when same
  const auto bad = same.logical_or(good).logical_not();
  const auto badCount = bad.sum().item<std::int64_t>();
  const double mean = difference.mean().item<double>();
  const double outside = static_cast<double>(badCount) / static_cast<double>(want.numel());
  if (outside <= tolerance.maxOutside && !(mean > tolerance.maxMean)) return true;
  const auto excess = at::where(bad, at::nan_to_num(difference - allowed, 1e300, 1e300, -1e300), at::full_like(difference, -1e300));
  const auto worst = excess.argmax().item<std::int64_t>();
  text << badCount << " of " << want.numel() << " values outside atol " << tolerance.atol << " rtol " << tolerance.rtol
       << "; worst at flat index " << worst << (rows.defined() ? " of the compared rows" : "") << ": got "
       << got[worst].item<double>() << ", expected " << want[worst].item<double>() << "; mean difference " << mean;
  if (mean > tolerance.maxMean) text << " (at most " << tolerance.maxMean << ")";
  return fail();
}

class Set {
 public:
  explicit Set(const std::string& name)
      : m_name(name), m_manifest(readJson(path(name + ".json"))), m_tensors(readSafetensors(path(name + ".safetensors"))) {}

  /// The whole manifest: tables and options live beside its "tensors".
  const nlohmann::json& manifest() const { return m_manifest; }
  bool has(const std::string& tensor) const { return m_tensors.count(tensor) > 0; }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, tensor] : m_tensors) result.push_back(name);
    return result;
  }
  const at::Tensor& operator[](const std::string& tensor) const {
    const auto found = m_tensors.find(tensor);
    if (found == m_tensors.end()) throw std::runtime_error(m_name + ": no tensor named " + tensor);
    return found->second;
  }
  Tolerance tolerance(const std::string& tensor) const {
    const auto& entry = m_manifest.at("tensors").at(tensor).at("tolerance");
    if (entry.is_string()) return {};  // "exact"
    return {entry.value("atol", 0.0), entry.value("rtol", 0.0), entry.value("max_fraction_outside", 0.0),
            entry.value("max_mean_abs_diff", std::numeric_limits<double>::infinity())};
  }
  /// `got` against the tensor of that name, with the manifest's tolerance.
  bool close(const std::string& tensor, const at::Tensor& got, std::string* message, const at::Tensor& rows = {}) const {
    return compare(m_name + " " + tensor, got, (*this)[tensor], tolerance(tensor), message, rows);
  }

 private:
  std::string m_name;
  nlohmann::json m_manifest;
  std::map<std::string, at::Tensor> m_tensors;
};

}  // namespace golden
