// PCI configuration mechanism 1: CONFADD at CF8h, CONFDATA at CFCh. PCI 2.2, 3.2.2.3.2; 82441FX datasheet 3.1. And the functions of
// the bus, for whoever else accesses their registers (config_window.h).
// One bus, number 0. Missing: special cycles, bridges to other buses.
#pragma once

#include <array>
#include <optional>

#include "common/result.h"
#include "devices/pci/pci_device.h"

namespace reprise::devices {

enum class PciAttachError : u8 { NoSuchSlot, SlotTaken };

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

  /// `function` must outlive this.
  Result<Done, PciAttachError> attach(unsigned device, unsigned function_number, PciFunction& function);
  /// The slot is empty from now on.
  void detach(unsigned device, unsigned function_number);
  /// nullptr for an empty slot.
  PciFunction* function(unsigned device, unsigned function_number) const;

  /// Register `offset` of function `number` (8 times the device, and the function), as an access of `width` within 256 bytes has it.
  u32 read(unsigned number, u8 offset, Width width);
  void write(unsigned number, u8 offset, Width width, u32 value);

  std::string_view name() const override { return "pci_config"; }
  void reset(ResetKind) override { address_ = 0; }
  void serialize(Archive& archive) override;
  u32 pio_read(u16 offset, Width width) override;
  void pio_write(u16 offset, Width width, u32 value) override;

 private:
  /// The number of the function that CONFADD selects.
  std::optional<unsigned> selected() const;
  u8 selected_register(u16 offset) const;

  PciConfigListener& listener_;
  PioHandler& reset_control_;
  std::array<PciFunction*, 256> functions_{};
  u32 address_ = 0;
};

}  // namespace reprise::devices
