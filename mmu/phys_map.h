// The guest-physical address space: RAM, ROM and MMIO regions with priorities, flattened for lookup.
// Not here: translated code (CodePages), bus-master attributes, memory types.
// All methods: the thread that runs the machine.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ports.h"
#include "common/result.h"
#include "common/types.h"
#include "mmu/page_walk.h"
#include "mmu/ram.h"

namespace reprise::mmu {

/// Stands between a map and its devices: sees every access and decides what the device does.
class DeviceTap {
 public:
  virtual ~DeviceTap() = default;
  virtual u64 mmio_read(MmioHandler& device, u64 offset, Width width) = 0;
  virtual void mmio_write(MmioHandler& device, u64 offset, Width width, u64 value) = 0;
  /// write_bytes() is about to write RAM.
  virtual void ram_written(u64 phys, std::span<const u8> bytes) = 0;
  /// write_ram() is about to write.
  virtual void ram_offset_written(u64 ram_offset, std::span<const u8> bytes) = 0;
};

class PhysMap final : public WalkMemory {
 public:
  enum class Kind : u8 { Unmapped, Ram, Rom, Mmio };

  struct Target {
    Kind kind = Kind::Unmapped;
    u8* host = nullptr;              // Ram, Rom: host address of the byte
    u64 ram_offset = 0;              // Ram: offset in the Ram block
    MmioHandler* handler = nullptr;  // Mmio
    u64 offset = 0;                  // Mmio: offset in the region
    u64 bytes_left = 0;              // to the end of this flat range; at least 1
  };

  explicit PhysMap(Ram& ram) : ram_(ram) {}
  PhysMap(const PhysMap&) = delete;
  PhysMap& operator=(const PhysMap&) = delete;

  // Regions are page-granular for RAM and ROM; MMIO may be any size. Equal priorities may not overlap;
  // a higher priority hides a lower one (VGA window over RAM). `name` is unique; it appears in errors and
  // dumps. One byte of RAM has one guest-physical address, so that code and dirty tracking need no aliases:
  // regions that share RAM bytes must map them to the same address. The caller flushes TLBs after a change.
  Result<Done> add_ram(std::string name, u64 phys, u64 bytes, u64 ram_offset, int priority = 0);
  Result<Done> add_rom(std::string name, u64 phys, u64 bytes, u8* host, int priority = 0);
  Result<Done> add_mmio(std::string name, u64 phys, u64 bytes, MmioHandler& handler, int priority = 1);
  /// Removes the region of that name. False when there is none.
  bool remove(std::string_view name);

  /// Takes over the regions of `other`, RAM at the same offsets of this map's own RAM, which is as large.
  void mirror(const PhysMap& other);
  /// Changes whenever the regions do.
  u64 version() const { return version_; }
  /// At most one, or nullptr.
  void set_tap(DeviceTap* tap) { tap_ = tap; }

  static std::string_view kind_name(Kind kind);
  Target find(u64 phys) const;
  /// Where the byte at `offset` of RAM is mapped; nothing when it is not.
  std::optional<u64> phys_of_ram(u64 offset) const;

  /// The host address of `phys` when [phys, phys + bytes) is RAM of one region, else nullptr. Inlined for the
  /// three largest RAM ranges (below and above the PCI hole, and below video memory). Touches no vector registers.
  u8* ram_host(u64 phys, u64 bytes) const {
    if (u8* host = main_ram_host(phys, bytes)) [[likely]]
      return host;
    return ram_host_elsewhere(phys, bytes);
  }
  /// The same for those ranges only.
  u8* main_ram_host(u64 phys, u64 bytes) const {
    for (const RamRange& range : ram_ranges_) {
      const u64 offset = phys - range.phys;
      if (offset < range.bytes && range.bytes - offset >= bytes) [[likely]]
        return range.host + offset;
    }
    return nullptr;
  }

  /// One access of 1, 2, 4 or 8 bytes, wherever it lands; split as needed. Unmapped reads give all ones,
  /// writes to ROM and unmapped space are dropped; both are counted.
  u64 read(u64 phys, Width width);
  void write(u64 phys, Width width, u64 value);
  /// The same of what was found already, which lies naturally aligned in `target`.
  u64 read(const Target& target, Width width);
  void write(const Target& target, Width width, u64 value);
  /// RAM and ROM bytes only: false (and ones) where anything else lies. Marks dirty; does not know of code
  /// pages.
  bool read_bytes(u64 phys, std::span<u8> into);
  /// RAM only: bytes for anything else are dropped, and the result is false.
  bool write_bytes(u64 phys, std::span<const u8> from);
  /// RAM wherever it is mapped, or not: a device writes memory of its own. The same is said of code pages.
  void write_ram(u64 ram_offset, std::span<const u8> from);

  u64 read_entry(u64 phys, unsigned bytes) override;
  void write_entry(u64 phys, unsigned bytes, u64 value) override;

  Ram& ram() { return ram_; }
  const Ram& ram() const { return ram_; }
  u64 unmapped_reads() const { return unmapped_reads_; }
  /// Stores to unmapped space and to ROM.
  u64 unmapped_writes() const { return unmapped_writes_; }
  /// What answers where: sorted, disjoint, without the unmapped rest.
  struct Range {
    u64 first_phys, last_phys;
    Kind kind;
    std::string_view name;  // valid until the map changes
  };
  std::vector<Range> ranges() const;
  /// One line per flat range: first and last address, kind, name.
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
  struct RamRange {
    u64 phys = 0, bytes = 0;
    u8* host = nullptr;
  };
  Result<Done> add(Region region);
  void flatten();
  u8* ram_host_elsewhere(u64 phys, u64 bytes) const;
  Width piece_width(const Target& target, u64 phys, unsigned bytes) const;

  Ram& ram_;
  std::vector<Region> regions_;
  std::vector<Flat> flat_;  // sorted, disjoint, without empty ranges
  std::array<RamRange, 3> ram_ranges_;
  u64 version_ = 0;
  DeviceTap* tap_ = nullptr;
  u64 unmapped_reads_ = 0;
  u64 unmapped_writes_ = 0;
};

}  // namespace reprise::mmu
