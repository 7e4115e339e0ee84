#include "jit/x64/vector_table.h"

#include <algorithm>
#include <array>
#include <string>

#include "cpu/insn_table.h"

namespace reprise::jit::x64 {
namespace {

using cpu::InsnRow;
using cpu::Mnemonic;

constexpr auto kRows = static_cast<std::size_t>(Mnemonic::Count);
using Table = std::array<VectorRow, kRows>;

constexpr Mnemonic kAnyAlignment[] = {
    Mnemonic::MOVUPS,    Mnemonic::MOVUPD,    Mnemonic::MOVDQU,    Mnemonic::LDDQU,
    Mnemonic::PCMPESTRI, Mnemonic::PCMPESTRM, Mnemonic::PCMPISTRI, Mnemonic::PCMPISTRM,
};

/// Which of several NaNs is their result is that of Intel processors.
constexpr std::string_view kIntelOnly[] = {"dpps", "dppd"};

bool starts_with(std::string_view text, std::string_view begin) { return text.substr(0, begin.size()) == begin; }
bool one_of(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}

asmjit::InstId find(const std::string& name) {
  return asmjit::InstAPI::stringToInstId(asmjit::Arch::kX64, name.data(), name.size());
}

VectorRow make_row(Mnemonic mnemonic) {
  const InsnRow& row = cpu::insn_row(mnemonic);
  if (row.jit != cpu::Jit::Reencode || (row.checks & (cpu::kCheckSse | cpu::kCheckAvx)) == 0) return {};
  std::string name(row.name);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  const bool vex_only = (row.checks & cpu::kCheckAvx) != 0;
  const std::string plain = vex_only && name[0] == 'v' ? name.substr(1) : name;
  const bool intel_host = asmjit::CpuInfo::host().isVendor("INTEL");
  if (!intel_host && std::find(std::begin(kIntelOnly), std::end(kIntelOnly), plain) != std::end(kIntelOnly)) return {};

  VectorRow result;
  if (!vex_only) result.sse = find(name);
  result.vex = find(vex_only && name[0] == 'v' ? name : "v" + name);
  result.makes_flags = row.written != 0;
  result.any_alignment = std::find(std::begin(kAnyAlignment), std::end(kAnyAlignment), mnemonic) != std::end(kAnyAlignment);
  result.explicit_length = starts_with(plain, "pcmpestr");
  result.vex_aligned = one_of(plain, {"movaps", "movapd", "movdqa"}) || starts_with(plain, "movnt");
  return result;
}

Table make_table() {
  Table table;
  for (std::size_t i = 1; i < kRows; ++i) table[i] = make_row(static_cast<Mnemonic>(i));
  return table;
}

}  // namespace

const VectorRow& vector_row(Mnemonic mnemonic) {
  static const Table table = make_table();
  return table[static_cast<std::size_t>(mnemonic)];
}

}  // namespace reprise::jit::x64
