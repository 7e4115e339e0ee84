// When a translation must go away: SDM 3A 4.10.4.1 as one table, and the instructions that flush by address.
//
// The manual names the least a processor invalidates; where a row says less than All, that is what the row
// does.
//
//   event                                   invalidates (SDM 3A 4.10.4.1)
//   MOV to CR3, CR4.PCIDE=0                 all of PCID 0, except global
//   MOV to CR3, CR4.PCIDE=1, bit 63 = 0     all of the new PCID, except global
//   MOV to CR3, CR4.PCIDE=1, bit 63 = 1     nothing
//   MOV to CR0, CR4, WRMSR EFER             kRegisterRules below
//   INVLPG                                  the page, current PCID and global, every piece of a large page
//   INVPCID 0 (address)                     the page under the given PCID, except global
//   INVPCID 1 (single context)              all of the given PCID, except global
//   INVPCID 2 (all, with global)            everything
//   INVPCID 3 (all contexts)                everything except global
//   SMI, RSM                                everything: the same addresses may mean other memory
//   page fault                              what answers for the address, a large page's piece too (in mmu.cpp)
//
// First-level tags belong to the current PCID or to global pages, so they go when the address space changes; all go that
// the second level would not give any more, and whoever runs code there is told (AccessObserver::translation_changed).
#include <algorithm>
#include <bit>
#include <iterator>

#include "mmu/mmu.h"

