#include "machine/storage/overlay_image.h"

#include <algorithm>
#include <cerrno>

#include "common/zeros.h"
#include "machine/storage/raw_image.h"

namespace reprise::machine {

using devices::BlockStatus;

Result<std::unique_ptr<OverlayImage>> OverlayImage::create(std::unique_ptr<devices::BlockBackend> base) {
  HostFd fd = open_unnamed_file();
  if (!fd) return temporary_file_error("what the guest writes to its disks");
  return std::unique_ptr<OverlayImage>(new OverlayImage(std::move(base), std::move(fd)));
}

BlockStatus OverlayImage::read(u64 offset, std::span<u8> into) {
  return read_layers(layers_.size(), offset, into);
}

BlockStatus OverlayImage::read_as_of(Generation generation, u64 offset, std::span<u8> into) {
  const std::size_t place = place_of(generation);
  if (place == layers_.size()) {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  return read_layers(place + 1, offset, into);
}

/// What the first `layers` of them and the base hold.
BlockStatus OverlayImage::read_layers(std::size_t layers, u64 offset, std::span<u8> into) {
  if (!is_block_range(offset, into.size(), bytes())) {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  BlockStatus result = BlockStatus::Ok;
  while (!into.empty()) {
    // The sectors from here on that the same layer answers, the newest that has them.
    u64 sectors = into.size() / kSectorBytes;
    const Layer* holder = nullptr;
    for (std::size_t i = layers; i-- != 0 && holder == nullptr;) {
      bool in_layer = false;
      sectors = layers_[i].written.run(offset / kSectorBytes, sectors, in_layer);
      if (in_layer) holder = &layers_[i];
    }
    const std::span<u8> part = into.first(sectors * kSectorBytes);
    const BlockStatus status =
        holder != nullptr ? read_layer(*holder, offset, part) : base_->read(offset, part);
    if (result == BlockStatus::Ok) result = status;
    into = into.subspan(part.size());
    offset += part.size();
  }
  return result;
}

BlockStatus OverlayImage::read_layer(const Layer& layer, u64 offset, std::span<u8> into) {
  const HostRead done = host_read(layer.fd.get(), offset, into);
  // Behind the file's end there are only discarded sectors.
  std::ranges::fill(into.subspan(done.bytes), u8{0});
  return done.status;
}

BlockStatus OverlayImage::prepare_write(Layer& layer) const {
  if (!layer.fd) layer.fd = open_unnamed_file();
  return layer.fd ? BlockStatus::Ok : write_status_of(errno);
}

BlockStatus OverlayImage::write(u64 offset, std::span<const u8> from) {
  if (!is_block_range(offset, from.size(), bytes())) return BlockStatus::OutOfRange;
  Layer& layer = layers_.back();
  BlockStatus status = prepare_write(layer);
  if (status == BlockStatus::Ok) status = host_write(layer.fd.get(), offset, from);
  // After an error the sectors hold, as on a real disk, either content; only that of before is certain.
  if (status == BlockStatus::Ok) layer.written.set(offset / kSectorBytes, from.size() / kSectorBytes);
  return status;
}

BlockStatus OverlayImage::discard(u64 offset, u64 bytes) {
  if (!is_block_range(offset, bytes, this->bytes())) return BlockStatus::OutOfRange;
  if (bytes == 0) return BlockStatus::Ok;
  Layer& layer = layers_.back();
  BlockStatus status = prepare_write(layer);
  if (status == BlockStatus::Ok) status = host_zero(layer.fd.get(), offset, bytes);
  if (status == BlockStatus::Ok) layer.written.set(offset / kSectorBytes, bytes / kSectorBytes);
  return status;
}

// --- Generations ---

std::size_t OverlayImage::place_of(Generation generation) const {
  const auto found = std::ranges::find(layers_, generation, &Layer::generation);
  return static_cast<std::size_t>(found - layers_.begin());
}

OverlayImage::Generation OverlayImage::begin() {
  const Generation ended = current();
  layers_.push_back({next_generation_++});
  return ended;
}

bool OverlayImage::go_back(Generation generation) {
  const std::size_t place = place_of(generation);
  if (place == layers_.size()) return false;
  layers_.erase(layers_.begin() + static_cast<std::ptrdiff_t>(place) + 1, layers_.end());
  begin();
  return true;
}

void OverlayImage::clear() {
  layers_.clear();
  layers_.push_back({next_generation_++});
}

BlockStatus OverlayImage::forget(Generation generation) {
  const std::size_t place = place_of(generation);
  if (place + 1 >= layers_.size()) return BlockStatus::OutOfRange;
  Layer& older = layers_[place];
  Layer& newer = layers_[place + 1];
  // The smaller one goes into the larger.
  if (older.written.sectors() <= newer.written.sectors()) {
    const BlockStatus status = copy(older, newer, &newer.written);
    if (status != BlockStatus::Ok) return status;
  } else {
    const BlockStatus status = copy(newer, older, nullptr);
    if (status != BlockStatus::Ok) return status;
    std::swap(older.fd, newer.fd);
    std::swap(older.written, newer.written);
  }
  layers_.erase(layers_.begin() + static_cast<std::ptrdiff_t>(place));
  return BlockStatus::Ok;
}

BlockStatus OverlayImage::copy(const Layer& from, Layer& to, const SectorMap* newer) const {
  std::vector<u8> buffer;
  const u64 end = bytes() / kSectorBytes;
  u64 at = 0;
  while (const std::optional<SectorMap::Run> run = from.written.next(at)) {
    at = run->first;
    u64 sectors = std::min({run->sectors, end - at, kCopyBytes / kSectorBytes});
    bool skip = false;
    if (newer != nullptr) sectors = newer->run(at, sectors, skip);
    if (!skip) {
      buffer.resize(sectors * kSectorBytes);
      BlockStatus status = prepare_write(to);
      if (status == BlockStatus::Ok) status = read_layer(from, at * kSectorBytes, buffer);
      if (status == BlockStatus::Ok) {
        const bool zero = all_zero(buffer);
        status = zero ? host_zero(to.fd.get(), at * kSectorBytes, buffer.size())
                      : host_write(to.fd.get(), at * kSectorBytes, buffer);
      }
      if (status != BlockStatus::Ok) return status;
      to.written.set(at, sectors);
    }
    at += sectors;
  }
  return BlockStatus::Ok;
}

std::optional<OverlayImage::Range> OverlayImage::next_written(Generation generation, u64 offset) const {
  const std::size_t layers = std::min(place_of(generation) + 1, layers_.size());
  std::optional<SectorMap::Run> first;
  for (std::size_t i = 0; i < layers; ++i) {
    const std::optional<SectorMap::Run> run = layers_[i].written.next(offset / kSectorBytes);
    if (run && (!first || run->first < first->first)) first = run;
  }
  if (!first) return std::nullopt;
  const u64 sectors = std::min(first->sectors, bytes() / kSectorBytes - first->first);
  return Range{first->first * kSectorBytes, sectors * kSectorBytes};
}

}  // namespace reprise::machine
