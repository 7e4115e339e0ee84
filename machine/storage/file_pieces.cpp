#include "machine/storage/file_pieces.h"

#include <algorithm>

#include "machine/storage/raw_image.h"

namespace reprise::machine {

using devices::BlockStatus;

bool FilePieces::add(u64 offset, u64 bytes, std::optional<u64> at) {
  constexpr u64 kMaxFileBytes = u64{1} << 62;
  if (bytes > kMaxFileBytes || offset > kMaxFileBytes - bytes) return false;
  for (const u64 end = offset + bytes; offset < end;) {
    bool known = false;
    const u64 count = run(offset, end - offset, known);
    if (!known) pieces_[offset] = {count, at};
    offset += count;
    if (at) *at += count;
  }
  return true;
}

FilePieces::Pieces::const_iterator FilePieces::piece_at(u64 offset) const {
  const auto behind = pieces_.upper_bound(offset);
  if (behind == pieces_.begin()) return pieces_.end();
  const auto piece = std::prev(behind);
  return offset - piece->first < piece->second.bytes ? piece : pieces_.end();
}

u64 FilePieces::run(u64 offset, u64 limit, bool& known) const {
  const auto piece = piece_at(offset);
  known = piece != pieces_.end();
  if (known) return std::min(limit, piece->first + piece->second.bytes - offset);
  const auto next = pieces_.upper_bound(offset);
  return next == pieces_.end() ? limit : std::min(limit, next->first - offset);
}

BlockStatus FilePieces::read(u64 offset, std::span<u8> into) const {
  while (!into.empty()) {
    const auto piece = piece_at(offset);
    if (piece == pieces_.end()) return BlockStatus::ReadError;
    const u64 skip = offset - piece->first;
    const std::span<u8> part = into.first(std::min<u64>(into.size(), piece->second.bytes - skip));
    if (!piece->second.at) {
      std::ranges::fill(part, u8{0});
    } else if (const HostRead done = host_read(holder_->get(), *piece->second.at + skip, part);
               done.status != BlockStatus::Ok || done.bytes != part.size()) {
      std::ranges::fill(into, u8{0});
      return BlockStatus::ReadError;
    }
    into = into.subspan(part.size());
    offset += part.size();
  }
  return BlockStatus::Ok;
}

BlockStatus EarlierImage::read(u64 offset, std::span<u8> into) {
  if (!is_block_range(offset, into.size(), bytes())) {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  BlockStatus result = BlockStatus::Ok;
  while (!into.empty()) {
    bool known = false;
    const std::span<u8> part = into.first(pieces_->run(offset, into.size(), known));
    const BlockStatus status = known ? pieces_->read(offset, part) : image_->read(offset, part);
    if (result == BlockStatus::Ok) result = status;
    into = into.subspan(part.size());
    offset += part.size();
  }
  return result;
}

}  // namespace reprise::machine
