#include "machine/net/packet_file.h"

#include "devices/net/net_card.h"

namespace reprise::machine {
namespace {

constexpr std::size_t kFlushBytes = 64 * 1024;
constexpr u32 kMagicNs = 0xa1b2'3c4d;
constexpr u32 kVersion = 4 << 16 | 2;  // 2.4: the major number first
constexpr u32 kEthernet = 1;
constexpr u64 kNsPerSecond = 1'000'000'000;

void put(std::vector<u8>& out, u32 value) {
  for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
}

}  // namespace

PacketFile::PacketFile(devices::CharBackend& out) : out_(out) {
  for (const u32 value : {kMagicNs, kVersion, 0u, 0u, static_cast<u32>(devices::kMaxFrameBytes), kEthernet})
    put(buffer_, value);
  flush();
}

void PacketFile::add(u64 virtual_ns, std::span<const u8> frame) {
  const u32 bytes = static_cast<u32>(frame.size());
  for (const u32 value : {static_cast<u32>(virtual_ns / kNsPerSecond),
                          static_cast<u32>(virtual_ns % kNsPerSecond), bytes, bytes})
    put(buffer_, value);
  buffer_.insert(buffer_.end(), frame.begin(), frame.end());
  if (buffer_.size() >= kFlushBytes) flush();
}

void PacketFile::flush() {
  if (!buffer_.empty()) out_.write(buffer_);
  buffer_.clear();
}

}  // namespace reprise::machine
