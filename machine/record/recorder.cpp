#include "machine/record/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "machine/record/record_bytes.h"
#include "machine/storage/new_file.h"

namespace reprise::machine {
namespace {

/// False, with errno set: not all of it is there.
bool write_all(int fd, std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

std::vector<u8> recording_head() {
  RecordBytes bytes;
  for (const char c : kRecordingHead) bytes.byte(static_cast<u8>(c));
  bytes.fixed32(kRecordingFormat);
  return bytes.take();
}

void Recorder::add(const RecordEntry& record) {
  begun_ = begun_ || std::holds_alternative<RecordedRun>(record);
  if (!begun_ || ended_) return;
  const std::vector<u8> bytes = encoder_.encode(record);
  end_offset_ += bytes.size();
  if (!complete())
    lost_bytes_ += bytes.size();
  else if (named_ && !write_all(named_.get(), bytes)) {
    lost_bytes_ += bytes.size();
    problem_ = why_not_written(errno);
    if (full_) full_(problem_);
  }
  keep(bytes);
}

void Recorder::end(RecordedEnd end) {
  add(std::move(end));
  ended_ = true;
}

void Recorder::abandon(std::string why) {
  if (ended_) return;
  if (complete()) problem_ = std::move(why);
  begin_log_anew();
}

void Recorder::begin_anew(RecordedRun run) {
  encoder_ = {};
  end_offset_ = 0;
  begin_log_anew();
  problem_.clear();
  lost_bytes_ = 0;
  ended_ = false;
  add(std::move(run));
}

void Recorder::keep(std::span<const u8> bytes) {
  if (named_ && !keeps_log_) return begin_log_anew();
  if (!file_ && kept_.size() + bytes.size() <= memory_bytes_) {
    kept_.insert(kept_.end(), bytes.begin(), bytes.end());
    return;
  }
  bool written = true;
  if (!file_) {
    file_ = open_unnamed_file();
    written = file_ && write_all(file_.get(), kept_);
    kept_ = {};
  }
  if (written && write_all(file_.get(), bytes)) return;
  const int error = errno;
  begin_log_anew();
  // A named file has it all the same.
  if (!complete() || named_) return;
  problem_ = why_not_written(error);
  lost_bytes_ += bytes.size();
  if (full_) full_(problem_);
}

void Recorder::begin_log_anew() {
  first_offset_ = end_offset_;
  kept_ = {};
  file_ = HostFd();
}

Result<Done> Recorder::write_to(HostFd file, std::string name) {
  if (!complete()) return Error{"the run cannot be repeated: " + problem_};
  const RecordedLog log = TRY(this->log());
  if (log.first_offset != 0) return Error{"the beginning of the run is in another recording"};
  if (!write_all(file.get(), recording_head()) || !write_all(file.get(), log.bytes))
    return Error{why_not_written(errno)};
  // For who would write another one to it; where no file can be locked, that is up to the user.
  (void)flock(file.get(), LOCK_EX | LOCK_NB);
  named_ = std::move(file);
  name_ = std::move(name);
  return Done{};
}

Result<Done> Recorder::write_to_new(const std::string& path) {
  NewFile file = TRY(NewFile::create("recording", path));
  HostFd copy(fcntl(file.fd(), F_DUPFD_CLOEXEC, 0));
  const Result<Done> written =
      copy ? write_to(std::move(copy), path) : Result<Done>(Error{std::strerror(errno)});
  if (!written)
    return Error{fmt::format("recording '{}' cannot be written: {}.", path, written.error().message)};
  const Result<Done> named = file.commit();
  if (named) return Done{};
  named_ = HostFd();
  name_.clear();
  return named.error();
}

Result<RecordedLog> Recorder::log() const {
  if (!file_) return RecordedLog{kept_, first_offset_};
  const std::size_t bytes = end_offset_ - first_offset_;
  void* const at = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file_.get(), 0);
  if (at == MAP_FAILED)
    return Error{fmt::format("The host cannot map the log of the run: {}.", std::strerror(errno))};
  return RecordedLog{{static_cast<const u8*>(at), bytes},
                     first_offset_,
                     std::shared_ptr<const void>(at, [bytes](void* mapping) { munmap(mapping, bytes); })};
}

void Recorder::cut_off(const RecordPlace& place) {
  const u64 left = place.offset - first_offset_;
  if (!file_) {
    kept_.resize(left);
  } else if (ftruncate(file_.get(), static_cast<off_t>(left)) != 0 ||
             lseek(file_.get(), static_cast<off_t>(left), SEEK_SET) < 0) {
    begin_log_anew();
  }
  end_offset_ = place.offset;
  encoder_.go_to(place.context);
  const auto in_file = static_cast<off_t>(kRecordingHeadBytes + place.offset);
  if (named_ && complete() &&
      (ftruncate(named_.get(), in_file) != 0 || lseek(named_.get(), in_file, SEEK_SET) < 0))
    problem_ = "the run went back and on another way, which cannot be taken out of this file";
}

std::vector<LoggedEvent> Recorder::events() const {
  std::vector<LoggedEvent> events;
  RecordDecoder decoder;
  std::span<const u8> left = kept_;
  RecordEntry record;
  while (!left.empty() && decoder.decode(left, record) == RecordDecoder::Outcome::Whole)
    if (LoggedEvent* const event = std::get_if<LoggedEvent>(&record)) events.push_back(std::move(*event));
  return events;
}

}  // namespace reprise::machine
