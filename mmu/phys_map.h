// The guest-physical address space: RAM, ROM and MMIO regions with priorities, flattened for lookup.
#pragma once

#include <string>
#include <vector>

#include "common/ports.h"
#include "common/result.h"
#include "common/types.h"
#include "mmu/page_walk.h"
#include "mmu/ram.h"

namespace reprise::mmu {

class PhysMap final : public WalkMemory {
 public:
  enum class Kind : u8 { Unmapped, Ram, Rom, Mmio };

  struct Target {
    Kind kind = Kind::Unmapped;
    u8* host = nullptr;              // Ram, Rom: host address of the byte
    u64 ram_offset = 0;              // Ram: offset in the Ram block
    MmioHandler* handler = nullptr;  // Mmio
    u64 offset = 0;                  // Mmio: offset in the region
    u64 bytes_left = 0;              // to the end of this flat range
  };

  explicit PhysMap(Ram& ram) : ram_(ram) {}

  // Regions are page-granular for RAM and ROM; MMIO may be any size. Equal priorities may not overlap;
  // a higher priority hides a lower one (VGA window over RAM). `name` appears in errors and dumps.
  Result<Done> add_ram(std::string name, u64 phys, u64 bytes, u64 ram_offset, int priority = 0);
  Result<Done> add_rom(std::string name, u64 phys, u64 bytes, u8* host, int priority = 0);
  Result<Done> add_mmio(std::string name, u64 phys, u64 bytes, MmioHandler& handler, int priority = 1);
  /// Removes the region of that name; the caller flushes TLBs. False when there is none.
  bool remove(std::string_view name);

  Target find(u64 phys) const;

  /// One access of 1, 2, 4 or 8 bytes, wherever it lands; split as needed. Unmapped reads give all ones,
  /// writes to ROM and unmapped space are dropped; both are counted.
  u64 read(u64 phys, Width width);
  void write(u64 phys, Width width, u64 value);
  /// RAM and ROM bytes only: false (and ones) where anything else lies. Marks dirty; does not know of code pages.
  bool read_bytes(u64 phys, std::span<u8> into);
  bool write_bytes(u64 phys, std::span<const u8> from);

  u64 read_entry(u64 phys, unsigned bytes) override;
  void write_entry(u64 phys, unsigned bytes, u64 value) override;

  Ram& ram() { return ram_; }
  u64 unmapped_reads() const { return unmapped_reads_; }
  u64 unmapped_writes() const { return unmapped_writes_; }
  std::string dump() const;

 private:
  struct Region {
    std::string name;
    u64 phys, bytes;
    Kind kind;
    int priority;
    u8* host;
    u64 ram_offset;
    MmioHandler* handler;
  };
  struct Flat {
    u64 phys, end;
    const Region* region;
  };
  Result<Done> add(Region region);
  void flatten();

  Ram& ram_;
  std::vector<Region> regions_;
  std::vector<Flat> flat_;
  u64 unmapped_reads_ = 0;
  u64 unmapped_writes_ = 0;
};

}  // namespace reprise::mmu
