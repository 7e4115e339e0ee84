// 440FX host bridge (82441FX PMC): the registers that firmware needs. Intel 82441FX datasheet (290549-001), section 3.2.
// The machine reads the PAM and SMRAM attributes after a change and maps memory accordingly.
#pragma once

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
  static constexpr u8 kPam0 = 0x59;
  static constexpr u8 kPamBytes = 7;
  static constexpr u8 kSmram = 0x72;

  HostBridge();

  std::string_view name() const override { return "host_bridge"; }
  /// `index` below kPamSegments: 0 is F0000h, the rest rise from C0000h.
  PamSegment pam(unsigned index) const;
  SmramVisibility smram() const;

 private:
  u8 writable(unsigned offset) const override;
  void config_changed(ConfigChange change) override;
};

}  // namespace reprise::devices
