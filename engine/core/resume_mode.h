// ResumeMode: what trainer.resume_mode says: «disable», «auto» (the run's newest checkpoint) or a checkpoint's folder, the last two
// also behind «changed:»: the run may go on although settings, data or models are others now. No torch, no Qt; any thread.
#pragma once

#include <string>
#include <string_view>

namespace cuescope {

inline constexpr std::string_view kChangedPrefix = "changed:";

struct ResumeMode {
  std::string place;  // disable, auto or a folder
  bool changed = false;
};

inline ResumeMode resumeModeOf(const std::string& text) {
  const bool changed = text.starts_with(kChangedPrefix);
  return {changed ? text.substr(kChangedPrefix.size()) : text, changed};
}
inline std::string textOf(const ResumeMode& mode) { return (mode.changed ? std::string(kChangedPrefix) : std::string()) + mode.place; }

}  // namespace cuescope
