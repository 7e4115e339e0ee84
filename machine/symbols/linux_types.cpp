#include "machine/symbols/linux_types.h"

namespace reprise::machine::symbols {
namespace {

constexpr u64 kMaxTypesBytes = u64{64} << 20;
/// With page-table isolation a program's tables lie behind the kernel's: bit 12 of CR3 (arch/x86/entry/calling.h).
constexpr u64 kUserTables = u64{1} << 12;

std::optional<BtfTypes> types_in_guest(const KernelSymbols& symbols, const cpu::Cpu& cpu) {
  const std::optional<u64> begin = symbols.address_of("__start_BTF");
  const std::optional<u64> end = symbols.address_of("__stop_BTF");
  if (!begin || !end || *end <= *begin || *end - *begin > kMaxTypesBytes) return std::nullopt;
  LinearReader reader = kernel_reader(cpu, *begin);
  std::vector<u8> bytes;
  bytes.reserve(*end - *begin);
  for (u64 linear = *begin; linear < *end; ++linear) {
    const std::optional<u8> next = reader.byte(linear);
    if (!next) return std::nullopt;
    bytes.push_back(*next);
  }
  return BtfTypes::parse(std::move(bytes));
}

}  // namespace

LinearReader kernel_reader(const cpu::Cpu& cpu, u64 linear) {
  LinearReader reader(cpu);
  if (reader.byte(linear)) return reader;
  return LinearReader(cpu, cpu.mmu.context().cr3 & ~kUserTables);
}

std::optional<BtfTypes> linux_types(const KernelSymbols& symbols, const cpu::Cpu& cpu) {
  if (!symbols.given() || !symbols.slide()) return std::nullopt;
  const std::span<const u8> own = symbols.table().types();
  return own.empty() ? types_in_guest(symbols, cpu) : BtfTypes::parse({own.begin(), own.end()});
}

}  // namespace reprise::machine::symbols
