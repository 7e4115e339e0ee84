#include "frontend/output/terminal_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/numbers.h"
#include "common/words.h"

namespace reprise::frontend {
namespace {

constexpr char kEscape = '\x1b';
/// Nothing that a terminal understands is longer.
constexpr std::size_t kMaxSequence = 256;
/// A palette of 256 colours in one string; of a longer one the rest says nothing more to us.
constexpr std::size_t kMaxString = 8192;

/// Private modes (DECSET) that are on in a terminal that nobody has touched; all others are off.
constexpr std::string_view kOnByDefault[] = {"7", "8", "25"};
/// The end of what these begin brings back character sets that were saved then.
constexpr std::string_view kSavingModes[] = {"1048", "1049"};

constexpr std::string_view kAlways = "\x1b[m\x1b[?7h\x1b[?25h";
constexpr std::string_view kEndOfString = "\x1b\\";
constexpr char kShiftOut = 0x0e;
constexpr char kShiftIn = 0x0f;
constexpr char kCancel = 0x18, kSubstitute = 0x1a, kDelete = 0x7f;
/// A string that is not whole is better not carried out.
constexpr std::string_view kAbortOfString = "\x18";
/// In UTF-8, C1 controls are this and a byte.
constexpr char kBeforeC1 = '\xc2';
/// A guest that pushes its keys for ever does not get more memory for it.
constexpr std::size_t kMaxPushed = 64;
constexpr std::size_t kMaxColors = 512;

/// Modes of ECMA-48 and DEC without a question mark, and whether they are on in a terminal that nobody has touched: keyboard
/// lock, insertion, no local echo, new line.
constexpr std::pair<std::string_view, bool> kModes[] = {
    {"2", false}, {"4", false}, {"12", true}, {"20", false}};

bool is_on_by_default(std::string_view mode) {
  return std::ranges::find(kOnByDefault, mode) != std::end(kOnByDefault);
}

bool is_home(std::string_view parameters) {
  return parameters.find_first_not_of("01;") == std::string_view::npos &&
         parameters.find("11") == std::string_view::npos && parameters.find("10") == std::string_view::npos;
}

}  // namespace

std::string TerminalFilter::take(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool after_c2 = std::exchange(held_c2_, c == kBeforeC1);
    const bool is_c1 = static_cast<u8>(c) >= 0x80 && static_cast<u8>(c) < 0xa0;
    if (after_c2 && is_c1) {
      take_byte(out, kEscape);
      take_byte(out, static_cast<char>(static_cast<u8>(c) - 0x40));
      continue;
    }
    if (after_c2) take_byte(out, kBeforeC1);
    if (c != kBeforeC1) take_byte(out, c);
  }
  return out;
}

void TerminalFilter::take_byte(std::string& out, char c) {
  if (c == kEscape) {
    // A new one begins, whatever came of the last.
    out += sequence_;
    if (state_ == State::String) end_string();
    sequence_ = c;
    state_ = State::Escape;
    return;
  }
  if (state_ == State::Text || state_ == State::String) return plain(out, c);
  if (c == kCancel || c == kSubstitute) {
    sequence_.clear();
    state_ = State::Text;
    out += c;
    return;
  }
  // Carried out at once, and the sequence goes on.
  if (static_cast<u8>(c) < ' ') return plain(out, c);
  if (c == kDelete) return;
  sequence_ += c;
  const bool in_range = c >= ' ' && c <= '~';
  if (!in_range || sequence_.size() > kMaxSequence) {
    out += sequence_;
    sequence_.clear();
    state_ = State::Text;
  } else if (state_ == State::Escape && c == '[') {
    state_ = State::Control;
  } else if (state_ != State::Control && c < '0') {
    state_ = State::Intermediate;
  } else if (state_ != State::Control || c >= '@') {
    end_sequence(out);
  }
}

