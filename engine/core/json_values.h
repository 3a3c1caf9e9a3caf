// Numbers that JSON cannot say: NaN and the infinities are written as null and read back as NaN. For the core's own files.
#pragma once

#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

namespace cuescope {

template <class Json>
double numberOr(const Json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.template get<double>();
}

template <class Json>
std::vector<float> floatsFrom(const Json& values) {
  std::vector<float> out;
  out.reserve(values.size());
  for (const auto& value : values) out.push_back(static_cast<float>(numberOr(value)));
  return out;
}

}  // namespace cuescope
