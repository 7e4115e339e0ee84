// Cards in the PCI slots.
#include "machine/board/pc.h"

#include <algorithm>

#include "machine/board/seeds.h"

namespace reprise::machine {

void Pc::plug_in_disks() {
  first_virtio_slot_ = next_card_slot_;
  for (const Drive& drive : drives_) {
    if (drive.disk.bus != DiskBus::Virtio) continue;
    plug_in([&](IrqLine interrupt) {
      return std::make_unique<devices::VirtioBlk>(*drive.disk.medium, drive.disk.serial,
                                                  virtio_board(interrupt));
    });
  }
}

void Pc::plug_in_ahci() {
  ahci_slot_ = next_card_slot_;
  if (std::ranges::none_of(drives_, [](const Drive& drive) { return drive.disk.bus == DiskBus::Ahci; }))
    return;
  plug_in([&](IrqLine interrupt) {
    return std::make_unique<devices::ahci::AhciController>(scheduler_, interrupt, *this, *this,
                                                           ahci_units(drives_));
  });
}

void Pc::plug_in_extras(const MachineConfig& config, devices::CharBackend* console) {
  if (console != nullptr) {
    plug_in([&](IrqLine interrupt) {
      auto card = std::make_unique<devices::VirtioConsole>(*console, virtio_board(interrupt));
      console_ = card.get();
      return card;
    });
  }
  if (config.virtio_rng) {
    plug_in([&](IrqLine interrupt) {
      return std::make_unique<devices::VirtioRng>(derive_seed(config.seed, kVirtioRngSeed),
                                                  virtio_board(interrupt));
    });
  }
  if (config.watchdog) {
    plug_in([&](IrqLine) {
      auto card = std::make_unique<devices::I6300Esb>(scheduler_, [this] { watchdog_expired(); });
      watchdog_ = card.get();
      return card;
    });
  }
}

void Pc::watchdog_expired() {
  log_.write("watchdog", LogLevel::Warn, "the watchdog expired after instruction {}",
             processors_.retired_now());
  switch (watchdog_action_) {
    case WatchdogAction::Reset: return control_.request(MachineRequest::WatchdogReset);
    case WatchdogAction::Shutdown: return acpi_pm_.press_power_button();
    case WatchdogAction::PowerOff: return control_.request(MachineRequest::PowerOff);
    case WatchdogAction::InjectNmi:
      for (const auto& processor : processors_) processor->nmi();
      return;
    case WatchdogAction::Debug:
    case WatchdogAction::None: return;
  }
}

}  // namespace reprise::machine
