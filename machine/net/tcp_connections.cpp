#include "machine/net/tcp_connections.h"

#include <algorithm>
#include <array>

#include "common/check.h"
#include "devices/net/net_card.h"
#include "devices/net/tcp_frame.h"

namespace reprise::machine {
namespace {

using devices::TcpFrame;

constexpr std::size_t kIpv4Address = 4, kIpv6Address = 16;
constexpr std::size_t kPort = 2;
constexpr std::size_t kTcpBytes = 20;
// Offsets in the TCP header.
constexpr std::size_t kSequence = 4, kAcknowledged = 8, kOffset = 12, kFlags = 13, kWindow = 14, kUrgent = 18;

/// Where two addresses or ports of a frame stand, one behind the other.
struct Pair {
  std::size_t first;
  std::size_t bytes;  // of each
};
std::array<Pair, 2> ends_of(const TcpFrame& tcp) {
  const std::size_t address = tcp.v6 ? kIpv6Address : kIpv4Address;
  return {Pair{tcp.tcp - 2 * address, address}, Pair{tcp.tcp, kPort}};
}

void swap(std::vector<u8>& frame, const Pair& pair) {
  const auto first = frame.begin() + static_cast<std::ptrdiff_t>(pair.first);
  const auto bytes = static_cast<std::ptrdiff_t>(pair.bytes);
  std::swap_ranges(first, first + bytes, first + bytes);
}

/// Addresses and ports: the sender's first, or the receiver's.
std::vector<u8> key_of(std::span<const u8> frame, const TcpFrame& tcp, bool sender_first) {
  std::vector<u8> key;
  for (const Pair& pair : ends_of(tcp)) {
    for (const bool second : {!sender_first, sender_first}) {
      const auto part = frame.subspan(pair.first + (second ? pair.bytes : 0), pair.bytes);
      key.insert(key.end(), part.begin(), part.end());
    }
  }
  return key;
}

void put(std::vector<u8>& frame, std::size_t at, u32 value) {
  for (unsigned i = 0; i < 4; ++i) frame[at + i] = static_cast<u8>(value >> (24 - 8 * i));
}

/// The headers of `frame` as of a segment that carries nothing and has no options.
std::vector<u8> headers_of(std::span<const u8> frame, const TcpFrame& tcp) {
  const auto bytes = tcp.tcp + kTcpBytes;
  std::vector<u8> headers(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(bytes));
  headers[tcp.tcp + kOffset] = kTcpBytes / 4 << 4;
  devices::finish_tcp(headers, tcp);
  return headers;
}

/// What the far end of the connection sends that knows nothing of it any more.
std::vector<u8> reset_for(std::vector<u8> headers, const TcpFrame& tcp, u32 next_sequence) {
  swap(headers, {0, sizeof(devices::MacAddress)});
  for (const Pair& pair : ends_of(tcp)) swap(headers, pair);
  const bool acknowledges = tcp.flags & TcpFrame::kAck;
  put(headers, tcp.tcp + kSequence, acknowledges ? tcp.acknowledged : 0);
  put(headers, tcp.tcp + kAcknowledged, acknowledges ? 0 : next_sequence);
  headers[tcp.tcp + kFlags] = acknowledges ? TcpFrame::kRst : TcpFrame::kRst | TcpFrame::kAck;
  for (const std::size_t field : {kWindow, kUrgent})
    headers[tcp.tcp + field] = headers[tcp.tcp + field + 1] = 0;
  devices::finish_tcp(headers, tcp);
  return headers;
}

}  // namespace

void TcpConnections::from_guest(std::span<const u8> frame) {
  const auto tcp = devices::parse_tcp(frame);
  if (!tcp) return;
  Key key = key_of(frame, *tcp, true);
  auto found = connections_.find(key);
  if (tcp->flags & TcpFrame::kRst) {
    if (found != connections_.end()) connections_.erase(found);
    return;
  }
  if (found == connections_.end()) {
    if (connections_.size() == kMost) return;
    found = connections_.emplace(std::move(key), Connection{}).first;
  }
  Connection& connection = found->second;
  if (tcp->flags & TcpFrame::kSyn) connection.guest_ended = connection.other_ended = false;
  if (tcp->flags & TcpFrame::kFin) connection.guest_ended = true;
  if (connection.guest_ended && connection.other_ended) {
    connections_.erase(found);
    return;
  }
  connection.headers = headers_of(frame, *tcp);
  connection.next_sequence = tcp->sequence + tcp->payload_bytes + ((tcp->flags & TcpFrame::kSyn) ? 1 : 0) +
                             ((tcp->flags & TcpFrame::kFin) ? 1 : 0);
}

void TcpConnections::to_guest(std::span<const u8> frame) {
  if (connections_.empty()) return;
  const auto tcp = devices::parse_tcp(frame);
  if (!tcp || (tcp->flags & (TcpFrame::kRst | TcpFrame::kFin)) == 0) return;
  const auto found = connections_.find(key_of(frame, *tcp, false));
  if (found == connections_.end()) return;
  if (tcp->flags & TcpFrame::kRst)
    connections_.erase(found);
  else
    found->second.other_ended = true;
}

std::vector<std::vector<u8>> TcpConnections::take_resets() {
  std::vector<std::vector<u8>> frames;
  for (const auto& [key, connection] : connections_) {
    const auto tcp = devices::parse_tcp(connection.headers);
    CHECK(tcp.has_value());
    frames.push_back(reset_for(connection.headers, *tcp, connection.next_sequence));
  }
  connections_.clear();
  return frames;
}

void TcpConnections::serialize(Archive& archive) {
  u64 count = connections_.size();
  archive.at_most(count, kMost);
  if (!archive.loading()) {
    for (auto& [key, connection] : connections_) {
      Key copy = key;
      archive.value(copy);
      archive.value(connection.headers);
      archive.value(connection.next_sequence);
      archive.value(connection.guest_ended);
      archive.value(connection.other_ended);
    }
    return;
  }
  connections_.clear();
  for (u64 i = 0; i < count && archive.ok(); ++i) {
    constexpr u64 kMostKeyBytes = 2 * (kIpv6Address + kPort);
    constexpr u64 kMostHeaderBytes = devices::kEthernetHeaderBytes + 40 + kTcpBytes;
    Key key;
    Connection connection;
    archive.value(key, kMostKeyBytes);
    archive.value(connection.headers, kMostHeaderBytes);
    archive.value(connection.next_sequence);
    archive.value(connection.guest_ended);
    archive.value(connection.other_ended);
    const auto tcp = devices::parse_tcp(connection.headers);
    if (!tcp || tcp->end() != connection.headers.size()) return archive.fail();
    connections_.emplace(std::move(key), std::move(connection));
  }
}

}  // namespace reprise::machine
