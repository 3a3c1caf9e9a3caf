// Stage 1 of supervised.h, and greedy scoring.
#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "engine/data/demo_folder.h"
#include "engine/distill/rewards.h"
#include "engine/distill/supervised.h"
#include "engine/distill/supervised_trainer.h"
#include "engine/model/generate.h"
#include "engine/tokenizer/tokenizer.h"

namespace cuescope {

using namespace supervised;

namespace {

using Ids = std::vector<std::int64_t>;

// The chat format around a question and its picture, as ids.
class DemoFormat {
 public:
  explicit DemoFormat(const Tokenizer& tokenizer) : m_tokenizer(tokenizer) {
    m_user = tokenizer.encode("<|im_start|>user\n");
    m_picture = tokenizer.encode("<|vision_start|>");
    m_picture.insert(m_picture.end(), kTokens, tokenizer.idOf("<|image_pad|>"));
    append(m_picture, tokenizer.encode("<|vision_end|>"));
    m_answer = tokenizer.encode("<|im_end|>\n<|im_start|>assistant\n");
    m_end = tokenizer.idOf("<|im_end|>");
  }

  static void append(Ids& to, const Ids& from) { to.insert(to.end(), from.begin(), from.end()); }

  Ids imagePrefix() const { return joined({m_user, m_picture}); }
  /// What follows the image prefix, to the first token of the response.
  Ids afterImage(const std::string& question, const std::string& privilege) const {
    return joined({m_tokenizer.encode(question + hintLine(privilege)), m_answer});
  }
  Ids questionFirst(const std::string& question, const std::string& privilege) const {
    Ids ids = joined({m_user, m_tokenizer.encode(question), m_picture});
    if (!privilege.empty()) append(ids, m_tokenizer.encode(hintLine(privilege)));
    append(ids, m_answer);
    return ids;
  }
  Ids response(const std::string& text) const {
    Ids ids = m_tokenizer.encode(text);
    ids.push_back(m_end);
    return ids;
  }

 private:
  static std::string hintLine(const std::string& privilege) { return privilege.empty() ? "" : "\n[Hint]: " + privilege; }
  static Ids joined(const std::vector<Ids>& parts) {
    Ids ids;
    for (const Ids& part : parts) append(ids, part);
    return ids;
  }

  const Tokenizer& m_tokenizer;
  Ids m_user, m_picture, m_answer;
  std::int64_t m_end = 0;
};

// Rows of one batch and where their responses begin (-1: a prefix, nothing to learn).
struct Batch {
  std::vector<RowInput> rows;
  std::vector<std::int64_t> responseBegin;
  std::vector<std::int64_t> pictures;  // scene of every row with a picture, in row order

