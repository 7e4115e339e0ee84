#include "machine/storage/counted_image.h"

#include "common/zeros.h"

namespace reprise::machine {
namespace {

using devices::BlockBackend;
using devices::BlockStatus;

constexpr u64 kSectorBytes = BlockBackend::kSectorBytes;

void cut_zeros(std::vector<u8>& bytes) {
  while (!bytes.empty() && bytes.back() == 0) bytes.pop_back();
}

/// Calls `body` with the offset and size, from the request's beginning, of each sector whose bit is set.
template <class Body>
void each_carried_out(const DiskError& error, Body body) {
  for (u64 sector = 0; sector < error.bytes / kSectorBytes; ++sector) {
    if (sector / 8 >= error.outcome.size()) return;
    if (error.outcome[sector / 8] >> (sector % 8) & 1) body(sector * kSectorBytes);
  }
}

}  // namespace

BlockStatus CountedImage::read(u64 offset, std::span<u8> into) {
  ++counters_.reads;
  counters_.bytes_read += into.size();
  DiskError error = request("read", offset, into.size());
  if (fails_again(error)) {
    std::ranges::fill(into, u8{0});
    std::copy_n(error.outcome.begin(), std::min(error.outcome.size(), into.size()), into.begin());
    return failed(std::move(error));
  }
  error.status = image_->read(offset, into);
  if (is_hosts(error.status)) {
    error.outcome.assign(into.begin(), into.end());
    cut_zeros(error.outcome);
  }
  return failed(std::move(error));
}

BlockStatus CountedImage::write(u64 offset, std::span<const u8> from) {
  ++counters_.writes;
  counters_.bytes_written += from.size();
  DiskError error = request("write", offset, from.size());
  if (fails_again(error)) {
    each_carried_out(error,
                     [&](u64 at) { (void)image_->write(offset + at, from.subspan(at, kSectorBytes)); });
    (void)carried_out(offset, from.size(), from);  // the image's reads are those of the first time
    return failed(std::move(error));
  }
  error.status = image_->write(offset, from);
  if (is_hosts(error.status)) error.outcome = carried_out(offset, from.size(), from);
  return failed(std::move(error));
}

BlockStatus CountedImage::flush() {
  ++counters_.flushes;
  DiskError error = request("flush", 0, 0);
  if (!fails_again(error)) error.status = image_->flush();
  return failed(std::move(error));
}

BlockStatus CountedImage::discard(u64 offset, u64 bytes) {
  ++counters_.discards;
  counters_.bytes_discarded += bytes;
  DiskError error = request("discard", offset, bytes);
  if (fails_again(error)) {
    each_carried_out(error, [&](u64 at) { (void)image_->discard(offset + at, kSectorBytes); });
    (void)carried_out(offset, bytes, {});
    return failed(std::move(error));
  }
  error.status = image_->discard(offset, bytes);
  if (is_hosts(error.status)) error.outcome = carried_out(offset, bytes, {});
  return failed(std::move(error));
}

bool CountedImage::fails_again(DiskError& error) const {
  if (!errors_.repeated) return false;
  error = errors_.repeated(std::move(error));
  error.repeated = error.status != BlockStatus::Ok;
  return error.repeated;
}

/// Others follow from the request and the medium: the drive asked for what cannot be.
bool CountedImage::is_hosts(BlockStatus status) const {
  return status != BlockStatus::Ok && status != BlockStatus::OutOfRange &&
         (status != BlockStatus::ReadOnly || !image_->read_only());
}

std::vector<u8> CountedImage::carried_out(u64 offset, u64 bytes, std::span<const u8> from) {
  // Who discards more in one piece gets all of it or nothing.
  constexpr u64 kMostBytes = u64{64} << 20;
  std::vector<u8> bits(std::min(bytes, kMostBytes) / kSectorBytes / 8 + 1);
  std::vector<u8> sector(kSectorBytes);
  for (u64 at = 0; at < std::min(bytes, kMostBytes); at += kSectorBytes) {
    const bool is =
        image_->read(offset + at, sector) == BlockStatus::Ok &&
        (from.empty() ? all_zero(sector) : std::ranges::equal(sector, from.subspan(at, kSectorBytes)));
    bits[at / kSectorBytes / 8] |= static_cast<u8>((is ? 1 : 0) << (at / kSectorBytes % 8));
  }
  cut_zeros(bits);
  return bits;
}

BlockStatus CountedImage::failed(DiskError error) {
  const BlockStatus status = error.status;
  if (status == BlockStatus::Ok) return status;
  ++counters_.errors;
  if (!error.repeated && !is_hosts(status)) return status;
  const auto known = std::ranges::find_if(counters_.problems, [&](const DiskProblem& problem) {
    return problem.what == error.what && problem.status == status;
  });
  error.first = known == counters_.problems.end();
  if (error.first)
    counters_.problems.push_back({std::string(error.what), status, 1, error.offset});
  else
    ++known->times;
  if (errors_.told) errors_.told(error);
  return status;
}

}  // namespace reprise::machine
