// Translator: host code for a translation unit.
//
// Guest integer instructions become the same host instructions on the registers that hold the guest's; a
// memory operand becomes a probe of the first-level TLB and an access through the host pointer. Whatever is
// not emitted, and every probe that misses, calls the instruction's handler, so there is one definition of
// each instruction and one slow path. Status flags stay in the host's between the instruction that makes them
// and the next that destroys them; rax has them wherever a handler, an exit or another block may look.
#pragma once

#include <memory>
#include <optional>

#include "jit/host/listing.h"
#include "jit/host/region.h"
#include "jit/host/translation_unit.h"
#include "jit/jit_options.h"
#include "jit/x64/code_arena.h"
#include "jit/x64/stubs.h"

namespace reprise::jit::x64 {

class Translator {
 public:
  Translator(CodeArena& arena, const Stubs& stubs, cpu::Cpu& cpu, const JitOptions& options);
  ~Translator();

  /// The code for `unit`, in the arena, and `listing`, if there is one, about it. No value: it has something
  /// that cannot be assembled.
  std::optional<HostCode> translate(const TranslationUnit& unit, Listing* listing);
  /// HostFlags::digest() of what is measured.
  u64 host_flags_digest() const;
  /// Makes the jump lead to `code`.
  void point(const ExitJump& exit, const u8* code);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reprise::jit::x64
