// VirtioDevice: a virtio device apart from the bus it is on: negotiation and queues. A kind of device (disk, console) derives from it.
// Virtio 1.2, chapters 2 and 3. What is on a bus is a transport, VirtioPci or VirtioMmio: it has one of these, and shows drivers its
// registers. A device is transitional unless its kind is younger than version 1.0: a driver from before that is served, too.
//
// Where the driver breaks the rules, the device sets DEVICE_NEEDS_RESET and does nothing more until it is
// reset. Missing: VIRTIO_F_RING_RESET, VIRTIO_F_NOTIFICATION_DATA, packed virtqueues.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/virtio/virtqueue.h"

namespace reprise::devices {

/// What kind of device it is. 5, "Device Types".
struct VirtioModel {
  u16 device_id = 0;   // 2: block, 3: console, 4: entropy, 18: input
  u16 pci_device = 0;  // of a transitional device the one that it has as such: 4.1.2.1
  u32 class_code = 0;  // PCI: 24 bits
  u64 features = 0;    // of the kind; those of the transport are added
  std::vector<u16> queue_sizes;
  u32 config_bytes = 0;
  bool transitional = true;  // has the legacy interface
};

/// What a device needs of the bus that it is on.
class VirtioTransport {
 public:
  /// The bus lets the device reach memory.
  virtual bool reaches_memory() const = 0;
  /// Tells the driver: of a queue or of the configuration, by the vector and the bit of the ISR status that are for it.
  virtual void interrupt(u16 vector, u8 isr_bit) = 0;
  /// The ISR status is another one.
  virtual void isr_changed() = 0;

 protected:
  ~VirtioTransport() = default;
};

/// Bits of the ISR status, 4.1.4.5 and 4.2.2.
inline constexpr u8 kVirtioIsrQueue = 1;
inline constexpr u8 kVirtioIsrConfig = 2;

class VirtioDevice : public Device {
 public:
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

  // --- For its transport ---
  const VirtioModel& virtio_model() const { return model_; }
  /// Both outlive the device. Before anything else, once.
  void connect(VirtioTransport& transport, DmaPort& memory);

  /// Registers that every transport has.
  struct Registers {
    u64 driver_features = 0;
    u32 device_feature_select = 0;
    u32 driver_feature_select = 0;
    u16 config_vector = Virtqueue::kNoVector;
    u16 queue_select = 0;
    u8 status = 0;
    u8 isr = 0;
    bool legacy = false;  // the driver uses the legacy interface
  };
  Registers& registers() { return registers_; }
  const Registers& registers() const { return registers_; }
  std::size_t queue_count() const { return queues_.size(); }
  /// The one that the driver has selected; nullptr: there is none.
  Virtqueue* selected_queue();
  const Virtqueue* selected_queue() const { return const_cast<VirtioDevice*>(this)->selected_queue(); }

  /// What writing 0 to the status register does. 2.4.
  void reset_driver_state();
  /// By device_feature_select and driver_feature_select, as the modern interface has them.
  u32 offered_features() const;
  u32 driver_features() const;
  void write_driver_features(u32 value);
  void write_status(u8 value);
  /// Of the selected queue: it is ready, as far as the driver says. False: it has said so before, or there is none.
  bool may_place_queue() const;
  void enable_queue();

  // The legacy interface, which has 32 features, no FEATURES_OK, and one address for all three parts of a queue.
  u32 legacy_features() const;
  void write_legacy_features(u32 value);
  /// Not 0. Who calls it looks at the queues then.
  void write_legacy_status(u8 value);
  /// What came later than this interface does not show.
  u8 legacy_status() const;

  u64 read_config(u64 offset, Width width) const;
  void write_config(u64 offset, Width width, u64 value);
  /// Another number after each change of the configuration that the driver did not make. 4.1.4.3.1.
  virtual u8 config_generation() const { return 0; }
  /// The driver has notified of `queue`.
  void notify(u64 queue);
  /// Looks at all queues.
  void notify_all();

 protected:
  VirtioDevice(VirtioModel model, Clock& clock);

  // --- What the kind of device defines ---
  /// There may be something in `queue`.
  virtual void notified(unsigned queue) = 0;
  /// Back to the initial state: requests in flight are forgotten.
  virtual void reset_kind() = 0;
  /// Byte `offset` of the device configuration.
  virtual u8 config_byte(u32 offset) const = 0;
  virtual void config_byte_written(u32 /*offset*/, u8 /*value*/) {}
  /// The driver has chosen its features: has_feature() says which.
  virtual void features_chosen() {}

  // --- What it stands on ---
  Clock& clock() { return clock_; }
  DmaPort& dma() { return *memory_; }
  /// The driver is ready, and may be served. Legacy drivers need not say so: 3.1.2.
  bool running() const;
  bool has_feature(unsigned index) const { return (registers_.driver_features >> index & 1) != 0; }
  /// Is there a request? If not, the driver will notify of the next.
  bool has_request(unsigned queue);
  /// The next request of `queue`, if there is one.
  std::optional<VirtioChain> pop(unsigned queue);
  /// Gives a request back with its first `written_bytes` writable bytes filled, and interrupts the driver if
  /// it wants that.
  void push(unsigned queue, const VirtioChain& chain, u32 written_bytes);
  /// Takes back the last `count` pops of `queue`: what they gave is popped again.
  void put_back(unsigned queue, unsigned count) { queues_[queue].put_back(count); }
  /// Tells the driver that the device configuration has changed.
  void config_interrupt();
  /// The driver uses the legacy interface.
  bool is_legacy() const { return registers_.legacy; }
  /// The driver has broken the rules.
  void fail();

 private:
  Virtqueue::Features queue_features() const;

  const VirtioModel model_;
  const u64 offered_features_;
  Clock& clock_;
  VirtioTransport* transport_ = nullptr;
  DmaPort* memory_ = nullptr;
  std::vector<Virtqueue> queues_;
  Registers registers_;
};

}  // namespace reprise::devices
