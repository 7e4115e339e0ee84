#include "jit/engine/listing_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu/decode/disassemble.h"
#include "cpu/decode/insn_length.h"

namespace reprise::jit {
namespace {

/// Lines of the code from `from` to `to`, which ran at `at`, but for that between `left_out`.
std::string host_lines(std::span<const u8> code, u64 at, u32 from, u32 to,
                       std::span<const std::pair<u32, u32>> left_out = {}) {
  std::string text;
  while (from < to) {
    const auto skipped = std::ranges::find(left_out, from, &std::pair<u32, u32>::first);
    if (skipped != left_out.end()) {
      from = skipped->second;
      continue;
    }
    const cpu::Disassembled line = cpu::disassemble(code.subspan(from, to - from), at + from, 64);
    text += fmt::format("      {:5x}  {}\n", from, line.text);
    from += line.length;
  }
  return text;
}

}  // namespace

std::string listing_text(const Listing& listing, const ListedCode& code, std::string_view name, u8 dumps) {
  const auto shown = [&](Dump what) { return (dumps & static_cast<u8>(what)) != 0; };
  std::string text = fmt::format(
      "block {} at {:#x}, physical {:#x}, mode {:#x}: {} instructions in {} bytes, {} bytes of host "
      "code at {:#x}, {} at {:#x}\n",
      name, listing.linear, listing.phys, listing.mode.bits, listing.lengths.size(), listing.guest.size(),
      code.hot.size(), code.hot_at, code.cold.size(), code.cold_at);
  const auto host_at = [&](std::size_t index) {
    return index < listing.host_at.size() ? listing.host_at[index] : static_cast<u32>(code.hot.size());
  };
  const auto host = [&](u32 from, u32 to) {
    if (shown(Dump::Host)) text += host_lines(code.hot, code.hot_at, from, to, listing.counters);
  };
  // Charging the budget, and what the whole block needs.
  host(0, host_at(0));
  u64 offset = 0;
  for (std::size_t i = 0; i < listing.lengths.size(); ++i) {
    if (shown(Dump::Guest) && offset < listing.guest.size()) {
      const u64 linear = listing.linear + offset;
      text += fmt::format(
          "  {:016x}  {}\n", linear,
          cpu::disassemble(std::span(listing.guest).subspan(offset), linear, cpu::code_bits(listing.mode))
              .text);
    }
    offset += listing.lengths[i];
    if (shown(Dump::Plan) && i < listing.plan.size() && !listing.plan[i].empty())
      text += fmt::format("    plan: {}\n", listing.plan[i]);
    host(host_at(i), host_at(i + 1));
  }
  host(host_at(listing.lengths.size()), static_cast<u32>(code.hot.size()));
  if (shown(Dump::Host) && !code.cold.empty()) {
    text += "  slow paths and exits\n";
    text += host_lines(code.cold, code.cold_at, 0, static_cast<u32>(code.cold.size()));
  }
  return text;
}

}  // namespace reprise::jit
