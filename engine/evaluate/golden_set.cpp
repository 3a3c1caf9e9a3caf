#include "engine/evaluate/golden_set.h"

#include <ATen/Functions.h>

#include <fstream>
#include <limits>

#include "engine/core/failure.h"

namespace cuescope {

using nlohmann::json;

json readGoldenJson(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw Error("The file cannot be opened", file.string(), "it is missing or may not be read", "Copy the goldens again.");
  try {
    return json::parse(in);
  } catch (const json::exception& error) {
    throw Error("The file is not JSON", file.string(), error.what(), "Copy the goldens again.");
  }
}

SelfcheckLine compareGolden(const std::string& name, const at::Tensor& got, const at::Tensor& want, const GoldenTolerance& tolerance) {
  SelfcheckLine line;
  line.name = name;
  line.tolerance = tolerance.absolute;
  if (!got.defined() || got.sizes() != want.sizes()) {
    line.largestError = std::numeric_limits<double>::infinity();
    line.note = got.defined() ? "another shape" : "nothing was computed";
    return line;
  }
  const at::Tensor g = got.detach().cpu().to(at::kDouble).flatten(), w = want.detach().cpu().to(at::kDouble).flatten();
  if (w.numel() > 0) {
    const at::Tensor same = g.eq(w).logical_or(g.isnan().logical_and(w.isnan()));
    const at::Tensor error = at::where(same, at::zeros_like(g), (g - w).abs());
    const at::Tensor good = same.logical_or(error.le(w.abs() * tolerance.relative + tolerance.absolute).logical_and(error.isfinite()));
    line.largestError = error.isfinite().all().item<bool>() ? error.max().item<double>() : std::numeric_limits<double>::infinity();
    const double outside = 1 - good.to(at::kDouble).mean().item<double>(), mean = error.mean().item<double>();
    line.ok = outside <= tolerance.outside && (tolerance.mean < 0 || mean <= tolerance.mean);
  } else {
    line.ok = true;
  }
  if (tolerance.absolute == 0 && tolerance.relative == 0) line.note = "exact";
  if (tolerance.relative > 0) line.note = "and " + json(tolerance.relative).dump() + " of the value";
  if (tolerance.outside > 0) line.note += "; " + json(100 * tolerance.outside).dump() + " % may be outside";
  if (tolerance.mean >= 0) line.note += (line.note.empty() ? "" : "; ") + std::string("mean at most ") + json(tolerance.mean).dump();
  return line;
}

SelfcheckLine exactGolden(const std::string& name, std::size_t count, std::size_t wrong, const std::string& first) {
  SelfcheckLine line;
  line.name = name;
  line.largestError = static_cast<double>(wrong);
  line.ok = wrong == 0 && count > 0;
  line.note = "exact; " + std::to_string(count) + " compared" + (count == 0 ? ", so nothing is known" : "") + (wrong ? ", " + std::to_string(wrong) + " differ; the first: " + first : "");
  return line;
}

GoldenSet::GoldenSet(const std::filesystem::path& folder, const std::string& name, std::string label, std::vector<SelfcheckLine>& lines)
    : m_label(std::move(label)), m_manifest(readGoldenJson(folder / (name + ".json"))), m_tensors(Safetensors::open((folder / (name + ".safetensors")).string())), m_lines(lines) {}

at::Tensor GoldenSet::given(const std::string& tensor) {
  m_known.insert(tensor);
  return m_tensors.read(tensor);
}

GoldenTolerance GoldenSet::toleranceOf(const std::string& tensor) const {
  const json entry = m_manifest.at("tensors").value(tensor, json::object()).value("tolerance", json());
  if (!entry.is_object()) return {};  // "exact"
  return {entry.value("atol", 0.0), entry.value("rtol", 0.0), entry.value("max_fraction_outside", 0.0), entry.value("max_mean_abs_diff", -1.0)};
}

void GoldenSet::compare(const std::string& tensor, const at::Tensor& got, const at::Tensor& want) {
  if (!has(tensor)) return;
  m_known.insert(tensor);
  m_lines.push_back(compareGolden(m_label + " " + tensor, got, want.defined() ? want : recorded(tensor), toleranceOf(tensor)));
}

void GoldenSet::compareWhere(const std::string& tensor, const at::Tensor& got, const at::Tensor& mask) {
  if (!has(tensor)) return;
  const at::Tensor want = recorded(tensor);
  if (!got.defined() || got.sizes() != want.sizes()) return compare(tensor, got);
  const at::Tensor where = mask.cpu().to(at::kBool);
  compare(tensor, got.detach().cpu().index({where}), want.index({where}));
}

void GoldenSet::leaveOut(const std::string& prefix, const std::string& reason) {
  std::size_t count = 0;
  for (const TensorEntry& entry : m_tensors.entries())
    if (entry.name.starts_with(prefix) && m_known.insert(entry.name).second) ++count;
  SelfcheckLine line;
  line.name = m_label + " " + prefix + "*";
  line.ok = true;
  line.note = "left out, " + std::to_string(count) + " tensors: " + reason;
  m_lines.push_back(line);
}

void GoldenSet::givenAll(const std::string& prefix) {
  for (const TensorEntry& entry : m_tensors.entries())
    if (entry.name.starts_with(prefix)) m_known.insert(entry.name);
}

void GoldenSet::finish() {
  for (const TensorEntry& entry : m_tensors.entries()) {
    if (m_known.contains(entry.name)) continue;
    SelfcheckLine line;
    line.name = m_label + " " + entry.name;
    line.largestError = std::numeric_limits<double>::infinity();
    line.note = "recorded, but nothing here computes it";
    m_lines.push_back(line);
  }
}

}  // namespace cuescope
