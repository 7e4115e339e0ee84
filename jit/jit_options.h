// What a user can choose about translation. The guest cannot see any of it. Portable: also there on hosts
// without the JIT.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/types.h"
#include "jit/code_store.h"

namespace reprise::jit {

/// What can be left out: each makes code faster, none changes what it does.
enum class Pass : u8 {
  Groups,       // one probe for several accesses off one base
  Flags,        // status flags that nobody can see are not saved
  Links,        // jumps straight from block to block
  Jumps,        // indirect jumps and returns look their target up in generated code
  Vectors,      // SSE and AVX instructions as host instructions
  X87,          // x87 instructions as host instructions
  Strings,      // string instructions as host loops and copies
  HostFlags,    // undefined flags are the host's where a test at start-up shows that they are ours
  SecondLevel,  // first-level TLB misses look in the second level in generated code
  Joins,        // blocks that mostly follow each other are translated as one
  System,       // flags with privilege and changes of mode as host code
  Count
};
inline constexpr std::array<std::string_view, static_cast<unsigned>(Pass::Count)> kPassNames = {
    "groups",  "flags",      "links",        "jumps", "vectors", "x87",
    "strings", "host-flags", "second-level", "joins", "system"};

class PassSet {
 public:
  constexpr u32 bits() const { return bits_; }
  constexpr bool has(Pass pass) const { return (bits_ >> static_cast<unsigned>(pass)) & 1; }
  constexpr void add(Pass pass) { bits_ |= 1u << static_cast<unsigned>(pass); }
  constexpr void remove(Pass pass) { bits_ &= ~(1u << static_cast<unsigned>(pass)); }
  constexpr void remove(PassSet others) { bits_ &= ~others.bits_; }
  static constexpr PassSet all() {
    PassSet set;
    set.bits_ = (1u << static_cast<unsigned>(Pass::Count)) - 1;
    return set;
  }
  friend bool operator==(PassSet, PassSet) = default;

 private:
  u32 bits_ = 0;
};

/// "groups,flags", or "all". An error names what is unknown and what there is.
Result<PassSet> parse_passes(std::string_view text);

/// What --dump shows of a block when it is translated.
enum class Dump : u8 { Guest = 1, Plan = 2, Host = 4 };

/// "guest,plan,host" as a mask of Dump.
Result<u8> parse_dump(std::string_view text);

struct JitOptions {
  static constexpr u64 kMinCodeCacheBytes = u64{256} << 10;
  static constexpr u64 kMaxCodeCacheBytes = u64{1} << 30;  // so that every jump in it is a rel32

  PassSet passes = PassSet::all();
  u32 max_block_insns = 0;  // 0: as many as a block can hold
  u64 code_cache_bytes = u64{64} << 20;
  u32 threshold = 16;  // a block is translated when it is entered the so many-th time; at least 1
  u64 pace = 1000;     // what TranslationPace is made with

  /// Where translations are kept for other runs; nullptr: nowhere.
  std::shared_ptr<CodeStore> code_store;
  u32 worth_keeping = 256;  // regions that were not there: fewer are not saved

  u8 dump = 0;               // mask of Dump
  std::vector<u64> dump_at;  // linear addresses; empty: every block
  bool perf_map = false;     // /tmp/perf-PID.map for `perf report`
  /// The name of guest code; empty: it has none. May be empty itself.
  std::function<std::string(u64 linear)> name_of;
  std::function<void(std::string_view text)> dump_sink;  // where dumps go; empty: stderr
  bool count_host_insns = false;                         // in generated code, for stats(); slows it down
  u32 hot_blocks = 0;     // how many of the hottest stats() shows; needs count_host_insns
  u64 lockstep_seed = 1;  // of the slice lengths of the lockstep engine

  bool has(Pass pass) const { return passes.has(pass); }
  bool dumps(Dump what) const { return (dump & static_cast<u8>(what)) != 0; }
};

}  // namespace reprise::jit
