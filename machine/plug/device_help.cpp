// The registry for people.
#include <fmt/format.h>

#include <algorithm>

#include "common/words.h"
#include "machine/plug/device_registry.h"

namespace reprise::machine {
namespace {

constexpr std::string_view kPortHelp = "the pcie-root-port of a q35 that it is in, by its id (default: none)";

/// The words that `property` can be, if they can be listed.
std::vector<std::string_view> words_of(const PropertySpec& property) {
  if (property.type == PropertyType::Target) return {"stdio", "null", "file:"};
  if (property.type != PropertyType::Choice && property.type != PropertyType::Switch) return {};
  return words_between(property.values, ", ");
}

std::string line(std::string_view name, std::string_view text) {
  return fmt::format("  {:9}{}\n", fmt::format("{}=", name), text);
}

}  // namespace

std::string device_help() {
  std::string text =
      "Drivers for --device DRIVER[,PROPERTY=VALUE...]; --device DRIVER,help lists properties:\n";
  for (const DeviceRow* row : device_rows()) {
    const bool other_name = !row->qemu_name.empty() && row->qemu_name != row->driver;
    text += fmt::format("  {:16}{}{}\n", row->driver, row->help,
                        other_name ? fmt::format(" (QEMU: {})", row->qemu_name) : "");
  }
  return text;
}

std::string property_words(const DeviceRow& row) {
  std::string words;
  for (const PropertySpec& property : row.properties) words += fmt::format("{}= ", property.name);
  if (!row.place.name.empty()) words += fmt::format("{}= ", row.place.name);
  return words + (row.takes_bus() ? "bus= id=" : "id=");
}

std::vector<PropertyValues> property_values() {
  std::vector<PropertyValues> all;
  for (const DeviceRow* row : device_rows()) {
    for (const PropertySpec& property : row->properties) {
      auto known = std::ranges::find(all, property.name, &PropertyValues::name);
      if (known == all.end()) known = all.insert(all.end(), {property.name, property.type, {}});
      for (const std::string_view word : words_of(property))
        if (std::ranges::count(words_between(known->words, " "), word) == 0)
          known->words += fmt::format("{}{}", known->words.empty() ? "" : " ", word);
    }
  }
  return all;
}

std::string describe(const PropertySpec& property) {
  const std::string_view by_default = property.by_default.empty() ? property.otherwise : property.by_default;
  return fmt::format("{}: {}{}", property.help, property.values,
                     by_default.empty() ? "" : fmt::format(" (default: {})", by_default));
}

std::string describe(const PlaceSpec& place) {
  return fmt::format("{}: {} to {} (default: the next free)", place.help, place.first, place.last);
}

std::string device_help(const DeviceRow& row) {
  std::string text = fmt::format("{}: {}\n", row.driver, row.help);
  for (const PropertySpec& property : row.properties) text += line(property.name, describe(property));
  if (!row.place.name.empty()) text += line(row.place.name, describe(row.place));
  if (row.takes_bus()) text += line("bus", kPortHelp);
  return text + line("id", "a name for it: letters, digits, '-', '.', '_'");
}

}  // namespace reprise::machine
