#include "engine/evaluate/bench.h"

#include <ATen/ops/argmax.h>
#include <c10/core/DeviceGuard.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "engine/core/failure.h"
#include "engine/data/processor.h"
#include "engine/evaluate/bench_workload.h"
#include "engine/distill/memory.h"
#include "engine/distill/planner.h"
#include "engine/evaluate/train_step.h"
#include "engine/media/decode.h"
#include "engine/model/generate.h"
#include "engine/model/kv_cache.h"
#include "engine/model/qwen3_vl.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {
namespace {

constexpr std::size_t kShownIds = 16;

double peakRssMb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Attention of a row's last token, over its visual tokens, at every layer and head; and the sink's where there is a module.
class LastTokenProbe : public Probe {
 public:
  LastTokenProbe(const Rows& rows, const at::Device& device) : m_rows(rows) {
    for (std::size_t r = 0; r + 1 < rows.offsets.size(); ++r)
      m_visual.push_back((rows.visualIndex.narrow(0, rows.visualOffsets[r], rows.visualOffsets[r + 1] - rows.visualOffsets[r]) - rows.offsets[r]).to(device));
  }
  bool wants(ProbeSite site, std::int64_t) const override { return site == ProbeSite::Attention || site == ProbeSite::SinkAttention; }
  std::vector<std::int64_t> queries(std::int64_t, std::int64_t row) const override {
    const auto r = static_cast<std::size_t>(row);
    return {m_rows.offsets[r + 1] - m_rows.offsets[r] - 1};
  }
  void take(ProbeSite site, std::int64_t, std::int64_t row, const at::Tensor& value) override {
    if (site == ProbeSite::SinkAttention) {
      maps.push_back(value);
      return;
    }
    maps.push_back(value.select(1, 0).index_select(1, m_visual[static_cast<std::size_t>(row)]));  // [H, V]
  }
  std::vector<at::Tensor> maps;

 private:
  const Rows& m_rows;
  std::vector<at::Tensor> m_visual;  // of each row, within the row
};

class Bench {
 public:
  Bench(const BenchRequest& request, const std::string& device, const std::string& dtype, const std::function<void(const BenchLine&)>& onLine)
      : m_request(request), m_device(device), m_dtype(dtype), m_onLine(onLine) {}

  std::vector<BenchLine> run() {
    if (m_request.repeat < 1 || m_request.newTokens < 1)
      throw Error("Nothing can be measured", "bench", "repeat and new tokens must be at least 1", "Ask for more.");
    if (!m_request.only.empty() && std::all_of(m_request.only.begin(), m_request.only.end(), [](const std::string& name) { return name == "tokenize" || name == "image"; })) {
      inputs();  // needs neither weights nor a workload
      return m_lines;
    }
    Baseline baseline;
    baseline.begin();
    load();
    m_work = readBenchWorkload(m_request.model + "/workload.safetensors");
    const std::int64_t batch = m_work.rows();
    const std::string batchName = "decode_b" + std::to_string(batch);
    const std::vector<std::string> known = {"load", "prefill_b1", "decode_b1", batchName, "capture_b1", "distill_step", "train_step", "tokenize", "image"};
    for (const std::string& name : m_request.only)
      if (std::find(known.begin(), known.end(), name) == known.end()) throw Error("There is no such measurement", name, {}, "Leave out --only to see all names.");
    if (wants("prefill_b1")) {
      const auto times = timed([&] { prefillOnce(); });
      line("prefill_b1", times, promptTokens());
    }
    if (wants("decode_b1")) decode("decode_b1", 1);
    if (batch != 1 && wants(batchName)) decode(batchName, batch);
    if (wants("capture_b1")) {
      const auto times = timed([&] { captureOnce(); });
      line("capture_b1", times, promptTokens()).note = "last prompt token's attention to the visual tokens, every layer and head";
      flush();
    }
    if (wants("distill_step")) {
      TrainStep step(m_model, m_work, TrainStep::Responses::Recorded);
      std::vector<double> losses;
      const auto times = timed([&] { losses.push_back(step.run()); });
      const TrainStep::Seconds part = step.seconds();
      BenchLine& out = line("distill_step", times, static_cast<double>(m_work.responses.numel()));
      out.loss = losses.front();
      char note[160];
      std::snprintf(note, sizeof note, "a run's step on the recorded responses%s; score %.0f, backward %.0f, update %.0f ms; no rollout", step.recomputes() ? ", layers computed again" : "", part.score * 1e3,
                    part.backward * 1e3, part.update * 1e3);
      out.note = note;
      flush();
    }
    if (wants("train_step")) {
      if (wants("distill_step") && m_device == "cpu") m_model = Qwen3VL::load(m_request.model, m_device, m_dtype);  // without its gradients
      TrainStep step(m_model, m_work);
      const auto times = timed([&] { step.run(); });
      const TrainStep::Seconds part = step.seconds();
      const RunPlan plan = step.plan(baseline.end());
      BenchLine& out = line("train_step", times, static_cast<double>(step.tokens()));
      char note[240];
      std::snprintf(note, sizeof note,
                    "prompt and response tokens of a whole step; rollout %.0f, score %.0f, backward %.0f, update %.0f ms; peak as planned "
                    "%.0f MB, of it %.0f MB the process without a model",
                    part.rollout * 1e3, part.score * 1e3, part.backward * 1e3, part.update * 1e3, static_cast<double>(plan.peakBytes) / (1 << 20),
                    static_cast<double>(plan.baselineBytes) / (1 << 20));
      out.note = note;
      flush();
    }
    if (std::filesystem::exists(m_request.model + "/tokenizer.json") || !m_request.only.empty()) inputs();
    flush();
    return m_lines;
  }

