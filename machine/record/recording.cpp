#include "machine/record/recording.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "machine/record/record_bytes.h"
#include "machine/record/recorder.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {
namespace {

bool has_head(std::span<const u8> bytes) {
  return bytes.size() >= kRecordingHeadBytes &&
         std::ranges::equal(bytes.first(kRecordingHead.size()), kRecordingHead);
}

}  // namespace

bool may_be_replaced_by_recording(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) return true;
  const HostFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  std::vector<u8> head(kRecordingHeadBytes);
  return fd && host_read(fd.get(), 0, head).bytes == head.size() && has_head(head);
}

Result<std::unique_ptr<Recording>> Recording::open(const std::string& path) {
  HostFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status = {};
  if (!fd || fstat(fd.get(), &status) != 0)
    return Error{fmt::format("recording '{}' cannot be read: {}.", path, std::strerror(errno))};
  if (!S_ISREG(status.st_mode)) return wrong_usage(fmt::format("recording '{}' is no file.", path));
  std::vector<u8> bytes(kRecordingHeadBytes);
  bytes.resize(host_read(fd.get(), 0, bytes).bytes);
  if (!has_head(bytes)) return wrong_usage(fmt::format("'{}' is not a recording of Reprise's.", path));
  RecordParser head(std::span<const u8>(bytes).subspan(kRecordingHead.size()));
  if (const u32 format = head.fixed32(); format != kRecordingFormat)
    return wrong_usage(
        fmt::format("recording '{}' is of format {}, and this program reads format {}: use the program that "
                    "made it.",
                    path, format, kRecordingFormat));
  std::unique_ptr<Recording> recording(new Recording(path, std::move(fd)));
  RecordEntry first;
  if (recording->reader_.next(first) != RecordDecoder::Outcome::Whole ||
      !std::holds_alternative<RecordedRun>(first))
    return wrong_usage(fmt::format("recording '{}' is damaged, or was cut off at its beginning.", path));
  recording->run_ = std::get<RecordedRun>(std::move(first));
  recording->find_content();
  recording->pop();
  return recording;
}

void Recording::find_content() {
  RecordReader reader(file_, kRecordingHeadBytes);
  RecordEntry entry;
  while (reader.next(entry) == RecordDecoder::Outcome::Whole) {
    if (auto* const file = std::get_if<RecordedFile>(&entry))
      content_.packed.try_emplace(std::move(file->file), std::move(file->facts));
    const auto* const piece = std::get_if<RecordedPiece>(&entry);
    if (piece == nullptr) continue;
    const u64 behind = reader.offset() - RecordDecoder::kBytesBehindContent;
    std::shared_ptr<FilePieces>& pieces = content_.pieces[piece->file];
    if (pieces == nullptr) pieces = std::make_shared<FilePieces>(file_);
    // One that no file can have tells nothing.
    (void)pieces->add(piece->offset, piece->bytes,
                      piece->content.empty() ? std::nullopt : std::optional(behind - piece->content.size()));
  }
}

void Recording::pop() {
  next_.reset();
  if (has_end_) return;
  RecordEntry record;
  do {
    switch (reader_.next(record)) {
      case RecordDecoder::Outcome::Whole: break;
      case RecordDecoder::Outcome::Incomplete:
        cut_ = "the run that was recorded was cut off there";
        has_end_ = true;
        return;
      case RecordDecoder::Outcome::Damaged:
        cut_ = fmt::format("it is damaged from byte {} on", reader_.offset());
        damaged_ = true;
        has_end_ = true;
        return;
    }
  } while (std::holds_alternative<RecordedPiece>(record) || std::holds_alternative<RecordedFile>(record));
  Position at = next_at_;
  if (const auto* event = std::get_if<LoggedEvent>(&record)) at = event->at;
  if (const auto* hash = std::get_if<RecordedHash>(&record)) at = hash->at;
  if (const auto* end = std::get_if<RecordedEnd>(&record)) {
    at = end->at;
    has_end_ = true;
  }
  if (at < next_at_ || std::holds_alternative<RecordedRun>(record)) {
    cut_ = "it is damaged: an entry is out of place";
    damaged_ = true;
    has_end_ = true;
    return;
  }
  next_at_ = at;
  next_ = std::move(record);
}

}  // namespace reprise::machine
