// TcpConnections: the connections that the guest has with others, by the last segment that it sent on each, so that they can
// be reset when who was at their far ends is gone. RFC 9293, 3.5.3 and 3.10.7.
#pragma once

#include <map>
#include <vector>

#include "common/archive.h"
#include "common/types.h"

namespace reprise::machine {

class TcpConnections {
 public:
  /// More are not noted.
  static constexpr std::size_t kMost = 1024;

  void from_guest(std::span<const u8> frame);
  void to_guest(std::span<const u8> frame);
  /// A frame for each connection by which its far end resets it; they are no more.
  std::vector<std::vector<u8>> take_resets();
  std::size_t count() const { return connections_.size(); }
  void serialize(Archive& archive);

 private:
  using Key = std::vector<u8>;  // addresses and ports, the guest's first
  struct Connection {
    std::vector<u8> headers;  // of the guest's last segment, without options
    u32 next_sequence = 0;    // behind that segment
    bool guest_ended = false;
    bool other_ended = false;
  };
  std::map<Key, Connection> connections_;
};

}  // namespace reprise::machine
