#include "jit/x64/vector_table.h"

#include <array>
#include <string>

#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "jit/plan/insn_effects.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::InstId;
using cpu::Feature;
using cpu::Mnemonic;

constexpr auto kRows = static_cast<std::size_t>(Mnemonic::Count);

struct HostRow {
  InstId narrow = 0;
  InstId wide = 0;
};

bool host_has(Feature feature) {
  const asmjit::CpuFeatures::X86& host = asmjit::CpuInfo::host().features().x86();
  // Everything with a VEX prefix: mixed states are not worth their code.
  const bool v3 = host.hasAVX() && host.hasAVX2() && host.hasFMA() && host.hasF16C();
  switch (feature) {
    case Feature::Mmx:
    case Feature::Sse:
    case Feature::Sse2: return true;
    case Feature::Sse3: return host.hasSSE3();
    case Feature::Ssse3: return host.hasSSSE3();
    case Feature::Sse41: return host.hasSSE4_1();
    case Feature::Sse42: return host.hasSSE4_2();
    case Feature::Aes: return host.hasAESNI();
    case Feature::Pclmulqdq: return host.hasPCLMULQDQ();
    case Feature::Sha: return host.hasSHA();
    case Feature::Vaes: return v3 && host.hasVAES();
    case Feature::Vpclmulqdq: return v3 && host.hasVPCLMULQDQ();
    case Feature::Avx:
    case Feature::Avx2:
    case Feature::Fma:
    case Feature::F16c: return v3;
    default: return false;
  }
}

/// What the form with VEX.L = 1 needs.
Feature wide_feature(Feature feature) {
  if (feature == Feature::Aes) return Feature::Vaes;
  if (feature == Feature::Pclmulqdq) return Feature::Vpclmulqdq;
  return feature;
}

HostRow make_row(Mnemonic mnemonic) {
  const cpu::InsnRow& row = cpu::insn_row(mnemonic);
  const bool vex = (row.checks & cpu::kCheckAvx) != 0;
  if (!vector_row(mnemonic) || !host_has(row.feature) || (vex && !host_has(Feature::Avx))) return {};
  if (!host_agrees(mnemonic)) return {};
  HostRow result;
  result.narrow = host_instruction(mnemonic);
  if (host_has(wide_feature(row.feature))) result.wide = result.narrow;
  return result;
}

std::array<HostRow, kRows> make_table() {
  std::array<HostRow, kRows> table;
  for (std::size_t i = 1; i < kRows; ++i) table[i] = make_row(static_cast<Mnemonic>(i));
  return table;
}

}  // namespace

bool host_agrees(Mnemonic mnemonic) {
  return !cpu::insn_row(mnemonic).operands.has(cpu::Operands::kVendor) ||
         asmjit::CpuInfo::host().isVendor("INTEL");
}

InstId host_instruction(Mnemonic mnemonic) {
  std::string name(cpu::insn_row(mnemonic).name);
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return asmjit::InstAPI::stringToInstId(asmjit::Arch::kX64, name.data(), name.size());
}

InstId host_vector_instruction(Mnemonic mnemonic, bool wide) {
  static const std::array<HostRow, kRows> table = make_table();
  const HostRow& row = table[static_cast<std::size_t>(mnemonic)];
  return wide ? row.wide : row.narrow;
}

}  // namespace reprise::jit::x64
