// Saved states in files and in memory.
#pragma once

#include <vector>

#include "machine/snapshot/state_stream.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

/// At the end of an open file.
class StateFileSink final : public StateSink {
 public:
  explicit StateFileSink(HostFd fd) : fd_(std::move(fd)) {}
  bool write(std::span<const u8> bytes) override;

 private:
  HostFd fd_;
  u64 offset_ = 0;
};

class StateFileSource final : public StateSource {
 public:
  explicit StateFileSource(HostFd fd) : fd_(std::move(fd)) {}
  bool read(std::span<u8> into) override;

 private:
  HostFd fd_;
  u64 offset_ = 0;
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

}  // namespace reprise::machine
