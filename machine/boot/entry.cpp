#include "machine/boot/entry.h"

#include "machine/boot/bios_area.h"
#include "mmu/paging_bits.h"

namespace reprise::machine::boot {
namespace {

using cpu::Segment;

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
void write_identity_map(mmu::PhysMap& phys_map) {
  constexpr u64 kTable = 0x3;  // present, writable
  constexpr u64 kPage = 0x83;  // and large
  constexpr u64 kLargePageBytes = 2 * kMiB;
  const u64 pdpt_phys = kPageTablesPhys + kPageBytes;
  const u64 directories_phys = pdpt_phys + kPageBytes;
  phys_map.write(kPageTablesPhys, Width::Qword, pdpt_phys | kTable);
  for (u64 gib = 0; gib < 4; ++gib) {
    const u64 directory_phys = directories_phys + gib * kPageBytes;
    phys_map.write(pdpt_phys + gib * 8, Width::Qword, directory_phys | kTable);
    for (u64 i = 0; i < 512; ++i) {
      phys_map.write(directory_phys + i * 8, Width::Qword, (gib * kGiB + i * kLargePageBytes) | kPage);
    }
  }
}

/// As SeaBIOS leaves them: write-back, but for the VGA window, the BIOS's area (write-protected) and PCI memory.
/// SDM 3A 11.11.2.
void set_memory_types(cpu::CpuState& state, const MemoryMap& memory, unsigned physical_address_bits) {
  constexpr u64 kWriteBack = 6;
  constexpr u64 kEnabled = 1u << 11;
  constexpr u64 kFixedEnabled = 1u << 10;
  constexpr u64 kMaskValid = 1u << 11;
  constexpr u64 kAllWriteBack = 0x0606'0606'0606'0606;
  constexpr u64 kAllUncached = 0;
  constexpr u64 kAllWriteProtected = 0x0505'0505'0505'0505;
  const u64 phys_mask = (u64{1} << physical_address_bits) - 1;
  const u64 pci_phys = memory.pci_window_phys();
  state.mtrr_def_type = kEnabled | kFixedEnabled | kWriteBack;
  state.mtrr_fixed[0] = kAllWriteBack;  // 0 to 7FFFFh
  state.mtrr_fixed[1] = kAllWriteBack;  // to 9FFFFh
  state.mtrr_fixed[2] = kAllUncached;   // to BFFFFh
  for (unsigned i = 3; i < std::size(state.mtrr_fixed); ++i) state.mtrr_fixed[i] = kAllWriteProtected;
  state.mtrr_phys[0] = pci_phys;
  state.mtrr_phys[1] = (phys_mask & ~(kAbove4GPhys - pci_phys - 1)) | kMaskValid;
}

}  // namespace

void enter_real_mode(u32 phys, const MemoryMap& memory, unsigned physical_address_bits,
                     cpu::CpuState& state) {
  Segment& code = state.seg[cpu::CS];
  code.selector = static_cast<u16>(phys >> 4);
  code.base = phys & ~u32{0xf};
  state.rip = phys & 0xf;
  set_memory_types(state, memory, physical_address_bits);
}

void enter(const EntryState& entry, mmu::PhysMap& phys_map, const MemoryMap& memory,
           unsigned physical_address_bits, cpu::CpuState& state) {
  const bool long64 = entry.mode == EntryMode::Long64;
  const u16 code_size = long64 ? Segment::kLong : Segment::kDb;
  const u16 code_selector = entry.code_selector;
  const auto data_selector = static_cast<u16>(code_selector + 8);
  const auto tss_selector = static_cast<u16>(code_selector + 16);
  const Segment code = {0, 0xffffffff, code_selector,
                        static_cast<u16>(kPresentCode | code_size | Segment::kGranularity)};
  const Segment data = {0, 0xffffffff, data_selector,
                        static_cast<u16>(kPresentData | Segment::kDb | Segment::kGranularity)};
  const Segment tss = {0, kTssLimit, tss_selector, kBusyTss};
  GuestMemory(phys_map).zero(kGdtPhys, tss_selector + 8u);
  for (const Segment& segment : {code, data, tss}) {
    phys_map.write(kGdtPhys + segment.selector, Width::Qword, descriptor(segment));
  }
  state.gdtr = {kGdtPhys, static_cast<u16>(tss_selector + 7)};
  state.idtr = {0, 0x3ff};  // as in real mode
  state.seg[cpu::CS] = code;
  for (const cpu::SegmentIndex index : {cpu::ES, cpu::SS, cpu::DS, cpu::FS, cpu::GS}) state.seg[index] = data;
  state.tr = tss;

  state.cr0 = mmu::kCr0Pe | mmu::kCr0Et | mmu::kCr0Ne;
  if (long64) {
    write_identity_map(phys_map);
    constexpr u64 kEferLmeLma = 1u << 8 | 1u << 10;
    state.cr0 |= mmu::kCr0Pg | mmu::kCr0Wp;
    state.cr3 = kPageTablesPhys;
    state.cr4 = mmu::kCr4Pae;
    state.efer = kEferLmeLma;
  }
  set_memory_types(state, memory, physical_address_bits);
  state.cpl = 0;
  state.rflags = 2;
  state.rip = entry.rip;
  state.gpr[cpu::RAX] = entry.rax;
  state.gpr[cpu::RBX] = entry.rbx;
  state.gpr[cpu::RSI] = entry.rsi;
  state.gpr[cpu::RDX] = 0;
}

}  // namespace reprise::machine::boot
