// Addresses of network cards, for people.
#pragma once

#include <fmt/format.h>

#include <string>

#include "devices/net/net_card.h"

namespace reprise::machine {

/// "52:54:00:12:34:56"
inline std::string mac_text(const devices::MacAddress& mac) {
  std::string text;
  for (const u8 byte : mac) text += fmt::format("{}{:02x}", text.empty() ? "" : ":", byte);
  return text;
}

}  // namespace reprise::machine
