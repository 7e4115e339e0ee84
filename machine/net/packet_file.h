// PacketFile: the frames of a network as a capture that tcpdump and Wireshark read, with times of the guest's.
// draft-ietf-opsawg-pcap, with nanoseconds.
#pragma once

#include <span>
#include <vector>

#include "common/types.h"
#include "devices/backend.h"

namespace reprise::machine {

class PacketFile {
 public:
  /// `out` outlives this.
  explicit PacketFile(devices::CharBackend& out);
  PacketFile(const PacketFile&) = delete;
  PacketFile& operator=(const PacketFile&) = delete;
  ~PacketFile() { flush(); }

  void add(u64 virtual_ns, std::span<const u8> frame);
  /// Hands over what is only in memory.
  void flush();

 private:
  devices::CharBackend& out_;
  std::vector<u8> buffer_;
};

}  // namespace reprise::machine
