// A keyed digest: who does not have the key can make none for other bytes. HMAC with SHA-256, by OpenSSL (RFC 2104).
#pragma once

#include <span>
#include <vector>

#include "common/types.h"

namespace reprise::frontend {

inline constexpr std::size_t kMarkBytes = 32;

/// Of `head` and `bytes` behind each other. Empty: this build has no OpenSSL.
std::vector<u8> code_mark(std::span<const u8> key, std::span<const u8> head, std::span<const u8> bytes);

}  // namespace reprise::frontend
