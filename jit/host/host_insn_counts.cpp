#include "jit/host/host_insn_counts.h"

#include <fmt/format.h>

#include <numeric>

namespace reprise::jit {

void HostInsnTotals::add(const CountedCode& code) {
  bodies += code.pieces[CountedCode::kBody].runs;
  for (const CountedPiece& piece : code.pieces) {
    guest_insns += piece.runs * piece.guest_insns;
    for (unsigned kind = 0; kind < kHostInsnKinds; ++kind) host_insns[kind] += piece.runs * piece.insns[kind];
  }
}

void HostInsnTotals::add(const HostInsnTotals& others) {
  bodies += others.bodies;
  guest_insns += others.guest_insns;
  for (unsigned kind = 0; kind < kHostInsnKinds; ++kind) host_insns[kind] += others.host_insns[kind];
}

std::string host_insn_text(std::string_view title, const HostInsnTotals& totals) {
  if (totals.guest_insns == 0) return fmt::format("{}: no guest instructions in generated code\n", title);
  const auto each = [&](u64 count) {
    return static_cast<double>(count) / static_cast<double>(totals.guest_insns);
  };
  std::string text =
      fmt::format("{}: {:.4f} for each of {} guest instructions, which are {:.2f} to a block:", title,
                  each(std::accumulate(totals.host_insns.begin(), totals.host_insns.end(), u64{0})),
                  totals.guest_insns, 1 / each(totals.bodies));
  for (unsigned kind = 0; kind < kHostInsnKinds; ++kind)
    text += fmt::format(" {} {:.4f}", kHostInsnNames[kind], each(totals.host_insns[kind]));
  return text + "\n";
}

}  // namespace reprise::jit
