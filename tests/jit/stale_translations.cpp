// Guests that change their page tables and do not flush: what a TLB holds is then visible, in A and D bits and in where
// loads, stores and code go. Every engine must show the same, whoever looks in between: at every stop the registers,
// all of memory and the TLB are equal.
//
// The guest is two thousand cells of code in four frames. A cell loads, stores, crosses pages, repeats strings, edits an
// entry of the page tables, reads one back, clears A and D bits, invalidates, or writes CR3; then the dispatcher goes on
// in a random cell through a random mapping of it. The pages used are congruent in the TLB, so that they push each other
// out; they map data, code and the tables, in 4 KiB and in large pages. Faults end at the dispatcher.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "common/archive.h"
#include "common/check.h"
#include "common/hash.h"
#include "common/log.h"
#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "mmu/paging_bits.h"
#include "tests/jit/small_machine.h"
#include "tests/native/random.h"

namespace reprise {
namespace {

using Bytes = std::vector<u8>;
using native::Random;

constexpr u64 kRamBytes = 8u << 20;

// Physical memory; the first 64 KiB and the lists are mapped where they are, and stay so.
constexpr u64 kTop = 0x1000;         // PML4, or the directory of 32-bit paging
constexpr u64 kPdpt = 0x2000;        // also the PDPTEs of PAE
constexpr u64 kDispatcher = 0x8000;  // code
constexpr u64 kLists = 0x9000;       // data that does not change
constexpr u64 kSpare = 0xa000;       // INVPCID's descriptor
constexpr u64 kCodeFrames = 0x10000;
constexpr u64 kDataFrames = 0x20000;
constexpr u64 kTables = 0x100000;        // directories and page tables
constexpr unsigned kFrames = 4;          // of code; as many of data
constexpr u64 kSecondLarge = 0x20'0000;  // code lies here and at the third, too, for large pages

// Linear addresses. Window page i: all have one set in common when sets are 2048 or fewer.
constexpr unsigned kWindows = 24;
constexpr unsigned kCodeWindows = 10;  // the first so many hold code, mostly
constexpr u64 window(unsigned i) { return u64{i + 1} << 23 | u64{(0x155u ^ (i + 1)) & 0x7ff} << kPageShift; }
constexpr u64 kTableAlias = 0x2000'0000;  // kTables, in 4 KiB pages
constexpr u64 kLarge = 0x3000'0000;       // large pages, some of which become small ones
constexpr unsigned kLarges = 4;
constexpr u64 kHuge = 0x4000'0000;  // 1 GiB, of 64-bit mode

// Inside a page: 100h to 800h is code in frames of code, and what lies behind it is written.
constexpr u64 kCell = 64;
constexpr u64 kFirstCell = 0x100;
constexpr unsigned kCells = (0x800 - kFirstCell) / kCell;

constexpr u64 kEvery = 1000;  // instructions between comparisons
constexpr u64 kRescue =
    250;  // between returns to the dispatcher, of a guest that runs through what is no code

enum class Paging { Bits32, Pae, Level4, Level4Pcid };
constexpr const char* kNames[] = {"32-bit", "PAE", "4-level", "4-level with PCIDs"};

/// An entry of the tables that the guest edits.
struct Editable {
  u32 linear;
  std::vector<u32> values;
};

constexpr unsigned kEditables = 64;
constexpr unsigned kValues = 8;
// Lists at kLists, in words of 4 bytes.
constexpr u32 kListWindows = kLists, kListEntries = kLists + 0x100, kListTargets = kLists + 0x200,
              kListCr3 = kLists + 0x280, kListValues = kLists + 0x400;
constexpr unsigned kWindowWords = 32, kTargetWords = 32, kCr3Words = 8;

/// Memory of a guest, made from a seed.
class Guest {
 public:
  Guest(Paging guest_paging, u64 seed) : paging(guest_paging), ram(kRamBytes), random_(seed) {
    // What is no code ends at an INT3.
    std::fill(ram.begin() + kCodeFrames, ram.begin() + kTables, u8{0xcc});
    std::fill(ram.begin() + kSecondLarge, ram.end(), u8{0xcc});
    make_tables();
    make_lists();
    for (unsigned frame = 0; frame < kFrames; ++frame)
      for (const u64 copy : {u64{0}, kSecondLarge, 2 * kSecondLarge})
        make_code(copy + kCodeFrames + frame * kPageBytes);
    put(kDispatcher, make_dispatcher());
  }

