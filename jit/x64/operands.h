// Operands: memory operands of the guest's instructions as host operands, with the probes that make them so:
// one for each access, or one for a group of them (jit/plan/plan.h).
#pragma once

#include <utility>

#include "jit/plan/insn_forms.h"
#include "jit/x64/emission_parts.h"

namespace reprise::jit::x64 {

/// Accesses that share the probe of a group. While one is open, the group register holds the host address of
/// the group's first byte or, where the base is pinned, the distance from guest addresses to host addresses.
class ProbeGroups : EmissionParts {
 public:
  explicit ProbeGroups(const EmissionParts& parts) : EmissionParts(parts) {}

  /// Probes for all of the group of the running instruction's access, unless that is done already. False: it
  /// has no group, or too little is left of it.
  bool open(const PlannedInsn& planned);
  /// The host operand of the access, whose group is open.
  Mem operand(const PlannedInsn& planned, unsigned bytes) const;
  /// Whether the access of the running instruction is in the one that is open.
  bool is_open(const PlannedInsn& planned) const { return open_ >= 0 && open_ == planned.group; }
  /// The stack pointer, the base of the open group, is moved later by so much more: its members know.
  void owe_stack_step(i32 bytes) { owed_ += bytes; }
  /// All that is owed, which the caller does now.
  i32 settle_stack_step() { return std::exchange(owed_, 0); }
  /// The group register is lost.
  void close() { open_ = -1; }
  /// No group is opened any more.
  void switch_off() { off_ = true, close(); }
  /// Of the open group; the running instruction when there is none.
  unsigned last_insn() const;
  /// At the end of the running instruction.
  void end_insn();

 private:
  const ProbeGroup& group_of(int number) const { return em_.unit.plan.groups[static_cast<unsigned>(number)]; }
  bool by_distance(const ProbeGroup& group) const;
  void check_alignment(const ProbeGroup& group);

  bool off_ = false;
  int open_ = -1;
  i32 owed_ = 0;
};

class Operands : EmissionParts {
 public:
  Operands(const EmissionParts& parts, ProbeGroups& groups) : EmissionParts(parts), groups_(groups) {}

  /// The host operand of `bytes` at guest address `at`, truncated to `address_bytes` (2, 4 or 8) before the
  /// base of `seg` is added. Takes both scratch registers; a miss, or an address that is no multiple of
  /// `alignment`, goes to the slow path.
  Mem probe(const Mem& at, unsigned address_bytes, u8 seg, mmu::Access access, unsigned bytes,
            unsigned alignment = 1, Extent extent = Extent::Operand);
  /// That of the explicit memory operand, which is plain_memory(): by the probe of its group where it has
  /// one. The host operand may name the base register, which must still hold what it did.
  Mem probe(const cpu::Insn& in, mmu::Access access, unsigned bytes, unsigned alignment = 1);
  /// That of the `bytes` at `disp` from guest register `gpr`, the implicit operand of a stack instruction.
  Mem probe_stack(unsigned gpr, i32 disp, mmu::Access access, unsigned bytes);
  /// The same host operand without scratch 0, which is free then.
  Mem one_register(const Mem& m);

 private:
  /// The probe proper: scratch 0 becomes the offset in the page, scratch 1 that of the TLB entry.
  void probe_address(const Mem& at, unsigned address_bytes, u8 seg, mmu::Access access, unsigned bytes,
                     unsigned alignment, Extent extent);
  void check_alignment(unsigned alignment);

  ProbeGroups& groups_;
};

}  // namespace reprise::jit::x64
