#include "machine/memory_report/program_name.h"

namespace reprise::machine::memory_report {
namespace {

constexpr u64 kAtNull = 0;
constexpr u64 kAtExecfn = 31;
constexpr u64 kMaxArguments = 4096;
constexpr u64 kMaxEnvironment = 4096;
constexpr u64 kMaxAuxiliary = 64;
constexpr std::size_t kMaxName = 96;
constexpr std::size_t kMaxWords = 160;

/// Reads guest memory by linear address without any effect.
class Reader {
 public:
  Reader(const cpu::Cpu& cpu, unsigned word_bytes) : cpu_(cpu), word_bytes_(word_bytes) {}
  unsigned word_bytes() const { return word_bytes_; }

  std::optional<u8> byte(u64 linear) {
    if ((linear & kPageMask) != page_ || host_ == nullptr) {
      u64 phys = 0;
      page_ = linear & kPageMask;
      host_ = nullptr;
      if (!cpu_.mmu.peek_translate(page_, phys)) return std::nullopt;
      host_ = cpu_.mmu.phys_map().ram_host(phys, kPageBytes);
      if (host_ == nullptr) return std::nullopt;
    }
    return host_[linear & ~kPageMask];
  }
  std::optional<u64> word(u64 linear) {
    u64 value = 0;
    for (unsigned i = 0; i < word_bytes_; ++i) {
      const std::optional<u8> next = byte(linear + i);
      if (!next) return std::nullopt;
      value |= u64{*next} << (8 * i);
    }
    return value;
  }
  /// Printable characters up to a 0, or `most` of them; the rest is dropped.
  std::optional<std::string> text(u64 linear, std::size_t most) {
    std::string text;
    while (text.size() < most) {
      const std::optional<u8> next = byte(linear + text.size());
      if (!next) return std::nullopt;
      if (*next == 0) return text;
      text += *next >= 0x20 && *next < 0x7f ? static_cast<char>(*next) : '?';
    }
    return text;
  }

 private:
  const cpu::Cpu& cpu_;
  const unsigned word_bytes_;
  u64 page_ = 0;
  const u8* host_ = nullptr;
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
