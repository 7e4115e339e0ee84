#include "devices/virtio/virtio_input.h"
#include "machine/plug/card_rows.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine {
namespace {

using Kind = devices::VirtioInput::Kind;

std::unique_ptr<devices::VirtioDevice> make(Kind kind, devices::InputDevice*& place, const DeviceSite& site) {
  auto card = std::make_unique<devices::VirtioInput>(kind, site.board.clock);
  place = card.get();
  return card;
}

std::unique_ptr<devices::VirtioDevice> make_keyboard(const DeviceSite& site) {
  return make(Kind::Keyboard, site.board.keyboard, site);
}
std::unique_ptr<devices::VirtioDevice> make_mouse(const DeviceSite& site) {
  return make(Kind::Mouse, site.board.mouse, site);
}
std::unique_ptr<devices::VirtioDevice> make_tablet(const DeviceSite& site) {
  return make(Kind::Tablet, site.board.tablet, site);
}

}  // namespace

constinit const DeviceRow kVirtioKeyboardRow = {.driver = "virtio-keyboard",
                                                .qemu_name = "virtio-keyboard-pci",
                                                .help = "keyboard, which gets the keys while its driver runs",
                                                .properties = {},
                                                .place = kPciSlot,
                                                .most = 1,
                                                .virtio = make_keyboard};
constinit const DeviceRow kVirtioMouseRow = {.driver = "virtio-mouse",
                                             .qemu_name = "virtio-mouse-pci",
                                             .help = "mouse, which gets the movements while its driver runs",
                                             .properties = {},
                                             .place = kPciSlot,
                                             .most = 1,
                                             .virtio = make_mouse};
constinit const DeviceRow kVirtioTabletRow = {
    .driver = "virtio-tablet",
    .qemu_name = "virtio-tablet-pci",
    .help = "pointer that goes to places, so that no window needs to grab it",
    .properties = {},
    .place = kPciSlot,
    .most = 1,
    .virtio = make_tablet};

}  // namespace reprise::machine
