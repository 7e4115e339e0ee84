#include "common/check.h"
#include "devices/virtio/virtio_balloon.h"
#include "devices/virtio/virtio_rng.h"
#include "machine/plug/card_rows.h"
#include "machine/plug/pc_slots.h"
#include "machine/plug/seeds.h"

namespace reprise::machine {
namespace {

constexpr PropertySpec kConsole[] = {{"target", PropertyType::Target,
                                      "stdio, null, file:PATH, unix:PATH, tcp:PORT, pipe:PATH, pty", "stdio",
                                      "where its output goes and its input comes from"}};

std::unique_ptr<devices::VirtioDevice> make_console(const DeviceSite& site) {
  CHECK(site.board.console != nullptr);
  auto card = std::make_unique<devices::VirtioConsole>(*site.board.console, site.board.clock);
  site.board.virtio_console = card.get();
  return card;
}

std::unique_ptr<devices::VirtioDevice> make_rng(const DeviceSite& site) {
  return std::make_unique<devices::VirtioRng>(derive_seed(site.board.seed, kVirtioRngSeed + site.nth),
                                              site.board.clock);
}

std::unique_ptr<devices::VirtioDevice> make_balloon(const DeviceSite& site) {
  return std::make_unique<devices::VirtioBalloon>(site.board.clock);
}

}  // namespace

constinit const DeviceRow kVirtioConsoleRow = {.driver = "virtio-console",
                                               .qemu_name = "",
                                               .help = "console (hvc0), on a card of its own",
                                               .properties = kConsole,
                                               .place = kPciSlot,
                                               .most = 1,
                                               .virtio = make_console};
constinit const DeviceRow kVirtioRngRow = {.driver = "virtio-rng",
                                           .qemu_name = "virtio-rng-pci",
                                           .help = "random numbers that follow from --seed",
                                           .properties = {},
                                           .place = kPciSlot,
                                           .most = kAnyNumber,
                                           .virtio = make_rng};
constinit const DeviceRow kVirtioBalloonRow = {
    .driver = "virtio-balloon",
    .qemu_name = "virtio-balloon-pci",
    .help = "takes memory that the guest does not need, by balloon in the monitor",
    .properties = {},
    .place = kPciSlot,
    .most = 1,
    .virtio = make_balloon};

}  // namespace reprise::machine
