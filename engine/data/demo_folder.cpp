#include "engine/data/demo_folder.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/core/failure.h"
#include "engine/tokenizer/chat_template.h"

namespace cuescope {

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

void writeFile(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.flush();
  if (!out) throw Error("The file could not be written", file.string(), "the disk may be full or the folder read-only");
}

// Byte-level BPE writes bytes as printable characters: printable Latin-1 as it is, the others from U+0100 on.
std::vector<std::string> byteAlphabet() {
  const auto utf8 = [](int c) {
    if (c < 0x80) return std::string(1, static_cast<char>(c));
    return std::string{static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
  };
  std::vector<std::string> alphabet(256);
  int next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    alphabet[static_cast<std::size_t>(b)] = utf8(printable ? b : next++);
  }
  return alphabet;
}

using Merge = std::pair<std::string, std::string>;

// Merges until every word is one symbol; the most frequent pair first, ties by text. Words are ASCII letters.
std::vector<Merge> trainMerges(const std::vector<DemoWord>& words) {
  std::vector<std::vector<std::string>> pieces;
  for (const DemoWord& word : words) {
    pieces.emplace_back();
    for (char c : word.text) pieces.back().emplace_back(1, c);
  }
  std::vector<Merge> merges;
  for (;;) {
    std::map<Merge, int> counts;
    for (const auto& word : pieces)
      for (std::size_t i = 0; i + 1 < word.size(); ++i) ++counts[{word[i], word[i + 1]}];
    if (counts.empty()) return merges;
    const Merge best = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
    merges.push_back(best);
    for (auto& word : pieces) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        if (word[i] != best.first || word[i + 1] != best.second) continue;
        word[i] += word[i + 1];
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
}

constexpr const char* kPattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const std::vector<std::string> kSpecial{"<|endoftext|>",  "<|im_start|>",  "<|im_end|>",   "<|vision_start|>",
                                        "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"};

Json addedToken(const std::string& text) {
  return {{"content", text},       {"single_word", false}, {"lstrip", false},
          {"rstrip", false},       {"normalized", false},  {"special", true}};
}

Json processorSettings(const char* classKey, const char* className, int shortest, int longest) {
  return {{"size", {{"shortest_edge", shortest}, {"longest_edge", longest}}},
          {"patch_size", 16},
          {"temporal_patch_size", 2},
          {"merge_size", 2},
          {"image_mean", {0.5, 0.5, 0.5}},
          {"image_std", {0.5, 0.5, 0.5}},
          {"processor_class", "Qwen3VLProcessor"},
          {classKey, className}};
}

}  // namespace

void writeDemoProcessor(const std::string& folder) {
  const fs::path path(folder);
  fs::create_directories(path);
  const std::vector<std::string> alphabet = byteAlphabet();
  const std::string space = alphabet[' '];

  Json vocabulary = Json::object(), mergeList = Json::array();
  std::int64_t next = 0;
  // Ids in the order of the printable alphabet, as byte-level tokenizers have them.
  std::vector<std::string> sorted(alphabet);
  std::sort(sorted.begin(), sorted.end());
  for (const std::string& symbol : sorted) vocabulary[symbol] = next++;
  const auto merge = [&](const std::string& left, const std::string& right) {
    mergeList.push_back(left + " " + right);
    if (!vocabulary.contains(left + right)) vocabulary[left + right] = next++;
  };
  const std::vector<DemoWord> words = demoVocabulary();
  for (const auto& [left, right] : trainMerges(words)) merge(left, right);
  for (const DemoWord& word : words)
    if (word.spaced) merge(space, word.text);
  // Fixed punctuation of questions, hints and boxes.
  merge(space, "\\");
  merge("]", ":");
  merge("?", alphabet['\n']);
  merge(".", alphabet['\n']);

  Json added = Json::array(), decoder = Json::object();
  for (const std::string& text : kSpecial) {
    Json token = {{"id", next}};
    token.update(addedToken(text));
    added.push_back(token);
    decoder[std::to_string(next)] = addedToken(text);
    ++next;
  }
  const std::int64_t firstSpecial = next - static_cast<std::int64_t>(kSpecial.size());
  const Json byteLevel = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
  const Json split = {{"type", "Split"}, {"pattern", {{"Regex", kPattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  const Json tokenizer = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", {{"type", "NFC"}}},
      {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byteLevel})}}},
      {"post_processor", byteLevel},
      {"decoder", byteLevel},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", ""},
        {"end_of_word_suffix", ""},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", false},
        {"vocab", vocabulary},
        {"merges", mergeList}}},
  };
  writeFile(path / "tokenizer.json", tokenizer.dump(1) + "\n");
  const Json config = {
      {"add_bos_token", false},
      {"add_prefix_space", false},
      {"added_tokens_decoder", decoder},
      {"additional_special_tokens", std::vector<std::string>(kSpecial.begin() + 1, kSpecial.end())},
      {"bos_token", nullptr},
      {"chat_template", std::string(plainChatTemplate())},
      {"clean_up_tokenization_spaces", false},
      {"eos_token", "<|im_end|>"},
      {"errors", "replace"},
      {"model_max_length", 32768},
      {"pad_token", "<|endoftext|>"},
      {"split_special_tokens", false},
      {"tokenizer_class", "Qwen2Tokenizer"},
      {"unk_token", nullptr},
  };
  writeFile(path / "tokenizer_config.json", config.dump(1) + "\n");
  writeFile(path / "chat_template.json", Json{{"chat_template", std::string(plainChatTemplate())}}.dump(1) + "\n");
  const Json generation = {{"eos_token_id", {firstSpecial + 2, firstSpecial}}, {"pad_token_id", firstSpecial}, {"do_sample", false}};
  writeFile(path / "generation_config.json", generation.dump(1) + "\n");
  // The stock minimum of 65,536 pixels would enlarge the pictures; at most 1,024 visual tokens for a photograph.
  writeFile(path / "preprocessor_config.json",
            processorSettings("image_processor_type", "Qwen2VLImageProcessorFast", 9216, 1 << 20).dump(1) + "\n");
  writeFile(path / "video_preprocessor_config.json",
            processorSettings("video_processor_type", "Qwen3VLVideoProcessor", 4096, 1 << 21).dump(1) + "\n");
}

