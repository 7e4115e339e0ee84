#include "machine/boot/multiboot.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "machine/storage/host_file.h"

namespace reprise::machine::boot {
namespace {

constexpr u32 kHeaderMagic = 0x1badb002;
constexpr u32 kBootMagic = 0x2badb002;
constexpr u64 kSearchBytes = 8192;
// Header flags, 3.1.2: bits 0 to 15 must be understood.
constexpr u32 kMustUnderstand = 0xffff;
// Page-aligned modules, memory information, video mode (which may be refused).
constexpr u32 kUnderstood = 0x7;
// Information flags, 3.3.
constexpr u32 kInfoMemory = 1u << 0;
constexpr u32 kInfoCommandLine = 1u << 2;
constexpr u32 kInfoModules = 1u << 3;
constexpr u32 kInfoMemoryMap = 1u << 6;
constexpr u32 kInfoLoaderName = 1u << 9;
constexpr u64 kInfoBytes = 0x80;
constexpr u64 kMaxModules = 64;

struct Module {
  PhysRange range;
  u64 string_phys;
};

Error refuse(const BootRequest& request, std::string_view why) {
  return Error{fmt::format("kernel '{}' {}", request.kernel_path, why)};
}

void put32(std::vector<u8>& bytes, u64 offset, u64 value) {
  if (bytes.size() < offset + 4) bytes.resize(offset + 4);
  for (unsigned i = 0; i < 4; ++i) bytes[offset + i] = static_cast<u8>(value >> (8 * i));
}

/// "a x,b,,c" -> {"a x", "b,c"}.
std::vector<std::string> split_modules(std::string_view text) {
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',')
      out.back() += text[i];
    else if (i + 1 < text.size() && text[i + 1] == ',')
      out.back() += text[++i];
    else
      out.emplace_back();
  }
  std::erase(out, "");
  return out;
}

/// The image by the header's own addresses, 3.1.3.
Result<PhysRange> load_by_header(const MultibootHeader& header, std::span<const u8> image,
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
  if (!fits_low_ram(target, header.load_phys, end - header.load_phys)) {
    return refuse(request,
                  fmt::format("does not fit into memory: it wants {:#x} to {:#x}. Give a larger --memory.",
                              header.load_phys, end));
  }
  write_phys(target, header.load_phys, image.subspan(offset, file_bytes));
  zero_phys(target, load_end, end - load_end);
  return PhysRange{header.load_phys, end};
}

Result<PhysRange> load_elf32(std::span<const u8> image, const BootRequest& request, const BootTarget& target,
                             u64& entry_phys) {
  if (!is_elf(image))
    return refuse(request, "has a Multiboot header but neither load addresses nor an ELF header.");
  const Result<ElfImage> parsed = parse_elf(image);
  if (!parsed) return refuse(request, parsed.error().message);
  if (parsed.value().is64) {
    return refuse(request,
                  "is a 64-bit ELF file with a Multiboot header: Multiboot takes 32-bit ones "
                  "(objcopy -O elf32-i386).");
  }
  entry_phys = parsed.value().entry;
  return load_elf_segments(parsed.value(), image, request, target);
}

Result<std::vector<Module>> load_modules(u64 first_phys, const BootRequest& request,
                                         const BootTarget& target) {
  std::vector<Module> modules;
  u64 next_phys = align_up(first_phys, kPageBytes);
  u64 string_phys = kModuleStringsPhys;
  for (const std::string& text : split_modules(request.initrd_path)) {
    if (modules.size() == kMaxModules) {
      return Error{fmt::format("--initrd lists more than {} modules: join some of them.", kMaxModules)};
    }
    const std::string path = text.substr(0, text.find(' '));
    const std::vector<u8> bytes = TRY(read_host_file("module", path, target.memory.ram_bytes()));
    if (!fits_low_ram(target, next_phys, bytes.size())) {
      return Error{fmt::format("module '{}' ({} bytes) does not fit into memory: give at least --memory {}M.",
                               path, bytes.size(), mib_needed(next_phys + bytes.size()))};
    }
    if (string_phys + text.size() + 1 > kBootTablesEndPhys) {
      return Error{"the module command lines are too long: shorten --initrd."};
    }
    write_phys(target, next_phys, bytes);
    write_phys(target, string_phys, {reinterpret_cast<const u8*>(text.c_str()), text.size() + 1});
    modules.push_back({{next_phys, next_phys + bytes.size()}, string_phys});
    string_phys += text.size() + 1;
    next_phys = align_up(next_phys + bytes.size(), kPageBytes);
  }
  return modules;
}

