#include "machine/memory_report/memory_map.h"

#include <algorithm>
#include <optional>

namespace reprise::machine::memory_report {
namespace {

constexpr PageUseRow kRows[kPageUses] = {{'.', "never written"},
                                         {'k', "kernel code"},
                                         {'t', "page tables"},
                                         {'o', "other kernel memory, cache of files, free"},
                                         {'s', "shared by several programs"},
                                         {'u', "one program's"}};
constexpr std::size_t kMaxRuns = 96;
/// Programs leave small gaps between what they have used of one area.
constexpr u64 kGapBytes = u64{512} << 10;
constexpr u64 kUpperGapBytes = u64{4} << 20;

struct PhysRange {
  u64 first_page;
  u64 end_page;
};

std::vector<PhysRange> ram_ranges(const mmu::PhysMap& map) {
  std::vector<PhysRange> ranges;
  for (const mmu::PhysMap::Range& range : map.ranges())
    if (range.kind == mmu::PhysMap::Kind::Ram)
      ranges.push_back(
          {align_up(range.first_phys, kPageBytes) >> kPageShift, (range.last_phys + 1) >> kPageShift});
  return ranges;
}

/// Puts mapped pages together to runs.
class RunList {
 public:
  RunList(MemoryMap::Owner& owner, u64 gap_bytes) : owner_(owner), gap_bytes_(gap_bytes) {}
  void add(u64 linear, u64 page_bytes, u64 raw) {
    owner_.resident_bytes += page_bytes;
    const bool writable = (raw & mmu::kPteRw) != 0;
    const bool executable = (raw & mmu::kPteXd) == 0;
    if (!owner_.runs.empty()) {
      MappedRun& run = owner_.runs.back();
      if (run.writable == writable && run.executable == executable && run.page_bytes == page_bytes &&
          linear - (run.linear + run.bytes) <= gap_bytes_) {
        run.bytes = linear + page_bytes - run.linear;
        ++run.pages;
        return;
      }
    }
    if (owner_.runs.size() == kMaxRuns) {
      owner_.more_runs = true;
      return;
    }
    owner_.runs.push_back({linear, page_bytes, page_bytes, 1, writable, executable});
  }

 private:
  MemoryMap::Owner& owner_;
  const u64 gap_bytes_;
};

/// The use of each page by number, and of programs' pages whose they are.
struct Pages {
  static constexpr u16 kNobody = 0xffff;
  static constexpr u16 kSeveral = 0xfffe;
  std::vector<PageUse> use;
  std::vector<u16> owner;

