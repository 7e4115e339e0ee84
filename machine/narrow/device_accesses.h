// DeviceAccesses: what the processors of a machine ask of its devices over a stretch of its run, to be compared with another run's.
#pragma once

#include <string>
#include <vector>

#include "machine/board/access_trace.h"
#include "machine/outside/position.h"

namespace reprise::machine {

class Machine;

/// Thread: the one that runs the machine.
class DeviceAccesses final : public AccessTrace {
 public:
  struct Access {
    Position at;
    u64 place;  // a port, or bytes into a region
    u64 value;
    u32 region;  // a number by first use; 0: ports
    Width width;
    AccessKind kind;
    bool operator==(const Access&) const = default;
  };
  /// More are not kept.
  static constexpr std::size_t kMost = 2'000'000;

  /// For the machine's backends.
  AccessTraces traces() { return {this, this}; }
  /// From now on, until end(). `machine` outlives that.
  void begin(const Machine& machine) { machine_ = &machine; }
  void end() { machine_ = nullptr; }

  const std::vector<Access>& all() const { return accesses_; }
  /// For a person, with its instant.
  std::string text(const Access& access) const;

 private:
  void port_accessed(AccessKind kind, u16 port, Width width, u32 value) override;
  void mmio_accessed(AccessKind kind, std::string_view name, u64 offset, Width width, u64 value) override;
  void add(u32 region, u64 place, AccessKind kind, Width width, u64 value);

  const Machine* machine_ = nullptr;  // while it keeps them
  std::vector<std::string> regions_;
  std::vector<Access> accesses_;
};

}  // namespace reprise::machine
