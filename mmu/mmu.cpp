// The slow paths: what an access does when no first-level tag matches. See mmu.h for the order of things and
// tlb_flush.cpp for what makes a translation go away.
#include "mmu/mmu.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "mmu/page_walk_impl.h"

namespace reprise::mmu {

namespace {

constexpr u64 bytes_to_page_end(u64 linear) { return kPageBytes - (linear & ~kPageMask); }

// memcpy with the common sizes as single moves.
void copy_bytes(void* to, const void* from, u64 bytes) {
  switch (bytes) {
    case 1: std::memcpy(to, from, 1); return;
    case 2: std::memcpy(to, from, 2); return;
    case 4: std::memcpy(to, from, 4); return;
    case 8: std::memcpy(to, from, 8); return;
    case 16: std::memcpy(to, from, 16); return;
    default: std::memcpy(to, from, bytes); return;
  }
}

// The widest naturally aligned piece of at most 8 and `bytes` bytes at `phys`.
constexpr unsigned aligned_piece(u64 phys, u64 bytes) {
  unsigned piece = 8;
  while (piece > bytes || phys % piece != 0) piece /= 2;
  return piece;
}

}  // namespace

// Guest memory for the walker: A20 applied, table stores seen by the code pages, no virtual call for RAM.
struct Mmu::TableMemory {
  PhysMap& phys_map;
  CodePages& code_pages;
  AccessObserver& observer;
  const Overlay& overlay;
  u64 a20_mask;
  Mmu& mmu;

  u8* ram_host(u64 phys, unsigned bytes) const {
    if (mmu.on_local_page(phys)) [[unlikely]]
      return nullptr;
    if (u8* host = overlay.find(phys, bytes)) [[unlikely]]
      return host;
    return phys_map.ram_host(phys, bytes);
  }
  u64 read_entry(u64 phys, unsigned bytes) {
    phys &= a20_mask;
    mmu.tell_debugger(AccessObserver::kWalk, phys, bytes, Access::Read);
    if (const u8* host = ram_host(phys, bytes)) [[likely]]
      return bytes == 8 ? read_unaligned<u64>(host) : u64{read_unaligned<u32>(host)};
    if (mmu.find(phys).kind == PhysMap::Kind::Mmio) observer.stop_after_instruction();
    return mmu.read_device(phys, static_cast<Width>(bytes));
  }
  void write_entry(u64 phys, unsigned bytes, u64 value) {
    phys &= a20_mask;
    write_word(phys, bytes, value);
    mmu.tell_debugger(AccessObserver::kWalk, phys, bytes, Access::Write);
    if (code_pages.has_code(phys) && code_pages.written(phys, bytes)) observer.stop_after_instruction();
  }
  void write_word(u64 phys, unsigned bytes, u64 value) {
    if (u8* host = ram_host(phys, bytes)) [[likely]] {
      phys_map.ram().mark_written(static_cast<u64>(host - phys_map.ram().host()));
      if (bytes == 8)
        write_unaligned<u64>(host, value);
      else
        write_unaligned<u32>(host, static_cast<u32>(value));
    } else if (mmu.on_local_page(phys)) {
      phys_map.write(mmu.find(phys), static_cast<Width>(bytes), value);
    } else {
      phys_map.write(phys, static_cast<Width>(bytes), value);
    }
  }
};

// The same without any effect: what is not RAM or ROM reads as a not-present entry.
struct Mmu::PeekMemory {
  const PhysMap& phys_map;
  const Overlay& overlay;
  u64 a20_mask;
  const Mmu& mmu;

