// Mmu: one vCPU's view of memory. Every guest memory operand goes through here.
//
//     inlined probe of the first-level TLB -> second-level TLB (tagged by PCID/global) -> page walk -> fault
//
// The inlined part is in this header; the rest is in mmu.cpp (slow paths) and tlb_flush.cpp (flush rules).
// Accesses return false when the guest faults; fault() then says how. Nothing was written in that case:
// an access that crosses a page translates both pages before it touches either.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "common/archive.h"
#include "common/bits.h"
#include "common/types.h"
#include "mmu/code_pages.h"
#include "mmu/debug_pages.h"
#include "mmu/page_walk.h"
#include "mmu/paging_bits.h"
#include "mmu/paging_observer.h"
#include "mmu/phys_map.h"
#include "mmu/second_level_tlb.h"
#include "mmu/tlb.h"

namespace reprise::mmu {

/// Why an access failed.
struct MemFault {
  enum class Kind : u8 { PageFault, NonCanonical };
  Kind kind;
  u64 linear;      // page fault: CR2, the first byte that could not be accessed; non-canonical: the access
  u32 error_code;  // of the page fault
};

/// What the vCPU wants to know about slow accesses.
class AccessObserver {
 public:
  virtual ~AccessObserver() = default;
  /// An MMIO access happened, or a store hit translated code: the engine must stop after this instruction.
  virtual void stop_after_instruction() = 0;
  /// An access overlapped a watched page; the observer checks the exact debug registers.
  virtual void watched_access(u64 linear, u64 bytes, Access access) = 0;
  /// While Mmu::set_debug_pages() is in force: a load or store by the slow path was done, within one page. `linear` is
  /// kNoLinear for what the processor does by physical address (state save area), kWalk for page walks.
  virtual void debugged_access(u64 linear, u64 phys, u64 bytes, Access access) = 0;
  static constexpr u64 kNoLinear = u64{1} << 63;  // neither is canonical
  static constexpr u64 kWalk = kNoLinear + 1;
  /// What the TLBs answer in [linear, linear + bytes) may be another than before. If the running instruction lies there,
  /// the engine must stop after it (after this iteration of it): the next one is fetched anew.
  virtual void translation_changed(u64 linear, u64 bytes) = 0;
};

struct MmuStats {
  u64 l1_misses[kAccessKinds];
  u64 l2_hits;
  u64 walks;
  u64 page_faults;
  u64 mmio_reads, mmio_writes;
  u64 page_crossings;
  u64 code_page_stores;
  u64 stores_beside_code;  // of generated code, by store_beside_code(); not counted above
  u64 flushes_all, flushes_nonglobal, flushes_page, flushes_pcid;
};

class Mmu final : public WriteTagHolder {
 public:
  /// Paging off, A20 on. Registers itself with `code_pages` and the RAM as a holder of write tags until
  /// destroyed. About 300 KiB: not for the stack.
  Mmu(PhysMap& phys_map, CodePages& code_pages, AccessObserver& observer);
  ~Mmu() override;
  Mmu(const Mmu&) = delete;
  Mmu& operator=(const Mmu&) = delete;

  // --- Explicit accesses of the running instruction, with the rights of the current view ---

  /// Loads sizeof(T) bytes (1..64) at `linear`.
  template <class T>
  [[nodiscard]] bool load(u64 linear, T& value) {
    const TlbEntry& entry = read_->entries[tlb_slot(linear)];
    const u64 offset = linear - entry.tag_linear;
    if (offset <= kPageBytes - sizeof(T)) [[likely]] {
      value = read_unaligned<T>(reinterpret_cast<const u8*>(entry.host_page + offset));
      return true;
    }
    return load_slow(linear, &value, sizeof(T), view_);
  }

  /// Stores sizeof(T) bytes (1..64) at `linear`.
  template <class T>
  [[nodiscard]] bool store(u64 linear, const T& value) {
    if (u8* host = write_pointer(linear, sizeof(T))) [[likely]] {
      write_unaligned<T>(host, value);
      return true;
    }
    return store_slow(linear, &value, sizeof(T), view_);
  }

