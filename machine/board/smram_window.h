// SmramWindow: the RAM behind the VGA window, as the host bridge's SMRAM register shows it. 82441FX
// datasheet, 3.2.19. Everybody sees it through the physical map, code in SMM through its processor's Mmu.
//
// Thread: the one that runs the machine.
#pragma once

#include "devices/pci/host_bridge.h"
#include "mmu/code_pages.h"
#include "mmu/mmu.h"
#include "mmu/phys_map.h"

namespace reprise::machine {

class SmramWindow {
 public:
  SmramWindow(mmu::PhysMap& phys_map, mmu::CodePages& code_pages)
      : phys_map_(phys_map), code_pages_(code_pages) {}

  /// Arranges memory as the register says. True when anything changed: the caller tells every Mmu and flushes
  /// TLBs.
  bool update(const devices::HostBridge& bridge);

  /// What code in SMM sees.
  mmu::Mmu::Smram in_smm() const;

 private:
  mmu::PhysMap& phys_map_;
  mmu::CodePages& code_pages_;
  devices::SmramVisibility visible_;
};

}  // namespace reprise::machine
