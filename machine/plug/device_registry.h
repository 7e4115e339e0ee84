// The drivers that there are, and configurations checked by their rows.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "machine/plug/device_config.h"
#include "machine/plug/device_row.h"

namespace reprise::machine {

/// Their order is part of the machine: cards without a place take the next free slot in this order, whatever that of
/// the command line. So a new row goes to the end.
std::span<const DeviceRow* const> device_rows();
/// By our name or by QEMU's; nullptr: there is none.
const DeviceRow* find_device_row(std::string_view driver);

/// Whether `driver` is that of a network card.
bool is_net_card(std::string_view driver);
/// What the user calls the network cards among `devices`, in the order in which they are plugged in; "" for those without a name.
std::vector<std::string> net_card_ids(const std::vector<DeviceConfig>& devices);

/// "DRIVER[,PROPERTY=VALUE...]", commas inside values doubled. `option` and `text` stand in errors, which are
/// sentences without a full stop.
Result<DeviceConfig> parse_device(std::string_view option, std::string_view text);
/// The row of `driver`, or an error that names the drivers that there are.
Result<const DeviceRow*> want_device_row(std::string_view option, std::string_view driver);
/// "FILE[,PROPERTY=VALUE...]", for a drive.
Result<DeviceConfig> parse_drive(std::string_view option, std::string_view driver, std::string_view text);
/// "FOLDER,tag=NAME[,readonly][,PROPERTY=VALUE...]", for a virtio-9p.
Result<DeviceConfig> parse_share(std::string_view option, std::string_view text);

/// Each by its row, and all together: how many there are, and their ids. Errors as above.
Result<Done> check_devices(const std::vector<DeviceConfig>& devices);

/// Drivers with what they are, one a line; a driver with its properties.
std::string device_help();
std::string device_help(const DeviceRow& row);
/// "file= bus= unit= id=", for completion.
std::string property_words(const DeviceRow& row);
/// What may stand behind "NAME=" for some row, with spaces between: "ide ahci virtio"; empty: anything.
struct PropertyValues {
  std::string_view name;
  PropertyType type;
  std::string words;
};
std::vector<PropertyValues> property_values();
/// "what it does when it expires: reset, shutdown (default: reset)".
std::string describe(const PropertySpec& property);
std::string describe(const PlaceSpec& place);

}  // namespace reprise::machine
