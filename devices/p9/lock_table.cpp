#include "devices/p9/lock_table.h"

#include <algorithm>

#include "devices/p9/name_tree.h"

namespace reprise::devices::p9 {

std::optional<FileLock> LockTable::conflict(const FileLock& wanted) const {
  for (const FileLock& lock : locks_)
    if (lock.overlaps(wanted) && !lock.same_owner(wanted) && (lock.exclusive || wanted.exclusive))
      return lock;
  return std::nullopt;
}

LockTable::Outcome LockTable::lock(const FileLock& wanted) {
  if (conflict(wanted)) return Outcome::Blocked;
  if (unlock(wanted) == Outcome::Full || locks_.size() == kMaxLocks) return Outcome::Full;
  locks_.push_back(wanted);
  return Outcome::Done;
}

LockTable::Outcome LockTable::unlock(const FileLock& range) {
  const auto cut = [&](const FileLock& lock) { return lock.overlaps(range) && lock.same_owner(range); };
  std::vector<FileLock> left;
  for (const FileLock& lock : locks_) {
    if (!cut(lock)) continue;
    if (lock.first < range.first) {
      left.push_back(lock);
      left.back().last = range.first - 1;
    }
    if (lock.last > range.last) {
      left.push_back(lock);
      left.back().first = range.last + 1;
    }
  }
  const auto removed = static_cast<std::size_t>(std::ranges::count_if(locks_, cut));
  if (locks_.size() - removed + left.size() > kMaxLocks) return Outcome::Full;
  std::erase_if(locks_, cut);
  locks_.insert(locks_.end(), left.begin(), left.end());
  return Outcome::Done;
}

void LockTable::release_fid(u32 fid) {
  std::erase_if(locks_, [fid](const FileLock& lock) { return lock.fid == fid; });
}

void LockTable::serialize(Archive& archive) {
  archive.tag("p9 locks");
  u64 count = locks_.size();
  archive.at_most(count, kMaxLocks);
  if (archive.loading()) locks_.assign(archive.ok() ? count : 0, {});
  for (FileLock& lock : locks_) {
    archive.value(lock.file);
    archive.value(lock.fid);
    archive.value(lock.process);
    serialize_text(archive, lock.client, kMaxClientBytes);
    archive.value(lock.exclusive);
    archive.value(lock.first);
    archive.value(lock.last);
    if (lock.last < lock.first) archive.fail();
  }
  if (!archive.ok()) locks_.clear();
}

}  // namespace reprise::devices::p9
