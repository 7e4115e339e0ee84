// How long messages of viewers are (RFC 6143, section 7), so that none is begun before all of it is there: whoever sends
// half of one keeps nobody waiting.
#pragma once

#include <optional>
#include <span>

#include "common/types.h"

namespace reprise::frontend {

/// Types of messages of viewers.
namespace vnc_message {
inline constexpr u8 kSetPixelFormat = 0;
inline constexpr u8 kSetEncodings = 2;
inline constexpr u8 kUpdateRequest = 3;
inline constexpr u8 kKey = 4;
inline constexpr u8 kPointer = 5;
inline constexpr u8 kCutText = 6;
inline constexpr u8 kSetDesktopSize = 251;
inline constexpr u8 kQemu = 255;
inline constexpr std::size_t kQemuKeyBytes = 12;
}  // namespace vnc_message

/// How many bytes the message has that begins with `start`; more than start.size() if it takes more to know.
/// nullopt: no viewer that is in its right mind sends that, or it asks for what is not offered.
std::optional<std::size_t> vnc_message_bytes(std::span<const u8> start);

/// Enough of a start to know the length of any message.
inline constexpr std::size_t kVncStartBytes = 8;
/// What text between clipboards may have; it is thrown away.
inline constexpr std::size_t kMaxCutTextBytes = 32 * 1024;

}  // namespace reprise::frontend
