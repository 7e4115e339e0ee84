// The PC's guest-physical layout: where RAM lies, where devices lie, and what E820 says of it.
//
//     00000000  RAM, conventional memory (the top 1 KiB is the EBDA, reserved)
//     000a0000  VGA window
//     000c0000  RAM, reserved: option ROM space, ACPI tables from e0000
//     00100000  RAM up to the end of memory or 3 GiB
//     80000000  PCI memory window; from c0000000 on when RAM reaches beyond 2 GiB
//     fec00000  I/O APIC     fed00000  HPET     fee00000  local APICs
//   1_00000000  RAM beyond 3 GiB
//
// On a microvm RAM goes through from 0 on, and devices lie at fea00000 and feb00000.
//
// On a Q35, b0000000 is where firmware puts PCI configuration space (256 MiB), so RAM from there on is above 4 GiB, with all from 2 GiB
// on, and the PCI memory window begins at c0000000.
#pragma once

#include <vector>

#include "common/types.h"
#include "devices/pci/chipset.h"

namespace reprise::machine {

inline constexpr u64 kKiB = 1024;
inline constexpr u64 kMiB = 1024 * kKiB;
inline constexpr u64 kGiB = 1024 * kMiB;

inline constexpr u64 kEbdaPhys = 0x9fc00;
inline constexpr u64 kVgaWindowPhys = 0xa0000;
inline constexpr u64 kTextScreenPhys = 0xb8000;
inline constexpr u64 kUpperAreaPhys = 0xc0000;
inline constexpr u64 kAcpiTablesPhys = 0xe0000;
inline constexpr u64 kHighMemoryPhys = 0x100000;
inline constexpr u64 kLowRamLimitPhys = 3 * kGiB;
inline constexpr u32 kConfigWindowPhys = 0xb000'0000;  // of a Q35
inline constexpr u32 kConfigWindowBytes = 0x1000'0000;
// Of a microvm: QEMU, include/hw/i386/microvm.h.
inline constexpr u32 kGenericEventDevicePhys = 0xfea0'0000;
inline constexpr u32 kVirtioMmioPhys = 0xfeb0'0000;
inline constexpr u64 kIoApicPhys = 0xfec0'0000;
inline constexpr u64 kSecondIoApicPhys = 0xfec1'0000;  // of a microvm
inline constexpr u64 kHpetPhys = 0xfed0'0000;
inline constexpr u32 kGenerationIdPhys = 0xfed1'0000;
inline constexpr u64 kLapicPhys = 0xfee0'0000;
inline constexpr u64 kAbove4GPhys = 4 * kGiB;

inline constexpr u64 kMinRamBytes = 2 * kMiB;
inline constexpr u64 kMaxRamBytes = 512 * kGiB;

enum class E820Type : u32 { Ram = 1, Reserved = 2, AcpiData = 3, AcpiNvs = 4 };

struct E820Entry {
  u64 phys;
  u64 bytes;
  E820Type type;
};

/// A run of guest-physical addresses backed by RAM from `ram_offset` on.
struct RamRange {
  const char* name;
  u64 phys;
  u64 bytes;
  u64 ram_offset;
};

/// A pure function of the amount of RAM, and of whether firmware runs.
class MemoryMap {
 public:
  /// `ram_bytes` is a multiple of 4 KiB within [kMinRamBytes, kMaxRamBytes].
  explicit MemoryMap(u64 ram_bytes, devices::Chipset chipset = devices::Chipset::I440fx)
      : ram_bytes_(ram_bytes), chipset_(chipset) {}
  /// As it is for a kernel that is started by SeaBIOS, which keeps at most the last MiB below 4 GiB for its tables.
  MemoryMap behind_firmware() const {
    MemoryMap map(*this);
    map.firmware_bytes_ = kMiB;
    return map;
  }

  u64 ram_bytes() const { return ram_bytes_; }
  /// End of the RAM below 4 GiB.
  u64 low_ram_end_phys() const {
    if (chipset_ == devices::Chipset::Q35) return ram_bytes_ < kConfigWindowPhys ? ram_bytes_ : 2 * kGiB;
    return ram_bytes_ < kLowRamLimitPhys ? ram_bytes_ : kLowRamLimitPhys;
  }
  /// End of what a kernel may use of it.
  u64 usable_end_phys() const { return low_ram_end_phys() - firmware_bytes_; }
  /// Where the PCI memory window begins, which ends below the I/O APIC. Firmware decides by the same rule.
  u32 pci_window_phys() const {
    if (chipset_ == devices::Chipset::Q35) return kConfigWindowPhys + kConfigWindowBytes;
    return low_ram_end_phys() <= 2 * kGiB ? 0x8000'0000 : 0xc000'0000;
  }
  devices::Chipset chipset() const { return chipset_; }
  /// End of the RAM above 4 GiB; 4 GiB when there is none.
  u64 high_ram_end_phys() const { return kAbove4GPhys + (ram_bytes_ - low_ram_end_phys()); }

  std::vector<RamRange> ram_ranges() const;
  std::vector<E820Entry> e820() const;

 private:
  u64 ram_bytes_;
  devices::Chipset chipset_;
  u64 firmware_bytes_ = 0;
};

}  // namespace reprise::machine
