#include "jit/engine/translation_notes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cpu/decode/disassemble.h"

namespace reprise::jit {
namespace {

/// Lines of host code from `from` to `to`.
void append_host(std::string& text, std::span<const u8> host, u32 from, u32 to) {
  while (from < to) {
    const u64 address = reinterpret_cast<u64>(host.data()) + from;
    const cpu::Disassembled line = cpu::disassemble(host.subspan(from, to - from), address, 64);
    text += fmt::format("      {:5x}  {}\n", from, line.text);
    from += line.length;
  }
}

}  // namespace

TranslationNotes::TranslationNotes(const JitOptions& options) : options_(options) {
  if (!options.perf_map) return;
  const std::string path = fmt::format("/tmp/perf-{}.map", getpid());
  perf_map_.reset(std::fopen(path.c_str(), "we"));
  if (perf_map_ == nullptr)
    tell(fmt::format("reprise: '{}' cannot be written: {}\n", path, std::strerror(errno)));
}

std::string TranslationNotes::name(u64 linear) const {
  const std::string known = options_.name_of ? options_.name_of(linear) : "";
  return known.empty() ? fmt::format("{:#x}", linear) : known;
}

void TranslationNotes::tell(const std::string& text) const {
  if (options_.dump_sink)
    options_.dump_sink(text);
  else
    std::fputs(text.c_str(), stderr);
}

TranslationNotes::~TranslationNotes() = default;

bool TranslationNotes::wants_listing(const cpu::Block& block, u64 linear) const {
  if (options_.dump == 0) return false;
  if (options_.dump_at.empty()) return true;
  return std::ranges::any_of(options_.dump_at,
                             [&](u64 at) { return at - linear < std::max(block.bytes, 1u); });
}

void TranslationNotes::translated(const TranslationUnit& unit, u64 phys, u64 linear,
                                  std::span<const u8> guest, std::span<const u8> host,
                                  std::span<const u8> cold, const Listing* listing) {
  if (perf_map_ != nullptr) {
    shared_code(host, "guest " + name(linear));
    shared_code(cold, "guest " + name(linear) + " (slow)");
  }
  if (listing != nullptr) dump(unit, phys, linear, guest, host, cold, *listing);
}

void TranslationNotes::shared_code(std::span<const u8> host, std::string_view name) {
  if (perf_map_ == nullptr) return;
  const std::string line =
      fmt::format("{:x} {:x} {}\n", reinterpret_cast<u64>(host.data()), host.size(), name);
  std::fputs(line.c_str(), perf_map_.get());
  // Now: the process may be ended by a signal.
  if (std::fflush(perf_map_.get()) == 0) return;
  tell(fmt::format("reprise: the perf map ends here: {}\n", std::strerror(errno)));
  perf_map_.reset();
}

void TranslationNotes::dump(const TranslationUnit& unit, u64 phys, u64 linear, std::span<const u8> guest,
                            std::span<const u8> host, std::span<const u8> cold,
                            const Listing& listing) const {
  std::string text = fmt::format(
      "block {} at {:#x}, physical {:#x}, mode {:#x}: {} instructions in {} bytes, {} bytes of host "
      "code at {:#x}, {} at {:#x}\n",
      name(linear), linear, phys, unit.mode.bits, unit.count(), guest.size(), host.size(),
      reinterpret_cast<u64>(host.data()), cold.size(), reinterpret_cast<u64>(cold.data()));
  const auto host_at = [&](std::size_t index) {
    return index < listing.host_at.size() ? listing.host_at[index] : static_cast<u32>(host.size());
  };
  // Charging the budget, and what the whole block needs.
  if (options_.dumps(Dump::Host)) append_host(text, host, 0, host_at(0));
  u64 offset = 0;
  for (u32 i = 0; i < unit.count(); ++i) {
    if (options_.dumps(Dump::Guest) && offset < guest.size()) {
      text += fmt::format(
          "  {:016x}  {}\n", linear + offset,
          cpu::disassemble(guest.subspan(offset), linear + offset, cpu::code_bits(unit.mode)).text);
    }
    offset += unit.insns[i].length();
    if (options_.dumps(Dump::Plan) && i < listing.plan.size() && !listing.plan[i].empty())
      text += fmt::format("    plan: {}\n", listing.plan[i]);
    if (options_.dumps(Dump::Host)) append_host(text, host, host_at(i), host_at(i + 1));
  }
  if (options_.dumps(Dump::Host)) {
    append_host(text, host, host_at(unit.count()), static_cast<u32>(host.size()));
    text += "  slow paths and exits\n";
    append_host(text, cold, 0, static_cast<u32>(cold.size()));
  }
  tell(text);
}

}  // namespace reprise::jit
