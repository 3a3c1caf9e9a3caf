// Evaluation: what a model answers on held-out rows, sample by sample and in sums with intervals; DataVerdict: what a run would
// make of its data. Immutable values that leave the engine; no torch, no Qt; any thread.
// Shares are shares of the rows asked; intervals are 95 %: Wilson's for one answer a row, a bootstrap over rows otherwise.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/snapshots.h"

namespace cuescope {

/// One answer to one row.
struct EvaluatedAnswer {
  std::string text;                // special tokens left out
  std::string boxed;               // the last \boxed{}, empty without one
  std::vector<std::int64_t> ids;
  double accuracy = 0, format = 0; // 0 or 1
  float logProb = kNotComputed;    // sum over the answer's tokens, nats
  std::string finish;              // "stop" or "length"
};

/// One row. `answers` is empty when `problem` says why it could not be asked.
struct EvaluatedSample {
  std::int64_t index = -1;         // row over all files
  std::string file;                // and the file it lies in,
  std::int64_t fileRow = -1;       // at this row
  std::string id, dataSource, kind, layout;
  std::string prompt;              // as the model reads it, placeholders not expanded
  std::string question, groundTruth;
  std::vector<EvaluatedAnswer> answers;
  std::string problem;
  std::vector<int> sinkLayers;         // injection layers; empty unless asked for or without module
  std::vector<float> sinkEvidence;     // attention of the sink inside the evidence boxes, per layer (heads averaged)
  std::vector<float> sinkMap;          // [layers, visual tokens], the same
  std::vector<std::pair<int, int>> grids;  // rows and columns of visual tokens of each picture, when sinkMap is there

  double accuracy() const;  // mean over the answers
  double format() const;
};

struct Interval {
  double value = 0, low = 0, high = 1;
  std::int64_t n = 0;
};

/// Sums over some of the samples.
struct EvaluationScore {
  std::string group, name;  // "all" and ""; "data_source", "kind" or "layout" and its value
  Interval accuracy;        // mean over rows of the mean over answers
  Interval format;
  Interval passAtK;         // share of rows with a right answer among K: the unbiased estimate from the answers there are
  double answerTokens = 0;  // mean
};

struct Evaluation {
  ModelInfo model;
  int step = -1;                       // of the checkpoint, -1 when it is no run's
  std::vector<std::string> files;
  std::string dataName;                // stems of the files, joined by "+"
  std::string dataDigest;              // XXH3 of the files' bytes
  std::string decoding;                // "greedy", or "temperature 0.7, top-p 0.8, seed 1"
  std::string privilege;               // none, hint, cue
  int answersPerRow = 1, passK = 1;
  std::vector<EvaluationScore> scores; // "all" first, then by data source, kind and layout
  std::vector<EvaluatedSample> samples;
  std::int64_t skipped = 0;            // rows with a problem: not in the scores
  double seconds = 0;