  const Paging paging;
  Bytes ram;
  u64 cr3 = kTop;

 private:
  bool long_mode() const { return paging == Paging::Level4 || paging == Paging::Level4Pcid; }
  u32 bits(u64 seed) { return static_cast<u32>(random_.next() % seed); }
  bool one_in(u64 n) { return random_.next() % n == 0; }

  void put(u64 phys, const Bytes& bytes) {
    std::copy(bytes.begin(), bytes.end(), ram.begin() + static_cast<long>(phys));
  }
  void put32(u64 phys, u32 value) { write_unaligned(ram.data() + phys, value); }
  unsigned entry_bytes() const { return paging == Paging::Bits32 ? 4 : 8; }
  u32 entry(u64 phys) const { return read_unaligned<u32>(ram.data() + phys); }

  u64 new_table() { return std::exchange(next_table_, next_table_ + kPageBytes); }
  /// Where the entry of `linear` is at `level` (1: the page table), with what leads there.
  u64 entry_phys(u64 linear, unsigned level) {
    u64 table = kTop;
    unsigned at = 2;
    if (paging == Paging::Pae) {
      const u64 slot = kPdpt + 8 * (linear >> 30);
      if (entry(slot) == 0) put32(slot, static_cast<u32>(new_table() | mmu::kPteP));
      table = entry(slot) & ~0xfffu;
    } else if (long_mode()) {
      at = 4;
    }
    const unsigned index_bits = paging == Paging::Bits32 ? 10 : 9;
    for (;; --at) {
      const u64 slot = table + entry_bytes() * field(linear, 12 + index_bits * (at - 1), index_bits);
      if (at == level) return slot;
      if (entry(slot) == 0)
        put32(slot,
              static_cast<u32>((at == 4 ? kPdpt : new_table()) | mmu::kPteP | mmu::kPteRw | mmu::kPteUs));
      table = entry(slot) & ~0xfffu;
    }
  }
  u64 large_bytes() const { return paging == Paging::Bits32 ? u64{4} << 20 : u64{2} << 20; }

  u32 random_bits() {
    using namespace mmu;
    u64 flags = one_in(16) ? 0 : kPteP;
    if (!one_in(6)) flags |= kPteRw;
    if (one_in(2)) flags |= kPteUs;
    if (one_in(3)) flags |= kPteA;
    if (one_in(4)) flags |= kPteD;
    if (one_in(4)) flags |= kPteG;
    return static_cast<u32>(flags);
  }
  u32 code_value() { return static_cast<u32>(kCodeFrames + bits(kFrames) * kPageBytes) | random_bits(); }
  u32 data_value() {
    // Now and then a table: its entries are data then.
    const u64 frame = one_in(12) ? kTables + bits(8) * kPageBytes : kDataFrames + bits(kFrames) * kPageBytes;
    return static_cast<u32>(frame) | random_bits();
  }
  u32 window_value(unsigned i) {
    return one_in(i < kCodeWindows ? 16 : 6) == (i < kCodeWindows) ? data_value() : code_value();
  }
  u32 large_value() {
    return static_cast<u32>(large_bytes() * bits(2)) | random_bits() | static_cast<u32>(mmu::kPtePs);
  }

  u32 alias_of(u64 phys) {
    if (phys < kCodeFrames) return static_cast<u32>(phys);
    CHECK(phys >= kTables && phys < next_table_);
    return static_cast<u32>(kTableAlias + phys - kTables);
  }
  template <class Value>
  void editable(u64 phys, Value value) {
    Editable one{alias_of(phys), {}};
    for (unsigned i = 0; i < kValues; ++i) one.values.push_back(value());
    editables_.push_back(std::move(one));
  }

