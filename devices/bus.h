// PioBus: routes port I/O to the devices that own the ports. MMIO is routed by mmu/phys_map.
#pragma once

#include <string_view>
#include <vector>

#include "common/ports.h"
#include "common/result.h"

namespace reprise::devices {

enum class PioMapError : u8 { EmptyRange, PastLastPort, Overlap };
std::string_view describe(PioMapError error);

/// Ports [first, first + count). Accesses wider than `widest` reach the handler in pieces of that width.
struct PioRange {
  u16 first = 0;
  u32 count = 0;
  Width widest = Width::Byte;
  /// `first` is a data port that the processor streams through: an access takes no longer than an instruction.
  bool streams = false;
};

/// vCPU thread only. Mapping and unmapping are allowed while a handler runs.
class PioBus {
 public:
  PioBus();

  /// `handler` must stay alive until it is unmapped. Nothing changes on error.
  Result<Done, PioMapError> map(PioRange range, PioHandler& handler);
  /// Drops every range of `handler`.
  void unmap(const PioHandler& handler);

  /// `width` is Byte, Word or Dword. Ports without a handler, and those past FFFFh, read as ones and drop writes.
  u32 read(u16 port, Width width);
  void write(u16 port, Width width, u32 value);
  /// Does an access of `port` go to a data port that streams?
  bool streams(u16 port) const {
    const PioRange& range = mappings_[mapping_of_port_[port]].range;
    return range.streams && port == range.first;
  }
  /// As PioHandler: elements that only move data. 0 where nobody takes `width` whole.
  std::size_t read_ahead(u16 port, Width width, std::span<u8> into);
  std::size_t write_ahead(u16 port, Width width, std::span<const u8> from);

  /// Bytes read from and written to ports that nobody owns.
  u64 unmapped_reads() const { return unmapped_reads_; }
  u64 unmapped_writes() const { return unmapped_writes_; }

 private:
  struct Mapping {
    PioRange range;
    PioHandler* handler = nullptr;
  };
  static constexpr u16 kUnmapped = 0;

  /// The widest step at `port` that one handler takes whole, at most `width`.
  Width step(u32 port, Width width) const;

  std::vector<u16> mapping_of_port_;
  std::vector<Mapping> mappings_;
  u64 unmapped_reads_ = 0;
  u64 unmapped_writes_ = 0;
};

}  // namespace reprise::devices
