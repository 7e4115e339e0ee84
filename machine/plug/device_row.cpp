#include "machine/plug/device_row.h"

#include <algorithm>

#include "common/check.h"
#include "common/numbers.h"

namespace reprise::machine {

std::string_view DeviceSite::text(std::string_view property) const {
  const PropertySpec* spec = row.find(property);
  CHECK(spec != nullptr);
  const std::string* given = config.find(property);
  return given != nullptr ? std::string_view(*given) : spec->by_default;
}

u64 DeviceSite::number(std::string_view property) const {
  const auto value = parse_number(text(property));
  CHECK(value.has_value());
  return *value;
}

const PropertySpec* DeviceRow::find(std::string_view property) const {
  const auto found = std::ranges::find(properties, property, &PropertySpec::name);
  return found == properties.end() ? nullptr : &*found;
}

}  // namespace reprise::machine
