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
    if (c == kEscape) {
      // A new one begins, whatever came of the last.
      out += sequence_;
      if (state_ == State::String) end_string();
      sequence_ = c;
      state_ = State::Escape;
      continue;
    }
    if (state_ == State::Text || state_ == State::String) {
      plain(out, c);
      continue;
    }
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
  return out;
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
    modes_.clear();
    undo_.clear();
    margins_ = false;
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
  note("shift", c == kShiftOut ? std::string_view("\x0f") : "");
}

void TerminalFilter::string_byte(char c) {
  constexpr char kBell = 0x07, kCancel = 0x18, kSubstitute = 0x1a;
  if (c == kCancel || c == kSubstitute) {
    state_ = State::Text;
  } else if (c == kBell && string_.starts_with(']')) {
    end_string();
  } else if (string_.size() < kMaxString) {
    string_ += c;
    // Linux's console: a colour of its palette, without an end.
    constexpr std::size_t kPaletteBytes = 9;
    if (string_.starts_with("]P") && string_.size() == kPaletteBytes) {
      note("palette of Linux", "\x1b]R\x1b\\");
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
  // Colours: pairs of a number and what it is to be; or those of text, background and cursor in turn. "?" only asks.
  for (std::size_t i = 1; *command == 4 && i + 1 < words.size(); i += 2)
    if (words[i + 1] != "?" && parse_number(words[i]))
      note(fmt::format("color {}", words[i]), fmt::format("\x1b]104;{}{}", words[i], kEndOfString));
  constexpr u64 kFirst = 10, kLast = 19;
  for (std::size_t i = 1; *command >= kFirst && i < words.size() && *command + i - 1 <= kLast; ++i)
    if (words[i] != "?" && !words[i].empty())
      note(fmt::format("color of {}", *command + i - 1),
           fmt::format("\x1b]{}{}", *command + i - 1 + 100, kEndOfString));
}

void TerminalFilter::escape_sequence(std::string_view sequence) {
  const char first = sequence.size() > 1 ? sequence[1] : '\0';
  switch (first) {
    case '(':
    case ')':
    case '*':
    case '+':
      note(fmt::format("set {}", first), sequence.ends_with('B') ? "" : fmt::format("\x1b{}B", first));
      break;
    case '%': note("coding", sequence.ends_with('@') ? "\x1b%G" : ""); break;
    case 'n':
    case 'o': note("shift", "\x0f"); break;
    case '=': note("keypad", "\x1b>"); break;
    case '>': note("keypad", ""); break;
    case 'H': note("tabs", "\x1b[?5W"); break;
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
             on == usual ? "" : fmt::format("\x1b[{}{}", mode, usual ? 'h' : 'l'));
}

void TerminalFilter::note(std::string what, std::string_view undo) {
  if (undo.empty())
    undo_.erase(what);
  else
    undo_[std::move(what)] = undo;
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
        note("set (", "\x1b(B");
        note("shift", "\x0f");
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
      at_home_ = was_home;
      if (parameters.starts_with(">4")) note("other keys", parameters.starts_with(">4;") ? "\x1b[>4m" : "");
      break;
    case 'h':
    case 'l': set_mode(parameters, final == 'h'); break;
    case 'g': note("tabs", "\x1b[?5W"); break;
    case 'q':
      if (parameters.ends_with(' '))
        note("cursor", parameters == " " || parameters == "0 " ? "" : "\x1b[0 q");
      break;
    case 'r': margins_ = margins_ || !is_private; break;
    default: break;
  }
  out += sequence_;
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
  std::string out = std::exchange(sequence_, {}) + restoring();
  state_ = State::Text;
  changed_ = margins_ = false;
  modes_.clear();
  undo_.clear();
  return out;
}

std::string TerminalFilter::restoring() const {
  return changed_ ? undone() + std::string(kAlways) : std::string();
}

std::string TerminalFilter::undone() const {
  std::string out(state_ == State::String ? kEndOfString : "");
  const auto origin = modes_.find("6");
  const bool in_region = origin != modes_.end() && origin->second;
  for (const auto& [mode, on] : modes_)
    if (on != is_on_by_default(mode)) out += fmt::format("\x1b[?{}{}", mode, on ? 'l' : 'h');
  // Taking the region away puts the cursor home, and so did the end of counting from it, which a saved cursor would bring
  // back.
  if (in_region)
    out += "\x1b[r\x1b[999H";
  else if (margins_)
    out +=
        "\x1b"
        "7\x1b[r\x1b"
        "8";
  for (const auto& [what, undo] : undo_) out += undo;
  return out;
}

}  // namespace reprise::frontend
