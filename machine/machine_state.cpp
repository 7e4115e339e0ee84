// The whole machine as a stream: machine/snapshot/state_stream.h.
//
//   media      of removable drives that no longer hold what they began with, what they hold
//   manifest   lines of text. One that begins with '#' is for people; the others say what the machine is, and a
//              machine that is to load the state must have the same.
//   machine    processors, TLBs, devices, wires, timers; what waits to be done; input that waits
//   ram        pages
//   disks      what the guest wrote, by drive
//
// Nothing of the host is in it: files, sockets and terminals are those of the machine that loads it.
#include <fmt/format.h>

#include "common/archive.h"
#include "machine/machine.h"
#include "machine/plug/drive_words.h"
#include "machine/snapshot/disk_state.h"
#include "machine/snapshot/media_state.h"
#include "machine/snapshot/run_origin.h"
#include "machine/snapshot/written_disk.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxManifestBytes = 1 << 20;
constexpr u64 kMaxArchiveBytes = 256 << 20;
constexpr u64 kMaxNs = u64{1} << 62;

std::span<const u8> as_bytes(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

/// The lines of `text` that count.
std::vector<std::string> lines_that_count(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with('#')) lines.emplace_back(line);
  }
  return lines;
}

bool is_seed_line(const std::string& line) { return line.starts_with("seed "); }

std::string seed_line(const std::vector<std::string>& lines) {
  const auto found = std::ranges::find_if(lines, is_seed_line);
  return found == lines.end() ? std::string() : *found;
}

/// What a copy may have of its own: randomness, and how its processors get their turns.
bool is_of_copy(const std::string& line) { return is_seed_line(line) || line.starts_with("schedule "); }

Result<Done> save_disks(StateWriter& writer, const DiskSet& disks) {
  const std::vector<DiskInfo> infos = disks.info();
  for (std::size_t drive = 0; drive < infos.size(); ++drive) {
    devices::BlockGenerations* const overlay = disks.attached()[drive].medium->generations();
    if (writes_a_file(infos[drive]))
      TRY(save_written_disk(writer, disks, drive));
    else if (overlay != nullptr)
      save_overlay(writer, *overlay, overlay->current());
  }
  return Done{};
}

/// A line of a file that may hold anything, for a sentence.
std::string shown(std::string_view line) {
  std::string text(line.substr(0, 100));
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

}  // namespace

std::vector<std::string> Machine::shape() {
  std::vector<std::string> lines = {fmt::format("memory {}", config_.ram_bytes),
                                    fmt::format("video memory {}", ram_->bytes() - config_.ram_bytes),
                                    fmt::format("seed {}", config_.seed)};
  for (std::string& line : pc_.shape()) lines.push_back(std::move(line));
  const std::vector<DiskInfo> infos = disks_.info();
  for (std::size_t i = 0; i < infos.size(); ++i) {
    devices::BlockBackend& medium = *disks_.attached()[i].medium;
    // In a run that is repeated, what others write through has one, too.
    const bool temporary = infos[i].writes == kWritesAreTemporary;
    devices::BlockGenerations* const overlay = temporary ? medium.generations() : nullptr;
    const Drive& drive = pc_.drives()[i];
    const auto sample = [&] { return image_sample(overlay != nullptr ? overlay->base() : medium); };
    lines.push_back(fmt::format("drive {} {} place {} slot {} serial {} bytes {} sample {:016x} {}",
                                infos[i].name, bus_name(infos[i].bus), drive.place, drive.slot,
                                drive.disk.serial, medium.bytes(), disks_.sample_of(i, sample),
                                overlay != nullptr ? "overlay" : "as it is"));
  }
  return lines;
}

Result<Done> Machine::save(StateWriter& writer) {
  RamInStream ram;
  return save(writer, ram);
}

Result<Done> Machine::load(StateReader& reader) {
  RamInStream ram;
  return load(reader, ram);
}

