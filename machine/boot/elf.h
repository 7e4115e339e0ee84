// ELF executables as boot loaders need them: class, entry point, loadable segments, notes. ELF-64 Object File
// Format 1.5.
#pragma once

#include <functional>

#include "machine/boot/boot.h"

namespace reprise::machine::boot {

struct ElfSegment {
  u64 offset;      // in the file
  u64 file_bytes;  // within the file
  u64 linear;
  u64 phys;
  u64 memory_bytes;  // at least file_bytes
};

struct ElfImage {
  bool is64;
  u16 machine;
  u64 entry;
  std::vector<ElfSegment> load;   // PT_LOAD, not empty ones
  std::vector<ElfSegment> notes;  // PT_NOTE
};

inline constexpr u16 kElfMachine386 = 3;
inline constexpr u16 kElfMachineX86_64 = 62;

bool is_elf(std::span<const u8> image);

/// Checks every offset against the file. The error is the end of a sentence that begins with the file.
Result<ElfImage> parse_elf(std::span<const u8> image);

/// Where segments may lie: from 1 MiB on, or in conventional memory, too.
enum class ElfPlace : u8 { High, Anywhere };

/// Checks that all segments fit into RAM without overlap, then copies them. Returns the ranges used.
Result<std::vector<PhysRange>> load_elf_segments(const ElfImage& elf, ElfPlace place,
                                                 std::span<const u8> image, const BootRequest& request,
                                                 const BootTarget& target);

/// The entry point where its segment is loaded, for kernels that are linked to other addresses.
u64 entry_phys(const ElfImage& elf);

/// The descriptor of the first note of that owner and type, or empty.
std::span<const u8> find_elf_note(const ElfImage& elf, std::span<const u8> image, std::string_view owner,
                                  u32 type);

}  // namespace reprise::machine::boot
