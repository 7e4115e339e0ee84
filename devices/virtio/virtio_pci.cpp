#include "devices/virtio/virtio_pci.h"

#include <algorithm>

namespace reprise::devices {
namespace {

constexpr u16 kVendorRedHat = 0x1af4;
// Of a device without the legacy interface, as QEMU's have them.
constexpr u8 kModernRevision = 1;
constexpr u16 kModernSubsystem = 0x1100;

constexpr unsigned kLegacyBar = 0;
constexpr unsigned kMsixBar = 1;
constexpr unsigned kRegisterBar = 4;
constexpr u64 kRegisterBarBytes = 0x4000;
constexpr u32 kCommonOffset = 0x0000;
constexpr u32 kCommonBytes = 0x38;
constexpr u32 kIsrOffset = 0x1000;
constexpr u32 kDeviceOffset = 0x2000;
constexpr u32 kNotifyOffset = 0x3000;
constexpr u32 kNotifyStride = 4;
constexpr u64 kRegionMask = 0xfff;

// 4.1.4.
constexpr u8 kVendorCapability = 0x09;
constexpr u8 kCapCommon = 1;
constexpr u8 kCapNotify = 2;
constexpr u8 kCapIsr = 3;
constexpr u8 kCapDevice = 4;
constexpr u8 kCapPciConfig = 5;
constexpr unsigned kCapabilityBytes = 16;
// Within a capability.
constexpr unsigned kCapLength = 2;
constexpr unsigned kCapType = 3;
constexpr unsigned kCapBar = 4;
constexpr unsigned kCapOffset = 8;
constexpr unsigned kCapBytes = 12;
constexpr unsigned kCapExtra = 16;  // notify: stride; PCI configuration access: the data

// Common configuration, 4.1.4.3.
constexpr u64 kDeviceFeatureSelect = 0x00;
constexpr u64 kDeviceFeature = 0x04;
constexpr u64 kDriverFeatureSelect = 0x08;
constexpr u64 kDriverFeature = 0x0c;
constexpr u64 kConfigVector = 0x10;
constexpr u64 kNumQueues = 0x12;
constexpr u64 kDeviceStatus = 0x14;
constexpr u64 kConfigGeneration = 0x15;
constexpr u64 kQueueSelect = 0x16;
constexpr u64 kQueueSize = 0x18;
constexpr u64 kQueueVector = 0x1a;
constexpr u64 kQueueEnable = 0x1c;
constexpr u64 kQueueNotifyOff = 0x1e;
constexpr u64 kQueueDescriptors = 0x20;
constexpr u64 kQueueDriver = 0x28;
constexpr u64 kQueueDevice = 0x30;

/// `value` of `width`, as the register or half register of `bytes` bytes at `field` would take it.
void put(u64& field, u64 offset_in_field, Width width, u64 value) {
  const u64 shift = 8 * offset_in_field;
  const u64 mask = width_mask(width) << shift;
  field = (field & ~mask) | (value << shift & mask);
}

constexpr u16 kFirstModernDevice = 0x1040;

PciIdentity identity_of(const VirtioModel& model, bool transitional) {
  return {.vendor = kVendorRedHat,
          .device = transitional ? model.pci_device : static_cast<u16>(kFirstModernDevice + model.device_id),
          .revision = transitional ? u8{0} : kModernRevision,
          .class_code = model.class_code,
          .subsystem_vendor = kVendorRedHat,
          .subsystem = transitional ? model.device_id : kModernSubsystem};
}

}  // namespace

VirtioPci::VirtioPci(std::unique_ptr<VirtioDevice> device, const VirtioPciBoard& board)
    : PciFunction(identity_of(device->virtio_model(), device->virtio_model().transitional && !board.express)),
      device_(std::move(device)),
      transitional_(device_->virtio_model().transitional && !board.express),
      interrupt_(board.interrupt),
      dma_(*this, board.memory),
      msix_(
          std::min(static_cast<unsigned>(device_->virtio_model().queue_sizes.size()) + 1, Msix::kMaxVectors),
          board.messages) {
  device_->connect(*this, dma_);
  if (transitional_) define_io_bar(kLegacyBar, legacy_ports(), *this, Width::Dword);
  define_memory_bar(kMsixBar, Msix::kBarBytes, msix_);
  define_memory_bar(kRegisterBar, kRegisterBarBytes, *this);
  define16(pci::kCommand, 0,
           (transitional_ ? pci::kCommandIo : 0) | pci::kCommandMemory | pci::kCommandBusMaster |
               pci::kCommandInterruptDisable);
  define8(pci::kInterruptPin, 1);
  add_capabilities();
  apply_reset_values();
}

void VirtioPci::add_capabilities() {
  msix_capability_ = add_capability(Msix::kCapabilityId, Msix::kCapabilityBodyBytes);
  define16(msix_capability_ + 2u, msix_.reset_control(), Msix::kControlWritable);
  define32(msix_capability_ + 4u, kMsixBar);
  define32(msix_capability_ + 8u, Msix::kPendingOffset | kMsixBar);

  add_virtio_capability(kCapCommon, kCommonOffset, kCommonBytes);
  add_virtio_capability(kCapIsr, kIsrOffset, 1);
  if (const u32 bytes = device_->virtio_model().config_bytes; bytes != 0)
    add_virtio_capability(kCapDevice, kDeviceOffset, bytes);
  const u8 notify = add_virtio_capability(kCapNotify, kNotifyOffset,
                                          kNotifyStride * static_cast<u32>(device_->queue_count()), 4);
  define32(notify + kCapExtra, kNotifyStride);
  window_capability_ = add_virtio_capability(kCapPciConfig, 0, 0, 4);
  define8(window_capability_ + kCapBar, 0, 0xff);
  define32(window_capability_ + kCapOffset, 0, ~u32{0});
  define32(window_capability_ + kCapBytes, 0, ~u32{0});
  define32(window_capability_ + kCapExtra, 0, ~u32{0});
}

u8 VirtioPci::add_virtio_capability(u8 type, u32 offset, u32 bytes, unsigned extra_bytes) {
  const u8 at = add_capability(kVendorCapability, kCapabilityBytes - 2 + extra_bytes);
  define8(at + kCapLength, static_cast<u8>(kCapabilityBytes + extra_bytes));
  define8(at + kCapType, type);
  define8(at + kCapBar, kRegisterBar);
  define32(at + kCapOffset, offset);
  define32(at + kCapBytes, bytes);
  return at;
}

// --- Life ---

void VirtioPci::reset(ResetKind kind) {
  device_->reset(kind);
  msix_.reset();
  PciFunction::reset(kind);
}

void VirtioPci::config_changed(ConfigChange change) {
  msix_.set_control(word(msix_capability_ + 2u), bus_master());
  isr_changed();
  if (change.touches(pci::kCommand, 2)) device_->notify_all();
}

// --- Interrupts ---

void VirtioPci::interrupt(u16 vector, u8 isr_bit) {
  if (msix_.enabled()) return msix_.raise(vector);
  registers().isr |= isr_bit;
  isr_changed();
}

void VirtioPci::isr_changed() {
  const bool wanted = registers().isr != 0 && !msix_.enabled();
  const u8 status = static_cast<u8>(word(pci::kStatus) & ~pci::kStatusInterrupt);
  set_byte(pci::kStatus, wanted ? status | pci::kStatusInterrupt : status);
  interrupt_.set(wanted && !(word(pci::kCommand) & pci::kCommandInterruptDisable));
}

u8 VirtioPci::read_isr() {
  const u8 value = registers().isr;
  registers().isr = 0;
  isr_changed();
  return value;
}

u16 VirtioPci::checked_vector(u64 value) const {
  return value < msix_.vectors() ? static_cast<u16>(value) : Virtqueue::kNoVector;
}

// --- Registers ---

u64 VirtioPci::mmio_read(u64 offset, Width width) {
  const u64 in_region = offset & kRegionMask;
  switch (offset & ~kRegionMask) {
    case kCommonOffset: {
      u64 value = 0;  // a byte at a time: any width reads what lies there
      for (unsigned i = 0; i < width_bytes(width); ++i) value |= read_common(in_region + i) << (8 * i);
      return value;
    }
    case kIsrOffset: return in_region == 0 ? read_isr() : 0;
    case kDeviceOffset: return device_->read_config(in_region, width);
    default: return 0;
  }
}

void VirtioPci::mmio_write(u64 offset, Width width, u64 value) {
  const u64 in_region = offset & kRegionMask;
  switch (offset & ~kRegionMask) {
    case kCommonOffset: return write_common(in_region, width, value);
    case kDeviceOffset: return device_->write_config(in_region, width, value);
    case kNotifyOffset: return device_->notify(in_region / kNotifyStride);
    default: return;
  }
}

/// One byte of the common configuration.
u64 VirtioPci::read_common(u64 offset) const {
  const auto byte_of = [offset](u64 value, u64 first) { return value >> (8 * (offset - first)) & 0xff; };
  const VirtioDevice& device = *device_;
  const VirtioDevice::Registers& registers = device.registers();
  if (offset >= kCommonBytes) return 0;
  if (offset < kDeviceFeature) return byte_of(registers.device_feature_select, kDeviceFeatureSelect);
  if (offset < kDriverFeatureSelect) return byte_of(device.offered_features(), kDeviceFeature);
  if (offset < kDriverFeature) return byte_of(registers.driver_feature_select, kDriverFeatureSelect);
  if (offset < kConfigVector) return byte_of(device.driver_features(), kDriverFeature);
  if (offset < kNumQueues) return byte_of(registers.config_vector, kConfigVector);
  if (offset < kDeviceStatus) return byte_of(device.queue_count(), kNumQueues);
  if (offset == kDeviceStatus) return registers.status;
  if (offset == kConfigGeneration) return device.config_generation();
  if (offset < kQueueSize) return byte_of(registers.queue_select, kQueueSelect);
  if (device.selected_queue() == nullptr) return 0;
  const Virtqueue::Setup& queue = device.selected_queue()->setup;
  if (offset < kQueueVector) return byte_of(queue.size, kQueueSize);
  if (offset < kQueueEnable) return byte_of(queue.msix_vector, kQueueVector);
  if (offset < kQueueNotifyOff) return byte_of(queue.enabled, kQueueEnable);
  if (offset < kQueueDescriptors) return byte_of(registers.queue_select, kQueueNotifyOff);
  if (offset < kQueueDriver) return byte_of(queue.descriptors_phys, kQueueDescriptors);
  if (offset < kQueueDevice) return byte_of(queue.driver_ring_phys, kQueueDriver);
  return byte_of(queue.device_ring_phys, kQueueDevice);
}

// 4.1.3.1: a register is written in its own width, the 64-bit ones also by halves. Other writes change
// nothing.
void VirtioPci::write_common(u64 offset, Width width, u64 value) {
  const bool dword = width == Width::Dword;
  const bool word = width == Width::Word;
  switch (offset) {
    case kDeviceFeatureSelect:
      if (dword) registers().device_feature_select = static_cast<u32>(value);
      return;
    case kDriverFeatureSelect:
      if (dword) registers().driver_feature_select = static_cast<u32>(value);
      return;
    case kDriverFeature:
      if (dword) device_->write_driver_features(static_cast<u32>(value));
      return;
    case kConfigVector:
      if (word) registers().config_vector = checked_vector(value);
      return;
    case kDeviceStatus:
      if (width == Width::Byte) device_->write_status(static_cast<u8>(value));
      return;
    case kQueueSelect:
      if (word) registers().queue_select = static_cast<u16>(value);
      return;
    default:
      if (Virtqueue* const queue = device_->selected_queue(); queue != nullptr && offset >= kQueueSize)
        write_queue(*queue, offset, width, value);
  }
}

void VirtioPci::write_queue(Virtqueue& queue, u64 offset, Width width, u64 value) {
  Virtqueue::Setup& setup = queue.setup;
  if (offset == kQueueVector) {
    if (width == Width::Word) setup.msix_vector = checked_vector(value);
    return;
  }
  if (setup.enabled) return;
  if (offset == kQueueSize) {
    if (width == Width::Word) queue.set_size(value);
    return;
  }
  if (offset == kQueueEnable) {
    if (width == Width::Word && value == 1) device_->enable_queue();
    return;
  }
  if (offset < kQueueDescriptors || offset >= kCommonBytes || offset % 4 != 0) return;
  if (width != Width::Dword && width != Width::Qword) return;
  u64& field = offset < kQueueDriver   ? setup.descriptors_phys
               : offset < kQueueDevice ? setup.driver_ring_phys
                                       : setup.device_ring_phys;
  if (width == Width::Qword && offset % 8 != 0) return;
  put(field, offset % 8, width, value);
}

// --- The window in configuration space, 4.1.4.9 ---

bool VirtioPci::touches_window(unsigned offset, Width width) const {
  const unsigned data = window_capability_ + kCapExtra;
  return offset < data + 4 && data < offset + width_bytes(width);
}

std::optional<VirtioPci::Window> VirtioPci::window() const {
  const auto dword = [this](unsigned offset) { return u32{word(offset)} | u32{word(offset + 2)} << 16; };
  const u8 index = byte(window_capability_ + kCapBar);
  const u32 offset = dword(window_capability_ + kCapOffset);
  const u32 bytes = dword(window_capability_ + kCapBytes);
  if (index != kMsixBar && index != kRegisterBar) return std::nullopt;
  if (bytes != 1 && bytes != 2 && bytes != 4) return std::nullopt;
  const PciBar& target = bar(index);
  if (offset % bytes != 0 || offset > target.bytes - bytes) return std::nullopt;
  return Window{target.memory, offset, static_cast<Width>(bytes)};
}

u32 VirtioPci::config_read(u8 offset, Width width) {
  if (touches_window(offset, width)) {
    if (const std::optional<Window> target = window()) {
      const u64 value = target->handler->mmio_read(target->offset, target->width);
      for (unsigned i = 0; i < width_bytes(target->width); ++i)
        set_byte(window_capability_ + kCapExtra + i, static_cast<u8>(value >> (8 * i)));
    }
  }
  return config_peek(offset, width);
}

ConfigChange VirtioPci::config_write(u8 offset, Width width, u32 value) {
  const ConfigChange change = PciFunction::config_write(offset, width, value);
  if (touches_window(offset, width)) {
    if (const std::optional<Window> target = window()) {
      const unsigned data = window_capability_ + kCapExtra;
      const u32 written = u32{word(data)} | u32{word(data + 2)} << 16;
      target->handler->mmio_write(target->offset, target->width, written & width_mask(target->width));
    }
  }
  return change;
}

// --- State ---

void VirtioPci::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  archive.tag("virtio");
  msix_.serialize(archive);
  device_->serialize(archive);
}

std::string VirtioPci::debug_dump() const { return msix_.debug_dump() + device_->debug_dump(); }

}  // namespace reprise::devices
