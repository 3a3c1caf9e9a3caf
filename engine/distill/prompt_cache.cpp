#include "engine/distill/prompt_cache.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include "engine/core/digest.h"
#include "engine/model/generate.h"

namespace cuescope {
namespace {

std::string keyOf(const RowInput& prompt) {
  Digest digest;
  digest.add(prompt.ids.data(), prompt.ids.size() * sizeof(std::int64_t));
  for (const Grid& grid : prompt.grids) {
    const std::int64_t shape[] = {grid.t, grid.h, grid.w, grid.video ? 1 : 0};
    digest.add(shape, sizeof shape);
  }
  if (prompt.pixelValues.defined()) {
    const at::Tensor bytes = prompt.pixelValues.contiguous();
    digest.add(bytes.const_data_ptr(), bytes.nbytes());
  }
  return digest.hex();
}

}  // namespace

PromptCache::PromptCache(const Qwen3VL& model, std::int64_t capacityBytes)
    : m_model(model), m_cache(model.config()), m_capacity(capacityBytes) {}

const PromptCache::Entry& PromptCache::entryOf(const RowInput& prompt, VisionCache* vision) {
  const std::string key = keyOf(prompt);
  if (auto found = m_byKey.find(key); found != m_byKey.end()) {
    ++m_hits;
    m_entries.splice(m_entries.begin(), m_entries, found->second);
    return m_entries.front();
  }
  ++m_misses;
  Entry entry;
  entry.key = key;
  std::vector<std::int64_t> rows;
  entry.last = prefill(m_model, {prompt}, m_cache, rows, 0, 0, {}, [&](std::span<const RowInput* const> asked) {
                 return vision ? vision->features(m_model, asked) : VisionFeatures{};
               }).clone();
  entry.row = rows[0];
  entry.bytes = static_cast<std::int64_t>(m_cache.data(entry.row).nbytes() + entry.last.nbytes());
  m_bytes += entry.bytes;
  m_entries.push_front(std::move(entry));
  m_byKey[key] = m_entries.begin();
  return m_entries.front();
}

at::Tensor PromptCache::predicting(std::span<const RowInput* const> prompts, std::span<const TokenIds* const> responses,
                                   VisionCache* vision) {
  const at::NoGradGuard noGrad;
  std::vector<at::Tensor> last(prompts.size());
  std::vector<std::int64_t> rows;
  std::vector<std::vector<std::int64_t>> more;
  for (std::size_t b = 0; b < prompts.size(); ++b) {
    const Entry& entry = entryOf(*prompts[b], vision);
    last[b] = entry.last;
    const TokenIds& response = *responses[b];
    if (response.size() < 2) continue;  // the prompt's last state is all it takes
    rows.push_back(m_cache.copyRow(entry.row, static_cast<std::int64_t>(prompts[b]->ids.size() + response.size())));
    more.emplace_back(response.begin(), response.end() - 1);  // the last token predicts nothing
  }
  at::Tensor states;
  if (!rows.empty()) {
    ForwardOptions options;
    options.cache = &m_cache;
    states = m_model.forward(continueRows(m_model.config(), m_cache, rows, more), options);
  }
  for (const std::int64_t row : rows) m_cache.release(row);
  std::vector<at::Tensor> parts;
  std::int64_t begin = 0;
  for (std::size_t b = 0; b < prompts.size(); ++b) {
    const auto length = static_cast<std::int64_t>(responses[b]->size());
    if (length == 0) continue;
    parts.push_back(last[b]);
    if (length == 1) continue;
    parts.push_back(states.narrow(0, begin, length - 1));
    begin += length - 1;
  }
  // Not before: entries of this call must outlive it.
  while (m_bytes > m_capacity && m_entries.size() > 1) {
    m_bytes -= m_entries.back().bytes;
    m_cache.release(m_entries.back().row);
    m_byKey.erase(m_entries.back().key);
    m_entries.pop_back();
  }
  return parts.empty() ? at::empty({0, m_model.config().text.hidden}, m_model.headWeight().options().requires_grad(false)) : at::cat(parts);
}

}  // namespace cuescope
