// Properties of devices: what a row says of one, and whether a value is one of its values.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "common/types.h"

namespace reprise::machine {

enum class PropertyType : u8 {
  File,        // a name
  FileOrNone,  // a name; empty: there is none
  Serial,  // up to `max` letters, digits, '-', '.' and '_': names of /dev/disk/by-id are then as they are here
  Choice,  // one of `values`
  Switch,  // yes or no; on and off are the same
  Number,  // up to `max`
  Target,  // of characters: stdio, null, pty, file:PATH, unix:PATH, tcp:PORT
  Mac,     // six hexadecimal bytes with colons between, of one station
};

struct PropertySpec {
  std::string_view name;
  PropertyType type;
  std::string_view values;      // for a person; of a Choice the words themselves, with ", " between
  std::string_view by_default;  // empty: there is none
  std::string_view help;
  u64 max = 0;
  std::string_view otherwise = {};  // for a person: what happens without a value and a default
};

/// Its values are names of files.
constexpr bool names_file(const PropertySpec& property) {
  return property.type == PropertyType::File || property.type == PropertyType::FileOrNone;
}

bool is_value_of(const PropertySpec& property, std::string_view value);
/// Why it is not: a sentence without a full stop.
std::string why_not(const PropertySpec& property, std::string_view value);

/// "52:54:00:12:34:56"; nullopt: it is none, or that of a group.
std::optional<std::array<u8, 6>> parse_mac(std::string_view text);

/// Letters, digits, '-', '.' and '_'.
bool is_plain_name(std::string_view text);

}  // namespace reprise::machine
