// What a network is and does.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include "common/types.h"

#include "machine/net/net_config.h"

namespace reprise::machine {

/// What became of a network, for people and reports.
struct NetworkInfo {
  NetConfig config;                // with the ports that forwards have got
  std::vector<std::string> cards;  // "52:54:00:12:34:56"
  std::vector<std::string> unplugged;
  bool reached = false;    // the host was asked for something, or somebody called
  bool connected = false;  // now
  u64 frames_from_guest = 0;
  u64 bytes_from_guest = 0;
  u64 frames_to_guest = 0;
  u64 bytes_to_guest = 0;
};

nlohmann::ordered_json forward_json(const NetForward& forward);

/// As reports and the monitor show it.
nlohmann::ordered_json network_json(const NetworkInfo& info);

}  // namespace reprise::machine
