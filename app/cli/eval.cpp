// eval: a model's answers to held-out rows, judged; with intervals, by data source, kind and layout; one line of JSON a sample.
#include <cstdio>

#include "app/cli/command.h"
#include "engine/core/evaluation_file.h"

namespace cuescope::cli {

namespace {

void printScores(const Evaluation& e) {
  std::printf("%s%s on %s: %s\n", e.model.name.c_str(), e.step >= 0 ? (", step " + std::to_string(e.step)).c_str() : "", e.dataName.c_str(), e.decoding.c_str());
  std::printf("%-12s %-24s %6s  %-24s %-8s", "", "", "rows", "accuracy (95 %)", "format");
  if (e.answersPerRow > 1) std::printf("  pass@%d", e.passK);
  std::printf("\n");
  for (const auto& s : e.scores) {
    std::printf("%-12s %-24s %6lld  %.3f (%.3f-%.3f)      %.3f   ", s.group.c_str(), s.name.c_str(), static_cast<long long>(s.accuracy.n), s.accuracy.value, s.accuracy.low, s.accuracy.high, s.format.value);
    if (e.answersPerRow > 1) std::printf("  %.3f (%.3f-%.3f)", s.passAtK.value, s.passAtK.low, s.passAtK.high);
    std::printf("\n");
  }
  if (e.skipped > 0) std::printf("%lld rows could not be asked\n", static_cast<long long>(e.skipped));
}

}  // namespace

void addEval(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("eval", "Judges a model's answers to held-out rows");
  auto request = std::make_shared<EvaluateRequest>();
  auto output = std::make_shared<std::string>();
  command->add_option("--model", request->model, "Model folder, checkpoint, RUN or RUN@STEP")->required();
  command->add_option("--data", request->files, "Parquet or JSONL files")->required()->delimiter(',');
  command->add_option("--max-samples", request->maxSamples, "First rows only; 0: all")->check(notNegative());
  command->add_option("--answers", request->answersPerRow, "Sampled answers to each row")->check(CLI::Range(1, 4096));
  command->add_option("--pass-at", request->passK, "Share of rows with a right answer among K; needs at least K sampled answers")->check(CLI::Range(1, 4096));
  command->add_option("--privilege", request->privilege, "What the model reads beside the question: none, cue, hint")->check(CLI::IsMember({"none", "cue", "hint"}));
  command->add_flag("--sink-maps", request->sinkMaps, "Also where the sink looks, in the samples");
  command->add_option("--output", *output, "Samples as JSON lines; who answered, how, and the scores beside them (FILE.scores.json)");
  const auto sampling = addSampling(*command);
  addJson(*command, context);
  command->callback([&context, request, output, sampling] {
    context.run = [&context, request, output, sampling] {
      request->sampling = sampling();
      if (request->passK > request->answersPerRow) request->answersPerRow = request->passK;
      const EvaluationPtr evaluation = context.engine().evaluate(*request, context.progress(), context.stop);
      clearProgress();
      if (!output->empty()) writeEvaluation(*output, *evaluation);
      if (const std::string kept = keepInRun(*evaluation, request->maxSamples == 0); !kept.empty())
        std::fprintf(stderr, "The scores were added to the run, where the board reads them: %s\n", kept.c_str());
      if (context.json) printJson(nlohmann::ordered_json::parse(scoresJson(*evaluation)));
      else printScores(*evaluation);
      return kOk;
    };
  });
}

}  // namespace cuescope::cli
