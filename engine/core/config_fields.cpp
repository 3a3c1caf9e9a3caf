// The one table of parameters. Order is the order of the form, of the YAML file and of `train --help`.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <stdexcept>

#include "engine/core/config.h"

namespace cuescope {
namespace {

template <typename T>
T parseNumber(const std::string& text, const char* kind) {
  T value{};
  const char* begin = text.data();
  if (!text.empty() && text[0] == '+') ++begin;
  auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    throw std::invalid_argument(fmt::format("must be {}; got «{}»", kind, text));
  }
  return value;
}

bool parseBool(const std::string& text) {
  if (text == "true" || text == "True" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "False" || text == "no" || text == "off" || text == "0") return false;
  throw std::invalid_argument(fmt::format("must be true or false; got «{}»", text));
}

bool isNull(const std::string& text) {
  return text.empty() || text == "null" || text == "~" || text == "None";
}

/// Lists are flow sequences, "[a, b]"; a single value and "a, b" are understood too.
std::vector<std::string> parseList(const std::string& text) {
  std::vector<std::string> items;
  if (isNull(text)) return items;
  YAML::Node node;
  try {
    node = YAML::Load(text.front() == '[' ? text : "[" + text + "]");
  } catch (const YAML::Exception&) {
    throw std::invalid_argument(fmt::format("must be a list such as [a, b]; got «{}»", text));
  }
  for (const auto& item : node) {
    if (!item.IsScalar()) throw std::invalid_argument(fmt::format("must be a list of plain values; got «{}»", text));
    items.push_back(item.Scalar());
  }
  return items;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string joined(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const auto& item : items) out += (out.size() > 1 ? ", " : "") + item;
  return out + "]";
}

struct Text {
  const char* key;
  const char* label;
  const char* unit;
  const char* sentence;
  const char* source;
};

class Table {
 public:
  template <typename Section, typename T>
  void number(Text text, Section RunConfig::*section, T Section::*member, bool nullIsZero = false) {
    ConfigField field = make(text, std::is_floating_point_v<T> ? "number" : "int");
    field.get = [=](const RunConfig& config) { return fmt::format("{}", config.*section.*member); };
    field.set = [=](RunConfig& config, const std::string& value) {
      if (nullIsZero && isNull(value)) {
        config.*section.*member = T{};
      } else {
        config.*section.*member = parseNumber<T>(value, std::is_floating_point_v<T> ? "a number" : "a whole number");
      }
    };
    fields.push_back(std::move(field));
  }

  template <typename Section>
  void flag(Text text, Section RunConfig::*section, bool Section::*member) {
    ConfigField field = make(text, "bool");
    field.get = [=](const RunConfig& config) { return config.*section.*member ? "true" : "false"; };
    field.set = [=](RunConfig& config, const std::string& value) { config.*section.*member = parseBool(value); };
    fields.push_back(std::move(field));
  }

  template <typename Section>
  void text(Text text, const char* type, Section RunConfig::*section, std::string Section::*member) {
    ConfigField field = make(text, type);
    field.get = [=](const RunConfig& config) { return config.*section.*member; };
    field.set = [=](RunConfig& config, const std::string& value) {
      config.*section.*member = isNull(value) ? "" : value;
    };
    fields.push_back(std::move(field));
  }

  template <typename Section>
  void choice(Text text, std::vector<std::string> choices, Section RunConfig::*section, std::string Section::*member) {
    ConfigField field = make(text, "choice");
    field.choices = choices;
    field.get = [=](const RunConfig& config) { return config.*section.*member; };
    field.set = [=](RunConfig& config, const std::string& value) {
      for (const auto& known : choices) {
        if (value == known) {
          config.*section.*member = value;
          return;
        }
      }
      throw std::invalid_argument(fmt::format("must be one of {}; got «{}»", fmt::join(choices, ", "), value));
    };
    fields.push_back(std::move(field));
  }

