// Translator: host code for one decoded block.
//
// Guest integer instructions become the same host instructions on the registers that hold the guest's; a
// memory operand becomes a probe of the first-level TLB and an access through the host pointer. Whatever is
// not emitted, and every probe that misses, calls the instruction's handler, so there is one definition of
// each instruction and one slow path. Status flags stay in the host's between the instruction that makes them
// and the next that destroys them; rax has them wherever a handler, an exit or another block may look.
#pragma once

#include <memory>

#include "jit/jit_options.h"
#include "jit/listing.h"
#include "jit/native_block.h"
#include "jit/x64/code_arena.h"
#include "jit/x64/stubs.h"

namespace reprise::jit::x64 {

class Translator {
 public:
  Translator(CodeArena& arena, const Stubs& stubs, cpu::Cpu& cpu, const JitOptions& options,
             const cpu::BlockCache& blocks);
  ~Translator();

  /// Fills `native`, and `listing` if there is one, with the code of `block`, whose data accesses have the rights of `view`. False: it has
  /// something that cannot be assembled.
  bool translate(const cpu::Block& block, mmu::View view, NativeBlock& native, Listing* listing = nullptr);
  /// Makes the edge's jump lead to `code`.
  void point(const Edge& edge, const u8* code);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reprise::jit::x64
