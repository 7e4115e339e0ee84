// HotCard: a card that can be put into a slot or taken out of one while the guest runs.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/ports.h"
#include "devices/net/net_card.h"
#include "devices/pci/pci_device.h"
#include "machine/board/wire.h"

namespace reprise::machine {

struct HotCard {
  std::string_view driver;  // of its row
  devices::PciFunction* function = nullptr;
  std::optional<unsigned> home = {};  // where it was when the machine was switched on; nothing: it waited
  std::optional<unsigned> slot = {};  // where it is; nothing: it is in none
  std::string id = {};                // what the user calls it; empty: nothing
  std::string detail = {};            // serial number or address that it was given, of those that waited
  devices::NetCard* net = nullptr;    // what is a network card
  // Of those that waited: the drive that it is; where its INTA# arrives, by PIRQ.
  std::optional<std::size_t> drive = {};
  std::array<IrqLine, 4> lines = {};
  std::unique_ptr<Wire> interrupt = {};

  bool waits() const { return !home && !slot; }
};

/// How a card comes into a slot.
struct HotPlugging {
  std::size_t card = 0;  // among Pc::hot_cards()
  unsigned slot = 0;
  std::string id = {};
  std::string detail = {};
};

}  // namespace reprise::machine
