#include "frontend/options/disk_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace reprise::frontend {
namespace {

using machine::DiskBus;
using machine::DiskConfig;
using machine::DiskFormat;
using machine::DiskMedia;

/// ATA gives 20 bytes to a serial number, virtio-blk as many.
constexpr std::size_t kMaxSerialBytes = 20;

/// Splits at single commas; doubled ones are commas of the value.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      out.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      out.back() += ',';
      ++i;
    } else {
      out.emplace_back();
    }
  }
  return out;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

/// False when `value` is none of the key's values.
bool set(DiskConfig& disk, std::string_view key, const std::string& value) {
  if (key == "bus") {
    if (value == "ide") return disk.bus = DiskBus::Ide, true;
    if (value == "ahci") return disk.bus = DiskBus::Ahci, true;
    if (value == "virtio") return disk.bus = DiskBus::Virtio, true;
  } else if (key == "format") {
    if (value == "raw") return disk.format = DiskFormat::Raw, true;
    if (value == "qcow2") return disk.format = DiskFormat::Qcow2, true;
  } else if (key == "write") {
    if (value == "yes" || value == "on") return disk.write_through = true;
    if (value == "no" || value == "off") return disk.write_through = false, true;
  } else if (key == "media") {
    if (value == "disk") return disk.media = DiskMedia::Disk, true;
    if (value == "cdrom") return disk.media = DiskMedia::Cdrom, true;
  } else if (key == "overlay") {
    return !(disk.overlay_path = value).empty();
  } else if (key == "serial") {
    return !(disk.serial = value).empty() && value.size() <= kMaxSerialBytes && is_printable(value);
  }
  return false;
}

struct Key {
  std::string_view name;
  std::string_view values;
};
constexpr Key kBus{"bus", "ide, ahci, virtio"};
constexpr Key kCdromBus{"bus", "ide, ahci"};
constexpr Key kFormat{"format", "raw, qcow2"};
constexpr Key kWrite{"write", "yes, no"};
constexpr Key kOverlay{"overlay", "a file's name"};
constexpr Key kSerial{"serial", "up to 20 letters and digits"};
constexpr Key kMedia{"media", "disk, cdrom"};

Result<DiskConfig> parse(std::string_view option, std::string_view text, std::initializer_list<Key> keys) {
  DiskConfig disk;
  const std::vector<std::string> words = split(text);
  disk.path = words[0];
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    const std::string name = words[i].substr(0, equals);
    const auto key = std::ranges::find(keys, name, &Key::name);
    if (key == keys.end() || equals == std::string::npos) {
      std::string names;
      for (const Key& known : keys) names += fmt::format("{}{}=", names.empty() ? "" : ", ", known.name);
      return Error{fmt::format("{} '{}': '{}' is none of {} (a comma in a file's name is doubled)", option,
                               text, words[i], names)};
    }
    if (!set(disk, name, words[i].substr(equals + 1)) ||
        (key->values == kCdromBus.values && disk.bus == DiskBus::Virtio)) {
      return Error{fmt::format("{} '{}': {} is none of {}", option, text, words[i], key->values)};
    }
  }
  if (disk.write_through && !disk.overlay_path.empty())
    return Error{fmt::format("{} '{}': write=yes and overlay= exclude each other", option, text)};
  return disk;
}

}  // namespace

Result<DiskConfig> parse_disk(std::string_view option, std::string_view text) {
  DiskConfig disk = TRY(parse(option, text, {kBus, kFormat, kWrite, kOverlay, kSerial, kMedia}));
  if (disk.path.empty()) return Error{fmt::format("{} '{}' names no file", option, text)};
  if (disk.media == DiskMedia::Cdrom && (disk.write_through || !disk.overlay_path.empty()))
    return Error{fmt::format("{} '{}': a CD-ROM cannot be written", option, text)};
  if (disk.media == DiskMedia::Cdrom && disk.bus == DiskBus::Virtio)
    return Error{fmt::format("{} '{}': a CD-ROM is on ide or ahci", option, text)};
  return disk;
}

Result<DiskConfig> parse_cdrom(std::string_view text) {
  DiskConfig disk = TRY(parse("--cdrom", text, {kCdromBus, kSerial}));
  disk.media = DiskMedia::Cdrom;
  return disk;
}

Result<DiskConfig> parse_floppy(std::string_view text) {
  DiskConfig disk = TRY(parse("--floppy", text, {kWrite}));
  disk.media = DiskMedia::Floppy;
  disk.bus = DiskBus::Floppy;
  return disk;
}

}  // namespace reprise::frontend
