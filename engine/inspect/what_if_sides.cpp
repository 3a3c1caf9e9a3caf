#include "engine/inspect/what_if_sides.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <set>
#include <sstream>

#include "engine/core/failure.h"
#include "engine/data/patches.h"

namespace cuescope {

namespace {

/// `count` different ones of `all`; the same on every platform (no std::uniform_int_distribution, no std::shuffle).
template <typename T>
std::vector<T> drawn(std::mt19937_64& random, std::vector<T> all, std::size_t count) {
  count = std::min(count, all.size());
  for (std::size_t i = 0; i < count; ++i) std::swap(all[i], all[i + random() % (all.size() - i)]);
  all.resize(count);
  return all;
}

std::vector<int> firstNumbers(std::int64_t count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

[[noreturn]] void notThere(const char* word, std::int64_t index, std::int64_t count) {
  throw Error(std::string("There is no ") + word + " " + std::to_string(index), "what if",
              "there are " + std::to_string(count) + ", counted from 0", "Choose one of these.");
}

std::string counted(std::size_t count, const std::string& word) { return std::to_string(count) + " " + word + (count == 1 ? "" : "s"); }

std::vector<std::int64_t> layersOf(int layer, std::int64_t layers) {
  if (layer >= layers || layer < -1) notThere("decoder layer", layer, layers);
  std::vector<std::int64_t> all;
  for (std::int64_t l = 0; l < layers; ++l) {
    if (layer < 0 || l == layer) all.push_back(l);
  }
  return all;
}

const char* partName(KnockOut::What what) {
  switch (what) {
    case KnockOut::What::Head: return "head";
    case KnockOut::What::Attention: return "attention";
    case KnockOut::What::Mlp: return "MLP";
    case KnockOut::What::Layer: return "layer";
    case KnockOut::What::Keys: return "key";
  }
  return "";
}

std::string shuffledWords(const std::string& text, std::mt19937_64& random) {
  std::istringstream in(text);
  std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
  words = drawn(random, words, words.size());
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

void addKnockOuts(Intervention& intervention, const std::vector<KnockOut>& knockOuts, std::int64_t layers, std::int64_t heads, std::int64_t length) {
  for (const KnockOut& each : knockOuts) {
    if (each.what == KnockOut::What::Head && (each.head < 0 || each.head >= heads)) notThere("head", each.head, heads);
    if (each.what == KnockOut::What::Keys && each.keys.empty()) throw Error("No key was chosen", "what if", {}, "Choose the tokens that cannot be read.");
    for (const auto* positions : {&each.keys, &each.queries}) {
      for (const int position : *positions) {
        if (position < 0 || position >= length) notThere("token", position, length);
      }
    }
    for (const std::int64_t l : layersOf(each.layer, layers)) {
      Intervention::Layer& layer = intervention.layers[l];
      switch (each.what) {
        case KnockOut::What::Head:
          if (std::find(layer.heads.begin(), layer.heads.end(), each.head) == layer.heads.end()) layer.heads.push_back(each.head);
          break;
        case KnockOut::What::Attention: layer.attention = true; break;
        case KnockOut::What::Mlp: layer.mlp = true; break;
        case KnockOut::What::Layer: layer.attention = layer.mlp = true; break;
        case KnockOut::What::Keys:
          if (layer.blocks()) throw Error("Two sets of keys cannot be hidden in one layer", "layer " + std::to_string(l), {}, "Put them into one.");
          layer.keys.assign(each.keys.begin(), each.keys.end());
          layer.queries.assign(each.queries.begin(), each.queries.end());
          break;
      }
    }
  }
}

std::string wrongCue(const std::string& cue) {
  // Each word becomes the next one of its ring.
  static const std::vector<std::vector<const char*>> kRings = {
      {"left", "right"}, {"top", "bottom"}, {"upper", "lower"}, {"above", "below"}, {"north", "south"}, {"east", "west"},
      {"northwest", "southeast"}, {"northeast", "southwest"}, {"inside", "outside"}, {"horizontal", "vertical"}, {"larger", "smaller"},
      {"red", "blue", "green", "yellow", "black", "white", "orange", "purple"}, {"circle", "square", "triangle"},
      {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero"}};
  std::string out, word;
  const auto flush = [&] {
    std::string lower = word;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    std::string other = word;
    for (const auto& ring : kRings) {
      const auto found = std::find(ring.begin(), ring.end(), lower);
      if (found == ring.end()) continue;
      other = found + 1 == ring.end() ? ring.front() : *(found + 1);
      if (std::isupper(static_cast<unsigned char>(word[0]))) other[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(other[0])));
    }
    out += other;
    word.clear();
  };
  for (const char c : cue) {
    if (std::isalpha(static_cast<unsigned char>(c))) {
      word += c;
      continue;
    }
    flush();
    out += std::isdigit(static_cast<unsigned char>(c)) ? static_cast<char>('0' + (c - '0' + 1) % 10) : c;
  }
  flush();
  return out;
}

WhatIfSides::WhatIfSides(const Qwen3VL& model, const Processor& processor, const WhatIfRequest& request, Condition subject, std::int64_t responseLength)
    : m_model(model), m_processor(processor), m_request(request) {
  const bool teacher = subject == Condition::TeacherCue;
  m_before.cue = teacher ? request.base.cue : std::string();
  m_before.prompt = lookAt(processor, request.base, m_before.cue).prompt.row;
  m_after = m_before;
  if (request.cue) changeCue();
  if (!request.visualTokens.empty()) {
    if (!m_after.prompt.pixelValues.defined()) throw Error("There is no image to change", "what if", "the prompt has no picture", "Inspect an image first.");
    const std::set<int> tokens(request.visualTokens.begin(), request.visualTokens.end());
    m_region.assign(tokens.begin(), tokens.end());
    m_after.prompt.pixelValues = changePatches(m_after.prompt.pixelValues, m_after.prompt.grids, request.change, m_region);
    describe(describeChange(request.change, m_region.size()), "sets of " + std::to_string(m_region.size()) + (m_region.size() == 1 ? " patch" : " patches"));
  }
  if (request.module) changeModule();
  if (!request.knockOuts.empty()) silence(static_cast<std::int64_t>(m_after.prompt.ids.size()) + responseLength);
  if (m_description.empty() && request.forcedId < 0) {
    throw Error("Nothing was changed", "what if", {}, "Paint or box a part of the image, or choose another change.");
  }
}

void WhatIfSides::describe(const std::string& what, const std::string& random) {
  m_description += (m_description.empty() ? "" : ", ") + what;
  if (random.empty()) return;
  m_randomWhat += (m_randomWhat.empty() ? "" : ", ") + random;
}

void WhatIfSides::changeModule() {
  const ModuleChange& change = *m_request.module;
  const auto& cue = m_model.config().cue;
  if (!cue.enabled) throw Error("This model has no cue recovery module", m_model.info().name, {}, "Choose a student with the module.");
  m_after.intervenes = true;
  if (change.off) {
    m_after.intervention.cueLayers = std::vector<std::int64_t>{};
    return describe("module off", "changes of the module's update by as much, in random directions");
  }
  if (change.onlyLayer >= 0) {
    if (std::find(cue.active.begin(), cue.active.end(), change.onlyLayer) == cue.active.end()) {
      std::string there;
      for (const auto layer : cue.active) there += (there.empty() ? "" : ", ") + std::to_string(layer);
      throw Error("The module does not act at layer " + std::to_string(change.onlyLayer), "what if", "it acts at " + there, "Choose one of these.");
    }
    m_after.intervention.cueLayers = std::vector<std::int64_t>{change.onlyLayer};
  }
  m_after.intervention.cueScale = change.scale;
  if (!std::isfinite(change.scale)) throw Error("The module cannot be scaled so", "what if", "the factor is no number");
  char factor[32];
  std::snprintf(factor, sizeof factor, "%g", change.scale);
  std::string what = change.onlyLayer >= 0 ? "module at layer " + std::to_string(change.onlyLayer) + " only" : "module";
  if (change.scale != 1 || change.onlyLayer < 0) what += std::string(" x ") + factor;
  describe(what, "changes of the module's update by as much, in random directions");
}

void WhatIfSides::changeCue() {
  const CueChange& change = *m_request.cue;
  const std::string& right = m_request.base.cue;
  switch (change.variant) {
    case CueVariant::Right: m_after.cue = right; break;
    case CueVariant::None: m_after.cue.clear(); break;
    case CueVariant::Edited: m_after.cue = change.text; break;
    case CueVariant::Wrong:
      m_after.cue = change.text.empty() ? wrongCue(right) : change.text;
      if (m_after.cue == right) {
        throw Error("No wrong cue can be made of this one", "what if", "it names no side, colour, shape or number", "Write the wrong cue yourself.");
      }
      break;
  }
  m_after.prompt = lookAt(m_processor, m_request.base, m_after.cue).prompt.row;
  static constexpr std::array<const char*, 4> kNames = {"right cue", "wrong cue", "no cue", "edited cue"};
  describe(kNames[static_cast<std::size_t>(change.variant)], right.empty() ? "" : "shuffles of the cue's words");
}

void WhatIfSides::silence(std::int64_t length) {
  const auto& config = m_model.config().text;
  const bool keys = std::any_of(m_request.knockOuts.begin(), m_request.knockOuts.end(), [](const KnockOut& each) { return each.what == KnockOut::What::Keys; });
  if (keys && m_request.cue) throw Error("Keys and the cue cannot change together", "what if", "with another cue the positions are others", "Change one of the two.");
  addKnockOuts(m_after.intervention, m_request.knockOuts, config.layers, config.heads, length);
  m_after.intervenes = true;
  for (const KnockOut& each : m_request.knockOuts) {
    const std::string at = each.layer < 0 ? " of all layers" : " of layer " + std::to_string(each.layer);
    const std::string where = each.what == KnockOut::What::Layer ? (each.layer < 0 ? "all layers" : "layer " + std::to_string(each.layer))
                              : each.what == KnockOut::What::Head ? "head " + std::to_string(each.head) + at
                              : each.what == KnockOut::What::Keys ? counted(each.keys.size(), "key") + at
                                                                  : partName(each.what) + at;
    const bool whole = each.layer < 0 && each.what != KnockOut::What::Head && each.what != KnockOut::What::Keys;
    std::string random;
    if (each.what == KnockOut::What::Keys) random = "sets of " + counted(each.keys.size(), "other token");
    else if (each.what == KnockOut::What::Head) random = each.layer < 0 ? "sets of " + counted(static_cast<std::size_t>(config.layers), "head") : "other heads";
    else if (!whole) random = std::string("the ") + partName(each.what) + " of other layers";
    describe("without " + where, random);
  }
}

WhatIfSide WhatIfSides::random(std::uint64_t seed) const {
  std::mt19937_64 random(seed);
  WhatIfSide side = m_before;
  const auto& config = m_model.config();
  if (m_request.cue && !m_request.base.cue.empty()) {
    side.cue = shuffledWords(m_request.base.cue, random);
    side.prompt = lookAt(m_processor, m_request.base, side.cue).prompt.row;
  }
  if (!m_region.empty()) {
    const auto all = side.prompt.pixelValues.size(0) / (config.vision.merge * config.vision.merge);
    side.prompt.pixelValues = changePatches(side.prompt.pixelValues, side.prompt.grids, m_request.change, drawn(random, firstNumbers(all), m_region.size()));
  }
  if (m_request.module) {
    const ModuleChange change = *m_request.module;
    const std::uint64_t noise = random();
    side.intervenes = true;
    side.intervention.cueUpdate = [change, noise](std::int64_t layer, const at::Tensor& update) {
      const double left = change.off || (change.onlyLayer >= 0 && layer != change.onlyLayer) ? 0.0 : change.scale;
      const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(noise + static_cast<std::uint64_t>(layer));
      at::Tensor direction = at::empty(update.sizes(), at::kFloat).normal_(0.0, 1.0, generator).to(update.device(), update.scalar_type());
      direction = direction / direction.norm(2, {1}, true) * update.norm(2, {1}, true);
      return update + std::abs(1.0 - left) * direction;
    };
  }
  std::vector<KnockOut> others;
  for (KnockOut each : m_request.knockOuts) {
    if (each.what == KnockOut::What::Keys) {
      // Image tokens for image tokens, text for text; never the sink, which everything reads.
      const auto& ids = side.prompt.ids;
      const auto isVisual = [&](int position) {
        return position < std::ssize(ids) && (ids[static_cast<std::size_t>(position)] == config.imageToken || ids[static_cast<std::size_t>(position)] == config.videoToken);
      };
      std::vector<int> chosen;
      for (const bool visual : {true, false}) {
        std::vector<int> pool;
        for (int position = 1; position < std::ssize(ids); ++position) {
          if (isVisual(position) == visual && std::find(each.keys.begin(), each.keys.end(), position) == each.keys.end()) pool.push_back(position);
        }
        const auto count = std::count_if(each.keys.begin(), each.keys.end(), [&](int key) { return isVisual(key) == visual; });
        if (static_cast<std::size_t>(count) > pool.size()) {  // most of them are chosen: draw from all
          for (const int key : each.keys) {
            if (isVisual(key) == visual) pool.push_back(key);
          }
        }
        const auto part = drawn(random, pool, static_cast<std::size_t>(count));
        chosen.insert(chosen.end(), part.begin(), part.end());
      }
      each.keys = chosen;
      if (!chosen.empty()) others.push_back(each);
    } else if (each.what == KnockOut::What::Head) {
      std::vector<std::pair<int, int>> pool;
      for (int layer = 0; layer < config.text.layers; ++layer) {
        for (int head = 0; head < config.text.heads; ++head) {
          if (head != each.head || (each.layer >= 0 && layer != each.layer)) pool.emplace_back(layer, head);
        }
      }
      for (const auto& [layer, head] : drawn(random, pool, each.layer < 0 ? static_cast<std::size_t>(config.text.layers) : 1)) {
        others.push_back({KnockOut::What::Head, layer, head, {}, {}});
      }
    } else if (each.layer >= 0) {
      std::vector<int> pool = firstNumbers(config.text.layers);
      pool.erase(pool.begin() + each.layer);
      if (!pool.empty()) each.layer = drawn(random, pool, 1)[0];
      others.push_back(each);
    }
  }
  if (!others.empty()) {
    side.intervenes = true;
    const std::int64_t length = static_cast<std::int64_t>(side.prompt.ids.size()) + (1ll << 20);
    // Two random sets of keys may meet in a layer; each is its own layer's then.
    addKnockOuts(side.intervention, others, config.text.layers, config.text.heads, length);
  }
  return side;
}

}  // namespace cuescope
