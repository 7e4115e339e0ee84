#include "machine/symbols/linux_modules.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace reprise::machine::symbols {
namespace {

/// A guest whose types are not to be had is not asked for ever, and lists and tables of one may be anything.
constexpr unsigned kMaxTries = 16;
constexpr unsigned kMaxModules = 4096;
constexpr u64 kMaxSymbols = 1 << 20;
constexpr std::size_t kMaxNameBytes = 512;
constexpr std::size_t kModuleNameBytes = 56;

}  // namespace

std::optional<LinuxModules::Layout> LinuxModules::layout_by(const BtfTypes& types) {
  const auto list = types.offset_of("module", "list");
  const auto name = types.offset_of("module", "name");
  const auto kallsyms = types.offset_of("module", "kallsyms");
  const auto symtab = types.offset_of("mod_kallsyms", "symtab");
  const auto count = types.offset_of("mod_kallsyms", "num_symtab");
  const auto strtab = types.offset_of("mod_kallsyms", "strtab");
  if (!list || !name || !kallsyms || !symtab || !count || !strtab) return std::nullopt;
  Layout layout{*list, *name, 0, 0, *kallsyms, *symtab, *count, *strtab};
  // Linux 6.4 and later have the text first of several memories; earlier ones one for all that stays.
  if (const auto memory = types.offset_of("module", "mem")) {
    const auto base = types.offset_of("module_memory", "base");
    const auto bytes = types.offset_of("module_memory", "size");
    if (!base || !bytes) return std::nullopt;
    layout.base = *memory + *base;
    layout.bytes = *memory + *bytes;
    return layout;
  }
  const auto core = types.offset_of("module", "core_layout");
  const auto base = types.offset_of("module_layout", "base");
  const auto bytes = types.offset_of("module_layout", "size");
  if (!core || !base || !bytes) return std::nullopt;
  layout.base = *core + *base;
  layout.bytes = *core + *bytes;
  return layout;
}

bool LinuxModules::find_layout(const cpu::Cpu& cpu) {
  if (layout_) return true;
  if (!symbols_.slide() || tries_ == kMaxTries) return false;
  ++tries_;
  if (const std::optional<BtfTypes> types = linux_types(symbols_, cpu)) layout_ = layout_by(*types);
  return layout_.has_value();
}

std::optional<LinuxModules::Module> LinuxModules::module_at(const cpu::Cpu& cpu, u64 linear) const {
  const std::optional<u64> head = symbols_.address_of("modules");
  if (!head) return std::nullopt;
  LinearReader reader = kernel_reader(cpu, *head);
  std::optional<u64> next = reader.word(*head, 8);
  for (unsigned i = 0; i < kMaxModules && next && is_kernel_address(*next) && *next != *head; ++i) {
    const u64 at = *next - layout_->list;
    const std::optional<u64> base = reader.word(at + layout_->base, 8);
    const std::optional<u64> bytes = reader.word(at + layout_->bytes, 4);
    if (!base || !bytes) return std::nullopt;
    if (linear >= *base && linear - *base < *bytes) {
      const std::optional<std::string> name = reader.text(at + layout_->name, kModuleNameBytes);
      if (!name) return std::nullopt;
      return Module{.at = at, .base = *base, .bytes = *bytes, .name = *name, .functions = {}};
    }
    next = reader.word(*next, 8);
  }
  return std::nullopt;
}

void LinuxModules::read_functions(const cpu::Cpu& cpu, Module& module) const {
  LinearReader reader = kernel_reader(cpu, module.at);
  const std::optional<u64> kallsyms = reader.word(module.at + layout_->kallsyms, 8);
  if (!kallsyms || !is_kernel_address(*kallsyms)) return;
  const std::optional<u64> symtab = reader.word(*kallsyms + layout_->symtab, 8);
  const std::optional<u64> count = reader.word(*kallsyms + layout_->count, 4);
  const std::optional<u64> strtab = reader.word(*kallsyms + layout_->strtab, 8);
  if (!symtab || !count || !strtab || *count > kMaxSymbols) return;
  for (u64 i = 0; i < *count; ++i) {
    const u64 symbol = *symtab + i * sizeof(Elf64_Sym);
    const std::optional<u64> name = reader.word(symbol + offsetof(Elf64_Sym, st_name), 4);
    const std::optional<u64> section = reader.word(symbol + offsetof(Elf64_Sym, st_shndx), 2);
    const std::optional<u64> value = reader.word(symbol + offsetof(Elf64_Sym, st_value), 8);
    if (!name || !section || !value) return;
    if (*section == SHN_UNDEF || *value < module.base || *value - module.base >= module.bytes) continue;
    std::optional<std::string> text = reader.text(*strtab + *name, kMaxNameBytes);
    if (text && !text->empty()) module.functions.push_back({*value, std::move(*text)});
  }
  std::ranges::stable_sort(module.functions, {}, &Symbol::linear);
}

std::string LinuxModules::text(const cpu::Cpu& cpu, u64 linear) {
  if (!is_kernel_address(linear) || !find_layout(cpu)) return "";
  std::optional<Module> module = module_at(cpu, linear);
  if (!module) return "";
  if (module->at != last_.at || module->base != last_.base || module->name != last_.name) {
    last_ = std::move(*module);
    read_functions(cpu, last_);
  }
  const auto behind = std::ranges::upper_bound(last_.functions, linear, {}, &Symbol::linear);
  if (behind == last_.functions.begin()) return fmt::format("{:#x} [{}]", linear - last_.base, last_.name);
  const Symbol& symbol = *std::prev(behind);
  return fmt::format("{}+{:#x} [{}]", symbol.name, linear - symbol.linear, last_.name);
}

}  // namespace reprise::machine::symbols
