#include "devices/virtio/virtio_balloon.h"

#include <array>

namespace reprise::devices {
namespace {

// 5.5.2: deflateq is 1.
constexpr unsigned kInflate = 0;
constexpr u16 kQueueSize = 128;
/// Pages of one request. Drivers give some hundred at once; what is more is no driver's.
constexpr u64 kMostPages = 16384;

// 5.5.4: num_pages, then actual.
constexpr u32 kGivenOffset = 4;
constexpr u32 kConfigBytes = 8;

VirtioModel model() {
  return {.device_id = 5,
          .pci_device = 0x1002,
          .class_code = 0x00ff00,
          .features = 0,
          .queue_sizes = {kQueueSize, kQueueSize},
          .config_bytes = kConfigBytes};
}

}  // namespace

VirtioBalloon::VirtioBalloon(Clock& clock) : VirtioDevice(model(), clock) {}

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

void VirtioBalloon::reset_kind() { given_ = 0; }

u8 VirtioBalloon::config_byte(u32 offset) const {
  const u64 both = u64{given_} << 32 | target_;
  return static_cast<u8>(both >> (8 * offset));
}

void VirtioBalloon::config_byte_written(u32 offset, u8 value) {
  if (offset < kGivenOffset) return;
  const unsigned shift = 8 * (offset - kGivenOffset);
  given_ = (given_ & ~(u32{0xff} << shift)) | u32{value} << shift;
}

void VirtioBalloon::notified(unsigned queue) {
  // More than there is room for is not waiting.
  for (unsigned i = 0; i < kQueueSize; ++i) {
    const std::optional<VirtioChain> chain = pop(queue);
    if (!chain) return;
    // What is taken again needs nothing to be done.
    if (queue == kInflate && !empty_pages(*chain)) return fail();
    push(queue, *chain, 0);
  }
}

bool VirtioBalloon::empty_pages(const VirtioChain& chain) {
  static constexpr std::array<u8, kPageBytes> kZeros = {};
  const u64 count = chain.readable_bytes() / sizeof(u32);
  if (count > kMostPages) return false;
  VirtioCursor cursor(chain.readable, dma());
  for (u64 i = 0; i < count; ++i) {
    std::array<u8, sizeof(u32)> number = {};
    cursor.read(number);
    // 5.5.6: in units of 4096 bytes. What is no RAM drops the write.
    dma().dma_write(read_unaligned<u32>(number.data()) * kPageBytes, kZeros);
  }
  return true;
}

void VirtioBalloon::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_balloon");
  archive.value(target_);
  archive.value(given_);
  archive.value(generation_);
}

}  // namespace reprise::devices
