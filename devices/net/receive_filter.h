// ReceiveFilter: which frames a card takes, as a driver of virtio-net says it. Virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3.
#pragma once

#include <array>
#include <bitset>
#include <span>
#include <vector>

#include "common/archive.h"
#include "devices/net/net_card.h"

namespace reprise::devices {

class ReceiveFilter {
 public:
  static constexpr std::size_t kMaxAddresses = 64;  // of each table; more of them, and all are taken
  static constexpr unsigned kVlans = 4096;

  bool promiscuous = true;
  bool all_multicast = false;
  bool all_unicast = false;
  bool no_multicast = false;
  bool no_unicast = false;
  bool no_broadcast = false;

  /// Everything passes. `filters_vlans`: tagged frames do so only once their VLAN has been added.
  void reset(bool filters_vlans = false);
  void set_addresses(std::vector<MacAddress> unicast, std::vector<MacAddress> multicast);
  void set_vlan(unsigned vlan, bool passes) { vlans_[vlan % kVlans] = passes; }
  /// `own` is the card's address; the frame has an Ethernet header.
  bool passes(std::span<const u8> frame, const MacAddress& own) const;
  void serialize(Archive& archive);

 private:
  std::vector<MacAddress> unicast_;
  std::vector<MacAddress> multicast_;
  bool any_unicast_ = false;  // there were too many
  bool any_multicast_ = false;
  std::bitset<kVlans> vlans_ = std::bitset<kVlans>().set();
};

}  // namespace reprise::devices
