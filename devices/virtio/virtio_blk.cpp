#include "devices/virtio/virtio_blk.h"

#include <algorithm>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr u64 kSectorBytes = BlockBackend::kSectorBytes;
constexpr u16 kQueueSize = 256;
constexpr u32 kMaxDataSegments = kQueueSize - 2;  // header and status take one each
constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr u64 kMaxRequestBytes = u64{1} << 30;

// Features, 5.2.3.
constexpr u64 kFeatureSegMax = u64{1} << 2;
constexpr u64 kFeatureGeometry = u64{1} << 4;
constexpr u64 kFeatureReadOnly = u64{1} << 5;
constexpr u64 kFeatureBlkSize = u64{1} << 6;
constexpr unsigned kFlush = 9;
constexpr u64 kFeatureFlush = u64{1} << kFlush;
constexpr u64 kFeatureTopology = u64{1} << 10;
constexpr u64 kFeatureDiscard = u64{1} << 13;
constexpr u64 kFeatureWriteZeroes = u64{1} << 14;

// Configuration, 5.2.4.
constexpr unsigned kCapacity = 0;
constexpr unsigned kSegMax = 12;
constexpr unsigned kGeometryCylinders = 16;
constexpr unsigned kGeometryHeads = 18;
constexpr unsigned kGeometrySectors = 19;
constexpr unsigned kBlkSize = 20;
constexpr unsigned kMinIoSize = 26;  // in blocks
constexpr unsigned kNumQueues = 34;
constexpr unsigned kMaxDiscardSectors = 36;
constexpr unsigned kMaxDiscardSegments = 40;
constexpr unsigned kDiscardAlignment = 44;
constexpr unsigned kMaxWriteZeroesSectors = 48;
constexpr unsigned kMaxWriteZeroesSegments = 52;
constexpr unsigned kWriteZeroesMayUnmap = 56;

// Request types, 5.2.6.
constexpr u32 kTypeIn = 0;
constexpr u32 kTypeOut = 1;
constexpr u32 kTypeFlush = 4;
constexpr u32 kTypeGetId = 8;
constexpr u32 kTypeDiscard = 11;
constexpr u32 kTypeWriteZeroes = 13;

constexpr u64 kHeaderBytes = 16;
constexpr u64 kStatusBytes = 1;
constexpr u64 kRangeBytes = 16;
constexpr u64 kMaxRanges = 32;
constexpr u32 kMaxRangeSectors = 0x3f'ffff;  // 2 GiB
constexpr u32 kRangeUnmap = 1;

u64 little_endian(std::span<const u8> bytes) {
  u64 value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= u64{bytes[i]} << (8 * i);
  return value;
}

VirtioModel model_of(bool read_only, u32 config_bytes) {
  const u64 features = kFeatureSegMax | kFeatureGeometry | kFeatureBlkSize | kFeatureFlush |
                       kFeatureTopology |
                       (read_only ? kFeatureReadOnly : kFeatureDiscard | kFeatureWriteZeroes);
  return {.device_id = 2,
          .pci_device = 0x1001,
          .class_code = 0x010000,
          .features = features,
          .queue_sizes = {kQueueSize},
          .config_bytes = config_bytes};
}

}  // namespace

VirtioBlk::VirtioBlk(BlockBackend& medium, std::string_view serial, Clock& clock)
    : VirtioDevice(model_of(medium.read_only(), kConfigBytes), clock),
      medium_(&medium),
      timer_(clock.create_timer("virtio-blk", [this] { complete(); })) {
  set_serial(serial);
  make_config();
}

VirtioBlk::VirtioBlk(Clock& clock)
    : VirtioDevice(model_of(false, kConfigBytes), clock),
      timer_(clock.create_timer("virtio-blk", [this] { complete(); })) {
  make_config();
}

void VirtioBlk::set_medium(BlockBackend* medium) {
  medium_ = medium;
  make_config();
}

