#include "machine/boot/multiboot.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "machine/boot/multiboot_modules.h"

namespace reprise::machine::boot {
namespace {

constexpr u32 kHeaderMagic = 0x1badb002;
constexpr u32 kBootMagic = 0x2badb002;
constexpr u64 kSearchBytes = 8192;
// Header flags, 3.1.2: bits 0 to 15 must be understood.
constexpr u32 kMustUnderstand = 0xffff;
// Page-aligned modules, memory information, information about the screen (its mode is a wish).
constexpr u32 kUnderstood = 0x7;
constexpr u32 kWantsScreen = 1u << 2;
// Information flags, 3.3.
constexpr u32 kInfoMemory = 1u << 0;
constexpr u32 kInfoCommandLine = 1u << 2;
constexpr u32 kInfoModules = 1u << 3;
constexpr u32 kInfoMemoryMap = 1u << 6;
constexpr u32 kInfoLoaderName = 1u << 9;
constexpr u32 kInfoFramebuffer = 1u << 12;
constexpr u64 kInfoBytes = 0x80;
constexpr u64 kModuleBytes = 16;

Error refuse(const BootRequest& request, std::string_view why) {
  return Error{fmt::format("kernel '{}' {}", request.kernel_path, why)};
}

void put32(std::vector<u8>& bytes, u64 offset, u64 value) {
  if (bytes.size() < offset + 4) bytes.resize(offset + 4);
  for (unsigned i = 0; i < 4; ++i) bytes[offset + i] = static_cast<u8>(value >> (8 * i));
}

Result<std::vector<PhysRange>> load_elf32(std::span<const u8> image, const BootRequest& request,
                                          const BootTarget& target, u64& entry) {
  if (!is_elf(image))
    return refuse(request, "has a Multiboot header but neither load addresses nor an ELF header.");
  const Result<ElfImage> parsed = parse_elf(image);
  if (!parsed) return refuse(request, parsed.error().message);
  if (parsed.value().is64) {
    return refuse(request,
                  "is a 64-bit ELF file with a Multiboot header: Multiboot takes 32-bit ones "
                  "(objcopy -O elf32-i386).");
  }
  entry = entry_phys(parsed.value());
  return load_elf_segments(parsed.value(), ElfPlace::Anywhere, image, request, target);
}

/// What the kernel is told: a structure with lists and strings behind it, for `phys`.
class Information {
 public:
  explicit Information(u64 phys) : phys_(phys), bytes_(kInfoBytes) {}

  void memory(const MemoryMap& memory) {
    flags_ |= kInfoMemory | kInfoMemoryMap;
    put32(bytes_, 4, kEbdaPhys / kKiB);
    put32(bytes_, 8, (memory.usable_end_phys() - kHighMemoryPhys) / kKiB);
    const u64 map_at = bytes_.size();
    for (const E820Entry& entry : memory.e820()) {
      const u64 at = bytes_.size();
      put32(bytes_, at, 20);  // size of what follows
      put32(bytes_, at + 4, entry.phys);
      put32(bytes_, at + 8, entry.phys >> 32);
      put32(bytes_, at + 12, entry.bytes);
      put32(bytes_, at + 16, entry.bytes >> 32);
      put32(bytes_, at + 20, static_cast<u32>(entry.type));
    }
    put32(bytes_, 44, bytes_.size() - map_at);
    put32(bytes_, 48, phys_ + map_at);
  }
  void modules(const std::vector<MultibootModule>& modules) {
    if (modules.empty()) return;
    flags_ |= kInfoModules;
    const u64 list_at = bytes_.size();
    put32(bytes_, 20, modules.size());
    put32(bytes_, 24, phys_ + list_at);
    bytes_.resize(list_at + modules.size() * kModuleBytes);
    for (std::size_t i = 0; i < modules.size(); ++i) {
      const u64 at = list_at + i * kModuleBytes;
      put32(bytes_, at, modules[i].range.begin);
      put32(bytes_, at + 4, modules[i].range.end);
      put32(bytes_, at + 8, string(modules[i].text));
    }
  }
  void names(std::string_view command_line) {
    flags_ |= kInfoCommandLine | kInfoLoaderName;
    put32(bytes_, 16, string(command_line));
    put32(bytes_, 64, string("reprise"));
  }
  /// 80x25 characters at B8000h.
  void text_screen() {
    flags_ |= kInfoFramebuffer;
    constexpr u8 kEgaText = 2;
    put32(bytes_, 88, kTextScreenPhys);
    put32(bytes_, 96, 160);
    put32(bytes_, 100, 80);
    put32(bytes_, 104, 25);
    bytes_[108] = 16;
    bytes_[109] = kEgaText;
  }
  std::vector<u8> take() {
    put32(bytes_, 0, flags_);
    return std::move(bytes_);
  }

