#include "machine/record/record_reader.h"

#include <algorithm>

namespace reprise::machine {

RecordDecoder::Outcome RecordReader::next(RecordEntry& entry) {
  for (;;) {
    const RecordDecoder::Outcome outcome =
        left_.empty() ? RecordDecoder::Outcome::Incomplete : decoder_.decode(left_, entry);
    if (outcome != RecordDecoder::Outcome::Incomplete || !read_on()) return outcome;
  }
}

bool RecordReader::read_on() {
  constexpr std::size_t kLeastBytes = std::size_t{1} << 18;
  std::vector<u8> more(left_.size() + std::max(kLeastBytes, left_.size()));
  std::ranges::copy(left_, more.begin());
  const u64 count = host_read(file_->get(), read_to_, std::span(more).subspan(left_.size())).bytes;
  more.resize(left_.size() + count);
  read_to_ += count;
  buffer_ = std::move(more);
  left_ = buffer_;
  return count != 0;
}

}  // namespace reprise::machine
