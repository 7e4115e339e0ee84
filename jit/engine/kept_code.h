// KeptCode: what an earlier run translated, by what it was translated of (unit_key.h). Its code lies in the back end's memory
// where it lay then, and names its region by the number that it had then, so that nothing is copied or changed when it is asked
// for; and what this run leaves to the next.
#pragma once

#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "jit/code_store.h"
#include "jit/host/code_image.h"
#include "jit/host/region.h"

namespace reprise::jit {

/// Code of a region, all places from the beginning of the memory for code.
struct KeptRegion {
  struct Exit {
    u32 jump = 0;
    u32 stub = 0;
    u32 charge = 0;
    u32 page_offset = 0;
  };
  u64 key_hash = 0;
  u32 key = 0;  // where its key is among all keys
  u32 key_bytes = 0;
  u32 hot = 0, hot_bytes = 0;
  u32 cold = 0, cold_bytes = 0;
  u32 body = 0;
  u32 probes = 0;
  u32 number = 0;  // Region::number
  u32 part = 0;
  u32 overwrites_flags = 0;
  u32 exits = 0;
  Exit exit[std::size_t{1} << kEdgeBits] = {};
};

class KeptCode {
 public:
  /// From bytes() of an earlier run with the same `layout`, whose memory for code had `memory_bytes`, too. Bytes that are no such
  /// thing: nothing is kept, and false.
  bool parse(StoredCode stored, u64 layout, u64 memory_bytes);
  const CodeImage& image() const { return image_; }
  /// Numbers below this are those of kept regions.
  u32 numbers() const { return numbers_; }
  std::size_t count() const { return regions_.size(); }

  /// The region that was translated of `key` and is not in use, which it is from here on; or nullptr.
  const KeptRegion* take(std::span<const u8> key);
  /// `region`, whichever it is, goes.
  void gone(const Region& region);
  /// What lay in `part` of the memory is overwritten.
  void part_dropped(unsigned part);

  /// `region` was made of `key`: the next run may use it.
  void made(const Region& region, std::vector<u8> key);
  std::size_t made_count() const { return made_.size(); }
  /// For parse(): what was kept and what was made. `image` has all code, with no exit linked; `begin` is where it begins here.
  std::vector<u8> bytes(const CodeImage& image, const u8* begin,
                        std::span<const std::unique_ptr<Region>> live, u64 layout) const;

 private:
  std::span<const u8> key_of(const KeptRegion& region) const {
    return keys_.subspan(region.key, region.key_bytes);
  }

  StoredCode stored_;  // which has the regions and their keys
  CodeImage image_;
  std::span<const KeptRegion> regions_;  // by key_hash
  std::vector<u64> hashes_;              // theirs: what the search runs through
  std::span<const u8> keys_;
  u32 parts_dropped_ = 0;     // bits
  std::vector<bool> in_use_;  // by number
  u32 numbers_ = 0;
  std::unordered_map<u32, std::vector<u8>> made_;  // by number
};

/// What a back end says of code at `begin` + the places of `region`.
HostCode host_code(const KeptRegion& region, const u8* begin);

}  // namespace reprise::jit
