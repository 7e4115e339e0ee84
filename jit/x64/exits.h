// Exits: ends of blocks: jumps within the page, which are linked; jumps elsewhere, which are looked up; the
// way back to the engine.
#pragma once

#include <vector>

#include "jit/host/region.h"
#include "jit/x64/emission_parts.h"

namespace reprise::jit::x64 {

class Exits : EmissionParts {
 public:
  explicit Exits(const EmissionParts& parts) : EmissionParts(parts), a_(em_.a) {}

  /// Charges the budget; leaves before the block when it does not last for all of it.
  void begin();
  /// Whether the block's code already goes somewhere in every case.
  bool ended() const { return ended_; }

  /// To the instruction at `offset` from the page's beginning, which follows, or which a jump in the page
  /// leads to.
  void go_to(u64 offset);
  /// The running instruction jumps to `offset` from the page's beginning. Beyond the limit of CS: slow path.
  void jump_to(u64 offset);
  /// Rip for that, in scratch 0; beyond the limit of CS: slow path. In segmented code only.
  void load_jump_target(u64 offset);
  /// The flags that the host has or rax has decide: a jump to `taken`, or on to the instruction at `next`.
  void branch_on_flags(x86::CondCode condition, u64 taken, u64 next);
  /// The same in the middle of the unit, which goes on behind it.
  void leave_on_flags(x86::CondCode condition, u64 taken);
  /// To the one at `taken` when the host's flags say so, else to that at `next`. The guest's are in rax.
  void branch(x86::CondCode condition, u64 taken, u64 next);
  /// Finds the code for the rip in scratch 0: scratch 1 is its address, the group register the base of its
  /// page, scratch 0 the offset in that page. Or goes the slow path.
  void look_up() { look_up(slow_paths_.slow()); }
  /// The same, in code that is not segmented, but that the group register is left alone.
  void look_up_beside_group();
  /// To what look_up() found. Before that, scratch 0 and 1 and the group register must be kept.
  void go_to_found();
  /// The same in code that is not segmented, where `code` is its address.
  void go_to_found_in(const asmjit::Operand& code);
  /// Look_up() that leaves the block when it fails, and go_to_found(). The instruction is complete.
  void go_to_scratch();
  /// To the next instruction at `offset`, from where on code has the rights of `view`. In 64-bit mode.
  void go_to_view(mmu::View view, u64 offset);
  /// Scratch 0 not canonical, or beyond the limit of CS: slow path. Takes scratch 1.
  void check_target();

  /// Exit stubs.
  void finish();
  /// When the block's code has its place.
  void place_exits(HostCode& code) const;

 private:
  struct PendingExit {
    u64 jump_end;  // offset in the code
    Label stub;
    u16 page_offset;
    u64 stub_begin;          // offset in the cold code
    u32 charge;              // ExitJump::charge
    FlagsProducer producer;  // when there is a charge
    bool in_cold;            // the jump, too
  };
  /// A way out in the middle.
  struct SideExit {
    unsigned index;  // of the conditional jump
    u64 taken;
    Label flags_in_host, flags_in_rax;  // entries; invalid: nobody comes so
  };

  enum class PageOfTarget : u8 { InGroupRegister, Unknown };
  void look_up(const Label& miss, PageOfTarget page = PageOfTarget::InGroupRegister);
  u32 charge_without_flags(u64 offset) const;
  void go_to_charged(u64 offset, u32 charge);
  void edge_to(u64 offset, const Label& stub);
  void finish(const SideExit& exit);

  CountingAssembler& a_;
  Label out_of_budget_;
  Label jump_miss_;
  bool ended_ = false;
  std::vector<PendingExit> exits_;
  std::vector<SideExit> side_exits_;
};

}  // namespace reprise::jit::x64