Result<Done> Machine::save_file(const std::string& path, StateForm form) {
  TRY(check_can_be_saved());
  const auto file = TRY(StateFileWriter::create(path, form, ram_->bytes()));
  RunOrigin origin = config_.origin;
  // Whoever loads it would write what its command says.
  for (std::string& word : origin.words) word = without_written_files(std::move(word));
  save_origin(file->stream(), origin);
  const Result<Done> saved = save(file->stream(), file->ram());
  if (!saved && file->stream().ok()) return saved.error();
  return file->commit();
}

Result<Done> Machine::check_can_be_saved() const {
  if (!unusable_.empty()) return Error{unusable_};
  if (pc_.scheduler().amid_due())
    return Error{
        "The guest stands between two things that happen at one instant, where no state can be saved: let it "
        "go on for an instruction."};
  return Done{};
}

Result<Done> Machine::save(StateWriter& writer, RamStore& ram) {
  TRY(check_can_be_saved());
  std::string manifest = fmt::format("# instructions {}\n# virtual_ns {}\n", retired(), virtual_ns());
  for (const DiskInfo& disk : disks_.info())
    manifest += fmt::format("# {} holds {}\n", disk.name, shown(disk.file));
  for (const std::string& line : TRY(lines_in_state(disks_, shape()))) manifest += line + '\n';
  save_media(writer, media_changes_.changed());
  writer.begin("manifest");
  writer.bytes(as_bytes(manifest));
  writer.end();

  Archive archive;
  pc_.serialize(archive);
  serialize(archive);
  writer.begin("machine");
  writer.bytes(archive.bytes());
  writer.end();

  ram.save(writer, *ram_);

  writer.begin("disks");
  // What it takes to save them is no request of the guest's, and an error no answer to it.
  const DiskSet::Figures figures = disks_.figures();
  disks_.on_error({});
  const Result<Done> saved = save_disks(writer, disks_);
  disks_.on_error([this](const DiskError& error) { disk_failed(error); });
  disks_.set_figures(figures);
  TRY(saved);
  writer.end();
  if (!writer.ok()) return Error{"The state could not be written to its end."};
  return Done{};
}

Result<Done> Machine::load(StateReader& reader, RamStore& ram) {
  if (!unusable_.empty()) return Error{unusable_};
  const std::vector<HeldMedium> media = load_media(reader);
  reader.begin("manifest");
  const std::vector<u8> manifest = reader.rest(kMaxManifestBytes);
  reader.begin("machine");
  const std::vector<u8> board = reader.rest(kMaxArchiveBytes);
  TRY(reader.result());
  const std::string_view shape_saved{reinterpret_cast<const char*>(manifest.data()), manifest.size()};

  // From here on the machine is neither the one nor the other until all has been read.
  constexpr const char* kHalfLoaded =
      "A state was loaded that is damaged, so this machine cannot run: start a new one.";
  if (!media.empty()) unusable_ = kHalfLoaded;
  TRY(restore_media(media, lines_that_count(shape_saved)));
  TRY(check_shape(shape_saved));
  unusable_ = kHalfLoaded;
  ram.load(reader, *ram_);
  reader.begin("disks");
  for (const AttachedDisk& disk : disks_.attached())
    if (devices::BlockGenerations* const overlay = disk.medium->generations(); overlay != nullptr)
      load_overlay(reader, *disk.medium, *overlay);
  reader.end();
  reader.finish();
  TRY(reader.result());
  Archive archive(board);
  pc_.serialize(archive);
  serialize(archive);
  if (!archive.ok() || !archive.at_end()) return Error{"It is damaged: what it says of a device cannot be."};
  pc_.state_replaced();
  if (std::exchange(new_seed_, false)) pc_.renew_seed(config_.seed);
  recorder_.abandon("it goes on from a saved state");
  checkpoints_.clear();
  unusable_.clear();
  return Done{};
}

