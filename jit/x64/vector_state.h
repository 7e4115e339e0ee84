// VectorState: the stubs that give the host's vector and x87 registers to the guest and take them back.
//
// While Frame::owned says so, xmm0 to xmm15 (or ymm0 to ymm15) and MXCSR hold the guest's, and so do the x87
// registers with their control and status words. A block whose instructions need them acquires them when it is
// entered; every call of a handler and every way out of generated code releases them, so nothing else sees
// anything but the Cpu. Exceptions are masked while the registers are owned: acquiring is refused as long as
// the guest has one unmasked, and the interpreter runs the block.
#pragma once

#include "jit/x64/emitter.h"

namespace reprise::jit::x64 {

/// What the host must have for the x87 registers to be owned.
bool host_keeps_x87();
bool host_has_avx();

class VectorState {
 public:
  VectorState(const cpu::Cpu& cpu, x86::Assembler& assembler) : cpu_(cpu), a_(assembler) {}

  // Each emits one stub.

  /// Called with rdi = Frame*, after the general registers went to the Cpu: keeps rbp and what is callee-saved
  /// by the host's convention, and r10.
  void release();
  // Called by generated code, status flags in rax; rsp points at the Frame but for the return address. They use the
  // two scratch registers only. CF = 1: refused.
  void acquire_xmm();
  /// Also when the XMM registers alone are owned.
  void acquire_ymm();
  void acquire_x87();
  /// Data of the stubs.
  void constants();

 private:
  Mem ymm(unsigned number, unsigned bytes, unsigned at = 0) const {
    return cpu_field(offset_in(cpu_, &cpu_.state.ymm[number]) + at, bytes);
  }
  Mem mxcsr() const { return cpu_field(offset_in(cpu_, &cpu_.state.mxcsr), 4); }
  void release_vectors();
  void release_x87();
  void acquire(Label& done, Label& refused);

  const cpu::Cpu& cpu_;
  x86::Assembler& a_;
  Label default_mxcsr_;
};

}  // namespace reprise::jit::x64
