#include "machine/firmware/rom_shadow.h"

#include <fmt/format.h>

#include "common/bits.h"
#include "common/check.h"
#include "machine/layout/memory_map.h"

namespace reprise::machine {
namespace {

using devices::HostBridge;
using devices::PamSegment;

constexpr u64 kRomAliasBytes = 128 * kKiB;
constexpr u64 kRomAliasPhys = kHighMemoryPhys - kRomAliasBytes;
constexpr u8 kReadRam = 1;
constexpr u8 kWriteRam = 2;
constexpr u8 kAllRam = kReadRam | kWriteRam;  // what lies below the regions made here

constexpr int kAboveRamAndDevices = 4;

std::string region_name(u64 phys) { return fmt::format("PAM {:05x}", phys); }
constexpr const char* kRomRegion = "firmware";

}  // namespace

/// A segment whose reads do not come from RAM: from ROM, or from nowhere.
class RomShadow::Unshadowed final : public MmioHandler {
 public:
  Unshadowed(mmu::PhysMap& phys_map, const u8* rom, const PamSegment& segment)
      : phys_map_(phys_map), rom_(rom), segment_(segment) {}
  u64 mmio_read(u64 offset, Width width) override {
    if (rom_ == nullptr) return width_mask(width);
    u64 value = 0;
    for (unsigned i = 0; i < width_bytes(width); ++i) value |= u64{rom_[offset + i]} << (8 * i);
    return value;
  }
  void mmio_write(u64 offset, Width width, u64 value) override {
    if (!segment_.write_ram) return;
    // RAM below 1 MiB lies at its own address.
    u8 bytes[8];
    write_unaligned<u64>(bytes, value);
    phys_map_.write_ram(segment_.first_phys + offset, std::span(bytes).first(width_bytes(width)));
  }

 private:
  mmu::PhysMap& phys_map_;
  const u8* rom_;  // nullptr: nothing answers
  const PamSegment segment_;
};

RomShadow::RomShadow(mmu::PhysMap& phys_map, mmu::CodePages& code_pages, std::vector<u8> rom)
    : phys_map_(phys_map), code_pages_(code_pages), rom_(std::move(rom)) {
  CHECK(rom_.size() % kPageBytes == 0 && rom_.size() >= 64 * kKiB && rom_.size() <= 16 * kMiB);
  arranged_.fill(kAllRam);
  CHECK(phys_map_.add_rom(kRomRegion, rom_phys(), rom_.size(), rom_.data(), kAboveRamAndDevices).ok());
}

RomShadow::~RomShadow() = default;

u64 RomShadow::rom_phys() const { return kAbove4GPhys - rom_.size(); }

bool RomShadow::update(const HostBridge& bridge) {
  bool changed = false;
  for (unsigned i = 0; i < HostBridge::kPamSegments; ++i) {
    const PamSegment segment = bridge.pam(i);
    const u8 wanted =
        static_cast<u8>((segment.read_ram ? kReadRam : 0) | (segment.write_ram ? kWriteRam : 0));
    if (wanted == arranged_[i]) continue;
    if (arranged_[i] != kAllRam) phys_map_.remove(region_name(segment.first_phys));
    arranged_[i] = wanted;
    arrange(i, segment);
    code_pages_.written(segment.first_phys, segment.bytes);
    changed = true;
  }
  return changed;
}

void RomShadow::arrange(unsigned index, const PamSegment& segment) {
  unshadowed_[index].reset();
  const u64 phys = segment.first_phys;
  u8* readable = segment.read_ram ? phys_map_.ram().host() + phys : rom_at(phys);
  if (segment.read_ram && segment.write_ram) return;
  if (readable != nullptr && !segment.write_ram) {
    CHECK(phys_map_.add_rom(region_name(phys), phys, segment.bytes, readable, kAboveRamAndDevices).ok());
    return;
  }
  unshadowed_[index] = std::make_unique<Unshadowed>(phys_map_, readable, segment);
  CHECK(phys_map_.add_mmio(region_name(phys), phys, segment.bytes, *unshadowed_[index], kAboveRamAndDevices)
            .ok());
}

u8* RomShadow::rom_at(u64 phys) {
  if (phys < kRomAliasPhys || kHighMemoryPhys - phys > rom_.size()) return nullptr;
  return rom_.data() + (rom_.size() - (kHighMemoryPhys - phys));
}

}  // namespace reprise::machine
