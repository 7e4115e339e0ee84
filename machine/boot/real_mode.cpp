#include "machine/boot/real_mode.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"
#include "machine/boot/setup_header.h"
#include "machine/storage/host_file.h"

namespace reprise::machine::boot {
namespace {

using devices::FwCfg;
using namespace setup;

/// Kernels before 2.02 look for their command line by these, relative to their real-mode part.
constexpr u64 kOldCommandLineMagic = 0x20;
constexpr u64 kOldCommandLineOffset = 0x22;
constexpr u16 kOldCommandLine = 0xa33f;

constexpr u64 kLowKernelPhys = 0x10000;
constexpr u64 kLowKernelEndPhys = 0x90000;
constexpr u64 kOldCommandLineBytes = 255;
constexpr u64 kOldInitrdMaxPhys = 0x37ff'ffff;
constexpr u64 kFirmwareTablesBytes = kMiB;  // at most, at the end of low memory: SeaBIOS's

/// Where the real-mode part goes, and its command line.
struct Layout {
  u64 real_phys;
  u64 command_line_phys;
  u64 command_line_bytes;  // that fit, with the terminating zero
};
constexpr Layout kLayout = {0x10000, 0x20000, 0x10000};
constexpr Layout kOldLayout = {0x90000, 0x99000, 0x1000};

struct Kernel {
  u16 version;
  bool high;
  u64 setup_bytes;
  u64 kernel_phys;
  Layout layout;
};

Error refuse(const BootRequest& request, std::string_view why) {
  return Error{fmt::format("kernel '{}' {}", request.kernel_path, why)};
}

template <class T>
T get(std::span<const u8> image, u64 offset) {
  return field_at<T>(image, offset).value_or(0);
}

template <class T>
void put(std::span<u8> bytes, u64 offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes[offset + i] = static_cast<u8>(u64{value} >> (8 * i));
}

Result<Kernel> parse(std::span<const u8> image, const BootRequest& request) {
  Kernel kernel{};
  kernel.version = get<u16>(image, kVersion);
  kernel.high = (get<u8>(image, kLoadFlags) & kLoadedHigh) != 0;
  kernel.setup_bytes = setup_bytes(get<u8>(image, kSetupSects));
  kernel.kernel_phys = kernel.high ? kHighMemoryPhys : kLowKernelPhys;
  kernel.layout = kernel.high && kernel.version >= kVersion2_02 ? kLayout : kOldLayout;
  if (kernel.version < 0x0200)
    return refuse(request, fmt::format("is damaged: there is no Linux boot protocol {}.{:02}.",
                                       kernel.version >> 8, kernel.version & 0xff));
  if (image.size() <= kernel.setup_bytes) return refuse(request, "is truncated: copy or download it again.");
  if (kernel.setup_bytes > kernel.layout.command_line_phys - kernel.layout.real_phys)
    return refuse(request, "is damaged: its real-mode part is larger than there is room for.");
  if (!kernel.high && image.size() - kernel.setup_bytes > kLowKernelEndPhys - kLowKernelPhys)
    return refuse(request, "is damaged: it is a zImage of more than 512 KiB.");
  return kernel;
}

/// As high as it may lie, page-aligned.
Result<u64> place_initrd(const Kernel& kernel, std::span<const u8> image, u64 bytes,
                         const BootRequest& request, const MemoryMap& memory) {
  const u64 max_phys = kernel.version >= kVersion2_03 ? get<u32>(image, kInitrdAddrMax) : kOldInitrdMaxPhys;
  const u64 top = std::min(max_phys + 1, memory.low_ram_end_phys() - kFirmwareTablesBytes);
  const u64 kernel_end = kHighMemoryPhys + (kernel.high ? image.size() : 0);
  const u64 lowest = align_up(kernel_end, kPageBytes);
  if (top < lowest || align_down(top, kPageBytes) - lowest < align_up(bytes, kPageBytes)) {
    return Error{fmt::format("initrd '{}' ({} bytes) does not fit into memory above the kernel: {}.",
                             request.initrd_path, bytes,
                             room_advice(lowest + bytes + kFirmwareTablesBytes + kMiB, max_phys + 1))};
  }
  return align_down(top - bytes, kPageBytes);
}

Result<std::vector<u8>> command_line_of(const Kernel& kernel, std::span<const u8> image,
                                        const BootRequest& request) {
  const u64 wanted = kernel.version >= kVersion2_06 ? get<u32>(image, kCmdlineSize) : kOldCommandLineBytes;
  const u64 limit = std::min(wanted, kernel.layout.command_line_bytes - 1);
  if (request.command_line.size() > limit)
    return Error{fmt::format("the kernel command line is too long ({} bytes): this kernel takes at most {}.",
                             request.command_line.size(), limit)};
  std::vector<u8> bytes(request.command_line.begin(), request.command_line.end());
  bytes.push_back(0);
  return bytes;
}

/// The real-mode part with what a boot loader writes into its header.
std::vector<u8> filled_setup(const Kernel& kernel, std::span<const u8> image) {
  std::vector<u8> setup(image.begin(), image.begin() + static_cast<std::ptrdiff_t>(kernel.setup_bytes));
  const Layout& layout = kernel.layout;
  const u64 room = layout.command_line_phys - layout.real_phys;
  put<u8>(setup, kTypeOfLoader, kLoaderUndefined);
  if (kernel.version >= kVersion2_01) {
    constexpr u64 kBelowEnd = 0x200;
    put<u16>(setup, kHeapEndPtr, static_cast<u16>(room - kBelowEnd));
    setup[kLoadFlags] |= kCanUseHeap;
  }
  if (kernel.version >= kVersion2_02) {
    put<u32>(setup, kCmdLinePtr, static_cast<u32>(layout.command_line_phys));
  } else {
    put<u16>(setup, kOldCommandLineMagic, kOldCommandLine);
    put<u16>(setup, kOldCommandLineOffset, static_cast<u16>(room));
  }
  return setup;
}

}  // namespace

bool needs_real_mode(std::span<const u8> image) {
  return get<u16>(image, kVersion) < kVersion2_10 || (get<u8>(image, kLoadFlags) & kLoadedHigh) == 0;
}

Result<FirmwareBoot> prepare_real_mode(std::span<const u8> image, const BootRequest& request,
                                       const MemoryMap& memory, RunFiles* files) {
  const Kernel kernel = TRY(parse(image, request));
  const Layout& layout = kernel.layout;
  std::vector<u8> setup = filled_setup(kernel, image);
  std::vector<u8> command_line = TRY(command_line_of(kernel, image, request));
  const std::span<const u8> protected_part = image.subspan(kernel.setup_bytes);
  if (kernel.high &&
      kernel.kernel_phys + protected_part.size() + kFirmwareTablesBytes > memory.low_ram_end_phys())
    return refuse(request, fmt::format("does not fit into memory: give at least --memory {}M.",
                                       mib_needed(kernel.kernel_phys + protected_part.size() + 2 * kMiB)));

  KernelRom rom;
  if (!request.initrd_path.empty()) {
    const u64 bytes = TRY(host_file_bytes("initrd", request.initrd_path, files));
    const u64 phys = TRY(place_initrd(kernel, image, bytes, request, memory));
    std::vector<u8> initrd = TRY(read_host_file("initrd", request.initrd_path, bytes, files));
    put<u32>(setup, kRamdiskImage, static_cast<u32>(phys));
    put<u32>(setup, kRamdiskSize, static_cast<u32>(initrd.size()));
    rom.hand_over(FwCfg::Key::InitrdData, std::move(initrd), phys);
  }
  rom.hand_over(FwCfg::Key::KernelData, {protected_part.begin(), protected_part.end()}, kernel.kernel_phys);
  rom.hand_over(FwCfg::Key::CommandLineData, std::move(command_line), layout.command_line_phys);
  rom.hand_over(FwCfg::Key::SetupData, std::move(setup), layout.real_phys);

  constexpr u64 kSetupEntrySegments = 0x20;  // the entry is behind the boot sector
  constexpr u64 kScratchPhys = 0x7000;       // below the kernel's parts, above what SeaBIOS has there
  const u64 data_segment = layout.real_phys >> 4;
  return rom.enter_real_mode(
      static_cast<u16>(data_segment + kSetupEntrySegments), static_cast<u16>(data_segment),
      static_cast<u16>(layout.command_line_phys - layout.real_phys - 16), kScratchPhys);
}

}  // namespace reprise::machine::boot
