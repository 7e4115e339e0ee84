#include "machine/memory_report/program_name.h"

#include "machine/symbols/linear_reader.h"

namespace reprise::machine::memory_report {
namespace {

constexpr u64 kAtNull = 0;
constexpr u64 kAtExecfn = 31;
constexpr u64 kMaxArguments = 4096;
constexpr u64 kMaxEnvironment = 4096;
constexpr u64 kMaxAuxiliary = 64;
constexpr std::size_t kMaxName = 96;
constexpr std::size_t kMaxWords = 160;

/// A word has the size of the program's pointers.
class Reader : public symbols::LinearReader {
 public:
  Reader(const cpu::Cpu& cpu, unsigned word_bytes) : LinearReader(cpu), word_bytes_(word_bytes) {}
  unsigned word_bytes() const { return word_bytes_; }
  std::optional<u64> word(u64 linear) { return LinearReader::word(linear, word_bytes_); }

 private:
  const unsigned word_bytes_;
};

/// The address behind the 0 that ends the list at `linear`.
std::optional<u64> behind_list(Reader& reader, u64 linear, u64 most) {
  for (u64 i = 0; i <= most; ++i, linear += reader.word_bytes()) {
    const std::optional<u64> word = reader.word(linear);
    if (!word) return std::nullopt;
    if (*word == 0) return linear + reader.word_bytes();
  }
  return std::nullopt;
}

std::optional<u64> auxiliary(Reader& reader, u64 linear, u64 wanted) {
  for (u64 i = 0; i < kMaxAuxiliary; ++i, linear += 2 * reader.word_bytes()) {
    const std::optional<u64> type = reader.word(linear);
    if (!type || *type == kAtNull) return std::nullopt;
    if (*type == wanted) return reader.word(linear + reader.word_bytes());
  }
  return std::nullopt;
}

}  // namespace

std::optional<ProgramName> program_on_stack(const cpu::Cpu& cpu, u64 stack) {
  Reader reader(cpu, cpu.mode.is64() ? 8 : 4);
  const u64 word = reader.word_bytes();
  const std::optional<u64> arguments = reader.word(stack);
  if (!arguments || *arguments > kMaxArguments) return std::nullopt;
  const u64 first = stack + word;
  if (reader.word(first + *arguments * word) != u64{0}) return std::nullopt;
  const std::optional<u64> vector = behind_list(reader, first + (*arguments + 1) * word, kMaxEnvironment);
  if (!vector) return std::nullopt;
  const std::optional<u64> where = auxiliary(reader, *vector, kAtExecfn);
  if (!where) return std::nullopt;
  const std::optional<std::string> name = reader.text(*where, kMaxName);
  if (!name || name->empty()) return std::nullopt;
  ProgramName program{*name, ""};
  for (u64 i = 0; i < *arguments && program.words.size() < kMaxWords; ++i) {
    const std::optional<u64> at = reader.word(first + i * word);
    const std::optional<std::string> argument = at ? reader.text(*at, kMaxWords) : std::nullopt;
    if (!argument) break;
    if (i != 0) program.words += ' ';
    program.words += *argument;
  }
  if (program.words.size() > kMaxWords) program.words.resize(kMaxWords);
  return program;
}

}  // namespace reprise::machine::memory_report