  void make_tables() {
    using namespace mmu;
    const u32 plain = static_cast<u32>(kPteP | kPteRw);
    for (u64 at = 0; at < kCodeFrames; at += kPageBytes)
      put32(entry_phys(at, 1), static_cast<u32>(at) | plain);
    for (unsigned i = 0; i < kWindows; ++i) {
      for (const u64 linear : {window(i), window(i) + kPageBytes}) {
        const u64 phys = entry_phys(linear, 1);
        put32(phys, window_value(i) | static_cast<u32>(kPteP));
        editable(phys, [&] { return window_value(i); });
      }
    }
    for (unsigned i = 0; i < kLarges; ++i) {
      const u64 linear = kLarge + i * large_bytes();
      // What it is when it is not one: a table of code and data.
      const u64 table = new_table();
      for (u64 page = 0; page < 512; ++page)
        put32(table + page * entry_bytes(), one_in(2) ? code_value() : data_value());
      const u64 phys = entry_phys(linear, 2);
      put32(phys, large_value() | static_cast<u32>(kPteP));
      editable(phys, [&] { return one_in(3) ? static_cast<u32>(table | plain) : large_value(); });
    }
    if (long_mode()) put32(kPdpt + 8 * (kHuge >> 30), static_cast<u32>(kPteP | kPteRw | kPteUs | kPtePs));
    // The tables, all of them: making these entries makes more.
    for (u64 at = 0; at < 256 * kPageBytes; at += kPageBytes)
      put32(entry_phys(kTableAlias + at, 1), static_cast<u32>(kTables + at) | plain);
    while (editables_.size() < kEditables) editables_.push_back(editables_[bits(2 * kWindows)]);
    CHECK(next_table_ <= kTables + 256 * kPageBytes);
  }

  /// A place where the code of frames can be reached.
  u32 target() {
    switch (bits(8)) {
      case 0:
        return static_cast<u32>(kLarge + bits(kLarges) * large_bytes() + kCodeFrames +
                                bits(kFrames) * kPageBytes);
      case 1:
        if (long_mode()) return static_cast<u32>(kHuge + kCodeFrames + bits(kFrames) * kPageBytes);
        [[fallthrough]];
      default: return static_cast<u32>(window(bits(kCodeWindows)) + (one_in(3) ? kPageBytes : 0));
    }
  }

  void make_lists() {
    for (unsigned i = 0; i < kWindowWords; ++i) {
      u64 at = window(bits(kWindows));
      if (one_in(6)) at = kLarge + bits(kLarges) * large_bytes() + kDataFrames + bits(kFrames) * kPageBytes;
      if (long_mode() && one_in(12)) at = kHuge + kDataFrames;
      put32(kListWindows + 4 * i, static_cast<u32>(at));
    }
    for (unsigned i = 0; i < kEditables; ++i) {
      put32(kListEntries + 4 * i, editables_[i].linear);
      for (unsigned v = 0; v < kValues; ++v)
        put32(kListValues + 4 * (i * kValues + v), editables_[i].values[v]);
    }
    for (unsigned i = 0; i < kTargetWords; ++i) put32(kListTargets + 4 * i, target());
    if (paging == Paging::Pae) cr3 = kPdpt;
    for (unsigned i = 0; i < kCr3Words; ++i) {
      const u32 pcid = paging == Paging::Level4Pcid ? bits(5) : 0;
      put32(kListCr3 + 8 * i, static_cast<u32>(cr3) | pcid);
      put32(kListCr3 + 8 * i + 4, paging == Paging::Level4Pcid && one_in(2) ? 1u << 31 : 0);
    }
    static_assert(kListCr3 + 8 * kCr3Words <= kListValues);
    static_assert(kListValues + 4 * kEditables * kValues <= kSpare);
  }

  // --- Code. Of encodings that mean the same in 32-bit and in 64-bit mode ---

