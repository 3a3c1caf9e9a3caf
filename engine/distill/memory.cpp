#include "engine/distill/memory.h"

#include <c10/util/Exception.h>
#include <unistd.h>

#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <new>
#include <string>

namespace cuescope {
namespace {

/// One number of a file of the kernel; -1 when there is none ("max", no such file).
std::int64_t numberIn(const char* file) {
  std::ifstream in(file);
  std::int64_t value = -1;
  return in >> value ? value : -1;
}

/// A line of this process's state, bytes; 0 when there is none.
std::int64_t statusOf(const char* wanted) {
  std::ifstream in("/proc/self/status");
  for (std::string name, rest; in >> name; std::getline(in, rest)) {
    std::int64_t kilobytes = 0;
    if (name == wanted && in >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

/// A line of the machine's memory, bytes; the largest number when there is none.
std::int64_t memoryInfo(const char* wanted) {
  std::ifstream in("/proc/meminfo");
  for (std::string name, rest; in >> name; std::getline(in, rest)) {
    std::int64_t kilobytes = 0;
    if (name == wanted && in >> kilobytes) return kilobytes * 1024;
  }
  return std::numeric_limits<std::int64_t>::max();
}

}  // namespace

bool isOutOfMemory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) || dynamic_cast<const c10::OutOfMemoryError*>(&error)) return true;
  if (!dynamic_cast<const c10::Error*>(&error)) return false;
  const std::string text = error.what();
  for (const char* words : {"can't allocate memory", "out of memory", "not enough memory"})
    if (text.find(words) != std::string::npos) return true;
  return false;
}

std::int64_t residentBytes() {
  std::ifstream in("/proc/self/statm");
  std::int64_t pages = 0, resident = 0;
  in >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

std::int64_t residentFileBytes() { return statusOf("RssFile:"); }

std::int64_t peakBytes() { return statusOf("VmHWM:"); }

bool forgetPeak() {
  std::ofstream out("/proc/self/clear_refs");
  return static_cast<bool>(out << "5" << std::flush);
}

void releaseFreePages() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

bool cpuComputesBfloat16() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") > 0;
#else
  return false;
#endif
}

std::int64_t availableBytes() {
  std::int64_t available = memoryInfo("MemAvailable:");
  const std::int64_t limit = numberIn("/sys/fs/cgroup/memory.max"), used = numberIn("/sys/fs/cgroup/memory.current");
  if (limit > 0 && used >= 0) available = std::min(available, std::max<std::int64_t>(0, limit - used));
  return available == std::numeric_limits<std::int64_t>::max() ? 0 : available;
}

std::int64_t totalBytes() {
  std::int64_t total = memoryInfo("MemTotal:");
  if (const std::int64_t limit = numberIn("/sys/fs/cgroup/memory.max"); limit > 0) total = std::min(total, limit);
  return total == std::numeric_limits<std::int64_t>::max() ? 0 : total;
}

}  // namespace cuescope
