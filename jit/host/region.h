// Regions: pieces of the guest's code that were translated as one, and what the engine keeps about each.
// Today a region is one block of the cache.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "cpu/blocks/block_cache.h"
#include "jit/host/host_insn_counts.h"

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
  static constexpr unsigned kMaxExits = 2;

  std::span<const u8> hot;        // entered at its beginning
  std::span<const u8> cold;       // slow paths and exits
  const u8* body = nullptr;       // behind the charge of the budget
  bool overwrites_flags = false;  // those it is entered with are not looked at, at the body neither
  u32 probes = 0;
  unsigned exits = 0;
  std::array<ExitJump, kMaxExits> exit{};
  std::unique_ptr<CountedCode> counted;  // how often it ran, or nullptr
};

struct Region;

/// An exit jump of a region and what it is linked to.
struct Edge {
  Region* owner = nullptr;
  Region* target = nullptr;
  ExitJump exit;
};

struct Region {
  explicit Region(cpu::Block& of) : block(&of), insns(of.insns.get(), of.count), user(of.mode.cpl() == 3) {}
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// The code that was made for it.
  void take(HostCode made) {
    code = std::move(made);
    for (unsigned i = 0; i < code.exits; ++i) edges[i] = {this, nullptr, code.exit[i]};
  }

  cpu::Block* block;  // nullptr: removed
  const std::span<const cpu::Insn> insns;
  const bool user;
  HostCode code;
  std::array<Edge, HostCode::kMaxExits> edges;  // as many as code.exits
  std::vector<Edge*> incoming;                  // that are linked to it
  /// Where observers know all of it: what rip is where its page begins. Code that was made while there are any asks.
  u64 known_page_base = ~u64{0};
  u32 group_misses = 0;       // how often the handlers of a group ran instead of it
  u32* jump_table = nullptr;  // of its page, when its code is in there
  unsigned part = 0;          // HostBackend::part() it lies in
  std::size_t index = 0;      // in the engine's list
};

}  // namespace reprise::jit
