// What any logical unit says of itself, as bytes. SPC-3 6.4 (INQUIRY), 7.6 (vital product data).
#pragma once

#include <string_view>
#include <vector>

#include "devices/scsi/logical_unit.h"

namespace reprise::devices::scsi {

/// Peripheral device types, 6.4.2.
enum class UnitType : u8 { Disk = 0x00, Cdrom = 0x05, NoUnit = 0x7f };

struct Identity {
  UnitType type = UnitType::NoUnit;
  bool removable = false;
  std::string_view product = {};  // 16 characters
  std::string_view serial = {};
};

/// A page of a kind of unit, without its header.
struct VitalPage {
  u8 page;
  std::vector<u8> bytes;
};

/// INQUIRY. `pages`: those that the unit has besides 00h, 80h and 83h, in rising order.
Outcome inquire(Command command, Transfer& transfer, const Identity& identity,
                const std::vector<VitalPage>& pages);

}  // namespace reprise::devices::scsi
