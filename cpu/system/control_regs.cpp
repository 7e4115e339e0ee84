#include "cpu/system/control_regs.h"

#include "cpu/core/operands.h"
#include "cpu/system/debug_regs.h"
#include "cpu/system/special_mov.h"

namespace reprise::cpu {
namespace {

using namespace reprise::mmu;

bool gp0(Cpu& cpu) {
  cpu.raise(kGP, 0);
  return false;
}

}  // namespace

bool pae_paging(u64 cr0, u64 cr4, u64 efer) {
  return (cr0 & kCr0Pg) && (cr4 & kCr4Pae) && !(efer & kEferLme);
}

/// SDM 3A 4.4.1: the four PDPTEs are read when CR3 is loaded, and when CR0 or CR4 change how they are read.
bool load_pdptes(Cpu& cpu, u64 cr3) {
  const u64 max_phys = (u64{1} << cpu.profile.physical_address_bits) - 1;
  constexpr u64 kReservedLow = 0x1e6;  // bits 1, 2, 5-8
  u64 pdptes[4];
  for (unsigned i = 0; i < 4; ++i) {
    pdptes[i] = cpu.mmu.read_phys((cr3 & 0xffffffe0) + 8 * i, Width::Qword);
    if ((pdptes[i] & kPteP) && (pdptes[i] & (kReservedLow | ~max_phys)) != 0) return gp0(cpu);
  }
  cpu.mmu.set_pdptes(pdptes);
  return true;
}

bool write_cr0(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state;
  if ((value >> 32) != 0) return gp0(cpu);
  value = (value & kCr0Defined) | kCr0Et;
  if ((value & kCr0Pg) && !(value & kCr0Pe)) return gp0(cpu);
  if ((value & kCr0Nw) && !(value & kCr0Cd)) return gp0(cpu);

  const u64 changed = value ^ state.cr0;
  u64 efer = state.efer;
  const bool long_code = (state.seg[CS].access & Segment::kLong) != 0;
  if (changed & value & kCr0Pg) {
    if (efer & kEferLme) {
      // SDM 3A 9.8.5: entering IA-32e mode needs PAE and a CS that is not 64-bit.
      if (!(state.cr4 & kCr4Pae) || long_code) return gp0(cpu);
      if (state.tr.usable() && (state.tr.type() & 8) == 0) return gp0(cpu);  // a 16-bit TSS
      efer |= kEferLma;
    }
  } else if (changed & kCr0Pg) {
    if ((state.cr4 & kCr4Pcide) || ((efer & kEferLma) && long_code)) return gp0(cpu);
    efer &= ~kEferLma;
  }
  if (pae_paging(value, state.cr4, efer) && (changed & (kCr0Pg | kCr0Cd | kCr0Nw)) &&
      !load_pdptes(cpu, state.cr3))
    return false;
  if ((changed & kCr0Pe) && !(value & kCr0Pe)) state.cpl = 0;

  state.cr0 = value;
  state.efer = efer;
  if (changed & (kCr0Pg | kCr0Pe | kCr0Wp)) cpu.mmu.set_paging(state.cr0, state.cr4, state.efer);
  return true;
}

bool write_cr3(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state;
  const bool long_mode = (state.efer & kEferLma) != 0;
  if (long_mode) {
    const u64 no_flush = (state.cr4 & kCr4Pcide) ? kCr3NoFlush : 0;
    const u64 max_phys = (u64{1} << cpu.profile.physical_address_bits) - 1;
    if ((value & ~no_flush & ~max_phys) != 0) return gp0(cpu);
  } else if (pae_paging(state.cr0, state.cr4, state.efer) && !load_pdptes(cpu, value)) {
    return false;
  }
  state.cr3 = value & ~kCr3NoFlush;
  cpu.mmu.set_cr3(value);
  return true;
}

bool write_cr4(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state;
  if ((value & ~allowed_cr4(cpu.profile)) != 0) return gp0(cpu);
  const u64 changed = value ^ state.cr4;
  const bool long_mode = (state.efer & kEferLma) != 0;
  if (long_mode && !(value & kCr4Pae)) return gp0(cpu);
  if (long_mode && (changed & kCr4La57)) return gp0(cpu);
  if ((changed & value & kCr4Pcide) && (!long_mode || (state.cr3 & kCr3PcidMask) != 0)) return gp0(cpu);
  constexpr u64 kReloads = kCr4Pge | kCr4Pse | kCr4Pae | kCr4Smep;
  if (pae_paging(state.cr0, value, state.efer) && (changed & kReloads) && !load_pdptes(cpu, state.cr3))
    return false;

  state.cr4 = value;
  constexpr u64 kPaging = kCr4Pse | kCr4Pae | kCr4Pge | kCr4La57 | kCr4Pcide | kCr4Smep | kCr4Smap | kCr4Pke;
  if (changed & kPaging) cpu.mmu.set_paging(state.cr0, state.cr4, state.efer);
  return true;
}

bool write_efer(Cpu& cpu, u64 value) {
  CpuState& state = cpu.state;
  if ((value & ~allowed_efer(cpu.profile)) != 0) return gp0(cpu);
  if ((value & kEferNxe) && (state.misc_enable & kMiscEnableXdDisable)) return gp0(cpu);
  if ((state.cr0 & kCr0Pg) && ((value ^ state.efer) & kEferLme)) return gp0(cpu);
  const u64 changed = value ^ state.efer;
  state.efer = (value & ~kEferLma) | (state.efer & kEferLma);
  if (changed & kEferNxe) cpu.mmu.set_paging(state.cr0, state.cr4, state.efer);
  return true;
}

bool write_xcr0(Cpu& cpu, u64 value) {
  if ((value & ~allowed_xcr0(cpu.profile)) != 0 || !(value & 1)) return gp0(cpu);
  if ((value & 4) && !(value & 2)) return gp0(cpu);
  cpu.state.xcr0 = value;
  return true;
}

// --- MOV CR ---

namespace {

Status mov_from_control(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  if (state.cpl != 0) return cpu.raise(kGP, 0);
  u64 value = 0;
  switch (in.reg[1]) {
    case 0: value = state.cr0; break;
    case 2: value = state.cr2; break;
    case 3: value = state.cr3; break;
    case 4: value = state.cr4; break;
    default: value = cpu.interrupts.cr8(); break;
  }
  set_gpr<u64>(state, in.reg[0], in.has(Insn::kCode64) ? value : static_cast<u32>(value));
  return Status::Next;
}

Status mov_to_control(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  if (state.cpl != 0) return cpu.raise(kGP, 0);
  u64 value = gpr<u64>(state, in.reg[1]);
  if (!in.has(Insn::kCode64)) value = static_cast<u32>(value);
  bool done = true;
  switch (in.reg[0]) {
    case 0: done = write_cr0(cpu, value); break;
    case 2: state.cr2 = value; break;
    case 3: done = write_cr3(cpu, value); break;
    case 4: done = write_cr4(cpu, value); break;
    default:
      if (value > 15) return cpu.raise(kGP, 0);
      cpu.interrupts.set_cr8(static_cast<u8>(value));
      break;
  }
  return done ? Status::Stop : Status::Fault;
}

}  // namespace

Handler select_mov_control(const Insn& in) {
  const bool to_control = in.reg_class[0] == RegClass::Control;
  switch (in.reg[to_control ? 0 : 1]) {
    case 0:
    case 2:
    case 3:
    case 4:
    case 8: return to_control ? mov_to_control : mov_from_control;
    default: return nullptr;
  }
}

}  // namespace reprise::cpu
