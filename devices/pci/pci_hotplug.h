// PciHotplug: the registers by which ACPI's methods learn of cards that come and go on bus 0, and let go of them: as QEMU's PIIX4 has
// them. QEMU, docs/specs/acpi_pci_hotplug.
//
//     00h  slots whose card came since this was read last, a bit each
//     04h  slots whose card is to be let go of
//     08h  written: the card in the slots of these bits is let go of
//     0Ch  slots that cards can be taken out of
//     10h  number of the bus; 0 is the only one
#pragma once

#include <functional>

#include "devices/device.h"

namespace reprise::devices {

class PciHotplug final : public Device, public PioHandler {
 public:
  static constexpr u32 kPorts = 0x18;
  static constexpr unsigned kSlots = 32;

  /// `event`: the guest is to look at the registers. `ejected`: it has let go of the card in that slot. `removable`: of slots.
  PciHotplug(u32 removable, std::function<void()> event, std::function<void(unsigned slot)> ejected)
      : removable_(removable), event_(std::move(event)), ejected_(std::move(ejected)) {}

  void card_came(unsigned slot);
  void ask_to_eject(unsigned slot);

  std::string_view name() const override { return "pci_hotplug"; }
  /// What was asked for is done, as nobody else will do it.
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;

 private:
  void eject(u32 slots);

  const u32 removable_;
  std::function<void()> event_;
  std::function<void(unsigned slot)> ejected_;
  u32 up_ = 0;
  u32 down_ = 0;
  u32 bus_ = 0;
};

}  // namespace reprise::devices
