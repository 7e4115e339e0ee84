#include "devices/virtio/virtio_pci.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/virtio/virtio_status.h"

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

using namespace virtio_status;
constexpr u8 kDriverStatusBits = kAcknowledge | kDriver | kDriverOk | kFeaturesOk | kFailed;

// ISR status, 4.1.4.5.
constexpr u8 kIsrQueue = 1;
constexpr u8 kIsrConfig = 2;

// Features of the transport, chapter 6.
constexpr unsigned kFeatureIndirect = 28;
constexpr unsigned kFeatureEventIndex = 29;
constexpr unsigned kFeatureVersion1 = 32;
constexpr u64 kTransportFeatures =
    u64{1} << kFeatureIndirect | u64{1} << kFeatureEventIndex | u64{1} << kFeatureVersion1;

/// `value` of `width`, as the register or half register of `bytes` bytes at `field` would take it.
void put(u64& field, u64 offset_in_field, Width width, u64 value) {
  const u64 shift = 8 * offset_in_field;
  const u64 mask = width_mask(width) << shift;
  field = (field & ~mask) | (value << shift & mask);
}

}  // namespace

VirtioPci::VirtioPci(const VirtioModel& model, const VirtioBoard& board)
    : PciFunction({.vendor = kVendorRedHat,
                   .device = model.pci_device,
                   .revision = model.transitional ? u8{0} : kModernRevision,
                   .class_code = model.class_code,
                   .subsystem_vendor = kVendorRedHat,
                   .subsystem = model.transitional ? model.device_id : kModernSubsystem}),
      board_(board),
      offered_features_(model.features | kTransportFeatures),
      config_bytes_(model.config_bytes),
      dma_(*this, board.memory),
      msix_(std::min(static_cast<unsigned>(model.queue_sizes.size()) + 1, Msix::kMaxVectors),
            board.messages) {
  for (const u16 size : model.queue_sizes) queues_.emplace_back(size, dma_);
  if (model.transitional) define_io_bar(kLegacyBar, legacy_ports(), *this, Width::Dword);
  define_memory_bar(kMsixBar, Msix::kBarBytes, msix_);
  define_memory_bar(kRegisterBar, kRegisterBarBytes, *this);
  define16(pci::kCommand, 0,
           (model.transitional ? pci::kCommandIo : 0) | pci::kCommandMemory | pci::kCommandBusMaster |
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
  if (config_bytes_ != 0) add_virtio_capability(kCapDevice, kDeviceOffset, config_bytes_);
  const u8 notify =
      add_virtio_capability(kCapNotify, kNotifyOffset, kNotifyStride * static_cast<u32>(queues_.size()), 4);
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
  reset_driver_state();
  msix_.reset();
  PciFunction::reset(kind);
}

/// What writing 0 to the status register does. 2.4.
void VirtioPci::reset_driver_state() {
  for (Virtqueue& queue : queues_) queue.reset();
  driver_features_ = 0;
  device_feature_select_ = driver_feature_select_ = 0;
  config_vector_ = Virtqueue::kNoVector;
  queue_select_ = 0;
  status_ = 0;
  isr_ = 0;
  legacy_ = false;
  reset_kind();
  update_interrupt_pin();
}

bool VirtioPci::running() const {
  return (legacy_ || (status_ & kDriverOk)) && !(status_ & kNeedsReset) && bus_master();
}

void VirtioPci::fail() {
  if (status_ & kNeedsReset) return;
  status_ |= kNeedsReset;
  if (!legacy_) config_interrupt();
}

void VirtioPci::config_interrupt() {
  if (status_ & kDriverOk) interrupt(config_vector_, kIsrConfig);
}

void VirtioPci::config_changed(ConfigChange change) {
  msix_.set_control(word(msix_capability_ + 2u), bus_master());
  update_interrupt_pin();
  if (change.touches(pci::kCommand, 2)) notify_all();
}

// --- Queues ---

Virtqueue::Features VirtioPci::queue_features() const {
  return {.indirect = has_feature(kFeatureIndirect), .event_index = has_feature(kFeatureEventIndex)};
}

bool VirtioPci::has_request(unsigned queue) {
  if (!running()) return false;
  const bool has = queues_[queue].has_request(queue_features());
  if (queues_[queue].broken()) fail();
  return has;
}

std::optional<VirtioChain> VirtioPci::pop(unsigned queue) {
  if (!running()) return std::nullopt;
  std::optional<VirtioChain> chain = queues_[queue].pop(queue_features());
  if (queues_[queue].broken()) fail();
  return chain;
}

void VirtioPci::push(unsigned queue, const VirtioChain& chain, u32 written_bytes) {
  if (!running()) return;
  const bool wanted = queues_[queue].push(chain, written_bytes, queue_features());
  if (queues_[queue].broken()) return fail();
  if (wanted) interrupt(queues_[queue].setup.msix_vector, kIsrQueue);
}

void VirtioPci::notify(u64 queue) {
  if (queue < queues_.size() && running() && queues_[queue].setup.enabled)
    notified(static_cast<unsigned>(queue));
}

void VirtioPci::notify_all() {
  for (unsigned i = 0; i < queues_.size(); ++i)
    if (has_request(i)) notified(i);
}

// --- Interrupts ---

void VirtioPci::interrupt(u16 vector, u8 isr_bit) {
  if (msix_.enabled()) return msix_.raise(vector);
  isr_ |= isr_bit;
  update_interrupt_pin();
}

void VirtioPci::update_interrupt_pin() {
  const bool wanted = isr_ != 0 && !msix_.enabled();
  const u8 status = static_cast<u8>(word(pci::kStatus) & ~pci::kStatusInterrupt);
  set_byte(pci::kStatus, wanted ? status | pci::kStatusInterrupt : status);
  board_.interrupt.set(wanted && !(word(pci::kCommand) & pci::kCommandInterruptDisable));
}

u8 VirtioPci::read_isr() {
  const u8 value = isr_;
  isr_ = 0;
  update_interrupt_pin();
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
    case kDeviceOffset: return read_device_config(in_region, width);
    default: return 0;
  }
}

