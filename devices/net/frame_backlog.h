// FrameBacklog: frames that wait in a card for buffers of its driver; and TCP segments of one stream, one behind the
// other, taken out of it as one large packet (receive offload), which costs a guest a fraction of what segments do.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "common/archive.h"
#include "common/types.h"
#include "devices/net/tcp_frame.h"

namespace reprise::devices {

/// What may be joined.
struct JoinRules {
  bool v4 = false;
  bool v6 = false;
};

/// A packet for the driver. The TCP checksum of one that was joined is that of the pseudo header.
struct ReceivedPacket {
  std::vector<u8> frame;
  u32 segments = 1;       // frames that it was made of
  bool checked = false;   // it carries TCP, and its checksums are right
  TcpFrame tcp = {};      // if checked
  u32 segment_bytes = 0;  // if checked: what each segment but the last carried
};

class FrameBacklog {
 public:
  static constexpr u64 kMaxBytes = 4 << 20;
  static constexpr std::size_t kMaxFrames = 8192;

  bool empty() const { return frames_.empty(); }
  u64 bytes() const { return bytes_; }
  /// False: it is full, or the frame is too short or long to be one.
  bool push(std::span<const u8> frame);
  /// The first frame, and those behind it that can be joined to it. There is one.
  ReceivedPacket first(JoinRules rules) const;
  /// Takes the first `count` frames away.
  void drop(u32 count);
  void clear();
  void serialize(Archive& archive);

 private:
  std::deque<std::vector<u8>> frames_;
  u64 bytes_ = 0;
};

}  // namespace reprise::devices