  static void append(Bytes& code, std::initializer_list<int> bytes) {
    for (const int byte : bytes) code.push_back(static_cast<u8>(byte));
  }
  static void append32(Bytes& code, u32 value) {
    for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
  }
  /// eax := bits of the random number in ebp, from `shift` on, below `count`, a power of two.
  static void choose(Bytes& code, u32 shift, u32 count) {
    append(code, {0x89, 0xe8, 0xc1, 0xe8, static_cast<int>(shift),
                  0x25});  // mov eax, ebp; shr eax, ..; and eax, ..
    append32(code, count - 1);
  }
  /// `reg` (of edi 7, edx 2, ecx 1) := a random word of the list.
  static void load_from(Bytes& code, u32 list, u32 shift, u32 count, int reg) {
    choose(code, shift, count);
    append(code, {0x8b, 0x04 | reg << 3, 0x85});  // mov reg, [rax * 4 + list]
    append32(code, list);
  }
  static void next_random(Bytes& code) {
    append(code, {0x69, 0xed});  // imul ebp, ebp, ..
    append32(code, 0x0019660d);
    append(code, {0x81, 0xc5});  // add ebp, ..
    append32(code, 0x3c6ef35f);
  }
  static void to_dispatcher(Bytes& code) {
    append(code, {0xb8});
    append32(code, kDispatcher);
    append(code, {0xff, 0xe0});  // mov eax, ..; jmp eax
  }

  void make_code(u64 phys) {
    for (unsigned cell = 0; cell < kCells; ++cell) put(phys + kFirstCell + cell * kCell, make_cell());
    // A repeated string instruction that goes on in the next page, whatever that is: its operation is there.
    Bytes tail;
    pointer(tail, 7);
    pointer(tail, 6);
    append(tail, {0xb9});
    append32(tail, 1 + bits(20));
    tail.resize(kCell - 1, 0x90);
    append(tail, {0xf3});
    put(phys + kPageBytes - kCell, tail);
    constexpr int kOperations[] = {0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xaf};
    Bytes head{static_cast<u8>(kOperations[bits(6)])};
    to_dispatcher(head);
    put(phys, head);
    for (u64 at = kCell; at < kFirstCell; at += kCell) put(phys + at, make_cell());
  }

  Bytes make_dispatcher() {
    Bytes code;
    next_random(code);
    choose(code, 12, 32);
    append(code, {0xc1, 0xe0, 6});  // shl eax, 6: a cell
    // The numbers beyond those cells are the last of the page and the first of the next.
    append(code, {0x3d});
    append32(code, kCells * kCell);
    append(code, {0x72, 5, 0x05});  // cmp eax, ..; jb over; add eax, ..
    append32(code, static_cast<u32>(kPageBytes - kCell - kFirstCell - kCells * kCell));
    append(code, {0x89, 0xc1});  // mov ecx, eax
    load_from(code, kListTargets, 20, kTargetWords, 2);
    append(code, {0x8d, 0x84, 0x0a});  // lea eax, [rdx + rcx + first]
    append32(code, kFirstCell);
    append(code, {0xff, 0xe0});  // jmp eax
    return code;
  }

  void pointer(Bytes& code, int reg) { load_from(code, kListWindows, 3 + bits(20), kWindowWords, reg); }

