// What memory is there, what is used, and whether an exception says that it ran out. Any thread.
#pragma once

#include <cstdint>
#include <exception>

namespace cuescope {

/// std::bad_alloc, LibTorch's OutOfMemoryError (CUDA), or the CPU allocator's complaint.
bool isOutOfMemory(const std::exception& error);

/// Resident bytes of this process now.
std::int64_t residentBytes();
/// Of residentBytes(): pages of files, which are the program and its libraries.
std::int64_t residentFileBytes();
/// The most that residentBytes() was since the process began, or since forgetPeak(), which is false where the kernel cannot forget.
std::int64_t peakBytes();
bool forgetPeak();
/// Gives pages back that lie free between blocks of the heap. The tensors of a step leave such gaps behind; without this a process
/// grows by megabytes with every step. A few milliseconds; does nothing where the C library cannot.
void releaseFreePages();
/// What this machine, or this process's control group, can still give.
std::int64_t availableBytes();
/// What this machine, or this process's control group, has in all: a number that does not change while the process runs. 0: unknown.
std::int64_t totalBytes();

/// This processor multiplies bfloat16 itself (AVX-512 BF16 or AMX); others take longer for it than for float32.
bool cpuComputesBfloat16();

}  // namespace cuescope
