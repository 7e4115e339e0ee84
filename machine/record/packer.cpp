#include "machine/record/packer.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/zeros.h"
#include "machine/record/record_reader.h"
#include "machine/record/recorder.h"
#include "machine/record/recording.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {

void Packer::put(std::span<const u8> bytes) {
  if (error_ != 0) return;
  if (host_write(file_.fd(), offset_, bytes) != devices::BlockStatus::Ok) error_ = errno;
  offset_ += bytes.size();
}

void Packer::put(const RecordEntry& entry) { put(encoder_.encode(entry)); }

Result<std::unique_ptr<Packer>> Packer::begin(const std::string& from, const std::string& to,
                                              RunFiles& files) {
  if (const auto may = may_be_replaced_by_recording(to); !may)
    return wrong_usage(fmt::format("'{}' {}: give another name.", to, may.error().message));
  const RecordedRun run = TRY(Recording::open(from))->run();
  auto file = TRY(NewFile::create("recording", to));
  std::unique_ptr<Packer> packer(new Packer(from, std::move(file)));
  packer->put(recording_head());
  packer->put(run);
  Packer* const self = packer.get();
  FileCollector collector;
  collector.opened = [self](const std::string& name, const PackedFile& facts) {
    if (std::ranges::find(self->files_, name) != self->files_.end()) return;
    self->files_.push_back(name);
    self->put(RecordedFile{name, facts});
  };
  collector.reads->tell([self](const std::string& name, u64 offset, std::span<const u8> content) {
    RecordedPiece piece{name, offset, content.size(), {}};
    if (!all_zero(content)) piece.content.assign(content.begin(), content.end());
    self->put(piece);
  });
  files.collect(std::move(collector));
  return packer;
}

Result<Done> Packer::finish() {
  auto source = std::make_shared<const HostFd>(::open(from_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!*source) return Error{fmt::format("recording '{}' cannot be read: {}.", from_, std::strerror(errno))};
  RecordReader reader(std::move(source), kRecordingHeadBytes);
  RecordEntry entry;
  RecordDecoder::Outcome outcome;
  while ((outcome = reader.next(entry)) == RecordDecoder::Outcome::Whole)
    if (!std::holds_alternative<RecordedRun>(entry) && !std::holds_alternative<RecordedPiece>(entry) &&
        !std::holds_alternative<RecordedFile>(entry))
      put(entry);
  if (outcome == RecordDecoder::Outcome::Damaged)
    return Error{fmt::format("recording '{}' is damaged from byte {} on.", from_, reader.offset())};
  if (error_ != 0)
    return Error{fmt::format("recording '{}' cannot be written: {}.", file_.path(), why_not_written(error_))};
  return file_.commit();
}

}  // namespace reprise::machine
