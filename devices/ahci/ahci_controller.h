// An AHCI host bus adapter as a PCI card. Serial ATA AHCI 1.3.1, sections 2 and 3.1; identity and place of
// the registers as in Intel's ICH9 (316972-004, chapter 15). One message or INTA#. Missing: legacy IDE
// registers, command completion coalescing, enclosure management, staggered spin-up.
#pragma once

#include "devices/ahci/ahci_port.h"
#include "devices/pci/pci_device.h"
#include "devices/pci/pci_dma.h"

namespace reprise::devices::ahci {

/// As MmioHandler it takes kBytes of registers (ABAR, BAR 5). Dwords; other widths read parts of them and
/// write nothing, but for qwords, which are two.
class AhciController final : public PciFunction, public MmioHandler {
 public:
  static constexpr unsigned kPorts = 6;
  static constexpr u64 kBytes = 4096;
  static constexpr unsigned kBar = 5;

  // Register offsets. 3.1.
  static constexpr u64 kCap = 0x00, kGhc = 0x04, kIs = 0x08, kPi = 0x0c, kVs = 0x10, kPort0 = 0x100;

  /// Null: nothing on that port.
  using Units = std::array<std::unique_ptr<ata::Unit>, kPorts>;
  AhciController(Clock& clock, IrqLine interrupt, MsiSink& msi, DmaPort& memory, Units units);

  std::string_view name() const override { return "ahci"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  bool may_send_unmaskable() const override;

  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

 private:
  u32 read(u64 offset) const;
  void write(u64 offset, u32 value);
  void reset_adapter();
  void config_changed(ConfigChange change) override;
  /// The only place that computes IS, INTA# and messages from the ports.
  void update_irq();
  bool msi_enabled() const;
  u64 message_phys() const;
  u16 message_data() const;
  void send_message();

  const IrqLine interrupt_;
  MsiSink& msi_;
  PciDma dma_;
  u8 msi_capability_ = 0;
  std::array<std::unique_ptr<AhciPort>, kPorts> ports_;
  u32 ghc_ = 0;
  u32 is_ = 0;
  bool level_ = false;  // of INTA#
  bool restoring_ = false;
};

}  // namespace reprise::devices::ahci
