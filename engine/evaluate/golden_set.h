// GoldenSet: one recorded set (NAME.safetensors with its manifest NAME.json) that is compared tensor by tensor. It keeps account: every
// tensor is either given to the engine as an input, compared, or left out with a reason; what is none of these is a line that failed.
// Engine thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/model/safetensors.h"

namespace cuescope {

/// Values that must be equal have a tolerance of 0.
struct GoldenTolerance {
  double absolute = 0, relative = 0;  // |got - want| <= absolute + relative |want|
  double outside = 0;                 // fraction of the values that may be further away
  double mean = -1;                   // of |got - want|; negative: any
};

nlohmann::json readGoldenJson(const std::filesystem::path& file);
/// A line for two tensors on any device. NaN agrees with NaN alone.
SelfcheckLine compareGolden(const std::string& name, const at::Tensor& got, const at::Tensor& want, const GoldenTolerance& tolerance);
/// A line for things that are equal or not: how many of `count` differ, and the first of them.
SelfcheckLine exactGolden(const std::string& name, std::size_t count, std::size_t wrong, const std::string& first);

class GoldenSet {
 public:
  /// `label` begins the names of its lines.
  GoldenSet(const std::filesystem::path& folder, const std::string& name, std::string label, std::vector<SelfcheckLine>& lines);

  const nlohmann::json& manifest() const { return m_manifest; }
  const Safetensors& tensors() const { return m_tensors; }
  bool has(const std::string& tensor) const { return m_tensors.find(tensor) != nullptr; }
  /// What was recorded, to compare with.
  at::Tensor recorded(const std::string& tensor) const { return m_tensors.read(tensor); }
  /// An input.
  at::Tensor given(const std::string& tensor);
  /// A line that compares `got` with the tensor of that name, or with `want` in its stead (the valid places of it). Does nothing when
  /// nothing of that name was recorded.
  void compare(const std::string& tensor, const at::Tensor& got, const at::Tensor& want = {});
  /// `mask` over the leading dimensions: only these places count.
  void compareWhere(const std::string& tensor, const at::Tensor& got, const at::Tensor& mask);
  void add(SelfcheckLine line) { m_lines.push_back(std::move(line)); }
  /// This build cannot compute what begins so.
  void leaveOut(const std::string& prefix, const std::string& reason);
  /// Inputs of which nothing more is asked.
  void givenAll(const std::string& prefix);
  /// A line that failed for each tensor of which no account was given.
  void finish();

 private:
  GoldenTolerance toleranceOf(const std::string& tensor) const;
  std::string m_label;
  nlohmann::json m_manifest;
  Safetensors m_tensors;
  std::set<std::string> m_known;
  std::vector<SelfcheckLine>& m_lines;
};

/// The sets that are no forward pass: losses, train_step, train_more (selfcheck_training.cpp), preprocess and tokenizer_cases
/// (selfcheck_inputs.cpp).
void checkGoldenLosses(const std::filesystem::path& folder, const std::string& device, std::vector<SelfcheckLine>& lines);
void checkGoldenTraining(const std::filesystem::path& folder, const std::string& device, std::vector<SelfcheckLine>& lines);
void checkGoldenInputs(const std::filesystem::path& folder, std::vector<SelfcheckLine>& lines);
void checkGoldenWords(const std::filesystem::path& folder, std::vector<SelfcheckLine>& lines);

}  // namespace cuescope
