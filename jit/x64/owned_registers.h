// OwnedRegisters: the guest's vector and x87 registers in the host's. Code that needs them checks at a
// block's head, and behind every call of a handler, that they are owned (Frame::owned_*), and acquires them
// out of line when they are not. The stubs do that: vector_state.h.
#pragma once

#include <vector>

#include "jit/x64/guest_registers.h"

namespace reprise::jit::x64 {

/// Host registers besides the general ones that an instruction needs for the guest's.
enum class HostRegisters : u8 { General, Xmm, Ymm, X87 };

/// Ways out before an instruction that must be interpreted.
class Refusals {
 public:
  Refusals(Emission& emission, GuestRegisters& registers) : em_(emission), regs_(registers) {}

  /// Leaves before instruction `next` of the block.
  Label before(u32 next);
  void finish();

 private:
  struct Pending {
    Label entry;
    u32 next;
  };
  Emission& em_;
  GuestRegisters& regs_;
  std::vector<Pending> pending_;
};

class OwnedRegisters {
 public:
  OwnedRegisters(Emission& emission, GuestRegisters& registers, Refusals& refusals)
      : em_(emission), regs_(registers), refusals_(refusals) {}

  // Before anything is emitted, in order of instructions.
  /// Instruction `index` of the block needs `registers`.
  void needs(u32 index, HostRegisters registers);
  /// Instruction `index` of the block leaves its address in the guest's FIP.
  void sets_fip(u32 index) { fip_until_ = index + 1; }

  /// Whether any instruction needs any.
  bool needed() const { return vectors_until_ != 0 || x87_until_ != 0; }

  /// The registers that the instructions from `next` on need are the guest's from here on. Status flags are
  /// in rax.
  void check(u32 next);
  /// The same where they are known not to be, out of line.
  void acquire(u32 next);
  void finish();

  // --- The x87's instruction pointer ---
  /// The guest's FIP is the address of `in`, which was just emitted. Stored where it may be seen.
  void fip_is(const cpu::Insn& in);
  /// Whose address FIP is, not yet stored; or nullptr.
  const cpu::Insn* pending_fip() const { return fip_; }
  void set_pending_fip(const cpu::Insn* in) { fip_ = in; }
  /// Takes scratch 0.
  void store_fip(const cpu::Insn& in);
  void store_pending_fip();

 private:
  struct Acquire {
    Label entry, back;
    const u8* stub;
    u32 next;
  };

  const u8* vector_stub() const {
    return wide_ ? em_.context.stubs.acquire_ymm : em_.context.stubs.acquire_xmm;
  }
  void refuse_on_carry(u32 next);
  const Acquire& out_of_line(const u8* stub, u32 next);

  Emission& em_;
  GuestRegisters& regs_;
  Refusals& refusals_;
  std::vector<Acquire> acquires_;
  // Instructions before these need the registers.
  u32 vectors_until_ = 0;
  u32 x87_until_ = 0;
  bool wide_ = false;
  u32 fip_until_ = 0;
  const cpu::Insn* fip_ = nullptr;
};

}  // namespace reprise::jit::x64
