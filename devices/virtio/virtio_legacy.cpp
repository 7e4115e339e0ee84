// The legacy interface of VirtioPci: that of drivers from before virtio 1.0. Virtio 1.2, 4.1.4.10, and the paragraphs
// "Legacy Interface" of chapters 2 to 4.
//
//     00h device features    04h driver features    08h queue page (4 KiB)   0Ch queue size    0Eh queue select
//     10h queue notify       12h device status      13h ISR status
//     14h configuration vector, 16h queue vector    only while MSI-X is enabled
//     then the device configuration
//
// There is no FEATURES_OK, 32 features, and one address for all three parts of a queue. Everything is in the guest's byte
// order, which here is little-endian like the modern interface's.
#include <bit>

#include "devices/virtio/virtio_pci.h"
#include "devices/virtio/virtio_status.h"

namespace reprise::devices {
namespace {

constexpr unsigned kDeviceFeatures = 0x00;
constexpr unsigned kDriverFeatures = 0x04;
constexpr unsigned kQueuePage = 0x08;
constexpr unsigned kQueueSize = 0x0c;
constexpr unsigned kQueueSelect = 0x0e;
constexpr unsigned kQueueNotify = 0x10;
constexpr unsigned kDeviceStatus = 0x12;
constexpr unsigned kIsr = 0x13;
constexpr unsigned kConfigVector = 0x14;
constexpr unsigned kQueueVector = 0x16;
constexpr unsigned kHeaderEnd = 0x14;
constexpr unsigned kHeaderEndWithMsix = 0x18;

constexpr u64 kQueuePageBytes = 4096;

using namespace virtio_status;

u8 byte_of(u64 value, unsigned index) { return static_cast<u8>(value >> (8 * index)); }

}  // namespace

u32 VirtioPci::legacy_ports() const {
  return std::bit_ceil(kHeaderEndWithMsix + device_->virtio_model().config_bytes);
}

unsigned VirtioPci::legacy_config() const { return msix_.enabled() ? kHeaderEndWithMsix : kHeaderEnd; }

u32 VirtioPci::pio_read(u16 offset, Width width) {
  u32 value = 0;
  for (unsigned i = 0; i < width_bytes(width); ++i) value |= u32{read_legacy(offset + i)} << (8 * i);
  return value;
}

u8 VirtioPci::read_legacy(unsigned offset) {
  const unsigned config = legacy_config();
  if (offset >= config) return static_cast<u8>(device_->read_config(offset - config, Width::Byte));
  const Virtqueue* const queue = device_->selected_queue();
  if (offset < kDriverFeatures) return byte_of(device_->legacy_features(), offset - kDeviceFeatures);
  if (offset < kQueuePage) return byte_of(registers().driver_features, offset - kDriverFeatures);
  if (offset < kQueueSize) {
    const bool placed = queue != nullptr && queue->setup.enabled;
    return byte_of(placed ? queue->setup.descriptors_phys / kQueuePageBytes : 0, offset - kQueuePage);
  }
  if (offset < kQueueSelect) return byte_of(queue != nullptr ? queue->max_size() : 0, offset - kQueueSize);
  if (offset < kQueueNotify) return byte_of(registers().queue_select, offset - kQueueSelect);
  if (offset < kDeviceStatus) return 0;
  if (offset == kDeviceStatus) return device_->legacy_status();
  if (offset == kIsr) return read_isr();
  if (offset < kQueueVector) return byte_of(registers().config_vector, offset - kConfigVector);
  return byte_of(queue != nullptr ? queue->setup.msix_vector : Virtqueue::kNoVector, offset - kQueueVector);
}

// A register is written where it begins; the width does not matter.
void VirtioPci::pio_write(u16 offset, Width width, u32 value) {
  const unsigned config = legacy_config();
  if (offset >= config) return device_->write_config(offset - config, width, value);
  switch (offset) {
    case kDriverFeatures: return device_->write_legacy_features(value);
    case kQueuePage: return write_legacy_queue_page(value);
    case kQueueSelect: registers().queue_select = static_cast<u16>(value); return;
    case kQueueNotify: return device_->notify(value & 0xffff);
    case kDeviceStatus: return write_legacy_status(static_cast<u8>(value));
    case kConfigVector: registers().config_vector = checked_vector(value & 0xffff); return;
    case kQueueVector:
      if (Virtqueue* const queue = device_->selected_queue())
        queue->setup.msix_vector = checked_vector(value & 0xffff);
      return;
    default: return;
  }
}

void VirtioPci::write_legacy_status(u8 value) {
  if (value == 0) return device_->reset_driver_state();
  device_->write_legacy_status(value);
  const u8 status = registers().status;
  // Linux before 2.6.34 never lets the device master the bus, and works with the emulators of its time.
  if ((status & (kAcknowledge | kDriver)) == (kAcknowledge | kDriver) && !bus_master())
    PciFunction::config_write(pci::kCommand, Width::Word, word(pci::kCommand) | pci::kCommandBusMaster);
  if (status & kDriverOk) device_->notify_all();
}

void VirtioPci::write_legacy_queue_page(u32 page) {
  Virtqueue* const queue = device_->selected_queue();
  if (queue == nullptr) return;
  registers().legacy = true;
  const u16 vector = queue->setup.msix_vector;
  queue->reset();
  queue->setup.msix_vector = vector;
  if (page != 0) queue->place_legacy(page * kQueuePageBytes);
}

}  // namespace reprise::devices
