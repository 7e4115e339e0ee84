#include "machine/boot/linux.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "common/bits.h"
#include "machine/boot/setup_header.h"
#include "machine/storage/file_kind.h"
#include "machine/storage/host_file.h"

namespace reprise::machine::boot {
namespace {

using namespace setup;

// Zero page only. zero-page.rst.
constexpr u64 kScreenMode = 0x006;  // screen_info
constexpr u64 kScreenColumns = 0x007;
constexpr u64 kScreenEgaBx = 0x00a;
constexpr u64 kScreenLines = 0x00e;
constexpr u64 kScreenIsVga = 0x00f;
constexpr u64 kScreenPoints = 0x010;
constexpr u64 kAcpiRsdpAddr = 0x070;
constexpr u64 kAltMemK = 0x1e0;
constexpr u64 kE820Entries = 0x1e8;
constexpr u64 kE820Table = 0x2d0;

constexpr u16 kXlfKernel64 = 1u << 0;
constexpr u64 kEntry64Offset = 0x200;
constexpr u16 kBootCs = 0x10;  // __BOOT_CS; __BOOT_DS is 18h

struct Header {
  u64 setup_bytes;
  u64 header_end;
  u16 version;
  bool relocatable;
  bool entry64;
  u64 alignment;
  u64 pref_address;
  u64 init_size;
  u64 initrd_max_phys;
  u64 cmdline_size;
};

Error refuse(const BootRequest& request, std::string_view why) {
  return Error{fmt::format("kernel '{}' {}", request.kernel_path, why)};
}

/// How a compressed payload begins, as the kernel's build names the formats, or one that is not compressed.
bool begins_as_payload(std::span<const u8> payload) {
  using namespace std::string_view_literals;
  constexpr std::string_view kBeginnings[] = {"\x1f\x8b",         "BZh",         "\x5d\0\0"sv,
                                              "\xfd\x37zXZ\0"sv,  "\x89LZO\0"sv, "\x02\x21\x4c\x18",
                                              "\x28\xb5\x2f\xfd", "\x7f\x45LF"};
  return std::ranges::any_of(kBeginnings, [&](std::string_view beginning) {
    return payload.size() >= beginning.size() &&
           std::equal(beginning.begin(), beginning.end(), payload.begin(),
                      [](char want, u8 got) { return static_cast<u8>(want) == got; });
  });
}

/// Fields that a kernel would follow into nowhere, seen by where they lead: the payload is where they say, and what it
/// unpacks to, which its last four bytes say, has room. Kernels that are none of Linux's say nothing of a payload.
Result<Done> check_payload(std::span<const u8> kernel, u64 offset, u64 bytes, u64 init_size,
                           const BootRequest& request) {
  if (bytes == 0) return Done{};
  constexpr u64 kSizeBytes = 4;
  if (bytes < kSizeBytes || offset > kernel.size() || bytes > kernel.size() - offset ||
      !begins_as_payload(kernel.subspan(offset, bytes)))
    return refuse(request,
                  "is damaged: its payload is not where its header says (setup_sects, payload_offset). Copy "
                  "or download it again.");
  const u64 unpacked_bytes = field_at<u32>(kernel, offset + bytes - kSizeBytes).value();
  if (init_size < unpacked_bytes)
    return refuse(request,
                  fmt::format("is damaged: it unpacks to {} bytes, and its header leaves room for {} "
                              "(init_size). Copy or download it again.",
                              unpacked_bytes, init_size));
  return Done{};
}

Result<Header> parse(std::span<const u8> image, const BootRequest& request) {
  const auto get8 = [&](u64 offset) { return field_at<u8>(image, offset).value_or(0); };
  const auto get16 = [&](u64 offset) { return field_at<u16>(image, offset).value_or(0); };
  const auto get32 = [&](u64 offset) { return field_at<u32>(image, offset).value_or(0); };
  const auto get64 = [&](u64 offset) { return field_at<u64>(image, offset).value_or(0); };

  Header header{};
  header.version = get16(kVersion);
  header.setup_bytes = setup_bytes(get8(kSetupSects));
  header.header_end = kHeaderMagic + get8(kHeaderEndByte);
  if (image.size() <= header.setup_bytes + kEntry64Offset || image.size() < header.header_end ||
      image.size() - header.setup_bytes + 15 < u64{get32(kSysSize)} * 16) {
    return refuse(request, "is truncated: copy or download it again.");
  }
  if (header.header_end < kInitSize + sizeof(u32))
    return refuse(request, "is damaged: its header ends before its last field (the jump at 200h).");
  header.relocatable = get8(kRelocatableKernel) != 0;
  header.entry64 = header.version >= kVersion2_12 && (get16(kXloadFlags) & kXlfKernel64) != 0;
  header.alignment = get32(kKernelAlignment);
  header.pref_address = get64(kPrefAddress);
  header.init_size = get32(kInitSize);
  header.initrd_max_phys = get32(kInitrdAddrMax);
  header.cmdline_size = get32(kCmdlineSize);
  TRY(check_payload(image.subspan(header.setup_bytes), get32(kPayloadOffset), get32(kPayloadLength),
                    header.init_size, request));
  if (header.relocatable && (header.alignment < kPageBytes || !std::has_single_bit(header.alignment))) {
    return refuse(request, "is damaged: its kernel_alignment is not a power of two of at least 4096.");
  }
  return header;
}

/// Where the kernel's protected-mode part goes. It needs `bytes` from there on while it unpacks itself.
Result<u64> choose_address(const Header& header, u64 bytes, const BootRequest& request,
                           const BootTarget& target) {
  if (fits_low_ram(target, header.pref_address, bytes)) return header.pref_address;
  if (header.relocatable) {
    const u64 lowest = align_up(kHighMemoryPhys, header.alignment);
    if (fits_low_ram(target, lowest, bytes)) return lowest;
  }
  // A damaged header may ask for anything: the sum is only used in the message.
  const u64 end = std::min<u64>(header.pref_address, kMaxRamBytes) + bytes;
  return refuse(request,
                fmt::format("does not fit into memory: give at least --memory {}M.", mib_needed(end)));
}

/// The initrd goes as high as it may, page-aligned, above the kernel.
Result<u64> place_initrd(u64 bytes, const Header& header, u64 kernel_end_phys, const BootRequest& request,
                         const BootTarget& target) {
  const u64 limit = header.initrd_max_phys + 1;
  const u64 top = std::min(limit, target.memory.usable_end_phys());
  const u64 lowest = align_up(kernel_end_phys, kPageBytes);
  if (top < lowest || bytes > top - lowest || align_down(top - bytes, kPageBytes) < lowest) {
    return Error{fmt::format("initrd '{}' ({} bytes) does not fit into memory above the kernel: {}.",
                             request.initrd_path, bytes, room_advice(lowest + bytes + kMiB, limit))};
  }
  return align_down(top - bytes, kPageBytes);
}

/// What must be wrong, although a kernel would only find out that it is no initramfs.
Result<Done> check_initrd(std::span<const u8> initrd, const BootRequest& request) {
  const FileKind* kind = misplaced_file(initrd, FileUse::LinuxInitrd);
  if (kind == nullptr) return Done{};
  return Error{fmt::format("initrd '{}' is {}: {}.", request.initrd_path, kind->what, kind->advice)};
}

class ZeroPage {
 public:
  ZeroPage() : bytes_(kPageBytes) {}
  template <class T>
  void set(u64 offset, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) bytes_[offset + i] = static_cast<u8>(u64{value} >> (8 * i));
  }
  void copy(u64 offset, std::span<const u8> from) {
    std::copy(from.begin(), from.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  std::span<const u8> bytes() const { return bytes_; }

 private:
  std::vector<u8> bytes_;
};

void write_e820(ZeroPage& zero_page, const MemoryMap& memory) {
  u64 offset = kE820Table;
  const std::vector<E820Entry> entries = memory.e820();
  for (const E820Entry& entry : entries) {
    zero_page.set<u64>(offset, entry.phys);
    zero_page.set<u64>(offset + 8, entry.bytes);
    zero_page.set<u32>(offset + 16, static_cast<u32>(entry.type));
    offset += 20;
  }
  zero_page.set<u8>(kE820Entries, static_cast<u8>(entries.size()));
  zero_page.set<u32>(kAltMemK, static_cast<u32>((memory.usable_end_phys() - kHighMemoryPhys) / kKiB));
}

/// What the kernel's real-mode part would find by int 10h: BIOS mode 3, cursor at the top left.
void write_screen_info(ZeroPage& zero_page) {
  zero_page.set<u8>(kScreenMode, 3);
  zero_page.set<u8>(kScreenColumns, 80);
  zero_page.set<u16>(kScreenEgaBx, 3);  // 256 KiB, color
  zero_page.set<u8>(kScreenLines, 25);
  zero_page.set<u8>(kScreenIsVga, 1);
  zero_page.set<u16>(kScreenPoints, 16);
}

}  // namespace

bool is_bzimage(std::span<const u8> image) {
  return field_at<u16>(image, kBootFlag) == 0xaa55 && field_at<u32>(image, kHeaderMagic) == kMagicHdrS;
}

Result<EntryState> load_linux(std::span<const u8> image, const BootRequest& request,
                              const BootTarget& target) {
  const Header header = TRY(parse(image, request));
  const std::span<const u8> kernel = image.subspan(header.setup_bytes);
  const u64 kernel_bytes = std::max<u64>(header.init_size, kernel.size());
  const u64 kernel_phys = TRY(choose_address(header, kernel_bytes, request, target));
  TRY(write_command_line(target, request.command_line, header.cmdline_size));

  ZeroPage zero_page;
  const u64 copied_end = std::min(header.header_end, kHeaderRoomEnd);
  zero_page.copy(kSetupSects, image.subspan(kSetupSects, copied_end - kSetupSects));
  zero_page.set<u8>(kTypeOfLoader, kLoaderUndefined);
  // These are the loader's to write, too.
  for (const u64 field : {kExtLoaderVer, kExtLoaderType}) zero_page.set<u8>(field, 0);
  zero_page.set<u32>(kHardwareSubarch, 0);
  for (const u64 field : {kHardwareSubarchData, kSetupData}) zero_page.set<u64>(field, 0);
  zero_page.set<u32>(kCmdLinePtr, static_cast<u32>(kCommandLinePhys));
  zero_page.set<u64>(kAcpiRsdpAddr, target.rsdp.phys);
  write_e820(zero_page, target.memory);
  write_screen_info(zero_page);

  zero_page.set<u32>(kRamdiskImage, 0);
  zero_page.set<u32>(kRamdiskSize, 0);
  if (!request.initrd_path.empty()) {
    // Its size first: reading a large one takes a while.
    const u64 initrd_bytes = TRY(host_file_bytes("initrd", request.initrd_path, target.files));
    const u64 initrd_phys =
        TRY(place_initrd(initrd_bytes, header, kernel_phys + kernel_bytes, request, target));
    const std::vector<u8> initrd =
        TRY(read_host_file("initrd", request.initrd_path, initrd_bytes, target.files));
    TRY(check_initrd(initrd, request));
    write_phys(target, initrd_phys, initrd);
    zero_page.set<u32>(kRamdiskImage, static_cast<u32>(initrd_phys));
    zero_page.set<u32>(kRamdiskSize, static_cast<u32>(initrd.size()));
  }

  write_phys(target, kernel_phys, kernel);
  write_phys(target, kBootInfoPhys, zero_page.bytes());
  return EntryState{
      .mode = header.entry64 ? EntryMode::Long64 : EntryMode::Flat32,
      .code_selector = kBootCs,
      .rip = header.entry64 ? kernel_phys + kEntry64Offset : kernel_phys,
      .rsi = kBootInfoPhys,
  };
}

}  // namespace reprise::machine::boot
