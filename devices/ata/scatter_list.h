// ScatterList: the pieces of guest memory that a bus master's table names, in order. What a guest writes
// there is bounded by whoever fills the list.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "common/ports.h"

namespace reprise::devices::ata {

class ScatterList {
 public:
  void clear() {
    pieces_.clear();
    bytes_ = 0;
  }
  void add(u64 phys, u64 bytes) {
    pieces_.push_back({phys, bytes_, bytes});
    bytes_ += bytes;
  }
  u64 bytes() const { return bytes_; }

  /// Copies to or from the bytes at `offset` of the list, which must all be there. False when a byte was not
  /// RAM.
  bool write(DmaPort& dma, u64 offset, std::span<const u8> from) const {
    return each(offset, from.size(),
                [&](u64 phys, u64 at, u64 count) { return dma.dma_write(phys, from.subspan(at, count)); });
  }
  bool read(DmaPort& dma, u64 offset, std::span<u8> into) const {
    return each(offset, into.size(),
                [&](u64 phys, u64 at, u64 count) { return dma.dma_read(phys, into.subspan(at, count)); });
  }

 private:
  struct Piece {
    u64 phys;
    u64 offset;  // in the list
    u64 bytes;
  };

  template <class Access>
  bool each(u64 offset, u64 bytes, Access&& access) const {
    auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), offset, [](u64 value, const Piece& other) {
      return value < other.offset + other.bytes;
    });
    bool all_ram = true;
    for (u64 done = 0; done < bytes && piece != pieces_.end(); ++piece) {
      const u64 skip = offset + done - piece->offset;
      const u64 count = std::min(bytes - done, piece->bytes - skip);
      if (count == 0) continue;
      all_ram = access(piece->phys + skip, done, count) && all_ram;
      done += count;
    }
    return all_ram;
  }

  std::vector<Piece> pieces_;
  u64 bytes_ = 0;
};

}  // namespace reprise::devices::ata