void VirtioBlk::set_serial(std::string_view serial) {
  id_ = {};
  std::copy_n(serial.begin(), std::min(serial.size(), id_.size()), id_.begin());
}

void VirtioBlk::make_config() {
  const auto put = [this](unsigned offset, unsigned bytes, u64 value) {
    for (unsigned i = 0; i < bytes; ++i) config_.at(offset + i) = static_cast<u8>(value >> (8 * i));
  };
  constexpr u64 kHeads = 16;
  constexpr u64 kSectorsPerTrack = 63;
  constexpr u64 kMaxCylinders = 16383;
  const u64 sectors = bytes() / kSectorBytes;
  put(kCapacity, 8, sectors);
  put(kSegMax, 4, kMaxDataSegments);
  put(kGeometryCylinders, 2, std::min(sectors / (kHeads * kSectorsPerTrack), kMaxCylinders));
  put(kGeometryHeads, 1, kHeads);
  put(kGeometrySectors, 1, kSectorsPerTrack);
  put(kBlkSize, 4, kSectorBytes);
  put(kMinIoSize, 2, 1);
  put(kNumQueues, 2, 1);
  if (read_only()) return;
  put(kMaxDiscardSectors, 4, kMaxRangeSectors);
  put(kMaxDiscardSegments, 4, kMaxRanges);
  put(kDiscardAlignment, 4, 1);
  put(kMaxWriteZeroesSectors, 4, kMaxRangeSectors);
  put(kMaxWriteZeroesSegments, 4, kMaxRanges);
  put(kWriteZeroesMayUnmap, 1, 1);
}

void VirtioBlk::reset_kind() {
  busy_ = false;
  request_ = {};
  clock().cancel(timer_);
}

void VirtioBlk::notified(unsigned) {
  if (!busy_) accept_next();
}

void VirtioBlk::accept_next() {
  std::optional<VirtioChain> chain = pop(0);
  if (!chain) return;
  const u64 readable = chain->readable_bytes();
  const u64 writable = chain->writable_bytes();
  if (readable < kHeaderBytes || writable < kStatusBytes) return fail();
  request_ = std::move(*chain);
  busy_ = true;
  const u64 bytes = readable - kHeaderBytes + writable - kStatusBytes;
  clock().arm(timer_, clock().now_ns() + block_request_ns(bytes));
}

void VirtioBlk::complete() {
  if (!busy_) return;
  busy_ = false;
  const u64 writable = request_.writable_bytes();
  const u8 status = static_cast<u8>(perform());
  VirtioCursor status_at(request_.writable, dma());
  status_at.skip(writable - kStatusBytes);
  status_at.write({&status, 1});
  push(0, request_, static_cast<u32>(std::min<u64>(writable, ~u32{0})));
  request_ = {};
  accept_next();
}

VirtioBlk::Status VirtioBlk::perform() {
  VirtioCursor from(request_.readable, dma());
  std::array<u8, kHeaderBytes> header{};
  if (!from.read(header)) return Status::IoError;
  const std::span<const u8> bytes(header);
  const u32 type = static_cast<u32>(little_endian(bytes.first(4)));
  const u64 sector = little_endian(bytes.subspan(8, 8));
  switch (type) {
    case kTypeIn: return read(sector);
    case kTypeOut: return write(sector, from);
    case kTypeFlush: return flush();
    case kTypeGetId: return get_id();
    case kTypeDiscard:
    case kTypeWriteZeroes: return discard(type, from);
    default: return Status::Unsupported;
  }
}

bool VirtioBlk::within(u64 sector, u64 bytes) const {
  const u64 size = this->bytes();
  return bytes % kSectorBytes == 0 && bytes <= size && sector <= (size - bytes) / kSectorBytes;
}

