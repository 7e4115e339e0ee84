#include <algorithm>

#include "machine/plug/card_rows.h"
#include "machine/plug/pc_slots.h"

namespace reprise::machine {
namespace {

/// The names are those of QEMU.
constexpr PropertySpec kWatchdog[] = {{"action", PropertyType::Choice,
                                       "reset, shutdown, poweroff, inject-nmi, debug, none", "reset",
                                       "what it does when it expires"}};

void press_power_button(BoardServices& board) { board.press_power_button(); }
void reset(BoardServices& board) { board.control.request(MachineRequest::WatchdogReset); }
void power_off(BoardServices& board) { board.control.request(MachineRequest::PowerOff); }
void inject_nmi(BoardServices& board) { board.raise_nmi(); }
void do_nothing(BoardServices&) {}

struct Action {
  std::string_view name;
  void (*act)(BoardServices& board);
};
constexpr Action kActions[] = {{"reset", reset},        {"shutdown", press_power_button},
                               {"poweroff", power_off}, {"inject-nmi", inject_nmi},
                               {"debug", do_nothing},   {"none", do_nothing}};

std::unique_ptr<devices::PciFunction> make_i6300esb(const DeviceSite& site, IrqLine) {
  const auto* action = std::ranges::find(kActions, site.text("action"), &Action::name);
  auto card = std::make_unique<devices::I6300Esb>(site.board.clock, [&board = site.board, action] {
    board.log.write("watchdog", LogLevel::Warn, "the watchdog expired after instruction {}",
                    board.retired.retired_now());
    board.watchdog_expired(action->name);
    action->act(board);
  });
  site.board.watchdog = card.get();
  return card;
}

}  // namespace

constinit const DeviceRow kI6300EsbRow = {.driver = "i6300esb",
                                          .qemu_name = "i6300esb",
                                          .help = "watchdog, which counts once the guest has enabled it",
                                          .properties = kWatchdog,
                                          .place = kPciSlot,
                                          .most = 1,
                                          .card = make_i6300esb};

}  // namespace reprise::machine
