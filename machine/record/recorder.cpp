#include "machine/record/recorder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "machine/record/record_bytes.h"

namespace reprise::machine {

std::vector<u8> recording_head() {
  RecordBytes bytes;
  for (const char c : kRecordingHead) bytes.byte(static_cast<u8>(c));
  bytes.fixed32(kRecordingFormat);
  return bytes.take();
}

void Recorder::add(const RecordEntry& record) {
  begun_ = begun_ || std::holds_alternative<RecordedRun>(record);
  if (!begun_ || ended_) return;
  append(encoder_.encode(record));
}

void Recorder::end(RecordedEnd end) {
  add(std::move(end));
  ended_ = true;
}

void Recorder::abandon(std::string why) {
  if (complete() && !ended_) give_up(std::move(why), 0);
}

void Recorder::begin_anew(RecordedRun run) {
  encoder_ = {};
  kept_ = {};
  file_ = HostFd();
  file_bytes_ = 0;
  problem_.clear();
  lost_bytes_ = 0;
  ended_ = false;
  add(std::move(run));
}

void Recorder::append(std::span<const u8> bytes) {
  if (!complete()) {
    lost_bytes_ += bytes.size();
    return;
  }
  if (!file_ && kept_.size() + bytes.size() <= memory_bytes_) {
    kept_.insert(kept_.end(), bytes.begin(), bytes.end());
    return;
  }
  if (!file_) {
    file_ = open_unnamed_file();
    if (!file_) return give_up(why_not_written(errno), bytes.size());
    if (!write(kept_)) return give_up(why_not_written(errno), bytes.size());
    kept_ = {};
  }
  if (!write(bytes)) give_up(why_not_written(errno), bytes.size());
}

bool Recorder::write(std::span<const u8> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    file_bytes_ += static_cast<u64>(count);
  }
  return true;
}

void Recorder::give_up(std::string problem, u64 bytes) {
  problem_ = std::move(problem);
  lost_bytes_ += bytes;
  kept_ = {};
  if (bytes != 0 && name_.empty() && full_) full_(problem_);
  // A named file keeps what it has: it replays up to there.
  if (name_.empty()) file_ = HostFd();
}

Result<Done> Recorder::write_to(HostFd file, std::string name) {
  if (!complete()) return Error{"the run cannot be repeated: " + problem_};
  HostFd before = std::exchange(file_, std::move(file));
  const u64 kept_bytes = std::exchange(file_bytes_, 0);
  name_ = std::move(name);
  bool written = write(recording_head());
  if (!before) {
    written = written && write(kept_);
  } else {
    std::vector<u8> piece(1 << 20);
    for (u64 done = 0; written && done < kept_bytes;) {
      const std::span<u8> part = std::span(piece).first(std::min<u64>(piece.size(), kept_bytes - done));
      written = host_read(before.get(), done, part).bytes == part.size() && write(part);
      done += part.size();
    }
  }
  if (written) {
    kept_ = {};
    return Done{};
  }
  const std::string why = why_not_written(errno);
  // The run keeps its recording where it was.
  file_ = std::move(before);
  file_bytes_ = kept_bytes;
  name_.clear();
  return Error{why};
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
