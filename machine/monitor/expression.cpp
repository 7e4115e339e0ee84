#include "machine/monitor/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "common/numbers.h"
#include "common/words.h"

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
  struct Named {
    std::string_view name;
    u64 value;
  };
  const Named others[] = {{"cr0", state.cr0},
                          {"cr2", state.cr2},
                          {"cr3", state.cr3},
                          {"cr4", state.cr4},
                          {"rflags", state.rflags},
                          {"eflags", state.rflags},
                          {"fs_base", state.seg[cpu::FS].base},
                          {"gs_base", state.seg[cpu::GS].base}};
  for (const Named& other : others)
    if (name == other.name) return other.value;
  const auto* gpr = std::ranges::find(kGpr, name);
  if (gpr == std::end(kGpr)) return std::nullopt;
  return state.gpr[gpr - std::begin(kGpr)];
}

class Parser {
 public:
  Parser(const cpu::CpuState& state, std::string_view text, const symbols::KernelSymbols* symbols)
      : state_(state), text_(text), symbols_(symbols) {}

  Result<u64> whole() {
    const u64 value = TRY(sum(0));
    skip_blanks();
    if (text_.starts_with(')')) return Error{"a ')' has no '('"};
    if (!text_.empty())
      return Error{fmt::format("no operator stands before '{}' (there are + - * / % & | ^ ~)", rest())};
    return value;
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
  std::string rest() const { return in_one_line(text_.substr(0, 40)); }

  Result<u64> sum(std::size_t level) {
    if (level == kTightest) return operand();
    u64 left = TRY(sum(level + 1));
    for (;;) {
      skip_blanks();
      if (text_.empty() || kOperators[level].find(text_[0]) == std::string_view::npos) return left;
      const char op = text_[0];
      text_.remove_prefix(1);
      const u64 right = TRY(sum(level + 1));
      if (right == 0 && (op == '/' || op == '%')) return Error{"there is a division by 0"};
      left = apply(op, left, right);
    }
  }

  static u64 apply(char op, u64 left, u64 right) {
    switch (op) {
      case '|': return left | right;
      case '^': return left ^ right;
      case '&': return left & right;
      case '+': return left + right;
      case '-': return left - right;
      case '*': return left * right;
      case '/': return left / right;
      default: return left % right;
    }
  }

  Result<u64> operand() {
    if (depth_ == kDeepest) return Error{fmt::format("it is nested deeper than {}", kDeepest)};
    ++depth_;
    Result<u64> value = signed_operand();
    --depth_;
    return value;
  }

  Result<u64> signed_operand() {
    if (take('-')) return 0 - TRY(operand());
    if (take('~')) return ~TRY(operand());
    if (take('+')) return operand();
    if (!take('(')) return word();
    const u64 value = TRY(sum(0));
    if (!take(')')) return Error{"a '(' has no ')'"};
    return value;
  }

  Result<u64> word() {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$_.";
    const std::string_view word = text_.substr(0, text_.find_first_not_of(kLetters));
    if (word.empty() && text_.empty()) return Error{"a number or register is missing at its end"};
    if (word.empty()) return Error{fmt::format("a number or register is missing before '{}'", rest())};
    text_.remove_prefix(word.size());
    if (const std::optional<u64> number = parse_number(word)) return *number;
    if (const std::optional<u64> value = register_value(state_, word)) return *value;
    if (symbols_ != nullptr)
      if (const std::optional<u64> value = symbols_->address_of(word)) return *value;
    const bool hex = word.starts_with("0x") || word.starts_with("0X");
    const std::string_view digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
    const std::size_t prefix = hex ? 2 : 0;
    if (word.size() > prefix && word.find_first_not_of(digits, prefix) == word.npos)
      return Error{fmt::format("'{}' has more than 64 bits", word.substr(0, 60))};
    return Error{
        fmt::format("'{}' is neither a number nor a register{}", word.substr(0, 60),
                    symbols_ != nullptr && symbols_->given() ? ", nor a name that is known now" : "")};
  }

  const cpu::CpuState& state_;
  std::string_view text_;
  const symbols::KernelSymbols* const symbols_;
  unsigned depth_ = 0;
};

}  // namespace

Result<u64> evaluate(const cpu::CpuState& state, std::string_view text,
                     const symbols::KernelSymbols* symbols) {
  return Parser(state, text, symbols).whole();
}

}  // namespace reprise::machine::monitor
