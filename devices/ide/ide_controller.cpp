#include "devices/ide/ide_controller.h"

namespace reprise::devices::ide {
namespace {

constexpr u32 kClassIde = 0x010180;  // compatibility ports only, bus master
constexpr u16 kChannelEnabled = 0x8000;

}  // namespace

IdeController::IdeController(Clock& clock, std::array<IrqLine, kChannels> irqs, DmaPort& dma, Units units)
    : PciFunction({.vendor = 0x8086, .device = 0x7010, .class_code = kClassIde}),
      channels_{IdeChannel("ide primary", clock, irqs[0], dma, [this] { return bus_master(); },
                           {std::move(units[0]), std::move(units[1])}),
                IdeChannel("ide secondary", clock, irqs[1], dma, [this] { return bus_master(); },
                           {std::move(units[2]), std::move(units[3])})} {
  constexpr u32 kBusMasterPorts = kChannels * BusMaster::kPorts;
  define_io_bar(4, kBusMasterPorts, bus_master_ports_, Width::Byte);
  define16(pci::kCommand, pci::kCommandIo, pci::kCommandIo | pci::kCommandBusMaster);
  define16(pci::kStatus, 0x0280);
  define8(pci::kInterruptLine, 0);
  for (unsigned i = 0; i < kChannels; ++i) define16(kIdeTiming + 2 * i, kChannelEnabled, 0xffff);
  define8(0x44, 0, 0xff);  // SIDETIM
  apply_reset_values();
}

bool IdeController::decodes(unsigned channel) const {
  return (word(pci::kCommand) & pci::kCommandIo) && (word(kIdeTiming + 2 * channel) & kChannelEnabled);
}

void IdeController::reset(ResetKind kind) {
  PciFunction::reset(kind);
  for (IdeChannel& channel : channels_) channel.reset();
}

void IdeController::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  for (IdeChannel& channel : channels_) channel.serialize(archive);
}

std::string IdeController::debug_dump() const {
  return "primary " + channels_[0].debug_dump() + "secondary " + channels_[1].debug_dump();
}

u32 IdeController::BusMasterPorts::pio_read(u16 offset, Width) {
  return controller_.channels_[offset / BusMaster::kPorts % kChannels].bus_master_read(offset %
                                                                                       BusMaster::kPorts);
}

void IdeController::BusMasterPorts::pio_write(u16 offset, Width, u32 value) {
  controller_.channels_[offset / BusMaster::kPorts % kChannels].bus_master_write(offset % BusMaster::kPorts,
                                                                                 static_cast<u8>(value));
}

}  // namespace reprise::devices::ide