DemoCase demoCase(const std::string& split, std::int64_t index, std::uint64_t seed) {
  std::uint64_t stream = 0xcbf29ce484222325ull;
  for (char c : split) stream = (stream ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  DemoRandom random(seed, stream + static_cast<std::uint64_t>(index));
  DemoCase result;
  if (split == "ood") {
    const auto round = static_cast<std::size_t>(index / 3);
    const bool crowded = index % 3 == 0, composed = index % 3 == 1;
    result.dataSource = crowded ? kDemoCrowded : composed ? kDemoComposed : kDemoLayout;
    result.questionBoth = !crowded && !composed;
    for (;;) {
      result.scene = crowded ? makeDemoScene(random, 7, 9) : makeDemoScene(random);
      const auto item = composed ? askNovel(result.scene, kNovelKinds[round % kNovelKinds.size()], random)
                                 : askDemo(result.scene, kDemoKinds[round % kDemoKinds.size()], random);
      if (!item) continue;
      result.item = *item;
      return result;
    }
  }
  const std::size_t kinds = kDemoKinds.size();
  const std::string& kind = kDemoKinds[static_cast<std::size_t>(index) % kinds];
  result.questionFirst = static_cast<std::size_t>(index) / kinds % 4 == 3;
  for (;;) {  // a scene without neighbours has no neighbour question: draw another
    result.scene = makeDemoScene(random);
    if (auto item = askDemo(result.scene, kind, random)) {
      result.item = *item;
      return result;
    }
  }
}

std::vector<Sample> demoSamples(const std::string& split, std::int64_t count, std::uint64_t seed, std::stop_token stop) {
  std::vector<Sample> samples;
  for (std::int64_t i = 0; i < count; ++i) {
    if (stop.stop_requested()) throw Cancelled();
    const DemoCase drawn = demoCase(split, i, seed);
    Sample sample = demoSample(drawn.scene, drawn.item, drawn.questionFirst, split, i);
    sample.dataSource = drawn.dataSource;
    if (drawn.questionBoth) {
      sample.prompt.front().text = drawn.item.question + "<image>" + drawn.item.question;
      sample.layout = "question-both";
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

void makeDemoData(const std::string& folder, std::uint64_t seed, const EventSink& sink, std::stop_token stop) {
  const fs::path data = fs::path(folder) / "data";
  fs::create_directories(data);
  const std::vector<std::pair<std::string, std::int64_t>> splits{{"train", 2000}, {"test", 1000}, {"ood", 960}};
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const auto& [split, count] = splits[s];
    if (sink) sink(Progress{"Drawing " + std::to_string(count) + " " + split + " rows", double(s), double(splits.size() + 1)});
    const std::vector<Sample> samples = demoSamples(split, count, seed, stop);
    if (haveParquet()) {
      writeParquet((data / (split + ".parquet")).string(), samples);
    } else {
      writeJsonl((data / (split + ".jsonl")).string(), samples);
    }
  }
  // A few pictures as files, for opening and dropping.
  std::vector<Sample> examples = demoSamples("example", 32, seed, stop);
  std::vector<Sample> chosen;
  for (std::size_t i : {2u, 3u, 5u, 6u, 24u, 30u}) {
    Sample sample = std::move(examples[i]);
    const std::string name = "example-" + std::to_string(chosen.size() + 1) + ".png";
    writeFile(data / name, std::string(sample.imageBytes[0].begin(), sample.imageBytes[0].end()));
    sample.imageBytes[0].clear();
    sample.imagePaths[0] = name;
    chosen.push_back(std::move(sample));
  }
  writeJsonl((data / "examples.jsonl").string(), chosen);
  if (sink) sink(Progress{"Demo data written", double(splits.size() + 1), double(splits.size() + 1)});
}

}  // namespace cuescope
