#include "ui/model_listing.h"

#include <QDir>
#include <QRegularExpression>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "engine/core/array_file.h"

namespace cuescope {
namespace {

// Part by part, numbers as numbers: layers.9 stands before layers.10.
bool before(const QString& a, const QString& b) {
  const QStringList left = a.split(QLatin1Char('.')), right = b.split(QLatin1Char('.'));
  for (qsizetype i = 0; i < std::min(left.size(), right.size()); ++i) {
    if (left[i] == right[i]) continue;
    bool leftNumber = false, rightNumber = false;
    const int x = left[i].toInt(&leftNumber), y = right[i].toInt(&rightNumber);
    return leftNumber && rightNumber ? x < y : left[i] < right[i];
  }
  return left.size() < right.size();
}

double halfValue(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
  const double size = exponent == 0 ? std::ldexp(double(fraction), -24) : exponent == 31 ? std::numeric_limits<double>::infinity() : std::ldexp(double(1024 + fraction), exponent - 25);
  return bits & 0x8000 ? -size : size;
}

double bfloatValue(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof value);
  return double(value);
}

}  // namespace

bool isCueTensor(const QString& name) {
  return name.contains(QStringLiteral("sink_cross_attns")) || name.contains(QStringLiteral("sink_q_norm")) || name.contains(QStringLiteral("sink_kv_norm"));
}

QString shapeText(const std::vector<std::int64_t>& shape) {
  QStringList parts;
  for (const std::int64_t n : shape) parts << QString::number(n);
  return parts.isEmpty() ? QStringLiteral("scalar") : parts.join(QStringLiteral(" × "));
}

ModelListing readModelListing(const QString& folder) {
  ModelListing listing;
  listing.folder = folder;
  const QStringList files = QDir(folder).entryList({QStringLiteral("*.safetensors")}, QDir::Files, QDir::Name);
  if (files.isEmpty())
    throw Error("This folder holds no weights", folder.toStdString(), "there is no .safetensors file in it", "Choose the folder that holds config.json and its weights.");
  static const QRegularExpression kLayer(QStringLiteral("sink_cross_attns\\.(\\d+)\\."));
  std::set<int> layers;
  for (const QString& file : files) {
    const QString path = folder + u'/' + file;
    const ArrayFile weights(path.toStdString());
    for (const auto& [name, entry] : weights.entries()) {
      TensorLine line;
      line.name = QString::fromStdString(name);
      line.dtype = QString::fromStdString(entry.dtype);
      line.file = path;
      line.shape = entry.shape;
      line.bytes = std::int64_t(entry.end - entry.begin);
      line.count = 1;
      for (const std::int64_t n : entry.shape) line.count *= n;
      listing.parameters += line.count;
      listing.bytes += line.bytes;
      if (isCueTensor(line.name)) listing.cueParameters += line.count;
      if (const auto match = kLayer.match(line.name); match.hasMatch()) layers.insert(match.captured(1).toInt());
      listing.tensors.push_back(std::move(line));
    }
  }
  std::sort(listing.tensors.begin(), listing.tensors.end(), [](const TensorLine& a, const TensorLine& b) { return before(a.name, b.name); });
  listing.injectionLayers.assign(layers.begin(), layers.end());
  return listing;
}

double tensorNorm(const TensorLine& tensor) {
  const bool wide = tensor.dtype == u"F32", half = tensor.dtype == u"F16", brain = tensor.dtype == u"BF16";
  if (!wide && !half && !brain) return std::numeric_limits<double>::quiet_NaN();
  const ArrayFile weights(tensor.file.toStdString());
  double sum = 0;
  if (wide) {
    for (const float v : weights.read<float>(tensor.name.toStdString(), "F32")) sum += double(v) * double(v);
  } else {
    for (const std::uint16_t bits : weights.read<std::uint16_t>(tensor.name.toStdString(), half ? "F16" : "BF16")) {
      const double v = half ? halfValue(bits) : bfloatValue(bits);
      sum += v * v;
    }
  }
  return std::sqrt(sum);
}

}  // namespace cuescope
