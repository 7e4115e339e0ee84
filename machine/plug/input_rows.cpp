#include "devices/virtio/virtio_input.h"
#include "machine/plug/card_rows.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine {
namespace {

using Kind = devices::VirtioInput::Kind;

std::unique_ptr<devices::PciFunction> make(Kind kind, devices::InputDevice*& place, const DeviceSite& site,
                                           IrqLine interrupt) {
  auto card = std::make_unique<devices::VirtioInput>(kind, site.board.virtio(interrupt));
  place = card.get();
  return card;
}

std::unique_ptr<devices::PciFunction> make_keyboard(const DeviceSite& site, IrqLine interrupt) {
  return make(Kind::Keyboard, site.board.keyboard, site, interrupt);
}
std::unique_ptr<devices::PciFunction> make_mouse(const DeviceSite& site, IrqLine interrupt) {
  return make(Kind::Mouse, site.board.mouse, site, interrupt);
}
std::unique_ptr<devices::PciFunction> make_tablet(const DeviceSite& site, IrqLine interrupt) {
  return make(Kind::Tablet, site.board.tablet, site, interrupt);
}

}  // namespace

constinit const DeviceRow kVirtioKeyboardRow = {.driver = "virtio-keyboard",
                                                .qemu_name = "virtio-keyboard-pci",
                                                .help = "keyboard, which gets the keys while its driver runs",
                                                .properties = {},
                                                .place = kPciSlot,
                                                .most = 1,
                                                .card = make_keyboard};
constinit const DeviceRow kVirtioMouseRow = {.driver = "virtio-mouse",
                                             .qemu_name = "virtio-mouse-pci",
                                             .help = "mouse, which gets the movements while its driver runs",
                                             .properties = {},
                                             .place = kPciSlot,
                                             .most = 1,
                                             .card = make_mouse};
constinit const DeviceRow kVirtioTabletRow = {
    .driver = "virtio-tablet",
    .qemu_name = "virtio-tablet-pci",
    .help = "pointer that goes to places, so that no window needs to grab it",
    .properties = {},
    .place = kPciSlot,
    .most = 1,
    .card = make_tablet};

}  // namespace reprise::machine
