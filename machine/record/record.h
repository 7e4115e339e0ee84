// RecordEntry: one entry of a recording, and its bytes.
//
//     length: varint  payload  digest: u32 of the payload
//
// Positions are kept as the difference to that of the entry before, names of sinks and files by number once they were given, numbers as
// varints (7 bits a byte, low ones first). So a key costs some ten bytes. What was written before a process was killed can be
// read: the last entry that is whole is the end.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "machine/outside/logged_event.h"
#include "machine/storage/file_pieces.h"

namespace reprise::machine {

/// What a recording begins with, and the only format that this program writes and reads.
inline constexpr std::string_view kRecordingHead = "reprise recording\n";
inline constexpr u32 kRecordingFormat = 4;
inline constexpr std::size_t kRecordingHeadBytes = kRecordingHead.size() + sizeof(u32);

std::vector<u8> recording_head();

/// A file that a run reads as a whole, or the saved state that it begins with: enough to know it again.
struct RecordedFileId {
  std::string what;  // "kernel"
  std::string name;  // from /
  u64 bytes = 0;
  u64 digest = 0;
  bool operator==(const RecordedFileId&) const = default;
};

/// What a run was, before its beginning.
struct RecordedRun {
  std::string program;             // and its version
  std::string folder;              // that relative names of files are relative to
  std::vector<std::string> words;  // options that say what the machine is
  std::string state;               // the saved state it began with, from /; empty: at power-on
  std::vector<std::string> shape;  // what the machine consists of, line by line
  std::vector<RecordedFileId> files = {};
  bool operator==(const RecordedRun&) const = default;
};

/// What had been read of the image in a drive.
struct RecordedReads {
  std::string drive;
  u64 digest = 0;
  bool operator==(const RecordedReads&) const = default;
};

/// A link of the chain: the digest of the whole state.
struct RecordedHash {
  Position at;
  u64 state_hash = 0;
  std::vector<RecordedReads> reads = {};
  bool operator==(const RecordedHash&) const = default;
};

struct RecordedEnd {
  Position at;
  u8 reason = 0;  // ExitReason
  i32 exit_code = 0;
  std::string message;
  u64 state_hash = 0;
  std::vector<RecordedReads> reads = {};
  bool operator==(const RecordedEnd&) const = default;
};

/// The recording has what the run reads of the file.
struct RecordedFile {
  std::string file;  // from /
  PackedFile facts;
  bool operator==(const RecordedFile&) const = default;
};

/// What a piece of a file held before the run wrote to it, or read it, for the first time.
struct RecordedPiece {
  std::string file;  // from /
  u64 offset = 0;
  u64 bytes = 0;
  std::vector<u8> content;  // empty: zeros
  bool operator==(const RecordedPiece&) const = default;
};

using RecordEntry =
    std::variant<RecordedRun, LoggedEvent, RecordedHash, RecordedEnd, RecordedPiece, RecordedFile>;

/// What the bytes of an entry mean depends on those before it.
struct RecordContext {
  Position last;  // of the entry before
  // By number:
  std::vector<std::string> sinks;
  std::vector<std::string> files;
};

/// Between two entries of a run's log.
struct RecordPlace {
  u64 offset = 0;  // bytes of entries before it
  RecordContext context;
};

class RecordEncoder {
 public:
  /// The bytes of `record`, which follow those of the records before.
  std::vector<u8> encode(const RecordEntry& record);
  const RecordContext& context() const { return context_; }
  void go_to(RecordContext context) { context_ = std::move(context); }

 private:
  RecordContext context_;
};

/// Bytes may be anybody's.
class RecordDecoder {
 public:
  /// Bytes of an entry behind the content of a RecordedPiece, which ends it.
  static constexpr std::size_t kBytesBehindContent = 4;
  enum class Outcome : u8 {
    Whole,
    Incomplete,  // the bytes end in its middle
    Damaged,
  };
  /// Takes a record from the beginning of `bytes`, which then begins behind it.
  Outcome decode(std::span<const u8>& bytes, RecordEntry& record);
  const RecordContext& context() const { return context_; }
  void go_to(RecordContext context) { context_ = std::move(context); }

 private:
  RecordContext context_;
};

}  // namespace reprise::machine