  /// The host address for a plain-RAM store of `bytes` at `linear`, or nullptr when the slow path must be
  /// taken.
  u8* write_pointer(u64 linear, u64 bytes) {
    const TlbEntry& entry = write_->entries[tlb_slot(linear)];
    const u64 offset = linear - entry.tag_linear;
    return offset <= kPageBytes - bytes ? reinterpret_cast<u8*>(entry.host_page + offset) : nullptr;
  }
  /// Same for a load.
  const u8* read_pointer(u64 linear, u64 bytes) {
    const TlbEntry& entry = read_->entries[tlb_slot(linear)];
    const u64 offset = linear - entry.tag_linear;
    return offset <= kPageBytes - bytes ? reinterpret_cast<const u8*>(entry.host_page + offset) : nullptr;
  }

  /// True when a store of `bytes` at `linear` would not fault (sets A and D as the store would). For
  /// read-modify-write and multi-store instructions, before their first effect.
  [[nodiscard]] bool probe_write(u64 linear, u64 bytes) {
    return write_pointer(linear, bytes) != nullptr || probe_slow(linear, bytes, Access::Write, view_);
  }
  [[nodiscard]] bool probe_read(u64 linear, u64 bytes) {
    return read_pointer(linear, bytes) != nullptr || probe_slow(linear, bytes, Access::Read, view_);
  }

  /// Byte ranges of any length up to a page (XSAVE areas, descriptors). All or nothing.
  [[nodiscard]] bool load_bytes(u64 linear, std::span<u8> into);
  [[nodiscard]] bool store_bytes(u64 linear, std::span<const u8> from);

  // --- Implicit supervisor accesses: descriptor tables, TSS, interrupt frames. SDM 3A 4.6.1 ---

  template <class T>
  [[nodiscard]] bool load_system(u64 linear, T& value) {
    return load_as(View::Kernel, linear, &value, sizeof(T));
  }
  template <class T>
  [[nodiscard]] bool store_system(u64 linear, const T& value) {
    return store_as(View::Kernel, linear, &value, sizeof(T));
  }
  [[nodiscard]] bool probe_system(u64 linear, u64 bytes, Access access) {
    return probe_slow(linear, bytes, access, View::Kernel);
  }
  /// With the rights of `view`, whatever the current one (stack of another privilege level).
  [[nodiscard]] bool load_as(View view, u64 linear, void* into, u64 bytes) {
    const TlbEntry& entry = array(view, Access::Read).entries[tlb_slot(linear)];
    const u64 offset = linear - entry.tag_linear;
    if (offset <= kPageBytes - bytes) [[likely]] {
      std::memcpy(into, reinterpret_cast<const u8*>(entry.host_page + offset), bytes);
      return true;
    }
    return load_slow(linear, into, bytes, view);
  }
  [[nodiscard]] bool store_as(View view, u64 linear, const void* from, u64 bytes) {
    const TlbEntry& entry = array(view, Access::Write).entries[tlb_slot(linear)];
    const u64 offset = linear - entry.tag_linear;
    if (offset <= kPageBytes - bytes) [[likely]] {
      std::memcpy(reinterpret_cast<u8*>(entry.host_page + offset), from, bytes);
      return true;
    }
    return store_slow(linear, from, bytes, view);
  }
  [[nodiscard]] bool probe_as(View view, u64 linear, u64 bytes, Access access) {
    return probe_slow(linear, bytes, access, view);
  }

  // --- The processor's own accesses to physical memory: state save area, PDPTEs ---

  u64 read_phys(u64 phys, Width width);
  void write_phys(u64 phys, Width width, u64 value);

  // --- Instruction fetch ---

  /// A page of code: host and guest-physical address of the byte at `linear`. Plain RAM or ROM; when the
  /// page is MMIO `host` is nullptr and bytes come from phys_map().read.
  struct FetchTarget {
    const u8* host;
    u64 phys;
  };
  [[nodiscard]] bool fetch(u64 linear, FetchTarget& target) {
    const TlbEntry& entry = fetch_->entries[tlb_slot(linear)];
    const u64 offset = linear - entry.tag_linear;
    if (offset < kPageBytes) [[likely]] {
      target = {reinterpret_cast<const u8*>(entry.host_page + offset), entry.phys_page + offset};
      return true;
    }
    return fetch_slow(linear, target);
  }

