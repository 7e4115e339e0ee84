#include "machine/history/checkpoints.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/check.h"

namespace reprise::machine {
namespace {

/// More cost more to look through than they save.
constexpr std::size_t kMostCheckpoints = 600;

}  // namespace

Checkpoints::Checkpoints(mmu::Ram& ram, DiskSet& disks, u64 bytes)
    : disks_(disks), most_bytes_(bytes), pages_(ram) {}

const Checkpoint* Checkpoints::before(const Position& position, bool strictly) const {
  const Checkpoint* found = nullptr;
  for (const auto& one : all_) {
    if (strictly ? one->at >= position : one->at > position) break;
    found = one.get();
  }
  return found;
}

const Checkpoint* Checkpoints::with_number(u64 number) const {
  const auto found = std::ranges::find_if(all_, [&](const auto& one) { return one->number == number; });
  return number == 0 || found == all_.end() ? nullptr : found->get();
}

std::size_t Checkpoints::index_of(const Checkpoint& checkpoint) const {
  const auto found = std::ranges::find_if(all_, [&](const auto& one) { return one.get() == &checkpoint; });
  CHECK(found != all_.end());
  return static_cast<std::size_t>(found - all_.begin());
}

PageStore::Deltas Checkpoints::deltas_up_to(std::size_t end) const {
  PageStore::Deltas deltas;
  for (std::size_t i = 0; i < end; ++i) deltas.push_back(&all_[i]->pages);
  return deltas;
}

const Checkpoint& Checkpoints::add(Checkpoint checkpoint) {
  const auto behind = std::ranges::find_if(all_, [&](const auto& one) { return one->at >= checkpoint.at; });
  if (behind != all_.end() && (*behind)->at == checkpoint.at) {
    if ((*behind)->number == 0) (*behind)->number = checkpoint.number;
    return **behind;
  }
  const auto index = static_cast<std::size_t>(behind - all_.begin());
  if (index != 0) disks_.rise(all_[index - 1]->disks);
  checkpoint.disks = disks_.end_contents();
  checkpoint.pages = pages_.take(deltas_up_to(index), behind == all_.end() ? nullptr : &(*behind)->pages,
                                 checkpoint.written);
  const auto added = all_.insert(all_.begin() + static_cast<std::ptrdiff_t>(index),
                                 std::make_unique<Checkpoint>(std::move(checkpoint)));
  base_ = added->get();
  const Checkpoint& result = **added;
  thin();
  return result;
}

void Checkpoints::restore(const Checkpoint& checkpoint, const std::function<void(u64 page)>& changing) {
  pages_.restore(deltas_up_to(index_of(checkpoint) + 1), changing);
  disks_.go_to(checkpoint.disks);
  base_ = &checkpoint;
}

void Checkpoints::passed(const Checkpoint& checkpoint) {
  disks_.rise(checkpoint.disks);
  base_ = &checkpoint;
}

void Checkpoints::forget_after(const Position& position) {
  if (const Checkpoint* const last = before(position); last != nullptr) passed(*last);
  disks_.forget_above();
  while (!all_.empty() && all_.back()->at > position) {
    pages_.drop(all_.back()->pages);
    all_.pop_back();
  }
}

void Checkpoints::clear() {
  for (const auto& one : all_) pages_.drop(one->pages);
  all_.clear();
  base_ = nullptr;
  disks_.forget_generations();
}

u64 Checkpoints::bytes() const {
  u64 bytes = pages_.bytes();
  for (const auto& one : all_)
    bytes += one->machine.capacity() + one->pages.capacity() * sizeof(PageStore::Version) +
             one->written.capacity() * sizeof(u64);
  return bytes;
}

void Checkpoints::thin() {
  while (all_.size() > kMostCheckpoints || bytes() > most_bytes_) {
    // The one whose going makes the smallest gap for its age. Behind the last one is nothing that it could go into.
    const Position& now = all_.back()->at;
    std::size_t least = 0;
    double least_gap = std::numeric_limits<double>::max();
    for (std::size_t i = 1; i + 1 < all_.size(); ++i) {
      const Checkpoint& one = *all_[i];
      if (one.number != 0 || &one == base_) continue;
      const auto gap = static_cast<double>(all_[i + 1]->at.virtual_ns - all_[i - 1]->at.virtual_ns);
      const auto age = static_cast<double>(now.virtual_ns - one.at.virtual_ns);
      if (const double cost = gap / (age + 1); cost < least_gap) {
        least_gap = cost;
        least = i;
      }
    }
    if (least == 0) return;
    remove(least);
  }
}

void Checkpoints::remove(std::size_t index) {
  const std::unique_ptr<Checkpoint> removed = std::move(all_[index]);
  all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(index));
  pages_.merge(std::move(removed->pages), all_[index]->pages);
  for (std::size_t i = 0; i < removed->written.size(); ++i) all_[index]->written[i] |= removed->written[i];
  forget_disks(*removed);
}

void Checkpoints::forget_disks(const Checkpoint& removed) {
  for (const DiskSet::Content& content : removed.disks) {
    const bool used = std::ranges::any_of(
        all_, [&](const auto& one) { return std::ranges::find(one->disks, content) != one->disks.end(); });
    if (!used) DiskSet::forget(content);
  }
}

}  // namespace reprise::machine
