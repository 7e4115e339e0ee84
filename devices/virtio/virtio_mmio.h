// VirtioMmio: a virtio device whose registers lie in memory at a place of their own, with an interrupt line. Virtio 1.2, 4.2. A board
// says which of two interfaces its places have, as QEMU's do: the modern one (version 2), or the legacy one (version 1, 4.2.4), which
// a kind of device that is younger than virtio 1.0 does not have.
//
// Registers are read and written as dwords, aligned; the device configuration, from 100h on, in any width.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

class VirtioMmio final : public Device, public MmioHandler, private VirtioTransport {
 public:
  enum class Version : u8 { Legacy = 1, Modern = 2 };
  static constexpr u64 kBytes = 0x200;

  /// `memory` outlives this.
  VirtioMmio(std::unique_ptr<VirtioDevice> device, Version version, DmaPort& memory, IrqLine interrupt);

  std::string_view name() const override { return device_->name(); }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

  // MmioHandler
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

 private:
  // VirtioTransport
  bool reaches_memory() const override { return true; }
  void interrupt(u16 vector, u8 isr_bit) override;
  void isr_changed() override;

  bool legacy() const { return version_ == Version::Legacy; }
  u32 read_register(u64 offset) const;
  void write_register(u64 offset, u32 value);
  u32 read_modern(u64 offset) const;
  void write_modern(u64 offset, u32 value);
  void place_queue(u64 offset, u32 value);
  u32 read_legacy(u64 offset) const;
  void write_legacy(u64 offset, u32 value);
  void place_legacy_queue(u32 page);
  void forget_pages();

  const std::unique_ptr<VirtioDevice> device_;
  const Version version_;
  const IrqLine interrupt_;
  // Of the legacy interface.
  u32 guest_page_bytes_ = 0;  // 0: the driver has not said it
  u32 queue_alignment_ = Virtqueue::kLegacyAlignment;
};

/// Places for virtio devices, one behind the other; where there is none, device id 0 says so (4.2.2.1).
class VirtioMmioPlaces final : public MmioHandler {
 public:
  VirtioMmioPlaces(std::size_t places, VirtioMmio::Version version) : devices_(places), version_(version) {}

  VirtioMmio::Version version() const { return version_; }
  std::size_t size() const { return devices_.size(); }
  u64 bytes() const { return devices_.size() * VirtioMmio::kBytes; }
  /// nullptr: there is none.
  VirtioMmio* at(std::size_t place) const { return devices_.at(place); }
  /// `device` outlives this. Before the guest runs.
  void put(std::size_t place, VirtioMmio& device) { devices_.at(place) = &device; }

  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

 private:
  std::vector<VirtioMmio*> devices_;
  const VirtioMmio::Version version_;
};

}  // namespace reprise::devices
