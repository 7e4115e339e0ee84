// Commands that do what hands at keyboard and pointer do. All of it goes through the inbox.
#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "common/numbers.h"
#include "machine/monitor/command.h"
#include "machine/outside/sink_names.h"

namespace reprise::machine::monitor {
namespace {

CommandError bad(std::string message) { return {CommandError::Kind::BadArgument, std::move(message)}; }

void type_key(Machine& machine, Key key, bool down) {
  machine.inbox().post({std::string(kTypingSink), KeyEvent{key, down}});
}

/// "\n" and the like stand for one character each, "\x41" for that with this code. nullopt: a backslash before something
/// else.
std::optional<std::string> without_escapes(std::string_view text) {
  constexpr std::pair<char, char> kEscapes[] = {{'n', '\n'},   {'t', '\t'},  {'b', '\b'},
                                                {'e', '\x1b'}, {'\\', '\\'}, {'"', '"'}};
  std::string out;
  while (!text.empty()) {
    if (text[0] != '\\') {
      out += text[0];
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < 2) return std::nullopt;
    if (text[1] == 'x' && text.size() >= 4) {
      const auto code = parse_number(fmt::format("0x{}", text.substr(2, 2)));
      if (!code) return std::nullopt;
      out += static_cast<char>(*code);
      text.remove_prefix(4);
      continue;
    }
    const auto* escape = std::ranges::find(kEscapes, text[1], &std::pair<char, char>::first);
    if (escape == std::end(kEscapes)) return std::nullopt;
    out += escape->second;
    text.remove_prefix(2);
  }
  return out;
}

/// QEMU counts left, middle, right; PS/2 left, right, middle.
u8 buttons_of(u64 mask) {
  using namespace pointer_buttons;
  return static_cast<u8>((mask & (kLeft | kSide | kExtra)) | (mask & 2 ? kMiddle : 0) |
                         (mask & 4 ? kRight : 0));
}

constexpr std::pair<std::string_view, u8> kButtonNames[] = {{"left", pointer_buttons::kLeft},
                                                            {"middle", pointer_buttons::kMiddle},
                                                            {"right", pointer_buttons::kRight},
                                                            {"side", pointer_buttons::kSide},
                                                            {"extra", pointer_buttons::kExtra}};

/// Moves to arguments x and y. False: they lie outside.
bool go_to(Machine& machine, const Arguments& arguments) {
  const u64 x = arguments.number("x"), y = arguments.number("y");
  if (x > u64{kPointerMax} || y > u64{kPointerMax}) return false;
  machine.script_hands().move_to_place(static_cast<i32>(x), static_cast<i32>(y));
  return true;
}

CommandError outside_the_screen() {
  return bad(fmt::format("'x' and 'y' go from 0 to {}, left to right and top to bottom.", kPointerMax));
}

}  // namespace

Outcome sendkey(Machine& machine, const Arguments& arguments) {
  const auto keys = keys_between_dashes(arguments.word("keys"));
  if (!keys)
    return bad(fmt::format("'{}' are no keys such as ctrl-alt-delete, shift-a, ret, spc, f1 or kp_enter.",
                           arguments.word("keys").substr(0, 60)));
  for (const Key key : *keys) type_key(machine, key, true);
  for (const Key key : *keys | std::views::reverse) type_key(machine, key, false);
  return Answer{};
}

Outcome type_text(Machine& machine, const Arguments& arguments) {
  const std::optional<std::string> text = without_escapes(arguments.word("text"));
  if (!text) return bad("'text' has a backslash that is none of \\n, \\t, \\b, \\e, \\\\, \\\" and \\xHH.");
  std::vector<Keystroke> strokes;
  for (const char character : *text) {
    const auto stroke = us_keystroke(character);
    if (!stroke)
      return bad(fmt::format("'text' has a character without a key on the US layout: code {:#x}.",
                             static_cast<u8>(character)));
    strokes.push_back(*stroke);
  }
  for (const Keystroke& stroke : strokes) {
    if (stroke.shift) type_key(machine, Key::LeftShift, true);
    type_key(machine, stroke.key, true);
    type_key(machine, stroke.key, false);
    if (stroke.shift) type_key(machine, Key::LeftShift, false);
  }
  Answer answer;
  answer.json["characters"] = strokes.size();
  return answer;
}

Outcome mouse_move(Machine& machine, const Arguments& arguments) {
  constexpr i64 kMost = 32767;
  const auto counts = [&](std::string_view name) { return static_cast<i64>(arguments.number(name)); };
  for (const std::string_view name : {"dx", "dy", "wheel"})
    if (counts(name) < -kMost || counts(name) > kMost)
      return bad(fmt::format("'{}' goes from {} to {}.", name, -kMost, kMost));
  machine.script_hands().move_by(static_cast<i32>(counts("dx")), static_cast<i32>(counts("dy")));
  machine.script_hands().wheel(static_cast<i32>(counts("wheel")));
  return Answer{};
}

Outcome mouse_to(Machine& machine, const Arguments& arguments) {
  if (!go_to(machine, arguments)) return outside_the_screen();
  return Answer{};
}

Outcome mouse_buttons(Machine& machine, const Arguments& arguments) {
  const u64 mask = arguments.number("mask");
  if (mask > pointer_buttons::kAll)
    return bad("'mask' is a sum of 1 left, 2 middle, 4 right, 8 side, 16 extra.");
  machine.script_hands().set_buttons(buttons_of(mask));
  return Answer{};
}

Outcome click(Machine& machine, const Arguments& arguments) {
  const auto* button =
      std::ranges::find(kButtonNames, arguments.word("button"), &std::pair<std::string_view, u8>::first);
  if (button == std::end(kButtonNames))
    return bad("'button' is none of left, middle, right, side and extra.");
  if (arguments.has("x") != arguments.has("y")) return bad("'y' is missing: click button [x] [y].");
  if (arguments.has("x") && !go_to(machine, arguments)) return outside_the_screen();
  machine.script_hands().button(button->second, true);
  machine.script_hands().button(button->second, false);
  return Answer{};
}

}  // namespace reprise::machine::monitor
