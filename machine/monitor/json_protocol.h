// The monitor's JSON lines: one request object per line, one response object per request. docs/monitor.md.
//
//     {"execute": "info pagewalk", "arguments": {"address": "rip"}, "id": 1}
//     {"return": {...}, "id": 1}        {"error": {"class": "BadArgument", "message": "..."}, "id": 1}
//
// Requests are hostile: any bytes give a response.
#pragma once

#include <string>
#include <string_view>

#include "machine/monitor/monitor.h"

namespace reprise::machine::monitor {

/// The longest request, without its newline.
inline constexpr std::size_t kMaxRequestBytes = 64 * 1024;

/// The first line that a client gets. No newline at its end, as with responses. Any thread.
std::string greeting(const Monitor& monitor);
/// The response to a line, which must not be longer than kMaxRequestBytes. Machine thread, between turns.
std::string respond(Monitor& monitor, std::string_view request);
/// What a line gets that is longer. Any thread.
std::string too_long_response();
/// What a line gets once the run is over. Any thread.
std::string ended_response();

}  // namespace reprise::machine::monitor
