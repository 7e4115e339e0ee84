// TCP in a frame: what cards need to know of it to fill in checksums, and to cut large segments up or join small ones.
// RFC 791, 8200, 9293; RFC 1071 for the checksum. Missing: tagged frames, IP options, IPv6 extension headers: those pass
// as they are.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "common/types.h"

namespace reprise::devices {

/// Where things are in a frame that carries TCP over IPv4 or IPv6. All of it lies within the frame.
struct TcpFrame {
  bool v6 = false;
  u16 tcp = 0;            // offset of the TCP header
  u16 payload = 0;        // offset of what it carries
  u32 payload_bytes = 0;  // without what pads the frame
  u32 sequence = 0;
  u32 acknowledged = 0;
  u8 flags = 0;

  static constexpr u8 kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32, kEce = 64, kCwr = 128;
  u32 end() const { return payload + payload_bytes; }
};

/// The sum of 16-bit words in network byte order, folded to 16 bits; an odd byte at the end counts as if a zero followed.
u16 ones_sum(std::span<const u8> bytes, u32 start = 0);

/// nullopt: it is none, or no whole one.
std::optional<TcpFrame> parse_tcp(std::span<const u8> frame);

/// The same for a frame that is to be cut up, whose lengths the driver may have left to the card: they are written first.
std::optional<TcpFrame> parse_large_tcp(std::span<u8> frame);

/// Sum of the pseudo header for `transport_bytes` of TCP.
u16 pseudo_sum(std::span<const u8> frame, const TcpFrame& tcp, u32 transport_bytes);

/// Both checksums, of IPv4 and of TCP, are right.
bool has_right_checksums(std::span<const u8> frame, const TcpFrame& tcp);

/// Fills the checksum of what begins at `start` in at `start` + `offset`, over whatever stands there: partial checksum
/// offload. False: that is not within the frame.
bool complete_checksum(std::span<u8> frame, u32 start, u32 offset);

/// Writes lengths and checksums of IP and TCP anew, for a frame that ends with its payload.
void finish_tcp(std::span<u8> frame, const TcpFrame& tcp);

/// The same, with the checksum of TCP left as that of the pseudo header, for a driver that fills it in or does not look.
void finish_joined_tcp(std::span<u8> frame, const TcpFrame& tcp);

/// Cuts a frame up whose payload is longer than `segment_bytes` (not 0), and calls `emit` with each segment.
void segment_tcp(std::span<const u8> frame, const TcpFrame& tcp, u32 segment_bytes,
                 const std::function<void(std::span<const u8>)>& emit);

}  // namespace reprise::devices