  u64 read_entry(u64 phys, unsigned bytes) const {
    if (mmu.on_local_page(phys & a20_mask)) return 0;
    const u8* host = overlay.find(phys & a20_mask, bytes);
    if (!host) {
      const PhysMap::Target target = phys_map.find(phys & a20_mask);
      if (!target.host || target.bytes_left < bytes) return 0;
      host = target.host;
    }
    return bytes == 8 ? read_unaligned<u64>(host) : u64{read_unaligned<u32>(host)};
  }
  void write_entry(u64, unsigned, u64) const {}
};

Mmu::Mmu(PhysMap& phys_map, CodePages& code_pages, AccessObserver& observer)
    : phys_map_(phys_map),
      code_pages_(code_pages),
      observer_(observer),
      second_level_(std::make_unique<SecondLevelTlb>()),
      write_tagged_(align_up(phys_map.ram().bytes() >> kPageShift, 64) / 64) {
  for (auto& of_view : arrays_)
    for (TlbArray& tags : of_view) tags.reset();
  (void)second_level_->select_pcid(0);
  update_rights();
  set_view(View::Kernel);
  code_pages_.add_tag_holder(*this);
  phys_map_.ram().add_tag_holder(*this);
}

Mmu::~Mmu() {
  phys_map_.ram().remove_tag_holder(*this);
  code_pages_.remove_tag_holder(*this);
}

// --- One page ---

bool Mmu::non_canonical(u64 linear) {
  fault_ = {MemFault::Kind::NonCanonical, linear, 0};
  return false;
}

// Walks the tables and remembers the result. Returns the data word of the second level, or 0 after a page
// fault.
u64 Mmu::walk(u64 linear, Access access, View view) {
  ++stats_.walks;
  const bool held = paging_observer_ != nullptr && second_level_->find(linear) != 0;
  TableMemory memory{phys_map_, code_pages_, observer_, smm_data_, a20_mask_, *this};
  const WalkResult result =
      page_walk_over(context_, memory, linear, access, view, WalkEffects::SetAccessedDirty);
  TlbChanges changes;
  if (result.ok) [[likely]] {
    const u64 data = second_level_->insert(linear, result.translation, changes);
    apply(changes);
    if (paging_observer_ != nullptr) [[unlikely]]
      paging_observer_->walked(linear, access, result.translation, held);
    return data;
  }
  // SDM 3A 4.10.4.1: a page fault drops the translations of its address.
  ++stats_.page_faults;
  second_level_->drop_address(linear, changes);
  apply(changes);
  fault_ = {MemFault::Kind::PageFault, linear, result.error_code};
  return 0;
}

// Translates one byte and, where the invariant of tlb.h allows, leaves a tag so that the next access hits.
bool Mmu::translate(u64 linear, Access access, View view, Page& page) {
  ++stats_.l1_misses[static_cast<unsigned>(access)];
  u64 phys_page = linear & kPageMask;
  bool global = false;
  if (paging()) {
    u64 data = find_allowed(linear, access, view);
    if (data != 0) [[likely]] {
      ++stats_.l2_hits;
    } else {
      data = walk(linear, access, view);
      if (data == 0) return false;
    }
    phys_page = data & kPageMask;
    global = (data & SecondLevelTlb::kGlobal) != 0;
  }
  if (paging_observer_ != nullptr) [[unlikely]]
    paging_observer_->touched(linear, access, view, global);
  phys_page &= a20_mask_;
  u8* host = ram_page(phys_page, access);
  if (!host && access == Access::Read) {
    // Firmware reads compressed images and tables from ROM.
    const PhysMap::Target rom = find(phys_page);
    if (rom.kind == PhysMap::Kind::Rom && rom.bytes_left >= kPageBytes) host = rom.host;
  }
  const u64 offset = linear & ~kPageMask;
  page = {phys_page + offset, host ? host + offset : nullptr};
  if (!host) return true;
  (void)leave_tag(linear, access, view, host, phys_page, global);
  return true;
}

void Mmu::read_page(const Page& page, u8* into, u64 bytes) {
  if (page.host) [[likely]]
    copy_bytes(into, page.host, bytes);
  else
    read_mmio(page.phys, into, bytes);
}

void Mmu::write_page(const Page& page, const u8* from, u64 bytes) {
  if (!page.host) return write_mmio(page.phys, from, bytes);
  if (stores_are_watched(page.phys)) [[unlikely]]
    return write_watched_page(page, from, bytes);
  write_ram_page(page, from, bytes);
}

// The observer is told behind the store.
void Mmu::write_watched_page(const Page& page, const u8* from, u64 bytes) {
  constexpr u64 kWord = sizeof(u64);
  const u64 first = page.phys & ~(kWord - 1);
  const u64 end = align_up(page.phys + bytes, kWord);
  const u8* const host = page.host - (page.phys - first);
  std::array<u64, kPageBytes / kWord> before;
  std::memcpy(before.data(), host, end - first);
  write_ram_page(page, from, bytes);
  for (u64 offset = 0; offset < end - first; offset += kWord) {
    const u64 after = read_unaligned<u64>(host + offset);
    if (after != before[offset / kWord])
      paging_observer_->word_stored(first + offset, before[offset / kWord], after);
  }
}

void Mmu::write_ram_page(const Page& page, const u8* from, u64 bytes) {
  phys_map_.ram().mark_written(static_cast<u64>(page.host - phys_map_.ram().host()));
  const bool has_code = code_pages_.has_code(page.phys);
  // Boot loaders patch their code with what is there already.
  if (has_code && std::memcmp(page.host, from, bytes) == 0) return;
  copy_bytes(page.host, from, bytes);
  if (!has_code) return;
  ++stats_.code_page_stores;
  if (code_pages_.written(page.phys, bytes)) observer_.stop_after_instruction();
}

// ROM, MMIO, holes, and pages that mix kinds.
void Mmu::read_mmio(u64 phys, u8* into, u64 bytes) {
  while (bytes != 0) {
    const PhysMap::Target target = find(phys);
    unsigned piece = aligned_piece(phys, bytes);
    if (target.host) {
      piece = static_cast<unsigned>(std::min(target.bytes_left, bytes));
      copy_bytes(into, target.host, piece);
    } else {
      if (target.kind == PhysMap::Kind::Mmio) {
        ++stats_.mmio_reads;
        observer_.stop_after_instruction();
      }
      const u64 value = read_device(phys, static_cast<Width>(piece));
      for (unsigned i = 0; i < piece; ++i) into[i] = static_cast<u8>(value >> (8 * i));
    }
    phys += piece;
    into += piece;
    bytes -= piece;
  }
}

void Mmu::write_mmio(u64 phys, const u8* from, u64 bytes) {
  while (bytes != 0) {
    const PhysMap::Target target = find(phys);
    if (target.kind == PhysMap::Kind::Mmio) {
      ++stats_.mmio_writes;
      observer_.stop_after_instruction();
    }
    const unsigned piece = aligned_piece(phys, bytes);
    u64 value = 0;
    for (unsigned i = 0; i < piece; ++i) value |= u64{from[i]} << (8 * i);
    if (on_local_page(phys)) {
      phys_map_.write(target, static_cast<Width>(piece), value);
    } else {
      phys_map_.write(phys, static_cast<Width>(piece), value);
      if (code_pages_.has_code(phys) && code_pages_.written(phys, piece)) observer_.stop_after_instruction();
    }
    phys += piece;
    from += piece;
    bytes -= piece;
  }
}

PhysMap::Target Mmu::find(u64 phys) const {
  if (!on_local_page(phys)) return phys_map_.find(phys);
  return {.kind = PhysMap::Kind::Mmio,
          .handler = local_page_.device,
          .offset = phys & ~kPageMask,
          .bytes_left = bytes_to_page_end(phys)};
}

Mmu::Page Mmu::physical_page(u64 phys, Access access) const {
  phys &= a20_mask_;
  u8* const host = ram_page(phys & kPageMask, access);
  return {phys, host ? host + (phys & ~kPageMask) : nullptr};
}

u64 Mmu::read_phys(u64 phys, Width width) {
  u8 bytes[8] = {};
  for (u64 done = 0; done < width_bytes(width);) {
    const u64 piece = std::min<u64>(width_bytes(width) - done, bytes_to_page_end(phys + done));
    const Page page = physical_page(phys + done, Access::Read);
    read_page(page, bytes + done, piece);
    tell_debugger(AccessObserver::kNoLinear, page.phys, piece, Access::Read);
    done += piece;
  }
  return read_unaligned<u64>(bytes);
}

void Mmu::write_phys(u64 phys, Width width, u64 value) {
  u8 bytes[8];
  write_unaligned(bytes, value);
  for (u64 done = 0; done < width_bytes(width);) {
    const u64 piece = std::min<u64>(width_bytes(width) - done, bytes_to_page_end(phys + done));
    const Page page = physical_page(phys + done, Access::Write);
    write_page(page, bytes + done, piece);
    tell_debugger(AccessObserver::kNoLinear, page.phys, piece, Access::Write);
    done += piece;
  }
}

// --- Accesses ---

bool Mmu::load_slow(u64 linear, void* into, u64 bytes, View view) {
  linear = wrap(linear);
  if (bytes > bytes_to_page_end(linear)) return load_crossing(linear, into, bytes, view);
  if (!is_canonical(context_, linear)) return non_canonical(linear);
  Page page;
  if (!translate(linear, Access::Read, view, page)) return false;
  read_page(page, static_cast<u8*>(into), bytes);
  tell_watcher(linear, bytes, Access::Read);
  tell_debugger(linear, page.phys, bytes, Access::Read);
  return true;
}

bool Mmu::store_slow(u64 linear, const void* from, u64 bytes, View view) {
  linear = wrap(linear);
  if (bytes > bytes_to_page_end(linear)) return store_crossing(linear, from, bytes, view);
  if (!is_canonical(context_, linear)) return non_canonical(linear);
  Page page;
  if (!translate(linear, Access::Write, view, page)) return false;
  write_page(page, static_cast<const u8*>(from), bytes);
  tell_watcher(linear, bytes, Access::Write);
  tell_debugger(linear, page.phys, bytes, Access::Write);
  return true;
}

// Both pages, before either is touched. Each is likely to have a tag already.
bool Mmu::translate_crossing(u64 linear, u64 bytes, Access access, View view, Page (&pages)[2]) {
  ++stats_.page_crossings;
  if (!is_canonical(context_, linear) || !is_canonical(context_, linear + bytes - 1))
    return non_canonical(linear);
  const u64 starts[2] = {linear, wrap(linear + bytes_to_page_end(linear))};
  for (unsigned i = 0; i < 2; ++i) {
    const TlbEntry& entry = array(view, access).entries[tlb_slot(starts[i])];
    const u64 offset = starts[i] - entry.tag_linear;
    if (offset < kPageBytes)
      pages[i] = {entry.phys_page + offset, reinterpret_cast<u8*>(entry.host_page + offset)};
    else if (!translate(starts[i], access, view, pages[i]))
      return false;
  }
  return true;
}

bool Mmu::load_crossing(u64 linear, void* into, u64 bytes, View view) {
  Page pages[2];
  if (!translate_crossing(linear, bytes, Access::Read, view, pages)) return false;
  u8* bytes_into = static_cast<u8*>(into);
  const u64 first_bytes = bytes_to_page_end(linear);
  read_page(pages[0], bytes_into, first_bytes);
  read_page(pages[1], bytes_into + first_bytes, bytes - first_bytes);
  tell_watcher(linear, bytes, Access::Read);
  tell_debugger(linear, pages[0].phys, first_bytes, Access::Read);
  tell_debugger(wrap(linear + first_bytes), pages[1].phys, bytes - first_bytes, Access::Read);
  return true;
}

bool Mmu::store_crossing(u64 linear, const void* from, u64 bytes, View view) {
  Page pages[2];
  if (!translate_crossing(linear, bytes, Access::Write, view, pages)) return false;
  const u8* bytes_from = static_cast<const u8*>(from);
  const u64 first_bytes = bytes_to_page_end(linear);
  write_page(pages[0], bytes_from, first_bytes);
  write_page(pages[1], bytes_from + first_bytes, bytes - first_bytes);
  tell_watcher(linear, bytes, Access::Write);
  tell_debugger(linear, pages[0].phys, first_bytes, Access::Write);
  tell_debugger(wrap(linear + first_bytes), pages[1].phys, bytes - first_bytes, Access::Write);
  return true;
}

bool Mmu::probe_slow(u64 linear, u64 bytes, Access access, View view) {
  linear = wrap(linear);
  Page pages[2];
  if (bytes > bytes_to_page_end(linear)) return translate_crossing(linear, bytes, access, view, pages);
  if (!is_canonical(context_, linear)) return non_canonical(linear);
  return translate(linear, access, view, pages[0]);
}

bool Mmu::load_bytes(u64 linear, std::span<u8> into) {
  return into.empty() || load_as(view_, linear, into.data(), into.size());
}

bool Mmu::store_bytes(u64 linear, std::span<const u8> from) {
  return from.empty() || store_as(view_, linear, from.data(), from.size());
}

bool Mmu::fetch_slow(u64 linear, FetchTarget& target) {
  linear = wrap(linear);
  if (!is_canonical(context_, linear)) return non_canonical(linear);
  Page page;
  if (!translate(linear, Access::Fetch, view_, page)) return false;
  target = {page.host, page.phys};
  if (page.host) return true;
  const PhysMap::Target rom = find(page.phys & kPageMask);
  if (rom.kind != PhysMap::Kind::Rom || rom.bytes_left < kPageBytes) return true;
  target.host = rom.host + (page.phys & ~kPageMask);
  // Not global: a change of address space costs a ROM page its tag, no more.
  (void)leave_tag(linear, Access::Fetch, view_, rom.host, page.phys & kPageMask, false);
  return true;
}

void Mmu::set_fetch_notes(u64 note) {
  fetch_note_ = note;
  for (auto& of_view : arrays_) {
    TlbArray& tags = of_view[static_cast<unsigned>(Access::Fetch)];
    tags.for_each_used([&](unsigned slot) { tags.entries[slot].delta = note; });
  }
}

bool Mmu::peek_translate(u64 linear, u64& phys) const {
  linear = wrap(linear);
  if (!is_canonical(context_, linear)) return false;
  PeekMemory memory{phys_map_, smm_data_, a20_mask_, *this};
  // KernelAc may read every present page.
  const WalkResult result =
      page_walk_over(context_, memory, linear, Access::Read, View::KernelAc, WalkEffects::None);
  if (result.ok) phys = result.translation.phys & a20_mask_;
  return result.ok;
}

// --- Watches ---

void Mmu::set_watches(std::span<const Watch> watches) {
  watches_.assign(watches.begin(), watches.end());
  drop_tags(Globals::Drop);
}

void Mmu::set_debug_pages(const DebugPages* pages) {
  debug_pages_ = pages;
  drop_tags(Globals::Drop);
}

void Mmu::observe(PagingObserver* observer, const PhysPages* watched_stores) {
  paging_observer_ = observer;
  watched_stores_ = observer != nullptr ? watched_stores : nullptr;
  drop_tags(Globals::Drop);
}

}  // namespace reprise::mmu
