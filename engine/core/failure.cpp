#include "engine/core/failure.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <new>

namespace cuescope {

std::string Failure::text() const {
  std::string out = what;
  if (!where.empty()) out += " [" + where + "]";
  if (!why.empty()) out += ": " + why;
  if (!out.empty() && out.back() != '.' && out.back() != '?') out += '.';
  if (!nextStep.empty()) out += " Next: " + nextStep;
  return out;
}

Error::Error(Failure failure) : std::runtime_error(failure.text()), m_failure(std::move(failure)) {}

Error::Error(std::string what, std::string where, std::string why, std::string nextStep)
    : Error(Failure{std::move(what), std::move(where), std::move(why), std::move(nextStep)}) {}

namespace {

std::string sizeText(double bytes) {
  char text[32];
  if (bytes < 1024)
    std::snprintf(text, sizeof text, "%.0f bytes", bytes);
  else if (bytes < 1024 * 1024)
    std::snprintf(text, sizeof text, "%.1f KiB", bytes / 1024);
  else
    std::snprintf(text, sizeof text, "%.1f MiB", bytes / (1024 * 1024));
  return text;
}

std::string shortageText(const std::string& path, std::uint64_t bytes) {
  const std::int64_t free = freeBytes(path);
  const std::string left = free < 0 ? std::string() : sizeText(static_cast<double>(free)) + " are free";
  if (bytes == 0) return left.empty() ? "no room is left there" : left;
  return sizeText(static_cast<double>(bytes)) + " are needed there" + (left.empty() ? left : ", " + left);
}

}  // namespace

DiskFull::DiskFull(std::string what, std::string path, std::uint64_t bytes)
    : Error(std::move(what), path, "the disk is full: " + shortageText(path, bytes), "Free some space on that disk."), m_path(std::move(path)), m_bytes(bytes) {}

bool meansDiskFull(int number) { return number == ENOSPC || number == EDQUOT; }

std::int64_t freeBytes(const std::string& path) {
  struct statvfs info {};
  for (std::filesystem::path at = path; !at.empty(); at = at.parent_path()) {  // the nearest folder that is there
    if (::statvfs(at.c_str(), &info) == 0) return static_cast<std::int64_t>(info.f_bavail) * static_cast<std::int64_t>(info.f_frsize);
    if (at == at.parent_path()) break;
  }
  return -1;
}

Failure currentFailure(const std::string& where) {
  try {
    throw;
  } catch (const Error& error) {
    Failure failure = error.failure();
    if (failure.where.empty()) failure.where = where;
    return failure;
  } catch (const std::bad_alloc&) {
    return {"There is not enough memory", where, "an allocation was refused", "Close other models, or use a smaller image, batch or model."};
  } catch (const std::exception& error) {
    std::string why = error.what();  // LibTorch appends its call stack after the first blank part; keep the sentence
    if (auto cut = why.find("\nException raised from"); cut != std::string::npos) why.resize(cut);
    return {"Something unexpected went wrong", where, why, "Please report this with the details."};
  } catch (...) {
    return {"Something unexpected went wrong", where, "unknown exception", "Please report this with the details."};
  }
}

}  // namespace cuescope
