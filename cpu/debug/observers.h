// Who is told of what a processor does, and changes nothing: traces and coverage. A run with them is the run without.
//
// EventObserver is told by what runs in C++ in every engine, so nothing else is slower. InsnObserver is told of each
// instruction by the interpreter, which then runs whatever an observer wants to be told of: engines ask wants_told()
// (cpu/engine/interpret.h) before a block, and generated code that was made meanwhile asks at its head whether it may run.
//
// Thread: the one that runs the machine. Calls come in the middle of an instruction, or of what comes between two: they may
// look at memory, registers and clocks.
#pragma once

#include "common/types.h"
#include "cpu/state/exceptions.h"

namespace reprise::cpu {

struct Insn;

/// What changes where a processor is other than by a jump or a delivery.
enum class Passage : u8 { Syscall, Sysret, Sysenter, Sysexit, Iret, Rsm, Init, StartUp, Shutdown };

class EventObserver {
 public:
  virtual ~EventObserver() = default;
  /// A page fault was raised, CR2 is set; delivery, which may fail, comes next.
  virtual void page_fault_raised(const Fault& fault) = 0;
  /// The state is that in which the handler begins. It was interrupted at `from`, a linear address: of the instruction
  /// whose rip the handler gets, for an INT of the INT.
  virtual void delivered(const Fault& event, u64 from) = 0;
  /// The state is that behind it, `from` the linear address where it began.
  virtual void passed(Passage passage, u64 from) = 0;
};

class InsnObserver {
 public:
  virtual ~InsnObserver() = default;
  /// Nothing about `bytes` of code at `linear` would be new: they may run untold.
  virtual bool knows(u64 linear, u64 bytes) const = 0;
  /// It begins. Its bytes lie at `phys`; what of them is in a second page begins at `second_phys`.
  virtual void begins(const Insn& insn, u64 linear, u64 phys, u64 second_phys) = 0;
  virtual void ended(const Insn& insn, Status status) = 0;
};

}  // namespace reprise::cpu
