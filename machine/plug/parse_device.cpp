// Devices as words of the command line, checked by their rows.
#include <fmt/format.h>

#include <algorithm>

#include "common/nearest.h"
#include "common/numbers.h"
#include "common/words.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/disk_device.h"
#include "machine/plug/qemu_devices.h"
#include "machine/plug/share_device.h"

namespace reprise::machine {
namespace {

/// What is being read, as errors name it: --device 'virtio-rng,x=1'.
struct Source {
  std::string_view option;
  std::string_view text;

  Error error(std::string_view what) const { return {fmt::format("{} '{}': {}", option, text, what)}; }
};

/// "bus=, serial=, unit=, id=".
std::string property_names(const DeviceRow& row) {
  std::string names;
  for (const PropertySpec& property : row.properties) names += fmt::format("{}=, ", property.name);
  if (!row.place.name.empty()) names += fmt::format("{}=, ", row.place.name);
  return names + (row.takes_bus() ? "bus=, id=" : "id=");
}

/// "NAME=VALUE" into `device`.
Result<Done> take_property(const Source& source, const DeviceRow& row, const std::string& word,
                           DeviceConfig& device) {
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const std::string value = equals == word.npos ? "" : word.substr(equals + 1);
  const auto twice = [&] { return source.error(fmt::format("{}= was given twice", name)); };
  if (name == "id" && equals != word.npos) {
    if (!device.id.empty()) return twice();
    if (!is_plain_name(value))
      return source.error(fmt::format("id={} is not made of letters, digits, '-', '.' and '_'", value));
    device.id = value;
    return Done{};
  }
  if (!row.place.name.empty() && name == row.place.name && equals != word.npos) {
    if (device.place) return twice();
    const auto place = parse_number(value);
    if (!place || *place < row.place.first || *place > row.place.last)
      return source.error(fmt::format("{} is not from {} to {}", word, row.place.first, row.place.last));
    device.place = static_cast<unsigned>(*place);
    return Done{};
  }
  if (name == "bus" && row.takes_bus() && equals != word.npos) {
    if (!device.bus.empty()) return twice();
    if (!is_plain_name(value)) return source.error(fmt::format("bus={} is no id of a pcie-root-port", value));
    device.bus = value;
    return Done{};
  }
  const PropertySpec* property = row.find(name);
  if (const auto instead = instead_of_qemu_property(name); property == nullptr && !instead.empty())
    return source.error(fmt::format("{}= is a property of QEMU's: {}", name, instead));
  if (property == nullptr || equals == word.npos) {
    return source.error(fmt::format("'{}' is none of {}{}", word, property_names(row),
                                    row.is_drive() ? " (a comma in a file's name is doubled)" : ""));
  }
  if (device.find(name) != nullptr) return twice();
  if (!is_value_of(*property, value)) return source.error(why_not(*property, value));
  device.set(name, value);
  return Done{};
}

Result<DeviceConfig> take_properties(const Source& source, const DeviceRow& row,
                                     std::span<const std::string> words, DeviceConfig device) {
  for (const std::string& word : words) TRY(take_property(source, row, word, device));
  if (row.is_drive()) {
    const bool may_be_empty = !row.find("file")->otherwise.empty();
    if (!may_be_empty && device.find("file") == nullptr)
      return Error{fmt::format("{} '{}' names no file", source.option, source.text)};
    const Result<DiskConfig> disk = disk_config(device);
    if (!disk) return source.error(disk.error().message);
  }
  if (&row == &kVirtio9pRow) {
    const Result<ShareConfig> share = share_config(device);
    if (!share) return source.error(share.error().message);
  }
  return device;
}

}  // namespace

Result<const DeviceRow*> want_device_row(std::string_view option, std::string_view driver) {
  if (const DeviceRow* row = find_device_row(driver)) return row;
  if (const std::string_view instead = instead_of_qemu_device(driver); !instead.empty())
    return Error{fmt::format("{} '{}' is a device of QEMU's: {}", option, driver, instead)};
  std::string drivers;
  Nearest nearest(driver);
  for (const DeviceRow* known : device_rows()) {
    drivers += fmt::format("{}{}", drivers.empty() ? "" : ", ", known->driver);
    nearest.offer(known->driver);
  }
  if (!nearest.name().empty())
    return Error{fmt::format("{} '{}' is unknown; did you mean {}?", option, driver, nearest.name())};
  return Error{fmt::format("{} '{}' is unknown: there are {}", option, driver, drivers)};
}

Result<DeviceConfig> parse_device(std::string_view option, std::string_view text) {
  const std::vector<std::string> words = words_at_commas(text);
  const DeviceRow* row = TRY(want_device_row(option, words[0]));
  return take_properties({option, text}, *row, std::span(words).subspan(1),
                         {.driver = std::string(row->driver)});
}

Result<DeviceConfig> parse_drive(std::string_view option, std::string_view driver, std::string_view text) {
  const std::vector<std::string> words = words_at_commas(text);
  const DeviceRow* row = find_device_row(driver);
  DeviceConfig device = {.driver = std::string(driver)};
  if (!words[0].empty()) device.set("file", words[0]);
  return take_properties({option, text}, *row, std::span(words).subspan(1), std::move(device));
}

Result<DeviceConfig> parse_share(std::string_view option, std::string_view text) {
  std::vector<std::string> words = words_at_commas(text);
  DeviceConfig device = {.driver = std::string(kVirtio9pRow.driver)};
  if (!words[0].empty()) device.set("path", words[0]);
  for (std::string& word : words)
    if (&word != &words[0] && word == "readonly") word = "readonly=yes";
  return take_properties({option, text}, kVirtio9pRow, std::span(words).subspan(1), std::move(device));
}

}  // namespace reprise::machine