namespace reprise::mmu {

namespace {

enum class Register : u8 { Cr0, Cr4, Efer };
enum class Edge : u8 { Rising, Falling, Any };
enum class Drop : u8 {
  Tags,  // rights are judged anew: the first level holds answers, the second raw paging bits
  All,
};

struct RegisterRule {
  Register where;
  u64 bits;
  Edge edge;
  Drop drop;
};

constexpr RegisterRule kRegisterRules[] = {
    // MOV to CR0: all, including global, when PG goes from 1 to 0. The other way the tags are of untranslated
    // addresses, which the manual does not know.
    {Register::Cr0, kCr0Pg, Edge::Any, Drop::All},
    // 4.10.2.2: the TLB holds R/W and U/S bits, so a new WP, SMEP or SMAP counts at the next access.
    {Register::Cr0, kCr0Wp, Edge::Any, Drop::Tags},
    {Register::Cr4, kCr4Smap, Edge::Any, Drop::Tags},
    {Register::Cr4, kCr4Smep, Edge::Falling, Drop::Tags},
    // MOV to CR4: all of the current PCID when SMEP goes from 0 to 1 or PAE changes; the other PCIDs go too.
    {Register::Cr4, kCr4Smep, Edge::Rising, Drop::All},
    {Register::Cr4, kCr4Pae, Edge::Any, Drop::All},
    // MOV to CR4: all, including global, for all PCIDs, when PGE changes or PCIDE goes from 1 to 0.
    {Register::Cr4, kCr4Pge, Edge::Any, Drop::All},
    {Register::Cr4, kCr4Pcide, Edge::Falling, Drop::All},
    // 4.1.2, 4.10.4.3: these change how entries are read; software flushes anyway, and so do we.
    {Register::Cr4, kCr4Pse, Edge::Any, Drop::All},
    {Register::Cr4, kCr4La57, Edge::Any, Drop::All},
    {Register::Efer, kEferNxe, Edge::Any, Drop::All},
    {Register::Efer, kEferLma, Edge::Any, Drop::All},
};

constexpr u64 edge_bits(Edge edge, u64 before, u64 after) {
  switch (edge) {
    case Edge::Rising: return ~before & after;
    case Edge::Falling: return before & ~after;
    case Edge::Any: break;
  }
  return before ^ after;
}

void clear_tags(TlbArray& tags) {
  tags.for_each_used([&](unsigned slot) { tags.drop(slot); });
  for (u64 words = tags.used_words; words != 0; words &= words - 1) {
    const int word = std::countr_zero(words);
    tags.used[word] = tags.global[word] = 0;
  }
  tags.used_words = 0;
}

void clear_nonglobal_tags(TlbArray& tags) {
  u64 words = tags.used_words;
  for (; words != 0; words &= words - 1) {
    const unsigned word = static_cast<unsigned>(std::countr_zero(words));
    for (u64 slots = tags.used[word] & ~tags.global[word]; slots != 0; slots &= slots - 1)
      tags.drop(word * 64 + static_cast<unsigned>(std::countr_zero(slots)));
    tags.used[word] &= tags.global[word];
    if (tags.used[word] == 0) tags.used_words &= ~(u64{1} << word);
  }
}

}  // namespace

// --- First level ---

void Mmu::drop_tags(Globals globals) {
  for (auto& of_view : arrays_)
    for (TlbArray& tags : of_view) {
      if (globals == Globals::Keep)
        clear_nonglobal_tags(tags);
      else
        clear_tags(tags);
    }
}

/// `linear` is aligned to `bytes`, a power of two.
void Mmu::drop_tags_in(u64 linear, u64 bytes) {
  for (auto& of_view : arrays_) {
    for (TlbArray& tags : of_view) {
      const auto drop_if_inside = [&](unsigned slot) {
        if (tags.entries[slot].tag_linear - linear < bytes) tags.drop(slot);
      };
      if (bytes == kPageBytes)
        drop_if_inside(tlb_slot(linear));
      else if (bytes < kTlbEntries * kPageBytes)
        tags.for_each_used_in(tlb_slot(linear), static_cast<unsigned>(bytes / kPageBytes), drop_if_inside);
      else
        tags.for_each_used(drop_if_inside);
    }
  }
}

void Mmu::apply(const TlbChanges& changes) {
  for (const TlbChanges::Range& range : changes) {
    drop_tags_in(range.linear, range.bytes);
    observer_.translation_changed(range.linear, range.bytes);
  }
}

void Mmu::apply(SecondLevelTlb::Selected selected) {
  if (selected == SecondLevelTlb::Selected::Same) return;
  drop_tags(selected == SecondLevelTlb::Selected::Switched ? Globals::Keep : Globals::Drop);
  observer_.translation_changed(0, ~u64{0});
}

void Mmu::drop_write_tags(u64 phys_page) {
  const u8* host = ram_page(phys_page & kPageMask, Access::Write);
  if (!host) return;
  const u64 ram_page = static_cast<u64>(host - phys_map_.ram().host()) >> kPageShift;
  u64& tagged = write_tagged_[ram_page / 64];
  if (!bit(tagged, ram_page % 64)) return;
  tagged &= ~(u64{1} << (ram_page % 64));
  for (auto& of_view : arrays_) {
    TlbArray& tags = of_view[static_cast<unsigned>(Access::Write)];
    tags.for_each_used([&](unsigned slot) {
      if (tags.entries[slot].host_page == reinterpret_cast<u64>(host)) tags.drop(slot);
    });
  }
}

void Mmu::drop_all_write_tags() {
  for (auto& of_view : arrays_) clear_tags(of_view[static_cast<unsigned>(Access::Write)]);
  std::fill(write_tagged_.begin(), write_tagged_.end(), 0);
}

// --- Registers ---

void Mmu::set_paging(u64 cr0, u64 cr4, u64 efer) {
  bool drop_all = false;
  bool drop_any = false;
  for (const RegisterRule& rule : kRegisterRules) {
    const u64 before = rule.where == Register::Cr0   ? context_.cr0
                       : rule.where == Register::Cr4 ? context_.cr4
                                                     : context_.efer;
    const u64 after = rule.where == Register::Cr0 ? cr0 : rule.where == Register::Cr4 ? cr4 : efer;
    if (!(edge_bits(rule.edge, before, after) & rule.bits)) continue;
    drop_any = true;
    drop_all = drop_all || rule.drop == Drop::All;
  }
  context_.cr0 = cr0;
  context_.cr4 = cr4;
  context_.efer = efer;
  if (!drop_any) return;
  update_rights();
  if (drop_all) {
    flush_all();
  } else {
    drop_tags(Globals::Drop);
    observer_.translation_changed(0, ~u64{0});
  }
  if (paging_observer_ != nullptr) paging_observer_->space_changed();
}

void Mmu::set_cr3(u64 value) {
  const bool keep = (context_.cr4 & kCr4Pcide) && (value & kCr3NoFlush);
  context_.cr3 = value & ~kCr3NoFlush;
  if (!keep) {
    ++stats_.flushes_pcid;
    second_level_->flush_pcid(pcid());
  }
  apply(second_level_->select_pcid(pcid()));
  if (paging_observer_ == nullptr) return;
  // What is not global is another space's now, whatever its PCID.
  drop_tags(Globals::Keep);
  paging_observer_->space_changed();
}

void Mmu::set_pdptes(const u64 (&pdptes)[4]) {
  std::copy(std::begin(pdptes), std::end(pdptes), context_.pdptes);
}

void Mmu::set_a20(bool enabled) {
  if (enabled == a20_enabled_) return;
  a20_enabled_ = enabled;
  show_smm();
  flush_all();  // second-level entries may come from tables read under the other mask
}

void Mmu::set_smram(const Smram& smram) {
  if (smram == smram_) return;
  smram_ = smram;
  show_smm();
  flush_all();
}

void Mmu::set_local_page(const LocalPage& page) {
  if (page == local_page_) return;
  local_page_ = page;
  flush_all();
}

void Mmu::change_smm(bool in_smm) {
  in_smm_ = in_smm;
  show_smm();
  flush_all();
}

// What physical addresses mean now.
void Mmu::show_smm() {
  a20_mask_ = a20_enabled_ || in_smm_ ? ~u64{0} : ~(u64{1} << 20);
  const Overlay overlay{smram_.phys, smram_.bytes, phys_map_.ram().host() + smram_.phys};
  smm_code_ = in_smm_ && smram_.code ? overlay : Overlay{};
  smm_data_ = in_smm_ && smram_.data ? overlay : Overlay{};
}

void Mmu::restore_paging(const PagingContext& context, bool a20_enabled) {
  context_ = context;
  a20_enabled_ = a20_enabled;
  show_smm();
  update_rights();
  flush_all();
  if (paging_observer_ != nullptr) paging_observer_->space_changed();
}

void Mmu::set_cpu_profile(u8 physical_address_bits, bool gib_pages) {
  context_.physical_address_bits = physical_address_bits;
  context_.gib_pages = gib_pages;
  flush_all();
}

void Mmu::set_tlb_geometry(const TlbGeometry& geometry) {
  *second_level_ = SecondLevelTlb(geometry);
  flush_all();
}

void Mmu::adopt_second_level(const SecondLevelTlb& other) {
  *second_level_ = other;
  drop_tags(Globals::Drop);
}

void Mmu::update_rights() {
  for (unsigned bits = 0; bits < 8; ++bits) {
    rights_[bits] = 0;
    for (unsigned view = 0; view < kViews; ++view)
      for (unsigned access = 0; access < kAccessKinds; ++access)
        if (access_permitted(context_, bits & SecondLevelTlb::kUser, bits & SecondLevelTlb::kWritable,
                             bits & SecondLevelTlb::kExecutable, static_cast<Access>(access),
                             static_cast<View>(view)))
          rights_[bits] |= static_cast<u16>(1u << (view * kAccessKinds + access));
  }
}

// --- Instructions ---

void Mmu::flush_all() {
  ++stats_.flushes_all;
  second_level_->flush_all();
  apply(second_level_->select_pcid(pcid()));
}

void Mmu::invlpg(u64 linear) {
  linear = wrap(linear);
  if (!is_canonical(context_, linear)) return;  // INVLPG: no translation, no fault
  ++stats_.flushes_page;
  TlbChanges changes;
  second_level_->drop_page(linear, pcid(), SecondLevelTlb::Globals::Drop, changes);
  apply(changes);
}

void Mmu::invpcid(InvpcidType type, u16 pcid_operand, u64 linear) {
  switch (type) {
    case InvpcidType::Address: {
      ++stats_.flushes_page;
      linear = wrap(linear);
      TlbChanges changes;
      second_level_->drop_page(linear, pcid_operand, SecondLevelTlb::Globals::Keep, changes);
      if (pcid_operand == pcid()) apply(changes);
      return;
    }
    case InvpcidType::SingleContext:
      ++stats_.flushes_pcid;
      second_level_->flush_pcid(pcid_operand);
      break;
    case InvpcidType::AllGlobal: flush_all(); return;
    case InvpcidType::AllNonGlobal:
      ++stats_.flushes_nonglobal;
      second_level_->flush_nonglobal();
      break;
  }
  apply(second_level_->select_pcid(pcid()));
}

// --- State ---

void Mmu::serialize(Archive& archive) {
  archive.tag("mmu");
  archive.value(context_.pdptes);
  archive.value(a20_enabled_);
  second_level_->serialize(archive);
  if (!archive.loading()) return;
  show_smm();
  update_rights();
  drop_tags(Globals::Drop);
}

}  // namespace reprise::mmu
