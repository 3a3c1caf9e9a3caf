// Rows of small pictures, and whole short runs over a file of such rows.
#pragma once

#include <QTemporaryDir>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/core/rollout_record.h"
#include "engine/distill/run.h"
#include "tests/support/golden.h"
#include "tests/support/run_parts.h"

namespace cuescope::test {

inline Sample sampleOf(int i, const std::string& image = "small.png") {
  Sample sample;
  sample.id = "sample-" + std::to_string(i);
  sample.dataSource = "demo";
  sample.prompt = {{"user", "<image>What is shown in part " + std::to_string(i) + "?"}};
  sample.groundTruth = "a";
  sample.cue = "A shape in the corner.";
  sample.imageBytes = {bytesOf(golden::path("images/" + image))};
  sample.imagePaths = {""};
  return sample;
}

inline std::shared_ptr<const Processor> processor() {
  static const auto one = std::make_shared<const Processor>(golden::path("tiny-student"));
  return one;
}

inline std::string textOf(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class RowRuns {
 protected:
  std::unique_ptr<QTemporaryDir> m_folder;
  std::string path(const std::string& name) const { return m_folder->path().toStdString() + "/" + name; }

  RunConfig config(const std::string& name, const std::vector<std::string>& files) const {
    RunConfig config;
    config.trainer.name = name;
    config.trainer.directory = path("runs");
    config.trainer.totalTrainingSteps = 2;
    config.trainer.saveFreq = config.trainer.testFreq = config.trainer.probeFreq = 0;
    config.trainer.valBeforeTrain = false;
    config.trainer.seed = 3;
    config.trainer.device = "cpu";
    config.student.path = golden::path("tiny-student-vicur");
    config.teacher.path = golden::path("tiny-teacher");
    config.teacher.privilege = "cue";
    config.data.trainFiles = files;
    config.data.trainBatchSize = 2;
    config.data.maxPromptLength = 60;
    config.data.maxResponseLength = 4;
    config.distillation.topk = 8;
    return config;
  }

  struct Finished {
    std::vector<StepPtr> steps;
    std::vector<std::string> log;
    std::string directory;
    std::vector<std::string> drawn;  // ids of the rows, over all steps
    std::vector<RolloutRecord> rollouts;
    nlohmann::json provenance;
  };
  Finished finish(const RunConfig& config) const {
    Finished out;
    const auto run = Run::open(config, {.device = "cpu", .dtype = "float32", .threads = 0}, [&](const Event& event) {
      if (const auto* step = std::get_if<StepPtr>(&event)) out.steps.push_back(*step);
      if (const auto* line = std::get_if<LogLine>(&event)) out.log.push_back(line->text);
    }, {});
    out.directory = run->directory();
    while (run->advance({})) {
    }
    for (int step = 1; step <= config.trainer.totalTrainingSteps; ++step)
      for (auto& record : parseRollouts(textOf(out.directory + "/rollouts/" + std::to_string(step) + ".jsonl"))) {
        out.drawn.push_back(record.sampleId);
        out.rollouts.push_back(std::move(record));
      }
    out.provenance = nlohmann::json::parse(textOf(out.directory + "/provenance.json")).at("starts").back();
    return out;
  }
};

}  // namespace cuescope::test