 private:
  bool wants(const std::string& name) const {
    return m_request.only.empty() || std::find(m_request.only.begin(), m_request.only.end(), name) != m_request.only.end();
  }
  /// Each time into memory that the model before it has given back. The first one may have waited for the disk.
  void load() {
    std::vector<double> times;
    for (int i = 0; i <= (wants("load") ? m_request.repeat : 0); ++i) {
      m_model.reset();
      const double begin = now();
      m_model = Qwen3VL::load(m_request.model, m_device, m_dtype);
      times.push_back(now() - begin);
    }
    const double first = times.front();
    if (times.size() > 1) times.erase(times.begin());
    char note[80];
    std::snprintf(note, sizeof note, "the first time %.1f ms, its files perhaps not in memory yet", first * 1e3);
    line("load", times, 0).note = note;
  }
  double promptTokens() const { return static_cast<double>(m_work.prompts[0].ids.size()); }
  std::vector<RowInput> firstRows(std::int64_t n) const { return {m_work.prompts.begin(), m_work.prompts.begin() + n}; }

  /// From text and pictures to what a model reads.
  void inputs() {
    if (wants("tokenize")) {
      const auto tokenizer = Tokenizer::load(m_request.model);
      std::string text;
      for (int i = 0; text.size() < 2'000'000; ++i) text += "The area of triangle " + std::to_string(i) + " is half the product. ";
      std::size_t ids = 0;
      const auto times = timed([&] { ids = tokenizer->encode(text).size(); });
      line("tokenize", times, static_cast<double>(ids)).note = "2 MB of prose";
      flush();
    }
    if (wants("image")) {
      const Processor processor(m_request.model);
      DecodedImage drawn{1024, 1024, std::vector<std::uint8_t>(1024 * 1024 * 3)};
      for (std::size_t i = 0; i < drawn.rgb.size(); ++i) drawn.rgb[i] = static_cast<std::uint8_t>(i / 3 % 1024 / 4 + (i * 2654435761u >> 20) % 16);
      double decoding = 1e9;
      int run = 0;
      const auto times = timed([&] {
        drawn.rgb[0] = static_cast<std::uint8_t>(++run);  // another picture each time: the processor keeps what it has seen
        const auto png = encodePng(drawn.width, drawn.height, drawn.rgb.data());
        const double begin = now();
        DecodedImage image = decodeImage(png.data(), png.size(), "bench.png");
        const double decoded = now();
        decoding = std::min(decoding, decoded - begin);
        processor.image({"bench", image.width, image.height, std::move(image.rgb)});
        m_patching.push_back(now() - decoded);
      });
      char note[160];
      std::snprintf(note, sizeof note, "a PNG of one megapixel encoded, decoded (best %.1f ms) and made into patches (best %.1f ms)", decoding * 1e3,
                    *std::min_element(m_patching.begin(), m_patching.end()) * 1e3);
      line("image", times, 0).note = note;
      flush();
    }
  }