/// Information structure, then module list, memory map and loader name, for kBootInfoPhys.
std::vector<u8> information(const std::vector<Module>& modules, const MemoryMap& memory) {
  std::vector<u8> bytes(kInfoBytes);
  u32 flags = kInfoMemory | kInfoCommandLine | kInfoMemoryMap | kInfoLoaderName;
  put32(bytes, 4, kEbdaPhys / kKiB);
  put32(bytes, 8, (memory.low_ram_end_phys() - kHighMemoryPhys) / kKiB);
  put32(bytes, 16, kCommandLinePhys);
  if (!modules.empty()) {
    flags |= kInfoModules;
    put32(bytes, 20, modules.size());
    put32(bytes, 24, kBootInfoPhys + bytes.size());
    for (const Module& module : modules) {
      const u64 at = bytes.size();
      put32(bytes, at, module.range.begin);
      put32(bytes, at + 4, module.range.end);
      put32(bytes, at + 8, module.string_phys);
      put32(bytes, at + 12, 0);
    }
  }
  const u64 map_at = bytes.size();
  for (const E820Entry& entry : memory.e820()) {
    const u64 at = bytes.size();
    put32(bytes, at, 20);  // size of what follows
    put32(bytes, at + 4, entry.phys);
    put32(bytes, at + 8, entry.phys >> 32);
    put32(bytes, at + 12, entry.bytes);
    put32(bytes, at + 16, entry.bytes >> 32);
    put32(bytes, at + 20, static_cast<u32>(entry.type));
  }
  put32(bytes, 44, bytes.size() - map_at);
  put32(bytes, 48, kBootInfoPhys + map_at);
  put32(bytes, 64, kBootInfoPhys + bytes.size());
  for (const char c : std::string_view("reprise")) bytes.push_back(static_cast<u8>(c));
  bytes.push_back(0);
  put32(bytes, 0, flags);
  return bytes;
}

}  // namespace

std::optional<MultibootHeader> find_multiboot_header(std::span<const u8> image) {
  for (u64 offset = 0; offset + 12 <= std::min<u64>(image.size(), kSearchBytes); offset += 4) {
    if (*field_at<u32>(image, offset) != kHeaderMagic) continue;
    const u32 flags = *field_at<u32>(image, offset + 4);
    if (kHeaderMagic + flags + *field_at<u32>(image, offset + 8) != 0) continue;
    const auto get = [&](u64 at) { return field_at<u32>(image, offset + at).value_or(0); };
    return MultibootHeader{offset, flags, get(12), get(16), get(20), get(24), get(28)};
  }
  return std::nullopt;
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
  u64 entry_phys = header->entry_phys;
  const bool by_header = (header->flags & MultibootHeader::kAddressFields) != 0;
  const PhysRange kernel = TRY(by_header ? load_by_header(*header, image, request, target)
                                         : load_elf32(image, request, target, entry_phys));
  const std::vector<Module> modules = TRY(load_modules(kernel.end, request, target));
  std::string command_line = request.kernel_path;
  if (!request.command_line.empty()) command_line += " " + request.command_line;
  TRY(write_command_line(target, command_line, kMaxCommandLineBytes));
  write_phys(target, kBootInfoPhys, information(modules, target.memory));
  return EntryState{.mode = EntryMode::Flat32, .rip = entry_phys, .rax = kBootMagic, .rbx = kBootInfoPhys};
}

}  // namespace reprise::machine::boot