  template <typename Section>
  void paths(Text text, Section RunConfig::*section, std::vector<std::string> Section::*member) {
    ConfigField field = make(text, "paths");
    field.get = [=](const RunConfig& config) {
      std::vector<std::string> items;
      for (const auto& item : config.*section.*member) items.push_back(quoted(item));
      return joined(items);
    };
    field.set = [=](RunConfig& config, const std::string& value) { config.*section.*member = parseList(value); };
    fields.push_back(std::move(field));
  }

  template <typename Section>
  void ints(Text text, Section RunConfig::*section, std::vector<int> Section::*member) {
    ConfigField field = make(text, "ints");
    field.get = [=](const RunConfig& config) {
      std::vector<std::string> items;
      for (int item : config.*section.*member) items.push_back(std::to_string(item));
      return joined(items);
    };
    field.set = [=](RunConfig& config, const std::string& value) {
      std::vector<int> numbers;
      for (const auto& item : parseList(value)) numbers.push_back(parseNumber<int>(item, "a list of whole numbers"));
      config.*section.*member = std::move(numbers);
    };
    fields.push_back(std::move(field));
  }

  std::vector<ConfigField> fields;

 private:
  static ConfigField make(const Text& text, const char* type) {
    ConfigField field;
    field.key = text.key;
    field.label = text.label;
    field.unit = text.unit;
    field.type = type;
    field.sentence = text.sentence;
    field.source = text.source;
    return field;
  }
};

void addStudent(Table& t) {
  auto s = &RunConfig::student;
  t.text({"student.path", "Student", "", "Hugging Face folder of the model that learns.",
          "verl (actor_rollout_ref.model.path)"},
         "path", s, &RunConfig::Student::path);
  t.flag({"student.cue.enabled", "Cue recovery", "",
          "Adds the module through which the first token reads the visual tokens; a student that has it keeps it.",
          "paper; spec 1"},
         s, &RunConfig::Student::cueEnabled);
  t.number({"student.cue.interval", "Injection interval", "layers",
            "The module acts after every layer whose index is a multiple of this.", "paper: 5; spec 1.1"},
           s, &RunConfig::Student::cueInterval);
  t.choice(
      {"student.cue.init", "Module initialisation", "",
       "zero_o starts as an exact identity; normal draws N(0, 0.02²) and disturbs the student at step 0.", "spec 1.10"},
      {"zero_o", "normal"}, s, &RunConfig::Student::cueInit);
  t.flag({"student.cue.skip_last_layer", "Skip the last layer", "",
          "Leaves out an injection after the last layer: it reaches no other token and only decays.", "spec 7-B5"},
         s, &RunConfig::Student::cueSkipLastLayer);
  t.flag({"student.freeze_vision_tower", "Freeze the vision tower", "",
          "The vision tower keeps its weights; its features are then computed once an image.", "verl"},
         s, &RunConfig::Student::freezeVision);
  t.flag({"student.freeze_language_model", "Freeze the language model", "",
          "The text decoder keeps its weights; only the cue recovery module and the vision tower learn.", "Cuescope"},
         s, &RunConfig::Student::freezeLanguage);
  t.flag(
      {"student.enable_gradient_checkpointing", "Recompute activations", "",
       "Decoder layers are computed again in the backward pass: less memory, about a third more time, the same result.",
       "verl"},
      s, &RunConfig::Student::gradientCheckpointing);
}

void addTeacher(Table& t) {
  auto s = &RunConfig::teacher;
  using T = RunConfig::Teacher;
  t.choice({"teacher.kind", "Kind", "",
            "reference: the frozen model of the folder below; own_start: the student as it begins; ema: a moving average "
            "of the student; live: the student itself.",
            "spec 3.11; Cuescope"},
           {"reference", "own_start", "ema", "live"}, s, &T::kind);
  t.text({"teacher.path", "Teacher", "", "Hugging Face folder of the frozen model that scores the student's answers.",
          "verl (distillation.teacher_model)"},
         "path", s, &T::path);
  t.number({"teacher.ema_decay", "Decay of the average", "",
            "Kind ema: weight of the old average, teacher = decay × teacher + (1 - decay) × student.", "Cuescope"},
           s, &T::emaDecay);
  t.number({"teacher.ema_update_every", "Average every", "steps", "Kind ema: steps between two updates.", "Cuescope"}, s,
           &T::emaEvery);
  t.choice({"teacher.privilege", "Privilege", "",
            "What only the teacher's prompt says: nothing, the answer-side hint, the visual cue, or a column of the data.",
            "paper; spec 3.11"},
           {"none", "hint", "cue", "column"}, s, &T::privilege);
  t.text({"teacher.privilege_column", "Privilege column", "",
          "Privilege column: the text column of the data that goes behind the teacher's question.", "Cuescope"},
         "text", s, &T::privilegeColumn);
  t.paths({"teacher.routes", "Teachers by source", "",
           "Other frozen teachers, as data_source=folder; rows of other sources keep the teacher above.",
           "verl (multi-teacher)"},
          s, &T::routes);
}

void addData(Table& t) {
  auto s = &RunConfig::data;
  t.paths({"data.train_files", "Training data", "", "Parquet or JSONL files with verl's columns; several are joined.",
           "verl"},
          s, &RunConfig::Data::trainFiles);
  t.paths({"data.val_files", "Held-out data", "", "Files for evaluation and probe images.", "verl"}, s,
          &RunConfig::Data::valFiles);
  t.number({"data.train_batch_size", "Batch", "prompts", "Prompts a step.", "verl; paper: 128"}, s,
           &RunConfig::Data::trainBatchSize);
  t.number({"data.max_prompt_length", "Longest prompt", "tokens",
            "Longer prompts are left out and counted, images included.", "verl; paper: 2048"},
           s, &RunConfig::Data::maxPromptLength);
  t.number({"data.max_response_length", "Longest response", "tokens",
            "A rollout ends here if it has not stopped by itself.", "verl; paper: 4096"},
           s, &RunConfig::Data::maxResponseLength);
  t.number({"data.val_max_samples", "Held-out samples", "samples",
            "Rows of an evaluation; below 256 differences of 5 points are noise.", "verl"},
           s, &RunConfig::Data::valMaxSamples);
  t.flag({"data.shuffle", "Shuffle", "", "A new order every epoch, drawn from the seed.", "verl"}, s,
         &RunConfig::Data::shuffle);
  t.ints({"data.probe_rows", "Probe images", "",
          "Rows of the first held-out file whose sink maps are followed over the run.", "Cuescope"},
         s, &RunConfig::Data::probeRows);
  t.flag({"data.filter_overlong_prompts", "Leave out what is too long", "",
          "Both prompts of every row are measured before the first step; rows that are too long are counted and never drawn.",
          "verl; spec 3.2, 7-B8"},
         s, &RunConfig::Data::filterOverlongPrompts);
  t.choice({"data.truncation", "Too long when drawn", "",
            "Without that filter: error stops the run at such a row, skip leaves it out and counts it.", "verl; spec 3.2"},
           {"error", "skip"}, s, &RunConfig::Data::truncation);
  t.fields.back().set = [set = t.fields.back().set](RunConfig& config, const std::string& value) {
    if (value == "left" || value == "right" || value == "middle")
      throw std::invalid_argument(fmt::format("must be error or skip: «{}» would cut a prompt through its image or its question", value));
    set(config, value);
  };
  t.choice({"data.bad_rows", "Row that cannot be read", "",
            "skip: it is left out and counted by its reason; stop: the run ends there and names it.", "Cuescope"},
           {"skip", "stop"}, s, &RunConfig::Data::badRows);
  t.flag({"data.cue_edits", "Cue edits", "",
          "Cues, marks and crops changed on the Data page (FILE.edits.jsonl) take the place of the data's own.", "Cuescope"},
         s, &RunConfig::Data::cueEdits);
}

void addRollout(Table& t) {
  auto s = &RunConfig::rollout;
  t.number({"rollout.n", "Rollouts a prompt", "", "Responses sampled from each prompt.", "verl; paper: 1, GRPO 5"}, s,
           &RunConfig::Rollout::n);
  t.number(
      {"rollout.temperature", "Temperature", "", "Of the sampling; 1 samples the policy itself.", "verl; paper: 1"}, s,
      &RunConfig::Rollout::temperature);
  t.number({"rollout.top_p", "Top p", "", "Smallest set of tokens with this probability; 1 is off.", "verl"}, s,
           &RunConfig::Rollout::topP);
  t.number({"rollout.top_k", "Top k", "tokens", "Only the k most likely tokens; 0 is off.", "verl"}, s,
           &RunConfig::Rollout::topK);
  t.number({"rollout.repetition_penalty", "Repetition penalty", "",
            "Logits of tokens that are there already are divided by this when positive and multiplied when negative; 1 is off.", "verl"},
           s, &RunConfig::Rollout::repetitionPenalty);
  t.number({"rollout.max_repeats", "Repeats allowed", "copies",
            "A response ends after its end is so many copies of one run of up to 16 tokens; 0 is off.", "Cuescope"},
           s, &RunConfig::Rollout::maxRepeats);
  t.ints({"rollout.stop_token_ids", "Stop tokens", "", "End a response, as the model's own end tokens do.", "verl; vLLM"}, s,
         &RunConfig::Rollout::stopTokenIds);
  t.ints({"rollout.banned_token_ids", "Banned tokens", "", "Never sampled; vision tokens never are.", "spec 7-B10"}, s,
         &RunConfig::Rollout::bannedTokenIds);
  t.number({"rollout.kv_cache_mib", "Key-value memory", "MiB",
            "Keys and values that exist at once; responses that do not fit wait for a free place. -1: a quarter of the device's memory; 0: no bound.", "Cuescope"},
           s, &RunConfig::Rollout::kvCacheMib);
  t.number({"rollout.max_num_seqs", "Responses at once", "",
            "A finished response gives its place to the next. 0: 16 on the CPU, 64 on a GPU.", "verl; vLLM"},
           s, &RunConfig::Rollout::maxNumSeqs);
  t.number({"rollout.gap_alarm", "Gap alarm", "nats",
            "Mean difference of log-probabilities between rollout and training above which the run warns.", "spec 7-A8"},
           s, &RunConfig::Rollout::gapAlarm);
}

void addDistillation(Table& t) {
  auto s = &RunConfig::distillation;
  using D = RunConfig::Distillation;
  t.choice({"distillation.loss_mode", "Loss", "", "What is lowered at each response token.", "verl; spec 3.6"},
           {"k1", "kl", "abs", "k2", "mse", "k3", "low_var_kl", "forward_kl_topk", "forward_kl", "reverse_kl", "jsd",
            "alpha", "skew_forward_kl", "skew_reverse_kl", "sft"},
           s, &D::lossMode);
  t.flag({"distillation.use_policy_gradient", "Policy gradient", "",
          "On: the negative loss is the advantage of a clipped policy gradient. Off: the loss is differentiated.",
          "verl; spec 3.7"},
         s, &D::usePolicyGradient);
  t.number({"distillation.topk", "Top K of the teacher", "tokens",
            "Tokens of the teacher's distribution that forward_kl_topk compares.", "verl"},
           s, &D::topk);
  t.flag({"distillation.tail_bucket", "Tail bucket", "",
          "forward_kl_topk: all other tokens together count as one more token; then nothing is floored.",
          "spec 7-B12"},
         s, &D::tailBucket);
  t.number({"distillation.jsd_beta", "Share of the teacher", "",
            "jsd: β KL(p‖m) + (1 - β) KL(q‖m) with m = β p + (1 - β) q.", "GKD, arXiv 2306.13649"},
           s, &D::jsdBeta);
  t.number({"distillation.alpha", "Alpha", "",
            "alpha: (Σ p^α q^(1-α) - 1) / (α (α - 1)); near 1 the forward, near 0 the reverse divergence.", "Amari 1985"},
           s, &D::alpha);
  t.number({"distillation.skew", "Skew", "",
            "skew_forward_kl: KL(p‖λ p + (1 - λ) q); skew_reverse_kl: KL(q‖(1 - λ) p + λ q).", "DistiLLM, arXiv 2402.03898"},
           s, &D::skew);
  t.number({"distillation.vocabulary_chunk", "Vocabulary block", "tokens",
            "Whole-vocabulary losses: tokens whose logits exist at a time; changes memory, not the result.", "Cuescope"},
           s, &D::vocabularyChunk);
  t.choice({"distillation.contrast", "Contrast", "",
            "Raises what the teacher owes to the image (against the erased image) or to the right cue (against a wrong one).",
            "arXiv 2607.21556, 2606.11709"},
           {"none", "erased_image", "wrong_cue"}, s, &D::contrast);
  t.number({"distillation.contrast_weight", "Contrast weight", "",
            "Weight of the difference of the teacher's two scores.", "Cuescope"},
           s, &D::contrastWeight);
  t.number({"distillation.loss_max_clamp", "Loss clamp", "nats", "A token's loss is held within ± this; 0 is off.",
            "verl; script: 10"},
           s, &D::lossMaxClamp, true);
  t.number({"distillation.log_prob_min_clamp", "Log-probability floor", "nats",
            "forward_kl_topk only: both log-probabilities are raised to this; no gradient below it. 0 is off.",
            "verl; script: -10; spec 7-B12"},
           s, &D::logProbMinClamp, true);
  t.number({"distillation.cascade_epsilon", "Cascade threshold", "",
            "Teacher probability under which a token counts as off the teacher's path; 0 is off.", "spec 3.8"},
           s, &D::cascadeEpsilon);
  t.number({"distillation.cascade_tolerance", "Cascade tolerance", "tokens",
            "So many such tokens in a row end the loss of the response.", "spec 3.8"},
           s, &D::cascadeTolerance);
  t.number({"distillation.confidence_alpha", "Confidence exponent", "",
            "Losses times the teacher's best probability to this power; 0 is off.", "spec 3.8"},
           s, &D::confidenceAlpha);
  t.number({"distillation.margin_gamma", "Hindsight margin", "nats",
            "Losses of rewarded responses shrink by this towards 0; 0 is off.", "spec 3.8"},
           s, &D::marginGamma);
  t.flag({"distillation.use_task_rewards", "Task reward", "",
          "Adds the clipped policy gradient of the answer's reward, normalised in each prompt's group (GRPO).", "verl"},
         s, &D::useTaskRewards);
  t.number({"distillation.distillation_loss_coef", "Distillation weight", "",
            "Weight of the distillation loss beside the task reward; 0 needs no teacher.", "verl"},
           s, &D::distillationCoef);
}

void addActor(Table& t) {
  auto s = &RunConfig::actor;
  using A = RunConfig::Actor;
  t.number({"actor.optim.lr", "Learning rate", "", "Of AdamW.", "verl; paper: 1e-6"}, s, &A::lr);
  t.number({"actor.optim.lr_warmup_steps", "Warm-up", "steps", "The rate rises linearly over these steps.", "verl"}, s,
           &A::lrWarmupSteps);
  t.choice({"actor.optim.lr_scheduler_type", "Schedule", "",
            "After the warm-up: constant, or down to 0 linearly or along a cosine.", "verl"},
           {"constant", "linear", "cosine"}, s, &A::lrSchedule);
  t.number({"actor.optim.beta1", "Beta 1", "", "Decay of the mean of gradients.", "library default"}, s, &A::beta1);
  t.number({"actor.optim.beta2", "Beta 2", "", "Decay of the mean of squared gradients.", "library default"}, s,
           &A::beta2);
  t.number({"actor.optim.eps", "Epsilon", "", "Added to the root of the mean square.", "library default"}, s, &A::eps);
  t.number({"actor.optim.weight_decay", "Weight decay", "", "On all parameters, norms included.", "verl; spec 7-B16"},
           s, &A::weightDecay);
  t.flag({"actor.optim.no_decay_norms", "Norms without decay", "", "Weight decay spares norms and biases.", "spec 7-B16"},
         s, &A::noDecayNorms);
  t.number({"actor.optim.lr_cue", "Rate of the module", "", "Of the cue recovery module; 0: the learning rate.",
            "Cuescope; spec 7-D"},
           s, &A::lrCue);
  t.number({"actor.optim.lr_vision_tower", "Rate of the vision tower", "", "0: the learning rate.", "Cuescope"}, s,
           &A::lrVision);
  t.number({"actor.optim.lr_language_model", "Rate of the language model", "", "0: the learning rate.", "Cuescope"}, s,
           &A::lrLanguage);
  t.number({"actor.grad_clip", "Gradient clip", "", "Largest 2-norm of all gradients together.", "verl"}, s,
           &A::gradClip);
  t.choice({"actor.nonfinite_grad", "Gradient not finite", "",
            "skip: the update is left out; halve: and all rates are halved; stop: the run fails.", "verl: skip; Cuescope"},
           {"skip", "halve", "stop"}, s, &A::nonfinite);
  t.choice({"actor.policy_loss.loss_mode", "Policy gradient form", "",
            "ppo: clipped ratio of each token; reinforce_cv: no clip, minus the exact expectation of the advantage; gspo: "
            "ratio of the whole response; cispo: clipped weights.",
            "verl; spec 3.7; arXiv 2507.18071, 2506.13585"},
           {"ppo", "reinforce_cv", "gspo", "cispo"}, s, &A::policyLoss);
  t.number({"actor.ppo_epochs", "Passes over a batch", "", "Updates see each batch so often.", "verl: 1"}, s,
           &A::ppoEpochs);
  t.number({"actor.ppo_mini_batch_size", "Mini-batch", "prompts", "Prompts of one update; 0: the whole batch.", "verl"}, s,
           &A::ppoMiniBatchSize);
  t.flag({"actor.use_rollout_log_probs", "Ratio to the sampler", "",
          "The ratio is taken against the log-probabilities of the rollout instead of the trained model's own.", "verl"},
         s, &A::useRolloutLogProbs);
  t.number({"actor.clip_ratio_low", "Clip below", "", "The ratio to the old policy is held above 1 - this.", "verl"}, s,
           &A::clipRatioLow);
  t.number({"actor.clip_ratio_high", "Clip above", "", "The ratio to the old policy is held below 1 + this.", "verl"},
           s, &A::clipRatioHigh);
  t.number({"actor.clip_ratio_c", "Dual clip", "", "Bound of the loss for negative advantages, times the advantage.",
            "verl"},
           s, &A::clipRatioC);
  t.choice({"actor.loss_agg_mode", "Aggregation", "",
            "How token losses become one number; the paper's formula is seq-mean-token-mean.", "verl; spec 7-B13"},
           {"token-mean", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"}, s, &A::lossAggMode);
  t.number(
      {"actor.entropy_coeff", "Entropy bonus", "", "Weight of the policy's entropy, subtracted from the loss.", "verl"},
      s, &A::entropyCoeff);
  t.number({"actor.kl_loss_coef", "Keep near the start", "",
            "Weight of the divergence from the student's own start; needs no task reward; 0 is off.", "verl: 0.001"},
           s, &A::klLossCoef);
  t.choice({"actor.kl_loss_type", "Divergence from the start", "", "Its estimator at each sampled token; kl itself has no gradient on average.", "verl"},
           {"abs", "mse", "low_var_kl"}, s, &A::klLossType);
  t.number({"actor.ppo_max_token_len_per_gpu", "Micro-batch", "tokens",
            "Packed tokens in one forward and backward pass; changes memory, not the result.", "verl"},
           s, &A::microBatchTokens);
  t.choice({"actor.dtype", "Compute type", "",
            "Of matrix products and attention; weights, their moments, norms and losses stay float32. auto is float32. bfloat16 saves memory with large models; without bfloat16 instructions it is slower.",
            "verl (mixed precision); spec 3.9"},
           {"auto", "float32", "bfloat16"}, s, &A::dtype);
  t.choice({"actor.oom_policy", "Out of memory", "",
            "halve: the micro-batch is halved and the step repeated, three times at most. stop: the run ends.", "Cuescope"},
           {"halve", "stop"}, s, &A::oomPolicy);
  t.choice({"algorithm.rollout_is", "Weights for the sampler", "",
            "Policy gradients are weighted by trained over sampled probability, of each token or of the response.",
            "verl; spec 7-A8"},
           {"none", "token", "sequence"}, s, &A::rolloutIs);
  t.number({"algorithm.rollout_is_threshold", "Largest weight", "", "These weights are cut here.", "verl"}, s,
           &A::rolloutIsThreshold);
  t.flag({"algorithm.norm_adv_by_std_in_grpo", "Divide by the deviation", "",
          "Advantages of task rewards are divided by the deviation in their prompt's group.", "verl"},
         s, &A::normAdvByStd);
}

void addTrainer(Table& t) {
  auto s = &RunConfig::trainer;
  using T = RunConfig::Trainer;
  t.text({"trainer.experiment_name", "Name", "", "Name of the run and of its folder.", "verl"}, "text", s, &T::name);
  t.text({"trainer.default_local_dir", "Runs folder", "",
          "Where the run's folder is made; empty: runs in the user's data folder.", "verl"},
         "path", s, &T::directory);
  t.number({"trainer.total_training_steps", "Steps", "steps", "Optimizer steps of the whole run.", "verl"}, s,
           &T::totalTrainingSteps);
  t.number({"trainer.save_freq", "Checkpoint every", "steps", "0: only at the end.", "verl; script: 200"}, s,
           &T::saveFreq);
  t.number({"trainer.test_freq", "Evaluate every", "steps", "0: never.", "verl; script: 5"}, s, &T::testFreq);
  t.number({"trainer.max_actor_ckpt_to_keep", "Checkpoints kept", "",
            "Older ones go after a newer one is safely on disk; 0 keeps all.", "verl; script: 2"},
           s, &T::maxCkptToKeep);
  t.flag({"trainer.val_before_train", "Evaluate first", "", "An evaluation before the first step.", "verl"}, s,
         &T::valBeforeTrain);
  t.flag({"trainer.val_only", "Evaluate only", "", "One evaluation of the student, no step.", "verl"}, s, &T::valOnly);
  t.number({"trainer.probe_freq", "Probe maps every", "steps", "0: never.", "Cuescope"}, s, &T::probeFreq);
  t.number({"trainer.capture_freq", "Captures every", "steps",
            "Whole inspections of the probe images, as files in the run's folder; 0: never.", "Cuescope"},
           s, &T::captureFreq);
  t.number(
      {"trainer.rollout_save_freq", "Rollouts saved every", "steps", "0: never.", "Cuescope; verl: rollout_data_dir"},
      s, &T::rolloutSaveFreq);
  t.number({"trainer.seed", "Seed", "", "Of the order of data, of the rollouts and of new weights.", "Cuescope"}, s,
           &T::seed);
  t.text({"trainer.resume_mode", "Resume", "",
          "disable, auto (the run's newest checkpoint), or a checkpoint folder; changed:auto and changed:FOLDER go on although settings, data or models are others now.", "verl"},
         "text", s, &T::resumeMode);
  t.text({"trainer.device", "Device", "", "cpu, cuda, cuda:1 or auto.", "Cuescope"}, "text", s, &T::device);
  t.number({"trainer.threads", "Threads", "", "Of the CPU; 0: as many as this process may use.", "Cuescope"}, s,
           &T::threads);
}

}  // namespace

const std::vector<ConfigField>& configFields() {
  static const std::vector<ConfigField> fields = [] {
    Table table;
    addStudent(table);
    addTeacher(table);
    addData(table);
    addRollout(table);
    addDistillation(table);
    addActor(table);
    addTrainer(table);
    return std::move(table.fields);
  }();
  return fields;
}

}  // namespace cuescope
