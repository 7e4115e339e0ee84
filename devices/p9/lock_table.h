// LockTable: record locks of the guest's programs on shared files, as fcntl(2) has them. The host's programs do not see them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/archive.h"

namespace reprise::devices::p9 {

struct FileLock {
  static constexpr u64 kToTheEnd = ~u64{0};
  u64 file = 0;  // its number
  u32 fid = 0;   // through which it was taken
  u32 process = 0;
  std::string client;
  bool exclusive = false;
  u64 first = 0;
  u64 last = kToTheEnd;

  bool same_owner(const FileLock& other) const { return process == other.process && client == other.client; }
  bool overlaps(const FileLock& other) const {
    return file == other.file && first <= other.last && other.first <= last;
  }
};

class LockTable {
 public:
  static constexpr std::size_t kMaxLocks = 4096;
  static constexpr std::size_t kMaxClientBytes = 255;

  enum class Outcome : u8 { Done, Blocked, Full };
  /// Replaces what its owner holds there.
  Outcome lock(const FileLock& wanted);
  /// Whatever the owner of `range` holds there.
  Outcome unlock(const FileLock& range);
  /// The first lock in the way of `wanted`.
  std::optional<FileLock> conflict(const FileLock& wanted) const;
  void release_fid(u32 fid);
  void clear() { locks_.clear(); }
  void serialize(Archive& archive);

 private:
  std::vector<FileLock> locks_;
};

}  // namespace reprise::devices::p9
