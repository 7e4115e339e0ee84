// PCI configuration mechanism 1: CONFADD at CF8h, CONFDATA at CFCh. PCI 2.2, 3.2.2.3.2; 82441FX datasheet 3.1. And the functions of
// the bus, for whoever else accesses their registers (config_window.h).
// Missing: special cycles.
#pragma once

#include <optional>

#include "devices/pci/pci_bus.h"

namespace reprise::devices {

/// Who carries out what configuration writes ask for: the machine.
class PciConfigListener {
 public:
  virtual ~PciConfigListener() = default;
  /// Called after the write is complete; may map and unmap ports and memory.
  virtual void pci_config_changed(PciFunction& function, ConfigChange change) = 0;
};

/// As PioHandler it takes ports CF8h-CFFh, up to dword wide.
class ConfigMechanism1 final : public Device, public PioHandler {
 public:
  /// `reset_control` gets the byte accesses to CF9h, which are not for CONFADD.
  ConfigMechanism1(PciConfigListener& listener, PioHandler& reset_control);

  /// Bus 0, behind whose bridges the others are.
  PciBus& root() { return root_; }
  const PciBus& root() const { return root_; }
  /// Of bus 0, as PciBus's.
  Result<Done, PciAttachError> attach(unsigned device, unsigned function_number, PciFunction& function) {
    return root_.attach(device, function_number, function);
  }
  void detach(unsigned device, unsigned function_number) { root_.detach(device, function_number); }
  PciFunction* function(unsigned device, unsigned function_number) const {
    return root_.function(device, function_number);
  }

  /// A function by its bus and its number there: 8 times the device, and the function.
  struct Address {
    unsigned bus = 0;
    unsigned number = 0;
  };
  /// Register `offset` of the function there, as an access of `width` within 256 bytes has it.
  u32 read(const Address& address, u8 offset, Width width);
  void write(const Address& address, u8 offset, Width width, u32 value);

  std::string_view name() const override { return "pci_config"; }
  void reset(ResetKind) override { address_ = 0; }
  void serialize(Archive& archive) override;
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;

 private:
  /// The function that CONFADD selects.
  std::optional<Address> selected() const;
  u8 selected_register(u16 offset) const;

  PciConfigListener& listener_;
  PioHandler& reset_control_;
  PciBus root_;
  u32 address_ = 0;
};

}  // namespace reprise::devices
