// The ACPI tables of the PC: RSDP, RSDT, XSDT, FADT, FACS, MADT, HPET, MCFG where configuration space lies in memory, and DSDT. ACPI
// specification 6.4, chapter 5; PCI Firmware Specification 3.0, 4.1.2. Missing: SRAT and SLIT (one node); sleep states other than S3
// and S5.
#pragma once

#include <optional>
#include <vector>

#include "common/types.h"
#include "devices/pci/host_bridge.h"
#include "machine/layout/pc_layout.h"

namespace reprise::machine {

/// Of a machine with hardware-reduced ACPI (ACPI 6.4, 3.11.1): what there is, by QEMU's microvm.
struct ReducedHardware {
  bool pic = true;
  bool rtc = true;
  bool com1 = true;
  bool second_io_apic = false;
  struct VirtioPlace {
    unsigned place;
    unsigned interrupt;  // as the I/O APICs count
  };
  std::vector<VirtioPlace> virtio = {};
};

struct AcpiConfig {
  /// Local APIC id of each processor that runs.
  std::vector<u8> apic_ids;
  devices::Chipset chipset = devices::Chipset::I440fx;
  /// Where the PM block's ports are.
  u16 pm_base = kPmBasePort;
  /// Bits 31:0 of the HPET's general capabilities and id register; 0: there is none.
  u32 hpet_block_id = 0;
  /// There is a VGA, so guests may look for one.
  bool vga = false;
  /// There is a floppy controller.
  bool floppy = false;
  /// There is a mouse at the keyboard controller.
  bool ps2_mouse = false;
  /// Cards come and go while the guest runs.
  bool pci_hotplug = false;
  /// Where PCI memory begins: as high as firmware may use it, but above RAM.
  u32 pci_window_phys = 0;
  /// Where configuration space lies in memory, of bus 0 on; nothing: nowhere.
  std::optional<devices::HostBridge::Window> config_window = {};
  /// Of such a machine, of which the rest but `apic_ids` says nothing.
  std::optional<ReducedHardware> reduced = {};
};

/// The tables before anybody has decided where they go.
struct AcpiImage {
  enum class Part : u8 { Rsdp, Tables };
  /// A little-endian field that holds an offset into `tables`; where the tables lie must be added.
  struct Pointer {
    Part part;
    u32 offset;
    u8 bytes;
  };
  /// The byte at `offset` makes [first, first + bytes) sum to zero. To be done after the pointers, in this
  /// order.
  struct Checksum {
    Part part;
    u32 offset;
    u32 first;
    u32 bytes;
  };
  static constexpr u32 kTablesAlignment = 64;  // what the FACS needs
  static constexpr u32 kRsdpAlignment = 16;

  std::vector<u8> rsdp;
  std::vector<u8> tables;
  std::optional<u32> facs_offset = {};  // in `tables`; nothing: there is none
  std::vector<Pointer> pointers;
  std::vector<Checksum> checksums;
};
AcpiImage build_acpi_image(const AcpiConfig& config);

/// One block of bytes for guest-physical address `phys`, with the RSDP at its start.
/// ACPI 5.2.5.3
inline constexpr u32 kRsdpBytes = 36;

struct AcpiTables {
  u64 phys = 0;
  std::vector<u8> bytes;
  std::optional<u64> facs_phys = {};
  u64 rsdp_phys() const { return phys; }
  std::vector<u8> rsdp() const { return {bytes.begin(), bytes.begin() + kRsdpBytes}; }
};

/// `phys` is 64-byte aligned, in the area that guests search for the RSDP (E0000h to FFFFFh).
AcpiTables place_acpi_tables(AcpiImage image, u64 phys);

/// The DSDT's AML, without its header. machine/tables/acpi_dsdt.cpp.
std::vector<u8> dsdt_aml(const AcpiConfig& config);
/// The same, and the FADT's body, with hardware-reduced ACPI. machine/tables/acpi_reduced.cpp.
std::vector<u8> reduced_dsdt_aml(const ReducedHardware& hardware);
std::vector<u8> reduced_fadt(u32 dsdt_offset);

}  // namespace reprise::machine
