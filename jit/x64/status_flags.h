// StatusFlags: whether the guest's status flags are the host's, or rax has them, or both, or neither. Instructions
// make them in the host's; rax must have them before anything that may show them to the guest, and before anything
// that destroys the host's unless they can be made again (PlannedInsn::flags_of).
#pragma once

#include "jit/x64/guest_registers.h"

namespace reprise::jit::x64 {

/// What makes the status flags again.
struct FlagsProducer {
  asmjit::InstId id = 0;  // 0: nothing does
  asmjit::Operand first, second;
  unsigned index = 0;  // of the guest's instruction
};

class StatusFlags {
 public:
  StatusFlags(Emission& emission, GuestRegisters& registers) : em_(emission), regs_(registers) {}

  /// The host's may be destroyed from here on: rax has them, or nobody needs them but to show them.
  void save();
  /// Rax has them from here on. Where neither has them takes both scratch registers.
  void show();
  /// The host has them from here on: before an instruction that reads or keeps some.
  void need();
  /// The host's are no longer the guest's (rax has them).
  void lost() { in_host_ = false; }
  /// The host instruction just emitted made the guest's.
  void made() { in_host_ = true, in_rax_ = false, maker_ = static_cast<int>(em_.index); }
  /// The same; emitting this again before the end of the next instruction makes them again.
  void repeatable(asmjit::InstId id, const asmjit::Operand& first, const asmjit::Operand& second) {
    producer_ = {id, first, second, em_.index};
  }
  /// The code just emitted left them in rax.
  void made_in_rax() { in_host_ = false, in_rax_ = true; }
  /// Neither has those of instruction `maker`.
  void left_to(int maker) { in_host_ = in_rax_ = false, maker_ = maker; }

  bool in_host() const { return in_host_; }
  bool in_rax() const { return in_rax_; }
  /// Nobody sees what the running instruction leaves of them.
  bool unseen() const;
  /// The instruction whose flags the guest's are, when rax will not have them in the running one; else -1.
  int not_kept() const;
  /// What made them just before the running instruction and can again, or nullptr.
  const FlagsProducer* producer() const {
    return producer_.id != 0 && producer_.index + 1 == em_.index ? &producer_ : nullptr;
  }

 private:
  void make_again(const cpu::Insn& maker);

  Emission& em_;
  GuestRegisters& regs_;
  int maker_ = -1;  // instruction that made them
  bool in_rax_ = true;
  bool in_host_ = false;
  FlagsProducer producer_;
};

/// Rax: the flags that the host has.
void emit_save_flags(CountingAssembler& a);

}  // namespace reprise::jit::x64
