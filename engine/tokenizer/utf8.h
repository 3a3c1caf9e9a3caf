// UTF-8 as text arrives from outside: is it valid, and what replaces the parts that are not. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cuescope {

/// Length of the longest valid UTF-8 prefix, in bytes.
std::size_t validUtf8Prefix(std::string_view bytes);

/// A copy in which every maximal invalid part is U+FFFD (the WHATWG rule, which Python and Rust follow too).
std::string replaceInvalidUtf8(std::string_view bytes);

/// Appends one code point.
void appendUtf8(std::string& text, char32_t codePoint);

}  // namespace cuescope
