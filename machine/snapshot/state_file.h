// Saved states in files and in memory.
//
// A file is laid out so that RAM can be mapped from it:
//
//     "reprise pages\n" (StateKind)  format: u32  RAM's bytes: u64  digest of this head: u64
//     at kRamOffset: RAM, with holes for pages that are zero (machine/snapshot/ram_store.h)
//     behind it: the stream (machine/snapshot/state_stream.h)
//
// or, compressed, it is the stream alone, with RAM in it, as one frame of zstd; what `zstd -d` makes of it is a state, too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "machine/snapshot/ram_store.h"
#include "machine/snapshot/state_stream.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/new_file.h"

namespace reprise::machine {

/// Writes an open file from `offset` on.
class StateFileSink final : public StateSink {
 public:
  explicit StateFileSink(int fd, u64 offset = 0) : fd_(fd), offset_(offset) {}
  bool write(std::span<const u8> bytes) override;

 private:
  int fd_;
  u64 offset_;
};

class StateFileSource final : public StateSource {
 public:
  explicit StateFileSource(int fd, u64 offset = 0) : fd_(fd), offset_(offset) {}
  bool read(std::span<u8> into) override;

 private:
  int fd_;
  u64 offset_;
};

class StateMemorySink final : public StateSink {
 public:
  bool write(std::span<const u8> from) override {
    bytes.insert(bytes.end(), from.begin(), from.end());
    return true;
  }
  std::vector<u8> bytes;
};

class StateMemorySource final : public StateSource {
 public:
  /// `bytes` outlives this.
  explicit StateMemorySource(std::span<const u8> bytes) : left_(bytes) {}
  bool read(std::span<u8> into) override;

 private:
  std::span<const u8> left_;
};

/// What such a file is, by its first bytes, and by name for people.
struct StateKind {
  std::string_view name;
  std::string_view head;  // 14 characters
};
inline constexpr StateKind kSavedState = {"saved state", "reprise pages\n"};
/// Of a recorded run: machine/history/kept_checkpoints.h. RAM can always be mapped.
inline constexpr StateKind kKeptCheckpoint = {"checkpoint", "reprise check\n"};

enum class StateForm : u8 {
  Pages,  // RAM can be mapped
  Zstd,   // small, for moving it
};

/// A state that is being written. Its file gets its name in commit().
class StateFileWriter {
 public:
  /// Of a machine with `ram_bytes`. Error: there can be no such file, or one that is no state has the name.
  static Result<std::unique_ptr<StateFileWriter>> create(const std::string& path, StateForm form,
                                                         u64 ram_bytes, const StateKind& kind = kSavedState);
  StateWriter& stream() { return *writer_; }
  RamStore& ram() { return *ram_; }
  Result<Done> commit();

 private:
  StateFileWriter(const StateKind& kind, NewFile file) : kind_(kind), file_(std::move(file)) {}

  const StateKind& kind_;
  NewFile file_;
  std::unique_ptr<StateSink> file_sink_;
  std::unique_ptr<StateSink> packer_;
  std::unique_ptr<RamStore> ram_;
  std::unique_ptr<StateWriter> writer_;
};

/// A state that is being read. It lives as long as the RAM that was loaded from it needs no more than the file itself.
class StateFileReader {
 public:
  /// Error: it cannot be read, or is no state.
  static Result<std::unique_ptr<StateFileReader>> open(const std::string& path) { return open(path, path); }
  /// The same of one that people know as `path`, and that is at `place`.
  static Result<std::unique_ptr<StateFileReader>> open(const std::string& path, const std::string& place,
                                                       const StateKind& kind = kSavedState);
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  StateReader& stream() { return *reader_; }
  RamStore& ram() { return *ram_; }

 private:
  StateFileReader(std::string path, HostFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  HostFd fd_;
  std::unique_ptr<StateSource> file_source_;
  std::unique_ptr<StateSource> unpacker_;
  std::unique_ptr<RamStore> ram_;
  std::unique_ptr<StateReader> reader_;
};

}  // namespace reprise::machine
