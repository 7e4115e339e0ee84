// PIIX3 function 1: the IDE interface with its two channels. Intel 82371SB datasheet (290550-002)
// sections 2.3 and 2.7. The machine maps the compatibility ports while decodes() says so and the bus master
// registers behind BAR 4. Timing registers hold what is written; a disk's speed does not depend on them.
#pragma once

#include "devices/ide/ide_channel.h"
#include "devices/pci/pci_device.h"

namespace reprise::devices::ide {

class IdeController final : public PciFunction {
 public:
  static constexpr u8 kIdeTiming = 0x40;  // IDETIM, two bytes a channel
  static constexpr unsigned kChannels = 2;
  static constexpr u16 kCommandPort[kChannels] = {0x1f0, 0x170};
  static constexpr u16 kControlPort[kChannels] = {0x3f6, 0x376};

  /// Primary master, primary slave, secondary master, secondary slave; null: nothing there.
  using Units = std::array<std::unique_ptr<ata::Unit>, 4>;

  /// `irqs`: ISA lines 14 and 15. The channels answer from reset on, as firmware would leave them.
  IdeController(Clock& clock, std::array<IrqLine, kChannels> irqs, DmaPort& dma, Units units);

  std::string_view name() const override { return "ide"; }
  IdeChannel& channel(unsigned index) { return channels_.at(index); }
  /// The channel's compatibility ports answer: I/O is enabled, and so is the channel (IDETIM bit 15).
  bool decodes(unsigned channel) const;

  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  class BusMasterPorts final : public PioHandler {
   public:
    explicit BusMasterPorts(IdeController& controller) : controller_(controller) {}
    u32 pio_read(u16 offset, Width width) override;
    void pio_write(u16 offset, Width width, u32 value) override;

   private:
    IdeController& controller_;
  };

  BusMasterPorts bus_master_ports_{*this};
  std::array<IdeChannel, kChannels> channels_;
};

}  // namespace reprise::devices::ide
