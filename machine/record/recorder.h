// Recorder: keeps what a run needs to be run again. It costs nothing to speak of, so every run has one: its log is in memory, and
// when that is full in a file without a name. A file that somebody wants has the run from its beginning, and then what comes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/record/record.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

/// The log of a run that goes on, as far as it is kept.
struct RecordedLog {
  std::span<const u8> bytes;
  u64 first_offset = 0;                      // of bytes[0], as RecordPlace counts
  std::shared_ptr<const void> mapping = {};  // what they are in, if that has to be kept
};

/// Thread: the machine's, or outside of a run.
class Recorder {
 public:
  static constexpr u64 kUsualMemoryBytes = 256 << 20;

  explicit Recorder(u64 memory_bytes = kUsualMemoryBytes) : memory_bytes_(memory_bytes) {}

  /// What is kept of a run without a named file lies in memory up to there, then in a file without a name.
  void set_memory_bytes(u64 bytes) { memory_bytes_ = bytes; }
  /// Told why when nothing more can be kept, of a run without a named file or in that. Before the run.
  void on_full(std::function<void(const std::string& why)> listener) { full_ = std::move(listener); }
  /// First of all.
  void begin(RecordedRun run) { add(std::move(run)); }
  /// Nothing counts that comes before the beginning.
  void add(const RecordEntry& record);
  /// Instead of all so far, while there is no named file: the run begins with `run`.
  void begin_anew(RecordedRun run);
  /// Something happened that no recording has, so the run cannot be repeated beyond this: `why` is a phrase. The log begins
  /// anew behind it.
  void abandon(std::string why);
  /// The machine has stopped for good. Only the first counts.
  void end(RecordedEnd end);

  /// Writes all so far to an open file, and what comes as it comes. `name` names it for people. Error: that failed, and the run
  /// goes on without it.
  Result<Done> write_to(HostFd file, std::string name);
  /// The same of a file that gets its name when all so far is there: one that had it stays until then. The error is a sentence.
  Result<Done> write_to_new(const std::string& path);
  /// The named file, empty: there is none.
  const std::string& name() const { return name_; }

  /// A recording has, or would have, all that was added.
  bool complete() const { return problem_.empty(); }
  /// Why not: a phrase. Empty: it is.
  const std::string& problem() const { return problem_; }
  /// Bytes that were not written to the named file.
  u64 lost_bytes() const { return lost_bytes_; }

  // --- The log, for the run itself ---
  /// Also while there is a named file. Before that it is kept anyway.
  void keep_log() { keeps_log_ = true; }
  /// Behind the last entry.
  RecordPlace end_place() const { return {end_offset_, encoder_.context()}; }
  /// Entries before this are not kept any more.
  u64 first_offset() const { return first_offset_; }
  /// All that is kept. It holds until the next change of the log. Error: a sentence.
  Result<RecordedLog> log() const;
  /// Forgets what stands behind `place`, which is not before first_offset(): the run takes another way from there.
  void cut_off(const RecordPlace& place);

  /// What came from outside, as long as it is in memory.
  std::vector<LoggedEvent> events() const;

 private:
  void keep(std::span<const u8> bytes);
  /// The log could not be kept, or is of no use: it begins anew.
  void begin_log_anew();

  u64 memory_bytes_;
  std::function<void(const std::string&)> full_;
  RecordEncoder encoder_;
  u64 first_offset_ = 0;
  u64 end_offset_ = 0;
  std::vector<u8> kept_;  // while there is no file
  HostFd file_;           // without a name
  bool keeps_log_ = false;
  HostFd named_;
  std::string name_;
  std::string problem_;
  u64 lost_bytes_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace reprise::machine
