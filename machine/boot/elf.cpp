#include "machine/boot/elf.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"

namespace reprise::machine::boot {
namespace {

constexpr u32 kMagic = 0x464c457f;
constexpr u8 kClass32 = 1;
constexpr u8 kClass64 = 2;
constexpr u8 kLittleEndian = 1;
constexpr u32 kPtLoad = 1;
constexpr u32 kPtNote = 4;
constexpr unsigned kMaxProgramHeaders = 1024;

/// Where the two classes keep what we read.
struct Layout {
  u64 entry, phoff, phentsize, phnum;                 // in the file header
  u64 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz;  // in a program header
  u64 program_header_bytes;
  unsigned word;  // bytes of an address
};
constexpr Layout kLayout32 = {24, 28, 42, 44, 4, 8, 12, 16, 20, 32, 4};
constexpr Layout kLayout64 = {24, 32, 54, 56, 8, 16, 24, 32, 40, 56, 8};

u64 word_at(std::span<const u8> image, u64 offset, unsigned bytes) {
  return bytes == 8 ? field_at<u64>(image, offset).value_or(0) : field_at<u32>(image, offset).value_or(0);
}

}  // namespace

bool is_elf(std::span<const u8> image) { return field_at<u32>(image, 0) == kMagic; }

Result<ElfImage> parse_elf(std::span<const u8> image) {
  const u8 elf_class = field_at<u8>(image, 4).value_or(0);
  if (elf_class != kClass32 && elf_class != kClass64)
    return Error{"is a damaged ELF file: its class is unknown."};
  if (field_at<u8>(image, 5) != kLittleEndian) return Error{"is a big-endian ELF file: it is not for x86."};
  const Layout& layout = elf_class == kClass64 ? kLayout64 : kLayout32;

  ElfImage elf{.is64 = elf_class == kClass64,
               .machine = field_at<u16>(image, 18).value_or(0),
               .entry = word_at(image, layout.entry, layout.word),
               .load = {},
               .notes = {}};
  if (elf.machine != kElfMachine386 && elf.machine != kElfMachineX86_64) {
    return Error{fmt::format("is an ELF file for another processor (machine {}), not for x86.", elf.machine)};
  }
  const u64 table = word_at(image, layout.phoff, layout.word);
  const u64 stride = field_at<u16>(image, layout.phentsize).value_or(0);
  const u64 count = field_at<u16>(image, layout.phnum).value_or(0);
  if (count == 0)
    return Error{"is an ELF file without program headers: give a linked kernel, not an object file."};
  if (count > kMaxProgramHeaders || stride < layout.program_header_bytes || table > image.size() ||
      count * stride > image.size() - table) {
    return Error{"is a damaged or truncated ELF file: its program headers lie outside the file."};
  }
  for (u64 i = 0; i < count; ++i) {
    const u64 at = table + i * stride;
    const u32 type = field_at<u32>(image, at).value_or(0);
    if (type != kPtLoad && type != kPtNote) continue;
    const ElfSegment segment = {.offset = word_at(image, at + layout.p_offset, layout.word),
                                .file_bytes = word_at(image, at + layout.p_filesz, layout.word),
                                .linear = word_at(image, at + layout.p_vaddr, layout.word),
                                .phys = word_at(image, at + layout.p_paddr, layout.word),
                                .memory_bytes = word_at(image, at + layout.p_memsz, layout.word)};
    if (segment.offset > image.size() || segment.file_bytes > image.size() - segment.offset) {
      return Error{"is a truncated ELF file: a segment lies outside the file."};
    }
    if (type == kPtNote) {
      elf.notes.push_back(segment);
    } else if (segment.memory_bytes != 0) {
      if (segment.memory_bytes < segment.file_bytes) {
        return Error{"is a damaged ELF file: a segment is larger in the file than in memory."};
      }
      elf.load.push_back(segment);
    }
  }
  if (elf.load.empty()) return Error{"is an ELF file with nothing to load."};
  return elf;
}

Result<std::vector<PhysRange>> load_elf_segments(const ElfImage& elf, ElfPlace place,
                                                 std::span<const u8> image, const BootRequest& request,
                                                 const BootTarget& target) {
  const auto fits = place == ElfPlace::Anywhere ? fits_ram : fits_low_ram;
  std::vector<PhysRange> used;
  for (const ElfSegment& segment : elf.load) {
    if (!fits(target, segment.phys, segment.memory_bytes)) {
      const bool too_low = place == ElfPlace::High && segment.phys < kHighMemoryPhys;
      return Error{fmt::format(
          "kernel '{}' {}", request.kernel_path,
          too_low ? fmt::format("wants {:#x} bytes at {:#x}: a PVH kernel lies at 1 MiB or above.",
                                segment.memory_bytes, segment.phys)
                  : no_room(target, segment.phys, segment.memory_bytes))};
    }
    const PhysRange range = {segment.phys, segment.phys + segment.memory_bytes};
    for (const PhysRange& other : used) {
      if (range.overlaps(other)) {
        return Error{fmt::format("kernel '{}' is a damaged ELF file: two segments overlap at {:#x}.",
                                 request.kernel_path, std::max(range.begin, other.begin))};
      }
    }
    used.push_back(range);
  }
  for (const ElfSegment& segment : elf.load) {
    write_phys(target, segment.phys, image.subspan(segment.offset, segment.file_bytes));
    zero_phys(target, segment.phys + segment.file_bytes, segment.memory_bytes - segment.file_bytes);
  }
  return used;
}

u64 entry_phys(const ElfImage& elf) {
  for (const ElfSegment& segment : elf.load)
    if (elf.entry >= segment.linear && elf.entry - segment.linear < segment.memory_bytes)
      return elf.entry - segment.linear + segment.phys;
  return elf.entry;
}

std::span<const u8> find_elf_note(const ElfImage& elf, std::span<const u8> image, std::string_view owner,
                                  u32 type) {
  for (const ElfSegment& segment : elf.notes) {
    std::span<const u8> notes = image.subspan(segment.offset, segment.file_bytes);
    while (notes.size() >= 12) {
      const u64 name_bytes = *field_at<u32>(notes, 0);
      const u64 descriptor_bytes = *field_at<u32>(notes, 4);
      const u64 descriptor_at = 12 + align_up(name_bytes, 4);
      const u64 next = descriptor_at + align_up(descriptor_bytes, 4);
      if (descriptor_at + descriptor_bytes > notes.size()) break;
      const std::string_view name(reinterpret_cast<const char*>(notes.data()) + 12,
                                  name_bytes == 0 ? 0 : name_bytes - 1);
      if (name == owner && *field_at<u32>(notes, 8) == type)
        return notes.subspan(descriptor_at, descriptor_bytes);
      notes = notes.subspan(std::min<u64>(next, notes.size()));
    }
  }
  return {};
}

}  // namespace reprise::machine::boot
