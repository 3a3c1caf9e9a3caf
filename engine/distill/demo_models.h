// Demo models: the sizes of the built-in student and teachers, and how they are trained from a seed.
#pragma once

#include <stop_token>
#include <string>

#include "engine/core/events.h"
#include "engine/engine.h"
#include "engine/model/qwen3_vl_config.h"

namespace cuescope {

/// Folder names below the demo's folder, by the names that DemoTrainRequest::only uses.
inline constexpr const char* kDemoWeak = "student-weak";
inline constexpr const char* kDemoMiddle = "teacher-middle";
inline constexpr const char* kDemoStrong = "student-strong";
inline constexpr const char* kDemoTeacher = "teacher-strong";

/// Small (student, 4 layers of 128) or large (teacher, 6 layers of 192). Token ids and vocabulary come from a folder that
/// writeDemoProcessor wrote.
Qwen3VLConfig demoConfig(bool large, const std::string& processorFolder);

/// Trains the models that are asked for and writes their folders (bfloat16 weights, one tokenizer each) and training.json
/// (steps, seconds, held-out accuracy) below request.outputFolder. One thread, so that a seed gives the same weights again.
/// weak, middle and strong are one run at three ages; teacher is the large model. Throws Error, Cancelled.
void trainDemo(const DemoTrainRequest& request, const EventSink& sink, std::stop_token stop);

/// Scores a saved model on the 1,000 held-out cases of `seed` (both layouts; without privilege, with the cue, with the hint) and
/// writes the counts into `reportFile` under the folder's name.
void scoreDemoModel(const std::string& folder, std::uint64_t seed, const std::string& reportFile, const EventSink& sink, std::stop_token stop);

}  // namespace cuescope
