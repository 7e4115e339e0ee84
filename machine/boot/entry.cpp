#include "machine/boot/entry.h"

#include "mmu/paging_bits.h"

namespace reprise::machine::boot {
namespace {

using cpu::Segment;

// Selectors: boot.rst wants CS 10h and DS 18h; PVH and Multiboot leave them open.
constexpr u16 kCodeSelector = 0x10;
constexpr u16 kDataSelector = 0x18;
constexpr u16 kTssSelector = 0x20;
constexpr u16 kGdtEntries = 5;
constexpr u32 kTssLimit = 0x67;

constexpr u16 kPresentCode = 0x9b;  // execute, read, accessed; S, P
constexpr u16 kPresentData = 0x93;  // read, write, accessed; S, P
constexpr u16 kBusyTss = 0x8b;

/// The descriptor of a base-0 segment. SDM 3A figure 3-8.
u64 descriptor(const Segment& segment) {
  const u64 limit = (segment.access & Segment::kGranularity) != 0 ? segment.limit >> 12 : segment.limit;
  return (limit & 0xffff) | u64{segment.access} << 40 | (limit >> 16 & 0xf) << 48;
}

/// PML4 and PDPT with four page directories of 2 MiB pages. SDM 3A 4.5.
void write_identity_map(const BootTarget& target) {
  constexpr u64 kTable = 0x3;  // present, writable
  constexpr u64 kPage = 0x83;  // and large
  constexpr u64 kLargePageBytes = 2 * kMiB;
  const u64 pdpt_phys = kPageTablesPhys + kPageBytes;
  const u64 directories_phys = pdpt_phys + kPageBytes;
  target.phys_map.write(kPageTablesPhys, Width::Qword, pdpt_phys | kTable);
  for (u64 gib = 0; gib < 4; ++gib) {
    const u64 directory_phys = directories_phys + gib * kPageBytes;
    target.phys_map.write(pdpt_phys + gib * 8, Width::Qword, directory_phys | kTable);
    for (u64 i = 0; i < 512; ++i) {
      target.phys_map.write(directory_phys + i * 8, Width::Qword, (gib * kGiB + i * kLargePageBytes) | kPage);
    }
  }
}

/// Default write-back, 3 to 4 GiB uncached. SDM 3A 11.11.2.
void set_memory_types(cpu::CpuState& state, unsigned physical_address_bits) {
  constexpr u64 kEnabledWriteBack = 1u << 11 | 6;
  const u64 phys_mask = (u64{1} << physical_address_bits) - 1;
  constexpr u64 kMaskValid = 1u << 11;
  state.mtrr_def_type = kEnabledWriteBack;
  state.mtrr_phys[0] = kLowRamLimitPhys;
  state.mtrr_phys[1] = (phys_mask & ~(kGiB - 1)) | kMaskValid;
}

}  // namespace

void enter_real_mode(u32 phys, unsigned physical_address_bits, cpu::CpuState& state) {
  Segment& code = state.seg[cpu::CS];
  code.selector = static_cast<u16>(phys >> 4);
  code.base = phys & ~u32{0xf};
  state.rip = phys & 0xf;
  set_memory_types(state, physical_address_bits);
}

void enter(const EntryState& entry, const BootTarget& target, cpu::CpuState& state) {
  const bool long64 = entry.mode == EntryMode::Long64;
  const u16 code_size = long64 ? Segment::kLong : Segment::kDb;
  const Segment code = {0, 0xffffffff, kCodeSelector,
                        static_cast<u16>(kPresentCode | code_size | Segment::kGranularity)};
  const Segment data = {0, 0xffffffff, kDataSelector,
                        static_cast<u16>(kPresentData | Segment::kDb | Segment::kGranularity)};
  const Segment tss = {0, kTssLimit, kTssSelector, kBusyTss};
  zero_phys(target, kGdtPhys, kGdtEntries * 8);
  for (const Segment& segment : {code, data, tss}) {
    target.phys_map.write(kGdtPhys + segment.selector, Width::Qword, descriptor(segment));
  }
  state.gdtr = {kGdtPhys, kGdtEntries * 8 - 1};
  state.idtr = {0, 0};
  state.seg[cpu::CS] = code;
  for (const cpu::SegmentIndex index : {cpu::ES, cpu::SS, cpu::DS, cpu::FS, cpu::GS}) state.seg[index] = data;
  state.tr = tss;

  state.cr0 = mmu::kCr0Pe | mmu::kCr0Et | mmu::kCr0Ne;
  if (long64) {
    write_identity_map(target);
    constexpr u64 kEferLmeLma = 1u << 8 | 1u << 10;
    state.cr0 |= mmu::kCr0Pg | mmu::kCr0Wp;
    state.cr3 = kPageTablesPhys;
    state.cr4 = mmu::kCr4Pae;
    state.efer = kEferLmeLma;
  }
  set_memory_types(state, target.physical_address_bits);
  state.cpl = 0;
  state.rflags = 2;
  state.rip = entry.rip;
  state.gpr[cpu::RAX] = entry.rax;
  state.gpr[cpu::RBX] = entry.rbx;
  state.gpr[cpu::RSI] = entry.rsi;
  state.gpr[cpu::RDX] = 0;
}

}  // namespace reprise::machine::boot
