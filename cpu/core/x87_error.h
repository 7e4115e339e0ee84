// How a pending x87 exception is reported: #MF with CR0.NE, else by FERR#, which a PC makes IRQ 13 of; the
// processor then stands still before the next waiting instruction until an interrupt comes, unless IGNNE# is
// asserted. SDM 1 8.7, appendix D. FERR# is driven as soon as the exception is recorded.
#pragma once

#include "cpu/core/cpu.h"
#include "mmu/paging_bits.h"

namespace reprise::cpu::x87 {

inline constexpr u16 kErrorSummary = 1u << 7;  // status word, ES

inline bool native_errors(const Cpu& cpu) { return (cpu.state.cr0 & mmu::kCr0Ne) != 0; }

/// An unmasked exception of an earlier instruction waits, and stops a waiting one.
inline bool exception_pending(Cpu& cpu) {
  if ((cpu.state.x87.fsw & kErrorSummary) == 0) return false;
  return native_errors(cpu) || !cpu.bus.x87_error(X87Error::Waits);
}

/// What a waiting instruction returns when exception_pending().
inline Status report_pending(Cpu& cpu) {
  if (native_errors(cpu)) return cpu.raise(kMF);
  cpu.fault = Fault{.kind = EventKind::WaitForInterrupt};
  return Status::Fault;
}

/// After the status word has changed from `fsw_before`.
inline void signal_new_exception(Cpu& cpu, u16 fsw_before) {
  const u16 fsw = cpu.state.x87.fsw;
  if ((fsw & ~fsw_before & kErrorSummary) == 0 || native_errors(cpu)) return;
  cpu.bus.x87_error(X87Error::Begins);
  cpu.stop_after_instruction();
}

}  // namespace reprise::cpu::x87
