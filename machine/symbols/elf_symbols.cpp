// Sections are read one by one, not mapped: a file that is cut off meanwhile is an error, no signal. libelf checks what it
// reads against the file's size; what it hands out is checked here.
#include "machine/symbols/elf_symbols.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "machine/storage/host_fd.h"

namespace reprise::machine::symbols {
namespace {

constexpr u64 kMaxTypesBytes = u64{64} << 20;
constexpr u64 kMaxSymbols = u64{1} << 24;

struct EndElf {
  void operator()(Elf* elf) const { elf_end(elf); }
};
using OpenElf = std::unique_ptr<Elf, EndElf>;

std::optional<SymbolTable::Kind> kind_of(const GElf_Sym& symbol) {
  if (symbol.st_shndx == SHN_UNDEF) return std::nullopt;
  switch (GELF_ST_TYPE(symbol.st_info)) {
    case STT_NOTYPE:
    case STT_OBJECT:
    case STT_FUNC:
    case STT_GNU_IFUNC: break;
    default: return std::nullopt;
  }
  switch (GELF_ST_BIND(symbol.st_info)) {
    case STB_GLOBAL: return SymbolTable::Kind::Global;
    case STB_WEAK: return SymbolTable::Kind::Weak;
    default:
      return GELF_ST_TYPE(symbol.st_info) == STT_NOTYPE ? SymbolTable::Kind::Label : SymbolTable::Kind::Local;
  }
}

/// The section's content; empty where the file has none, or says that it lies where the file does not.
std::span<const u8> content_of(Elf_Scn* section, const GElf_Shdr& header, u64 file_bytes) {
  if (header.sh_type == SHT_NOBITS || header.sh_size > file_bytes ||
      header.sh_offset > file_bytes - header.sh_size)
    return {};
  const Elf_Data* const data = elf_getdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return {};
  return {static_cast<const u8*>(data->d_buf), data->d_size};
}

void add_symbols(SymbolTable& table, Elf* elf, Elf_Scn* section, const GElf_Shdr& header) {
  Elf_Data* const data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return;
  const u64 count = std::min<u64>(data->d_size / header.sh_entsize, kMaxSymbols);
  for (u64 i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    const std::optional<SymbolTable::Kind> kind = kind_of(symbol);
    const char* const name = kind ? elf_strptr(elf, header.sh_link, symbol.st_name) : nullptr;
    if (name != nullptr) table.add(symbol.st_value, name, *kind);
  }
}

}  // namespace

Result<Done> add_elf_symbols(SymbolTable& table, const std::string& path, u64 bytes) {
  const HostFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return Error{fmt::format("cannot be read: {}", std::strerror(errno))};
  elf_version(EV_CURRENT);
  const OpenElf elf(elf_begin(file.get(), ELF_C_READ, nullptr));
  std::size_t names = 0;
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF || elf_getshdrstrndx(elf.get(), &names) != 0)
    return Error{fmt::format("is a damaged ELF file: {}", elf_errmsg(-1))};
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf.get(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    if (header.sh_type == SHT_SYMTAB && table.empty() && !content_of(section, header, bytes).empty())
      add_symbols(table, elf.get(), section, header);
    const char* const name = elf_strptr(elf.get(), names, header.sh_name);
    if (name == nullptr || std::string_view(name) != ".BTF" || header.sh_size > kMaxTypesBytes) continue;
    const std::span<const u8> types = content_of(section, header, bytes);
    table.add_types({types.begin(), types.end()});
  }
  if (table.empty())
    return Error{
        "has no symbols, as a file that was stripped: Debian keeps those of a kernel in linux-image-...-dbg"};
  return Done{};
}

}  // namespace reprise::machine::symbols