void TerminalFilter::end_sequence(std::string& out) {
  const std::string sequence = std::exchange(sequence_, {});
  const State state = std::exchange(state_, State::Text);
  if (state == State::Control) {
    sequence_ = sequence;
    control_sequence(out, sequence.back(), std::string_view(sequence).substr(2, sequence.size() - 3));
    sequence_.clear();
    return;
  }
  changed_ = true;
  if (sequence ==
      "\x1b"
      "c") {
    out += undone() + "\x1b[m\x1b[H";
    forget();
    clear(out, "\x1b[2J");
    return;
  }
  escape_sequence(sequence);
  out += sequence;
}

void TerminalFilter::plain(std::string& out, char c) {
  out += c;
  if (state_ == State::String) return string_byte(c);
  at_home_ = false;
  if (c != kShiftOut && c != kShiftIn) return;
  changed_ = true;
  note("shift", c == kShiftOut ? std::string_view("\x0f") : "", "\x0e");
}

void TerminalFilter::string_byte(char c) {
  constexpr char kBell = 0x07;
  if (c == kCancel || c == kSubstitute) {
    state_ = State::Text;
  } else if (c == kBell && string_.starts_with(']')) {
    end_string();
  } else if (string_.size() < kMaxString) {
    string_ += c;
    // Linux's console: a colour of its palette, without an end.
    constexpr std::size_t kPaletteBytes = 9;
    if (string_.starts_with("]P") && string_.size() == kPaletteBytes) {
      note("palette of Linux", "\x1b]R\x1b\\", "");
      state_ = State::Text;
    }
  }
}

void TerminalFilter::end_string() {
  state_ = State::Text;
  if (!string_.starts_with(']')) return;
  const std::vector<std::string_view> words = words_between(std::string_view(string_).substr(1), ";");
  const std::optional<u64> command = words.empty() ? std::nullopt : parse_number(words[0]);
  if (!command) return;
  const std::string whole = fmt::format("\x1b{}{}", string_, kEndOfString);
  // A link: its parameters, then where it leads to; nowhere ends it.
  if (*command == 8 && words.size() >= 3) note("link", words[2].empty() ? "" : "\x1b]8;;\x1b\\", whole);
  // Colours: pairs of a number and what it is to be; or those of text, background and cursor in turn. "?" only asks.
  for (std::size_t i = 1; *command == 4 && i + 1 < words.size(); i += 2)
    if (words[i + 1] != "?" && parse_number(words[i]))
      note(fmt::format("color {}", words[i]), fmt::format("\x1b]104;{}{}", words[i], kEndOfString),
           fmt::format("\x1b]4;{};{}{}", words[i], words[i + 1], kEndOfString));
  constexpr u64 kFirst = 10, kLast = 19;
  for (std::size_t i = 1; *command >= kFirst && i < words.size() && *command + i - 1 <= kLast; ++i)
    if (words[i] != "?" && !words[i].empty())
      note(fmt::format("color of {}", *command + i - 1),
           fmt::format("\x1b]{}{}", *command + i - 1 + 100, kEndOfString),
           fmt::format("\x1b]{};{}{}", *command + i - 1, words[i], kEndOfString));
}

void TerminalFilter::escape_sequence(std::string_view sequence) {
  const char first = sequence.size() > 1 ? sequence[1] : '\0';
  switch (first) {
    case '(':
    case ')':
    case '*':
    case '+':
      note(fmt::format("set {}", first), sequence.ends_with('B') ? "" : fmt::format("\x1b{}B", first),
           sequence);
      break;
    case '%': note("coding", sequence.ends_with('@') ? "\x1b%G" : "", sequence); break;
    case 'n':
    case 'o': note("shift", "\x0f", sequence); break;
    case '=': note("keypad", "\x1b>", sequence); break;
    case '>': note("keypad", "", ""); break;
    case 'H': note("tabs", "\x1b[?5W", ""); break;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
      state_ = State::String;
      string_ = first;
      break;
    default: break;
  }
}

