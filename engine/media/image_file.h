// What every decoder of images does alike: refuse a picture that is too large before memory is asked for.
#pragma once

#include <cstdint>
#include <string>

namespace cuescope {

/// Throws Error for more than kMaxPixels (decode.h).
void refuseTooLarge(std::int64_t width, std::int64_t height, const std::string& label);

}  // namespace cuescope
