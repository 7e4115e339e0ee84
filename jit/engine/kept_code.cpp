#include "jit/engine/kept_code.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "common/bits.h"
#include "common/hash.h"

namespace reprise::jit {
namespace {

constexpr char kMagic[8] = {'R', 'e', 'p', 'C', 'o', 'd', 'e', '1'};

struct Head {
  char magic[8] = {};
  u64 layout = 0;
  u32 parts = 0, part = 0;
  u64 begin = 0;
  u64 used[CodeImage::kMaxParts] = {};
  u64 used_cold[CodeImage::kMaxParts] = {};
  u32 regions = 0;
  u32 numbers = 0;
  u64 key_bytes = 0;
  u64 code_bytes = 0;
};
static_assert(std::has_unique_object_representations_v<Head>);
static_assert(std::has_unique_object_representations_v<KeptRegion>);

template <class T>
std::span<const u8> bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const u8*>(values.data()), values.size_bytes()};
}

/// All places of `region` lie in code of `bytes`.
bool inside(const KeptRegion& region, u64 bytes, u64 key_bytes, u32 numbers) {
  const auto within = [](u64 at, u64 count, u64 end) { return at <= end && count <= end - at; };
  if (!within(region.hot, region.hot_bytes, bytes) || !within(region.cold, region.cold_bytes, bytes))
    return false;
  if (!within(region.key, region.key_bytes, key_bytes) || region.number >= numbers) return false;
  if (region.body < region.hot || region.body > region.hot + region.hot_bytes) return false;
  if (region.part >= CodeImage::kMaxParts || region.exits > std::size(region.exit)) return false;
  return std::all_of(region.exit, region.exit + region.exits, [&](const KeptRegion::Exit& exit) {
    return exit.jump >= 4 && exit.jump <= bytes && exit.stub < bytes && exit.page_offset < kPageBytes;
  });
}

}  // namespace

HostCode host_code(const KeptRegion& region, const u8* begin) {
  HostCode code;
  code.hot = {begin + region.hot, region.hot_bytes};
  code.cold = {begin + region.cold, region.cold_bytes};
  code.body = begin + region.body;
  code.overwrites_flags = region.overwrites_flags != 0;
  code.probes = region.probes;
  for (u32 i = 0; i < region.exits; ++i) {
    const KeptRegion::Exit& exit = region.exit[i];
    code.exits.push_back(
        {begin + exit.jump, begin + exit.stub, static_cast<u16>(exit.page_offset), exit.charge});
  }
  return code;
}

bool KeptCode::parse(StoredCode stored, u64 layout, u64 memory_bytes) {
  std::span<const u8> bytes = stored.bytes;
  Head head;
  if (bytes.size() < sizeof head) return false;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0 || head.layout != layout) return false;
  bytes = bytes.subspan(sizeof head);
  const u64 region_bytes = u64{head.regions} * sizeof(KeptRegion);
  if (head.key_bytes > bytes.size() || head.code_bytes > bytes.size() || head.parts > CodeImage::kMaxParts ||
      region_bytes + head.key_bytes + head.code_bytes != bytes.size())
    return false;
  static_assert(sizeof(Head) % alignof(KeptRegion) == 0);
  const std::span regions(reinterpret_cast<const KeptRegion*>(bytes.data()), head.regions);
  for (const KeptRegion& region : regions)
    if (!inside(region, memory_bytes, head.key_bytes, head.numbers)) return false;
  if (!std::ranges::is_sorted(regions, {}, &KeptRegion::key_hash)) return false;

  regions_ = regions;
  hashes_.clear();
  for (const KeptRegion& region : regions) hashes_.push_back(region.key_hash);
  keys_ = bytes.subspan(region_bytes, head.key_bytes);
  numbers_ = head.numbers;
  in_use_.assign(numbers_, false);
  image_ = {head.parts, head.part, head.begin, {}, {}, bytes.subspan(region_bytes + head.key_bytes)};
  std::ranges::copy(head.used, image_.used.begin());
  std::ranges::copy(head.used_cold, image_.used_cold.begin());
  stored_ = std::move(stored);
  return true;
}