  void prefillOnce() {
    KvCache cache(m_model->config());
    std::vector<std::int64_t> rows;
    const at::NoGradGuard noGrad;
    // Reading the answer back waits for the device.
    m_model->logits(prefill(*m_model, firstRows(1), cache, rows, 1)).argmax(-1).item<std::int64_t>();
  }

  void captureOnce() {
    const at::NoGradGuard noGrad;
    const Rows rows = packRows(m_model->config(), firstRows(1));
    LastTokenProbe probe(rows, m_model->device());
    KvCache cache(m_model->config());
    ForwardOptions options;
    options.probe = &probe;
    options.cache = &cache;
    options.cacheRoom = 1;
    options.tails = {1};  // as prefill does: who asks about the last token needs no other token's last layer
    m_model->logits(m_model->forward(rows, options)).argmax(-1).item<std::int64_t>();
    for (at::Tensor& map : probe.maps) map = map.cpu();
  }

  void decode(const std::string& name, std::int64_t rows) {
    const auto inputs = firstRows(rows);
    std::vector<std::int64_t> ids;
    SamplingOptions options;
    options.ignoreEos = true;
    options.maxNew = m_request.newTokens + 1;
    double first = 0;  // when every row had its first token: what comes before is the prefill's
    std::int64_t firstLeft = 0;
    const auto onToken = [&](std::int64_t, std::int64_t, float) {
      if (firstLeft > 0 && --firstLeft == 0) first = now();
    };
    std::vector<double> times;
    for (int i = 0; i <= m_request.repeat; ++i) {
      firstLeft = rows;
      ids = generate(*m_model, inputs, options, {}, {}, onToken)[0].ids;
      if (i) times.push_back(now() - first);
    }
    ids.resize(std::min(ids.size(), kShownIds));
    line(name, times, static_cast<double>(rows * m_request.newTokens)).ids = ids;
    flush();
  }

  template <typename F>
  std::vector<double> timed(F&& work) const {
    std::vector<double> times;
    for (int i = 0; i <= m_request.repeat; ++i) {
      const double begin = now();
      work();
      if (i) times.push_back(now() - begin);
    }
    return times;
  }

  BenchLine& line(const std::string& name, std::vector<double> seconds, double tokens) {
    flush();
    std::sort(seconds.begin(), seconds.end());
    const std::size_t n = seconds.size();
    BenchLine out;
    out.name = name;
    out.bestMs = seconds.front() * 1e3;
    out.medianMs = (seconds[(n - 1) / 2] + seconds[n / 2]) / 2 * 1e3;
    out.tokensPerSecond = tokens / seconds.front();
    out.peakRssMb = peakRssMb();
    m_lines.push_back(out);
    return m_lines.back();
  }
  void flush() {
    for (; m_sent < m_lines.size(); ++m_sent)
      if (m_onLine) m_onLine(m_lines[m_sent]);
  }

  const BenchRequest& m_request;
  std::string m_device, m_dtype;
  const std::function<void(const BenchLine&)>& m_onLine;
  std::shared_ptr<Qwen3VL> m_model;
  BenchWorkload m_work;
  std::vector<BenchLine> m_lines;
  std::vector<double> m_patching;
  std::size_t m_sent = 0;
};

}  // namespace

std::vector<BenchLine> runBench(const BenchRequest& request, const std::string& device, const std::string& dtype,
                                const std::function<void(const BenchLine&)>& onLine) {
  return Bench(request, device, dtype, onLine).run();
}

}  // namespace cuescope
