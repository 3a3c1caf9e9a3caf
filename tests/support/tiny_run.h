// A run of three steps on the tiny golden models, as it is started, saved and taken up again. Header only; include before Qt headers.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/distill/run.h"
#include "tests/support/run_parts.h"

namespace cuescope::test {

inline RowSource rows() {
  RowSource source = tinyRows(6, [](std::int64_t, Sample& sample) {
    sample.cue = "A shape in the corner.";
    sample.imageBytes = {bytesOf(golden::path("images/small.png"))};
  });
  source.origin = [](std::int64_t i) { return std::pair<std::string, std::int64_t>("rows.jsonl", i); };
  return source;
}

inline RunConfig tinyConfig() {
  RunConfig config;
  config.trainer.totalTrainingSteps = 3;
  config.trainer.saveFreq = 0;
  config.trainer.testFreq = config.trainer.probeFreq = 0;
  config.trainer.valBeforeTrain = false;
  config.trainer.maxCkptToKeep = 2;
  config.trainer.seed = 11;
  config.data.trainBatchSize = 2;
  config.data.maxPromptLength = 400;
  config.data.maxResponseLength = 4;
  config.distillation.topk = 8;
  config.actor.lr = 1e-3;
  config.teacher.privilege = "cue";
  return config;
}

inline std::unique_ptr<Run> openRun(const RunConfig& config, const std::string& directory, const std::string& resumeFrom = {}, EventSink sink = {}) {
  RunParts parts;
  parts.student = Qwen3VL::load(resumeFrom.empty() ? golden::path("tiny-student-vicur") : resumeFrom, "cpu", "float32");
  parts.teacher = Qwen3VL::load(golden::path("tiny-teacher"), "cpu", "float32");
  parts.studentProcessor = parts.teacherProcessor = std::make_shared<Processor>(golden::path("tiny-student"));
  parts.train = rows();
  if (config.trainer.testFreq > 0) parts.val = rows();
  parts.studentFiles = golden::path("tiny-student-vicur");
  return std::make_unique<Run>(config, std::move(parts), directory, resumeFrom, std::move(sink));
}

/// Up to the moment at which `step` is done and published.
inline void advanceTo(Run& run, int step) {
  while (RunReader(run.directory()).newSteps().empty() || RunReader(run.directory()).newSteps().back()->step < step) run.advance({});
}

inline std::vector<at::Tensor> weightsOf(const Run& run) {
  std::vector<at::Tensor> out;
  for (const auto& p : run.student()->parameters()) out.push_back(p.detach().clone());
  return out;
}

/// The weights of a run that nobody interrupts.
inline std::vector<at::Tensor> weightsAfter(const RunConfig& config, const std::string& directory) {
  const auto run = openRun(config, directory);
  while (run->advance({})) {
  }
  return weightsOf(*run);
}

/// metrics.jsonl without what a clock or the memory says.
inline std::vector<std::map<std::string, double>> numbersOf(const std::string& directory) {
  std::vector<std::map<std::string, double>> all;
  for (const StepPtr& step : RunReader(directory).newSteps()) all.push_back(numbers(*step));
  return all;
}

/// Evaluated and looked at in every step.
inline RunConfig watchedConfig() {
  RunConfig config = tinyConfig();
  config.trainer.testFreq = config.trainer.probeFreq = 1;
  config.trainer.valBeforeTrain = true;
  config.data.valMaxSamples = 2;
  return config;
}

inline std::string textOf(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A checkpoint after every step.
inline RunConfig rehearsalConfig() {
  RunConfig config = tinyConfig();
  config.trainer.saveFreq = 1;
  return config;
}

}  // namespace cuescope::test