Result<Done> compare_shapes(const std::vector<std::string>& saved, const std::vector<std::string>& here,
                            std::string_view how) {
  for (std::size_t i = 0; i < std::max(saved.size(), here.size()); ++i) {
    const std::string_view its = i < saved.size() ? std::string_view(saved[i]) : "nothing more";
    const std::string_view ours = i < here.size() ? std::string_view(here[i]) : "nothing more";
    if (its == ours) continue;
    return Error{
        fmt::format("It was {} by another machine, with '{}' where this one has '{}': give the options "
                    "and images of that one.",
                    how, shown(its), shown(ours))};
  }
  return Done{};
}

Result<Done> Machine::restore_media(const std::vector<HeldMedium>& media,
                                    const std::vector<std::string>& saved) {
  if (media.empty()) return Done{};
  const std::vector<std::string> here = shape();
  for (const HeldMedium& held : media) {
    // Who gave the same medium by hand has it already.
    const auto is_of_drive = [&](const std::string& line) {
      return line.starts_with(fmt::format("drive {} ", held.drive));
    };
    const auto its = std::ranges::find_if(saved, is_of_drive);
    const auto ours = std::ranges::find_if(here, is_of_drive);
    if (its != saved.end() && ours != here.end() && *its == *ours) continue;
    TRY(media_changes_.restore(held));
  }
  return Done{};
}

Result<Done> Machine::check_shape(std::string_view manifest) {
  std::vector<std::string> saved = lines_that_count(manifest);
  std::vector<std::string> here = shape();
  accept_copied_drives(saved, here);
  TRY(compare_images(saved));
  const std::string seed = seed_line(here);
  new_seed_ = seed_line(saved) != seed;
  std::erase_if(saved, is_of_copy);
  std::erase_if(here, is_of_copy);
  return compare_shapes(saved, here, "saved");
}

/// What is neither the board's nor the host's.
void Machine::serialize(Archive& archive) {
  archive.tag("machine");
  serialize_pending(archive);
  // In its past what waits is that of the present.
  outside_.serialize(archive, present_ ? Outside::Waiting::None : Outside::Waiting::All);
  network_.serialize(archive);
  pc_.scheduler().serialize_host_timers(archive);
  serialize_own(archive);
}

void Machine::serialize_pending(Archive& archive) {
  archive.at_most(pending_.request, MachineRequest::DebugExit);
  archive.value(pending_.code);
  // A stop that was asked for costs a turn without an instruction, in which events may fall due.
  for (const auto& processor : pc_.processors()) archive.value(processor->cpu.stop_requested);
}

void Machine::serialize_checkpoint(Archive& archive) {
  archive.tag("checkpoint");
  serialize_pending(archive);
  network_.serialize_guest_side(archive);
  pc_.scheduler().serialize_amid(archive);
  pc_.serialize_share_handles(archive);
  serialize_own(archive);
}

/// What does not go on by itself outside.
void Machine::serialize_own(Archive& archive) {
  archive.value(step_.retired);
  archive.value(step_.count);
  archive.value(idle_retired_);
  archive.at_most(idle_from_ns_, kMaxNs);
  archive.at_most(quiet_from_ns_, kMaxNs);
  archive.value(quiet_from_retired_);
  archive.value(restarts_);
  archive.value(events_done_);
  panic_.serialize(archive);
  pc_.debug_log().serialize(archive);
  // What is counted for them begins anew with each process.
  bool sign_since = signs_of_life() != signs_before_quiet_;
  bool change_since = disks_.writes() + given_to_guest() != changes_before_restarts_;
  archive.value(sign_since);
  archive.value(change_since);
  if (!archive.loading()) return;
  signs_before_quiet_ = signs_of_life() - (sign_since ? 1 : 0);
  changes_before_restarts_ = disks_.writes() + given_to_guest() - (change_since ? 1 : 0);
}

}  // namespace reprise::machine
