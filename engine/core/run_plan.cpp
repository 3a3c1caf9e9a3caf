#include "engine/core/run_plan.h"

#include <fmt/format.h>

#include <cmath>

namespace cuescope {

std::string bytesText(std::int64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (bytes >= 1ll << 30) return fmt::format("{:.2f} GiB", value / (1ll << 30));
  if (bytes >= 1ll << 20) return fmt::format("{:.1f} MiB", value / (1ll << 20));
  if (bytes >= 1ll << 10) return fmt::format("{:.1f} KiB", value / (1ll << 10));
  return fmt::format("{} B", bytes);
}

std::string secondsText(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "not known";
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

std::string planTable(const RunPlan& plan) {
  std::string out = fmt::format("{} on {} in {}: {} steps\n", plan.name, plan.device, plan.dtype, plan.steps);
  out += fmt::format("\n  {:<16} {:>12}  {}\n", "memory", "", "");
  for (const auto& row : plan.rows)
    out += fmt::format("  {:<16} {:>12}  {}{}\n", row.name, bytesText(row.bytes), row.resident ? "" : "at times; ", row.note);
  out += fmt::format("  {:<16} {:>12}  the process with its libraries, before any model\n", "baseline", bytesText(plan.baselineBytes));
  out += fmt::format("  {:<16} {:>12}  during {}\n", "peak", bytesText(plan.peakBytes), plan.peakPhase);
  if (plan.availableBytes > 0)
    out += fmt::format("  {:<16} {:>12}  {}\n", "available", bytesText(plan.availableBytes), plan.fits() ? "it fits" : "it does not fit");
  out += fmt::format("\n  {:<16} {:>12}  {:>10} {:>8}\n", "phase", "held", "time", "times");
  for (const auto& phase : plan.phases)
    out += fmt::format("  {:<16} {:>12}  {:>10} {:>8.0f}\n", phase.name, bytesText(phase.bytes), secondsText(phase.seconds), phase.times);
  out += fmt::format("  {:<16} {:>12}  {:>10}\n", "one step", "", secondsText(plan.secondsPerStep));
  out += fmt::format("  {:<16} {:>12}  {:>10}\n", "the whole run", "", secondsText(plan.secondsInAll));
  if (!plan.assumptions.empty()) out += "\nAssumed:\n";
  for (const auto& line : plan.assumptions) out += "- " + line + "\n";
  return out;
}

}  // namespace cuescope
