#include "frontend/qemu/character_device.h"

#include <fmt/format.h>

#include "frontend/options/option.h"
#include "frontend/qemu/option_row.h"

namespace reprise::frontend::qemu {
namespace {

/// What is said goes into a file, too, as --serial has it.
std::string take_log(KeyValues& keys) {
  const std::string path = keys.take_or_empty("logfile");
  const bool goes_on = keys.take_switch("logappend").value_or(false);
  return path.empty() ? std::string() : fmt::format(",log{}={}", goes_on ? "-append" : "", path);
}

/// ,server=on,wait=off and the like, behind an address, as --serial has them.
std::string take_socket_words(KeyValues& keys) {
  const bool server = keys.take_switch("server").value_or(false);
  // Both have defaults that depend on the other.
  const bool waits = keys.take_switch("wait").value_or(server);
  keys.ignore("nodelay delay reconnect reconnect-ms to ipv4 ipv6");
  for (const std::string_view key : {"telnet", "websocket", "tn3270"})
    if (keys.take_switch(key) == true) keys.refuse(fmt::format("{} is not spoken here: leave it out", key));
  if (keys.has("tls-creds")) keys.refuse("tls-creds=: connections are not encrypted: leave it out");
  keys.refuse_rest();
  return std::string(server ? "" : ",connect") + (server && waits ? ",wait" : "");
}

std::string file_target(const std::string& path) { return "file:" + path; }

}  // namespace

Chardev character_backend(KeyValues& keys) {
  const std::string kind = keys.take_or_empty("backend");
  Chardev out;
  out.mux = keys.take_switch("mux").value_or(false);
  out.log = take_log(keys);
  if (kind == "socket") {
    std::string address;
    if (const auto descriptor = keys.take("fd")) {
      address = "fd:" + *descriptor;
    } else if (const auto path = keys.take("path")) {
      keys.ignore("abstract tight");
      address = "unix:" + *path;
    } else {
      const std::string host = keys.take_or_empty("host");
      const auto port = keys.take("port");
      if (!port) keys.refuse("it has neither path= nor port=");
      address = fmt::format("tcp:{}:{}", host, *port);
    }
    out.target = address + take_socket_words(keys);
    return out;
  }
  if (kind == "stdio") {
    keys.ignore("signal");
    out.target = "stdio";
  } else if (kind == "null" || kind == "vc" || kind == "ringbuf" || kind == "memory" || kind == "msmouse" ||
             kind == "braille") {
    keys.ignore("size width height cols rows");
    out.target = "null";
  } else if (kind == "pty" || (kind == "serial" && !keys.has("path"))) {
    out.target = "pty";
  } else if (kind == "file") {
    const std::string path = keys.take_or_empty("path");
    if (path.empty()) keys.refuse("it has no path=");
    out.target = file_target(path);
    if (keys.take_switch("append") == true) {
      if (!out.log.empty()) keys.refuse("logfile=: the file has all that is said: leave it out");
      out = {.target = "null", .log = ",log-append=" + path, .mux = out.mux};
    }
  } else if (kind == "pipe") {
    const std::string path = keys.take_or_empty("path");
    if (path.empty()) keys.refuse("it has no path=");
    out.target = "pipe:" + path;
  } else {
    keys.refuse(fmt::format("'{}' is none of stdio, socket, pty, pipe, file, null", kind));
  }
  keys.refuse_rest();
  return out;
}

Chardev character_device(const Draft& draft, std::string_view option, const std::string& text) {
  constexpr std::string_view kMon = "mon:";
  constexpr std::string_view kId = "chardev:";
  const auto refuse = [&](std::string_view why) -> BadValue {
    return BadValue{fmt::format("{} {}: {}", option, text, why)};
  };
  if (text.starts_with(kMon)) {
    Chardev out = character_device(draft, option, text.substr(kMon.size()));
    out.mux = true;
    return out;
  }
  if (text.starts_with(kId)) {
    const auto found = draft.chardevs.find(text.substr(kId.size()));
    if (found == draft.chardevs.end()) throw refuse("there is no -chardev of that id");
    return found->second;
  }
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const std::string rest = colon == text.npos ? "" : text.substr(colon + 1);
  if (kind == "stdio" || kind == "pty") return {.target = kind};
  if (kind == "null" || kind == "vc" || kind == "msmouse") return {.target = "null"};
  if (kind == "file" && !rest.empty()) return {.target = file_target(rest)};
  if (kind == "pipe" && !rest.empty()) return {.target = "pipe:" + rest};
  if (kind == "unix" || kind == "tcp") {
    KeyValues keys = KeyValues::parse(option, rest, "address");
    const std::string address = keys.take_or_empty("address");
    if (address.empty()) throw refuse("it has no address");
    Chardev out{.target = kind + ":" + address};
    out.log = take_log(keys);
    out.target += take_socket_words(keys);
    return out;
  }
  throw refuse(
      "that is none of stdio, mon:stdio, unix:PATH, tcp:HOST:PORT, pty, pipe:PATH, file:PATH, null, "
      "chardev:ID");
}

}  // namespace reprise::frontend::qemu