void TerminalFilter::set_mode(std::string_view parameters, bool on) {
  for (const std::string_view word : words_between(parameters, ";"))
    for (const auto& [mode, usual] : kModes)
      if (word == mode)
        note(fmt::format("mode {}", mode),
             on == usual ? "" : fmt::format("\x1b[{}{}", mode, usual ? 'h' : 'l'),
             fmt::format("\x1b[{}{}", mode, on ? 'h' : 'l'));
}

void TerminalFilter::note(std::string what, std::string_view undo, std::string_view redo) {
  if (undo.empty())
    changes_.erase(what);
  else
    changes_[std::move(what)] = {std::string(undo), std::string(redo)};
}

bool TerminalFilter::on_other_screen() const {
  constexpr std::string_view kOtherScreen[] = {"47", "1047", "1049"};
  return std::ranges::any_of(kOtherScreen, [&](std::string_view mode) {
    const auto found = modes_.find(std::string(mode));
    return found != modes_.end() && found->second;
  });
}

void TerminalFilter::kitty_keys(std::string_view parameters) {
  KittyKeys& keys = kitty_[on_other_screen() ? 1 : 0];
  const std::string_view given = parameters.empty() ? parameters : parameters.substr(1);
  if (parameters.starts_with('>')) {
    if (keys.pushed.size() < kMaxPushed) keys.pushed.emplace_back(given);
  } else if (parameters.starts_with('<')) {
    const u64 count = parse_number(given).value_or(1);
    keys.pushed.resize(keys.pushed.size() - std::min<u64>(count, keys.pushed.size()));
  } else if (parameters.starts_with('=') && keys.pushed.empty()) {  // else what was pushed changes
    keys.set = given.empty() || given == "0" || given == "0;1" ? std::string_view() : given;
  }
}

void TerminalFilter::control_sequence(std::string& out, char final, std::string_view parameters) {
  const bool was_home = std::exchange(at_home_, false);
  changed_ = true;
  const bool is_private = parameters.starts_with('?');
  if (is_private && (final == 'h' || final == 'l')) {
    std::string kept;
    for (const std::string_view mode : words_between(parameters.substr(1), ";")) {
      if (mode.empty() || ((mode == "7" || mode == "2") && final == 'l')) continue;
      if (final == 'h' && std::ranges::find(kSavingModes, mode) != std::end(kSavingModes)) {
        note("set (", "\x1b(B", "");
        note("shift", "\x0f", "");
      }
      modes_[std::string(mode)] = final == 'h';
      kept += fmt::format("{}{}", kept.empty() ? "" : ";", mode);
    }
    if (!kept.empty()) out += fmt::format("\x1b[?{}{}", kept, final);
    return;
  }
  switch (final) {
    case 'J':
      if (parameters == "3") return;
      if (parameters == "2" || (was_home && (parameters.empty() || parameters == "0")))
        return clear(out, sequence_);
      break;
    case 'H':
    case 'f': at_home_ = is_home(parameters); break;
    case 'm':
    case 'n':
      at_home_ = was_home;
      if (parameters.starts_with('>'))
        key_resource(final, parameters.substr(1));
      else if (final == 'm')
        color(parameters);
      break;
    case 'u': kitty_keys(parameters); break;
    case 'h':
    case 'l': set_mode(parameters, final == 'h'); break;
    case 'g': note("tabs", "\x1b[?5W", ""); break;
    case 'q':
      if (parameters.ends_with(' '))
        note("cursor", parameters == " " || parameters == "0 " ? "" : "\x1b[0 q", sequence_);
      break;
    case 'r':
      if (is_private) break;
      margins_ = true;
      region_ = sequence_;
      break;
    default: break;
  }
  out += sequence_;
}

