// The row of the sound card. Where it is heard says --sound.
#include "machine/plug/card_rows.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine {
namespace {

std::unique_ptr<devices::PciFunction> make_ac97(const DeviceSite& site, IrqLine interrupt) {
  auto card =
      std::make_unique<devices::Ac97>(site.board.sound, site.board.clock, site.board.memory, interrupt);
  site.board.sound_card = card.get();
  return card;
}

}  // namespace

constinit const DeviceRow kAc97Row = {.driver = "AC97",
                                      .qemu_name = "AC97",
                                      .help = "sound card, Intel's 82801AA, which --sound lets be heard",
                                      .properties = {},
                                      .place = kPciSlot,
                                      .most = 1,
                                      .card = make_ac97};

}  // namespace reprise::machine
