// QMP: QEMU's protocol for programs, on the commands of the monitor. docs/qemu.md; QEMU, "QEMU Machine Protocol Specification".
//
//     {"execute": "query-status", "id": 1}
//     {"return": {"status": "running", "running": true, "singlestep": false}, "id": 1}
//
// Requests are hostile: any bytes give a response.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "machine/guest_event.h"
#include "machine/monitor/monitor.h"
#include "machine/run_result.h"

namespace reprise::machine::monitor {

/// The next whole JSON value at the beginning of `received`, which loses it; empty: there is none yet. Values need nothing
/// between them. Bytes that begin no object come back as they are, up to the end of their line.
std::string take_json(std::string& received);

/// What one client has said and may say.
class QmpSession {
 public:
  /// `pretty`: answers of several lines.
  explicit QmpSession(bool pretty) : pretty_(pretty) {}

  /// The first line that the client gets. Any thread. No newline at its end, as with responses.
  std::string greeting(const Monitor& monitor) const;
  /// Machine thread, between turns. What happened because of the request is put behind `events`, for all clients.
  std::string respond(Monitor& monitor, std::string_view request, std::vector<Json>& events);
  /// The response where the run is over, or a request was too long.
  std::string refused(std::string_view why) const;
  /// Events are for those who have asked for capabilities.
  bool takes_events() const { return negotiated_; }
  std::string text_of(const Json& json) const;

 private:
  const bool pretty_;
  bool negotiated_ = false;
};

/// What clients are told of what the guest has brought about. The event's time counts from `rtc_unix_s`.
std::vector<Json> qmp_events_of(const GuestEvent& happened, i64 rtc_unix_s);

/// What clients are told of the end of a run: SHUTDOWN, and what led to it. `was_off`: they know that the guest is off.
std::vector<Json> qmp_events_of_end(const RunResult& result, bool was_off = false);

}  // namespace reprise::machine::monitor
