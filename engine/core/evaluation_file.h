// Evaluations as files. Samples are JSON lines, one a row asked (FILE.jsonl); who answered, how, on which data, and the scores stand
// beside them (FILE.scores.json; in a run's evaluations/ FILE.json, which the board reads). Either of the two opens the whole.
// No torch, no Qt; any thread.
#pragma once

#include <stop_token>
#include <string>

#include "engine/core/evaluation.h"
#include "engine/core/events.h"

namespace cuescope {

/// Where the scores of a file of samples stand: «a.jsonl» -> «a.scores.json».
std::string scoresFileOf(const std::string& samplesFile);
/// Writes `samplesFile` and its scores, both durably. Throws Error.
void writeEvaluation(const std::string& samplesFile, const Evaluation& evaluation);
/// Whether a .jsonl or .json file is an evaluation, by its first bytes; false for a file that does not open.
bool isEvaluationFile(const std::string& file);
/// Reads samples with their scores, from either file. Samples alone: the scores are computed, model and decoding stay unknown
/// (empty). Scores alone: samples stay empty. The sink hears how much of the file is read. Throws Error, which names the line that is
/// damaged, and Cancelled.
Evaluation readEvaluation(const std::string& file, const EventSink& sink = {}, std::stop_token stop = {});
/// Scores and samples of all rows of a file go into a run's folder: evaluations/DATA-step-N.json and .jsonl. Returns the first; "" and
/// nothing written with a privilege or without a step, which the board does not compare. Other data or another decoding under the same
/// name get a name of their own. Throws Error when the disk refuses.
std::string keepInRunFolder(const Evaluation& evaluation, const std::string& run);

}  // namespace cuescope
