#include "machine/boot/multiboot2.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "machine/boot/multiboot.h"
#include "machine/boot/multiboot_modules.h"
#include "machine/tables/table_bytes.h"

namespace reprise::machine::boot {
namespace {

constexpr u32 kHeaderMagic = 0xe852'50d6;
constexpr u32 kBootMagic = 0x36d7'6289;
constexpr u64 kSearchBytes = 32768;
constexpr u64 kHeaderBytes = 16;
constexpr u32 kArchitectureI386 = 0;
constexpr u64 kTagAlignment = 8;

/// Tags of the header, 3.1.4 on.
enum HeaderTag : u16 {
  kEnd = 0,
  kInformationRequest = 1,
  kAddress = 2,
  kEntry = 3,
  kConsole = 4,
  kFramebuffer = 5,
  kModuleAlignment = 6,
  kEfiEntry32 = 8,  // these two are for EFI alone
  kEfiEntry64 = 9,
  kRelocatable = 10,
};
constexpr u16 kTagOptional = 1;

/// Tags of the information, 3.6. Those that the kernel finds.
enum InfoTag : u32 {
  kInfoEnd = 0,
  kInfoCommandLine = 1,
  kInfoLoaderName = 2,
  kInfoModule = 3,
  kInfoMemory = 4,
  kInfoMemoryMap = 6,
  kInfoFramebuffer = 8,
  kInfoRsdp = 15,
};
constexpr u32 kInfoTags[] = {kInfoCommandLine, kInfoLoaderName,  kInfoModule, kInfoMemory,
                             kInfoMemoryMap,   kInfoFramebuffer, kInfoRsdp};

/// What the header asks for.
struct Header {
  std::optional<MultibootHeader> addresses;
  std::optional<u32> entry_phys;
  std::optional<MultibootGraphics> graphics;
};

Error refuse(const BootRequest& request, std::string_view why) {
  return Error{fmt::format("kernel '{}' {}", request.kernel_path, why)};
}

/// Everything that is asked for and not optional must be there.
Result<Done> check_requests(std::span<const u8> tag, const BootRequest& request) {
  for (u64 at = 8; at + 4 <= tag.size(); at += 4) {
    const u32 wanted = *field_at<u32>(tag, at);
    if (std::ranges::find(kInfoTags, wanted) == std::end(kInfoTags))
      return refuse(request,
                    fmt::format("needs Multiboot 2 information that is not there (tag {}).", wanted));
  }
  return Done{};
}

Result<Header> parse(std::span<const u8> image, u64 offset, const BootRequest& request) {
  const Error damaged = refuse(request, "has a damaged Multiboot 2 header.");
  const u64 bytes = *field_at<u32>(image, offset + 8);
  if (bytes < kHeaderBytes || bytes > image.size() - offset) return damaged;
  if (*field_at<u32>(image, offset + 4) != kArchitectureI386)
    return refuse(request, "is a Multiboot 2 kernel for another processor, not for x86.");
  const std::span<const u8> tags = image.subspan(offset, bytes);
  Header header;
  for (u64 at = kHeaderBytes;;) {
    const auto type = field_at<u16>(tags, at);
    const u16 flags = field_at<u16>(tags, at + 2).value_or(0);
    const u32 size = field_at<u32>(tags, at + 4).value_or(0);
    if (!type || size < 8 || size > tags.size() - at) return damaged;
    const std::span<const u8> tag = tags.subspan(at, size);
    const auto get = [&](u64 where) { return field_at<u32>(tag, where).value_or(0); };
    const bool optional = (flags & kTagOptional) != 0;
    switch (*type) {
      case kEnd: return header;
      case kInformationRequest:
        if (!optional) TRY(check_requests(tag, request));
        break;
      case kAddress: {
        constexpr u32 kFromTheStart = ~u32{0};
        const u32 header_phys = get(8);
        const u32 load_phys = get(12) == kFromTheStart ? header_phys - static_cast<u32>(offset) : get(12);
        header.addresses = {offset, 0, header_phys, load_phys, get(16), get(20), 0};
        break;
      }
      case kEntry: header.entry_phys = get(8); break;
      case kFramebuffer:
        // No depth: text, or anything.
        if (get(16) != 0) header.graphics = MultibootGraphics{get(8), get(12), get(16)};
        break;
      case kConsole:
      case kModuleAlignment:
      case kEfiEntry32:
      case kEfiEntry64:
      case kRelocatable: break;
      default:
        if (!optional)
          return refuse(request,
                        fmt::format("needs Multiboot 2 features that are not there (tag {}).", *type));
    }
    at += align_up(size, kTagAlignment);
  }
}

Result<std::vector<PhysRange>> load_kernel(const Header& header, std::span<const u8> image,
                                           const BootRequest& request, const BootTarget& target, u32& entry) {
  if (header.addresses) {
    if (!header.entry_phys) return refuse(request, "has a Multiboot 2 header with addresses but no entry.");
    entry = *header.entry_phys;
    return load_by_addresses(*header.addresses, image, request, target);
  }
  if (!is_elf(image))
    return refuse(request, "has a Multiboot 2 header but neither load addresses nor an ELF header.");
  const Result<ElfImage> elf = parse_elf(image);
  if (!elf) return refuse(request, elf.error().message);
  entry = header.entry_phys.value_or(static_cast<u32>(entry_phys(elf.value())));
  return load_elf_segments(elf.value(), ElfPlace::Anywhere, image, request, target);
}

std::vector<u8> information(const std::vector<MultibootModule>& modules, const BootRequest& request,
                            const BootTarget& target) {
  TableBytes out;
  const auto tag = [&](InfoTag type, const std::vector<u8>& body) {
    const u64 bytes = 8 + body.size();
    out.le(type, 4).le(bytes, 4).text({reinterpret_cast<const char*>(body.data()), body.size()});
    out.zeros(align_up(bytes, kTagAlignment) - bytes);
  };
  const MemoryMap& memory = target.memory;
  out.le(0, 8);  // the size of all, filled in below
  tag(kInfoCommandLine, TableBytes().text(multiboot_command_line(request)).zeros(1).take());
  tag(kInfoLoaderName, TableBytes().text("reprise").zeros(1).take());
  for (const MultibootModule& module : modules)
    tag(kInfoModule,
        TableBytes().le(module.range.begin, 4).le(module.range.end, 4).text(module.text).zeros(1).take());
  tag(kInfoMemory,
      TableBytes().le(kEbdaPhys / kKiB, 4).le((memory.usable_end_phys() - kHighMemoryPhys) / kKiB, 4).take());
  TableBytes map;
  map.le(24, 4).le(0, 4);  // bytes of an entry, version
  for (const E820Entry& entry : memory.e820())
    map.le(entry.phys, 8).le(entry.bytes, 8).le(static_cast<u32>(entry.type), 4).zeros(4);
  tag(kInfoMemoryMap, map.take());
  constexpr u8 kEgaText = 2;
  tag(kInfoFramebuffer,
      TableBytes().le(kTextScreenPhys, 8).le(160, 4).le(80, 4).le(25, 4).u8s({16, kEgaText, 0, 0}).take());
  if (target.rsdp.phys != 0) tag(kInfoRsdp, target.rsdp.bytes);
  tag(kInfoEnd, {});
  std::vector<u8> bytes = out.take();
  for (unsigned i = 0; i < 4; ++i) bytes[i] = static_cast<u8>(bytes.size() >> (8 * i));
  return bytes;
}

}  // namespace

std::optional<u64> find_multiboot2_header(std::span<const u8> image) {
  for (u64 offset = 0; offset + kHeaderBytes <= std::min<u64>(image.size(), kSearchBytes); offset += 8) {
    if (*field_at<u32>(image, offset) != kHeaderMagic) continue;
    u32 sum = 0;
    for (u64 i = 0; i < kHeaderBytes; i += 4) sum += *field_at<u32>(image, offset + i);
    if (sum == 0) return offset;
  }
  return std::nullopt;
}

Result<EntryState> load_multiboot2(std::span<const u8> image, const BootRequest& request,
                                   const BootTarget& target) {
  const std::optional<u64> offset = find_multiboot2_header(image);
  if (!offset) return refuse(request, "has no Multiboot 2 header in its first 32768 bytes.");
  const Header header = TRY(parse(image, *offset, request));
  u32 entry = 0;
  const std::vector<PhysRange> kernel = TRY(load_kernel(header, image, request, target, entry));
  const std::vector<MultibootModule> modules = TRY(load_modules(kernel, request, target));
  const std::vector<u8> info = information(modules, request, target);
  const u64 info_phys = TRY(free_place(info.size(), with_modules(kernel, modules), target));
  write_phys(target, info_phys, info);
  return EntryState{.mode = EntryMode::Flat32,
                    .rip = entry,
                    .rax = kBootMagic,
                    .rbx = info_phys,
                    .remark = header.graphics ? graphics_remark(request, *header.graphics) : std::string()};
}

}  // namespace reprise::machine::boot
