#include "machine/history/page_store.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/zeros.h"

namespace reprise::machine {

PageStore::PageStore(mmu::Ram& ram)
    : ram_(ram), have_(ram.bytes() / kPageBytes, kZero), wanted_(have_.size()) {}

u32 PageStore::take_slot() {
  if (free_.empty()) {
    const auto first = static_cast<u32>(chunks_.size() * kSlotsOfAChunk + 1);
    chunks_.push_back(std::make_unique_for_overwrite<u8[]>(kSlotsOfAChunk * kPageBytes));
    for (u32 i = kSlotsOfAChunk; i-- != 0;) free_.push_back(first + i);
    users_.resize(users_.size() + kSlotsOfAChunk);
  }
  const u32 slot = free_.back();
  free_.pop_back();
  users_[slot] = 1;
  ++used_slots_;
  return slot;
}

void PageStore::free_slot(const Version& version) {
  if (version.slot == kZero || --users_[version.slot] != 0) return;
  if (have_[version.page] == version.slot) have_[version.page] = kUnknown;
  free_.push_back(version.slot);
  --used_slots_;
}

void PageStore::collect(const Deltas& deltas) {
  std::ranges::fill(wanted_, kZero);
  for (const Delta* const delta : deltas)
    for (const Version& version : *delta) wanted_[version.page] = version.slot;
}

PageStore::Delta PageStore::take(const Deltas& before, Delta* next) {
  const u64 ended = ram_.end_epoch();
  // Whatever lies between the version that RAM had and the newest one was written since, so each of these pages is looked at.
  collect(before);
  std::swap(have_, wanted_);
  Delta delta;
  Delta replaced;  // what the same pages held before
  ram_.for_each_written_since(seen_epoch_, [&](u64 page) {
    const std::span<const u8> content(ram_.host() + page * kPageBytes, kPageBytes);
    u32& have = have_[page];
    Version version{static_cast<u32>(page), kZero};
    if (all_zero(content)) {
      if (have == kZero) return;
    } else {
      if (have != kZero && std::memcmp(at(have), content.data(), kPageBytes) == 0) return;
      version.slot = take_slot();
      std::memcpy(at(version.slot), content.data(), kPageBytes);
    }
    replaced.push_back({version.page, have});
    have = version.slot;
    delta.push_back(version);
  });
  seen_epoch_ = ended;
  // Where the next one says nothing, what was there before the new one was there again.
  if (next != nullptr) {
    for (const Version& version : replaced) share_slot(version.slot);
    merge(std::move(replaced), *next);
  }
  return delta;
}

void PageStore::restore(const Deltas& deltas, const std::function<void(u64 page)>& changing) {
  ram_.end_epoch();
  collect(deltas);
  for (u64 page = 0; page < have_.size(); ++page) {
    const u32 wanted = wanted_[page];
    if (have_[page] == wanted && !ram_.written_since(seen_epoch_, page * kPageBytes)) continue;
    u8* const content = ram_.host() + page * kPageBytes;
    // Much is written that was there before.
    const bool is_there =
        wanted == kZero ? all_zero({content, kPageBytes}) : std::memcmp(content, at(wanted), kPageBytes) == 0;
    if (is_there) continue;
    changing(page);
    ram_.mark_written(page * kPageBytes);
    if (wanted == kZero)
      std::memset(content, 0, kPageBytes);
    else
      std::memcpy(content, at(wanted), kPageBytes);
    ++pages_restored_;
  }
  std::swap(have_, wanted_);
  seen_epoch_ = ram_.end_epoch();
}

void PageStore::merge(Delta older, Delta& newer) {
  Delta merged;
  merged.reserve(older.size() + newer.size());
  auto next = newer.cbegin();
  for (const Version& version : older) {
    while (next != newer.cend() && next->page < version.page) merged.push_back(*next++);
    if (next != newer.cend() && next->page == version.page)
      free_slot(version);
    else
      merged.push_back(version);
  }
  merged.insert(merged.end(), next, newer.cend());
  newer = std::move(merged);
}

void PageStore::drop(const Delta& delta) {
  for (const Version& version : delta) free_slot(version);
}

}  // namespace reprise::machine
