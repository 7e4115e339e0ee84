// Virtio9p: a folder of the host's as a file system on virtio (device type 9; include/uapi/linux/virtio_9p.h of Linux and
// QEMU's virtio-9p-pci say what the specification leaves out). Each request is a 9P2000.L message in what the device
// reads, with room for the reply in what it writes.
//
// One request at a time: it is accepted when the one before is done, and completes share_request_ns(bytes) of virtual time
// later, when the host is asked. bytes: of the message and of the room for its reply.
#pragma once

#include <string>

#include "devices/p9/server.h"
#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

/// 10 us, and 2 GiB/s: as for disks.
constexpr u64 share_request_ns(u64 bytes) { return 10'000 + bytes / 2; }

class Virtio9p final : public VirtioDevice {
 public:
  static constexpr std::size_t kMaxTagBytes = 31;

  /// `host` outlives the device. The guest mounts it by `tag`, of which the first kMaxTagBytes count.
  Virtio9p(ShareBackend& host, std::string_view tag, Clock& clock);

  std::string_view name() const override { return "virtio_9p"; }
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;
  p9::Server& server() { return server_; }

 private:
  void notified(unsigned queue) override;
  void reset_kind() override;
  u8 config_byte(u32 offset) const override;
  void accept_next();
  void complete();

  const std::string tag_;
  p9::Server server_;
  Clock::TimerId timer_;
  bool busy_ = false;
  VirtioChain request_;  // while busy
};

}  // namespace reprise::devices
