// Checkpoints of a recorded run in files: machine/history/kept_checkpoints.h.
//
//   place      which instant of which recording
//   machine    as an archive, what a run that goes over its past again needs of it
//   pages      RAM
//   disks      by drive: what was read so far, by its digest, and what the guest wrote
//
// What came in from outside stands in the recording, so none of it is here: media that were put in, and answers of shares that
// later ones name, are taken from there.
#include <fmt/format.h>

#include <map>

#include "common/archive.h"
#include "common/check.h"
#include "machine/machine.h"
#include "machine/record/recording.h"
#include "machine/snapshot/disk_state.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxArchiveBytes = 256 << 20;

}  // namespace

u64 Machine::log_bytes() const {
  if (replay_ && replay_->recording() != nullptr) return replay_->place().offset;
  return kRecordingHeadBytes + recorder_.end_place().offset;
}

Result<Done> Machine::check_can_be_kept() const {
  if (!unusable_.empty()) return Error{unusable_};
  std::size_t written = 0;
  for (const DiskInfo& disk : disks_.info()) {
    if (disk.writes != kWritesAreWrittenThrough && disk.writes != kWritesAreInAnOverlay) continue;
    if (!config_.replayed)
      return Error{
          fmt::format("what the guest writes to {} goes to a file of its own, which goes on: a replay of the "
                      "recording can "
                      "keep checkpoints",
                      disk.name)};
    ++written;
  }
  // Somebody may put it in again, and then it holds what the guest wrote.
  if (disks_.files().written_count() > written)
    return Error{"a medium that the guest may have written to is no longer in its drive"};
  return Done{};
}

Result<Done> Machine::save_checkpoint(StateWriter& writer, RamStore& ram) {
  CHECK(!present_);
  TRY(check_can_be_kept());
  Archive archive;
  pc_.serialize(archive);
  serialize_checkpoint(archive);
  writer.begin("machine");
  writer.bytes(archive.bytes());
  writer.end();

  ram.save(writer, *ram_);

  writer.begin("disks");
  const std::vector<ReadDigest> read = disks_.figures().read;
  for (std::size_t i = 0; i < read.size(); ++i) {
    writer.number(read[i].digest);
    writer.number(read[i].bytes);
    devices::BlockGenerations* const overlay = disks_.attached()[i].medium->generations();
    if (overlay != nullptr) save_overlay(writer, *overlay, overlay->current());
  }
  writer.end();
  return Done{};
}

Result<Done> Machine::follow_from(std::unique_ptr<Replay> replay, KeptCheckpoint& kept) {
  CHECK(replay->recording() != nullptr);
  TRY(check_is_machine_of(replay->recording()->run()));
  const RecordPlace place = TRY(repeat_before(*replay->recording(), kept.place));
  unusable_ = "A checkpoint was loaded that is damaged, so this machine cannot run: start a new one.";
  StateReader& reader = kept.file->stream();
  load_checkpoint(reader, kept.file->ram());
  TRY(reader.result());
  if (position() != kept.place.at) return Error{"It is damaged: it is of another instant than it says."};
  unusable_.clear();
  replay_ = std::move(replay);
  outside_.follow_recording();
  replay_->go_to(place);
  return Done{};
}

Result<RecordPlace> Machine::repeat_before(const Recording& recording, const KeptPlace& place) {
  const auto shares = std::make_shared<RecordedShareLog>();
  std::map<std::string, std::string> media;  // by drive: what happened to it last
  const RecordPlace found = TRY(recording.place_at(place.log_bytes, [&](const LoggedEvent& logged) {
    if (const auto* const medium = std::get_if<MediumEvent>(&logged.event)) {
      if (!medium->change.starts_with("request-eject")) media[logged.sink] = medium->change;
    } else if (const auto* const answer = std::get_if<AnswerEvent>(&logged.event);
               answer != nullptr && is_share(logged.sink)) {
      (void)shares->answer(answer->answer);
    }
  }));
  if (!shares_.backends().empty()) shares_.set_repeats(shares);
  for (const auto& [drive, change] : media) media_changes_.repeat(drive, change);
  return found;
}

void Machine::load_checkpoint(StateReader& reader, RamStore& ram) {
  reader.begin("machine");
  const std::vector<u8> board = reader.rest(kMaxArchiveBytes);
  ram.load(reader, *ram_);
  reader.begin("disks");
  DiskSet::Figures figures = disks_.figures();
  for (std::size_t i = 0; i < figures.read.size(); ++i) {
    figures.read[i].digest = reader.number();
    figures.read[i].bytes = reader.number();
    devices::BlockBackend& medium = *disks_.attached()[i].medium;
    if (devices::BlockGenerations* const overlay = medium.generations(); overlay != nullptr)
      load_overlay(reader, medium, *overlay);
  }
  reader.end();
  reader.finish();
  if (!reader.ok()) return;
  // What it took to load them is no request of the guest's.
  disks_.set_figures(figures);
  Archive archive(board);
  pc_.serialize(archive);
  serialize_checkpoint(archive);
  if (!archive.ok() || !archive.at_end())
    return reader.fail("It is damaged: what it says of a device cannot be.");
  pc_.state_replaced();
}

}  // namespace reprise::machine
