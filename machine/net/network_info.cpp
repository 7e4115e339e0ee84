#include "machine/net/network_info.h"

#include <nlohmann/json.hpp>

namespace reprise::machine {

nlohmann::ordered_json forward_json(const NetForward& forward) {
  return {{"protocol", forward.udp ? "udp" : "tcp"},
          {"host", address_text(forward.host)},
          {"host_port", forward.host_port},
          {"guest", address_text(forward.guest)},
          {"guest_port", forward.guest_port}};
}

nlohmann::ordered_json network_json(const NetworkInfo& info) {
  nlohmann::ordered_json json = {{"net", net_text(info.config)}, {"cards", info.cards}};
  json["sockets"] = info.reached ? "reached" : "closed";
  json["connected"] = info.connected;
  json["unplugged"] = info.unplugged;
  json["forwards"] = nlohmann::ordered_json::array();
  for (const NetForward& forward : info.config.forwards) json["forwards"].push_back(forward_json(forward));
  json["frames_from_guest"] = info.frames_from_guest;
  json["bytes_from_guest"] = info.bytes_from_guest;
  json["frames_to_guest"] = info.frames_to_guest;
  json["bytes_to_guest"] = info.bytes_to_guest;
  return json;
}

}  // namespace reprise::machine