void VirtioPci::mmio_write(u64 offset, Width width, u64 value) {
  const u64 in_region = offset & kRegionMask;
  switch (offset & ~kRegionMask) {
    case kCommonOffset: return write_common(in_region, width, value);
    case kDeviceOffset: return write_device_config(in_region, width, value);
    case kNotifyOffset: return notify(in_region / kNotifyStride);
    default: return;
  }
}

u64 VirtioPci::read_device_config(u64 offset, Width width) const {
  u64 value = 0;
  for (unsigned i = 0; i < width_bytes(width) && offset + i < config_bytes_; ++i)
    value |= u64{config_byte(static_cast<u32>(offset + i))} << (8 * i);
  return value;
}

void VirtioPci::write_device_config(u64 offset, Width width, u64 value) {
  for (unsigned i = 0; i < width_bytes(width) && offset + i < config_bytes_; ++i)
    config_byte_written(static_cast<u32>(offset + i), static_cast<u8>(value >> (8 * i)));
}

u32 VirtioPci::offered_features(u32 select) const {
  return select < 2 ? static_cast<u32>(offered_features_ >> (32 * select)) : 0;
}

/// One byte of the common configuration.
u64 VirtioPci::read_common(u64 offset) const {
  const auto byte_of = [offset](u64 value, u64 first) { return value >> (8 * (offset - first)) & 0xff; };
  if (offset >= kCommonBytes) return 0;
  if (offset < kDeviceFeature) return byte_of(device_feature_select_, kDeviceFeatureSelect);
  if (offset < kDriverFeatureSelect) return byte_of(offered_features(device_feature_select_), kDeviceFeature);
  if (offset < kDriverFeature) return byte_of(driver_feature_select_, kDriverFeatureSelect);
  if (offset < kConfigVector) {
    const u64 features = driver_feature_select_ < 2 ? driver_features_ >> (32 * driver_feature_select_) : 0;
    return byte_of(features & 0xffff'ffff, kDriverFeature);
  }
  if (offset < kNumQueues) return byte_of(config_vector_, kConfigVector);
  if (offset < kDeviceStatus) return byte_of(queues_.size(), kNumQueues);
  if (offset == kDeviceStatus) return status_;
  if (offset == kConfigGeneration) return config_generation();
  if (offset < kQueueSize) return byte_of(queue_select_, kQueueSelect);
  if (queue_select_ >= queues_.size()) return 0;
  const Virtqueue::Setup& queue = queues_[queue_select_].setup;
  if (offset < kQueueVector) return byte_of(queue.size, kQueueSize);
  if (offset < kQueueEnable) return byte_of(queue.msix_vector, kQueueVector);
  if (offset < kQueueNotifyOff) return byte_of(queue.enabled, kQueueEnable);
  if (offset < kQueueDescriptors) return byte_of(queue_select_, kQueueNotifyOff);
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
      if (dword) device_feature_select_ = static_cast<u32>(value);
      return;
    case kDriverFeatureSelect:
      if (dword) driver_feature_select_ = static_cast<u32>(value);
      return;
    case kDriverFeature:
      if (dword && driver_feature_select_ < 2 && !(status_ & kFeaturesOk))
        put(driver_features_, 4 * u64{driver_feature_select_}, width, value);
      return;
    case kConfigVector:
      if (word) config_vector_ = checked_vector(value);
      return;
    case kDeviceStatus:
      if (width == Width::Byte) write_status(static_cast<u8>(value));
      return;
    case kQueueSelect:
      if (word) queue_select_ = static_cast<u16>(value);
      return;
    default:
      if (offset >= kQueueSize && queue_select_ < queues_.size()) write_queue(offset, width, value);
  }
}

