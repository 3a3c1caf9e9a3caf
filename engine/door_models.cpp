#include "engine/door_models.h"

#include <filesystem>

#include "engine/core/config.h"
#include "engine/core/failure.h"
#include "engine/distill/checkpoint.h"

namespace cuescope {

std::string Shelf::path(const std::string& folder) {
  const std::string resolved = resolvePath(folder);
  std::error_code error;
  if (folder.empty()) throw Error("No model was named", "model", {}, "Choose a model's folder.");
  if (!std::filesystem::exists(resolved, error)) throw Error("The model's folder does not exist", resolved, {}, "Check the path.");
  if (!std::filesystem::is_directory(resolved, error)) {
    throw Error("This is no model's folder", resolved, "it is a file; a model is a folder with config.json and safetensors", "Choose the folder.");
  }
  return std::filesystem::canonical(resolved, error).string();
}

std::shared_ptr<Qwen3VL> Shelf::share(const std::string& folder, const EventSink& sink) {
  const std::string key = path(folder);
  auto& model = m_models[key];
  if (!model) {
    try {
      requireWholeModel(key);
      model = Qwen3VL::load(key, m_device, m_dtype, sink, m_withoutCue);
    } catch (...) {
      m_models.erase(key);
      throw;
    }
    model->eval();
  }
  return model;
}

std::shared_ptr<const Processor> Shelf::shareProcessor(const std::string& folder) {
  const std::string key = path(folder);
  auto found = m_processors.find(key);
  if (found == m_processors.end()) found = m_processors.emplace(key, std::make_shared<const Processor>(key)).first;
  return found->second;
}

const Tokenizer& Shelf::tokenizer(const std::string& folder) {
  const std::string key = path(folder);
  if (const auto found = m_processors.find(key); found != m_processors.end()) return found->second->tokenizer();
  auto found = m_tokenizers.find(key);
  if (found == m_tokenizers.end()) found = m_tokenizers.emplace(key, Tokenizer::load(key)).first;
  return *found->second;
}

bool Shelf::hasTokenizer(const std::string& folder) const {
  std::error_code error;
  return std::filesystem::exists(path(folder) + "/tokenizer.json", error);
}

void Shelf::close(const std::string& folder) {
  const std::string key = path(folder);
  m_models.erase(key);
  m_processors.erase(key);
  m_tokenizers.erase(key);
}

}  // namespace cuescope