// xterm's "modifyOtherKeys" and its kin: m sets one, or without a value sets it back; n switches one off.
void TerminalFilter::key_resource(char final, std::string_view parameters) {
  const std::string_view resource = parameters.substr(0, parameters.find(';'));
  if (final == 'n') {
    const std::string_view off = resource.empty() ? "2" : resource;
    note(fmt::format("keys {}", off), fmt::format("\x1b[>{}m", off), sequence_);
  } else if (resource.empty()) {
    std::erase_if(changes_, [](const auto& change) { return change.first.starts_with("keys "); });
  } else {
    const bool sets = resource.size() + 1 < parameters.size();
    note(fmt::format("keys {}", resource), sets ? fmt::format("\x1b[>{}m", resource) : "", sequence_);
  }
}

void TerminalFilter::color(std::string_view parameters) {
  if (parameters.starts_with('?')) return;
  if (parameters.empty() || parameters == "0" || parameters.starts_with("0;")) colors_.clear();
  if (colors_.size() < kMaxColors) colors_ += sequence_;
}

void TerminalFilter::forget() {
  modes_.clear();
  changes_.clear();
  for (KittyKeys& keys : kitty_) keys = {};
  margins_ = false;
  region_.clear();
  colors_.clear();
}

void TerminalFilter::clear(std::string& out, std::string_view sequence) {
  // Lines that leave at the top are in the terminal's scroll-back.
  if (!std::exchange(cleared_, true))
    out += fmt::format(
        "\x1b"
        "7\x1b[m\x1b[{}H{}\x1b"
        "8",
        rows_(), std::string(rows_(), '\n'));
  out += sequence;
}

std::string TerminalFilter::restore() {
  std::string out = std::exchange(sequence_, {});
  if (std::exchange(held_c2_, false)) out += kBeforeC1;
  out += restoring();
  state_ = State::Text;
  changed_ = false;
  forget();
  return out;
}

std::string TerminalFilter::restoring() const {
  return changed_ ? undone() + std::string(kAlways) : std::string();
}

std::string TerminalFilter::undone() const {
  std::string out(state_ == State::String ? kAbortOfString : "");
  const auto undo_keys = [&](const KittyKeys& keys) {
    if (!keys.pushed.empty()) out += fmt::format("\x1b[<{}u", keys.pushed.size());
    if (!keys.set.empty()) out += "\x1b[=0u";
  };
  // Before the screen is left that has them.
  if (on_other_screen()) undo_keys(kitty_[1]);
  const auto origin = modes_.find("6");
  const bool in_region = origin != modes_.end() && origin->second;
  for (const auto& [mode, on] : modes_)
    if (on != is_on_by_default(mode)) out += fmt::format("\x1b[?{}{}", mode, on ? 'l' : 'h');
  undo_keys(kitty_[0]);
  // Taking the region away puts the cursor home, and so did the end of counting from it, which a saved cursor would bring
  // back.
  if (in_region)
    out += "\x1b[r\x1b[999H";
  else if (margins_)
    out +=
        "\x1b"
        "7\x1b[r\x1b"
        "8";
  for (const auto& [what, change] : changes_) out += change.undo;
  return out;
}

std::string TerminalFilter::changing() const {
  std::string out;
  const auto redo_keys = [&](const KittyKeys& keys) {
    if (!keys.set.empty()) out += fmt::format("\x1b[={}u", keys.set);
    for (const std::string& flags : keys.pushed) out += fmt::format("\x1b[>{}u", flags);
  };
  redo_keys(kitty_[0]);
  for (const auto& [mode, on] : modes_)
    if (on != is_on_by_default(mode)) out += fmt::format("\x1b[?{}{}", mode, on ? 'h' : 'l');
  if (on_other_screen()) redo_keys(kitty_[1]);
  if (margins_)
    out +=
        "\x1b"
        "7" +
        region_ +
        "\x1b"
        "8";
  for (const auto& [what, change] : changes_) out += change.redo;
  out += colors_;
  if (state_ == State::String) out += kEscape + string_;
  return out;
}

}  // namespace reprise::frontend
