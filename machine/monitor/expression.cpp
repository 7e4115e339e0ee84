#include "machine/monitor/expression.h"

#include <algorithm>

#include "common/numbers.h"

namespace reprise::machine::monitor {
namespace {

/// Operators that bind alike, the loosest first.
constexpr std::string_view kOperators[] = {"|", "^", "&", "+-", "*/%"};
constexpr std::size_t kTightest = std::size(kOperators);

std::optional<u64> register_value(const cpu::CpuState& state, std::string_view name) {
  static constexpr std::string_view kGpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                              "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  if (name.starts_with('$')) name.remove_prefix(1);
  if (name == "rip" || name == "pc" || name == "eip") return state.rip + state.seg[cpu::CS].base;
  if (name == "rsp" || name == "sp" || name == "esp") return state.gpr[cpu::RSP] + state.seg[cpu::SS].base;
  if (name == "cr2") return state.cr2;
  const auto* gpr = std::ranges::find(kGpr, name);
  if (gpr == std::end(kGpr)) return std::nullopt;
  return state.gpr[gpr - std::begin(kGpr)];
}

class Parser {
 public:
  Parser(const cpu::CpuState& state, std::string_view text) : state_(state), text_(text) {}

  std::optional<u64> whole() {
    const std::optional<u64> value = sum(0);
    skip_blanks();
    return text_.empty() ? value : std::nullopt;
  }

 private:
  /// Parentheses and signs that a person types are few; more must not end our stack.
  static constexpr unsigned kDeepest = 64;

  void skip_blanks() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t"), text_.size())); }
  bool take(char c) {
    skip_blanks();
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::optional<u64> sum(std::size_t level) {
    if (level == kTightest) return operand();
    std::optional<u64> left = sum(level + 1);
    for (;;) {
      skip_blanks();
      if (!left || text_.empty() || kOperators[level].find(text_[0]) == std::string_view::npos) return left;
      const char op = text_[0];
      text_.remove_prefix(1);
      const std::optional<u64> right = sum(level + 1);
      if (!right) return std::nullopt;
      left = apply(op, *left, *right);
    }
  }

  static std::optional<u64> apply(char op, u64 left, u64 right) {
    switch (op) {
      case '|': return left | right;
      case '^': return left ^ right;
      case '&': return left & right;
      case '+': return left + right;
      case '-': return left - right;
      case '*': return left * right;
      default: break;
    }
    if (right == 0) return std::nullopt;
    return op == '/' ? left / right : left % right;
  }

  std::optional<u64> operand() {
    if (depth_ == kDeepest) return std::nullopt;
    ++depth_;
    std::optional<u64> value;
    if (take('-')) {
      if ((value = operand())) value = 0 - *value;
    } else if (take('~')) {
      if ((value = operand())) value = ~*value;
    } else if (take('+')) {
      value = operand();
    } else if (take('(')) {
      value = sum(0);
      if (!take(')')) value.reset();
    } else {
      value = word();
    }
    --depth_;
    return value;
  }

  std::optional<u64> word() {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$_";
    const std::string_view word = text_.substr(0, text_.find_first_not_of(kLetters));
    text_.remove_prefix(word.size());
    const std::optional<u64> number = parse_number(word);
    return number ? number : register_value(state_, word);
  }

  const cpu::CpuState& state_;
  std::string_view text_;
  unsigned depth_ = 0;
};

}  // namespace

std::optional<u64> evaluate(const cpu::CpuState& state, std::string_view text) {
  return Parser(state, text).whole();
}

}  // namespace reprise::machine::monitor
