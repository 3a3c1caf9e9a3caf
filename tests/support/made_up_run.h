// A run directory with made-up values, written by the same RunWriter that real runs use: curves, probe maps, a skipped step,
// falling length. For tests of the Train page and for looking at it.
#pragma once

#include <QDir>
#include <cmath>
#include <random>
#include <string>

#include "engine/core/config.h"
#include "engine/core/rollout_record.h"
#include "engine/core/run_directory.h"

namespace cuescope::made_up {

inline std::string writeRun(const QString& folder, const std::string& name, int steps, double lossEnd, bool cue = true) {
  const std::string directory = (folder + QLatin1Char('/') + QString::fromStdString(name)).toStdString();
  QDir().mkpath(QString::fromStdString(directory));
  RunConfig config;
  config.trainer.name = name;
  config.trainer.totalTrainingSteps = 150;
  config.student.cueEnabled = cue;
  config.teacher.privilege = cue ? "cue" : "none";
  RunWriter writer(directory);
  writer.writeConfig(writeConfig(config));
  std::mt19937 random(std::hash<std::string>{}(name) % 1000);
  std::normal_distribution<double> normal(0, 1);
  for (int s = 1; s <= steps; ++s) {
    StepSnapshot step;
    step.run = name, step.step = s;
    step.secondsSinceStart = 1.9 * s, step.tokensSinceStart = 620ll * s;
    const double done = 1 - std::exp(-s / 40.0);
    auto& m = step.metrics;
    m["actor/distillation/loss"] = 0.75 + (lossEnd - 0.75) * done + 0.03 * normal(random);
    m["actor/loss"] = m["actor/distillation/loss"];
    m["distillation/gap"] = 0.8 - 0.4 * done + 0.04 * normal(random);
    m["response_length/mean"] = (s > steps * 0.8 ? 20.0 - 12.0 * (s - steps * 0.8) / (steps * 0.2) : 20.0) + 0.5 * normal(random);
    m["actor/entropy"] = 0.62 - 0.2 * done + 0.01 * normal(random);
    m["actor/grad_norm"] = std::exp(-0.3 + 0.15 * normal(random));
    m["actor/skipped_updates"] = s >= 60 ? 1 : 0;
    m["actor/distillation/student_mass"] = 0.93 + 0.004 * normal(random);
    m["actor/distillation/teacher_mass"] = 0.985 + 0.002 * normal(random);
    if (s % 25 == 0) m["val/accuracy"] = 0.52 + 0.18 * done, m["val/accuracy_low"] = 0.46 + 0.18 * done, m["val/accuracy_high"] = 0.58 + 0.18 * done, m["val/n"] = 256;
    step.phaseSeconds = {{"rollout", 0.9}, {"score", 0.3}, {"backward", 0.6}, {"update", 0.08}, {"save", 0.02}};
    if (cue && s % 5 == 0) {
      for (const int layer : {0, 2}) {
        m["cue/evidence_mass/L" + std::to_string(layer)] = 0.1 + 0.25 * done * (layer ? 1 : 0.6);
        m["cue/update_ratio/L" + std::to_string(layer)] = 0.02 + 0.12 * done * (layer ? 1 : 0.5);
      }
      for (int image = 0; image < 3; ++image) {
        ProbeMap probe;
        probe.image = "scene-" + std::to_string(image);
        probe.gridRows = probe.gridCols = 6;
        probe.layers = {0, 2};
        for (int l = 0; l < 2; ++l) {
          double sum = 0;
          std::vector<float> map;
          for (int i = 0; i < 36; ++i) {
            const double r = i / 6 - 1.5 - image, c = i % 6 - 3.5 + image;
            map.push_back(float(1 + 12 * done * std::exp(-(r * r + c * c) / 1.2)));
            sum += map.back();
          }
          for (float& v : map) probe.values.push_back(v / float(sum));
          probe.evidenceMass.push_back(float(0.1 + 0.3 * done));
        }
        step.probes.push_back(std::move(probe));
      }
    }
    writer.append(step);
  }
  RunStatus status;
  status.run = name, status.directory = directory, status.state = RunState::Completed;
  status.step = steps, status.totalSteps = 150;
  writer.writeStatus(status);
  return directory;
}

/// Four responses of a step, told apart by their gap.
inline void writeFourResponses(const std::string& directory, int step) {
  std::string lines;
  for (int i = 0; i < 4; ++i) {
    RolloutRecord r;
    r.step = step, r.index = i, r.sampleId = "scene-" + std::to_string(i), r.input = "What color is the circle?", r.output = "\\boxed{red}", r.groundTruth = "red", r.score = 1;
    for (int t = 0; t < 6; ++t) r.ids.push_back(100 + t), r.studentLogProbs.push_back(-0.5f), r.teacherLogProbs.push_back(-0.5f + 0.1f * float(i + 1));
    lines += toJsonLine(r);
  }
  RunWriter(directory).appendRollouts(step, lines);
}

}  // namespace cuescope::made_up
