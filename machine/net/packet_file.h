// PacketFile: the frames of a network as a capture that tcpdump and Wireshark read, with times of the guest's.
// draft-ietf-opsawg-pcap, with nanoseconds.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/types.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

class PacketFile {
 public:
  /// Nothing is written.
  PacketFile() = default;
  static Result<PacketFile> create(const std::string& path);
  PacketFile(PacketFile&&) = default;
  PacketFile& operator=(PacketFile&&) = default;
  ~PacketFile() { flush(); }

  void add(u64 virtual_ns, std::span<const u8> frame);
  /// Writes what is only in memory.
  void flush();
  /// What was lost, and why: empty when nothing was.
  const std::string& problem() const { return problem_; }
  u64 lost_bytes() const { return lost_bytes_; }

 private:
  explicit PacketFile(HostFd file) : file_(std::move(file)) {}

  HostFd file_;
  std::vector<u8> buffer_;
  std::string problem_;
  u64 lost_bytes_ = 0;
};

}  // namespace reprise::machine
