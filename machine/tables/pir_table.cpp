#include "machine/tables/pir_table.h"

#include "devices/pci/pirq_router.h"
#include "machine/layout/pc_layout.h"
#include "machine/tables/table_bytes.h"

namespace reprise::machine {
namespace {

constexpr unsigned kDevices = 32;
constexpr unsigned kPins = 4;
constexpr u32 kHeaderBytes = 32;
constexpr u32 kSlotBytes = 16;
constexpr u32 kChecksumOffset = 31;

constexpr u32 kRouterLikePiix = 0x122e'8086;  // what PIIX, PIIX3 and PIIX4 are compatible with
constexpr u32 kRouterIch9 = 0x2918'8086;
/// Lines that the router's registers take: all but 0, 1, 2, 8 and 13. 82371SB datasheet 2.2.9.
constexpr u16 kRoutableLines = 0xdef8;

/// A link is the router's register for it.
u8 link_of(devices::Chipset chipset, unsigned device, unsigned pin) {
  return static_cast<u8>(devices::PirqRouter::kPirqRoute + devices::pirq_of(device, pin + 1, chipset));
}

/// Slots have numbers; what is soldered has 0.
u8 slot_of(devices::Chipset chipset, unsigned device) {
  return static_cast<u8>(device < pci_first_card_device(chipset) ? 0 : device);
}

}  // namespace

std::vector<u8> build_pir_table(devices::Chipset chipset) {
  const bool ich9 = chipset == devices::Chipset::Q35;
  // The host bridge has no pins.
  constexpr unsigned kFirst = kPciDeviceSouthBridge;
  TableBytes table;
  table.text("$PIR").le(0x0100, 2).le(kHeaderBytes + (kDevices - kFirst) * kSlotBytes, 2);
  table.u8s({0, static_cast<u8>((ich9 ? kPciDeviceIch9 : kPciDeviceSouthBridge) << 3)});
  table.le(0, 2).le(ich9 ? kRouterIch9 : kRouterLikePiix, 4);  // no lines for PCI alone
  table.le(0, 4).zeros(11 + 1);
  for (unsigned device = kFirst; device < kDevices; ++device) {
    table.u8s({0, static_cast<u8>(device << 3)});
    for (unsigned pin = 0; pin < kPins; ++pin)
      table.u8s({link_of(chipset, device, pin)}).le(kRoutableLines, 2);
    table.u8s({slot_of(chipset, device), 0});
  }
  std::vector<u8> bytes = table.take();
  make_sum_zero(bytes, kChecksumOffset);
  return bytes;
}

}  // namespace reprise::machine
