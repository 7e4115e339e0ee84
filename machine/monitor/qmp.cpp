#include "machine/monitor/qmp.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/words.h"
#include "machine/monitor/qmp_commands.h"
#include "machine/monitor/qmp_schema.h"

namespace reprise::machine::monitor {
namespace {

constexpr int kMaxDepth = 16;
constexpr u64 kNsPerS = 1'000'000'000;

Json error(std::string_view kind, std::string_view message) {
  return {{"error", {{"class", kind}, {"desc", in_one_line(message)}}}};
}

/// Its time is the guest's, so that it is the same in each run.
Json event(std::string_view name, Json data, u64 unix_ns) {
  Json json = {{"timestamp", {{"seconds", unix_ns / kNsPerS}, {"microseconds", unix_ns % kNsPerS / 1000}}},
               {"event", name}};
  if (!data.is_null()) json["data"] = std::move(data);
  return json;
}

u64 guest_time_ns(Machine& machine) {
  return static_cast<u64>(machine.config().rtc_unix_s) * kNsPerS + machine.virtual_ns();
}

/// What a request names; a message in place of it.
struct Request {
  Json id = {};
  Json arguments = {};
  std::string command = {};
  std::string problem = {};
};

Request read(std::string_view text) {
  Request request;
  bool too_deep = false;
  const auto bound = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  const Json json = Json::parse(text.begin(), text.end(), bound, /*allow_exceptions=*/false);
  if (too_deep || json.is_discarded()) {
    request.problem = "JSON parse error, invalid request";
    return request;
  }
  if (!json.is_object()) {
    request.problem = "QMP input must be a JSON object";
    return request;
  }
  for (const auto& [key, value] : json.items()) {
    if (key == "id")
      request.id = value;
    else if (key == "arguments" && value.is_object())
      request.arguments = value;
    else if ((key == "execute" || key == "exec-oob") && value.is_string())
      request.command = value.get<std::string>();
    else
      request.problem = fmt::format("QMP input member '{}' is unexpected", key.substr(0, 60));
  }
  if (request.problem.empty() && request.command.empty())
    request.problem = "QMP input lacks member 'execute'";
  return request;
}

}  // namespace

std::string take_json(std::string& received) {
  const std::size_t begin = std::min(received.find_first_not_of(" \t\r\n"), received.size());
  received.erase(0, begin);
  if (received.empty()) return {};
  std::size_t end = received.npos;
  if (received[0] != '{') {
    end = received.find('\n');
    if (end == received.npos) return {};
  } else {
    unsigned depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < received.size() && end == received.npos; ++i) {
      const char c = received[i];
      if (quoted) {
        if (c == '\\') ++i;
        if (c == '"') quoted = false;
      } else if (c == '"') {
        quoted = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if ((c == '}' || c == ']') && --depth == 0) {
        end = i + 1;
      }
    }
    if (end == received.npos) return {};
  }
  std::string value = received.substr(0, end);
  received.erase(0, end);
  return value;
}

std::string QmpSession::text_of(const Json& json) const {
  return json.dump(pretty_ ? 4 : -1, ' ', false, Json::error_handler_t::replace);
}

std::string QmpSession::greeting(const Monitor& monitor) const {
  return text_of(
      {{"QMP",
        {{"version", {{"qemu", {{"micro", 0}, {"minor", 2}, {"major", 7}}}, {"package", monitor.version()}}},
         {"capabilities", Json::array()}}}});
}

std::string QmpSession::refused(std::string_view why) const { return text_of(error("GenericError", why)); }

std::string QmpSession::respond(Monitor& monitor, std::string_view text, std::vector<Json>& events) {
  const Request request = read(text);
  const auto with_id = [&](Json json) {
    if (!request.id.is_null()) json["id"] = request.id;
    return text_of(json);
  };
  if (!request.problem.empty()) return with_id(error("GenericError", request.problem));
  const auto commands = qmp_commands();
  const auto command = std::ranges::find(commands, request.command, &QmpCommand::name);
  if (command == commands.end())
    return with_id(error("CommandNotFound",
                         fmt::format("The command {} has not been found", request.command.substr(0, 60))));
  const bool negotiates = command->name == "qmp_capabilities";
  if (!negotiated_ && !negotiates)
    return with_id(error("CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'"));
  if (const auto checked = check_qmp_arguments(command->arguments, request.arguments); !checked)
    return with_id(error("GenericError", checked.error().message));
  Machine& machine = monitor.machine();
  const bool stood_still = machine.stopped();
  const Outcome outcome = command->answer != nullptr ? command->answer(monitor, request.arguments)
                                                     : monitor.execute(command->line, {});
  if (!outcome) {
    monitor.take_told();
    const std::string& message = outcome.error().message;
    const bool missing = message.starts_with("Device '") && message.ends_with("' not found");
    return with_id(error(missing ? "DeviceNotFound" : "GenericError", message));
  }
  negotiated_ = negotiated_ || negotiates;
  const u64 now = guest_time_ns(machine);
  if (machine.stopped() != stood_still) events.push_back(event(stood_still ? "RESUME" : "STOP", {}, now));
  if (command->name == "system_powerdown") events.push_back(event("POWERDOWN", {}, now));
  if (command->name == "system_reset")
    events.push_back(event("RESET", {{"guest", false}, {"reason", "host-qmp-system-reset"}}, now));
  for (ToldEvent& told : monitor.take_told()) events.push_back(event(told.name, std::move(told.data), now));
  return with_id({{"return", command->returns.empty() ? Json::object() : outcome.value().json}});
}

std::vector<Json> qmp_events_of(const GuestEvent& happened, i64 rtc_unix_s) {
  const u64 now = static_cast<u64>(rtc_unix_s) * kNsPerS + happened.virtual_ns;
  const auto of_guest = [](std::string_view reason) { return Json{{"guest", true}, {"reason", reason}}; };
  switch (happened.kind) {
    case GuestEvent::Kind::Reset: return {event("RESET", of_guest("guest-reset"), now)};
    case GuestEvent::Kind::Watchdog: return {event("WATCHDOG", {{"action", happened.action}}, now)};
    case GuestEvent::Kind::Panicked:
      return {event("GUEST_PANICKED", {{"action", "pause"}}, now), event("STOP", {}, now)};
    case GuestEvent::Kind::Unplugged:
      return {event("DEVICE_DELETED",
                    {{"device", happened.device}, {"path", "/machine/peripheral/" + happened.device}}, now)};
    case GuestEvent::Kind::Off:
      return {event("SHUTDOWN", of_guest("guest-shutdown"), now), event("STOP", {}, now)};
  }
  return {};
}

std::vector<Json> qmp_events_of_end(const RunResult& result, bool was_off) {
  struct Reason {
    ExitReason reason;
    bool guest;
    std::string_view name;
  };
  constexpr Reason kReasons[] = {
      {ExitReason::PowerOff, true, "guest-shutdown"},  {ExitReason::Reset, true, "guest-reset"},
      {ExitReason::TripleFault, true, "guest-reset"},  {ExitReason::Panic, true, "guest-panic"},
      {ExitReason::DebugExit, true, "guest-shutdown"}, {ExitReason::Quit, false, "host-qmp-quit"},
      {ExitReason::Signal, false, "host-signal"}};
  const auto* const found = std::ranges::find(kReasons, result.reason, &Reason::reason);
  const bool guest = found != std::end(kReasons) && found->guest && !was_off;
  const std::string_view name = was_off                       ? "host-qmp-quit"
                                : found != std::end(kReasons) ? found->name
                                                              : "host-error";
  std::vector<Json> events;
  if (result.reason == ExitReason::Panic)
    events.push_back(event("GUEST_PANICKED", {{"action", "poweroff"}}, result.virtual_ns));
  events.push_back(event("SHUTDOWN", {{"guest", guest}, {"reason", name}}, result.virtual_ns));
  return events;
}

}  // namespace reprise::machine::monitor
