// Delivery of exceptions and interrupts through the IDT (or the real-mode vector table). SDM 3A chapter 6.
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

/// Delivers `event` at the current rip and, when delivery itself faults, what follows from that: the second exception,
/// a double fault, or Activity::Shutdown. An SMI goes to SMM (cpu/system/smm.h). Cpu::mode is synchronised on return.
void deliver_event(Cpu& cpu, const Fault& event);

/// What an exception or interrupt takes longer than an instruction: docs/decisions/0008-deliveries-and-timer-reads-stall.md.
inline constexpr u64 kDeliveryNs = 200;
/// The same of entering SMM, RSM included.
inline constexpr u64 kSmiNs = 2000;

/// One attempt; the handler returns to `return_rip`. False: Cpu::fault says why, and nothing has changed.
/// Cpu::mode is stale after success.
[[nodiscard]] bool deliver_through_idt(Cpu& cpu, const Fault& event, u64 return_rip);

/// INT n, INT3, INTO: the checks of a software interrupt and its delivery as a part of the instruction.
Status software_interrupt(Cpu& cpu, const Insn& in, u8 vector, EventKind kind);

/// SDM 3A table 6-5: what a fault while delivering `first` becomes.
enum class Escalation : u8 { Serial, DoubleFault, Shutdown };
Escalation escalate(const Fault& first, const Fault& second);

}  // namespace reprise::cpu
