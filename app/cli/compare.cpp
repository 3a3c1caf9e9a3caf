// compare: two evaluations of the same rows, as the window's Evaluate page puts them side by side.
#include <cmath>
#include <cstdio>

#include "app/cli/command.h"
#include "engine/core/evaluation_file.h"
#include "engine/core/evaluation_pairs.h"

namespace cuescope::cli {
namespace {

constexpr double kClear = 0.05;

Evaluation samplesOf(const std::string& file) {
  Evaluation evaluation = readEvaluation(file);
  if (evaluation.samples.empty()) throw Error("The evaluations cannot be compared row by row", file, "it holds scores alone", "Evaluate again with --output FILE.jsonl, which keeps the samples.");
  return evaluation;
}

nlohmann::ordered_json pairJson(const SamplePair& pair) {
  return {{"file", pair.a->file}, {"row", pair.a->fileRow}, {"id", pair.a->id}, {"kind", pair.a->kind}, {"a", pair.a->accuracy()}, {"b", pair.b->accuracy()}};
}

int compare(const Context& context, const std::string& fileA, const std::string& fileB) {
  const Evaluation a = samplesOf(fileA), b = samplesOf(fileB);
  const EvaluationPairs pairs = pairsOf(a, &b);
  if (pairs.rows.empty()) throw Error("The evaluations cannot be compared row by row", fileA + ", " + fileB, "they have no row in common", "Evaluate both models on the same files.");
  const auto count = [&](PairKind kind) { return pairs.counts[static_cast<int>(kind)]; };
  const int onlyA = count(PairKind::OnlyA), onlyB = count(PairKind::OnlyB);
  const double p = mcNemar(onlyA, onlyB);
  const Interval d = pairedDifference(pairs);
  const auto others = conditionsThatDiffer(a, b);
  if (context.json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array(), differ = nlohmann::ordered_json::array();
    for (const SamplePair& pair : pairs.rows) rows.push_back(pairJson(pair));
    for (const DifferentCondition& each : others) differ.push_back({{"what", each.what}, {"a", each.a}, {"b", each.b}});
    printJson({{"a", fileA}, {"b", fileB}, {"rows", pairs.rows.size()}, {"only_a", onlyA}, {"only_b", onlyB}, {"both", count(PairKind::Both)}, {"neither", count(PairKind::Neither)}, {"mcnemar_p", p},
               {"difference", d.value}, {"low95", d.low}, {"high95", d.high}, {"conditions", differ}, {"samples", rows}});
    return kOk;
  }
  for (const DifferentCondition& each : others) std::printf("A and B differ in more than the model: %s (%s and %s)\n", each.what, each.a.empty() ? "not recorded" : each.a.c_str(), each.b.empty() ? "not recorded" : each.b.c_str());
  std::printf("%zu rows: both right %d, only A %d, only B %d, neither %d\n", pairs.rows.size(), count(PairKind::Both), onlyA, onlyB, count(PairKind::Neither));
  std::printf("McNemar, exact: p = %.3g. %s\n", p, p >= kClear ? "Not a clear difference." : onlyA > onlyB ? "A is right more often." : "B is right more often.");
  if (std::isfinite(d.low)) std::printf("A - B: %+.1f points (%+.1f to %+.1f)\n", 100 * d.value, 100 * d.low, 100 * d.high);
  return kOk;
}

}  // namespace

void addCompare(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("compare", "Compares two evaluations row by row: gained, lost, McNemar's exact test, the difference with its interval");
  auto files = std::make_shared<std::pair<std::string, std::string>>();
  command->add_option("a", files->first, "Samples or scores, as eval --output wrote them")->required()->check(CLI::ExistingFile);
  command->add_option("b", files->second, "The same of the other model")->required()->check(CLI::ExistingFile);
  addJson(*command, context);
  command->callback([&context, files] { context.run = [&context, files] { return compare(context, files->first, files->second); }; });
}

}  // namespace cuescope::cli
