#include "machine/record/recording.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
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

Result<Done> may_be_replaced_by_recording(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return Done{};
  const HostFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  // As Recorder locks it.
  if (fd && flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return Error{"is the recording of a run that goes on"};
  if (status.st_size == 0) return Done{};
  std::vector<u8> head(kRecordingHeadBytes);
  if (fd && host_read(fd.get(), 0, head).bytes == head.size() && has_head(head)) return Done{};
  return Error{"is a file that holds something other than a recording"};
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
  const RecordEntry* const first = recording->entries_.next();
  if (first == nullptr || !std::holds_alternative<RecordedRun>(*first))
    return wrong_usage(fmt::format("recording '{}' is damaged, or was cut off at its beginning.", path));
  recording->run_ = std::get<RecordedRun>(*first);
  TRY(recording->find_content());
  recording->entries_.pop();
  return recording;
}

Result<RecordPlace> Recording::place_at(u64 offset,
                                        const std::function<void(const LoggedEvent&)>& passed) const {
  RecordReader reader(file_, kRecordingHeadBytes);
  RecordEntry entry;
  while (reader.offset() < offset && reader.next(entry) == RecordDecoder::Outcome::Whole)
    if (const auto* const event = std::get_if<LoggedEvent>(&entry)) passed(*event);
  if (reader.offset() != offset) return Error{"It names a place that this recording does not have."};
  return RecordPlace{offset, reader.context()};
}

Result<Done> Recording::find_content() {
  RecordReader reader(file_, kRecordingHeadBytes);
  RecordEntry entry;
  std::optional<u64> end;  // where the run's end ends
  while (!end && reader.next(entry) == RecordDecoder::Outcome::Whole) {
    if (std::holds_alternative<RecordedEnd>(entry)) end = reader.offset();
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
  // As far as it was read: there may be more in the file.
  if (end && (reader.next(entry) != RecordDecoder::Outcome::Incomplete || !reader.at_end()))
    return wrong_usage(fmt::format(
        "recording '{}' has something behind its end, at byte {}, that is not of that run: cut it off there.",
        path_, *end));
  return Done{};
}

}  // namespace reprise::machine
