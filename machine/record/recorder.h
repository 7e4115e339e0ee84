// Recorder: keeps what a run needs to be run again. It costs nothing to speak of, so every run has one: in memory, and when that is
// full in a file without a name, until somebody wants a file, which then has the run from its beginning.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/record/record.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

/// Thread: the machine's, or outside of a run.
class Recorder {
 public:
  static constexpr u64 kUsualMemoryBytes = 256 << 20;

  explicit Recorder(u64 memory_bytes = kUsualMemoryBytes) : memory_bytes_(memory_bytes) {}

  /// What is kept of a run without a named file lies in memory up to there, then in a file without a name.
  void set_memory_bytes(u64 bytes) { memory_bytes_ = bytes; }
  /// Told why when nothing more can be kept of a run without a named file. Before the run.
  void on_full(std::function<void(const std::string& why)> listener) { full_ = std::move(listener); }
  /// First of all.
  void begin(RecordedRun run) { add(std::move(run)); }
  /// Nothing counts that comes before the beginning.
  void add(const RecordEntry& record);
  /// Instead of all so far, while there is no named file: the run begins with `run`.
  void begin_anew(RecordedRun run);
  /// Something happened that no recording has, so the run cannot be repeated beyond this: `why` is a phrase.
  void abandon(std::string why);
  /// The machine has stopped for good. Only the first counts.
  void end(RecordedEnd end);

  /// Writes all so far to an open file, and what comes as it comes. `name` names it for people. Error: that failed, and the run
  /// goes on without it.
  Result<Done> write_to(HostFd file, std::string name);
  /// The named file, empty: there is none.
  const std::string& name() const { return name_; }

  /// All that was added is there.
  bool complete() const { return problem_.empty(); }
  /// Why not: a phrase. Empty: it is.
  const std::string& problem() const { return problem_; }
  /// Bytes that were not written.
  u64 lost_bytes() const { return lost_bytes_; }

  /// What came from outside, as long as it is in memory.
  std::vector<LoggedEvent> events() const;

 private:
  void append(std::span<const u8> bytes);
  bool write(std::span<const u8> bytes);
  void give_up(std::string problem, u64 bytes);

  u64 memory_bytes_;
  std::function<void(const std::string&)> full_;
  RecordEncoder encoder_;
  std::vector<u8> kept_;  // while there is no file
  HostFd file_;           // of a name, or without one
  u64 file_bytes_ = 0;
  std::string name_;
  std::string problem_;
  u64 lost_bytes_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace reprise::machine
