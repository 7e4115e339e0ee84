// The host bridge: the registers that firmware needs of the 440FX (82441FX PMC; Intel 82441FX datasheet, 290549-001, section 3.2) or
// of the Q35 (82Q35 MCH; Intel 3 Series Express Chipset Family datasheet, 316966-002, section 5.1), where PAM and SMRAM are the same
// bits elsewhere and PCIEXBAR says where configuration space lies in memory.
// The machine reads these attributes after a change and maps memory accordingly. Missing: TSEG.
#pragma once

#include <optional>

#include "devices/pci/chipset.h"
#include "devices/pci/pci_device.h"

namespace reprise::devices {

/// Legacy memory between C0000h and FFFFFh, as PAM divides it.
struct PamSegment {
  u32 first_phys = 0;
  u32 bytes = 0;
  bool read_ram = false;   // else reads go to PCI: ROM
  bool write_ram = false;  // else writes go to PCI
};

/// Who finds RAM at A0000h-BFFFFh, as SMRAM says.
struct SmramVisibility {
  bool everybody = false;
  bool smm_code = false;  // instruction fetches in SMM
  bool smm_data = false;  // other accesses in SMM
  friend bool operator==(const SmramVisibility&, const SmramVisibility&) = default;
};

class HostBridge final : public PciFunction {
 public:
  static constexpr unsigned kPamSegments = 13;
  static constexpr u8 kPamBytes = 7;
  // Of the 440FX.
  static constexpr u8 kPam0 = 0x59;
  static constexpr u8 kSmram = 0x72;
  // Of the Q35.
  static constexpr u8 kQ35Pam0 = 0x90;
  static constexpr u8 kQ35Smram = 0x9d;
  static constexpr u8 kPciExBar = 0x60;

  explicit HostBridge(Chipset chipset = Chipset::I440fx);

  /// Where its PAM registers begin, and its SMRAM register.
  u8 pam0() const { return chipset_ == Chipset::Q35 ? kQ35Pam0 : kPam0; }
  u8 smram_register() const { return chipset_ == Chipset::Q35 ? kQ35Smram : kSmram; }
  struct Window {
    u64 phys;
    u64 bytes;
    bool operator==(const Window&) const = default;
  };
  /// Where configuration space lies in memory; nothing: nowhere.
  std::optional<Window> config_window() const;

  std::string_view name() const override { return "host_bridge"; }
  /// `index` below kPamSegments: 0 is F0000h, the rest rise from C0000h.
  PamSegment pam(unsigned index) const;
  SmramVisibility smram() const;

 private:
  void define_440fx();
  void define_q35();
  u8 writable(unsigned offset) const override;
  void config_changed(ConfigChange change) override;

  const Chipset chipset_;
};

}  // namespace reprise::devices
