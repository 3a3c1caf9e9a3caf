// What engine/core/evaluation_pairs.h finds, in the window's words. Pure functions on values; any thread.
#pragma once

#include <QByteArray>
#include <QString>

#include "engine/core/evaluation_pairs.h"

namespace cuescope {

/// «61 against 44, p = 0.12. Not a clear difference.»
QString mcNemarSentence(const EvaluationPairs& pairs);
/// «right», «wrong», of several answers «3 of 8 right».
QString verdictOf(const EvaluatedSample& sample);
/// What was answered; several answers each with its verdict.
QString answersText(const EvaluatedSample& sample);
/// What keeps A and B from being the same experiment but for the model: data, decoding, privilege; empty when nothing does.
QString conditionsDiffer(const Evaluation& a, const Evaluation& b);
/// Beneath the samples: of one evaluation, and of two.
QString aloneSentence(const Evaluation& a, const EvaluationPairs& pairs);
QString comparisonSentence(const Evaluation& a, const Evaluation& b, const EvaluationPairs& pairs);
QByteArray pairsCsv(const EvaluationPairs& pairs, bool second);

}  // namespace cuescope
