// LinearReader: guest memory by linear address, as a processor would translate it now, without any effect.
#pragma once

#include <optional>
#include <string>

#include "cpu/core/cpu.h"

namespace reprise::machine::symbols {

class LinearReader {
 public:
  /// `cpu` outlives this. It keeps the last page's translation, so it is made anew for each look.
  explicit LinearReader(const cpu::Cpu& cpu) : cpu_(cpu) {}
  /// By other page tables than the processor's: those at `cr3`.
  LinearReader(const cpu::Cpu& cpu, u64 cr3) : cpu_(cpu), cr3_(cr3) {}

  /// Nothing: not mapped, or no RAM.
  std::optional<u8> byte(u64 linear);
  /// `bytes` of them, at most 8, little-endian.
  std::optional<u64> word(u64 linear, unsigned bytes);
  /// Printable characters up to a 0, or `most` of them; others become '?'.
  std::optional<std::string> text(u64 linear, std::size_t most);

 private:
  bool translate(u64 linear, u64& phys) const;

  const cpu::Cpu& cpu_;
  std::optional<u64> cr3_;
  u64 page_ = 0;
  const u8* host_ = nullptr;
};

}  // namespace reprise::machine::symbols
