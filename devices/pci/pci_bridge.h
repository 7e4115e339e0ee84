// PciBridge: a PCI-to-PCI bridge, by its type 1 configuration space: bus numbers, windows through which accesses go down, and the command
// register's bits for both ways. PCI-to-PCI Bridge Architecture Specification 1.2, chapter 3.2. I/O addresses have 16 bits, prefetchable
// ones 64.
// Missing: forwarding of ISA's and VGA's places, error reporting.
#pragma once

#include "devices/pci/pci_bus.h"

namespace reprise::devices {

namespace pci {
inline constexpr u8 kPrimaryBus = 0x18;
inline constexpr u8 kSecondaryBus = 0x19;
inline constexpr u8 kSubordinateBus = 0x1a;
inline constexpr u8 kIoBase = 0x1c;
inline constexpr u8 kIoLimit = 0x1d;
inline constexpr u8 kSecondaryStatus = 0x1e;
inline constexpr u8 kMemoryBase = 0x20;
inline constexpr u8 kMemoryLimit = 0x22;
inline constexpr u8 kPrefetchBase = 0x24;
inline constexpr u8 kPrefetchLimit = 0x26;
inline constexpr u8 kPrefetchBaseUpper = 0x28;
inline constexpr u8 kPrefetchLimitUpper = 0x2c;
inline constexpr u8 kBridgeControl = 0x3e;
inline constexpr u16 kBridgeReset = 1u << 6;
}  // namespace pci

class PciBridge : public PciFunction {
 public:
  PciBus& secondary() { return secondary_; }
  const PciBus& secondary() const { return secondary_; }
  PciBridge* as_bridge() final { return this; }

  unsigned secondary_number() const { return byte(pci::kSecondaryBus); }
  /// Is bus `bus` behind it?
  bool leads_to(unsigned bus) const;
  /// Does it pass accesses of [base, base + bytes) down?
  bool forwards(PciBar::Space space, u64 base, u64 bytes) const;
  /// What is behind it is there, and not held in reset.
  bool is_open() const { return link_is_up() && !(word(pci::kBridgeControl) & pci::kBridgeReset); }

  ConfigChange config_write(u8 offset, Width width, u32 value) override;

 protected:
  explicit PciBridge(PciIdentity identity);

  virtual bool link_is_up() const { return true; }
  void reset_secondary(ResetKind kind);
  /// Tells functions behind it that their way up may be another one.
  void tell_secondary();

 private:
  void upstream_changed() override;

  PciBus secondary_{this};
};

}  // namespace reprise::devices
