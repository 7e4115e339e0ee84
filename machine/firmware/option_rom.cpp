#include "machine/firmware/option_rom.h"

#include <fmt/format.h>

#include <filesystem>

#include "common/bits.h"
#include "machine/layout/memory_map.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

constexpr const char* kPackageFolder = "/usr/lib/ipxe/qemu";
/// What a base address register of a ROM can span. PCI 2.2, 6.2.5.2.
constexpr u64 kMaxBytes = 16 * kMiB;

}  // namespace

Result<std::vector<u8>> load_option_rom(const std::string& file, RunFiles& files) {
  std::string path = file;
  if (file.find('/') == file.npos && !files.exists(file)) {
    path = fmt::format("{}/{}", kPackageFolder, file);
    std::error_code error;
    if (!files.is_packed() && !std::filesystem::exists(kPackageFolder, error))
      return Error{
          fmt::format("'{}' is needed to boot from the network: install Debian's package ipxe-qemu.", path)};
    if (!files.exists(path))
      return Error{
          fmt::format("option ROM '{}' does not exist, neither here nor in {}.", file, kPackageFolder)};
  }
  if (const u64 bytes = TRY(host_file_bytes("option ROM", path, &files)); bytes > kMaxBytes)
    return Error{fmt::format("option ROM '{}' has {} bytes, and a card's has {} at most: give another file.",
                             path, bytes, kMaxBytes)};
  // PCI 2.2, 6.3.1.1.
  const std::vector<u8> head = TRY(read_host_head("option ROM", path, 2, &files));
  if (head.size() < 2 || head[0] != 0x55 || head[1] != 0xaa)
    return Error{fmt::format(
        "'{}' does not begin as an option ROM does, with 55 AA: give another file, or romfile= for "
        "none.",
        path)};
  return read_host_file("option ROM", path, kMaxBytes, &files);
}

void name_card(std::vector<u8>& rom, u16 vendor, u16 device) {
  // PCI 2.2, 6.3.1: the header points to the structure with the numbers; all bytes of the image add up to 0.
  constexpr std::size_t kPointer = 0x18;
  constexpr std::size_t kChecksum = 6;  // of the entry's instructions, which end before it
  constexpr std::size_t kVendor = 4, kDevice = 6, kStructureBytes = 0x18;
  // Virtio 1.1, 4.1.2.1.
  constexpr u16 kVirtioVendor = 0x1af4, kTransitionalNet = 0x1000, kModernNet = 0x1041;
  if (vendor != kVirtioVendor || device != kTransitionalNet || rom.size() < kPointer + 2) return;
  const std::size_t at = read_unaligned<u16>(&rom[kPointer]);
  if (at + kStructureBytes > rom.size() || read_unaligned<u16>(&rom[at + kVendor]) != vendor ||
      read_unaligned<u16>(&rom[at + kDevice]) != kModernNet)
    return;
  for (unsigned i = 0; i < 2; ++i) {
    u8& byte = rom[at + kDevice + i];
    const u8 wanted = static_cast<u8>(device >> 8 * i);
    rom[kChecksum] = static_cast<u8>(rom[kChecksum] + byte - wanted);
    byte = wanted;
  }
}

}  // namespace reprise::machine
