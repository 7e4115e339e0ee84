#include "frontend/line_editor.h"

#include <algorithm>

namespace reprise::frontend {
namespace {

constexpr u8 ctrl(char letter) { return static_cast<u8>(letter & 0x1f); }
constexpr u8 kTab = '\t';
constexpr u8 kEscape = 0x1b;
constexpr u8 kDelete = 0x7f;
constexpr std::string_view kEraseLine = "\r\x1b[K";

}  // namespace

std::string LineEditor::redraw() const {
  std::string show(kEraseLine);
  show += prompt_ + line_;
  show.append(line_.size() - cursor_, '\b');
  return show;
}

LineEditor::Outcome LineEditor::key(u8 key) {
  switch (escape_) {
    case Escape::Begun:
      // ESC [ and ESC O begin sequences; anything else is a key of its own.
      escape_ = key == '[' || key == 'O' ? Escape::Sequence : Escape::None;
      sequence_.clear();
      return {};
    case Escape::Sequence:
      if (key >= '@' && key <= '~') {
        escape_ = Escape::None;
        return {escape_end(key), std::nullopt};
      }
      if (sequence_.size() < 8) sequence_ += static_cast<char>(key);
      return {};
    case Escape::None: break;
  }
  if (key == kEscape) {
    escape_ = Escape::Begun;
    return {};
  }
  if (key == '\r' || key == '\n') return enter();
  if (key >= ' ' && key < kDelete) return {insert(static_cast<char>(key)), std::nullopt};
  return {control(key), std::nullopt};
}

std::string LineEditor::control(u8 key) {
  switch (key) {
    case kTab: return complete();
    case kDelete:
    case ctrl('H'): return cursor_ == 0 ? "" : remove(cursor_ - 1, cursor_);
    case ctrl('D'): return remove(cursor_, std::min(cursor_ + 1, line_.size()));
    case ctrl('U'): return remove(0, cursor_);
    case ctrl('K'): return remove(cursor_, line_.size());
    case ctrl('W'): {
      std::size_t first = cursor_;
      while (first > 0 && line_[first - 1] == ' ') --first;
      while (first > 0 && line_[first - 1] != ' ') --first;
      return remove(first, cursor_);
    }
    case ctrl('C'):
      line_.clear();
      cursor_ = 0;
      recalled_ = history_.size();
      return "^C\r\n" + redraw();
    case ctrl('B'): return move_to(cursor_ == 0 ? 0 : cursor_ - 1);
    case ctrl('F'): return move_to(std::min(cursor_ + 1, line_.size()));
    case ctrl('E'): return move_to(line_.size());
    case ctrl('P'): return recalled_ == 0 ? "" : recall(recalled_ - 1);
    case ctrl('N'): return recalled_ >= history_.size() ? "" : recall(recalled_ + 1);
    case ctrl('L'): return "\x1b[H\x1b[2J" + redraw();
    default: return {};
  }
}

std::string LineEditor::escape_end(u8 key) {
  switch (key) {
    case 'A': return control(ctrl('P'));
    case 'B': return control(ctrl('N'));
    case 'C': return control(ctrl('F'));
    case 'D': return control(ctrl('B'));
    case 'H': return move_to(0);
    case 'F': return move_to(line_.size());
    case '~':
      if (sequence_ == "1" || sequence_ == "7") return move_to(0);
      if (sequence_ == "3") return control(ctrl('D'));
      if (sequence_ == "4" || sequence_ == "8") return move_to(line_.size());
      return {};
    default: return {};
  }
}

std::string LineEditor::insert(char character) {
  if (line_.size() >= kMaxLine) return {};
  line_.insert(cursor_++, 1, character);
  return cursor_ == line_.size() ? std::string(1, character) : redraw();
}

std::string LineEditor::remove(std::size_t first, std::size_t last) {
  if (first >= last) return {};
  line_.erase(first, last - first);
  cursor_ = first;
  return redraw();
}

std::string LineEditor::move_to(std::size_t cursor) {
  cursor_ = cursor;
  return redraw();
}

std::string LineEditor::recall(std::size_t index) {
  if (recalled_ == history_.size()) new_line_ = line_;
  recalled_ = index;
  line_ = index == history_.size() ? new_line_ : history_[index];
  cursor_ = line_.size();
  return redraw();
}

std::string LineEditor::complete() {
  const std::string before = line_.substr(0, cursor_);
  const std::vector<std::string> candidates = completions_(before);
  if (candidates.empty()) return {};
  std::string common = candidates[0];
  for (const std::string& candidate : candidates) {
    const auto differs = std::ranges::mismatch(common, candidate);
    common.erase(differs.in1, common.end());
  }
  if (candidates.size() == 1 && cursor_ == line_.size()) common += ' ';
  if (common.size() > before.size()) {
    line_.replace(0, cursor_, common);
    cursor_ = common.size();
    return redraw();
  }
  std::string show = "\r\n";
  for (const std::string& candidate : candidates) show += candidate + "\r\n";
  return show + redraw();
}

LineEditor::Outcome LineEditor::enter() {
  Outcome outcome{"\r\n", line_};
  const bool worth_keeping =
      line_.find_first_not_of(' ') != line_.npos && (history_.empty() || history_.back() != line_);
  if (worth_keeping) history_.push_back(line_);
  if (history_.size() > kMaxHistory) history_.erase(history_.begin());
  recalled_ = history_.size();
  line_.clear();
  cursor_ = 0;
  return outcome;
}

}  // namespace reprise::frontend
