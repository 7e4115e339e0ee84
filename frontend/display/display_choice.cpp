#include "frontend/display/display_choice.h"

#include <fmt/format.h>

#include "common/numbers.h"

namespace reprise::frontend {
namespace {

/// Below are display numbers of other programs, :1 for port 5901.
constexpr u64 kLeastPort = 100;
constexpr std::string_view kVncForms =
    "vnc:unix:PATH[,password-file=FILE], vnc:[HOST:]PORT[,password-file=FILE]";

Result<VncChoice> parse_vnc(std::string_view text) {
  VncChoice vnc;
  constexpr std::string_view kPassword = ",password-file=";
  if (const std::size_t at = text.rfind(kPassword); at != text.npos) {
    vnc.password_path = text.substr(at + kPassword.size());
    if (vnc.password_path.empty()) return Error{"names no file: give password-file=FILE"};
    text = text.substr(0, at);
  }
  if (text.find(",password") != text.npos)
    return Error{
        "has a password where other processes could read it: give password-file=FILE, whose first line it "
        "is"};
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    vnc.unix_path = text.substr(kUnix.size());
    if (vnc.unix_path.empty()) return Error{"names no socket: give vnc:unix:PATH"};
    return vnc;
  }
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == text.npos ? "" : text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::optional<u64> port = parse_number(text.substr(colon == text.npos ? 0 : colon + 1));
  if (!port || *port > 0xffff) return Error{fmt::format("is not {}", kVncForms)};
  if (*port != 0 && *port < kLeastPort)
    return Error{fmt::format("has no port that can be: it is a port, not a number of a screen; give {}",
                             5900 + *port)};
  vnc.host = host;
  vnc.port = static_cast<u16>(*port);
  return vnc;
}

}  // namespace

Result<DisplayChoice> parse_display(std::string_view text) {
  if (text == "none") return DisplayChoice{};
  if (text == "sdl") return DisplayChoice{.kind = DisplayChoice::Kind::Sdl, .vnc = {}};
  constexpr std::string_view kVnc = "vnc:";
  if (!text.starts_with(kVnc)) return Error{fmt::format("is none of none, sdl, {}", kVncForms)};
  return DisplayChoice{.kind = DisplayChoice::Kind::Vnc, .vnc = TRY(parse_vnc(text.substr(kVnc.size())))};
}

}  // namespace reprise::frontend
