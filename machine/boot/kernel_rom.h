// The option ROM by which firmware boots a kernel (rom/kernel_boot.asm), and the items of the configuration device that it
// asks for. SeaBIOS takes it from the configuration device, too.
#pragma once

#include <vector>

#include "devices/firmware/fw_cfg.h"
#include "machine/boot/boot.h"

namespace reprise::machine::boot {

/// For the configuration device.
struct FirmwareBoot {
  struct Item {
    devices::FwCfg::Key key;
    std::vector<u8> bytes;
  };
  std::vector<Item> items;
  std::vector<u8> rom;
  std::string remark = {};  // what the user should know of how the kernel starts: a sentence, or empty
};

class KernelRom {
 public:
  static constexpr std::size_t kMaxItems = 100;
  static constexpr u64 kScratchBytes = 256;

  KernelRom();

  /// `bytes` will be at `phys`, in this order. At most kMaxItems.
  void hand_over(devices::FwCfg::Key key, std::vector<u8> bytes, u64 phys);
  std::size_t items() const { return boot_.items.size(); }

  // Last; none of the kernel lies in the kScratchBytes from `scratch_phys` on, a multiple of 16 below 1 MiB.
  /// Entered at offset 0 of `code_segment`; all other segments are `data_segment`, with the stack at `stack_offset`.
  FirmwareBoot enter_real_mode(u16 code_segment, u16 data_segment, u16 stack_offset, u64 scratch_phys);
  /// `entry` is one of EntryMode::Flat32 with code selector 08h.
  FirmwareBoot enter_protected_mode(const EntryState& entry, u64 scratch_phys);

 private:
  FirmwareBoot finish(u64 scratch_phys);

  FirmwareBoot boot_;
};

}  // namespace reprise::machine::boot
