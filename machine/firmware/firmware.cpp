#include "machine/firmware/firmware.h"

#include <fmt/format.h>

#include <filesystem>

#include "machine/host_file.h"
#include "machine/pc_layout.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxBiosBytes = 16 * kMiB;
constexpr u64 kMaxVgaBiosBytes = 128 * kKiB;
constexpr const char* kSeaBiosPath = "/usr/share/seabios/bios-256k.bin";
constexpr const char* kVgaBiosPath = "/usr/share/seabios/vgabios-isavga.bin";

Error missing_package(const char* what, const char* path, const char* package) {
  return Error{
      fmt::format("{} is needed to boot without --kernel, and '{}' is missing: install Debian's package {}.",
                  what, path, package)};
}

bool exists(const char* path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

Result<std::vector<u8>> load_bios(const std::string& bios) {
  std::string path = bios;
  if (bios.empty() || bios == "seabios") {
    if (!exists(kSeaBiosPath)) return missing_package("SeaBIOS", kSeaBiosPath, "seabios");
    path = kSeaBiosPath;
  }
  std::vector<u8> bytes = TRY(read_host_file("firmware", path, kMaxBiosBytes));
  if (bytes.size() % (64 * kKiB) != 0) {
    return Error{
        fmt::format("firmware '{}' has {} bytes, which is no multiple of 64K: give an uncut BIOS image.",
                    path, bytes.size())};
  }
  return bytes;
}

Result<std::vector<u8>> load_vga_bios() {
  if (!exists(kVgaBiosPath)) return missing_package("A VGA BIOS", kVgaBiosPath, "seabios");
  return read_host_file("VGA BIOS", kVgaBiosPath, kMaxVgaBiosBytes);
}

}  // namespace reprise::machine
