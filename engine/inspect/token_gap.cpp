#include "engine/inspect/token_gap.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/core/failure.h"
#include "engine/inspect/capture_plan.h"

namespace cuescope {

namespace {

/// KL(p || q) of each row from log-probabilities; 0 log 0 = 0. [N, V] -> [N]
at::Tensor divergence(const at::Tensor& logP, const at::Tensor& logQ) {
  const at::Tensor p = logP.exp();
  return at::where(p.gt(0), p * (logP - logQ), at::zeros({}, p.options())).sum(-1).clamp_min(0);
}

at::Tensor jensenShannon(const at::Tensor& logP, const at::Tensor& logQ) {
  const at::Tensor middle = at::logaddexp(logP, logQ) - std::log(2.0);
  return 0.5 * (divergence(logP, middle) + divergence(logQ, middle));
}

at::Tensor logSoftmax(const Qwen3VL& model, const at::Tensor& states) {
  return at::log_softmax(model.logits(states).to(at::kCPU, at::kFloat), -1);
}

/// Ids most likely anywhere first.
std::vector<std::int64_t> unionOfTop(const std::vector<at::Tensor>& logProbs, std::int64_t row, int topTokens) {
  std::map<std::int64_t, float> best;
  for (const at::Tensor& all : logProbs) {
    const auto [values, ids] = all[row].topk(std::min<std::int64_t>(topTokens, all.size(1)));
    for (std::int64_t k = 0; k < ids.numel(); ++k) {
      const float value = values[k].item<float>();
      const auto [entry, isNew] = best.emplace(ids[k].item<std::int64_t>(), value);
      if (!isNew) entry->second = std::max(entry->second, value);
    }
  }
  // The other conditions' probabilities count too: an id in one top list may be likelier in another just outside its list.
  for (auto& [id, value] : best) {
    for (const at::Tensor& all : logProbs) {
      if (id < all.size(1)) value = std::max(value, all[row][id].item<float>());
    }
  }
  std::vector<std::pair<std::int64_t, float>> order(best.begin(), best.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::int64_t> ids;
  for (const auto& [id, value] : order) ids.push_back(id);
  return ids;
}

}  // namespace

std::vector<TokenDistributions> tokenDistributions(const std::vector<ConditionStates>& conditions, const std::vector<std::int64_t>& response,
                                                   int topTokens, const Tokenizer& tokenizer, std::stop_token stop) {
  const at::NoGradGuard noGrad;
  const auto count = static_cast<std::int64_t>(response.size());
  std::int64_t rowBytes = 0;
  for (const auto& each : conditions) {
    const std::int64_t vocabulary = each.model->config().text.vocabulary;
    rowBytes += vocabulary * static_cast<std::int64_t>(sizeof(float));
    for (const std::int64_t id : response) {
      if (id < 0 || id >= vocabulary) {
        throw Error("The two models do not share a vocabulary", conditionName(each.condition), "it has no token " + std::to_string(id),
                    "Choose a teacher of the same family as the student.");
      }
    }
  }
  const std::int64_t chunk = std::max<std::int64_t>(1, kLogitBytes / std::max<std::int64_t>(1, rowBytes));
  std::vector<TokenDistributions> result;
  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    if (stop.stop_requested()) throw Cancelled();
    const std::int64_t size = std::min(chunk, count - begin);
    std::vector<at::Tensor> logProbs;  // each [size, V]
    const at::Tensor* student = nullptr;
    const at::Tensor* teacher = nullptr;
    logProbs.reserve(conditions.size());
    for (const auto& each : conditions) {
      logProbs.push_back(logSoftmax(*each.model, each.states.narrow(0, begin, size)));
      if (each.condition == Condition::Student) student = &logProbs.back();
      if (each.condition == Condition::TeacherCue) teacher = &logProbs.back();
    }
    at::Tensor forward, reverse, middle;
    if (student && teacher) {
      const std::int64_t shared = std::min(student->size(1), teacher->size(1));
      const at::Tensor s = student->narrow(1, 0, shared), t = teacher->narrow(1, 0, shared);
      forward = divergence(t, s);
      reverse = divergence(s, t);
      middle = jensenShannon(s, t);
    }
    std::vector<at::Tensor> entropies;
    for (const at::Tensor& all : logProbs) {
      const at::Tensor p = all.exp();
      entropies.push_back(-at::where(p.gt(0), p * all, at::zeros({}, p.options())).sum(-1));
    }
    for (std::int64_t row = 0; row < size; ++row) {
      TokenDistributions one;
      one.ids = unionOfTop(logProbs, row, std::max(1, topTokens));
      for (const std::int64_t id : one.ids) one.texts.push_back(tokenizer.bytes(id));
      for (std::size_t c = 0; c < conditions.size(); ++c) {
        const int place = static_cast<int>(conditions[c].condition);
        const float* values = logProbs[c].const_data_ptr<float>() + row * logProbs[c].size(1);
        double inside = 0;
        for (const std::int64_t id : one.ids) {
          const float value = id < logProbs[c].size(1) ? values[id] : -std::numeric_limits<float>::infinity();
          one.logProbs[place].push_back(value);
          inside += std::exp(static_cast<double>(value));
        }
        one.tail[place] = static_cast<float>(std::max(0.0, 1.0 - inside));
        one.sampled[place] = values[response[static_cast<std::size_t>(begin + row)]];
        one.entropy[place] = entropies[c][row].item<float>();
      }
      if (forward.defined()) {
        one.klTeacherStudent = forward[row].item<float>();
        one.klStudentTeacher = reverse[row].item<float>();
        one.jsd = middle[row].item<float>();
      }
      result.push_back(std::move(one));
    }
  }
  return result;
}

std::vector<float> responseLogProbs(const Qwen3VL& model, const at::Tensor& states, const std::vector<std::int64_t>& response) {
  const at::NoGradGuard noGrad;
  const std::int64_t chunk = std::max<std::int64_t>(1, kLogitBytes / (model.config().text.vocabulary * static_cast<std::int64_t>(sizeof(float))));
  std::vector<float> result;
  for (std::int64_t begin = 0; begin < states.size(0); begin += chunk) {
    const at::Tensor logProbs = logSoftmax(model, states.narrow(0, begin, std::min(chunk, states.size(0) - begin)));
    for (std::int64_t row = 0; row < logProbs.size(0); ++row) {
      result.push_back(logProbs[row][response[static_cast<std::size_t>(begin + row)]].item<float>());
    }
  }
  return result;
}

}  // namespace cuescope
