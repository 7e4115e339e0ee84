#include "machine/monitor/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/numbers.h"
#include "common/words.h"
#include "machine/monitor/expression.h"

namespace reprise::machine::monitor {
namespace {

/// Parts of `text` between each `separator`.
std::vector<std::string> parts_of(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (const std::string_view part : words_between(text, separator)) parts.emplace_back(part);
  return parts;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A word begins with a letter: then it is a register's name.
bool names_registers(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (is_letter(text[i]) && (i == 0 || !(is_letter(text[i - 1]) || is_digit(text[i - 1])))) return true;
  return false;
}

/// The size and space of "u32" and its like.
std::optional<std::pair<unsigned, bool>> memory_name(std::string_view name) {
  if (name.empty() || (name[0] != 'u' && name[0] != 'p')) return std::nullopt;
  const std::optional<u64> bits = parse_number(name.substr(1));
  if (!bits || (*bits != 8 && *bits != 16 && *bits != 32 && *bits != 64)) return std::nullopt;
  return std::pair(static_cast<unsigned>(*bits / 8), name[0] == 'u');
}

/// `text` with the addresses of what `symbols` name in it now.
std::string with_addresses(const symbols::KernelSymbols& symbols, const cpu::CpuState& state,
                           std::string_view text) {
  if (!symbols.given()) return std::string(text);
  std::string result;
  while (!text.empty()) {
    const auto part_of_word = [](char c) { return is_letter(c) || is_digit(c) || c == '.'; };
    const auto* const end = std::ranges::find_if_not(text, part_of_word);
    const std::string_view word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    const bool named = !word.empty() && is_letter(word[0]) && !evaluate(state, word) && !memory_name(word);
    const std::optional<u64> address = named ? symbols.address_of(word) : std::nullopt;
    result += address ? fmt::format("{:#x}", *address) : word.empty() ? text.substr(0, 1) : word;
    text.remove_prefix(std::max<std::size_t>(word.size(), 1));
  }
  return result;
}

/// Memory in an expression.
struct Term {
  std::string address;  // an expression
  unsigned bytes = 0;
  bool linear = true;
  RamPieces pieces = {};  // where it is, whatever the registers hold; empty: it depends on them
};

/// An expression with memory in it: what stands before each term, and behind the last one.
struct Side {
  std::vector<std::string> text = {{}};
  std::vector<Term> terms = {};
  std::optional<u64> value = {};  // it is a number

  bool names_registers() const { return std::ranges::any_of(text, monitor::names_registers); }
};

enum class Comparison : u8 { Equal, NotEqual, Less, NotGreater, Greater, NotLess };
struct Operator {
  std::string_view text;
  Comparison comparison;
};
/// Those that another one begins with come behind it.
constexpr Operator kOperators[] = {{"==", Comparison::Equal},      {"!=", Comparison::NotEqual},
                                   {"<=", Comparison::NotGreater}, {">=", Comparison::NotLess},
                                   {"<", Comparison::Less},        {">", Comparison::Greater}};

bool compares(Comparison comparison, u64 left, u64 right) {
  switch (comparison) {
    case Comparison::Equal: return left == right;
    case Comparison::NotEqual: return left != right;
    case Comparison::Less: return left < right;
    case Comparison::NotGreater: return left <= right;
    case Comparison::Greater: return left > right;
    case Comparison::NotLess: break;
  }
  return left >= right;
}

struct Compared {
  Side left;
  std::optional<std::pair<Comparison, Side>> right = {};  // nothing: whether it is not 0
};
using All = std::vector<Compared>;  // they hold together
using Any = std::vector<All>;       // one of them holds

class Evaluator {
 public:
  Evaluator(Machine& machine, unsigned processor)
      : machine_(machine), cpu_(machine.pc().processors().at(processor).cpu) {}

  Result<u64> value(const Side& side) const {
    if (side.value) return *side.value;
    std::string text = side.text[0];
    for (std::size_t i = 0; i < side.terms.size(); ++i)
      text += fmt::format("{}{}", TRY(content(side.terms[i])), side.text[i + 1]);
    return evaluate(cpu_.state, text);
  }
  Result<bool> holds(const Compared& one) const {
    const u64 left = TRY(value(one.left));
    if (!one.right) return left != 0;
    return compares(one.right->first, left, TRY(value(one.right->second)));
  }
  /// What has no value at an instant, by a division by 0 or memory that is not mapped, does not hold then.
  bool holds(const Any& any) const {
    return std::ranges::any_of(any, [&](const All& all) {
      return std::ranges::all_of(all, [&](const Compared& one) {
        const Result<bool> result = holds(one);
        return result && result.value();
      });
    });
  }

 private:
  Result<u64> content(const Term& term) const {
    std::array<u8, 8> bytes{};
    std::size_t done = 0;
    if (!term.pieces.empty()) {
      for (const RamPiece& piece : term.pieces)
        for (u64 i = 0; i < piece.bytes; ++i) bytes[done++] = machine_.ram().host()[piece.ram_offset + i];
      return read_unaligned<u64>(bytes.data());
    }
    const u64 address = TRY(evaluate(cpu_.state, term.address));
    for (; done < term.bytes; ++done) {
      u64 phys = address + done;
      if (term.linear && !cpu_.mmu.peek_translate(phys, phys))
        return Error{fmt::format("{:#x} is not mapped", address + done)};
      const u8* const host = cpu_.mmu.phys_map().find(phys).host;
      if (host == nullptr) return Error{fmt::format("physical address {:#x} is not RAM", phys)};
      bytes[done] = *host;
    }
    return read_unaligned<u64>(bytes.data());
  }

  Machine& machine_;
  const cpu::Cpu& cpu_;
};

class Reader {
 public:
  Reader(Machine& machine, unsigned processor)
      : machine_(machine), processor_(processor), evaluator_(machine, processor) {}

  Result<Any> any(std::string_view text) {
    Any any;
    for (const std::string& part : parts_of(text, "||")) {
      All all;
      for (const std::string& one : parts_of(part, "&&")) all.push_back(TRY(compared(one)));
      any.push_back(std::move(all));
    }
    if (any.empty()) return Error{"it is empty"};
    return any;
  }

 private:
  Result<Compared> compared(std::string_view text) {
    std::size_t at = text.npos;
    const Operator* found = nullptr;
    for (const Operator& one : kOperators) {
      const std::size_t here = text.find(one.text);
      if (here == text.npos || here >= at) continue;
      at = here;
      found = &one;
    }
    Side left = TRY(side(text.substr(0, at)));
    if (found == nullptr) return Compared{std::move(left), std::nullopt};
    Side right = TRY(side(text.substr(at + found->text.size())));
    return Compared{std::move(left), std::pair(found->comparison, std::move(right))};
  }

  Result<Side> side(std::string_view text) {
    Side side;
    while (!text.empty()) {
      const std::size_t open = text.find('[');
      if (open == text.npos) {
        side.text.back() += text;
        break;
      }
      std::size_t name = open;
      while (name != 0 && (is_letter(text[name - 1]) || is_digit(text[name - 1]))) --name;
      const auto memory = memory_name(text.substr(name, open - name));
      const std::size_t close = text.find(']', open);
      if (!memory)
        return Error{fmt::format("before the '[' in '{}' stands none of u8, u16, u32, u64, p8, p16, p32, p64",
                                 in_one_line(text.substr(0, 40)))};
      if (close == text.npos) return Error{"a '[' has no ']'"};
      Term term{std::string(text.substr(open + 1, close - open - 1)), memory->first, memory->second};
      if (!monitor::names_registers(term.address)) {
        const u64 address = TRY(evaluate(state(), term.address));
        Result<RamPieces> pieces = pieces_of(machine_, processor_, address, term.bytes, term.linear);
        // The caller's sentence goes on.
        if (!pieces) return Error{fmt::format("'{}' is not there: {}", term.address, pieces.error().message)};
        term.pieces = pieces.take();
      }
      side.text.back() += text.substr(0, name);
      side.text.emplace_back();
      side.terms.push_back(std::move(term));
      text.remove_prefix(close + 1);
    }
    // What is wrong with it is wrong now.
    const u64 value = TRY(evaluator_.value(side));
    if (side.terms.empty() && !side.names_registers()) side.value = value;
    return side;
  }

  const cpu::CpuState& state() const { return machine_.pc().processors().at(processor_).cpu.state; }

  Machine& machine_;
  const unsigned processor_;
  const Evaluator evaluator_;
};

void depends_on(Condition& condition, const Side& side) {
  condition.by_instruction |= side.names_registers();
  for (const Term& term : side.terms) {
    condition.by_instruction |= term.pieces.empty();
    condition.memory.insert(condition.memory.end(), term.pieces.begin(), term.pieces.end());
  }
}

}  // namespace

Result<Condition> parse_condition(Machine& machine, unsigned processor, std::string_view text) {
  const cpu::CpuState& state = machine.pc().processors().at(processor).cpu.state;
  Result<Any> any = Reader(machine, processor).any(with_addresses(machine.symbols(), state, text));
  if (!any)
    return Error{fmt::format("'{}' is no condition such as u32[0x200000]==5 or rax>=4: {}.",
                             in_one_line(text.substr(0, 60)), any.error().message)};
  Condition condition;
  for (const All& all : any.value())
    for (const Compared& one : all) {
      depends_on(condition, one.left);
      if (one.right) depends_on(condition, one.right->second);
    }
  // Of constants alone: it may as well be looked at once.
  condition.by_instruction |= condition.memory.empty();
  condition.holds = [evaluator = Evaluator(machine, processor), any = any.take()] {
    return evaluator.holds(any);
  };
  return condition;
}

}  // namespace reprise::machine::monitor
