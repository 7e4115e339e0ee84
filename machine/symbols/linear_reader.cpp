#include "machine/symbols/linear_reader.h"

#include "mmu/page_walk.h"

namespace reprise::machine::symbols {
namespace {

/// Entries of page tables in RAM; elsewhere they are 0.
class Tables final : public mmu::WalkMemory {
 public:
  explicit Tables(const mmu::PhysMap& map) : map_(map) {}
  u64 read_entry(u64 phys, unsigned bytes) override {
    const u8* const host = map_.ram_host(phys, bytes);
    if (host == nullptr) return 0;
    return bytes == 8 ? read_unaligned<u64>(host) : read_unaligned<u32>(host);
  }
  void write_entry(u64, unsigned, u64) override {}

 private:
  const mmu::PhysMap& map_;
};

}  // namespace

bool LinearReader::translate(u64 linear, u64& phys) const {
  if (!cr3_) return cpu_.mmu.peek_translate(linear, phys);
  mmu::PagingContext context = cpu_.mmu.context();
  context.cr3 = *cr3_;
  Tables tables(cpu_.mmu.phys_map());
  // KernelAc may read every present page.
  const mmu::WalkResult walk =
      mmu::page_walk(context, tables, linear, mmu::Access::Read, mmu::View::KernelAc, mmu::WalkEffects::None);
  if (walk.ok) phys = walk.translation.phys;
  return walk.ok;
}

std::optional<u8> LinearReader::byte(u64 linear) {
  if ((linear & kPageMask) != page_ || host_ == nullptr) {
    u64 phys = 0;
    page_ = linear & kPageMask;
    host_ = nullptr;
    if (!translate(page_, phys)) return std::nullopt;
    host_ = cpu_.mmu.phys_map().ram_host(phys, kPageBytes);
    if (host_ == nullptr) return std::nullopt;
  }
  return host_[linear & ~kPageMask];
}

std::optional<u64> LinearReader::word(u64 linear, unsigned bytes) {
  u64 value = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    const std::optional<u8> next = byte(linear + i);
    if (!next) return std::nullopt;
    value |= u64{*next} << (8 * i);
  }
  return value;
}

std::optional<std::string> LinearReader::text(u64 linear, std::size_t most) {
  std::string text;
  while (text.size() < most) {
    const std::optional<u8> next = byte(linear + text.size());
    if (!next) return std::nullopt;
    if (*next == 0) return text;
    text += *next >= 0x20 && *next < 0x7f ? static_cast<char>(*next) : '?';
  }
  return text;
}

}  // namespace reprise::machine::symbols
