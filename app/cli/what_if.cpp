// what-if: one question with something changed, before and after, beside random changes of the same kind.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>

#include "app/cli/command.h"

namespace cuescope::cli {

namespace {

nlohmann::ordered_json numberOrNull(float value) { return std::isnan(value) ? nlohmann::ordered_json() : nlohmann::ordered_json(value); }

int whatIf(Context& context, const WhatIfRequest& request) {
  const WhatIfPtr answer = context.engine().whatIf(request, context.progress(), context.stop);
  clearProgress();
  if (context.json) {
    nlohmann::ordered_json json{{"change", answer->description}, {"subject", conditionName(answer->subject)}, {"token", answer->token}, {"token_id", answer->tokenId}};
    if (answer->forcedId >= 0) json["forced_id"] = answer->forcedId;
    json["log_prob_before"] = numberOrNull(answer->before);
    json["log_prob_after"] = numberOrNull(answer->after);
    json["effect"] = numberOrNull(answer->effect());
    json["random"] = {{"count", answer->randomRegions}, {"what", answer->randomWhat}, {"mean", numberOrNull(answer->randomMean)}, {"deviation", numberOrNull(answer->randomDeviation)}};
    json["answer_before"] = answer->answerBefore;
    json["answer_after"] = answer->answerAfter;
    if (request.cue) json["cue_after"] = answer->cueAfter;
    const auto slot = static_cast<std::size_t>(answer->subject);
    for (const auto& [name, list] : {std::pair{"tokens_before", &answer->distributionsBefore}, {"tokens_after", &answer->distributionsAfter}}) {
      json[name] = nlohmann::ordered_json::array();
      for (const TokenDistributions& one : *list) json[name].push_back(numberOrNull(one.sampled[slot]));
    }
    printJson(json);
    return kOk;
  }
  std::printf("%s: log p of token %d %.4f -> %.4f (lost %.4f nats)\n", answer->description.c_str(), answer->token, static_cast<double>(answer->before),
              static_cast<double>(answer->after), static_cast<double>(answer->effect()));
  if (answer->randomRegions > 0) {
    std::printf("%s: %.4f +- %.4f\n", answer->randomWhat.c_str(), static_cast<double>(answer->randomMean), static_cast<double>(answer->randomDeviation));
  }
  std::cout << "before: " << answer->answerBefore << "\n";
  if (!answer->responseAfter.empty()) std::cout << "after:  " << answer->answerAfter << "\n";
  return kOk;
}

/// "3" or "3:2", "all:2", "all".
std::pair<int, int> placeOf(const std::string& text, bool head, const std::string& option) {
  const auto number = [&](const std::string& part) {
    std::size_t end = 0;
    int value = -1;
    if (part == "all") return -1;
    try {
      value = std::stoi(part, &end);
    } catch (const std::exception&) {
      end = 0;
    }
    if (end == 0 || end != part.size() || value < 0) throw CLI::ValidationError(option, "«" + text + "» is no place" + (head ? "; it takes LAYER:HEAD" : "; it takes a layer"));
    return value;
  };
  const auto colon = text.find(':');
  if (head != (colon != std::string::npos)) throw CLI::ValidationError(option, "«" + text + "» is no place" + (head ? "; it takes LAYER:HEAD" : "; it takes a layer"));
  return {number(text.substr(0, colon)), head ? number(text.substr(colon + 1)) : -1};
}

}  // namespace

void addWhatIf(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("what-if", "Asks again with something changed: a region, the module, the cue, a part of the model, a token");
  struct Asked {
    WhatIfRequest request;
    std::string module, cue;
    std::vector<std::string> heads, attention, mlps, layers;
    std::vector<int> keys;
    bool teacher = false, noAnswer = false;
  };
  auto asked = std::make_shared<Asked>();
  WhatIfRequest& request = asked->request;
  addInspectOptions(*command, request.base);
  const auto list = [&](const char* name, auto& values, const char* help) { command->add_option(name, values, help)->delimiter(',')->allow_extra_args(false); };
  command->add_option("--token", request.token, "The response token that is judged")->check(notNegative())->capture_default_str();
  list("--patches", request.visualTokens, "Visual tokens to change, separated by commas");
  const std::map<std::string, Change> changes{{"erase", Change::Erase}, {"blur", Change::Blur}, {"average", Change::Average}, {"keep", Change::KeepOnly}};
  addChoice(*command, "--change", request.change, changes, "What is done to the patches; without it erase");
  command->add_option("--module", asked->module, "The cue recovery module: off, a factor, or layer:N for that one alone");
  command->add_option("--cue-change", asked->cue, "The teacher's cue: none, wrong, or another text");
  list("--without-heads", asked->heads, "LAYER:HEAD, separated by commas; all:HEAD for that head everywhere");
  list("--without-attention", asked->attention, "Layers, or all");
  list("--without-mlp", asked->mlps, "Layers, or all");
  list("--without-layers", asked->layers, "Layers");
  list("--hide", asked->keys, "Positions that no later token can read");
  command->add_option("--go-on-from", request.forcedId, "The answer goes on from this token's id instead")->check(notNegative());
  command->add_flag("--ask-teacher", asked->teacher, "Change the teacher instead of the student");
  command->add_flag("--no-answer", asked->noAnswer, "Only the numbers, no new answer");
  command->add_option("--random", request.randomRegions, "Random changes of the same kind and size, for comparison")->check(CLI::Range(0, 10000))->capture_default_str();
  const auto sampling = addSampling(*command);
  addJson(*command, context);
  command->callback([&context, asked, sampling] {
    WhatIfRequest& request = asked->request;
    request.base.sampling = sampling();
    request.regenerate = !asked->noAnswer;
    if (asked->teacher) request.subject = Condition::TeacherCue;
    if (asked->module == "off") {
      request.module = ModuleChange{true, 1, -1};
    } else if (asked->module.starts_with("layer:")) {
      request.module = ModuleChange{false, 1, placeOf(asked->module.substr(6), false, "--module").first};
    } else if (!asked->module.empty()) {
      char* end = nullptr;
      const double factor = std::strtod(asked->module.c_str(), &end);
      if (*end || !std::isfinite(factor)) throw CLI::ValidationError("--module", "it takes off, a factor, or layer:N");
      request.module = ModuleChange{false, factor, -1};
    }
    if (asked->cue == "none") request.cue = CueChange{CueVariant::None, {}};
    else if (asked->cue == "wrong") request.cue = CueChange{CueVariant::Wrong, {}};
    else if (!asked->cue.empty()) request.cue = CueChange{CueVariant::Edited, asked->cue};
    const auto silence = [&](const std::vector<std::string>& places, KnockOut::What what, const char* option) {
      for (const std::string& place : places) {
        const auto [layer, head] = placeOf(place, what == KnockOut::What::Head, option);
        request.knockOuts.push_back({what, layer, head, {}, {}});
      }
    };
    silence(asked->heads, KnockOut::What::Head, "--without-heads");
    silence(asked->attention, KnockOut::What::Attention, "--without-attention");
    silence(asked->mlps, KnockOut::What::Mlp, "--without-mlp");
    silence(asked->layers, KnockOut::What::Layer, "--without-layers");
    if (!asked->keys.empty()) request.knockOuts.push_back({KnockOut::What::Keys, -1, -1, asked->keys, {}});
    context.run = [&context, asked] { return whatIf(context, asked->request); };
  });
}

}  // namespace cuescope::cli
