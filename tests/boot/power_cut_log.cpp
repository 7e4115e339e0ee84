// Preloaded (LD_PRELOAD) into the emulator by crash_consistency.py: writes down what reaches one image, and
// when it was made durable, so that the test can form what a power cut would have left of it.
//
// POWER_CUT_IMAGE names the image, POWER_CUT_LOG the log: records of five 64-bit words (kind, offset, bytes,
// 0, 0), kind 'W' followed by the bytes written, 'Z' for a range that was zeroed, 'F' for a completed flush.
// Interposed: pwrite, fallocate, fdatasync and their 64-bit names. A record is written before the call that
// it describes returns, a flush's after it.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

bool is_image(int fd) {
  struct stat image, file;
  const char* path = getenv("POWER_CUT_IMAGE");
  return path != nullptr && stat(path, &image) == 0 && fstat(fd, &file) == 0 && image.st_dev == file.st_dev &&
         image.st_ino == file.st_ino;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

void record(char kind, uint64_t offset, uint64_t bytes, const void* data) {
  static const int log = open(getenv("POWER_CUT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const uint64_t head[5] = {static_cast<uint64_t>(kind), offset, bytes, 0, 0};
  // A record that is cut off by the kill is ignored by the test: its call had not returned.
  if (write(log, head, sizeof head) != static_cast<ssize_t>(sizeof head)) abort();
  if (data != nullptr && write(log, data, bytes) != static_cast<ssize_t>(bytes)) abort();
}

}  // namespace

extern "C" {

ssize_t pwrite64(int fd, const void* data, size_t bytes, off64_t offset) {
  const ssize_t put = next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64")(fd, data, bytes, offset);
  if (put > 0 && is_image(fd)) record('W', static_cast<uint64_t>(offset), static_cast<uint64_t>(put), data);
  return put;
}

ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) {
  return pwrite64(fd, data, bytes, offset);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t bytes) {
  const int result = next<int(int, int, off64_t, off64_t)>("fallocate64")(fd, mode, offset, bytes);
  if (result == 0 && is_image(fd))
    record('Z', static_cast<uint64_t>(offset), static_cast<uint64_t>(bytes), nullptr);
  return result;
}

int fallocate(int fd, int mode, off_t offset, off_t bytes) { return fallocate64(fd, mode, offset, bytes); }

int fdatasync(int fd) {
  const int result = next<int(int)>("fdatasync")(fd);
  if (result == 0 && is_image(fd)) record('F', 0, 0, nullptr);
  return result;
}
}
