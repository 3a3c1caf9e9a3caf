// The arithmetic of a plan: bytes and seconds of a training step from shapes and lengths alone. Pure: the same inputs give the
// same plan; what is read from files and measured on the machine is planner.cpp's. The formulas count the tensors that autograd
// keeps and those of the widest moment of each phase; tests hold them against counted allocations. Any thread.
#pragma once

#include <string>
#include <vector>

#include "engine/core/config.h"
#include "engine/core/run_plan.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

struct ModelSizes {
  Qwen3VLConfig config;
  std::int64_t parameters = 0, trainable = 0;   // numbers
  std::int64_t decoder = 0, vision = 0;         // parameters of decoder layers and head; of the tower
  std::int64_t trainableVision = 0;
  std::int64_t largest = 0;                     // parameters of the largest matrix that trains
  std::int64_t narrowed = 0;                    // parameters that mixed precision keeps a second time in bfloat16
  std::int64_t storedBytes = 4;                 // of one weight
};
/// Trainable are those parameters that require gradients.
ModelSizes sizesOf(const Qwen3VL& model);

/// One prompt as student and teacher read it, and its response.
struct PlanRow {
  std::int64_t prompt = 0, visual = 0, patches = 0;  // tokens, visual tokens, patches of the student's prompt
  std::int64_t teacherPrompt = 0, teacherVisual = 0, teacherPatches = 0;  // the teacher's: crops of a cue are pictures of its own
  std::int64_t ownPatches = 0;  // of either, in tensors of the row's own: a row with one picture shares the processor's
  double responseTokens = 0;
};
PlanRow planRowOf(const RowInput& student, const RowInput& teacher, const Qwen3VL& model);

/// What this machine does in a second.
struct MachineSpeed {
  double flops = 5e10;           // of float32 (or the compute type's) matrix products
  double bytes = 1e10;           // streamed from memory
  double call = 8e-6;            // seconds of one small operation beside its arithmetic
};

struct PlanInputs {
  RunConfig config;
  ModelSizes student;
  std::vector<ModelSizes> teachers;  // those that hold weights of their own: the usual one, those of routes, the start of actor.kl_loss_coef
  std::vector<PlanRow> rows;         // prompts; cycled to data.train_batch_size
  std::int64_t trainRows = 0, valRows = 0;
  std::int64_t dataBytes = 0;        // decoded rows of the data that stay (Dataset::decodedBytes)
  std::string device = "cpu";
  std::int64_t baseline = 0, available = 0;
  double heapShare = 1;              // pages that a training pass takes, by the bytes of its tensors: the heap keeps gaps between them
  MachineSpeed speed;
  std::vector<std::string> assumptions;
};

/// The teacher is the student's own start, and the run's only copy of it.
bool startTeaches(const RunConfig& config);

RunPlan planOf(const PlanInputs& inputs);

/// Bytes of one forward and backward pass over these rows, from its first tensor to its widest moment, gradients of parameters
/// left out.
std::int64_t trainingPassBytes(const ModelSizes& student, const std::vector<PlanRow>& rows, const RunConfig& config, bool narrow);
/// Floating-point operations that a forward and backward pass over these rows needs, recomputed activations left out: three times the
/// forward's products of weights and of attention, the head at response tokens alone, and the tower's when it trains (else once).
double trainingFlops(const ModelSizes& student, const std::vector<PlanRow>& rows);
/// Bytes of one forward pass that keeps nothing, its log-probabilities included.
std::int64_t scoringPassBytes(const ModelSizes& model, const std::vector<PlanRow>& rows, const RunConfig& config, bool narrow = false);
/// Bytes of keys and values while these rows are decoded, as many at once as suit the device.
std::int64_t keyValueBytes(const ModelSizes& student, const std::vector<PlanRow>& rows, const RunConfig& config, bool narrow, bool cuda);
/// "float32" or "bfloat16": actor.dtype, where auto is what `otherwise` says; float32 when that says nothing.
std::string computeTypeOf(const RunConfig& config, const std::string& otherwise = "float32");

}  // namespace cuescope
