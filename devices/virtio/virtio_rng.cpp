#include "devices/virtio/virtio_rng.h"

#include <algorithm>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr u16 kQueueSize = 8;
/// A longer request gets this much, which 5.4.6.1 allows.
constexpr u64 kMaxBytes = 4096;
constexpr u64 kRequestNs = 10'000;

VirtioModel model() {
  return {.device_id = 4,
          .pci_device = 0x1005,
          .class_code = 0x00ff00,
          .features = 0,
          .queue_sizes = {kQueueSize},
          .config_bytes = 0};
}

}  // namespace

VirtioRng::VirtioRng(u64 seed, Clock& clock)
    : VirtioDevice(model(), clock),
      seed_(seed),
      timer_(clock.create_timer("virtio-rng", [this] { complete(); })),
      state_(seed) {}

void VirtioRng::reset(ResetKind kind) {
  if (kind == ResetKind::PowerOn) state_ = seed_;
  VirtioDevice::reset(kind);
}

void VirtioRng::reset_kind() {
  busy_ = false;
  request_ = {};
  clock().cancel(timer_);
}

void VirtioRng::notified(unsigned) {
  if (!busy_) accept_next();
}

void VirtioRng::accept_next() {
  std::optional<VirtioChain> chain = pop(0);
  if (!chain) return;
  request_ = std::move(*chain);
  busy_ = true;
  clock().arm(timer_, clock().now_ns() + kRequestNs);
}

void VirtioRng::complete() {
  if (!busy_) return;
  busy_ = false;
  std::vector<u8> bytes(std::min(request_.writable_bytes(), kMaxBytes));
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const u64 random = next_random();
    for (std::size_t i = at; i < std::min(at + 8, bytes.size()); ++i)
      bytes[i] = static_cast<u8>(random >> (8 * (i - at)));
  }
  VirtioCursor(request_.writable, dma()).write(bytes);
  push(0, request_, static_cast<u32>(bytes.size()));
  request_ = {};
  accept_next();
}

/// splitmix64.
u64 VirtioRng::next_random() {
  state_ += 0x9e37'79b9'7f4a'7c15;
  u64 z = state_;
  z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
  z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
  return z ^ (z >> 31);
}

void VirtioRng::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_rng");
  archive.value(state_);
  archive.value(busy_);
  request_.serialize(archive);
  serialize_timer(archive, clock(), timer_);
}

}  // namespace reprise::devices
