#include "machine/history/page_store.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/zeros.h"

namespace reprise::machine {
namespace {

/// What the newest of `deltas` says of each page.
void collect(const PageStore::Deltas& deltas, std::vector<u32>& into) {
  std::ranges::fill(into, u32{0});
  for (const PageStore::Delta* const delta : deltas)
    for (const PageStore::Version& version : *delta) into[version.page] = version.slot;
}

}  // namespace

PageStore::PageStore(mmu::Ram& ram) : own_(ram), views_{&own_} {}

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
  for (View* const view : views_)
    if (view->have[version.page] == version.slot) view->have[version.page] = kUnknown;
  free_.push_back(version.slot);
  --used_slots_;
}

PageStore::Delta PageStore::take(const Deltas& before, Delta* next, Written& written) {
  mmu::Ram& ram = own_.ram;
  written.assign((own_.have.size() + 63) / 64, 0);
  const u64 ended = ram.end_epoch();
  // Whatever lies between the version that RAM had and the newest one was written since, so each of these pages is looked at.
  collect(before, own_.have);
  Delta delta;
  Delta replaced;  // what the same pages held before
  ram.for_each_written_since(own_.seen_epoch, [&](u64 page) {
    written[page / 64] |= u64{1} << (page % 64);
    const std::span<const u8> content(ram.host() + page * kPageBytes, kPageBytes);
    u32& have = own_.have[page];
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
  own_.seen_epoch = ended;
  // Where the next one says nothing, what was there before the new one was there again.
  if (next != nullptr) {
    for (const Version& version : replaced) share_slot(version.slot);
    merge(std::move(replaced), *next);
  }
  return delta;
}

void PageStore::restore(View& view, const Deltas& deltas,
                        const std::function<void(u64 page)>& changing) const {
  mmu::Ram& ram = view.ram;
  ram.end_epoch();
  collect(deltas, view.wanted);
  for (u64 page = 0; page < view.have.size(); ++page) {
    const u32 wanted = view.wanted[page];
    if (view.have[page] == wanted && !ram.written_since(view.seen_epoch, page * kPageBytes)) continue;
    u8* const content = ram.host() + page * kPageBytes;
    // Much is written that was there before.
    const bool is_there =
        wanted == kZero ? all_zero({content, kPageBytes}) : std::memcmp(content, at(wanted), kPageBytes) == 0;
    if (is_there) continue;
    changing(page);
    ram.mark_written(page * kPageBytes);
    if (wanted == kZero)
      std::memset(content, 0, kPageBytes);
    else
      std::memcpy(content, at(wanted), kPageBytes);
  }
  std::swap(view.have, view.wanted);
  view.seen_epoch = ram.end_epoch();
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
