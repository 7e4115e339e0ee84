#include "machine/monitor/json_protocol.h"

#include <fmt/format.h>

#include "common/words.h"

namespace reprise::machine::monitor {
namespace {

constexpr unsigned kProtocol = 1;
constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxIdBytes = 256;

std::string text_of(const Json& json) {
  // Device registers and file names may hold any bytes.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string error_text(std::string_view kind, std::string_view message, const Json& id = {}) {
  Json response = {{"error", {{"class", kind}, {"message", in_one_line(message)}}}};
  if (!id.is_null()) response["id"] = id;
  return text_of(response);
}

std::string_view name_of(CommandError::Kind kind) {
  constexpr std::string_view kNames[] = {"UnknownCommand", "BadArgument", "Failed"};
  return kNames[static_cast<unsigned>(kind)];
}

bool acceptable_id(const Json& id) {
  return id.is_number() || (id.is_string() && id.get_ref<const std::string&>().size() <= kMaxIdBytes);
}

/// A person's line in a program's request: {"execute": "human", "arguments": {"line": "info registers"}}.
Outcome human(Monitor& monitor, const Json& arguments) {
  if (!arguments.is_object() || arguments.size() != 1 || !arguments.contains("line") ||
      !arguments["line"].is_string())
    return CommandError{CommandError::Kind::BadArgument, "'human' takes one argument, the string 'line'."};
  Outcome outcome = monitor.execute_line(arguments["line"].get_ref<const std::string&>());
  if (!outcome) return outcome;
  Answer answer;
  answer.json["text"] = std::move(outcome.value().text);
  return answer;
}

}  // namespace

std::string greeting(const Monitor& monitor) {
  return text_of({{"reprise", {{"version", monitor.version()}, {"monitor", kProtocol}}}});
}

std::string too_long_response() {
  return error_text("BadRequest", fmt::format("A request is longer than {} bytes.", kMaxRequestBytes));
}

std::string ended_response() { return error_text("Ended", "The run is over."); }

std::string respond(Monitor& monitor, std::string_view line) {
  bool too_deep = false;
  const auto bound_depth = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  const Json request = Json::parse(line.begin(), line.end(), bound_depth, /*allow_exceptions=*/false);
  if (too_deep)
    return error_text("BadRequest", fmt::format("A request is nested deeper than {}.", kMaxDepth));
  if (request.is_discarded()) return error_text("BadRequest", "The line is not JSON.");
  if (!request.is_object()) return error_text("BadRequest", "A request is an object with 'execute'.");

  Json id;
  Json arguments;
  std::string command;
  for (const auto& [key, value] : request.items()) {
    if (key == "id") {
      if (!acceptable_id(value))
        return error_text("BadRequest", "'id' is neither a number nor a short string.");
      id = value;
    } else if (key == "arguments") {
      arguments = value;
    } else if (key == "execute" && value.is_string()) {
      command = value.get<std::string>();
    } else if (key != "execute") {
      return error_text("BadRequest", fmt::format("'{}' is no member of a request.", key.substr(0, 60)), id);
    }
  }
  if (command.empty()) return error_text("BadRequest", "'execute' must be a command's name.", id);

  const Outcome outcome =
      command == "human" ? human(monitor, arguments) : monitor.execute(command, arguments);
  if (!outcome) return error_text(name_of(outcome.error().kind), outcome.error().message, id);
  Json response = {{"return", outcome.value().json}};
  if (!id.is_null()) response["id"] = id;
  return text_of(response);
}

}  // namespace reprise::machine::monitor
