#include "devices/virtio/virtio_9p.h"

#include <algorithm>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr u16 kQueueSize = 128;
constexpr u64 kFeatureMountTag = u64{1} << 0;
constexpr u32 kTagLengthBytes = 2;

VirtioModel model_of(std::size_t tag_bytes) {
  return {.device_id = 9,
          .pci_device = 0x1009,
          .class_code = 0x000200,
          .features = kFeatureMountTag,
          .queue_sizes = {kQueueSize},
          .config_bytes = kTagLengthBytes + static_cast<u32>(tag_bytes)};
}

}  // namespace

Virtio9p::Virtio9p(ShareBackend& host, std::string_view tag, Clock& clock)
    : VirtioDevice(model_of(std::min(tag.size(), kMaxTagBytes)), clock),
      tag_(tag.substr(0, kMaxTagBytes)),
      server_(host),
      timer_(clock.create_timer("virtio-9p", [this] { complete(); })) {}

u8 Virtio9p::config_byte(u32 offset) const {
  if (offset < kTagLengthBytes) return static_cast<u8>(tag_.size() >> (8 * offset));
  return static_cast<u8>(tag_.at(offset - kTagLengthBytes));
}

void Virtio9p::reset_kind() {
  busy_ = false;
  request_ = {};
  clock().cancel(timer_);
  server_.reset();
}

void Virtio9p::notified(unsigned) {
  if (!busy_) accept_next();
}

void Virtio9p::accept_next() {
  std::optional<VirtioChain> chain = pop(0);
  if (!chain) return;
  const u64 readable = chain->readable_bytes();
  const u64 writable = chain->writable_bytes();
  if (readable < p9::kHeaderBytes || writable < p9::kErrorBytes) return fail();
  request_ = std::move(*chain);
  busy_ = true;
  constexpr u64 kLongest = p9::Server::kMaxMessageBytes;
  clock().arm(timer_, clock().now_ns() +
                          share_request_ns(std::min(readable, kLongest) + std::min(writable, kLongest)));
}

void Virtio9p::complete() {
  if (!busy_) return;
  busy_ = false;
  constexpr u64 kLongest = p9::Server::kMaxMessageBytes;
  std::vector<u8> message(std::min(request_.readable_bytes(), kLongest));
  VirtioCursor(request_.readable, dma()).read(message);
  const u32 room = static_cast<u32>(std::min(request_.writable_bytes(), kLongest));
  const std::vector<u8> reply = server_.reply_to(message, room);
  VirtioCursor(request_.writable, dma()).write(reply);
  push(0, request_, static_cast<u32>(reply.size()));
  request_ = {};
  accept_next();
}

void Virtio9p::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_9p");
  server_.serialize(archive);
  archive.value(busy_);
  request_.serialize(archive);
  serialize_timer(archive, clock(), timer_);
  // What complete() relies on.
  if (busy_ &&
      (request_.readable_bytes() < p9::kHeaderBytes || request_.writable_bytes() < p9::kErrorBytes)) {
    busy_ = false;
    archive.fail();
  }
}

std::string Virtio9p::debug_dump() const { return VirtioDevice::debug_dump() + server_.debug_dump(); }

}  // namespace reprise::devices