VirtioBlk::Status VirtioBlk::read(u64 sector) {
  u64 left = request_.writable_bytes() - kStatusBytes;
  if (medium_ == nullptr || left > kMaxRequestBytes || !within(sector, left)) return Status::IoError;
  VirtioCursor into(request_.writable, dma());
  for (u64 offset = sector * kSectorBytes; left != 0;) {
    buffer_.resize(kBufferBytes);
    const std::span<u8> piece = std::span(buffer_).first(std::min<u64>(left, kBufferBytes));
    if (medium_->read(offset, piece) != BlockStatus::Ok || !into.write(piece)) return Status::IoError;
    offset += piece.size();
    left -= piece.size();
  }
  return Status::Ok;
}

VirtioBlk::Status VirtioBlk::write(u64 sector, VirtioCursor& from) {
  u64 left = from.left();
  if (medium_ == nullptr || read_only() || left > kMaxRequestBytes || !within(sector, left))
    return Status::IoError;
  for (u64 offset = sector * kSectorBytes; left != 0;) {
    buffer_.resize(kBufferBytes);
    const std::span<u8> piece = std::span(buffer_).first(std::min<u64>(left, kBufferBytes));
    if (!from.read(piece) || medium_->write(offset, piece) != BlockStatus::Ok) return Status::IoError;
    offset += piece.size();
    left -= piece.size();
  }
  return changed();
}

// 5.2.6: ranges of {sector, number of sectors, flags}; all are checked before the first is carried out.
VirtioBlk::Status VirtioBlk::discard(u32 type, VirtioCursor& from) {
  const u64 bytes = from.left();
  if (medium_ == nullptr || read_only() || bytes == 0 || bytes % kRangeBytes != 0 ||
      bytes / kRangeBytes > kMaxRanges)
    return Status::IoError;
  std::vector<u8> ranges(bytes);
  if (!from.read(ranges)) return Status::IoError;
  const auto for_each_range = [&](auto&& visit) {
    for (std::span<const u8> rest(ranges); !rest.empty(); rest = rest.subspan(kRangeBytes)) {
      const u64 sectors = little_endian(rest.subspan(8, 4));
      const u32 flags = static_cast<u32>(little_endian(rest.subspan(12, 4)));
      const Status status = visit(little_endian(rest.first(8)), sectors, flags);
      if (status != Status::Ok) return status;
    }
    return Status::Ok;
  };
  const u32 allowed_flags = type == kTypeWriteZeroes ? kRangeUnmap : 0;
  const Status checked = for_each_range([&](u64 sector, u64 sectors, u32 flags) {
    if (flags & ~allowed_flags) return Status::Unsupported;
    return sectors <= kMaxRangeSectors && within(sector, sectors * kSectorBytes) ? Status::Ok
                                                                                 : Status::IoError;
  });
  if (checked != Status::Ok) return checked;
  const Status done = for_each_range([&](u64 sector, u64 sectors, u32) {
    const BlockStatus status = medium_->discard(sector * kSectorBytes, sectors * kSectorBytes);
    return status == BlockStatus::Ok ? Status::Ok : Status::IoError;
  });
  return done == Status::Ok ? changed() : done;
}

VirtioBlk::Status VirtioBlk::flush() {
  if (medium_ == nullptr) return Status::IoError;
  return medium_->flush() == BlockStatus::Ok ? Status::Ok : Status::IoError;
}

VirtioBlk::Status VirtioBlk::changed() { return has_feature(kFlush) ? Status::Ok : flush(); }

VirtioBlk::Status VirtioBlk::get_id() {
  VirtioCursor into(request_.writable, dma());
  const u64 room = request_.writable_bytes() - kStatusBytes;
  const std::span<const u8> id(id_);
  return into.write(id.first(std::min<u64>(room, id.size()))) ? Status::Ok : Status::IoError;
}

void VirtioBlk::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_blk");
  archive.value(busy_);
  request_.serialize(archive);
  serialize_timer(archive, clock(), timer_);
  // What complete() relies on.
  if (busy_ && request_.writable_bytes() < kStatusBytes) {
    busy_ = false;
    archive.fail();
  }
}

}  // namespace reprise::devices
