// Direct boot: puts a kernel into guest memory and says in which state the boot processor starts.
// Formats are told apart by content, in this order: bzImage and zImage, Multiboot 1, Multiboot 2, PVH ELF.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/layout/memory_map.h"
#include "machine/storage/host_file.h"
#include "mmu/phys_map.h"

namespace reprise::machine::boot {

/// What the user asked to boot.
struct BootRequest {
  std::string kernel_path;
  std::string initrd_path;  // empty: none. Multiboot: "file arguments,file arguments"
  std::string command_line;
};

/// What a loader writes to. Ranges are RAM.
class LoadSpace {
 public:
  virtual ~LoadSpace() = default;
  virtual void write(u64 phys, std::span<const u8> bytes) = 0;
  virtual void zero(u64 phys, u64 bytes) = 0;
};

class GuestMemory final : public LoadSpace {
 public:
  explicit GuestMemory(mmu::PhysMap& phys_map) : phys_map_(phys_map) {}
  void write(u64 phys, std::span<const u8> bytes) override;
  void zero(u64 phys, u64 bytes) override;

 private:
  mmu::PhysMap& phys_map_;
};

/// The root of the ACPI tables.
struct Rsdp {
  u64 phys = 0;                // 0: where a BIOS has it, for the kernel to find
  std::vector<u8> bytes = {};  // its content, unless that
};

/// Where a loader may put things.
struct BootTarget {
  LoadSpace& space;
  const MemoryMap& memory;
  Rsdp rsdp;
  unsigned physical_address_bits;  // of the processor
  RunFiles* files = nullptr;       // gets what was read
};

/// Long64: 64-bit mode, the first 4 GiB identity-mapped. Flat32: protected mode, paging off. Both with flat
/// segments, interrupts off, and the GDT in the BIOS's area.
enum class EntryMode : u8 { Long64, Flat32 };

struct EntryState {
  EntryMode mode = EntryMode::Flat32;
  u16 code_selector = 0x08;  // the data segments' is the next, the TSS's the one behind it
  u64 rip = 0;
  u64 rax = 0;
  u64 rbx = 0;
  u64 rsi = 0;
  std::string remark = {};  // what the user should know of how the kernel starts: a sentence, or empty
};

/// The kernel file's content. `files`, if any, gets what was read.
Result<std::vector<u8>> read_kernel(const BootRequest& request, const MemoryMap& memory,
                                    RunFiles* files = nullptr);

/// Loads a kernel image, and the other files of `request`. Never reads past `image`, whatever it says of itself.
/// Not for kernels that start in real mode (machine/boot/real_mode.h).
Result<EntryState> load_image(std::span<const u8> image, const BootRequest& request,
                              const BootTarget& target);

// --- For the loaders ---

// Conventional memory that loaders use for their tables, when kernels load at 1 MiB or above.
inline constexpr u64 kBootInfoPhys = 0x2000;    // zero page or hvm_start_info
inline constexpr u64 kPageTablesPhys = 0x4000;  // PML4, PDPT, four page directories
inline constexpr u64 kCommandLinePhys = 0x20000;
inline constexpr u64 kMaxCommandLineBytes = 0x10000;  // with its terminating zero
// Conventional memory that a kernel may lie in: between the BIOS's data areas.
inline constexpr u64 kConventionalPhys = 0x500;
inline constexpr u64 kConventionalEndPhys = kEbdaPhys;

/// Little-endian field of `image` at `offset`, or nullopt when it does not lie inside.
template <class T>
std::optional<T> field_at(std::span<const u8> image, u64 offset) {
  if (offset > image.size() || image.size() - offset < sizeof(T)) return std::nullopt;
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(T{image[offset + i]} << (8 * i)));
  return value;
}

/// A run of guest-physical bytes that is in use.
struct PhysRange {
  u64 begin;
  u64 end;
  bool overlaps(const PhysRange& other) const { return begin < other.end && other.begin < end; }
};

/// True when [phys, phys+bytes) is RAM that a kernel image may occupy: from 1 MiB to the end of low memory.
bool fits_low_ram(const BootTarget& target, u64 phys, u64 bytes);
/// Or in conventional memory.
bool fits_ram(const BootTarget& target, u64 phys, u64 bytes);

/// Copies `bytes` to `phys` and clears up to `phys + zero_to`. The caller has checked that it is RAM.
void write_phys(const BootTarget& target, u64 phys, std::span<const u8> bytes);
void zero_phys(const BootTarget& target, u64 phys, u64 bytes);

/// Writes the command line with its terminating zero; an error names the limit.
Result<Done> write_command_line(const BootTarget& target, const std::string& command_line, u64 max_bytes);

/// What to do about something whose end would lie at `end_phys`, but must lie below `limit_phys` and in RAM below 4 GiB:
/// "give at least --memory 600M".
std::string room_advice(u64 end_phys, u64 limit_phys = kLowRamLimitPhys);

/// Why [phys, phys+bytes) is not RAM that a kernel's part may lie in, as the end of a sentence that begins with the kernel.
std::string no_room(const BootTarget& target, u64 phys, u64 bytes);

/// The size in MiB, rounded up, for "give at least --memory NM".
u64 mib_needed(u64 end_phys);

}  // namespace reprise::machine::boot
