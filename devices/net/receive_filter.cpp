#include "devices/net/receive_filter.h"

#include <algorithm>

namespace reprise::devices {
namespace {

constexpr MacAddress kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr u8 kGroup = 1;  // in the first byte of an address
constexpr u16 kTypeVlan = 0x8100;

void serialize_addresses(Archive& archive, std::vector<MacAddress>& addresses) {
  u32 count = static_cast<u32>(addresses.size());
  archive.at_most(count, static_cast<u32>(ReceiveFilter::kMaxAddresses));
  if (archive.loading()) addresses.resize(count);
  for (MacAddress& address : addresses) archive.value(address);
}

}  // namespace

void ReceiveFilter::reset(bool filters_vlans) {
  *this = {};
  if (filters_vlans) vlans_.reset();
}

void ReceiveFilter::set_addresses(std::vector<MacAddress> unicast, std::vector<MacAddress> multicast) {
  any_unicast_ = unicast.size() > kMaxAddresses;
  any_multicast_ = multicast.size() > kMaxAddresses;
  unicast_ = any_unicast_ ? std::vector<MacAddress>() : std::move(unicast);
  multicast_ = any_multicast_ ? std::vector<MacAddress>() : std::move(multicast);
}

bool ReceiveFilter::passes(std::span<const u8> frame, const MacAddress& own) const {
  if (promiscuous) return true;
  const bool tagged = frame.size() >= 16 && (frame[12] << 8 | frame[13]) == kTypeVlan;
  if (tagged && !vlans_[(frame[14] << 8 | frame[15]) % kVlans]) return false;
  MacAddress to;
  std::copy_n(frame.begin(), to.size(), to.begin());
  if (to == kBroadcast) return !no_broadcast;
  const auto among = [&](const std::vector<MacAddress>& table) { return std::ranges::count(table, to) != 0; };
  if (to[0] & kGroup) return !no_multicast && (all_multicast || any_multicast_ || among(multicast_));
  return !no_unicast && (all_unicast || any_unicast_ || to == own || among(unicast_));
}

void ReceiveFilter::serialize(Archive& archive) {
  for (bool* const flag : {&promiscuous, &all_multicast, &all_unicast, &no_multicast, &no_unicast,
                           &no_broadcast, &any_unicast_, &any_multicast_})
    archive.value(*flag);
  serialize_addresses(archive, unicast_);
  serialize_addresses(archive, multicast_);
  for (unsigned first = 0; first < kVlans; first += 64) {
    u64 word = 0;
    for (unsigned i = 0; i < 64; ++i) word |= u64{vlans_[first + i]} << i;
    archive.value(word);
    for (unsigned i = 0; i < 64; ++i) vlans_[first + i] = (word >> i & 1) != 0;
  }
}

}  // namespace reprise::devices
