// VirtioPci: a virtio device on the PCI bus: its registers and interrupts there. Virtio 1.2, 4.1. A transitional device has the legacy
// interface (virtio_legacy.cpp) and the modern one. Which of them the driver uses shows in what it writes first.
//
//     BAR 0    legacy registers, ports, of a transitional device
//     BAR 1    MSI-X table and pending bits: one vector for changes of configuration, one per queue by custom, as far as
//              there are vectors
//     BAR 4    0000h common configuration, 1000h ISR status, 2000h device configuration, 3000h notifications
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "devices/pci/msix.h"
#include "devices/pci/pci_device.h"
#include "devices/pci/pci_dma.h"
#include "devices/virtio/virtio_device.h"

namespace reprise::devices {

/// The board around a virtio device. All of it outlives the device.
struct VirtioPciBoard {
  DmaPort& memory;
  MsiSink& messages;
  IrqLine interrupt;
  bool express = false;  // it is in a PCI Express port, where no card has the legacy interface
};

class VirtioPci : public PciFunction, private MmioHandler, private PioHandler, private VirtioTransport {
 public:
  VirtioPci(std::unique_ptr<VirtioDevice> device, const VirtioPciBoard& board);

  u32 config_read(u8 offset, Width width) override;
  ConfigChange config_write(u8 offset, Width width, u32 value) override;

  std::string_view name() const override { return device_->name(); }
  void reset(ResetKind kind) override;
  bool may_send_unmaskable() const final { return msix_.may_send_unmaskable(); }
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

  const VirtioDevice& device() const { return *device_; }

 private:
  // VirtioTransport
  bool reaches_memory() const override { return bus_master(); }
  void interrupt(u16 vector, u8 isr_bit) override;
  void isr_changed() override;

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
  void write_queue(Virtqueue& queue, u64 offset, Width width, u64 value);
  u8 read_isr();
  u16 checked_vector(u64 value) const;
  VirtioDevice::Registers& registers() { return device_->registers(); }

  /// The window of VIRTIO_PCI_CAP_PCI_CFG: where it points, if that can be accessed.
  struct Window {
    MmioHandler* handler;
    u64 offset;
    Width width;
  };
  std::optional<Window> window() const;
  bool touches_window(unsigned offset, Width width) const;

  const std::unique_ptr<VirtioDevice> device_;
  const bool transitional_;
  const IrqLine interrupt_;
  PciDma dma_;
  Msix msix_;
  u8 msix_capability_ = 0;
  u8 window_capability_ = 0;
};

}  // namespace reprise::devices
