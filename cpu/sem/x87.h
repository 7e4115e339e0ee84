// What every x87 body shares: the register stack, stack faults, exception reporting and the instruction
// pointers. SDM 1 chapter 8; vol. 2 for each instruction.
//
// An instruction that finds an unmasked exception pending reports it and does nothing (x87_error.h). Its own
// exceptions become pending. As processors that report FDP_EXCPTN_ONLY and deprecated FCS and FDS do, FIP is kept by every
// instruction that is not a control instruction, FOP and FDP only by one that leaves an unmasked exception,
// and FCS and FDS read as zero. Undefined: condition codes that the manual leaves undefined keep their
// values.
#pragma once

#include "cpu/core/operands.h"
#include "cpu/core/x87_error.h"
#include "cpu/softfloat/softfloat.h"
#include "cpu/state/x87_bits.h"

namespace reprise::cpu {

namespace x87 {

namespace sf = softfloat;
using sf::Extended80;

inline void set_top(X87& fpu, unsigned top) {
  fpu.fsw = static_cast<u16>((fpu.fsw & ~kFswTop) | ((top & 7) << 11));
}

inline void set_codes(X87& fpu, u16 mask, u16 codes) {
  fpu.fsw = static_cast<u16>((fpu.fsw & ~mask) | codes);
}

enum class Pops : u8 { None = 0, Once = 1, Twice = 2 };

/// One instruction on the stack, from the check for pending exceptions to the report of its own.
/// Order in a body: `pending()`, memory operand, stack checks, computation, memory result, deliver or push,
/// done().
class Operation {
 public:
  Operation(Cpu& machine, const Insn& insn)
      : cpu(machine), in(insn), fpu(machine.state.x87), top_(fpu.top()) {
    env.rounding = static_cast<sf::Rounding>((fpu.fcw >> 10) & 3);
    env.precision = static_cast<sf::Precision>((fpu.fcw >> 8) & 3);
    env.masks = fpu.fcw & sf::kAllExceptions;
  }

  bool pending() const { return exception_pending(cpu); }
  Status raise_pending() const { return report_pending(cpu); }

  bool empty(unsigned i) const { return ((fpu.valid >> physical(i)) & 1) == 0; }
  sf::Float80 st(unsigned i) const {
    const Float80& reg = fpu.st[physical(i)];
    return {reg.significand, reg.sign_exponent};
  }
  void write(unsigned i, sf::Float80 value) {
    fpu.st[physical(i)] = {value.significand, value.sign_exponent};
    fpu.valid = static_cast<u8>(fpu.valid | (1u << physical(i)));
  }
  void free(unsigned i) { fpu.valid = static_cast<u8>(fpu.valid & ~(1u << physical(i))); }
  void pop(Pops pops = Pops::Once) {
    for (unsigned n = static_cast<unsigned>(pops); n != 0; --n) {
      free(0);
      move_top(top_ + 1);
    }
  }
  /// Pushes without a check.
  void push(sf::Float80 value) {
    move_top(top_ - 1);
    write(0, value);
  }
  void move_top(unsigned top) {
    top_ = top & 7;
    set_top(fpu, top_);
  }

  bool masked(u32 exception) const { return env.masked(exception); }
  /// An unmasked IE, DE or ZE: operands stay.
  bool stopped() const { return (env.unmasked() & sf::kPreComputation) != 0; }

  /// Writes the result to ST(i) and pops, unless stopped.
  void deliver(unsigned i, sf::Float80 value, Pops pops = Pops::None) {
    if (stopped()) return;
    write(i, value);
    pop(pops);
  }

  /// A stack fault: IE, SF and C1. True when it is masked and the indefinite is to be delivered.
  bool stack_underflow() { return stack_fault(false); }
  bool stack_overflow() { return stack_fault(true); }

  /// Reports the environment's flags and C1, and the instruction pointer.
  Status done() {
    set_codes(fpu, kFswC1, env.rounded_up ? kFswC1 : 0);
    return done_keeping_c1();
  }
  Status done_keeping_c1() {
    fpu.fip = cpu.rip_of(in);
    fpu.fsw = static_cast<u16>(fpu.fsw | env.flags);
    if (env.unmasked() != 0) [[unlikely]]
      report_unmasked();
    return Status::Next;
  }

  Cpu& cpu;
  const Insn& in;
  X87& fpu;
  sf::FpEnv env;

 private:
  unsigned physical(unsigned i) const { return (top_ + i) & 7; }
  bool stack_fault(bool overflow) {
    env.flags |= sf::kIE;
    env.rounded_up = overflow;
    fpu.fsw |= kFswSf;
    return env.masked(sf::kIE);
  }
  void report_unmasked();

  unsigned top_;
};

inline constexpr sf::Float80 kIndefinite = Extended80::default_nan();

}  // namespace x87
}  // namespace reprise::cpu
