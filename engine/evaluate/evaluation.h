// Evaluation of a model on held-out rows, and what a run would make of its data. Both read rows exactly as a run does. Engine thread.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/core/events.h"
#include "engine/engine.h"
#include "engine/model/qwen3_vl.h"

namespace cuescope {

class Processor;

/// request.model is only named in the result. Throws Error for a bad request.
std::unique_ptr<OpenEvaluation> openEvaluationOf(std::shared_ptr<const Qwen3VL> model, std::shared_ptr<const Processor> processor, const EvaluateRequest& request, int step,
                                                 const EventSink& sink);
/// The whole of it. Throws Error also when no row could be asked, Cancelled.
EvaluationPtr evaluateModel(std::shared_ptr<const Qwen3VL> model, std::shared_ptr<const Processor> processor, const EvaluateRequest& request, int step,
                            const EventSink& sink, std::stop_token stop);

/// Loads the processors of student and teacher, not their weights. Throws Error, Cancelled.
DataVerdict checkRows(const std::vector<std::string>& files, const RunConfig& config, const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
