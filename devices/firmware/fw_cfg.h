// The firmware configuration device of QEMU machines: named blobs that firmware reads at boot. QEMU
// docs/specs/fw_cfg. Selector at 510h, data at 511h, DMA at 514h. Missing: writable items, the memory-mapped
// variant.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

/// The items are configuration: set before the run, the same after every reset, but for files that are replaced and those that have another
/// content from the first reset on.
class FwCfg final : public Device {
 public:
  /// Selectors with a fixed meaning.
  enum class Key : u16 {
    Signature = 0x00,
    Id = 0x01,
    Uuid = 0x02,
    RamBytes = 0x03,
    NoGraphic = 0x04,
    Cpus = 0x05,
    BootMenu = 0x0e,
    MaxCpus = 0x0f,
    KernelData = 0x11,
    InitrdData = 0x12,
    CommandLineData = 0x15,
    SetupData = 0x18,
    FileDirectory = 0x19,
    KernelParts = 0x8100,  // of the architecture: the first of those that rom/kernel_boot.asm asks for
  };
  static constexpr std::size_t kMaxNameBytes = 55;

  explicit FwCfg(DmaPort& dma);

  void set(Key key, std::vector<u8> bytes) { items_[static_cast<u16>(key)] = std::move(bytes); }
  /// A little-endian integer.
  void set_number(Key key, u64 value, unsigned bytes);
  /// `name` is at most kMaxNameBytes long. A file of that name is replaced.
  void set_file(const std::string& name, std::vector<u8> bytes);
  /// The content of a file that follows from the state of another device. As long as the one before.
  void replace_file(const std::string& name, std::vector<u8> bytes);
  void set_file_number(const std::string& name, u64 value, unsigned bytes);
  /// What a file that was set holds once the machine has been reset. As long as what it holds before.
  void set_file_after_reset(const std::string& name, std::vector<u8> bytes);
  /// Of all items and files as they were set, which are no state: they are the same in every machine of one configuration.
  u64 content_digest() const;
  /// nullptr when there is none.
  const std::vector<u8>* file(const std::string& name) const;

  PioHandler& selector_ports() {
    return selector_ports_;
  }                                               // 510h, 2 ports, word; byte reads at offset 1 are data
  PioHandler& dma_ports() { return dma_ports_; }  // 514h, 8 ports, dword

  std::string_view name() const override { return "fw_cfg"; }
  void reset(ResetKind) override;
  void serialize(Archive& archive) override;

 private:
  u32 read_selector(u16 offset, Width width);
  void write_selector(u16 offset, Width width, u32 value);
  u32 read_dma(u16 offset, Width width);
  void write_dma(u16 offset, Width width, u32 value);

  void select(u16 key);
  const std::vector<u8>* selected() const;
  u8 next_byte();
  void run_dma(u64 phys);
  /// Copies `bytes` of the selected item to memory; beyond its end, zeros. False when memory refused.
  bool copy_out(u64 phys, u32 bytes);
  void update_directory();

  DmaPort& dma_;
  PioPorts<FwCfg> selector_ports_{*this, &FwCfg::read_selector, &FwCfg::write_selector};
  PioPorts<FwCfg> dma_ports_{*this, &FwCfg::read_dma, &FwCfg::write_dma};
  std::map<u16, std::vector<u8>> items_;
  struct File {
    std::vector<u8> bytes;
    u64 digest;                  // of what was set
    std::vector<u8> later = {};  // after a reset; empty: the same
  };
  const std::vector<u8>& content(const File& file) const {
    return was_reset_ && !file.later.empty() ? file.later : file.bytes;
  }
  std::map<std::string, File> files_;  // the directory's order is that of the names
  u16 key_ = 0;
  u32 position_ = 0;
  u32 dma_high_ = 0;  // as written: bits 63:32 of the address
  bool was_reset_ = false;
};

}  // namespace reprise::devices
