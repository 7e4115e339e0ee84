// Files of a run by which another machine knows that it is the same run: what a recording and a saved state say of them.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "common/numbers.h"
#include "common/words.h"
#include "machine/machine.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

/// A line of shape() about a drive, by its words.
struct DriveLine {
  std::string name;
  u64 bytes = 0;
  std::string sample;
  std::string others;
};

std::optional<DriveLine> drive_line(std::string_view line) {
  const std::vector<std::string_view> words = words_between(line, " ");
  if (words.size() < 2 || words[0] != "drive") return std::nullopt;
  DriveLine drive;
  drive.name = words[1];
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (words[i] == "bytes" && i + 1 < words.size())
      drive.bytes = parse_number(words[++i]).value_or(0);
    else if (words[i] == "sample" && i + 1 < words.size())
      drive.sample = words[++i];
    else
      drive.others += fmt::format(" {}", words[i]);
  }
  return drive;
}

std::string name_without_folders(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

}  // namespace

std::vector<RecordedFileId> Machine::files_of_run() const {
  std::vector<RecordedFileId> files;
  for (const FileRead& file : pc_.files_read())
    files.push_back({file.what, disks_.files().whole_name(file.path), file.bytes, file.digest});
  if (loaded_state_) files.push_back(*loaded_state_);
  return files;
}

std::vector<RecordedReads> Machine::image_reads() const {
  std::vector<RecordedReads> reads;
  for (const DiskInfo& disk : disks_.info())
    if (disk.read.bytes != 0) reads.push_back({disk.name, disk.read.digest});
  return reads;
}

Result<Done> Machine::compare_files(const std::vector<RecordedFileId>& recorded) const {
  const std::vector<RecordedFileId> here = files_of_run();
  for (std::size_t i = 0; i < std::min(recorded.size(), here.size()); ++i) {
    const RecordedFileId &its = recorded[i], &ours = here[i];
    if (its.what != ours.what || (its.bytes == ours.bytes && its.digest == ours.digest)) continue;
    return Error{fmt::format(
        "The {} '{}' is not the one of that run: it {}. Give that one with --image {}=PATH.",
        in_one_line(its.what), in_one_line(ours.name),
        its.bytes == ours.bytes ? "holds something else"
                                : fmt::format("has {} bytes where that had {}", ours.bytes, its.bytes),
        in_one_line(name_without_folders(its.name)))};
  }
  return Done{};
}

Result<Done> Machine::compare_images(const std::vector<std::string>& recorded) {
  const std::vector<DiskInfo> disks = disks_.info();
  const std::vector<std::string> lines = shape();
  for (const std::string& line : recorded) {
    const std::optional<DriveLine> its = drive_line(line);
    const auto disk = std::ranges::find(disks, its ? its->name : "", &DiskInfo::name);
    // A drive that has or had nothing in it is another machine's.
    if (disk == disks.end() || disk->file.empty() || its->bytes == 0) continue;
    for (const std::string& own_line : lines) {
      const std::optional<DriveLine> ours = drive_line(own_line);
      if (!ours || ours->name != its->name || ours->others != its->others || own_line == line) continue;
      return Error{fmt::format(
          "The image '{}' of {} is not the one of that run: it {}. Give that one with --image {}=PATH.",
          in_one_line(disk->file), disk->name,
          its->bytes == ours->bytes ? "holds something else"
                                    : fmt::format("has {} bytes where that had {}", ours->bytes, its->bytes),
          in_one_line(name_without_folders(disk->file)))};
    }
  }
  return Done{};
}

Result<Done> Machine::check_is_machine_of(const RecordedRun& run) {
  TRY(compare_files(run.files));
  TRY(compare_images(run.shape));
  return compare_shapes(run.shape, shape(), "recorded");
}

void Machine::begin_from_state(RecordedFileId state) {
  std::string name = state.name;
  loaded_state_ = std::move(state);
  if (config_.replayed) return;
  const RunOrigin& origin = config_.origin;
  recorder_.begin_anew(
      {origin.program, origin.folder, origin.words, std::move(name), shape(), files_of_run()});
  // The first link reads all of memory, which a state is mapped to: the file's digests tell as much.
  next_recorded_hash_ = retired() + kHashEveryRetired;
}

}  // namespace reprise::machine
