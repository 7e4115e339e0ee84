#include "frontend/output/terminal_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/words.h"

namespace reprise::frontend {
namespace {

constexpr char kEscape = '\x1b';
/// Nothing that a terminal understands is longer.
constexpr std::size_t kMaxSequence = 256;

/// Private modes (DECSET) that are on in a terminal that nobody has touched; all others are off.
constexpr std::string_view kOnByDefault[] = {"7", "25"};

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
      sequence_ = c;
      state_ = State::Escape;
      continue;
    }
    if (state_ == State::Text) {
      at_home_ = false;
      out += c;
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
    out += "\x1b[m\x1b[H";
    clear(out, "\x1b[2J");
    return;
  }
  out += sequence;
}

void TerminalFilter::control_sequence(std::string& out, char final, std::string_view parameters) {
  const bool was_home = std::exchange(at_home_, false);
  changed_ = true;
  const bool is_private = parameters.starts_with('?');
  if (is_private && (final == 'h' || final == 'l')) {
    std::string kept;
    for (const std::string_view mode : words_between(parameters.substr(1), ";")) {
      if (mode.empty() || (mode == "7" && final == 'l')) continue;
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
    case 'm': at_home_ = was_home; break;
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
  std::string out = std::exchange(sequence_, {});
  state_ = State::Text;
  if (!std::exchange(changed_, false)) return out;
  for (const auto& [mode, on] : modes_)
    if (on != is_on_by_default(mode)) out += fmt::format("\x1b[?{}{}", mode, on ? 'l' : 'h');
  modes_.clear();
  // Taking the region away puts the cursor home.
  if (std::exchange(margins_, false))
    out +=
        "\x1b"
        "7\x1b[r\x1b"
        "8";
  return out + "\x1b[m\x1b[?7h\x1b[?25h";
}

}  // namespace reprise::frontend
