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
  if (file_ == nullptr) return false;
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

void RecordReader::go_to(const RecordPlace& place) {
  decoder_.go_to(place.context);
  if (file_ == nullptr) {
    const u64 first_offset = read_to_ - bytes_.size();
    left_ = bytes_.subspan(place.offset - first_offset);
    return;
  }
  left_ = {};
  read_to_ = place.offset;
}

}  // namespace reprise::machine
