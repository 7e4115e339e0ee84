// What the engine keeps about the generated code of one block.
#pragma once

#include <memory>
#include <vector>

#include "cpu/blocks/block_cache.h"
#include "jit/host_insn_counts.h"

namespace reprise::jit {

struct NativeBlock;
class JitEngine;
class JumpTables;

/// A jump out of a block to a fixed place in the same page. It leads to its exit stub until it is linked.
struct Edge {
  NativeBlock* owner = nullptr;
  NativeBlock* target = nullptr;  // when linked
  const u8* jump = nullptr;       // the rel32 of the jump
  const u8* stub = nullptr;
  u16 page_offset = 0;
  /// Not 0: the jump has charged so many instructions and leads to the target's body, flags lost.
  u32 charge = 0;
};

struct NativeBlock {
  static constexpr unsigned kMaxEdges = 2;

  cpu::Block* block = nullptr;  // nullptr: removed
  const u8* code = nullptr;
  u32 bytes = 0;
  const u8* body = nullptr;       // behind the charge of the budget
  bool overwrites_flags = false;  // flags_dead_at_entry()
  const u8* cold_code = nullptr;  // slow paths and exits
  u32 cold_bytes = 0;
  u32 probes = 0;         // in its code
  std::size_t index = 0;  // in the engine's list
  unsigned edges = 0;
  Edge edge[kMaxEdges];
  std::vector<Edge*> incoming;
  // How often it ran, or nullptr: not counted.
  std::unique_ptr<CountedCode> counted;
  u32 insns = 0;              // of the guest
  bool user = false;          // in user mode
  u32* jump_table = nullptr;  // of its page, when its code is in there
};

/// Rip is not the linear address in code of this mode, and may have to be looked at: 16-bit code, and 32-bit
/// code in a segment that is not flat.
inline bool segmented_code(cpu::ModeKey mode) {
  return mode.code_size() == cpu::CodeSize::Bits16 || !mode.has(cpu::ModeKey::kFlatCode);
}

/// What generated code and the engine exchange.
struct JitContext {
  u64 budget = 0;        // instructions left when generated code was entered, called out or was left
  Edge* edge = nullptr;  // how it was left, when through an edge
  cpu::Cpu* cpu = nullptr;
  u64 target = 0;              // Cpu::state.retired when the budget is spent
  u64 target_ns = 0;           // virtual time then
  u32 mode_bits = 0;           // the ModeKey generated code runs in
  u64 mode_number = 0;         // the same for jump_tables
  const u8* lookup = nullptr;  // stubs of its view
  const u8* jump_miss = nullptr;
  JitEngine* engine = nullptr;
  const JumpTables* jump_tables = nullptr;
  u64* calls = nullptr;               // handler calls by mnemonic
  alignas(64) u8 x87_area[576] = {};  // XSAVE image on the way between the Cpu and the host's x87 registers
};

/// What a call of a handler tells generated code; values from kGoOn on leave it.
enum NativeExit : u32 {
  kNext = 0,
  kJump = 1,       // Cpu::state.rip is set
  kGoOn = 2,       // the engine goes on at rip
  kInterpret = 3,  // the same, and interprets the block there: it needs registers that cannot be owned now
  kRunExit = 16    // plus a cpu::RunExit
};

/// Runs the handlers of instructions `first` to `last` (bits 31:16) of `block`.
using CallHandlers = u32 (*)(JitContext& context, u32 first_and_last, const cpu::Block& block);

}  // namespace reprise::jit
