// HotBlocks: which translations ran the most host instructions, and what they are (--hot-blocks).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "jit/host/region.h"

namespace reprise::jit {

/// The counts of regions of one place and mode are one, however often they were made; the code shown is the last.
class HotBlocks {
 public:
  using Regions = std::vector<std::unique_ptr<Region>>;

  /// `region` goes. One without a listing does not count.
  void gone(const Region& region);
  /// The `shown` hottest of what is gone and what there is in `lists`, for people. `name_of`: of guest code.
  std::string text(std::size_t shown, std::span<const Regions* const> lists,
                   const std::function<std::string(u64 linear)>& name_of) const;

 private:
  /// Of so many that are gone the colder half is forgotten.
  static constexpr std::size_t kMaxGone = 4096;

  using Key = std::tuple<u64, u64, u32>;  // linear and physical address, mode
  struct Gone {
    HostInsnTotals ran;
    Listing listing;
    std::vector<u8> code;
    u64 code_at = 0;
  };
  static Key key_of(const Listing& listing);
  void forget_colder_half();

  std::map<Key, Gone> gone_;
};

}  // namespace reprise::jit
