#include "machine/observe/trace_kinds.h"

#include <algorithm>

namespace reprise::machine {
namespace {

constexpr std::string_view kNames[] = {"insn", "branch", "irq", "syscall", "page-fault", "pio", "mmio"};

}  // namespace

std::span<const std::string_view> trace_kind_names() { return kNames; }

std::optional<TraceKind> trace_kind_of_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<TraceKind>(found - std::begin(kNames));
}

}  // namespace reprise::machine
