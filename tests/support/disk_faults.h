// A disk that fails on purpose: system calls of the program that includes this pass through counters, so that "at every write" is meant
// literally. In one source file of a program only.
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

namespace fault {

enum class Kind { None, Kill, DiskFull };
Kind kind = Kind::None;
long at = 0, seen = 0;

void arm(Kind what, long number) {
  kind = what;
  at = number;
  seen = 0;
}
void disarm() { kind = Kind::None; }

/// The disk is full from the first write to a file with this in its path.
std::string file;
void fillAt(const std::string& name) {
  file = name;
  arm(Kind::DiskFull, 0);
}
bool waitsFor(int fd) {
  if (file.empty()) return false;
  char path[4096] = {};
  if (::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path - 1) < 0 || std::string(path).find(file) == std::string::npos) return true;
  file.clear();
  at = seen + 1;
  return false;
}

/// One more call that changes the disk: whether it must fail. A full disk stays full; a killed process writes half of it at most.
bool strikes() {
  if (kind == Kind::None || !file.empty()) return false;
  ++seen;
  return kind == Kind::DiskFull ? seen >= at : seen == at;
}
[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace fault

extern "C" {
ssize_t write(int fd, const void* bytes, size_t size) {
  static auto* next = fault::real<ssize_t(int, const void*, size_t)>("write");
  if (fd > 2 && !fault::waitsFor(fd) && fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) {
      next(fd, bytes, size / 2);
      fault::die();
    }
    if (fault::seen == fault::at && size > 1) return next(fd, bytes, size / 2);  // what still fits
    errno = ENOSPC;
    return -1;
  }
  return next(fd, bytes, size);
}
ssize_t writev(int fd, const struct iovec* parts, int count) {
  static auto* next = fault::real<ssize_t(int, const struct iovec*, int)>("writev");
  if (fd > 2 && fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) fault::die();
    errno = ENOSPC;
    return -1;
  }
  return next(fd, parts, count);
}
ssize_t sendfile(int to, int from, off_t* offset, size_t size) noexcept {
  static auto* next = fault::real<ssize_t(int, int, off_t*, size_t)>("sendfile");
  if (fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) fault::die();
    errno = ENOSPC;
    return -1;
  }
  return next(to, from, offset, size);
}
int fsync(int fd) {
  static auto* next = fault::real<int(int)>("fsync");
  if (fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) fault::die();
    errno = ENOSPC;
    return -1;
  }
  return next(fd);
}
int rename(const char* from, const char* to) noexcept {
  static auto* next = fault::real<int(const char*, const char*)>("rename");
  if (fault::strikes()) {
    if (fault::kind == fault::Kind::Kill) fault::die();
    errno = ENOSPC;
    return -1;
  }
  return next(from, to);
}
}
