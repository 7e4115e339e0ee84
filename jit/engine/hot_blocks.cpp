#include "jit/engine/hot_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "jit/engine/listing_text.h"

namespace reprise::jit {
namespace {

u64 all_of(const HostInsnTotals& ran) {
  return std::accumulate(ran.host_insns.begin(), ran.host_insns.end(), u64{0});
}

double percent(u64 part, u64 whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

/// One place and mode.
struct Row {
  HostInsnTotals ran;
  const Listing* listing = nullptr;
  std::span<const u8> code;
  u64 code_at = 0;
};

}  // namespace

HotBlocks::Key HotBlocks::key_of(const Listing& listing) {
  return {listing.linear, listing.phys, listing.mode.bits};
}

void HotBlocks::gone(const Region& region) {
  if (region.listing == nullptr || region.code.counted == nullptr) return;
  HostInsnTotals ran;
  ran.add(*region.code.counted);
  if (ran.bodies == 0) return;
  if (gone_.size() >= kMaxGone) forget_colder_half();
  Gone& gone = gone_[key_of(*region.listing)];
  gone.ran.add(ran);
  gone.listing = *region.listing;
  gone.code.assign(region.code.hot.begin(), region.code.hot.end());
  gone.code_at = reinterpret_cast<u64>(region.code.hot.data());
}

void HotBlocks::forget_colder_half() {
  std::vector<u64> counts;
  for (const auto& [key, gone] : gone_) counts.push_back(all_of(gone.ran));
  const auto middle = counts.begin() + static_cast<std::ptrdiff_t>(counts.size() / 2);
  std::ranges::nth_element(counts, middle);
  std::erase_if(gone_, [least = *middle](const auto& each) { return all_of(each.second.ran) <= least; });
}

std::string HotBlocks::text(std::size_t shown, std::span<const Regions* const> lists,
                            const std::function<std::string(u64 linear)>& name_of) const {
  std::map<Key, Row> rows;
  for (const auto& [key, gone] : gone_) rows[key] = {gone.ran, &gone.listing, gone.code, gone.code_at};
  for (const Regions* const list : lists) {
    for (const std::unique_ptr<Region>& region : *list) {
      if (region->listing == nullptr || region->code.counted == nullptr) continue;
      Row& row = rows[key_of(*region->listing)];
      row.ran.add(*region->code.counted);
      row.listing = region->listing.get();
      row.code = region->code.hot;
      row.code_at = reinterpret_cast<u64>(row.code.data());
    }
  }
  std::vector<const Row*> hottest;
  u64 host_insns = 0;
  for (const auto& [key, row] : rows) {
    hottest.push_back(&row);
    host_insns += all_of(row.ran);
  }
  std::ranges::stable_sort(hottest, std::ranges::greater{}, [](const Row* row) { return all_of(row->ran); });
  hottest.resize(std::min(shown, hottest.size()));

  std::string text;
  u64 so_far = 0;
  for (std::size_t i = 0; i < hottest.size(); ++i) {
    const Row& row = *hottest[i];
    const u64 own = all_of(row.ran);
    so_far += own;
    text += fmt::format(
        "hot block {}: {:.2f} % of the host instructions, {:.2f} % with those above; ran {} times, {} "
        "instructions of the guest in {} of the host: {:.2f} each\n",
        i + 1, percent(own, host_insns), percent(so_far, host_insns), row.ran.bodies, row.ran.guest_insns,
        own,
        row.ran.guest_insns == 0 ? 0 : static_cast<double>(own) / static_cast<double>(row.ran.guest_insns));
    constexpr u8 kAll =
        static_cast<u8>(Dump::Guest) | static_cast<u8>(Dump::Plan) | static_cast<u8>(Dump::Host);
    text += listing_text(*row.listing, {row.code, {}, row.code_at, 0}, name_of(row.listing->linear), kAll);
  }
  return text;
}

}  // namespace reprise::jit
