// BlockEmitter: the parts that the emission of every instruction is made of, each in its file, for one block.
#pragma once

#include "jit/x64/exits.h"
#include "jit/x64/operands.h"

namespace reprise::jit::x64 {

struct BlockEmitter : Emission {
  explicit BlockEmitter(const Emission& emission) : Emission(emission) {}
  BlockEmitter(const BlockEmitter&) = delete;
  BlockEmitter& operator=(const BlockEmitter&) = delete;

  GuestRegisters regs{*this};
  StatusFlags flags{*this, regs};
  Refusals refusals{*this, regs};
  OwnedRegisters owned{*this, regs, refusals};
  SlowPaths slow_paths{*this, flags, owned};
  Addresses addresses{*this, regs, slow_paths};
  TlbProbe tlb{*this};
  ProbeGroups groups{{*this, regs, flags, slow_paths, addresses, tlb}};
  Operands memory{{*this, regs, flags, slow_paths, addresses, tlb}, groups};
  Exits exits{{*this, regs, flags, slow_paths, addresses, tlb}};
  u64 body_begin = 0;  // offset of what follows the charge of the budget

  /// The head of the block's code: charges the budget, checks what the whole block needs.
  void begin();
  /// Around instruction `insn`.
  void begin_insn(unsigned insn);
  void end_insn();
  /// Where the running instruction goes when its handler must do it all.
  Label slow() { return slow_paths.slow(); }
  /// The whole instruction by its handler.
  void call_handler();
  /// Slow paths and exit stubs, which lie at `distance` bytes from the rest.
  void finish_cold(u64 distance, const SlowPaths::EmitInsn& emit);

 private:
  void check_code_limit();
  void check_second_page();
  void check_known();
};

}  // namespace reprise::jit::x64
