// RecordReader: the entries of a run one after the other, of any size: of a recording's file, without holding it in memory, or of bytes.
#pragma once

#include <memory>
#include <vector>

#include "machine/record/record.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

class RecordReader {
 public:
  /// From `offset` of a file on.
  RecordReader(std::shared_ptr<const HostFd> file, u64 offset) : file_(std::move(file)), read_to_(offset) {}
  /// Of bytes, which outlive this; the first is at `first_offset`, as places and sentences count.
  RecordReader(std::span<const u8> bytes, u64 first_offset)
      : bytes_(bytes), left_(bytes), read_to_(first_offset + bytes.size()) {}
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  /// Incomplete: the file ends, in the middle of an entry or, if at_end(), behind the last.
  RecordDecoder::Outcome next(RecordEntry& entry);
  bool at_end() const { return left_.empty(); }
  /// In the file, of what has not been taken.
  u64 offset() const { return read_to_ - left_.size(); }
  /// What the next entry follows.
  const RecordContext& context() const { return decoder_.context(); }
  /// On at another place of the same entries.
  void go_to(const RecordPlace& place);

 private:
  /// More of the file behind what is left. False: there is no more.
  bool read_on();

  std::shared_ptr<const HostFd> file_;  // nullptr: of bytes_
  std::span<const u8> bytes_;
  std::vector<u8> buffer_;
  std::span<const u8> left_;  // of bytes_ or buffer_
  u64 read_to_;
  RecordDecoder decoder_;
};

}  // namespace reprise::machine
