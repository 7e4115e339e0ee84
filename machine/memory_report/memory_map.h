// What each page of RAM, and each part of the largest address spaces, is used for at one instant.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "machine/memory_report/fault_log.h"
#include "machine/memory_report/page_tables.h"
#include "machine/memory_report/spaces.h"
#include "mmu/phys_map.h"
#include "mmu/ram.h"

namespace reprise::machine::memory_report {

enum class PageUse : u8 {
  Untouched,   // never written since the machine was made
  KernelCode,  // executable in the upper half
  Table,       // a page table
  Other,       // written at some time: the kernel's data, its cache of files, free memory
  Shared,      // mapped by several programs
  Program,     // mapped by one program
};
inline constexpr unsigned kPageUses = 6;
struct PageUseRow {
  char letter;
  std::string_view name;
};
const PageUseRow& row_of(PageUse use);

/// Pages near each other in an address space that are alike in rights and size.
struct MappedRun {
  u64 linear = 0;
  u64 bytes = 0;  // from the first page to the end of the last; there may be small gaps
  u64 page_bytes = 0;
  u64 pages = 0;  // present
  bool writable = false;
  bool executable = false;
};

struct MemoryMap {
  static constexpr std::size_t kCells = 4096;
  static constexpr std::size_t kOwners = 8;

  struct Owner {
    u32 space = 0;
    u64 resident_bytes = 0;
    std::vector<MappedRun> runs;  // of its lower half
    bool more_runs = false;
  };
  Moment at;
  /// By PageUse: how many pages of RAM.
  std::array<u64, kPageUses> pages{};
  /// Those of which most is resident, the first has most.
  std::vector<Owner> owners;
  u64 spaces = 0;
  /// What most pages of each `cell_pages` pages of RAM are, in the order of addresses: PageUseRow::letter, but for pages of
  /// the owners 'a', 'b' and so on.
  std::string cells;
  u64 cell_pages = 1;
  Owner kernel;  // the upper half
};

/// `live`: the spaces that go on. Nothing is changed.
MemoryMap map_memory(const PageTables& tables, const Spaces& spaces, const mmu::PhysMap& map,
                     const mmu::Ram& ram, Moment at);

}  // namespace reprise::machine::memory_report