// 3.1.1: the driver sets bits one after the other; only a reset clears them.
void VirtioPci::write_status(u8 value) {
  if (value == 0) return reset_driver_state();
  if (legacy_) return;  // one driver, one interface
  const u8 before = status_;
  u8 status = static_cast<u8>((value & kDriverStatusBits) | before);
  const bool acceptable = (driver_features_ & ~offered_features_) == 0 && has_feature(kFeatureVersion1);
  if (!(before & kFeaturesOk) && !acceptable) status &= static_cast<u8>(~kFeaturesOk);
  if (!(status & kFeaturesOk)) status &= static_cast<u8>(~kDriverOk);
  status_ = status;
  if (status & ~before & kFeaturesOk) features_chosen();
  if (status & ~before & kDriverOk) notify_all();
}

void VirtioPci::write_queue(u64 offset, Width width, u64 value) {
  Virtqueue& queue = queues_[queue_select_];
  Virtqueue::Setup& setup = queue.setup;
  if (offset == kQueueVector) {
    if (width == Width::Word) setup.msix_vector = checked_vector(value);
    return;
  }
  if (setup.enabled) return;
  if (offset == kQueueSize) {
    if (width == Width::Word && std::popcount(value) == 1 && value <= queue.max_size())
      setup.size = static_cast<u16>(value);
    return;
  }
  if (offset == kQueueEnable) {
    if (width != Width::Word || value != 1) return;
    if (!queue.well_placed()) return fail();
    setup.enabled = true;
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
  for (Virtqueue& queue : queues_) queue.serialize(archive);
  archive.value(driver_features_);
  archive.value(device_feature_select_);
  archive.value(driver_feature_select_);
  archive.value(config_vector_);
  archive.value(queue_select_);
  archive.value(status_);
  archive.value(isr_);
  archive.value(legacy_);
}

std::string VirtioPci::debug_dump() const {
  std::string text = fmt::format("{}status={:02x} isr={:02x} features={:x} config_vector={:x} ",
                                 legacy_ ? "legacy " : "", status_, isr_, driver_features_, config_vector_) +
                     msix_.debug_dump();
  for (const Virtqueue& queue : queues_) text += queue.debug_dump();
  return text;
}

}  // namespace reprise::devices