  /// Valid after an access returned false.
  const MemFault& fault() const { return fault_; }

  // --- Control. The vCPU calls these when it writes the registers; they carry the flush rules ---

  /// The rights of explicit accesses from now on. Cheap: three pointers.
  void set_view(View view) {
    view_ = view;
    read_ = &array(view, Access::Read);
    write_ = &array(view, Access::Write);
    fetch_ = &array(view, Access::Fetch);
  }
  View view() const { return view_; }
  // --- For generated code, which finds the tables at a fixed distance from its processor ---

  /// After a first-level miss of `access` with the rights of `view`: leaves a tag if the second level knows
  /// the page and nothing else is in the way. False: take the slow path. Touches no vector registers.
  bool refill(u64 linear, Access access, View view);
  /// When refill() failed for a store of `bytes`: leaves in beside_code() what a tag would say, for this
  /// store alone, if only translated code in the same page was in the way and none is near. Touches no vector
  /// registers.
  bool store_beside_code(u64 linear, u64 bytes, View view);
  const TlbEntry& beside_code() const { return beside_code_; }
  /// A word that fetch tags carry until they go away: `note` in new ones (and all that are there), or in the
  /// one of the page of `linear` in the current view, if there is one.
  void set_fetch_notes(u64 note);
  void set_fetch_note(u64 linear, u64 note) {
    TlbEntry& entry = fetch_->entries[tlb_slot(linear)];
    if (linear - entry.tag_linear < kPageBytes) entry.delta = note;
  }
  const TlbArray& tlb_array(View view, Access access) const {
    return arrays_[static_cast<unsigned>(view)][static_cast<unsigned>(access)];
  }

  /// CR0, CR4 and EFER took these values (already checked by the CPU). Flushes as SDM 3A 4.10.4.1 demands.
  void set_paging(u64 cr0, u64 cr4, u64 efer);
  /// MOV to CR3 of `value`; bit 63 is the no-flush request when CR4.PCIDE=1. In PAE mode the caller has
  /// already loaded and checked the PDPTEs and passes them through set_pdptes.
  void set_cr3(u64 value);
  void set_pdptes(const u64 (&pdptes)[4]);
  void invlpg(u64 linear);
  enum class InvpcidType : u8 { Address = 0, SingleContext = 1, AllGlobal = 2, AllNonGlobal = 3 };
  void invpcid(InvpcidType type, u16 pcid, u64 linear);
  void flush_all();
  /// A20 masked: bit 20 of every physical address reads as 0, those of page tables too. On after
  /// construction.
  void set_a20(bool enabled);
  /// RAM that lies, at its own address, behind something else, and that only code in SMM sees there.
  struct Smram {
    u64 phys = 0;
    u64 bytes = 0;      // whole pages of RAM; 0: there is none
    bool code = false;  // instruction fetches see it
    bool data = false;  // so does everything else, the page walker included
    friend bool operator==(const Smram&, const Smram&) = default;
  };
  void set_smram(const Smram& smram);
  const Smram& smram() const { return smram_; }
  /// A page of registers of a device that only this processor has, above all else: its local APIC's. SDM 3A 10.4.1
  struct LocalPage {
    u64 phys = ~u64{0};  // of the page; ones: there is none
    MmioHandler* device = nullptr;
    friend bool operator==(const LocalPage&, const LocalPage&) = default;
  };
  void set_local_page(const LocalPage& page);
  const LocalPage& local_page() const { return local_page_; }
  /// One access of this processor at `phys`, as PhysMap::read(): for code that lies where no RAM or ROM is.
  u64 read_device(u64 phys, Width width) {
    return on_local_page(phys) ? phys_map_.read(find(phys), width) : phys_map_.read(phys, width);
  }
  /// Enters or leaves SMM: SMRAM comes or goes, and A20 is never masked in SMM. Flushes. Not state of the Mmu: the
  /// vCPU knows.
  void set_smm(bool in_smm) {
    if (in_smm != in_smm_) [[unlikely]]
      change_smm(in_smm);
  }
  /// What CPUID offers: MAXPHYADDR (32..52) and 1 GiB pages. Flushes.
  void set_cpu_profile(u8 physical_address_bits, bool gib_pages);
  /// How much the second level holds; empties it. Before the guest runs.
  void set_tlb_geometry(const TlbGeometry& geometry);