  Bytes make_cell() {
    Bytes code;
    switch (bits(24)) {
      case 0:
      case 1:
        pointer(code, 7);
        append(code, {0x03, 0x1f});  // add ebx, [edi]
        break;
      case 2:
      case 3:
        pointer(code, 7);
        append(code, {0x89, 0x9f});  // mov [edi + ..], ebx
        append32(code, 0x804 + 4 * bits(64));
        break;
      case 4:
        pointer(code, 7);
        append(code, {0xf0, 0x01, 0x9f});  // lock add [edi + ..], ebx
        append32(code, 0x900 + 4 * bits(64));
        break;
      case 5:  // across pages
        pointer(code, 7);
        append(code, {0x03, 0x9f});
        append32(code, 0xffd + bits(3));
        break;
      case 6:
        pointer(code, 7);
        append(code, {0x89, 0x9f});
        append32(code, 0xffd);
        break;
      case 7:  // accesses that share a probe, with others between them
        pointer(code, 7);
        pointer(code, 2);
        append(code, {0x03, 0x1f, 0x03, 0x5f, 8, 0x03, 0x1a, 0x03, 0x5f, 16, 0x03, 0x5a, 4, 0x03, 0x5f, 24});
        break;
      case 8:  // the same, with stores
        pointer(code, 7);
        append(code, {0x81, 0xc7});  // add edi, ..
        append32(code, 0x880);
        pointer(code, 2);
        append(code, {0x01, 0x1f, 0x03, 0x1a, 0x89, 0x5f, 8, 0x03, 0x5a, 8, 0x03, 0x5f, 16});
        break;
      case 9:
      case 10:
      case 11:  // edits an entry: number in ecx, then one of its values
        choose(code, 8, kEditables);
        append(code, {0x89, 0xc1});        // mov ecx, eax
        append(code, {0x8b, 0x3c, 0x8d});  // mov edi, [rcx * 4 + ..]
        append32(code, kListEntries);
        append(code, {0xc1, 0xe1, 3});  // shl ecx, 3
        choose(code, 17, kValues);
        append(code, {0x01, 0xc1, 0x8b, 0x04, 0x8d});  // add ecx, eax; mov eax, [rcx * 4 + ..]
        append32(code, kListValues);
        append(code, {0x89, 0x07});  // mov [edi], eax
        break;
      case 12:
      case 13:  // clears A and D
        load_from(code, kListEntries, 8 + bits(12), kEditables, 7);
        append(code, {0x81, 0x27});  // and dword [edi], ..
        append32(code, ~u32{0x60});
        break;
      case 14:
      case 15:  // reads one
        load_from(code, kListEntries, 8 + bits(12), kEditables, 7);
        append(code, {0x03, 0x1f});
        break;
      case 16:
        pointer(code, 7);
        append(code, {0x0f, 0x01, 0x3f});  // invlpg [edi]
        break;
      case 17:
        if (!one_in(3)) return make_cell();
        load_cr3(code);
        break;
      case 18:  // rep movsd
        pointer(code, 7);
        pointer(code, 6);
        append(code, {0x81, 0xc7});  // add edi, ..
        append32(code, one_in(2) ? 0xfd0 : 0xa00);
        append(code, {0x81, 0xc6});  // add esi, ..
        append32(code, one_in(2) ? 0xfe8 : 0);
        append(code, {0xb9});  // mov ecx, ..
        append32(code, 1 + bits(30));
        append(code, {0xf3, 0xa5});
        break;
      case 19:  // rep stosd
        pointer(code, 7);
        append(code, {0x81, 0xc7});
        append32(code, one_in(2) ? 0xfa0 : 0xb00);
        append(code, {0xb9});
        append32(code, 1 + bits(40));
        append(code, {0xf3, 0xab});
        break;
      case 20:  // repne scasd, and cmpsd
        pointer(code, 7);
        pointer(code, 6);
        append(code, {0x81, 0xc7});
        append32(code, 0xfe0);
        append(code, {0xb9});
        append32(code, 1 + bits(20));
        append(code, {0xf2, one_in(2) ? 0xaf : 0xa7, 0x01, 0xcb});  // add ebx, ecx
        break;
      case 21:  // the stack
        pointer(code, 7);
        append(code, {0x8d, 0xa7});  // lea esp, [edi + ..]
        append32(code, one_in(2) ? 0x1004 : 0xa00);
        append(code, {0x53, 0x50, 0x59, 0x5a, 0x53, 0x03, 0x1c, 0x24, 0x59});  // push.., add ebx, [esp], pop
        break;
      case 22:  // vectors
        pointer(code, 7);
        pointer(code, 2);
        append(code, {0x0f, 0x10, 0x87});  // movups xmm0, [edi + ..]
        append32(code, one_in(2) ? 0xff5 : 0x20);
        append(code, {0x0f, 0x10, 0x4a, 0x10, 0x0f, 0x11,
                      0x87});  // movups xmm1, [edx + 16]; movups [edi + ..], xmm0
        append32(code, one_in(2) ? 0xffc : 0xc00);
        break;
      default:
        if (paging == Paging::Level4Pcid && one_in(2)) {
          invpcid(code);
        } else {
          pointer(code, 7);
          append(code, {0x0f, 0xb1, 0x9f});  // cmpxchg [edi + ..], ebx
          append32(code, 0xd00 + bits(200));
        }
    }
    to_dispatcher(code);
    CHECK(code.size() <= kCell);
    // What falls through, or is jumped into askew, ends at an INT3.
    code.resize(kCell, 0xcc);
    return code;
  }

