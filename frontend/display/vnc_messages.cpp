#include "frontend/display/vnc_messages.h"

namespace reprise::frontend {
namespace {

constexpr std::size_t kMaxEncodings = 256;
constexpr std::size_t kMaxScreens = 16;

u32 big_endian(std::span<const u8> bytes) {
  u32 value = 0;
  for (const u8 byte : bytes) value = value << 8 | byte;
  return value;
}

}  // namespace

std::optional<std::size_t> vnc_message_bytes(std::span<const u8> start) {
  if (start.empty()) return 1;
  switch (start[0]) {
    case vnc_message::kSetPixelFormat: return 20;
    case vnc_message::kSetEncodings: {
      if (start.size() < 4) return 4;
      const std::size_t count = big_endian(start.subspan(2, 2));
      if (count > kMaxEncodings) return std::nullopt;
      return 4 + 4 * count;
    }
    case vnc_message::kUpdateRequest: return 10;
    case vnc_message::kKey: return 8;
    case vnc_message::kPointer: return 6;
    case vnc_message::kCutText: {
      if (start.size() < 8) return 8;
      // Below zero it is of the extended clipboard.
      const auto length = static_cast<i32>(big_endian(start.subspan(4, 4)));
      const u64 bytes = length < 0 ? u64(-i64{length}) : u64(length);
      if (bytes > kMaxCutTextBytes) return std::nullopt;
      return 8 + bytes;
    }
    case vnc_message::kSetDesktopSize: {
      if (start.size() < 8) return 8;
      if (start[6] > kMaxScreens) return std::nullopt;
      return 8 + 16 * std::size_t{start[6]};
    }
    case vnc_message::kQemu:
      if (start.size() < 2) return 2;
      if (start[1] != 0) return std::nullopt;  // sound, and others
      return vnc_message::kQemuKeyBytes;
    default: return std::nullopt;
  }
}

}  // namespace reprise::frontend