  /// Pages that overlap [linear, linear+bytes) never get a read or write tag, so the observer sees each data
  /// access, after it happened. Fetches are not watched. Clear with no ranges.
  struct Watch {
    u64 linear;
    u64 bytes;
  };
  void set_watches(std::span<const Watch> watches);
  /// Pages that a debugger asks about; nullptr: none. They outlive their stay, and whoever changes them calls this again.
  /// The guest cannot tell.
  void set_debug_pages(const DebugPages* pages);
  /// Who is told what happens (nullptr: nobody), and of which pages of RAM it wants to know the stores: whoever adds one
  /// calls drop_write_tags(). They outlive their stay. The guest cannot tell.
  void observe(PagingObserver* observer, const PhysPages* watched_stores);
  PagingObserver* paging_observer() const { return paging_observer_; }
  const PhysPages* watched_stores() const { return watched_stores_; }

  const PagingContext& context() const { return context_; }
  PhysMap& phys_map() { return phys_map_; }
  const PhysMap& phys_map() const { return phys_map_; }
  CodePages& code_pages() { return code_pages_; }
  const MmuStats& stats() const { return stats_; }

  const SecondLevelTlb& second_level() const { return *second_level_; }
  /// Takes over all of `other`, which is of the same geometry.
  void adopt_second_level(const SecondLevelTlb& other);
  /// Drops all first-level tags. The guest cannot tell.
  void drop_all_tags() { drop_tags(Globals::Drop); }
  /// Translates without side effects on A/D bits, TLBs or faults (monitor, debugger). False: not mapped.
  bool peek_translate(u64 linear, u64& phys) const;

  void drop_write_tags(u64 phys_page) override;
  void drop_all_write_tags() override;

  /// Takes over paging registers, PDPTEs and A20; flushes.
  void restore_paging(const PagingContext& context, bool a20_enabled);
  bool a20_enabled() const { return a20_enabled_; }

  /// PDPTEs and the second-level TLB. Before it loads, set_paging() and set_cr3() have told it of the registers. First-level
  /// tags are no state.
  void serialize(Archive& archive);

 private:
  // Where one page's part of an access goes.
  struct Page {
    u64 phys;  // of the first byte
    u8* host;  // of the first byte when its whole page is RAM, else nullptr
  };

  TlbArray& array(View view, Access access) {
    return arrays_[static_cast<unsigned>(view)][static_cast<unsigned>(access)];
  }

  /// RAM that hides what the physical map says.
  struct Overlay {
    u64 phys = 0;
    u64 bytes = 0;
    u8* host = nullptr;
    u8* find(u64 at, u64 count) const {
      const u64 offset = at - phys;
      return offset < bytes && bytes - offset >= count ? host + offset : nullptr;
    }
  };
  struct TableMemory;
  struct PeekMemory;
  Page physical_page(u64 phys, Access access) const;
  bool on_local_page(u64 phys) const { return (phys & kPageMask) == local_page_.phys; }
  /// As PhysMap::find(), of what this processor sees; SMRAM aside.
  PhysMap::Target find(u64 phys) const;
  u8* ram_page(u64 phys_page, Access access) const {
    if (phys_page == local_page_.phys) [[unlikely]]
      return nullptr;
    const Overlay& overlay = access == Access::Fetch ? smm_code_ : smm_data_;
    if (u8* host = overlay.find(phys_page, kPageBytes)) [[unlikely]]
      return host;
    return phys_map_.ram_host(phys_page, kPageBytes);
  }
  void change_smm(bool in_smm);
  void show_smm();

