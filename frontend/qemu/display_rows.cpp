// The screen.
#include <fmt/format.h>

#include <utility>

#include "common/numbers.h"
#include "frontend/options/option.h"
#include "frontend/qemu/option_row.h"

namespace reprise::frontend::qemu {
namespace {

void set_vnc(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "vnc");
  const std::string address = keys.take_or_empty("vnc");
  if (keys.take_switch("password") == true || keys.has("password-secret"))
    keys.refuse("passwords come from a file: give REPRISE_OPTIONS=--display=vnc:PORT,password-file=FILE");
  keys.ignore("to share lossy non-adaptive id key-delay-ms power-control audiodev");
  keys.refuse_rest();
  constexpr std::string_view kUnix = "unix:";
  if (address == "none") {
    draft.display = "none";
    return;
  }
  if (address.starts_with(kUnix)) {
    draft.display = "vnc:" + address;
    return;
  }
  const std::size_t colon = address.rfind(':');
  const std::optional<u64> number =
      colon == std::string::npos ? std::nullopt : parse_number(std::string_view(address).substr(colon + 1));
  constexpr u64 kFirstPort = 5900;
  constexpr u64 kMostNumber = 0xffff - kFirstPort;
  if (!number || *number > kMostNumber) keys.refuse("it is no address such as :1 or unix:PATH");
  const std::string host = address.substr(0, colon);
  if (host.empty()) draft.note(fmt::format("{} {}: viewers connect from this host only.", option, value));
  draft.display = fmt::format("vnc:{}:{}", host.empty() ? "127.0.0.1" : host, kFirstPort + *number);
}

void set_display(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "type");
  const std::string type = keys.take_or_empty("type");
  if (type == "vnc" || value.starts_with("vnc="))
    return set_vnc(draft, option, value.substr(value.find('=') + 1));
  if (type == "help") {
    draft.answer = "Available display backend types:\nnone\nsdl\nvnc\n";
    return;
  }
  keys.ignore(
      "gl window-close grab-on-hover show-cursor show-menubar full-screen zoom-to-fit alt_grab ctrl_grab "
      "grab-mod rendernode");
  if (type == "none" || type == "egl-headless") {
    draft.display = "none";
  } else if (type == "sdl" || type == "gtk" || type == "cocoa") {
    draft.display = "sdl";
  } else {
    keys.refuse(fmt::format("'{}' is none of none, sdl, gtk, vnc=ADDRESS", type));
  }
  keys.refuse_rest();
}

void set_vga(Draft& draft, std::string_view option, const std::string& value) {
  if (value == "none" || value == "std") {
    draft.vga = value;
  } else if (value == "virtio" || value == "qxl" || value == "cirrus" || value == "vmware") {
    draft.note(fmt::format("{} {}: the card is the one of -vga std.", option, value));
  } else {
    throw BadValue{fmt::format("{} {}: that is none of std, none", option, value)};
  }
}

void set_size(Draft& draft, std::string_view, const std::string& value) {
  const std::size_t depth = value.find('x', value.find('x') + 1);
  draft.words_of("--display-size", value.substr(0, depth));
}

constexpr OptionRow kRows[] = {
    {" display ", "TYPE", Effect::Translated, "--display: none, sdl (and for gtk), vnc=ADDRESS", set_display},
    {" nographic ", "", Effect::Translated,
     "serial port and monitor are on this terminal, and no screen is shown",
     [](Draft& draft, std::string_view, const std::string&) { draft.nographic = true; }},
    {" vnc ", ":NUMBER|unix:PATH|none", Effect::Translated, "--display vnc:", set_vnc},
    {" vga ", "std|none", Effect::Translated, "the card is the one of -vga std, always", set_vga},
    {" g ", "WxH[xDEPTH]", Effect::Translated, "--display-size", set_size},
    {" sdl ", "", Effect::Translated, "--display sdl",
     [](Draft& draft, std::string_view, const std::string&) { draft.display = "sdl"; }},
    {" full-screen ", "", Effect::Silent, "Ctrl+Alt+F in the window"},
    {" k ", "LAYOUT", Effect::Silent, "keys are where they are"},
    {" curses ", "", Effect::Refused,
     "the screen is not shown as text: give -nographic, or look with screen in the monitor"},
    {" spice ", "...", Effect::Refused, "there is no SPICE: give -vnc :1"},
};

}  // namespace

std::span<const OptionRow> display_rows() { return kRows; }

}  // namespace reprise::frontend::qemu
