#include "machine/firmware/firmware.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/display/vga.h"
#include "machine/firmware/variable_store.h"
#include "machine/layout/pc_layout.h"
#include "machine/storage/file_kind.h"
#include "machine/storage/host_file.h"
#include "machine/storage/near_name.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxBiosBytes = 16 * kMiB;
constexpr u64 kMaxVgaBiosBytes = 128 * kKiB;

constexpr const char* kSeaBiosPath = "/usr/share/seabios/bios-256k.bin";
constexpr const char* kMicrovmSeaBiosPath = "/usr/share/seabios/bios-microvm.bin";
constexpr const char* kVgaBiosPath = "/usr/share/seabios/vgabios-stdvga.bin";
struct Ovmf {
  std::string_view name;  // of FirmwareConfig::bios
  const char* code;
  const char* variables;
};
/// The same firmware with room for more and for fewer variables: a store belongs to one of them.
constexpr Ovmf kOvmfs[] = {
    {"ovmf", "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
    {"ovmf-2m", "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
};

/// A file of one of the distribution's packages.
Result<std::vector<u8>> load_packaged(const char* what, const char* path, const char* package, u64 max_bytes,
                                      RunFiles& files) {
  if (!files.exists(path)) {
    return Error{fmt::format("{} is needed for this boot, and '{}' is missing: install Debian's package {}.",
                             what, path, package)};
  }
  return read_host_file(what, path, max_bytes, &files);
}

Result<FirmwareImage> load_ovmf(const Ovmf& ovmf, const FirmwareConfig& config, RunFiles& files) {
  FirmwareImage image;
  image.uefi = true;
  image.rom = TRY(load_packaged("OVMF", ovmf.code, "ovmf", kMaxBiosBytes, files));
  image.variables = TRY(load_packaged("OVMF", ovmf.variables, "ovmf", kMaxBiosBytes, files));
  if (config.variables_path.empty()) return image;
  VariableStore store = TRY(open_variable_store(config.variables_path, image.variables, files));
  image.variables = std::move(store.bytes);
  image.save_variables = std::move(store.save);
  return image;
}

Result<FirmwareImage> load_bios_file(const std::string& path, RunFiles& files) {
  if (!files.exists(path)) {
    const bool name = path.find('/') == path.npos && path.find('.') == path.npos;
    return Error{fmt::format("firmware '{}' does not exist{}{}.", path, near_name(path),
                             name ? ": --bios takes seabios, ovmf or the name of a file" : "")};
  }
  if (const auto size = host_file_bytes("firmware", path, &files); size && size.value() > kMaxBiosBytes) {
    return Error{fmt::format("firmware '{}' has {} bytes, and there is room for {}: give a BIOS image.", path,
                             size.value(), kMaxBiosBytes)};
  }
  FirmwareImage image;
  image.rom = TRY(read_host_file("firmware", path, kMaxBiosBytes, &files));
  if (const FileKind* kind = misplaced_file(image.rom, FileUse::Firmware))
    return Error{fmt::format("firmware '{}' is {}: {}.", path, kind->what, kind->advice)};
  if (image.rom.size() % kPageBytes != 0 || image.rom.size() < 64 * kKiB) {
    return Error{fmt::format(
        "firmware '{}' has {} bytes, which is not 64K or more in whole pages: give an uncut BIOS image.",
        path, image.rom.size())};
  }
  // The first instruction is 16 bytes before the end: an empty place has none.
  const auto start = std::span(image.rom).last(16);
  if (std::ranges::all_of(start, [&](u8 byte) { return byte == start[0]; })) {
    return Error{
        fmt::format("firmware '{}' has no code where a processor starts: give a whole BIOS image.", path)};
  }
  return image;
}

}  // namespace

Result<FirmwareImage> load_firmware(const FirmwareConfig& config, devices::Chipset chipset, RunFiles& files) {
  for (const Ovmf& ovmf : kOvmfs)
    if (config.bios == ovmf.name) return load_ovmf(ovmf, config, files);
  if (!config.bios.empty() && config.bios != "seabios") return load_bios_file(config.bios, files);
  FirmwareImage image;
  const char* const path = chipset == devices::Chipset::Microvm ? kMicrovmSeaBiosPath : kSeaBiosPath;
  image.rom = TRY(load_packaged("SeaBIOS", path, "seabios", kMaxBiosBytes, files));
  return image;
}

Result<std::vector<u8>> load_vga_bios(RunFiles& files) {
  return load_packaged("A VGA BIOS", kVgaBiosPath, "seabios", kMaxVgaBiosBytes, files);
}

std::vector<u8> load_text_font(RunFiles& files) {
  // Characters 0, which is empty, and 1, a face.
  static constexpr u8 kBegin[32] = {0,    0,    0,    0,    0,    0,    0, 0,    0,    0,    0,
                                    0,    0,    0,    0,    0,    0,    0, 0x7e, 0x81, 0xa5, 0x81,
                                    0x81, 0xbd, 0x99, 0x81, 0x81, 0x7e, 0, 0,    0,    0};
  if (!files.exists(kVgaBiosPath)) return {};
  const Result<std::vector<u8>> bios = load_vga_bios(files);
  if (!bios) return {};
  const auto begin =
      std::search(bios.value().begin(), bios.value().end(), std::begin(kBegin), std::end(kBegin));
  constexpr auto kBytes = static_cast<std::ptrdiff_t>(devices::Vga::kFontBytes);
  if (bios.value().end() - begin < kBytes) return {};
  return {begin, begin + kBytes};
}

}  // namespace reprise::machine
