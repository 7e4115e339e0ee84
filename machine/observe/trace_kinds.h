// What --trace tells of, by names.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "common/types.h"

namespace reprise::machine {

enum class TraceKind : u8 { Insn, Branch, Irq, Syscall, PageFault, Pio, Mmio };

/// In the order of TraceKind.
std::span<const std::string_view> trace_kind_names();
std::optional<TraceKind> trace_kind_of_name(std::string_view name);

class TraceKinds {
 public:
  void add(TraceKind kind) { bits_ |= 1u << static_cast<unsigned>(kind); }
  bool has(TraceKind kind) const { return (bits_ >> static_cast<unsigned>(kind) & 1) != 0; }
  bool empty() const { return bits_ == 0; }

 private:
  u32 bits_ = 0;
};

}  // namespace reprise::machine