  void load_cr3(Bytes& code) {
    choose(code, 9, kCr3Words);
    if (long_mode()) append(code, {0x48});
    append(code, {0x8b, 0x04, 0xc5});  // mov rax, [rax * 8 + ..]
    append32(code, kListCr3);
    append(code, {0x0f, 0x22, 0xd8});  // mov cr3, rax
  }
  void invpcid(Bytes& code) {
    pointer(code, 7);
    append(code, {0x48, 0xc7, 0x04, 0x25});  // mov qword [..], pcid
    append32(code, kSpare);
    append32(code, bits(5));
    append(code, {0x89, 0x3c, 0x25});  // mov [..], edi
    append32(code, kSpare + 8);
    append(code, {0xb8});
    append32(code, one_in(3) ? bits(4) : 0);
    append(code, {0x66, 0x0f, 0x38, 0x82, 0x04, 0x25});  // invpcid rax, [..]
    append32(code, kSpare);
  }

  Random random_;
  std::vector<Editable> editables_;
  u64 next_table_ = kTables;
};

/// A processor with its engine over a guest's memory.
class Runner {
 public:
  using MakeEngine = std::function<std::unique_ptr<cpu::Engine>(const cpu::CpuProfile&, mmu::CodePages&)>;

  Runner(const cpu::CpuProfile& profile, const MakeEngine& make_engine)
      : ram_(mmu::Ram::create(kRamBytes).take()),
        map_(*ram_),
        cpu_(std::make_unique<cpu::Cpu>(board_, board_, map_, code_pages_, profile, log_)) {
    CHECK(map_.add_ram("ram", 0, kRamBytes, 0).ok());
    engine_ = make_engine(profile, code_pages_);
  }

  void start(const Guest& guest, u32 random) {
    using namespace mmu;
    map_.write_bytes(0, guest.ram);
    cpu::CpuState& s = cpu_->state;
    const bool long_mode = guest.paging >= Paging::Level4;
    s.cr0 = kCr0Pe | kCr0Pg | kCr0Wp | kCr0Ne | kCr0Et | kCr0Mp;
    s.cr3 = guest.cr3;
    s.cr4 = kCr4Pge | kCr4Pse | kCr4Osfxsr | kCr4Osxmmexcpt | (guest.paging != Paging::Bits32 ? kCr4Pae : 0) |
            (guest.paging == Paging::Level4Pcid ? kCr4Pcide : 0);
    s.efer = long_mode ? kEferLme | kEferLma | kEferNxe : 0;
    for (cpu::Segment& segment : s.seg) segment = {.base = 0, .limit = ~0u, .selector = 8, .access = 0xc093};
    s.seg[cpu::CS].access = long_mode ? 0xa09b : 0xc09b;
    for (unsigned i = 0; i < 16; ++i) s.gpr[i] = 0x900 * (i + 1);
    s.gpr[cpu::RBP] = random;
    s.rip = kDispatcher;
    cpu_->state_replaced();
    u64 pdptes[4];
    for (unsigned i = 0; i < 4; ++i) pdptes[i] = read_unaligned<u64>(ram_->host() + kPdpt + 8 * i);
    cpu_->mmu.set_pdptes(pdptes);
  }

