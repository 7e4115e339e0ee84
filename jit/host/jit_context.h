// What generated code and the engine exchange.
#pragma once

#include "jit/host/region.h"

namespace reprise::jit {

class JitEngine;
class JumpTables;

/// A mode whose jump tables the fetch TLB of a view has.
struct EnteredMode {
  u32 bits = 0;
  u64 number = 0;  // JumpTables::mode_number; 0: of none
};

struct JitContext {
  u64 budget = 0;      // instructions left when generated code was entered, called out or was left
  u32 edge = kNoEdge;  // edge_id(): how it was left, when through an edge
  cpu::Cpu* cpu = nullptr;
  u64 target = 0;                  // Cpu::state.retired when the budget is spent
  u64 target_ns = 0;               // virtual time then
  u32 mode_bits = 0;               // the ModeKey generated code runs in
  u64 mode_number = 0;             // the same for jump_tables
  EnteredMode* entered = nullptr;  // of the processor, by view
  const u8* lookup = nullptr;      // HostBackend::enter_mode()
  const u8* jump_miss = nullptr;
  JitEngine* engine = nullptr;
  const JumpTables* jump_tables = nullptr;
  const cpu::BlockCache* blocks = nullptr;
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

/// What generated code calls. All but call_handlers and set_interrupts keep the host's vector registers.
struct HostCalls {
  /// Runs the handlers of instructions `first` (bits 15:0) to `last` (bits 31:16) of the region with that number; returns a
  /// NativeExit.
  u32 (*call_handlers)(JitContext& context, u32 first_and_last, u32 region);
  // Those of jit/engine/resolve_jump.h.
  bool (*refill)(cpu::Cpu& cpu, u64 linear, u32 access, u32 view);
  bool (*store_beside_code)(cpu::Cpu& cpu, u64 linear, u64 bytes, u32 view);
  bool (*set_interrupts)(cpu::Cpu& cpu);
  bool (*set_alignment_check)(JitContext& context, u32 set);
  u32 (*resolve_jump)(JitContext& context, u64 linear, u32 view);
};

}  // namespace reprise::jit
