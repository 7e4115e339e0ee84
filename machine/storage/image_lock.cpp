#include "machine/storage/image_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace reprise::machine {
namespace {

constexpr std::chrono::milliseconds kBetweenTries{50};

#ifdef F_OFD_SETLK
constexpr off_t kReads = 100;
constexpr off_t kWrites = 101;
constexpr off_t kMayNotWrite = 201;
constexpr off_t kMayNotResize = 203;
constexpr off_t kMayNotRead = 200;

struct flock byte_lock(short type, off_t at) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = at;
  lock.l_len = 1;
  return lock;
}

LockResult result_of_errno() {
  return errno == EAGAIN || errno == EACCES ? LockResult::Busy : LockResult::Unsupported;
}

LockResult hold(int fd, off_t at) {
  struct flock lock = byte_lock(F_RDLCK, at);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? LockResult::Locked : result_of_errno();
}

/// Locked: nobody else holds the byte.
LockResult check_free(int fd, off_t at) {
  struct flock lock = byte_lock(F_WRLCK, at);
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0) return result_of_errno();
  return lock.l_type == F_UNLCK ? LockResult::Locked : LockResult::Busy;
}

void release_all(int fd) {
  for (const off_t at : {kReads, kWrites, kMayNotWrite, kMayNotResize}) {
    struct flock lock = byte_lock(F_UNLCK, at);
    fcntl(fd, F_OFD_SETLK, &lock);
  }
}

LockResult try_lock(int fd, ImageUse use) {
  // Hold first, look then: of two that come at once at least one sees the other.
  LockResult result = hold(fd, kReads);
  if (result == LockResult::Locked) result = hold(fd, kMayNotWrite);
  if (result == LockResult::Locked) result = hold(fd, kMayNotResize);
  if (result == LockResult::Locked && use == ImageUse::Write) result = hold(fd, kWrites);
  if (result == LockResult::Locked) result = check_free(fd, kMayNotRead);
  if (result == LockResult::Locked) result = check_free(fd, kWrites);
  if (result == LockResult::Locked && use == ImageUse::Write) result = check_free(fd, kMayNotWrite);
  if (result != LockResult::Locked) release_all(fd);
  return result;
}
#else
LockResult try_lock(int fd, ImageUse use) {
  if (flock(fd, (use == ImageUse::Write ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0) return LockResult::Locked;
  return errno == EWOULDBLOCK ? LockResult::Busy : LockResult::Unsupported;
}
#endif

}  // namespace

LockResult lock_image(int fd, ImageUse use, std::chrono::milliseconds patience) {
  LockResult result = try_lock(fd, use);
  for (auto waited = kBetweenTries; waited <= patience && result == LockResult::Busy;
       waited += kBetweenTries) {
    std::this_thread::sleep_for(kBetweenTries);
    result = try_lock(fd, use);
  }
  return result;
}

}  // namespace reprise::machine
