// What is counted or measured for each window of guest time, beside page faults and working sets.
#pragma once

#include <span>
#include <string_view>

#include "machine/memory_report/windows.h"

namespace reprise::machine::memory_report {

enum class Measure : u8 {
  Instructions,
  WalksNew,    // page walks that found no translation of the address in the TLB
  WalksAgain,  // it had one, which did not allow the access, or D had to be set
  FlushesAll,
  FlushesNonglobal,
  FlushesPcid,
  FlushesPage,
  TlbSmallPages,  // usable translations at the end of the window, over all processors
  TlbLargePages,
  TlbReachBytes,
  DiskReads,
  DiskReadBytes,
  DiskWrites,
  DiskWrittenBytes,
  // At the end of the window:
  TablesUserPt,    // tables of PTEs of the lower half
  TablesKernelPt,  // of the upper half
  TablesPd,        // of larger entries, by level
  TablesPdpt,
  TablesPml4,
  TablesPml5,
  MappedUserSmall,  // pages of 4 KiB that programs have mapped, each as often as tables do
  MappedUserHuge,   // of 2 MiB
  SwappedOut,       // pages that are away
};
inline constexpr unsigned kMeasures = 23;

struct MeasureRow {
  Measure measure;
  std::string_view name;  // in the report's data
  Joined joined;
};
/// One for each, in their order.
std::span<const MeasureRow> measure_rows();

}  // namespace reprise::machine::memory_report
