#include "engine/core/dump.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <variant>

#include "engine/core/failure.h"
#include "engine/core/zip_store.h"

namespace cuescope {

namespace {

using Cell = std::variant<std::int64_t, float, std::string>;

/// What all three formats are made of.
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
};

std::string numberText(float value) {
  if (std::isnan(value)) return {};
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;  // shortest that reads back the same
  return {text.data(), end};
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

constexpr std::array<const char*, 8> kMapSites = {"cue_recovery", "self_attention", "prompt_attention", "vision", "rollout", "gradient_attention", "logit_lens_map", "occlusion"};
constexpr std::array<const char*, 4> kTableSites = {"logit_lens", "evidence", "tokens", "distributions"};

bool isMaps(const std::string& site) { return std::find(kMapSites.begin(), kMapSites.end(), site) != kMapSites.end(); }

const AttentionStack& stackNamed(const Inspection& inspection, const std::string& site) {
  if (site == "prompt_attention") return inspection.promptAttention;
  return inspection.stack(site == "logit_lens_map" ? Site::LogitLens : siteNamed(site));
}

std::string siteOf(const Inspection& inspection, const DumpChoice& choice) {
  if (choice.site.empty()) {
    for (const char* site : kMapSites) {
      if (!stackNamed(inspection, site).empty()) return site;
    }
    return "tokens";
  }
  const std::vector<std::string> names = dumpSites();
  if (std::find(names.begin(), names.end(), choice.site) != names.end()) return choice.site;
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  throw Error("There is no such site", choice.site, "a capture has " + all, "Choose one of these.");
}

/// What a stack's query is called outside: a response token (0 is what the last prompt token predicts, so prompt positions before it are
/// negative), a prompt position, or a visual token. -1 where one map stands for all.
int tokenOf(const Inspection& inspection, const std::string& site, int query) {
  if (site == "cue_recovery") return -1;
  if (site == "vision" || site == "prompt_attention") return query;
  return query - inspection.studentPrompt.responseBegin() + 1;
}

/// One value per place, or the reduction over `sources`.
void reduceInto(std::vector<float>& out, const std::vector<const float*>& sources, int how) {
  for (std::size_t k = 0; k < out.size(); ++k) {
    double sum = 0;
    float largest = sources.front()[k];
    for (const float* source : sources) {
      sum += source[k];
      largest = std::max(largest, source[k]);
    }
    out[k] = how == DumpChoice::kMax ? largest : static_cast<float>(sum / static_cast<double>(sources.size()));
  }
}

/// Groups of positions along one axis: one group each, one chosen, or all in one (to be reduced).
std::vector<std::vector<std::size_t>> groups(std::size_t count, int choice, std::size_t position) {
  std::vector<std::vector<std::size_t>> result;
  if (choice >= 0) return {{position}};
  if (choice == DumpChoice::kAll) {
    for (std::size_t i = 0; i < count; ++i) result.push_back({i});
  } else {
    result.emplace_back();
    for (std::size_t i = 0; i < count; ++i) result.back().push_back(i);
  }
  return result;
}

std::size_t positionOf(const std::vector<int>& layers, int layer, const std::string& site) {
  const auto found = std::find(layers.begin(), layers.end(), layer);
  if (found != layers.end()) return static_cast<std::size_t>(found - layers.begin());
  std::string there;
  for (const int each : layers) there += (there.empty() ? "" : ", ") + std::to_string(each);
  throw Error("There is no map of layer " + std::to_string(layer), site, "the capture has layers " + there, "Choose one of these.");
}

void checkIndex(int index, std::size_t count, const char* word, const std::string& site) {
  if (index >= 0 && static_cast<std::size_t>(index) >= count) {
    throw Error(std::string("There is no ") + word + " " + std::to_string(index), site, "the capture has " + std::to_string(count) + ", counted from 0",
                "Choose a smaller number.");
  }
}

Cell indexCell(int index) {
  if (index == DumpChoice::kMean) return std::string("mean");
  if (index == DumpChoice::kMax) return std::string("max");
  return static_cast<std::int64_t>(index);
}

struct Place {
  int image = -1, row = -1, column = -1;
};

/// Image, row and column of a visual token.
std::vector<Place> places(const Inspection& inspection, int keys) {
  std::vector<Place> result(static_cast<std::size_t>(keys));
  for (std::size_t i = 0; i < inspection.images.size(); ++i) {
    const ImageView& image = inspection.images[i];
    for (int r = 0; r < image.gridRows; ++r) {
      for (int c = 0; c < image.gridCols; ++c) {
        const int key = image.firstVisual + r * image.gridCols + c;
        if (key < keys) result[static_cast<std::size_t>(key)] = {static_cast<int>(i), r, c};
      }
    }
  }
  return result;
}

Table mapTable(const Inspection& inspection, const DumpChoice& choice) {
  Table table{{"token", "layer", "head", "image", "row", "column", "value"}, {}};
  std::vector<Place> where;
  for (const ChosenMap& map : chooseMaps(inspection, choice)) {
    if (where.empty()) where = places(inspection, static_cast<int>(map.values.size()));
    for (std::size_t k = 0; k < map.values.size(); ++k) {
      table.rows.push_back({static_cast<std::int64_t>(map.token), indexCell(map.layer), indexCell(map.head), static_cast<std::int64_t>(where[k].image),
                            static_cast<std::int64_t>(where[k].row), static_cast<std::int64_t>(where[k].column), map.values[k]});
    }
  }
  return table;
}

Table tokenTable(const Inspection& inspection, const DumpChoice& choice) {
  Table table{{"token", "id", "text"}, {}};
  for (const char* what : {"log_prob", "entropy", "tail"}) {
    for (int c = 0; c < kConditions; ++c) table.columns.push_back(std::string(what) + "." + conditionName(static_cast<Condition>(c)));
  }
  for (const char* what : {"gap", "gap_from_cue", "gap_from_weights", "kl_teacher_student", "kl_student_teacher", "jsd"}) table.columns.emplace_back(what);
  checkIndex(choice.token, inspection.response.size(), "response token", "tokens");
  for (std::size_t i = 0; i < inspection.response.size(); ++i) {
    if (choice.token >= 0 && static_cast<std::size_t>(choice.token) != i) continue;
    const TokenDistributions one = i < inspection.distributions.size() ? inspection.distributions[i] : TokenDistributions{};
    std::vector<Cell> row{static_cast<std::int64_t>(i), inspection.response[i].id, inspection.response[i].text};
    for (const float* values : {one.sampled, one.entropy, one.tail}) row.insert(row.end(), values, values + kConditions);
    for (const float value : {one.gap(), one.gapFromCue(), one.gapFromWeights(), one.klTeacherStudent, one.klStudentTeacher, one.jsd}) row.emplace_back(value);
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table distributionTable(const Inspection& inspection, const DumpChoice& choice) {
  Table table{{"token", "id", "text"}, {}};
  for (int c = 0; c < kConditions; ++c) table.columns.push_back(std::string("log_prob.") + conditionName(static_cast<Condition>(c)));
  checkIndex(choice.token, inspection.distributions.size(), "response token", "distributions");
  for (std::size_t i = 0; i < inspection.distributions.size(); ++i) {
    if (choice.token >= 0 && static_cast<std::size_t>(choice.token) != i) continue;
    const TokenDistributions& one = inspection.distributions[i];
    for (std::size_t k = 0; k < one.ids.size(); ++k) {
      std::vector<Cell> row{static_cast<std::int64_t>(i), one.ids[k], one.texts[k]};
      for (const auto& logProbs : one.logProbs) row.emplace_back(logProbs.empty() ? kNotComputed : logProbs[k]);
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

Table lensTable(const Inspection& inspection, const DumpChoice& choice) {
  const LogitLens& lens = inspection.logitLens;
  if (lens.empty()) throw Error("The capture has no such table", "logit_lens", "it was not asked for", "Inspect again with the site logit_lens.");
  Table table{{"token", "position", "layer", "rank", "id", "text", "log_prob", "chosen_id", "chosen_log_prob", "entropy"}, {}};
  for (std::size_t l = 0; l < lens.layers.size(); ++l) {
    if (choice.layer >= 0 && lens.layers[l] != choice.layer) continue;
    for (std::size_t p = 0; p < lens.positions.size(); ++p) {
      const int token = tokenOf(inspection, "logit_lens", lens.positions[p]);
      if (choice.token >= 0 && token != choice.token) continue;
      const std::size_t place = lens.at(l, p);
      for (int k = 0; k < lens.top; ++k) {
        const std::size_t at = place * static_cast<std::size_t>(lens.top) + static_cast<std::size_t>(k);
        table.rows.push_back({static_cast<std::int64_t>(token), static_cast<std::int64_t>(lens.positions[p]), static_cast<std::int64_t>(lens.layers[l]), static_cast<std::int64_t>(k),
                              lens.ids[at], lens.texts[at], lens.logProbs[at], lens.chosenIds[p], lens.chosen[place], lens.entropy[place]});
      }
    }
  }
  return table;
}

Table evidenceTable(const Inspection& inspection, const DumpChoice& choice) {
  Table table{{"site", "token", "layer", "image", "boxes", "patches", "mass", "uniform_mass", "hit", "uniform_hit", "iou", "uniform_iou"}, {}};
  for (const EvidenceScore& score : inspection.evidenceScores) {
    const std::string site = score.prompt ? "prompt_attention" : score.site == Site::LogitLens ? "logit_lens_map" : siteName(score.site);
    const int token = tokenOf(inspection, site, score.query);
    if ((choice.layer >= 0 && score.layer != choice.layer) || (choice.token >= 0 && token != choice.token)) continue;
    table.rows.push_back({site, static_cast<std::int64_t>(token), static_cast<std::int64_t>(score.layer), static_cast<std::int64_t>(score.image), static_cast<std::int64_t>(score.boxes),
                          static_cast<std::int64_t>(score.patches), score.mass, score.uniformMass, static_cast<std::int64_t>(score.hit), score.uniformHit, score.iou, score.uniformIou});
  }
  return table;
}

Table tableOf(const Inspection& inspection, DumpChoice choice) {
  choice.site = siteOf(inspection, choice);
  if (choice.site == "tokens") return tokenTable(inspection, choice);
  if (choice.site == "distributions") return distributionTable(inspection, choice);
  if (choice.site == "logit_lens") return lensTable(inspection, choice);
  if (choice.site == "evidence") return evidenceTable(inspection, choice);
  return mapTable(inspection, choice);
}

/// A .npy array, format 1.0.
std::string npy(const std::string& descr, const std::vector<std::size_t>& shape, const void* bytes, std::size_t size) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
  for (const std::size_t extent : shape) header += std::to_string(extent) + ", ";
  header += "), }";
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 0xFF);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  out.append(static_cast<const char*>(bytes), size);
  return out;
}

std::string npyInts(const std::vector<std::int64_t>& values) { return npy("<i8", {values.size()}, values.data(), values.size() * 8); }

}  // namespace

std::vector<std::string> dumpSites() {
  std::vector<std::string> names(kMapSites.begin(), kMapSites.end());
  names.insert(names.end(), kTableSites.begin(), kTableSites.end());
  return names;
}

std::vector<ChosenMap> chooseMaps(const Inspection& inspection, const DumpChoice& choice) {
  const std::string site = siteOf(inspection, choice);
  if (!isMaps(site)) throw Error("This is no map", site, "only sites with maps over the image can be reduced", "Choose one of these.");
  const bool cue = site == siteName(Site::CueRecovery);
  const AttentionStack& stack = stackNamed(inspection, site);
  if (stack.empty()) {
    throw Error("The capture has no such map", site,
                cue                         ? "the student has no cue recovery module, or the prompt no image"
                : site == "self_attention" ? "the prompt has no image, or there is no response"
                                           : "it was not asked for, or the prompt has no image",
                "Choose another site.");
  }
  checkIndex(choice.head, static_cast<std::size_t>(stack.heads), "head", site);
  const int token = cue ? DumpChoice::kAll : choice.token;
  std::size_t queryPlace = 0;
  if (token >= 0) {
    while (queryPlace < stack.queries.size() && tokenOf(inspection, site, stack.queries[queryPlace]) != token) ++queryPlace;
    if (queryPlace == stack.queries.size()) {
      throw Error("There is no map of token " + std::to_string(token), site, "the capture has " + std::to_string(stack.queries.size()) + " tokens there", "Choose one that was captured.");
    }
  }
  const std::size_t layerAt = choice.layer >= 0 ? positionOf(stack.layers, choice.layer, site) : 0;
  std::vector<ChosenMap> maps;
  for (const auto& queries : groups(stack.queries.size(), token, queryPlace)) {
    for (const auto& layers : groups(stack.layers.size(), choice.layer, layerAt)) {
      for (const auto& heads : groups(static_cast<std::size_t>(stack.heads), choice.head, static_cast<std::size_t>(std::max(choice.head, 0)))) {
        ChosenMap map;
        map.token = queries.size() == 1 ? tokenOf(inspection, site, stack.queries[queries[0]]) : token;
        map.layer = choice.layer < DumpChoice::kAll ? choice.layer : stack.layers[layers[0]];
        map.head = stack.headsAveraged ? DumpChoice::kMean : choice.head < DumpChoice::kAll ? choice.head : static_cast<int>(heads[0]);
        map.values.resize(static_cast<std::size_t>(stack.keys));
        // Heads first, then layers, then tokens; the mean and the maximum are the same in any order, but both may be asked for.
        std::vector<std::vector<float>> perLayer;
        for (const std::size_t q : queries) {
          for (const std::size_t l : layers) {
            std::vector<const float*> sources;
            for (const std::size_t h : heads) sources.push_back(stack.map(q, l, h));
            reduceInto(perLayer.emplace_back(map.values.size()), sources, choice.head);
          }
        }
        std::vector<const float*> sources;
        for (const auto& values : perLayer) sources.push_back(values.data());
        reduceInto(map.values, sources, layers.size() > 1 ? choice.layer : token);
        maps.push_back(std::move(map));
      }
    }
  }
  return maps;
}

std::string dumpCsv(const Inspection& inspection, const DumpChoice& choice) {
  const Table table = tableOf(inspection, choice);
  std::string out;
  for (std::size_t c = 0; c < table.columns.size(); ++c) out += (c ? "," : "") + table.columns[c];
  out += '\n';
  for (const auto& row : table.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c) out += ',';
      if (const auto* number = std::get_if<std::int64_t>(&row[c])) out += std::to_string(*number);
      else if (const auto* value = std::get_if<float>(&row[c])) out += numberText(*value);
      else out += quoted(std::get<std::string>(row[c]));
    }
    out += '\n';
  }
  return out;
}

std::string dumpJson(const Inspection& inspection, const DumpChoice& choice) {
  const Table table = tableOf(inspection, choice);
  nlohmann::ordered_json root;
  root["site"] = siteOf(inspection, choice);
  root["rows"] = nlohmann::ordered_json::array();
  for (const auto& row : table.rows) {
    nlohmann::ordered_json object;
    for (std::size_t c = 0; c < row.size(); ++c) {
      auto& cell = object[table.columns[c]];
      if (const auto* number = std::get_if<std::int64_t>(&row[c])) cell = *number;
      else if (const auto* value = std::get_if<float>(&row[c])) cell = std::isnan(*value) ? nlohmann::ordered_json() : nlohmann::ordered_json(*value);
      else cell = std::get<std::string>(row[c]);
    }
    root["rows"].push_back(std::move(object));
  }
  // A token may be half a character: shown as U+FFFD here; the capture itself keeps its bytes.
  return root.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string dumpNpz(const Inspection& inspection, const DumpChoice& choice) {
  const std::string site = siteOf(inspection, choice);
  ZipStore zip;
  if (isMaps(site)) {
    std::vector<float> values;
    std::vector<std::int64_t> tokens, layers, heads;
    std::size_t keys = 0;
    for (const ChosenMap& map : chooseMaps(inspection, choice)) {
      keys = map.values.size();
      values.insert(values.end(), map.values.begin(), map.values.end());
      tokens.push_back(map.token);
      layers.push_back(map.layer);
      heads.push_back(map.head);
    }
    zip.add("values.npy", npy("<f4", {tokens.size(), keys}, values.data(), values.size() * sizeof(float)));
    zip.add("token.npy", npyInts(tokens));
    zip.add("layer.npy", npyInts(layers));
    zip.add("head.npy", npyInts(heads));
    std::vector<std::int64_t> grids;
    for (const ImageView& image : inspection.images) grids.insert(grids.end(), {image.gridRows, image.gridCols, image.firstVisual});
    zip.add("grids.npy", npy("<i8", {inspection.images.size(), 3}, grids.data(), grids.size() * 8));
    return zip.bytes();
  }
  const Table table = tableOf(inspection, choice);
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    std::vector<std::int64_t> ints;
    std::vector<float> floats;
    std::vector<std::string> words;
    std::size_t longest = 1;
    for (const auto& row : table.rows) {
      if (const auto* number = std::get_if<std::int64_t>(&row[c])) ints.push_back(*number);
      else if (const auto* value = std::get_if<float>(&row[c])) floats.push_back(*value);
      else words.push_back(std::get<std::string>(row[c])), longest = std::max(longest, words.back().size());
    }
    if (!words.empty()) {  // bytes, padded with zeros: numpy's S type
      std::string text;
      for (std::string word : words) {
        word.resize(longest, '\0');
        text += word;
      }
      zip.add(table.columns[c] + ".npy", npy("|S" + std::to_string(longest), {words.size()}, text.data(), text.size()));
    }
    if (!ints.empty()) zip.add(table.columns[c] + ".npy", npyInts(ints));
    if (!floats.empty()) zip.add(table.columns[c] + ".npy", npy("<f4", {floats.size()}, floats.data(), floats.size() * sizeof(float)));
  }
  return zip.bytes();
}

int parseDumpIndex(const std::string& text, const std::string& option) {
  if (text.empty() || text == "all") return DumpChoice::kAll;
  if (text == "mean") return DumpChoice::kMean;
  if (text == "max") return DumpChoice::kMax;
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    throw Error("«" + text + "» is no choice", option, "it takes a number from 0, mean, max or all", "See --help.");
  }
  return value;
}

}  // namespace cuescope
