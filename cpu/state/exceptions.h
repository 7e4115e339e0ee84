// Guest exceptions as values. A body that faults fills Cpu::fault through raise() and returns Status::Fault,
// having changed nothing; delivery through the IDT is cpu/system/interrupts.cpp. SDM 3A chapter 6.
#pragma once

#include "common/types.h"

namespace reprise::cpu {

// clang-format off
enum Vector : u8 {
  kDE = 0, kDB = 1, kNMI = 2, kBP = 3, kOF = 4, kBR = 5, kUD = 6, kNM = 7, kDF = 8, kTS = 10, kNP = 11,
  kSS = 12, kGP = 13, kPF = 14, kMF = 16, kAC = 17, kMC = 18, kXM = 19,
};
// clang-format on

/// Where an event came from: decides EXT in error codes, DPL checks on the gate, and the saved rip.
enum class EventKind : u8 {
  Fault,              // rip of the instruction is saved
  Trap,               // the instruction has retired; the next rip is saved (#DB after single-step, #BP, #OF)
  SoftwareInterrupt,  // INT n, INT3, INTO: gate DPL is checked; saved rip is the next one
  ExternalInterrupt,  // IRQ or NMI
  Smi,                // no vector: the processor enters SMM
  WaitForInterrupt,   // nothing to deliver: the processor halts before the instruction. FERR#, SDM 1 8.7
};

struct Fault {
  u8 vector = 0;
  bool has_error_code = false;
  EventKind kind = EventKind::Fault;
  u32 error_code = 0;
  u64 linear = 0;  // CR2 for #PF
  u64 dr6 = 0;     // bits to set in DR6 for #DB
};

/// What a handler tells its engine.
enum class Status : u8 {
  Next,      // go on with the next instruction of the block
  Jump,      // rip is set; the block ends; mode, interrupts and translation are as before
  Stop,      // retired; rip is the next instruction; mode or interruptibility may have changed
  StopJump,  // retired and rip is set; mode or interruptibility may have changed
  Fault,     // nothing retired; Cpu::fault describes it
  Trap,      // retired; rip is the next instruction; Cpu::fault describes the trap to deliver
  Restart,   // REP ran out of budget between iterations; rip stays at the instruction
};

}  // namespace reprise::cpu
