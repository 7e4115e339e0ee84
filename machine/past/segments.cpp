#include "machine/past/segments.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise::machine {

bool Segment::may_write(const RamPieces& pieces) const {
  return next == nullptr || std::ranges::any_of(pieces, [&](const RamPiece& piece) {
           return next->wrote(piece.ram_offset, piece.bytes);
         });
}

std::vector<Segment> segments(const Checkpoints& checkpoints, const Position& from, const Position& to) {
  std::vector<Segment> list;
  const auto& all = checkpoints.all();
  for (std::size_t i = 0; i < all.size() && all[i]->at < to; ++i) {
    const Checkpoint* const next = i + 1 < all.size() ? all[i + 1].get() : nullptr;
    if (next != nullptr && next->at <= from) continue;
    list.push_back({all[i].get(), next != nullptr ? std::min(next->at, to) : to, next});
  }
  return list;
}

Result<Position> known_instant(const Excursion& trip, const std::optional<Position>& wanted,
                               const Position& otherwise) {
  if (!wanted) return otherwise;
  const std::optional<Position> known = trip.known_until();
  if (known && *wanted > *known)
    return Error{
        fmt::format("{} is still to come: the run is at {}.", position_text(*wanted), position_text(*known))};
  return *wanted;
}

Error interrupted() { return Error{"The search was interrupted."}; }

}  // namespace reprise::machine
