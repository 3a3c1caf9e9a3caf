// ModelListing: what a model folder holds, tensor by tensor, read from the headers of its weight files; norms are read from the values
// when they are asked for. No torch, no engine: a listing is there while the engine trains. Values; any thread.
#pragma once

#include <QString>
#include <QStringList>
#include <cstdint>
#include <vector>

namespace cuescope {

struct TensorLine {
  QString name, dtype, file;
  std::vector<std::int64_t> shape;
  std::int64_t count = 0, bytes = 0;
};

struct ModelListing {
  QString folder;
  std::vector<TensorLine> tensors;  // by name, numbers in their order
  std::int64_t parameters = 0, bytes = 0, cueParameters = 0;
  std::vector<int> injectionLayers;  // that the file has cue recovery weights for
};

/// Throws Error: no weights there, a damaged header, a pickle.
ModelListing readModelListing(const QString& folder);
/// Whether a tensor belongs to the cue recovery module.
bool isCueTensor(const QString& name);
/// Root of the sum of squares of a tensor's values; F32, F16, BF16. NaN for other types. Throws Error when the file refuses.
double tensorNorm(const TensorLine& tensor);
/// «128 × 64».
QString shapeText(const std::vector<std::int64_t>& shape);

}  // namespace cuescope
