#include "machine/monitor/address_space.h"

#include "mmu/page_walk_impl.h"

namespace reprise::machine::monitor {
namespace {

using namespace mmu;  // names of bits

struct Rights {
  bool user = true;
  bool writable = true;
  bool executable = true;
};

class Lister {
 public:
  Lister(const PagingContext& context, PeekMemory& memory, const AddressSpaceLimits& limits)
      : context_(context),
        memory_(memory),
        limits_(limits),
        mode_(paging_mode(context)),
        reserved_(reserved_bits(context, mode_)) {}

  AddressSpace list() {
    switch (mode_) {
      case PagingMode::None:
        add_run({.first_linear = 0,
                 .last_linear = 0xffff'ffff,
                 .page_bytes = kPageBytes,
                 .user = true,
                 .writable = true,
                 .executable = true,
                 .pages = u64{1} << 20});
        break;
      case PagingMode::Pae:
        for (u64 i = 0; i < 4 && !full(); ++i) {
          const u64 linear = i << 30;
          if (linear + ((u64{1} << 30) - 1) < limits_.from_linear) continue;
          if (context_.pdptes[i] & kPteP) table(context_.pdptes[i] & kEntryAddressMask, 2, linear, {});
        }
        break;
      case PagingMode::Bits32: table(context_.cr3 & 0xffff'f000, 2, 0, {}); break;
      case PagingMode::Level4: table(context_.cr3 & kEntryAddressMask, 4, 0, {}); break;
      case PagingMode::Level5: table(context_.cr3 & kEntryAddressMask, 5, 0, {}); break;
    }
    return std::move(space_);
  }

 private:
  bool full() const { return space_.more_from_linear.has_value(); }
  unsigned index_bits() const { return mode_ == PagingMode::Bits32 ? 10 : 9; }
  unsigned entry_bytes() const { return mode_ == PagingMode::Bits32 ? 4 : 8; }
  u64 canonical(u64 linear) const {
    if (mode_ == PagingMode::Level4) return sign_extend(linear, 48);
    if (mode_ == PagingMode::Level5) return sign_extend(linear, 57);
    return linear;
  }

  void table(u64 table_phys, unsigned level, u64 base, Rights above) {
    const unsigned shift = static_cast<unsigned>(kPageShift) + (level - 1) * index_bits();
    for (u64 index = 0; index < u64{1} << index_bits(); ++index) {
      const u64 linear = canonical(base | index << shift);
      if (linear + ((u64{1} << shift) - 1) < limits_.from_linear) continue;
      if (entries_++ == limits_.max_entries) space_.more_from_linear = linear;
      if (full()) return;
      entry(memory_.read_entry(table_phys + index * entry_bytes(), entry_bytes()), level, shift, linear,
            above);
      if (full()) return;
    }
  }

  void entry(u64 raw, unsigned level, unsigned shift, u64 linear, Rights rights) {
    if (!(raw & kPteP)) return;
    const bool large = raw & kPtePs && level > 1;
    bool leaf = level == 1;
    u64 must_be_zero = reserved_.any;
    if (large && level == 2 && (mode_ != PagingMode::Bits32 || context_.cr4 & kCr4Pse)) {
      leaf = true;
      must_be_zero = reserved_.level2_leaf;
    } else if (large && level == 3 && context_.gib_pages) {
      leaf = true;
      must_be_zero = reserved_.level3_leaf;
    } else if (large && level > 2) {
      must_be_zero |= kPtePs;
    }
    if (raw & must_be_zero) {
      ++space_.bad_entries;
      return;
    }
    rights.user = rights.user && raw & kPteUs;
    rights.writable = rights.writable && raw & kPteRw;
    rights.executable = rights.executable && !(mode_ != PagingMode::Bits32 && raw & kPteXd);
    if (!leaf)
      return table(raw & (entry_bytes() == 4 ? 0xffff'f000 : kEntryAddressMask), level - 1, linear, rights);

    const u64 page_bytes = u64{1} << shift;
    u64 phys = raw & kEntryAddressMask & ~(page_bytes - 1);
    if (mode_ == PagingMode::Bits32 && level == 2) phys |= field(raw, 13, 8) << 32;
    add_run({.first_linear = linear,
             .last_linear = linear + (page_bytes - 1),
             .page_bytes = page_bytes,
             .user = rights.user,
             .writable = rights.writable,
             .executable = rights.executable,
             .global = raw & kPteG && context_.cr4 & kCr4Pge,
             .phys = memory_.board_phys(phys),
             .pages = 1,
             .accessed_pages = (raw & kPteA) != 0,
             .dirty_pages = (raw & kPteD) != 0});
  }

  void add_run(const LinearRun& page) {
    if (!space_.runs.empty()) {
      LinearRun& last = space_.runs.back();
      const bool alike = last.page_bytes == page.page_bytes && last.user == page.user &&
                         last.writable == page.writable && last.executable == page.executable &&
                         last.global == page.global;
      if (alike && last.last_linear + 1 == page.first_linear) {
        last.phys_contiguous = last.phys_contiguous && page.phys == last.phys + last.pages * last.page_bytes;
        last.last_linear = page.last_linear;
        last.pages += page.pages;
        last.accessed_pages += page.accessed_pages;
        last.dirty_pages += page.dirty_pages;
        return;
      }
    }
    if (space_.runs.size() == limits_.max_runs) {
      space_.more_from_linear = page.first_linear;
      return;
    }
    space_.runs.push_back(page);
  }

  const PagingContext& context_;
  PeekMemory& memory_;
  const AddressSpaceLimits limits_;
  const PagingMode mode_;
  const ReservedBits reserved_;
  AddressSpace space_;
  u64 entries_ = 0;
};

}  // namespace

AddressSpace list_address_space(const PagingContext& context, PeekMemory& memory,
                                const AddressSpaceLimits& limits) {
  return Lister(context, memory, limits).list();
}

}  // namespace reprise::machine::monitor