const KeptRegion* KeptCode::take(std::span<const u8> key) {
  if (hashes_.empty()) return nullptr;
  const u64 hash = hash64(key);
  for (auto at = std::ranges::lower_bound(hashes_, hash); at != hashes_.end() && *at == hash; ++at) {
    const KeptRegion& region = regions_[static_cast<std::size_t>(at - hashes_.begin())];
    if (in_use_[region.number] || (parts_dropped_ >> region.part & 1) != 0 ||
        !std::ranges::equal(key_of(region), key))
      continue;
    in_use_[region.number] = true;
    return &region;
  }
  return nullptr;
}

void KeptCode::gone(const Region& region) {
  if (region.number < numbers_)
    in_use_[region.number] = false;
  else if (!made_.empty())
    made_.erase(region.number);
}

void KeptCode::part_dropped(unsigned part) { parts_dropped_ |= 1u << part; }

void KeptCode::made(const Region& region, std::vector<u8> key) {
  made_.insert_or_assign(region.number, std::move(key));
}

std::vector<u8> KeptCode::bytes(const CodeImage& image, const u8* begin,
                                std::span<const std::unique_ptr<Region>> live, u64 layout) const {
  std::vector<KeptRegion> regions(regions_.begin(), regions_.end());
  std::vector<u8> keys(keys_.begin(), keys_.end());
  u32 numbers = numbers_;
  const auto place = [begin](const u8* at) { return static_cast<u32>(at - begin); };
  for (const std::unique_ptr<Region>& region : live) {
    const auto made = made_.find(region->number);
    if (made == made_.end()) continue;
    const HostCode& code = region->code;
    KeptRegion kept{.key_hash = hash64(made->second),
                    .key = static_cast<u32>(keys.size()),
                    .key_bytes = static_cast<u32>(made->second.size()),
                    .hot = place(code.hot.data()),
                    .hot_bytes = static_cast<u32>(code.hot.size()),
                    .cold = place(code.cold.data()),
                    .cold_bytes = static_cast<u32>(code.cold.size()),
                    .body = place(code.body),
                    .probes = code.probes,
                    .number = region->number,
                    .part = region->part,
                    .overwrites_flags = code.overwrites_flags ? 1u : 0u,
                    .exits = static_cast<u32>(code.exits.size())};
    for (u32 i = 0; i < kept.exits; ++i) {
      const ExitJump& exit = code.exits[i];
      kept.exit[i] = {place(exit.jump), place(exit.stub), exit.charge, exit.page_offset};
    }
    keys.insert(keys.end(), made->second.begin(), made->second.end());
    numbers = std::max(numbers, kept.number + 1);
    regions.push_back(kept);
  }
  // Of equal keys each may be used: the same code lies in the guest's memory more than once. The order is that of numbers.
  std::ranges::sort(regions, [](const KeptRegion& a, const KeptRegion& b) {
    return a.key_hash != b.key_hash ? a.key_hash < b.key_hash : a.number < b.number;
  });

  Head head{.layout = layout,
            .parts = image.parts,
            .part = image.part,
            .begin = image.begin,
            .regions = static_cast<u32>(regions.size()),
            .numbers = numbers,
            .key_bytes = keys.size(),
            .code_bytes = image.bytes.size()};
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  std::ranges::copy(image.used, head.used);
  std::ranges::copy(image.used_cold, head.used_cold);
  std::vector<u8> all;
  all.reserve(sizeof head + regions.size() * sizeof(KeptRegion) + keys.size() + image.bytes.size());
  for (const std::span<const u8> part :
       {bytes_of(std::span<const Head>(&head, 1)), bytes_of(std::span<const KeptRegion>(regions)),
        std::span<const u8>(keys), image.bytes})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace reprise::jit
