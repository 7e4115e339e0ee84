#include "machine/board/access_trace.h"

#include <fmt/format.h>

namespace reprise::machine {

std::string port_access_text(AccessKind kind, u16 port, Width width, u32 value) {
  return fmt::format("{} {:04x}.{} = {:x}", kind == AccessKind::Read ? "in " : "out", port,
                     width_bytes(width), value);
}

std::string mmio_access_text(AccessKind kind, std::string_view name, u64 offset, Width width, u64 value) {
  return fmt::format("{} {} {:03x}.{} = {:x}", name, kind == AccessKind::Read ? "read " : "write", offset,
                     width_bytes(width), value);
}

}  // namespace reprise::machine
