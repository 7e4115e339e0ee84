// Regions: pieces of the guest's code that were translated as one, and what the engine keeps about each: a block of the
// cache, or several that lie one behind the other.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cpu/blocks/block_cache.h"
#include "jit/host/host_insn_counts.h"
#include "jit/host/listing.h"

namespace reprise::jit {

/// A jump out of generated code to a fixed place in the same page.
struct ExitJump {
  const u8* jump = nullptr;  // its rel32
  const u8* stub = nullptr;  // the exit it leads to when it is not linked
  u16 page_offset = 0;
  /// Not 0: the jump has charged so many instructions and leads to the target's body, flags lost.
  u32 charge = 0;
};

/// What a back end made of a TranslationUnit; it lies in the back end's memory.
struct HostCode {
  std::span<const u8> hot;        // entered at its beginning
  std::span<const u8> cold;       // slow paths and exits
  const u8* body = nullptr;       // behind the charge of the budget
  bool overwrites_flags = false;  // those it is entered with are not looked at, at the body neither
  u32 probes = 0;
  std::vector<ExitJump> exits;
  std::unique_ptr<CountedCode> counted;  // how often it ran, or nullptr
};

struct Region;

/// An exit jump of a region and what it is linked to.
struct Edge {
  Region* owner = nullptr;
  Region* target = nullptr;
  ExitJump exit;
};

/// Which edge: that of a region by number.
inline constexpr unsigned kEdgeBits = 3;
inline constexpr u32 kNoEdge = ~u32{0};
constexpr u32 edge_id(u32 region, std::size_t edge) { return region << kEdgeBits | static_cast<u32>(edge); }

struct Region {
  explicit Region(cpu::Block& of) : block(&of), insns(of.insns.get(), of.count), user(of.mode.cpl() == 3) {}
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// The code that was made for it.
  void take(HostCode made) {
    code = std::move(made);
    edges.resize(code.exits.size());
    for (std::size_t i = 0; i < edges.size(); ++i) edges[i] = {this, nullptr, code.exits[i]};
  }

  /// It is of these blocks too, and has all of their instructions.
  void join(std::vector<cpu::Block*> blocks, std::vector<cpu::Insn> all) {
    if (blocks.empty()) return;
    joined = std::move(blocks);
    own_insns_ = std::move(all);
    insns = own_insns_;
  }

  /// What generated code calls it by: a place in RegionTable.
  u32 number = 0;
  cpu::Block* block;                // nullptr: removed
  std::vector<cpu::Block*> joined;  // behind it
  std::span<const cpu::Insn> insns;
  const bool user;
  HostCode code;
  std::vector<Edge> edges;      // one for each of code.exits
  std::vector<Edge*> incoming;  // that are linked to it
  /// Where observers know all of it: what rip is where its page begins. Code that was made while there are any asks.
  u64 known_page_base = ~u64{0};
  std::unique_ptr<Listing> listing;  // for HotBlocks, when it is asked for
  u32 group_misses = 0;              // how often the handlers of a group ran instead of it
  u32* jump_table = nullptr;         // of its page, when its code is in there
  unsigned part = 0;                 // HostBackend::part() it lies in
  std::size_t index = 0;             // in the engine's list

 private:
  std::vector<cpu::Insn> own_insns_;  // of several blocks
};

}  // namespace reprise::jit