  u64 find_allowed(u64 linear, Access access, View view) const;
  bool load_slow(u64 linear, void* into, u64 bytes, View view);
  bool store_slow(u64 linear, const void* from, u64 bytes, View view);
  bool probe_slow(u64 linear, u64 bytes, Access access, View view);
  bool fetch_slow(u64 linear, FetchTarget& target);
  bool load_crossing(u64 linear, void* into, u64 bytes, View view);
  bool store_crossing(u64 linear, const void* from, u64 bytes, View view);
  bool translate_crossing(u64 linear, u64 bytes, Access access, View view, Page (&pages)[2]);
  bool translate(u64 linear, Access access, View view, Page& page);
  /// The rule of what a tag needs beyond a translation that allows the access: no watch overlaps the page, whose memory is
  /// `host`, and no debugger asks about it; for write it holds no code, and is marked as written. False: it must have none. (store_beside_code() is
  /// the one exception, for a single store.) Touches no vector registers.
  bool leave_tag(u64 linear, Access access, View view, u8* host, u64 phys_page, bool global);
  u64 walk(u64 linear, Access access, View view);
  bool non_canonical(u64 linear);
  u64 wrap(u64 linear) const { return long_mode() ? linear : linear & 0xffff'ffff; }
  bool long_mode() const { return (context_.efer & kEferLma) != 0; }
  bool paging() const { return (context_.cr0 & kCr0Pg) != 0; }
  u16 pcid() const {
    return context_.cr4 & kCr4Pcide ? static_cast<u16>(context_.cr3 & kCr3PcidMask) : u16{0};
  }

  void read_page(const Page& page, u8* into, u64 bytes);
  void write_page(const Page& page, const u8* from, u64 bytes);
  void write_watched_page(const Page& page, const u8* from, u64 bytes);
  void write_ram_page(const Page& page, const u8* from, u64 bytes);
  bool stores_are_watched(u64 phys) const {
    return watched_stores_ != nullptr && watched_stores_->contains(phys);
  }
  void read_mmio(u64 phys, u8* into, u64 bytes);
  void write_mmio(u64 phys, const u8* from, u64 bytes);

  bool watched(u64 linear, u64 bytes) const;
  bool debugged(u64 linear, u64 phys, Access access) const;
  void tell_debugger(u64 linear, u64 phys, u64 bytes, Access access) {
    if (debug_pages_ != nullptr) [[unlikely]]
      observer_.debugged_access(linear, phys, bytes, access);
  }
  void tell_watcher(u64 linear, u64 bytes, Access access) {
    if (!watches_.empty() && watched(linear & kPageMask, (linear & ~kPageMask) + bytes)) [[unlikely]]
      observer_.watched_access(linear, bytes, access);
  }

  enum class Globals : u8 { Keep, Drop };
  void drop_tags(Globals globals);
  void drop_tags_in(u64 linear, u64 bytes);
  void apply(const TlbChanges& changes);
  void apply(SecondLevelTlb::Selected selected);
  void update_rights();

  TlbArray* read_;
  TlbArray* write_;
  TlbArray* fetch_;
  View view_ = View::Kernel;
  MemFault fault_{};
  PhysMap& phys_map_;
  CodePages& code_pages_;
  AccessObserver& observer_;
  PagingContext context_;
  bool a20_enabled_ = true;
  u64 a20_mask_ = ~u64{0};
  bool in_smm_ = false;
  Smram smram_;
  LocalPage local_page_;
  Overlay smm_code_, smm_data_;  // empty outside SMM
  u64 fetch_note_ = 0;
  MmuStats stats_{};
  TlbArray arrays_[kViews][kAccessKinds];
  TlbEntry beside_code_{};
  std::unique_ptr<SecondLevelTlb> second_level_;
  // By U/S, R/W, not-XD of a page: which (view, access) pairs may use it under CR0 and CR4 as they are.
  // Bit view * kAccessKinds + access.
  u16 rights_[8];
  // By RAM page: may have a write tag in arrays_. Only pages that are marked in this epoch and hold no
  // code: a page with its bit set may be given another tag without asking.
  std::vector<u64> write_tagged_;
  std::vector<Watch> watches_;
  const DebugPages* debug_pages_ = nullptr;
  PagingObserver* paging_observer_ = nullptr;
  const PhysPages* watched_stores_ = nullptr;
};

}  // namespace reprise::mmu