  void map(u64 phys, u64 bytes, u16 one) {
    for (u64 page = phys >> kPageShift; page < (phys + bytes) >> kPageShift && page < owner.size(); ++page)
      owner[page] = owner[page] == kNobody || owner[page] == one ? one : kSeveral;
  }
  void set(u64 phys, u64 bytes, PageUse what) {
    for (u64 page = phys >> kPageShift; page < (phys + bytes) >> kPageShift && page < use.size(); ++page)
      use[page] = what;
  }
};

u64 phys_of(u64 raw, unsigned level) { return raw & kEntryAddress & ~(entry_bytes(level) - 1); }

}  // namespace

const PageUseRow& row_of(PageUse use) { return kRows[static_cast<unsigned>(use)]; }

MemoryMap map_memory(const PageTables& tables, const Spaces& spaces, const mmu::PhysMap& map,
                     const mmu::Ram& ram, Moment at) {
  MemoryMap result;
  result.at = at;
  const std::vector<PhysRange> ranges = ram_ranges(map);
  const u64 end_page = ranges.empty() ? 0 : ranges.back().end_page;
  Pages pages{std::vector<PageUse>(end_page, PageUse::Other), std::vector<u16>(end_page, Pages::kNobody)};
  u64 total = 0;
  for (const PhysRange& range : ranges) {
    total += range.end_page - range.first_page;
    for (u64 page = range.first_page; page < range.end_page; ++page) {
      const u8* const host = map.ram_host(page << kPageShift, kPageBytes);
      if (host != nullptr && !ram.written_since(0, static_cast<u64>(host - ram.host())))
        pages.use[page] = PageUse::Untouched;
    }
  }

  // Programs.
  std::vector<MemoryMap::Owner> owners;
  spaces.for_each_live([&](u32 space, u64 root) {
    if (owners.size() >= Pages::kSeveral) return;
    MemoryMap::Owner owner;
    owner.space = space;
    const u16 number = static_cast<u16>(owners.size());
    RunList runs(owner, kGapBytes);
    tables.for_each_mapped(root, PageTables::Half::Lower, [&](u64 linear, unsigned level, u64 raw) {
      if (!(raw & mmu::kPteUs)) return;  // a map of all memory, with which some kernels begin
      runs.add(linear, entry_bytes(level), raw);
      pages.map(phys_of(raw, level), entry_bytes(level), number);
    });
    if (owner.resident_bytes != 0) owners.push_back(std::move(owner));
  });
  result.spaces = owners.size();
  // The kernel: the same in every space of today's, the first ones aside.
  std::optional<u64> kernel;
  spaces.for_each_live([&](u32, u64 root) {
    bool any = false;
    tables.for_each_mapped(root, PageTables::Half::Upper, [&](u64, unsigned, u64) { any = true; });
    if (any) kernel = root;
  });
  if (kernel) {
    RunList runs(result.kernel, kUpperGapBytes);
    tables.for_each_mapped(*kernel, PageTables::Half::Upper, [&](u64 linear, unsigned level, u64 raw) {
      runs.add(linear, entry_bytes(level), raw);
      if ((raw & mmu::kPteXd) == 0 && (raw & mmu::kPteUs) == 0)
        pages.set(phys_of(raw, level), entry_bytes(level), PageUse::KernelCode);
    });
  }
  tables.for_each_table_page([&](u64 phys) { pages.set(phys, kPageBytes, PageUse::Table); });
  for (u64 page = 0; page < end_page; ++page) {
    if (pages.owner[page] == Pages::kNobody || pages.use[page] == PageUse::Table) continue;
    pages.use[page] = pages.owner[page] == Pages::kSeveral ? PageUse::Shared : PageUse::Program;
  }

  // The largest get letters of their own.
  std::vector<u16> ranked(owners.size());
  for (u16 i = 0; i < ranked.size(); ++i) ranked[i] = i;
  std::ranges::stable_sort(ranked, std::ranges::greater{}, [&](u16 i) { return owners[i].resident_bytes; });
  std::vector<char> letters(owners.size(), row_of(PageUse::Program).letter);
  for (std::size_t rank = 0; rank < std::min(ranked.size(), MemoryMap::kOwners); ++rank) {
    letters[ranked[rank]] = static_cast<char>('a' + rank);
    result.owners.push_back(std::move(owners[ranked[rank]]));
  }

  result.cell_pages = std::max<u64>(1, (total + MemoryMap::kCells - 1) / MemoryMap::kCells);
  std::array<u32, 128> counts{};
  u64 in_cell = 0;
  const auto end_cell = [&] {
    if (in_cell == 0) return;
    const auto most = std::ranges::max_element(counts);
    result.cells += static_cast<char>(most - counts.begin());
    counts.fill(0);
    in_cell = 0;
  };
  for (const PhysRange& range : ranges) {
    for (u64 page = range.first_page; page < range.end_page; ++page) {
      const PageUse use = pages.use[page];
      ++result.pages[static_cast<std::size_t>(use)];
      const char letter = use == PageUse::Program ? letters[pages.owner[page]] : row_of(use).letter;
      ++counts[static_cast<unsigned char>(letter)];
      if (++in_cell == result.cell_pages) end_cell();
    }
  }
  end_cell();
  return result;
}

}  // namespace reprise::machine::memory_report
