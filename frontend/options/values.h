// Values of options as text; nullopt when malformed or out of range.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/numbers.h"
#include "common/types.h"
#include "frontend/options/run_options.h"

namespace reprise::frontend {

/// "512M", "1.5G", "65536K", "2GiB", or plain bytes. A broken number is rounded down to 4 KiB.
std::optional<u64> parse_size(std::string_view text);
/// As parse_size, and a small number without a unit counts MiB, as QEMU's -m does.
std::optional<u64> parse_memory(std::string_view text);
/// Seconds with an optional fraction: "1.5".
std::optional<double> parse_seconds(std::string_view text);
/// "2024-02-29", "2024-02-29T12:34:56" (UTC), seconds since 1970, or "now": what the host's clock
/// shows.
std::optional<i64> parse_time(std::string_view text);
/// "unix:PATH": the path.
std::optional<std::string> parse_monitor(std::string_view text);
/// "none", "sdl", "wav:PATH".
std::optional<SoundTarget> parse_sound(std::string_view text);
/// "stdio", "null", "file:PATH", "pty", and what parse_socket_address() takes.
std::optional<SerialTarget> parse_serial(std::string_view text);

}  // namespace reprise::frontend
