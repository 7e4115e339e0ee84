// VirtioPci: a virtio device on the PCI bus: registers, negotiation, queues and interrupts; a kind of device
// (disk, console) derives from it. Virtio 1.2, chapters 2 to 4.1. A transitional device, unless its kind is younger than
// version 1.0: it has the legacy interface of before that (virtio_legacy.cpp) and the modern one. Which of them the driver
// uses shows in what it writes first.
//
//     BAR 0    legacy registers, ports, of a transitional device
//     BAR 1    MSI-X table and pending bits: one vector for changes of configuration, one per queue by custom, as far as
//              there are vectors
//     BAR 4    0000h common configuration, 1000h ISR status, 2000h device configuration, 3000h notifications
//
// Where the driver breaks the rules, the device sets DEVICE_NEEDS_RESET and does nothing more until it is
// reset. Missing: VIRTIO_F_RING_RESET, VIRTIO_F_NOTIFICATION_DATA, packed virtqueues.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "devices/pci/msix.h"
#include "devices/pci/pci_device.h"
#include "devices/pci/pci_dma.h"
#include "devices/virtio/virtqueue.h"

namespace reprise::devices {

/// The board around a virtio device. All of it outlives the device.
struct VirtioBoard {
  Clock& clock;
  DmaPort& memory;
  MsiSink& messages;
  IrqLine interrupt;
};

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

class VirtioPci : public PciFunction, private MmioHandler, private PioHandler {
 public:
  u32 config_read(u8 offset, Width width) override;
  ConfigChange config_write(u8 offset, Width width, u32 value) override;

  void reset(ResetKind kind) override;
  bool may_send_unmaskable() const final { return msix_.may_send_unmaskable(); }
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 protected:
  VirtioPci(const VirtioModel& model, const VirtioBoard& board);

  // --- What the kind of device defines ---
  /// There may be something in `queue`.
  virtual void notified(unsigned queue) = 0;
  /// Back to the initial state: requests in flight are forgotten.
  virtual void reset_kind() = 0;
  /// Byte `offset` of the device configuration.
  virtual u8 config_byte(u32 offset) const = 0;
  virtual void config_byte_written(u32 /*offset*/, u8 /*value*/) {}
  /// Another number after each change of the configuration that the driver did not make. 4.1.4.3.1.
  virtual u8 config_generation() const { return 0; }
  /// The driver has chosen its features: has_feature() says which.
  virtual void features_chosen() {}

  // --- What it stands on ---
  Clock& clock() { return board_.clock; }
  DmaPort& dma() { return dma_; }
  /// The driver is ready, and may be served. Legacy drivers need not say so: 3.1.2.
  bool running() const;
  bool has_feature(unsigned index) const { return (driver_features_ >> index & 1) != 0; }
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
  bool is_legacy() const { return legacy_; }
  /// The driver has broken the rules.
  void fail();

 private:
  // MmioHandler: BAR 4
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

  // --- virtio_legacy.cpp ---
  // PioHandler: BAR 0
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;
  u32 legacy_ports() const;
  u8 read_legacy(unsigned offset);
  void write_legacy_status(u8 value);
  void write_legacy_queue_page(u32 page);
  /// Where the device configuration begins.
  unsigned legacy_config() const;

  void config_changed(ConfigChange change) override;
  void add_capabilities();
  u8 add_virtio_capability(u8 type, u32 offset, u32 bytes, unsigned extra_bytes = 0);

  u64 read_common(u64 offset) const;
  void write_common(u64 offset, Width width, u64 value);
  void write_status(u8 value);
  void write_queue(u64 offset, Width width, u64 value);
  u8 read_isr();
  u64 read_device_config(u64 offset, Width width) const;
  void write_device_config(u64 offset, Width width, u64 value);
  u16 checked_vector(u64 value) const;
  u32 offered_features(u32 select) const;
  void reset_driver_state();
  void notify(u64 queue);
  void notify_all();
  void interrupt(u16 vector, u8 isr_bit);
  void update_interrupt_pin();
  Virtqueue::Features queue_features() const;

  /// The window of VIRTIO_PCI_CAP_PCI_CFG: where it points, if that can be accessed.
  struct Window {
    MmioHandler* handler;
    u64 offset;
    Width width;
  };
  std::optional<Window> window() const;
  bool touches_window(unsigned offset, Width width) const;

  const VirtioBoard board_;
  const u64 offered_features_;
  const u32 config_bytes_;
  PciDma dma_;
  Msix msix_;
  u8 msix_capability_ = 0;
  u8 window_capability_ = 0;

  std::vector<Virtqueue> queues_;
  u64 driver_features_ = 0;
  u32 device_feature_select_ = 0;
  u32 driver_feature_select_ = 0;
  u16 config_vector_ = Virtqueue::kNoVector;
  u16 queue_select_ = 0;
  u8 status_ = 0;
  u8 isr_ = 0;
  bool legacy_ = false;  // the driver uses the legacy interface
};

}  // namespace reprise::devices
