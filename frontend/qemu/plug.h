// -device: devices by QEMU's names, as words of ours.
#pragma once

#include <utility>
#include <vector>

#include "frontend/qemu/draft.h"

namespace reprise::frontend::qemu {

/// What firmware is to try, as --boot names it, with its bootindex=.
struct BootChoice {
  u64 index;
  std::string name;
};

/// Devices and drives on their way to words.
struct Plug {
  Draft& draft;
  std::vector<BootChoice> boot = {};
  unsigned disks = 0;
  unsigned cdroms = 0;
  unsigned floppies = 0;
  unsigned cards = 0;  // of networks
  std::vector<machine::monitor::EmulatorTables::Disk> named = {};
  std::vector<std::string> written = {};  // images of disks that the run writes

  /// Those of -device, in their order.
  void add_devices();
  /// The drive as a device of ours, with further properties ("addr=5").
  void add_drive(const Drive& drive, std::string_view driver, const std::string& properties,
                 std::optional<u64> boot_index);
  /// Whether QEMU knows a device of that name as one of a network.
  static bool is_net_card(std::string_view driver);
};

/// `-device help`. With types of objects: frontend/qemu/tables.h.
std::string device_list();

}  // namespace reprise::frontend::qemu
