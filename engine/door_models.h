// Shelf: the models that the engine has open, by folder. A model is loaded once, with the engine's device and type; its processor
// (tokenizer, template, image settings) when it is first needed, because a folder of weights alone can still be measured.
// Engine thread.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "engine/core/events.h"
#include "engine/data/processor.h"
#include "engine/model/qwen3_vl.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

class Shelf {
 public:
  /// `device` and `dtype` as EngineOptions has them, already resolved ("cpu", "float32").
  Shelf(std::string device, std::string dtype, bool withoutCue) : m_device(std::move(device)), m_dtype(std::move(dtype)), m_withoutCue(withoutCue) {}

  /// Loads it at the first call. Throws Error.
  std::shared_ptr<Qwen3VL> share(const std::string& folder, const EventSink& sink = {});
  Qwen3VL& model(const std::string& folder, const EventSink& sink = {}) { return *share(folder, sink); }
  std::shared_ptr<const Processor> shareProcessor(const std::string& folder);
  const Processor& processor(const std::string& folder) { return *shareProcessor(folder); }
  /// Of any folder with a tokenizer.json, with or without weights.
  const Tokenizer& tokenizer(const std::string& folder);
  bool hasTokenizer(const std::string& folder) const;
  void close(const std::string& folder);
  /// The folder as the file system knows it; Error when there is none.
  static std::string path(const std::string& folder);

 private:
  std::string m_device, m_dtype;
  bool m_withoutCue;
  std::map<std::string, std::shared_ptr<Qwen3VL>> m_models;
  std::map<std::string, std::shared_ptr<const Processor>> m_processors;
  std::map<std::string, std::unique_ptr<Tokenizer>> m_tokenizers;
};

}  // namespace cuescope
