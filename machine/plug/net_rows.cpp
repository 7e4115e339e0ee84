// The rows of network cards. What network they are on says --net.
#include "devices/net/e1000/e1000.h"
#include "devices/virtio/virtio_net.h"
#include "machine/plug/card_rows.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine {
namespace {

constexpr PropertySpec kMac = {.name = "mac",
                               .type = PropertyType::Mac,
                               .values = "six bytes",
                               .by_default = {},
                               .help = "its address",
                               .otherwise = "52:54:00:12:34:56, the next card's one more"};

constexpr PropertySpec rom_file(std::string_view by_default) {
  return {.name = kRomFileProperty,
          .type = PropertyType::FileOrNone,
          .values = "a file's name, or nothing",
          .by_default = by_default,
          .help = "option ROM, by which firmware boots from the network"};
}

constexpr PropertySpec kVirtioNet[] = {kMac, rom_file("efi-virtio.rom")};
constexpr PropertySpec kE1000[] = {kMac, rom_file("efi-e1000.rom")};

devices::MacAddress mac_of(const DeviceSite& site) {
  if (const auto given = parse_mac(site.text("mac"))) return *given;
  // As QEMU numbers its cards.
  constexpr u8 kFirst = 0x56;
  return {0x52, 0x54, 0x00, 0x12, 0x34, static_cast<u8>(kFirst + site.board.net_cards.size())};
}

std::unique_ptr<devices::VirtioDevice> make_virtio_net(const DeviceSite& site) {
  auto card = std::make_unique<devices::VirtioNet>(site.board.network, mac_of(site), site.board.clock);
  site.board.net_cards.push_back(card.get());
  return card;
}

std::unique_ptr<devices::PciFunction> make_e1000(const DeviceSite& site, IrqLine interrupt) {
  auto card = std::make_unique<devices::E1000>(site.board.network, mac_of(site), site.board.clock,
                                               site.board.memory, interrupt);
  site.board.net_cards.push_back(card.get());
  return card;
}

}  // namespace

constinit const DeviceRow kVirtioNetRow = {.driver = "virtio-net",
                                           .qemu_name = "virtio-net-pci",
                                           .help = "network card",
                                           .properties = kVirtioNet,
                                           .place = kPciSlot,
                                           .most = kAnyNumber,
                                           .virtio = make_virtio_net};

constinit const DeviceRow kE1000Row = {.driver = "e1000",
                                       .qemu_name = "e1000",
                                       .help = "network card, Intel's 82540EM",
                                       .properties = kE1000,
                                       .place = kPciSlot,
                                       .most = kAnyNumber,
                                       .card = make_e1000};

}  // namespace reprise::machine
