// The study of the demo: the paper's settings and what its tables leave open, each with the same budget and several seeds, and
// what follows from them with intervals. Folder of a study:
//   runs/SETTING-seedN/       run directories (question-first/ for rows whose question precedes the picture)
//   results/SETTING-seedN.json  one finished training, item by item; results/BASE.json: a model before training
//   data/                     rows that the demo's folder does not have (ood, question-first)
//   study.json, study.md, study.csv, *.svg   the report
// A finished training is never made again; one that was interrupted goes on from its checkpoint. Engine thread.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/core/evaluation.h"
#include "engine/core/events.h"
#include "engine/engine.h"

namespace cuescope {

/// One setting of the study: a configuration, named.
struct StudySetting {
  std::string name, group;       // group: main, components, teacher, layout, objectives
  std::string student, teacher;  // folders of the demo; teacher empty: reward alone
  std::string privilege = "none";
  bool module = false, questionFirst = false;
  std::string lossMode = "forward_kl_topk";
  bool policyGradient = false;
  double lr = 1e-3;
  int samplesPerPrompt = 1;
  std::string says;              // one line for the report
};
const std::vector<StudySetting>& studySettings();
/// What a run of the setting does. 32 responses a step in every setting, so that budgets are equal.
RunConfig studyConfig(const StudySetting& setting, const DemoStudyRequest& request, std::uint64_t seed);

/// Items of one split in one result, in the order of the rows.
struct StudySplit {
  std::vector<int> right;                         // 0 or 1 a row
  std::vector<std::string> kinds, layouts, dataSources;
  std::map<int, std::vector<float>> selectivity;  // layer -> a row: sink mass on evidence / on objects, minus what even looks at the objects give
  std::map<int, std::pair<double, double>> masses;  // layer -> mean sink mass on evidence, on objects
  double evenEvidence = 0, evenObjects = 0;       // the same of a sink that looks everywhere alike
  double hintWord = 0, unlooked = 0;              // shares of responses (leakage, see study.cpp)
  double accuracy(const std::string& dataSource = {}, const std::string& layout = {}) const;
};
struct StudyResult {
  std::string setting;
  std::uint64_t seed = 0;
  int steps = 0;
  double seconds = 0;              // of training alone
  std::map<std::string, StudySplit> splits;  // "test", "ood"
  std::vector<double> trainAccuracy;         // sampled, a step
  std::vector<double> gapFirst, gapLast;     // mean log p(teacher) - log p(student) over four quarters of the responses
};
StudyResult readStudyResult(const std::string& file);
std::string studyResultJson(const StudyResult& result);

/// Trains what is missing, then writes the report. Throws Error, Cancelled (the training that was under way is saved).
void runStudy(const DemoStudyRequest& request, const EngineOptions& options, const EventSink& sink, std::stop_token stop);
/// study.md, study.csv, study.json and the figures, from the results that are there.
void writeStudyReport(const std::string& folder, int seeds, int steps);

}  // namespace cuescope
