#include "machine/memory_report/leaf_entry.h"

#include <fmt/format.h>

#include "mmu/page_walk_impl.h"

namespace reprise::machine::memory_report {

std::string absent_entry_text(u64 raw, bool is_pte) {
  if (raw == 0)
    return "is 0: nothing was ever mapped there, or it is no longer; a kernel that knows the address fills "
           "it in";
  if (!is_pte) return "is not present, but not 0: the kernel keeps something of its own there";
  if (raw & mmu::kPteG)
    return fmt::format("may not be accessed (as of Linux's PROT_NONE); its page is at {:#x}",
                       raw & mmu::kEntryAddressMask);
  if (!LeafEntry::is_linux_swap(raw))
    return "is not present, but not 0: of Linux's, a page on its way to another place, or a mark";
  // Linux, arch/x86/include/asm/pgtable_64.h: the place in the area, inverted, in bits 58:9.
  return fmt::format("says, if the guest is Linux, that the page is swapped out: page {} of swap area {}",
                     (~raw << 5) >> 14, raw >> 59);
}

LeafEntry find_leaf(const mmu::PagingContext& context, const mmu::PhysMap& map, u64 linear) {
  using mmu::PagingMode;
  const PagingMode mode = mmu::paging_mode(context);
  if (mode == PagingMode::None) return {};
  const bool narrow = mode == PagingMode::Bits32;
  const unsigned entry_bytes = narrow ? 4 : 8;
  const unsigned index_bits = narrow ? 10 : 9;
  const u64 address = narrow ? 0xffff'f000 : mmu::kEntryAddressMask;
  LeafEntry entry{.long_mode = mode == PagingMode::Level4 || mode == PagingMode::Level5};
  u64 table = context.cr3 & address;
  unsigned level = mode == PagingMode::Level5 ? 5 : mode == PagingMode::Level4 ? 4 : 2;
  if (mode == PagingMode::Pae) {
    entry.level = 3;
    entry.raw = context.pdptes[linear >> 30 & 3];
    if (!entry.present()) return entry;
    table = entry.raw & address;
  }
  for (; level > 0; --level) {
    const unsigned shift = static_cast<unsigned>(kPageShift) + (level - 1) * index_bits;
    const u64 phys = table + field(linear, shift, index_bits) * entry_bytes;
    const u8* const host = map.ram_host(phys, entry_bytes);
    if (host == nullptr) return entry;
    entry.level = level;
    entry.phys = phys;
    entry.raw = narrow ? read_unaligned<u32>(host) : read_unaligned<u64>(host);
    entry.page_bytes = u64{1} << shift;
    const bool large = (entry.raw & mmu::kPtePs) != 0 && (!narrow || (context.cr4 & mmu::kCr4Pse) != 0);
    if (!entry.present() || large) return entry;
    table = entry.raw & address;
  }
  return entry;
}

}  // namespace reprise::machine::memory_report
