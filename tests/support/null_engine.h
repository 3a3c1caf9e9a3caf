// NullEngine: an engine whose every function refuses. Tests derive from it and override what they need.
#pragma once

#include "engine/engine.h"

namespace cuescope::test {

class NullEngine : public Engine {
 public:
  std::vector<DoctorLine> doctor() override { return {}; }
  ModelInfo openModel(const std::string& folder, const EventSink&, std::stop_token) override { refuse(folder); }
  void closeModel(const std::string&) override {}
  std::vector<std::int64_t> tokenize(const std::string& folder, const std::string&) override { refuse(folder); }
  std::string detokenize(const std::string& folder, const std::vector<std::int64_t>&) override { refuse(folder); }
  RenderedPrompt chat(const std::string& folder, const std::vector<ChatMessage>&, bool) override { refuse(folder); }
  void preprocess(const std::string& folder, const std::vector<std::string>&, const std::string&) override { refuse(folder); }
  void forward(const ForwardRequest& request, std::stop_token) override { refuse(request.model); }
  std::vector<GeneratedRow> generate(const GenerateRequest& request, const EventSink&, std::stop_token) override { refuse(request.model); }
  InspectCost inspectCost(const InspectRequest& request, const EventSink&) override { refuse(request.student); }
  InspectionPtr inspect(const InspectRequest& request, const EventSink&, std::stop_token) override { refuse(request.student); }
  WhatIfPtr whatIf(const WhatIfRequest& request, const EventSink&, std::stop_token) override { refuse(request.base.student); }
  std::unique_ptr<TrainingRun> openRun(const RunConfig& config, const EventSink&, std::stop_token) override { refuse(config.trainer.name); }
  RunPlan plan(const RunConfig& config) override { refuse(config.trainer.name); }
  std::vector<SelfcheckLine> selfcheck(const std::string& device, const std::string&, const EventSink&) override { refuse(device); }
  std::vector<BenchLine> bench(const BenchRequest& request, const std::function<void(const BenchLine&)>&) override { refuse(request.model); }
  DataRows readRows(const std::string&, std::int64_t, int) override { return {}; }
  void makeDemoData(const std::string& folder, std::uint64_t, const EventSink&, std::stop_token) override { refuse(folder); }
  void trainDemo(const DemoTrainRequest& request, const EventSink&, std::stop_token) override { refuse(request.outputFolder); }

 private:
  [[noreturn]] static void refuse(const std::string& where) { throw Error("The null engine does nothing", where); }
};

}  // namespace cuescope::test
