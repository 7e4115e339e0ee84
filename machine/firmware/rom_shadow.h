// RomShadow: the firmware's ROM and the RAM behind it, as the host bridge's PAM registers arrange them.
// 82441FX datasheet, 3.2.16.
//
//     000c0000      13 segments: each reads from RAM or PCI (the last 128 KiB of the ROM),
//                   writes to RAM or nowhere
//     up to 4 GiB   the whole ROM
//
// Thread: the one that runs the machine.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "common/ports.h"
#include "devices/pci/host_bridge.h"
#include "mmu/code_pages.h"
#include "mmu/phys_map.h"

namespace reprise::machine {

class RomShadow {
 public:
  /// `rom` is a multiple of 4 KiB, from 64 KiB to 16 MiB. Maps it below 4 GiB; call update() for the rest.
  RomShadow(mmu::PhysMap& phys_map, mmu::CodePages& code_pages, std::vector<u8> rom);
  ~RomShadow();

  /// Arranges memory as the registers say. True when anything changed: the caller flushes TLBs.
  bool update(const devices::HostBridge& bridge);

  u64 rom_phys() const;
  std::span<const u8> rom() const { return rom_; }

 private:
  class Unshadowed;

  void arrange(unsigned index, const devices::PamSegment& segment);
  /// What PCI reads give at `phys`: ROM, or nullptr where nothing answers.
  u8* rom_at(u64 phys);

  mmu::PhysMap& phys_map_;
  mmu::CodePages& code_pages_;
  std::vector<u8> rom_;
  std::array<u8, devices::HostBridge::kPamSegments> arranged_;  // bit 0: reads from RAM, bit 1: writes to RAM
  std::array<std::unique_ptr<Unshadowed>, devices::HostBridge::kPamSegments> unshadowed_;
};

}  // namespace reprise::machine
