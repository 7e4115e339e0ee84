#include "machine/snapshot/written_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "common/check.h"
#include "common/zeros.h"
#include "machine/snapshot/disk_state.h"

namespace reprise::machine {
namespace {

using devices::BlockBackend;
using devices::BlockStatus;

constexpr u64 kPieceBytes = 64 * 1024;
constexpr std::string_view kOverlay = " overlay";
constexpr std::string_view kCopied = " sample none copied";

/// The image under the overlay of a drive.
Result<OpenedImage> open_base(const DiskSet& disks, std::size_t drive) {
  const DiskInfo info = disks.info()[drive];
  DiskConfig config;
  config.path = info.file;
  config.format = info.format == "qcow2" ? DiskFormat::Qcow2 : DiskFormat::Raw;
  return disks.open_medium(drive, config);
}

/// `line` up to what it says of the content.
std::string_view without_content(std::string_view line) { return line.substr(0, line.find(" sample ")); }

Result<Done> read(BlockBackend& image, u64 offset, std::span<u8> into, const std::string& name) {
  if (const BlockStatus status = image.read(offset, into); status != BlockStatus::Ok)
    return Error{fmt::format("What {} holds at byte {} cannot be read, and would be in the state: {}.", name,
                             offset, devices::describe(status))};
  return Done{};
}

}  // namespace

bool writes_a_file(const DiskInfo& disk) {
  return disk.writes == kWritesAreWrittenThrough || disk.writes == kWritesAreInAnOverlay;
}

Result<std::vector<std::string>> lines_in_state(const DiskSet& disks, std::vector<std::string> lines) {
  const std::vector<DiskInfo> infos = disks.info();
  for (std::size_t drive = 0; drive < infos.size(); ++drive) {
    if (!writes_a_file(infos[drive])) continue;
    const std::string head = fmt::format("drive {} ", infos[drive].name);
    const auto line =
        std::ranges::find_if(lines, [&](const std::string& one) { return one.starts_with(head); });
    CHECK(line != lines.end());
    const std::string beginning(without_content(*line));
    if (infos[drive].overlay.empty()) {
      *line = fmt::format("{}{}", beginning, kCopied);
      continue;
    }
    const OpenedImage base = TRY(open_base(disks, drive));
    devices::BlockGenerations* const overlay = base.medium->generations();
    *line = fmt::format("{} sample {:016x}{}", beginning,
                        image_sample(overlay != nullptr ? overlay->base() : *base.medium), kOverlay);
  }
  return lines;
}

void accept_copied_drives(std::vector<std::string>& saved, const std::vector<std::string>& here) {
  for (std::string& line : saved) {
    if (!line.starts_with("drive ") || !line.ends_with(kCopied)) continue;
    const std::string_view its = std::string_view(line).substr(0, line.size() - kCopied.size());
    const auto ours = std::ranges::find_if(here, [&](const std::string& other) {
      return other.ends_with(kOverlay) && without_content(other) == its;
    });
    if (ours != here.end()) line = *ours;
  }
}

Result<Done> save_written_disk(StateWriter& writer, const DiskSet& disks, std::size_t drive) {
  const DiskInfo info = disks.info()[drive];
  BlockBackend& disk = *disks.attached()[drive].medium;
  OpenedImage base;
  if (!info.overlay.empty()) base = TRY(open_base(disks, drive));
  std::vector<u8> piece(kPieceBytes), under(kPieceBytes);
  DiskRange zeros;  // that are still to be written
  for (u64 at = 0; at < disk.bytes(); at += piece.size()) {
    piece.resize(std::min(kPieceBytes, disk.bytes() - at));
    TRY(read(disk, at, piece, info.name));
    if (base.medium != nullptr) {
      under.resize(piece.size());
      TRY(read(*base.medium, at, under, fmt::format("the image of {}", info.name)));
      if (under == piece) continue;
    }
    if (!all_zero(piece)) {
      save_zeros(writer, zeros);
      save_piece(writer, at, piece);
      zeros = {};
    } else if (zeros.offset + zeros.bytes == at && zeros.bytes != 0) {
      zeros.bytes += piece.size();
    } else {
      save_zeros(writer, zeros);
      zeros = {at, piece.size()};
    }
  }
  save_zeros(writer, zeros);
  end_pieces(writer);
  return Done{};
}

}  // namespace reprise::machine
