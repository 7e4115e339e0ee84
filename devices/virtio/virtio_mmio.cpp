#include "devices/virtio/virtio_mmio.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "devices/virtio/virtio_status.h"

namespace reprise::devices {
namespace {

// 4.2.2.
constexpr u64 kMagic = 0x000;
constexpr u64 kVersion = 0x004;
constexpr u64 kDeviceId = 0x008;
constexpr u64 kVendorId = 0x00c;
constexpr u64 kDeviceFeatures = 0x010;
constexpr u64 kDeviceFeatureSelect = 0x014;
constexpr u64 kDriverFeatures = 0x020;
constexpr u64 kDriverFeatureSelect = 0x024;
constexpr u64 kQueueSelect = 0x030;
constexpr u64 kQueueMaxSize = 0x034;
constexpr u64 kQueueSize = 0x038;
constexpr u64 kQueueReady = 0x044;
constexpr u64 kQueueNotify = 0x050;
constexpr u64 kInterruptStatus = 0x060;
constexpr u64 kInterruptAcknowledge = 0x064;
constexpr u64 kStatus = 0x070;
constexpr u64 kQueueDescriptors = 0x080;  // each: low half, high half
constexpr u64 kQueueDriver = 0x090;
constexpr u64 kQueueDevice = 0x0a0;
constexpr u64 kSharedMemoryLength = 0x0b0;
constexpr u64 kSharedMemoryEnd = 0x0c0;
constexpr u64 kConfigGeneration = 0x0fc;
constexpr u64 kConfig = 0x100;
// 4.2.4, of the legacy interface only.
constexpr u64 kGuestPageSize = 0x028;
constexpr u64 kQueueAlign = 0x03c;
constexpr u64 kQueuePage = 0x040;

constexpr u32 kMagicValue = 0x7472'6976;   // "virt"
constexpr u32 kVendorValue = 0x554d'4551;  // "QEMU": drivers expect nobody else
constexpr u32 kNoSharedMemory = ~u32{0};   // 4.2.2.1

}  // namespace

VirtioMmio::VirtioMmio(std::unique_ptr<VirtioDevice> device, Version version, DmaPort& memory,
                       IrqLine interrupt)
    : device_(std::move(device)),
      version_(device_->virtio_model().transitional ? version : Version::Modern),
      interrupt_(interrupt) {
  device_->connect(*this, memory);
}

void VirtioMmio::reset(ResetKind kind) {
  forget_pages();
  device_->reset(kind);
}

void VirtioMmio::forget_pages() {
  guest_page_bytes_ = 0;
  queue_alignment_ = Virtqueue::kLegacyAlignment;
}

void VirtioMmio::interrupt(u16, u8 isr_bit) {
  device_->registers().isr |= isr_bit;
  isr_changed();
}

void VirtioMmio::isr_changed() { interrupt_.set(device_->registers().isr != 0); }

u64 VirtioMmio::mmio_read(u64 offset, Width width) {
  if (offset >= kConfig) return device_->read_config(offset - kConfig, width);
  return width == Width::Dword && offset % 4 == 0 ? read_register(offset) : 0;
}

void VirtioMmio::mmio_write(u64 offset, Width width, u64 value) {
  if (offset >= kConfig) return device_->write_config(offset - kConfig, width, value);
  if (width == Width::Dword && offset % 4 == 0) write_register(offset, static_cast<u32>(value));
}

/// What both interfaces have.
u32 VirtioMmio::read_register(u64 offset) const {
  const Virtqueue* const queue = device_->selected_queue();
  switch (offset) {
    case kMagic: return kMagicValue;
    case kVersion: return static_cast<u32>(version_);
    case kDeviceId: return device_->virtio_model().device_id;
    case kVendorId: return kVendorValue;
    case kQueueMaxSize: return queue != nullptr ? queue->max_size() : 0;
    case kInterruptStatus: return device_->registers().isr;
    default: return legacy() ? read_legacy(offset) : read_modern(offset);
  }
}

void VirtioMmio::write_register(u64 offset, u32 value) {
  VirtioDevice::Registers& registers = device_->registers();
  switch (offset) {
    case kDeviceFeatureSelect: registers.device_feature_select = value; return;
    case kDriverFeatureSelect: registers.driver_feature_select = value; return;
    case kQueueSelect: registers.queue_select = static_cast<u16>(std::min<u32>(value, 0xffff)); return;
    case kQueueSize:
      if (device_->may_place_queue()) device_->selected_queue()->set_size(value);
      return;
    case kQueueNotify: return device_->notify(value);
    case kInterruptAcknowledge: registers.isr &= static_cast<u8>(~value); return isr_changed();
    default: return legacy() ? write_legacy(offset, value) : write_modern(offset, value);
  }
}

// --- Version 2 ---

u32 VirtioMmio::read_modern(u64 offset) const {
  const Virtqueue* const queue = device_->selected_queue();
  switch (offset) {
    case kDeviceFeatures: return device_->offered_features();
    case kQueueReady: return queue != nullptr && queue->setup.enabled ? 1 : 0;
    case kStatus: return device_->registers().status;
    case kConfigGeneration: return device_->config_generation();
    default: return offset >= kSharedMemoryLength && offset < kSharedMemoryEnd ? kNoSharedMemory : 0;
  }
}

void VirtioMmio::write_modern(u64 offset, u32 value) {
  switch (offset) {
    case kDriverFeatures: return device_->write_driver_features(value);
    case kQueueReady:
      if (value == 1) return device_->enable_queue();
      // A driver that gives a queue up waits until it reads 0 (4.2.2.2).
      if (Virtqueue* const queue = device_->selected_queue(); queue != nullptr && value == 0) queue->reset();
      return;
    case kStatus: return device_->write_status(static_cast<u8>(value));
    default: return place_queue(offset, value);
  }
}

void VirtioMmio::place_queue(u64 offset, u32 value) {
  if (!device_->may_place_queue()) return;
  Virtqueue::Setup& setup = device_->selected_queue()->setup;
  const auto put = [&](u64& phys) {
    const unsigned shift = offset % 8 != 0 ? 32 : 0;
    phys = (phys & ~(u64{~u32{0}} << shift)) | u64{value} << shift;
  };
  switch (offset & ~u64{4}) {
    case kQueueDescriptors: return put(setup.descriptors_phys);
    case kQueueDriver: return put(setup.driver_ring_phys);
    case kQueueDevice: return put(setup.device_ring_phys);
    default: return;
  }
}

// --- Version 1 ---

u32 VirtioMmio::read_legacy(u64 offset) const {
  const Virtqueue* const queue = device_->selected_queue();
  switch (offset) {
    case kDeviceFeatures:
      return device_->registers().device_feature_select == 0 ? device_->legacy_features() : 0;
    case kQueuePage:
      if (queue == nullptr || !queue->setup.enabled || guest_page_bytes_ == 0) return 0;
      return static_cast<u32>(queue->setup.descriptors_phys / guest_page_bytes_);
    case kStatus: return device_->legacy_status();
    default: return 0;
  }
}

void VirtioMmio::write_legacy(u64 offset, u32 value) {
  switch (offset) {
    case kDriverFeatures:
      if (device_->registers().driver_feature_select == 0) device_->write_legacy_features(value);
      return;
    case kGuestPageSize:
      if (std::has_single_bit(value)) guest_page_bytes_ = value;
      return;
    case kQueueAlign:
      if (std::has_single_bit(value)) queue_alignment_ = value;
      return;
    case kQueuePage: return place_legacy_queue(value);
    case kStatus:
      // The sizes of pages outlive a reset by the driver: Linux tells of them first, and resets then.
      if (static_cast<u8>(value) == 0) return device_->reset_driver_state();
      device_->write_legacy_status(static_cast<u8>(value));
      if (device_->registers().status & virtio_status::kDriverOk) device_->notify_all();
      return;
    default: return;
  }
}

void VirtioMmio::place_legacy_queue(u32 page) {
  Virtqueue* const queue = device_->selected_queue();
  if (queue == nullptr) return;
  device_->registers().legacy = true;
  const u16 size = queue->setup.size;
  queue->reset();
  if (page == 0 || guest_page_bytes_ == 0) return;
  queue->set_size(size);
  queue->place_legacy(u64{page} * guest_page_bytes_, queue_alignment_);
  if (!queue->well_placed()) queue->reset();
}

// --- State ---

void VirtioMmio::serialize(Archive& archive) {
  archive.tag("virtio_mmio");
  archive.value(guest_page_bytes_);
  archive.value(queue_alignment_);
  device_->serialize(archive);
  if ((guest_page_bytes_ != 0 && !std::has_single_bit(guest_page_bytes_)) ||
      !std::has_single_bit(queue_alignment_)) {
    forget_pages();
    archive.fail();
  }
}

std::string VirtioMmio::debug_dump() const {
  return fmt::format("version={} page={:x} align={:x} ", static_cast<unsigned>(version_), guest_page_bytes_,
                     queue_alignment_) +
         device_->debug_dump();
}

// --- Places ---

u64 VirtioMmioPlaces::mmio_read(u64 offset, Width width) {
  const u64 in_place = offset % VirtioMmio::kBytes;
  const u64 place = offset / VirtioMmio::kBytes;
  if (place >= devices_.size()) return 0;
  if (VirtioMmio* const device = devices_[place]) return device->mmio_read(in_place, width);
  if (width != Width::Dword) return 0;
  switch (in_place) {
    case kMagic: return kMagicValue;
    case kVersion: return static_cast<u32>(version_);
    case kVendorId: return kVendorValue;
    default: return 0;
  }
}

void VirtioMmioPlaces::mmio_write(u64 offset, Width width, u64 value) {
  const u64 place = offset / VirtioMmio::kBytes;
  if (place < devices_.size() && devices_[place] != nullptr)
    devices_[place]->mmio_write(offset % VirtioMmio::kBytes, width, value);
}

}  // namespace reprise::devices
