// BoardVideoRam: the graphics card's memory as the tail of the machine's RAM, behind the guest's own, so that epochs, TLB
// tags, hashes and saved states are those of all RAM.
//
// Thread: the one that runs the machine.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "devices/display/video_ram.h"
#include "mmu/code_pages.h"
#include "mmu/phys_map.h"

namespace reprise::machine {

class BoardVideoRam final : public devices::VideoRam {
 public:
  /// Told of what the card has written where it is mapped.
  using Written = std::function<void(u64 phys, u64 bytes)>;
  /// The last `bytes` bytes of the map's RAM.
  BoardVideoRam(mmu::PhysMap& phys_map, mmu::CodePages& code_pages, u64 bytes, Written written)
      : phys_map_(phys_map),
        code_pages_(code_pages),
        written_(std::move(written)),
        bytes_(phys_map.ram().host() + phys_map.ram().bytes() - bytes, bytes) {}

  /// In RAM.
  u64 ram_offset() const { return phys_map_.ram().bytes() - bytes_.size(); }
  /// After a change of where it is mapped.
  void find_phys() { phys_ = phys_map_.phys_of_ram(ram_offset()); }

  std::span<const u8> bytes() const override { return bytes_; }
  void write(u64 offset, std::span<const u8> from) override {
    phys_map_.write_ram(ram_offset() + offset, from);
    if (!phys_) return;
    code_pages_.written(*phys_ + offset, from.size());
    written_(*phys_ + offset, from.size());
  }

 private:
  mmu::PhysMap& phys_map_;
  mmu::CodePages& code_pages_;
  const Written written_;
  const std::span<const u8> bytes_;
  std::optional<u64> phys_;  // as a whole: nothing, while it is not mapped
};

}  // namespace reprise::machine
