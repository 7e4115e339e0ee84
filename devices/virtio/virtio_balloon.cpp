#include "devices/virtio/virtio_balloon.h"

#include <array>
#include <utility>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

// 5.5.2: deflateq is 1.
constexpr u8 kInflate = 0, kDeflate = 1;
constexpr u16 kQueueSize = 128;
/// Pages of one request. Drivers give some hundred at once; what is more is no driver's.
constexpr u64 kMostPages = 16384;
constexpr u64 kRequestNs = 10'000;
constexpr u64 kPageNs = 500;

// 5.5.4: num_pages, then actual.
constexpr u32 kGivenOffset = 4;
constexpr u32 kConfigBytes = 8;

u64 pages_of(const VirtioChain& request) { return request.readable_bytes() / sizeof(u32); }

VirtioModel model() {
  return {.device_id = 5,
          .pci_device = 0x1002,
          .class_code = 0x00ff00,
          .features = 0,
          .queue_sizes = {kQueueSize, kQueueSize},
          .config_bytes = kConfigBytes};
}

}  // namespace

VirtioBalloon::VirtioBalloon(Clock& clock)
    : VirtioDevice(model(), clock), timer_(clock.create_timer("virtio-balloon", [this] { complete(); })) {}

void VirtioBalloon::set_target(u32 pages) {
  if (pages == target_) return;
  target_ = pages;
  ++generation_;
  config_interrupt();
}

void VirtioBalloon::reset(ResetKind kind) {
  if (kind == ResetKind::PowerOn) target_ = 0;
  VirtioDevice::reset(kind);
}

void VirtioBalloon::reset_kind() {
  given_ = 0;
  busy_ = false;
  request_ = {};
  clock().cancel(timer_);
}

u8 VirtioBalloon::config_byte(u32 offset) const {
  const u64 both = u64{given_} << 32 | target_;
  return static_cast<u8>(both >> (8 * offset));
}

void VirtioBalloon::config_byte_written(u32 offset, u8 value) {
  if (offset < kGivenOffset) return;
  const unsigned shift = 8 * (offset - kGivenOffset);
  given_ = (given_ & ~(u32{0xff} << shift)) | u32{value} << shift;
}

void VirtioBalloon::notified(unsigned) {
  if (!busy_) accept_next();
}

void VirtioBalloon::accept_next() {
  for (const u8 queue : {kInflate, kDeflate}) {
    std::optional<VirtioChain> chain = pop(queue);
    if (!chain) continue;
    const u64 pages = pages_of(*chain);
    if (pages > kMostPages) return fail();
    request_ = std::move(*chain);
    queue_ = queue;
    busy_ = true;
    clock().arm(timer_, clock().now_ns() + kRequestNs + pages * kPageNs);
    return;
  }
}

void VirtioBalloon::complete() {
  if (!busy_) return;
  busy_ = false;
  // What is taken again needs nothing to be done.
  if (queue_ == kInflate) empty_pages();
  push(queue_, request_, 0);
  request_ = {};
  accept_next();
}

void VirtioBalloon::empty_pages() {
  static constexpr std::array<u8, kPageBytes> kZeros = {};
  VirtioCursor cursor(request_.readable, dma());
  for (u64 i = 0; i < pages_of(request_); ++i) {
    std::array<u8, sizeof(u32)> number = {};
    cursor.read(number);
    // 5.5.6: in units of 4096 bytes. What is no RAM drops the write.
    dma().dma_write(read_unaligned<u32>(number.data()) * kPageBytes, kZeros);
  }
}

void VirtioBalloon::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_balloon");
  archive.value(target_);
  archive.value(given_);
  archive.value(generation_);
  archive.value(busy_);
  archive.value(queue_);
  request_.serialize(archive);
  serialize_timer(archive, clock(), timer_);
  // What complete() relies on.
  if (queue_ > kDeflate || pages_of(request_) > kMostPages) {
    busy_ = false;
    archive.fail();
  }
}

}  // namespace reprise::devices
