// bench: the measurements of the side-by-side peer, under the same names and with the same fields.
#include <cstdio>

#include "app/cli/command.h"

namespace cuescope::cli {

namespace {

nlohmann::ordered_json toJson(const BenchLine& line) {
  nlohmann::ordered_json json{{"name", line.name}, {"best_ms", line.bestMs}, {"median_ms", line.medianMs}};
  json["tokens_per_s"] = line.tokensPerSecond > 0 ? nlohmann::ordered_json(line.tokensPerSecond) : nlohmann::ordered_json();
  json["peak_rss_mb"] = line.peakRssMb;
  if (!line.ids.empty()) json["ids"] = line.ids;
  if (line.name == "distill_step") json["loss"] = line.loss;
  if (!line.note.empty()) json["note"] = line.note;
  return json;
}

}  // namespace

void addBench(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("bench", "Measures load, prefill, decode, capture and a distillation step on the workload in the model's folder");
  auto request = std::make_shared<BenchRequest>();
  command->add_option("--model", request->model, "Folder of the model, with workload.safetensors")->required();
  command->add_option("--only", request->only, "load, prefill_b1, decode_b1, decode_b<rows of the workload>, capture_b1, distill_step, train_step; tokenize, image (those two need no workload)")->delimiter(',')->allow_extra_args(false);
  command->add_option("--repeat", request->repeat, "Repetitions; the best counts")->check(CLI::Range(1, 1000))->capture_default_str();
  command->add_option("--new", request->newTokens, "Tokens that are decoded")->check(CLI::Range(1, 100000))->capture_default_str();
  addJson(*command, context);
  command->callback([&context, request] {
    context.run = [&context, request] {
      context.engine().bench(*request, [&context](const BenchLine& line) {
        if (context.json) return printJson(toJson(line));
        std::printf("%-14s best %10.2f ms  median %10.2f ms", line.name.c_str(), line.bestMs, line.medianMs);
        if (line.tokensPerSecond > 0) std::printf("  %9.1f tokens/s", line.tokensPerSecond);
        std::printf("  peak %.0f MB  %s\n", line.peakRssMb, line.note.c_str());
        std::fflush(stdout);
      });
      return kOk;
    };
  });
}

}  // namespace cuescope::cli