  u64 retired() const { return cpu_->state.retired; }

  /// Runs to `target`, in calls of at most `slice` instructions, each after `between()`. A fault goes on at the
  /// dispatcher.
  void run_to(u64 target, const std::function<u64()>& slice, const std::function<void()>& between) {
    cpu::CpuState& s = cpu_->state;
    while (s.retired < target) {
      between();
      if (s.retired % kRescue == 0) s.rip = kDispatcher;
      const u64 next_rescue = (s.retired / kRescue + 1) * kRescue;
      const cpu::RunExit exit =
          engine_->run(*cpu_, std::min({slice(), target - s.retired, next_rescue - s.retired}));
      s.rflags &= ~cpu::kRflagsRf;
      s.activity = cpu::Activity::Running;
      if (exit != cpu::RunExit::Fault && exit != cpu::RunExit::Trap) continue;
      ++faults;
      s.gpr[cpu::RBP] = static_cast<u32>(s.gpr[cpu::RBP] + 0x9e37'79b9);
      s.rip = kDispatcher;
      // As an event would: it lets time pass.
      ++s.retired;
    }
  }

  void save(Archive& archive) {
    cpu_->state.serialize(archive);
    cpu_->mmu.serialize(archive);
  }
  u64 hash() {
    Archive archive;
    save(archive);
    return hash64(archive.bytes(), hash64({ram_->host(), kRamBytes}, 1));
  }
  void take_over(Runner& other) {
    Archive saved;
    other.save(saved);
    std::memcpy(ram_->host(), other.ram_->host(), kRamBytes);
    Archive loaded(saved.bytes());
    cpu_->state.serialize(loaded);
    cpu_->state_replaced();
    cpu_->mmu.serialize(loaded);
    CHECK(loaded.ok());
    faults = other.faults;
  }
  cpu::Cpu& cpu() { return *cpu_; }
  u64 faults = 0;

 private:
  std::unique_ptr<mmu::Ram> ram_;
  mmu::PhysMap map_;
  mmu::CodePages code_pages_;
  test::NoBoard board_;
  Log log_;
  std::unique_ptr<cpu::Cpu> cpu_;
  std::unique_ptr<cpu::Engine> engine_;
};

std::unique_ptr<cpu::Engine> make_interp(const cpu::CpuProfile& profile, mmu::CodePages& pages) {
  return std::make_unique<cpu::InterpEngine>(profile, pages);
}
Runner::MakeEngine make_jit(const jit::JitOptions& options) {
  return [options](const cpu::CpuProfile& profile, mmu::CodePages& pages) {
    return std::make_unique<jit::JitEngine>(profile, pages, options);
  };
}

enum Looks : unsigned { kNothing = 0, kDropTags = 1, kAsk = 2, kMove = 4 };

struct Variant {
  const char* name;
  Runner::MakeEngine make;
  unsigned looks;
};

std::vector<Variant> variants() {
  jit::JitOptions first;
  first.threshold = 1;
  jit::JitOptions small = first;
  small.threshold = 2;
  small.max_block_insns = 3;
  small.pace = 0;
  small.code_cache_bytes = jit::JitOptions::kMinCodeCacheBytes;
  jit::JitOptions none = first;
  none.passes = jit::PassSet();
  std::vector<Variant> all = {
      {"interpreter, looked at", make_interp, kDropTags | kAsk},
      {"JIT at first use", make_jit(first), kNothing},
      {"JIT, looked at", make_jit(first), kDropTags | kAsk},
      {"JIT, small", make_jit(small), kDropTags},
      {"JIT without passes", make_jit(none), kNothing},
      {"moved between engines", make_jit(first), kMove},
  };
  return all;
}

/// What a monitor or a hash does: nothing to the guest.
void look(Random& random, Runner& runner, unsigned looks) {
  mmu::Mmu& mmu = runner.cpu().mmu;
  if ((looks & kDropTags) && random.next() % 4 == 0) mmu.drop_all_tags();
  if ((looks & kDropTags) && random.next() % 4 == 0) mmu.drop_all_write_tags();
  if ((looks & kAsk) && random.next() % 8 == 0) {
    u64 phys = 0;
    (void)mmu.peek_translate(window(static_cast<unsigned>(random.next() % kWindows)), phys);
    (void)mmu.second_level().held();
    (void)runner.cpu().dump();
    Archive archive;
    runner.save(archive);
  }
}

struct Totals {
  u64 instructions = 0, faults = 0, walks = 0;
};

/// One guest on all variants. Empty: they agree.
std::string run_guest(Paging paging, const cpu::CpuProfile& profile, u64 seed, u64 instructions,
                      Totals& totals) {
  const Guest guest(paging, seed);
  Runner reference(profile, make_interp);
  reference.start(guest, static_cast<u32>(seed * 77 + 1));
  std::vector<u64> hashes;
  const auto whole = [] { return ~u64{0}; };
  for (u64 at = kEvery; at <= instructions; at += kEvery) {
    reference.run_to(at, whole, [] {});
    hashes.push_back(reference.hash());
  }
  totals.instructions += reference.retired();
  totals.faults += reference.faults;
  totals.walks += reference.cpu().mmu.stats().walks;

  for (const Variant& variant : variants()) {
    Random random(seed * 31 + 7);
    auto runner = std::make_unique<Runner>(profile, variant.make);
    runner->start(guest, static_cast<u32>(seed * 77 + 1));
    std::unique_ptr<Runner> retired_runner;
    const auto slice = [&]() -> u64 {
      if (variant.looks == kNothing) return ~u64{0};
      return 1 + random.next() % (random.next() % 2 ? 20 : 300);
    };
    for (u64 index = 0; index < hashes.size(); ++index) {
      const u64 at = (index + 1) * kEvery;
      // Some of the hashes are not taken.
      if (variant.looks == kNothing && random.next() % 4 != 0 && index + 1 != hashes.size()) continue;
      runner->run_to(at, slice, [&] { look(random, *runner, variant.looks); });
      if (runner->retired() != at || runner->hash() != hashes[index])
        return fmt::format("{}, seed {}, '{}': not as the interpreter after instruction {}\n{}",
                           kNames[static_cast<int>(paging)], seed, variant.name, at, runner->cpu().dump());
      if ((variant.looks & kMove) && random.next() % 3 == 0) {
        auto next = std::make_unique<Runner>(profile, random.next() % 2 ? make_interp : variant.make);
        next->take_over(*runner);
        runner = std::move(next);
      }
    }
  }
  return {};
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) {
  using namespace reprise;
  CLI::App app("Runs guests that change page tables without flushes, and compares engines and observers.");
  u64 seed = 1, guests = 8, instructions = 20'000;
  app.add_option("--seed", seed, "of the first guest");
  app.add_option("--guests", guests, "for each mode of paging and size of the TLB");
  app.add_option("--instructions", instructions, "of each guest");
  CLI11_PARSE(app, argc, argv);

  Totals totals;
  for (const u32 entries : {4u, 8u, 64u, 8192u}) {
    cpu::CpuProfile profile = cpu::default_profile();
    profile.tlb = mmu::TlbGeometry::of(entries);
    for (const Paging paging : {Paging::Bits32, Paging::Pae, Paging::Level4, Paging::Level4Pcid}) {
      for (u64 i = 0; i < guests; ++i) {
        const std::string wrong = run_guest(paging, profile, seed + i, instructions, totals);
        if (wrong.empty()) continue;
        fmt::print("TLB of {} entries, {}\n", entries, wrong);
        return 1;
      }
    }
  }
  fmt::print("{} instructions on each engine, {} faults, {} page walks: all alike\n", totals.instructions,
             totals.faults, totals.walks);
  // A guest that only faults shows nothing.
  return totals.faults * 10 < totals.instructions && totals.walks > totals.instructions / 1000 ? 0 : 1;
}
