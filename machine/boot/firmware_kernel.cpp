#include "machine/boot/firmware_kernel.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/boot/linux.h"
#include "machine/boot/real_mode.h"

namespace reprise::machine::boot {
namespace {

using devices::FwCfg;

/// What loaders write, in the order in which they do.
class Parts final : public LoadSpace {
 public:
  struct Part {
    u64 phys;
    std::vector<u8> bytes;
    u64 end_phys() const { return phys + bytes.size(); }
  };

  void write(u64 phys, std::span<const u8> from) override {
    std::vector<u8>& bytes = part_for(phys, from.size());
    bytes.insert(bytes.end(), from.begin(), from.end());
  }
  void zero(u64 phys, u64 count) override {
    std::vector<u8>& bytes = part_for(phys, count);
    bytes.resize(bytes.size() + count);
  }
  std::vector<Part>& all() { return all_; }

  /// Of conventional memory behind what firmware has there, a place where no part lies.
  std::optional<u64> scratch_phys() const {
    constexpr u64 kFirstPhys = 0x1000;
    for (u64 phys = kFirstPhys; phys + kPageBytes <= kConventionalEndPhys; phys += kPageBytes) {
      const auto lies_there = [phys](const Part& part) {
        return part.phys < phys + KernelRom::kScratchBytes && part.end_phys() > phys;
      };
      if (std::ranges::none_of(all_, lies_there)) return phys;
    }
    return std::nullopt;
  }

 private:
  /// What is written there goes behind its bytes.
  std::vector<u8>& part_for(u64 phys, u64 bytes) {
    const bool is_new = all_.empty() || all_.back().end_phys() != phys;
    if (is_new) all_.push_back({phys, {}});
    all_.back().bytes.reserve(all_.back().bytes.size() + bytes);
    return all_.back().bytes;
  }

  std::vector<Part> all_;
};

}  // namespace

Result<FirmwareBoot> prepare_for_firmware(std::span<const u8> image, const BootRequest& request,
                                          const MemoryMap& memory, unsigned physical_address_bits,
                                          RunFiles* files) {
  if (is_bzimage(image)) return prepare_real_mode(image, request, memory, files);
  Parts parts;
  const MemoryMap left = memory.behind_firmware();
  // Kernels search for the tables: firmware places them.
  const BootTarget target = {parts, left, {}, physical_address_bits, files};
  const EntryState entry = TRY(load_image(image, request, target));
  const std::optional<u64> scratch_phys = parts.scratch_phys();
  if (!scratch_phys || parts.all().size() > KernelRom::kMaxItems)
    return Error{
        fmt::format("kernel '{}' has too many parts to be started by firmware: start it without --bios.",
                    request.kernel_path)};
  KernelRom rom;
  for (Parts::Part& part : parts.all()) {
    const auto key = static_cast<u16>(static_cast<u16>(FwCfg::Key::KernelParts) + rom.items());
    rom.hand_over(FwCfg::Key{key}, std::move(part.bytes), part.phys);
  }
  return rom.enter_protected_mode(entry, *scratch_phys);
}

}  // namespace reprise::machine::boot
