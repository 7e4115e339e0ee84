// RecordReader: the entries of a recording's file one after the other, of any size, without holding the file in memory.
#pragma once

#include <memory>
#include <vector>

#include "machine/record/record.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

class RecordReader {
 public:
  /// From `offset` on.
  RecordReader(std::shared_ptr<const HostFd> file, u64 offset) : file_(std::move(file)), read_to_(offset) {}
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  /// Incomplete: the file ends, in the middle of an entry or, if at_end(), behind the last.
  RecordDecoder::Outcome next(RecordEntry& entry);
  bool at_end() const { return left_.empty(); }
  /// In the file, of what has not been taken.
  u64 offset() const { return read_to_ - left_.size(); }

 private:
  /// More of the file behind what is left. False: there is no more.
  bool read_on();

  std::shared_ptr<const HostFd> file_;
  std::vector<u8> buffer_;
  std::span<const u8> left_;  // of buffer_
  u64 read_to_;
  RecordDecoder decoder_;
};

}  // namespace reprise::machine
