#include "machine/symbols/symbol_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/words.h"
#include "machine/storage/host_file.h"
#include "machine/symbols/elf_symbols.h"

namespace reprise::machine::symbols {
namespace {

constexpr u64 kMaxTextBytes = u64{256} << 20;
constexpr std::string_view kElfMagic = "\177ELF";

/// A line "ffffffff81000000 T _text", or of a module's, with "\t[name]" behind it.
void add_line(SymbolTable& table, std::string_view line, bool& has_address) {
  u64 linear = 0;
  const char* const end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data(), end, linear, 16);
  if (error != std::errc{} || end - rest < 4 || rest[0] != ' ' || rest[2] != ' ') return;
  std::string_view name(rest + 3, end);
  const std::size_t blank = name.find_first_of(" \t\r");
  const std::string_view behind = blank == name.npos ? "" : name.substr(blank);
  name = name.substr(0, blank);
  // Debian's /boot/System.map has a sentence where the name should be.
  if (!behind.empty() && behind != "\r" && behind.find('[') == behind.npos) return;
  has_address = has_address || linear != 0;
  const char letter = rest[1];
  if (letter == 'U') return;
  const bool weak = letter == 'W' || letter == 'w' || letter == 'V' || letter == 'v';
  const bool local = letter >= 'a' && letter <= 'z';
  table.add(linear, name,
            weak    ? SymbolTable::Kind::Weak
            : local ? SymbolTable::Kind::Local
                    : SymbolTable::Kind::Global);
}

Result<Done> add_lines(SymbolTable& table, std::string_view text) {
  bool has_address = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    add_line(table, text.substr(0, end), has_address);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (table.empty())
    return Error{
        "is no ELF file and has no line such as 'ffffffff81000000 T _text'; Debian keeps a kernel's vmlinux "
        "and "
        "System.map "
        "in linux-image-...-dbg"};
  // What the kernel shows to those who may not know.
  if (!has_address) return Error{"has no addresses, only zeros: read /proc/kallsyms as root"};
  return Done{};
}

}  // namespace

Result<std::shared_ptr<const SymbolTable>> load_symbols(const std::string& path) {
  const auto table = std::make_shared<SymbolTable>(path);
  const u64 bytes = TRY(host_file_bytes("symbols", path));
  const std::vector<u8> head = TRY(read_host_head("symbols", path, kElfMagic.size()));
  const auto bad = [&](std::string_view why) {
    return wrong_usage(fmt::format("symbols '{}' {}.", in_one_line(path), why));
  };
  if (std::ranges::equal(head, kElfMagic)) {
    table->set_elf();
    if (const Result<Done> added = add_elf_symbols(*table, path, bytes); !added)
      return bad(added.error().message);
  } else {
    if (bytes > kMaxTextBytes)
      return bad(fmt::format("is no ELF file, and too big for a list: {} bytes", bytes));
    const std::vector<u8> text = TRY(read_host_head("symbols", path, kMaxTextBytes));
    const Result<Done> added = add_lines(*table, {reinterpret_cast<const char*>(text.data()), text.size()});
    if (!added) return bad(added.error().message);
  }
  table->finish();
  return std::shared_ptr<const SymbolTable>(table);
}

}  // namespace reprise::machine::symbols
