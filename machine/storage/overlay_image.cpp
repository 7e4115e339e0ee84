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

Result<std::unique_ptr<OverlayImage>> OverlayImage::over_written(std::unique_ptr<devices::BlockBackend> base,
                                                                 std::shared_ptr<const bool> repeats) {
  std::unique_ptr<OverlayImage> image = TRY(create(std::move(base)));
  image->repeats_ = std::move(repeats);
  return image;
}

std::vector<const OverlayImage::Layer*> OverlayImage::layers_of(Generation generation) const {
  const bool now = generation == current();
  const std::size_t place = place_of(generation);
  if (!now && place == ended_.size()) return {};
  std::vector<const Layer*> layers;
  if (repeats_ != nullptr) layers.push_back(&original_);
  for (std::size_t i = 0; i < (now ? below_ : place + 1); ++i) layers.push_back(&ended_[i]);
  if (now) layers.push_back(&current_);
  return layers;
}

BlockStatus OverlayImage::read(u64 offset, std::span<u8> into) { return read_as_of(current(), offset, into); }

BlockStatus OverlayImage::read_as_of(Generation generation, u64 offset, std::span<u8> into) {
  const std::vector<const Layer*> layers = layers_of(generation);
  if (layers.empty()) {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  return read_layers(layers, offset, into);
}

/// What these and the base hold.
BlockStatus OverlayImage::read_layers(std::span<const Layer* const> layers, u64 offset, std::span<u8> into) {
  if (!is_block_range(offset, into.size(), bytes())) {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  BlockStatus result = BlockStatus::Ok;
  while (!into.empty()) {
    // The sectors from here on that the same layer answers, the newest that has them.
    u64 sectors = into.size() / kSectorBytes;
    const Layer* holder = nullptr;
    for (std::size_t i = layers.size(); i-- != 0 && holder == nullptr;) {
      bool in_layer = false;
      sectors = layers[i]->written.run(offset / kSectorBytes, sectors, in_layer);
      if (in_layer) holder = layers[i];
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

BlockStatus OverlayImage::flush() { return writes_base() ? base_->flush() : BlockStatus::Ok; }

BlockStatus OverlayImage::write(u64 offset, std::span<const u8> from) {
  if (!is_block_range(offset, from.size(), bytes())) return BlockStatus::OutOfRange;
  if (const BlockStatus kept = keep_original(offset, from.size()); kept != BlockStatus::Ok) return kept;
  BlockStatus status = write_here(offset, from);
  if (status != BlockStatus::Ok || !writes_base()) return status;
  status = base_->write(offset, from);
  return status == BlockStatus::Ok ? status : take_from_base(offset, from.size(), status);
}

BlockStatus OverlayImage::discard(u64 offset, u64 bytes) {
  if (!is_block_range(offset, bytes, this->bytes())) return BlockStatus::OutOfRange;
  if (bytes == 0) return BlockStatus::Ok;
  if (const BlockStatus kept = keep_original(offset, bytes); kept != BlockStatus::Ok) return kept;
  BlockStatus status = discard_here(offset, bytes);
  if (status != BlockStatus::Ok || !writes_base()) return status;
  status = base_->discard(offset, bytes);
  return status == BlockStatus::Ok ? status : take_from_base(offset, bytes, status);
}

BlockStatus OverlayImage::keep_original(u64 offset, u64 bytes) {
  if (!writes_base()) return BlockStatus::Ok;
  std::vector<u8> content;
  for (u64 at = offset / kSectorBytes, end = at + bytes / kSectorBytes; at < end;) {
    bool known = false;
    const u64 sectors = original_.written.run(at, std::min(end - at, kCopyBytes / kSectorBytes), known);
    if (!known) {
      content.resize(sectors * kSectorBytes);
      BlockStatus status = prepare_write(original_);
      if (status == BlockStatus::Ok) status = base_->read(at * kSectorBytes, content);
      if (status == BlockStatus::Ok) status = host_write(original_.fd.get(), at * kSectorBytes, content);
      if (status != BlockStatus::Ok)
        return status == BlockStatus::ReadError ? BlockStatus::WriteError : status;
      original_.written.set(at, sectors);
    }
    at += sectors;
  }
  return BlockStatus::Ok;
}

BlockStatus OverlayImage::take_from_base(u64 offset, u64 bytes, BlockStatus why) {
  std::vector<u8> content(std::min(bytes, kCopyBytes));
  for (u64 at = 0; at < bytes; at += content.size()) {
    content.resize(std::min(bytes - at, kCopyBytes));
    if (base_->read(offset + at, content) == BlockStatus::Ok) (void)write_here(offset + at, content);
  }
  return why;
}

BlockStatus OverlayImage::write_here(u64 offset, std::span<const u8> from) {
  Layer& layer = current_;
  BlockStatus status = prepare_write(layer);
  if (status == BlockStatus::Ok) status = host_write(layer.fd.get(), offset, from);
  // After an error the sectors hold, as on a real disk, either content; only that of before is certain.
  if (status == BlockStatus::Ok) layer.written.set(offset / kSectorBytes, from.size() / kSectorBytes);
  return status;
}

BlockStatus OverlayImage::discard_here(u64 offset, u64 bytes) {
  Layer& layer = current_;
  BlockStatus status = prepare_write(layer);
  if (status == BlockStatus::Ok) status = host_zero(layer.fd.get(), offset, bytes);
  if (status == BlockStatus::Ok) layer.written.set(offset / kSectorBytes, bytes / kSectorBytes);
  return status;
}

// --- Generations ---

std::size_t OverlayImage::place_of(Generation generation) const {
  const auto found = std::ranges::find(ended_, generation, &Layer::generation);
  return static_cast<std::size_t>(found - ended_.begin());
}

OverlayImage::Generation OverlayImage::begin() {
  const Generation ended = current();
  ended_.insert(ended_.begin() + static_cast<std::ptrdiff_t>(below_++), std::move(current_));
  current_ = {next_generation_++};
  return ended;
}

bool OverlayImage::go_to(Generation generation) {
  const std::size_t place = place_of(generation);
  if (place == ended_.size()) return false;
  below_ = place + 1;
  current_ = {next_generation_++};
  return true;
}

bool OverlayImage::rise(Generation generation) {
  const std::size_t place = place_of(generation);
  if (place == ended_.size() || place + 1 < below_) return false;
  below_ = place + 1;
  return true;
}

void OverlayImage::forget_above() {
  ended_.erase(ended_.begin() + static_cast<std::ptrdiff_t>(below_), ended_.end());
}

BlockStatus OverlayImage::settle() {
  if (!writes_base()) return BlockStatus::Ok;
  std::vector<u8> content;
  for (u64 at = 0; const std::optional<SectorMap::Run> run = original_.written.next(at);) {
    const u64 sectors =
        std::min({run->sectors, bytes() / kSectorBytes - run->first, kCopyBytes / kSectorBytes});
    content.resize(sectors * kSectorBytes);
    BlockStatus status = read(run->first * kSectorBytes, content);
    if (status == BlockStatus::Ok) status = base_->write(run->first * kSectorBytes, content);
    if (status != BlockStatus::Ok) return status;
    at = run->first + sectors;
  }
  return base_->flush();
}

void OverlayImage::clear() {
  ended_.clear();
  below_ = 0;
  current_ = {next_generation_++};
}

BlockStatus OverlayImage::forget(Generation generation) {
  const std::size_t place = place_of(generation);
  if (place == ended_.size()) return BlockStatus::OutOfRange;
  const bool is_last = place + 1 == ended_.size();
  // Two lie over it, or none does.
  if (is_last ? below_ != ended_.size() : below_ == place + 1) return BlockStatus::OutOfRange;
  Layer& older = ended_[place];
  Layer& newer = is_last ? current_ : ended_[place + 1];
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
  ended_.erase(ended_.begin() + static_cast<std::ptrdiff_t>(place));
  if (below_ > place) --below_;
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
  std::optional<SectorMap::Run> first;
  for (const Layer* const layer : layers_of(generation)) {
    const std::optional<SectorMap::Run> run = layer->written.next(offset / kSectorBytes);
    if (run && (!first || run->first < first->first)) first = run;
  }
  if (!first) return std::nullopt;
  const u64 sectors = std::min(first->sectors, bytes() / kSectorBytes - first->first);
  return Range{first->first * kSectorBytes, sectors * kSectorBytes};
}

}  // namespace reprise::machine