 private:
  /// Where it will be.
  u64 string(std::string_view text) {
    const u64 at = bytes_.size();
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    bytes_.resize(align_up(bytes_.size() + 1, 4));
    return phys_ + at;
  }

  const u64 phys_;
  std::vector<u8> bytes_;
  u32 flags_ = 0;
};

std::vector<u8> information(u64 phys, const MultibootHeader& header,
                            const std::vector<MultibootModule>& modules, const BootRequest& request,
                            const MemoryMap& memory) {
  Information info(phys);
  info.memory(memory);
  info.modules(modules);
  info.names(multiboot_command_line(request));
  if ((header.flags & kWantsScreen) != 0) info.text_screen();
  return info.take();
}

}  // namespace

std::optional<MultibootHeader> find_multiboot_header(std::span<const u8> image) {
  for (u64 offset = 0; offset + 12 <= std::min<u64>(image.size(), kSearchBytes); offset += 4) {
    if (*field_at<u32>(image, offset) != kHeaderMagic) continue;
    const u32 flags = *field_at<u32>(image, offset + 4);
    if (kHeaderMagic + flags + *field_at<u32>(image, offset + 8) != 0) continue;
    const auto get = [&](u64 at) { return field_at<u32>(image, offset + at).value_or(0); };
    MultibootHeader header = {offset, flags, get(12), get(16), get(20), get(24), get(28)};
    constexpr u32 kLinearGraphics = 0;
    if ((flags & kWantsScreen) != 0 && get(32) == kLinearGraphics)
      header.graphics = MultibootGraphics{get(36), get(40), get(44)};
    return header;
  }
  return std::nullopt;
}

/// 3.1.3.
Result<std::vector<PhysRange>> load_by_addresses(const MultibootHeader& header, std::span<const u8> image,
                                                 const BootRequest& request, const BootTarget& target) {
  const u64 back = u64{header.header_phys} - header.load_phys;
  if (header.load_phys > header.header_phys || back > header.offset) {
    return refuse(request, "has a damaged Multiboot header: its load address lies before the file's start.");
  }
  const u64 offset = header.offset - back;
  const u64 available = image.size() - offset;
  u64 file_bytes = available;
  if (header.load_end_phys != 0) {
    if (header.load_end_phys < header.load_phys || header.load_end_phys - header.load_phys > available) {
      return refuse(request, "is truncated: its Multiboot header asks for more than the file holds.");
    }
    file_bytes = header.load_end_phys - header.load_phys;
  }
  const u64 load_end = header.load_phys + file_bytes;
  const u64 end = std::max<u64>(load_end, header.bss_end_phys);
  if (!fits_ram(target, header.load_phys, end - header.load_phys))
    return refuse(request, no_room(target, header.load_phys, end - header.load_phys));
  write_phys(target, header.load_phys, image.subspan(offset, file_bytes));
  zero_phys(target, load_end, end - load_end);
  return std::vector<PhysRange>{{header.load_phys, end}};
}

Result<EntryState> load_multiboot(std::span<const u8> image, const BootRequest& request,
                                  const BootTarget& target) {
  const std::optional<MultibootHeader> header = find_multiboot_header(image);
  if (!header) return refuse(request, "has no Multiboot header in its first 8192 bytes.");
  const u32 unknown = header->flags & kMustUnderstand & ~kUnderstood;
  if (unknown != 0) {
    return refuse(request,
                  fmt::format("needs Multiboot features that are not there (header flags {:#x}).", unknown));
  }
  u64 entry = header->entry_phys;
  const bool by_header = (header->flags & MultibootHeader::kAddressFields) != 0;
  const std::vector<PhysRange> kernel = TRY(by_header ? load_by_addresses(*header, image, request, target)
                                                      : load_elf32(image, request, target, entry));
  const std::vector<MultibootModule> modules = TRY(load_modules(kernel, request, target));
  const u64 info_bytes = information(0, *header, modules, request, target.memory).size();
  const u64 info_phys = TRY(free_place(info_bytes, with_modules(kernel, modules), target));
  write_phys(target, info_phys, information(info_phys, *header, modules, request, target.memory));
  return EntryState{.mode = EntryMode::Flat32,
                    .rip = entry,
                    .rax = kBootMagic,
                    .rbx = info_phys,
                    .remark = header->graphics ? graphics_remark(request, *header->graphics) : std::string()};
}

std::string graphics_remark(const BootRequest& request, const MultibootGraphics& wanted) {
  const auto number = [](u32 value) { return value == 0 ? std::string("any") : fmt::format("{}", value); };
  return fmt::format(
      "kernel '{}' asks for graphics ({} by {} pixels, {} bits): it starts in text mode, 80 by 25, since "
      "there are "
      "no VESA modes.",
      request.kernel_path, number(wanted.width), number(wanted.height), number(wanted.bits_per_pixel));
}

}  // namespace reprise::machine::boot
