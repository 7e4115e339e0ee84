// Frames for tests of network cards.
#pragma once

#include <string_view>
#include <vector>

#include "devices/net/net_card.h"
#include "devices/net/tcp_frame.h"

namespace reprise::devices::testing {

/// What a card sent.
class FakeNetwork final : public NetBackend {
 public:
  void send(NetCard&, std::span<const u8> frame) override { sent.emplace_back(frame.begin(), frame.end()); }
  bool takes_large_frames() const override { return large; }
  std::vector<std::vector<u8>> sent;
  bool large = false;
};

/// A segment of one stream, its checksums right.
struct TestSegment {
  bool v6 = false;
  u32 sequence = 1000;
  u8 flags = TcpFrame::kAck;
  u32 acknowledged = 77;
  std::size_t bytes = 100;
  std::size_t padding = 0;

  std::vector<u8> frame() const {
    std::vector<u8> out = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x52, 0x55, 0x0a, 0x00, 0x02, 0x02};
    const auto word = [&](std::size_t value) {
      out.push_back(static_cast<u8>(value >> 8));
      out.push_back(static_cast<u8>(value));
    };
    if (v6) {
      word(0x86dd);
      word(0x6000);
      word(0);
      word(0);  // length
      out.push_back(6);
      out.push_back(64);
      for (u8 i = 0; i < 32; ++i) out.push_back(i);
    } else {
      word(0x0800);
      word(0x4500);
      word(0);  // length
      word(0x1234);
      word(0x4000);
      word(0x4006);
      word(0);  // checksum
      for (u8 i = 0; i < 8; ++i) out.push_back(static_cast<u8>(10 + i));
    }
    TcpFrame tcp{.v6 = v6, .tcp = static_cast<u16>(out.size())};
    word(80);
    word(4321);
    word(sequence >> 16);
    word(sequence & 0xffff);
    word(acknowledged >> 16);
    word(acknowledged & 0xffff);
    out.push_back(0x50);
    out.push_back(flags);
    word(0x2000);
    word(0);
    word(0);
    for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<u8>((sequence + i) * 7));
    finish_tcp(out, tcp);
    out.resize(out.size() + padding);
    return out;
  }
};

}  // namespace reprise::devices::testing
