// Emission: what all parts of the emission of one region share.
#pragma once

#include "jit/host/translation_unit.h"
#include "jit/jit_options.h"
#include "jit/x64/counting_assembler.h"
#include "jit/x64/host_flags.h"
#include "jit/x64/stubs.h"

namespace reprise::jit::x64 {

/// What holds for all regions.
struct EmitContext {
  const Stubs& stubs;
  const cpu::Cpu& cpu;
  const JitOptions& options;
  bool bmi2;  // the host has it
  HostFlags host_flags;
};

struct Emission {
  CountingAssembler& a;
  const EmitContext& context;
  const TranslationUnit& unit;
  unsigned index = 0;     // of the running instruction
  u64 cold_distance = 0;  // from hot code, while cold code is emitted

  cpu::ModeKey mode() const { return unit.mode; }
  /// Bytes of a linear address.
  unsigned word_bytes() const { return unit.mode.is64() ? 8 : 4; }
  /// Bytes of the stack pointer.
  unsigned stack_bytes() const {
    return unit.mode.is64() ? 8 : unit.mode.has(cpu::ModeKey::kStack32) ? 4 : 2;
  }
  /// See segmented_code().
  bool segmented() const { return segmented_code(unit.mode); }
  bool has(Pass pass) const { return context.options.has(pass); }
  /// Whether the host leaves the undefined flags of `in` as the guest shall see them.
  bool host_flags_agree(const cpu::Insn& in) const { return context.host_flags.agree(in); }
  unsigned view_index() const { return static_cast<unsigned>(unit.view); }
  /// For jumps and calls: the assembler believes that all code is where the hot code is.
  u64 address_of(const u8* stub) const { return reinterpret_cast<u64>(stub) - cold_distance; }
};

}  // namespace reprise::jit::x64