  void add(Ids ids, std::int64_t begin, std::int64_t prefix, std::int64_t picture) {
    RowInput row;
    row.ids = std::move(ids);
    row.prefix = prefix;
    if (picture >= 0) {
      row.grids = demoGrids(1);
      row.pixelValues = at::empty({kPatches, 0});  // features are given to forward(); no pixels are carried
      pictures.push_back(picture);
    }
    rows.push_back(std::move(row));
    responseBegin.push_back(begin);
  }
};

// What is asked changes over the run (`done` from 0 to 1): fewer single facts and captions towards the end.
DemoItem drawItem(const DemoScene& scene, double done, DemoRandom& random) {
  const int draw = random.below(1000);
  const int primitives = int(200 - 150 * done), captions = int(100 - 75 * done);
  if (draw < primitives) return askPrimitive(scene, random);
  if (draw < primitives + captions) return askCaption(scene);
  return askDemo(scene, random);
}

std::string drawPrivilege(const DemoItem& item, DemoRandom& random) {
  const int draw = random.below(100);
  return draw < 25 ? item.cue : draw < 35 ? item.hint : std::string();
}

}  // namespace

void trainText(Qwen3VL& model, const Tokenizer& tokenizer, const SupervisedOptions& options, const OnSupervisedStep& onStep,
               std::stop_token stop, std::int64_t last) {
  constexpr int kPictures = 6, kQuestions = 6, kQuestionFirst = 4;
  std::vector<at::Tensor> trained;
  for (const auto& item : model.named_parameters()) {
    const bool wanted = !isVision(item.key());
    at::Tensor(item.value()).set_requires_grad(wanted);
    if (wanted) trained.push_back(item.value());
  }
  Trainer trainer(trained, options);
  const DemoFormat format(tokenizer);
  const Ids prefix = format.imagePrefix();
  DemoRandom random(options.seed, 0x7e87);
  for (std::int64_t step = 1; step <= (last > 0 ? last : options.steps); ++step) {
    if (stop.stop_requested()) throw Cancelled();
    const double done = double(step - 1) / double(options.steps);
    std::vector<DemoScene> scenes;
    Batch batch;
    for (int i = 0; i < kPictures; ++i) {
      scenes.push_back(makeDemoScene(random));
      const std::int64_t prefixRow = static_cast<std::int64_t>(batch.rows.size());
      batch.add(prefix, -1, -1, i);
      for (int q = 0; q < kQuestions + (i < kQuestionFirst ? 1 : 0); ++q) {
        const DemoItem item = drawItem(scenes.back(), done, random);
        const std::string privilege = drawPrivilege(item, random);
        const bool questionFirst = q == kQuestions;
        Ids ids = questionFirst ? format.questionFirst(item.question, privilege) : format.afterImage(item.question, privilege);
        const auto begin = static_cast<std::int64_t>(ids.size());
        DemoFormat::append(ids, format.response(item.response));
        batch.add(std::move(ids), begin, questionFirst ? -1 : prefixRow, questionFirst ? i : -1);
      }
    }
    // The tower stands still: its features are computed once a picture, without gradients, and shared by all rows.
    VisionFeatures features;
    {
      c10::AutoGradMode noGrad(false);
      features = model.encodeImages(demoPixels(scenes), demoGrids(scenes.size()));
      const at::Tensor rows = at::tensor(batch.pictures, at::kLong);
      const auto spread = [&](const at::Tensor& f) { return f.view({kPictures, kTokens, -1}).index_select(0, rows).flatten(0, 1); };
      features.merged = spread(features.merged);
      for (at::Tensor& level : features.deepstack) level = spread(level);
    }
    const Rows rows = packRows(model.config(), batch.rows);
    std::vector<std::int64_t> positions, targets;
    for (std::size_t r = 0; r < batch.rows.size(); ++r) {
      if (batch.responseBegin[r] < 0) continue;
      const Ids& ids = batch.rows[r].ids;
      for (std::int64_t i = batch.responseBegin[r]; i < static_cast<std::int64_t>(ids.size()); ++i) {
        positions.push_back(rows.offsets[r] + i - 1);
        targets.push_back(ids[static_cast<std::size_t>(i)]);
      }
    }
    ForwardOptions forward;
    forward.vision = &features;
    const at::Tensor states = model.forward(rows, forward).index_select(0, at::tensor(positions, at::kLong));
    const at::Tensor loss = at::cross_entropy_loss(model.logits(states), at::tensor(targets, at::kLong));
    trainer.step(loss);
    if (onStep) onStep(step, loss.item<double>());
  }
}

double DemoScore::accuracy(const std::string& kind) const {
  const auto found = byKind.find(kind);
  return found == byKind.end() || found->second.second == 0 ? std::nan("") : double(found->second.first) / found->second.second;
}

std::pair<double, double> DemoScore::interval(const std::string& kind) const {
  const auto found = byKind.find(kind);
  if (found == byKind.end() || found->second.second == 0) return {std::nan(""), std::nan("")};
  const double n = found->second.second, p = found->second.first / n, z = 1.959964, z2 = z * z;
  const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {middle - half, middle + half};
}

DemoScore scoreDemo(const Qwen3VL& model, const Tokenizer& tokenizer, int count, std::uint64_t seed, const std::string& privilege,
                    const std::string& layout, std::stop_token stop) {
  constexpr int kBatch = 32;
  c10::AutoGradMode noGrad(false);
  const DemoFormat format(tokenizer);
  SamplingOptions greedy;
  greedy.maxNew = 48;
  DemoScore score;
  for (int begin = 0; begin < count; begin += kBatch) {
    std::vector<RowInput> rows;
    std::vector<DemoCase> cases;
    for (int i = begin; i < std::min(count, begin + kBatch); ++i) {
      cases.push_back(demoCase("test", i, seed));
      const DemoItem& item = cases.back().item;
      const std::string extra = privilege == "cue" ? item.cue : privilege == "hint" ? item.hint : std::string();
      const bool questionFirst = layout == "question-first" || (layout == "both" && cases.back().questionFirst);
      RowInput row;
      if (questionFirst) {
        row.ids = format.questionFirst(item.question, extra);
      } else {
        row.ids = format.imagePrefix();
        DemoFormat::append(row.ids, format.afterImage(item.question, extra));
      }
      row.grids = demoGrids(1);
      row.pixelValues = demoPixels({cases.back().scene});
      rows.push_back(std::move(row));
    }
    const std::vector<Generated> answers = generate(model, rows, greedy, visionBans(model.config()), stop);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const bool right = lastBoxed(tokenizer.decode(answers[i].ids, true)) == cases[i].item.answer;
      for (const std::string& kind : {cases[i].item.kind, std::string("all")}) {
        auto& [rightCount, asked] = score.byKind[kind];
        rightCount += right;
        ++asked;
      }
    }
  }
  return score;
}

}  // namespace cuescope