  const EvaluationScore& all() const { return scores.front(); }
};
using EvaluationPtr = std::shared_ptr<const Evaluation>;

/// What data files are called in tables: their stems, joined by "+".
std::string dataNameOf(const std::vector<std::string>& files);

/// Wilson's 95 % interval of `right` out of `n`.
Interval wilsonInterval(double right, double n);
/// 95 % percentile bootstrap (2,000 draws, a fixed seed) of the mean of `values`.
Interval bootstrapMean(const std::vector<double>& values);
/// Mean of a few seeds' values with Student's 95 % interval; one value has no interval (low and high are NaN).
Interval meanOfSeeds(const std::vector<double>& values);
/// Probability that K of n answers, c of them right, hold a right one: 1 - C(n-c, K) / C(n, K).
double passAtK(int n, int c, int k);

/// Scores of samples, "all" first; rows with a problem are left out.
std::vector<EvaluationScore> scoresOf(const std::vector<EvaluatedSample>& samples, int passK);
/// One line of JSON a sample, newline included.
std::string sampleLine(const EvaluatedSample& sample);
/// Scores, model and data as JSON, without the samples; readScores reads it back (samples stay empty). Throws Error.
std::string scoresJson(const Evaluation& evaluation);
Evaluation readScores(const std::string& file);
/// A checkpoint's scores belong to its run, where the board reads them: RUN/evaluations/DATA-step-N.json. Returns that file; nothing
/// is written, and "" returned, for another model, with a privilege, or of some rows only. Throws Error when the disk refuses.
std::string keepInRun(const Evaluation& evaluation, bool allRows);

/// What a run would make of its data files.
struct DataVerdict {
  struct Problem {
    std::string file;
    std::int64_t row = -1;      // of the file
    std::string id, reason;     // the whole sentence
    std::string category;       // "unreadable", "stale cue edit", "prompt too long", "teacher prompt too long", "no answer to learn"
  };
  struct Edits {                // changes of cues beside a file (cue_edits.h)
    std::string file, digest;
    std::int64_t rows = 0, crops = 0;
    bool applied = false;       // data.cue_edits
  };
  struct Lengths {              // tokens, by the true processors, placeholders expanded
    std::int64_t least = 0, median = 0, p95 = 0, most = 0;
    std::vector<std::int64_t> counts;  // of `bins` equal parts of 0 .. most
    std::int64_t longestRow = -1;
  };
  std::vector<std::string> files;
  std::string digest;
  std::int64_t rows = 0, kept = 0;
  std::map<std::string, std::int64_t> dropped;  // by category
  std::string stops;                            // the row at which the run would end, as it says so; empty: it leaves bad rows out
  std::vector<Edits> edits;                     // of the files that have any
  std::vector<Problem> problems;                // the first 1,000
  Lengths student, teacher;                     // of the rows that can be read; teacher: without one, empty
  std::int64_t studentLimit = 0, teacherLimit = 0;  // data.max_prompt_length; what the teacher reads less the longest answer
  std::int64_t privileged = 0;                  // rows whose teacher prompt says what the privilege asks for
  std::map<std::string, std::int64_t> kinds, layouts, dataSources;
  std::int64_t batches = 0;                     // whole batches of an epoch
  double seconds = 0;
  bool usable() const { return kept > 0 && stops.empty(); }
};

/// A token of a batch as the trainer gets it; a run of picture places is one entry.
struct BatchToken {
  std::int64_t id = -1;
  std::string text;       // exact bytes
  int count = 1;          // how many places of a picture
  bool visual = false;
  bool trained = false;   // the loss counts it
};

/// What a run would make of one row, in tokens of its own processors.
struct RowVerdict {
  std::int64_t row = -1;          // of the file
  std::string id, kind, layout, dataSource;
  std::string category, reason;   // as DataVerdict::Problem has them; empty: the row is kept
  std::int64_t student = -1, teacher = -1;  // tokens of the prompts, placeholders expanded; -1: not read, or there is no teacher
  std::int64_t answer = -1;       // of the reference answer with its end token; -1: the row has none
  std::int64_t studentLimit = 0;  // data.max_prompt_length
  std::int64_t answerLimit = 0;   // data.max_response_length
  std::int64_t teacherLimit = 0;  // what the teacher reads less the longest answer; 0: no teacher
  std::int64_t places[2] = {};    // picture places in the ids of both prompts: student, teacher
  std::int64_t visual[2] = {};    // t * h * w / merge^2 over their pictures, which those must equal
  std::vector<std::vector<std::int64_t>> grids;  // t, h, w in patches, of the student's pictures
  bool privileged = false;        // the teacher's prompt says what the privilege asks for
  std::string privilegeKind;      // none, hint, cue, column
  std::string privilege;          // the text behind [Hint], when it came as one
  std::string studentText, teacherText;  // as rendered, placeholders not expanded
  /// The student's prompt and behind it the reference answer, cut where a run cuts it, with the loss mask; only when asked for. A
  /// distillation run puts the student's own response there.
  std::vector<BatchToken> batch;
};

/// The verdict as a table of plain text.
std::string verdictText(const DataVerdict& verdict);
std::string verdictJson(const DataVerdict& verdict);

}  // namespace cuescope
