#include "devices/virtio/virtio_device.h"

#include <fmt/format.h>

#include "common/check.h"
#include "devices/virtio/virtio_status.h"

namespace reprise::devices {
namespace {

using namespace virtio_status;
constexpr u8 kDriverStatusBits = kAcknowledge | kDriver | kDriverOk | kFeaturesOk | kFailed;
constexpr u8 kLegacyStatusBits = kAcknowledge | kDriver | kDriverOk | kFailed;

// Features of the transport, chapter 6.
constexpr unsigned kFeatureIndirect = 28;
constexpr unsigned kFeatureEventIndex = 29;
constexpr unsigned kFeatureVersion1 = 32;
constexpr u64 kTransportFeatures =
    u64{1} << kFeatureIndirect | u64{1} << kFeatureEventIndex | u64{1} << kFeatureVersion1;
/// Only the legacy interface offers it, 6.3: descriptors may be cut as the driver likes, as always with us.
constexpr u32 kFeatureAnyLayout = u32{1} << 27;

}  // namespace

VirtioDevice::VirtioDevice(VirtioModel model, Clock& clock)
    : model_(std::move(model)), offered_features_(model_.features | kTransportFeatures), clock_(clock) {}

void VirtioDevice::connect(VirtioTransport& transport, DmaPort& memory) {
  CHECK(transport_ == nullptr);
  transport_ = &transport;
  memory_ = &memory;
  for (const u16 size : model_.queue_sizes) queues_.emplace_back(size, memory);
}

// --- Life ---

void VirtioDevice::reset(ResetKind) { reset_driver_state(); }

void VirtioDevice::reset_driver_state() {
  for (Virtqueue& queue : queues_) queue.reset();
  registers_ = {};
  reset_kind();
  transport_->isr_changed();
}

bool VirtioDevice::running() const {
  return (registers_.legacy || (registers_.status & kDriverOk)) && !(registers_.status & kNeedsReset) &&
         transport_->reaches_memory();
}

void VirtioDevice::fail() {
  if (registers_.status & kNeedsReset) return;
  registers_.status |= kNeedsReset;
  if (!registers_.legacy) config_interrupt();
}

void VirtioDevice::config_interrupt() {
  if (registers_.status & kDriverOk) transport_->interrupt(registers_.config_vector, kVirtioIsrConfig);
}

// --- Negotiation ---

u32 VirtioDevice::offered_features() const {
  const u32 select = registers_.device_feature_select;
  return select < 2 ? static_cast<u32>(offered_features_ >> (32 * select)) : 0;
}

u32 VirtioDevice::driver_features() const {
  const u32 select = registers_.driver_feature_select;
  return select < 2 ? static_cast<u32>(registers_.driver_features >> (32 * select)) : 0;
}

void VirtioDevice::write_driver_features(u32 value) {
  const u32 select = registers_.driver_feature_select;
  if (select >= 2 || (registers_.status & kFeaturesOk)) return;
  const u64 mask = u64{~u32{0}} << (32 * select);
  registers_.driver_features = (registers_.driver_features & ~mask) | u64{value} << (32 * select);
}

// 3.1.1: the driver sets bits one after the other; only a reset clears them.
void VirtioDevice::write_status(u8 value) {
  if (value == 0) return reset_driver_state();
  if (registers_.legacy) return;  // one driver, one interface
  const u8 before = registers_.status;
  u8 status = static_cast<u8>((value & kDriverStatusBits) | before);
  const bool acceptable =
      (registers_.driver_features & ~offered_features_) == 0 && has_feature(kFeatureVersion1);
  if (!(before & kFeaturesOk) && !acceptable) status &= static_cast<u8>(~kFeaturesOk);
  if (!(status & kFeaturesOk)) status &= static_cast<u8>(~kDriverOk);
  registers_.status = status;
  if (status & ~before & kFeaturesOk) features_chosen();
  if (status & ~before & kDriverOk) notify_all();
}

u32 VirtioDevice::legacy_features() const { return static_cast<u32>(offered_features_) | kFeatureAnyLayout; }

void VirtioDevice::write_legacy_features(u32 value) {
  registers_.legacy = true;
  registers_.driver_features = value & legacy_features();
  features_chosen();
}

void VirtioDevice::write_legacy_status(u8 value) {
  registers_.legacy = true;
  registers_.status = static_cast<u8>((value & kLegacyStatusBits) | (registers_.status & kNeedsReset));
}

u8 VirtioDevice::legacy_status() const { return registers_.status & static_cast<u8>(~kNeedsReset); }

// --- Queues ---

Virtqueue* VirtioDevice::selected_queue() {
  return registers_.queue_select < queues_.size() ? &queues_[registers_.queue_select] : nullptr;
}

bool VirtioDevice::may_place_queue() const {
  const Virtqueue* const queue = selected_queue();
  return queue != nullptr && !queue->setup.enabled;
}

void VirtioDevice::enable_queue() {
  if (!may_place_queue()) return;
  if (!selected_queue()->well_placed()) return fail();
  selected_queue()->setup.enabled = true;
}

Virtqueue::Features VirtioDevice::queue_features() const {
  return {.indirect = has_feature(kFeatureIndirect), .event_index = has_feature(kFeatureEventIndex)};
}

bool VirtioDevice::has_request(unsigned queue) {
  if (!running()) return false;
  const bool has = queues_[queue].has_request(queue_features());
  if (queues_[queue].broken()) fail();
  return has;
}

std::optional<VirtioChain> VirtioDevice::pop(unsigned queue) {
  if (!running()) return std::nullopt;
  std::optional<VirtioChain> chain = queues_[queue].pop(queue_features());
  if (queues_[queue].broken()) fail();
  return chain;
}

void VirtioDevice::push(unsigned queue, const VirtioChain& chain, u32 written_bytes) {
  if (!running()) return;
  const bool wanted = queues_[queue].push(chain, written_bytes, queue_features());
  if (queues_[queue].broken()) return fail();
  if (wanted) transport_->interrupt(queues_[queue].setup.msix_vector, kVirtioIsrQueue);
}

void VirtioDevice::notify(u64 queue) {
  if (queue < queues_.size() && running() && queues_[queue].setup.enabled)
    notified(static_cast<unsigned>(queue));
}

void VirtioDevice::notify_all() {
  for (unsigned i = 0; i < queues_.size(); ++i)
    if (has_request(i)) notified(i);
}

// --- Configuration ---

u64 VirtioDevice::read_config(u64 offset, Width width) const {
  u64 value = 0;
  for (unsigned i = 0; i < width_bytes(width) && offset + i < model_.config_bytes; ++i)
    value |= u64{config_byte(static_cast<u32>(offset + i))} << (8 * i);
  return value;
}

void VirtioDevice::write_config(u64 offset, Width width, u64 value) {
  for (unsigned i = 0; i < width_bytes(width) && offset + i < model_.config_bytes; ++i)
    config_byte_written(static_cast<u32>(offset + i), static_cast<u8>(value >> (8 * i)));
}

// --- State ---

void VirtioDevice::serialize(Archive& archive) {
  for (Virtqueue& queue : queues_) queue.serialize(archive);
  archive.value(registers_.driver_features);
  archive.value(registers_.device_feature_select);
  archive.value(registers_.driver_feature_select);
  archive.value(registers_.config_vector);
  archive.value(registers_.queue_select);
  archive.value(registers_.status);
  archive.value(registers_.isr);
  archive.value(registers_.legacy);
}

std::string VirtioDevice::debug_dump() const {
  std::string text = fmt::format("{}status={:02x} isr={:02x} features={:x} config_vector={:x}\n",
                                 registers_.legacy ? "legacy " : "", registers_.status, registers_.isr,
                                 registers_.driver_features, registers_.config_vector);
  for (const Virtqueue& queue : queues_) text += queue.debug_dump();
  return text;
}

}  // namespace reprise::devices
