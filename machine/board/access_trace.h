// AccessTrace: is told of every access of the processors to devices.
#pragma once

#include <string>
#include <string_view>

#include "common/ports.h"

namespace reprise::machine {

enum class AccessKind : u8 { Read, Write };

/// Thread: the one that runs the machine.
class AccessTrace {
 public:
  virtual ~AccessTrace() = default;
  virtual void port_accessed(AccessKind kind, u16 port, Width width, u32 value) = 0;
  /// Of the device's region `name`, `offset` bytes into it.
  virtual void mmio_accessed(AccessKind kind, std::string_view name, u64 offset, Width width, u64 value) = 0;
};

/// Who is told of which; nullptr: nobody.
struct AccessTraces {
  AccessTrace* ports = nullptr;
  AccessTrace* mmio = nullptr;
};

/// An access in words, as both calls have it.
std::string port_access_text(AccessKind kind, u16 port, Width width, u32 value);
std::string mmio_access_text(AccessKind kind, std::string_view name, u64 offset, Width width, u64 value);

}  // namespace reprise::machine
