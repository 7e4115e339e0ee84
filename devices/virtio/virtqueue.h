// Virtqueue: the device's side of a split virtqueue. Virtio 1.2, 2.6 and 2.7 (VIRTIO 1.1: 2.4, 2.6).
//
//     descriptors     16 bytes each: address, length, flags, next
//     driver ring     flags, idx, ring[size], used_event         what the driver offers
//     device ring     flags, idx, {id, length}[size], avail_event   what the device has done
//
// Everything in guest memory is untrusted: whatever breaks the rules breaks the queue, which then does
// nothing until it is reset. No loop is longer than kMaxSegments. Missing: packed virtqueues.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/archive.h"
#include "common/ports.h"

namespace reprise::devices {

/// A piece of guest memory.
struct VirtioSegment {
  u64 phys = 0;
  u32 bytes = 0;
};

/// One request: a chain of descriptors.
struct VirtioChain {
  u16 head = 0;
  std::vector<VirtioSegment> readable;  // by the device
  std::vector<VirtioSegment> writable;

  u64 readable_bytes() const;
  u64 writable_bytes() const;
  void serialize(Archive& archive);
};

class Virtqueue {
 public:
  static constexpr unsigned kMaxSegments = 1024;
  static constexpr u16 kNoVector = 0xffff;
  static constexpr u64 kLegacyAlignment = 4096;

  /// What the driver sets through the transport.
  struct Setup {
    u16 size = 0;  // a power of two, at most max_size
    bool enabled = false;
    u16 msix_vector = kNoVector;
    u64 descriptors_phys = 0;
    u64 driver_ring_phys = 0;
    u64 device_ring_phys = 0;
  };
  /// What was agreed on for all queues.
  struct Features {
    bool indirect = false;
    bool event_index = false;
  };

  Virtqueue(u16 max_size, DmaPort& dma) : dma_(dma), max_size_(max_size) { reset(); }

  Setup setup;
  u16 max_size() const { return max_size_; }
  /// Addresses are aligned as they must be and nothing wraps: it may be enabled.
  bool well_placed() const;
  /// Takes a size that a queue may have.
  void set_size(u64 size);
  /// As the legacy interface lays a queue of its size out in one piece, from `phys` on, and enables it. `alignment`, a power of two, is
  /// that of the device ring. 2.7.2.
  void place_legacy(u64 phys, u64 alignment = kLegacyAlignment);
  bool broken() const { return broken_; }

  /// Is there a request? Does not look inside. When there is none, the driver is asked to notify of the next.
  /// May break the queue.
  bool has_request(Features features);
  /// The next request, if there is one; otherwise as has_request().
  std::optional<VirtioChain> pop(Features features);
  /// Takes back the last `count` pops.
  void put_back(unsigned count) { next_available_ = static_cast<u16>(next_available_ - count); }
  /// Gives `chain` back, its first `written_bytes` writable bytes filled. True when the driver wants an
  /// interrupt for it.
  bool push(const VirtioChain& chain, u32 written_bytes, Features features);

  void reset();
  void serialize(Archive& archive);
  std::string debug_dump() const;

 private:
  struct Descriptor {
    u64 phys = 0;
    u32 bytes = 0;
    u16 flags = 0;
    u16 next = 0;
  };

  std::optional<u16> read16(u64 phys) const;
  std::optional<Descriptor> read_descriptor(u64 table_phys, u32 index) const;
  void write16(u64 phys, u16 value);
  std::optional<u16> waiting() const;
  bool collect(VirtioChain& chain, Features features);
  bool add(VirtioChain& chain, const Descriptor& descriptor) const;
  void ask_for_notification();

  DmaPort& dma_;
  const u16 max_size_;
  bool broken_ = false;
  u16 next_available_ = 0;  // ring positions count up and wrap at 65536
  u16 next_used_ = 0;
  u16 announced_used_ = 0;  // next_used_ when the driver was last interrupted
  bool announced_valid_ = false;
};

/// Walks over the bytes of segments, front to back.
class VirtioCursor {
 public:
  VirtioCursor(std::span<const VirtioSegment> segments, DmaPort& dma) : segments_(segments), dma_(dma) {}

  /// False when there are not enough bytes or some are not RAM.
  bool read(std::span<u8> into);
  bool write(std::span<const u8> from);
  /// Passes over up to `bytes` bytes.
  void skip(u64 bytes);
  u64 left() const;

 private:
  /// The next piece, at most `bytes` long; 0 bytes at the end.
  VirtioSegment take(u64 bytes);

  std::span<const VirtioSegment> segments_;
  DmaPort& dma_;
  std::size_t segment_ = 0;
  u32 offset_ = 0;  // in segments_[segment_]
};

}  // namespace reprise::devices
