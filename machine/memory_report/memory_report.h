// MemoryReport: what virtual memory did during a run, for people: page faults, working sets, the TLB, over guest time.
// docs/report.md says what each number means. The page that shows it is frontend/memory_page.
//
// It only looks: at the beginning of each window all first-level tags go, so that the first access of each page in it comes
// by here. Nothing that the guest can see depends on it, so hash chains are the same with it and without.
#pragma once

#include <memory>
#include <vector>

#include "machine/machine.h"
#include "machine/memory_report/entry_log.h"
#include "machine/memory_report/fault_log.h"
#include "machine/memory_report/memory_map.h"
#include "machine/memory_report/page_tables.h"
#include "machine/memory_report/series_rows.h"
#include "machine/memory_report/spaces.h"
#include "machine/memory_report/windows.h"
#include "machine/memory_report/working_sets.h"
#include "machine/turn_observer.h"

namespace reprise::machine::memory_report {

/// Thread: the one that runs the machine.
class MemoryReport final : private TurnObserver {
 public:
  /// From now on, until finish(). `machine` outlives this.
  explicit MemoryReport(Machine& machine);
  ~MemoryReport() override;
  MemoryReport(const MemoryReport&) = delete;
  MemoryReport& operator=(const MemoryReport&) = delete;

  /// No more is looked at. Once, before what follows is asked for.
  void finish();
  /// It ended earlier, because the machine went back to a state of before: what it does again is not told twice.
  bool cut_off() const { return cut_off_; }

  /// Names of what faults were taken at.
  const symbols::KernelSymbols& symbols() const { return machine_.symbols(); }
  const Moment& begin() const { return begin_; }
  const Moment& end() const { return end_; }
  const WindowScale& scale() const { return scale_; }
  /// The first is that of what runs without an address space of its own: Spaces::kKernel and so on.
  const std::vector<Space>& spaces() const { return spaces_.all(); }
  /// Pages that `space` touched, by window.
  const std::vector<WorkingSets::Count>& working_set(u32 space) const {
    return working_sets_.counts(space, scale_.level());
  }
  /// In the whole time.
  u64 pages_touched(u32 space) const;
  bool working_sets_exact() const { return working_sets_.exact(); }
  const FaultLog& faults() const { return faults_; }
  const EntryLog& entries() const { return entries_; }
  /// Every page table was followed.
  bool tables_complete() const { return tables_.complete(); }
  /// At some instants, the last at the end.
  const std::vector<MemoryMap>& maps() const { return maps_; }
  /// What the board has at physical addresses.
  struct PhysRange {
    u64 first;
    u64 last;
    std::string kind;
    std::string name;
  };
  const std::vector<PhysRange>& phys_ranges() const { return phys_ranges_; }
  const Series& measure(Measure measure) const { return measures_[static_cast<std::size_t>(measure)]; }

 private:
  class Watch;

  u64 budget(u64 limit) override;
  void between_turns() override;

  void stop_looking();
  Moment now() const { return {machine_.retired(), machine_.virtual_ns()}; }
  void drop_tags();
  void measure_window();
  void measure_tables();
  PageTables::Calls table_calls();
  bool in_use(u64 root) const;
  void root_ended(u64 root);
  void paging_ended();
  /// A map for every kMapEvery windows; there are at most twice as many as windows / kMapEvery.
  static constexpr u32 kMapEvery = 128;
  void keep_map(u32 window);
  void halve_maps();
  void add(Measure measure, u64 count) {
    measures_[static_cast<std::size_t>(measure)].add(scale_.current(), count);
  }
  void set(Measure measure, u64 value) {
    measures_[static_cast<std::size_t>(measure)].set(scale_.current(), value);
  }

  /// Counters of the machine that only grow; what a window adds is their difference.
  struct Counters {
    u64 retired = 0;
    u64 flushes_all = 0, flushes_nonglobal = 0, flushes_pcid = 0, flushes_page = 0;
    u64 disk_reads = 0, disk_read_bytes = 0, disk_writes = 0, disk_written_bytes = 0;
  };
  Counters counters() const;

  Machine& machine_;
  const Moment begin_;
  Moment end_;  // while it goes on: when it was last looked at
  bool cut_off_ = false;
  WindowScale scale_;
  Spaces spaces_;
  symbols::LinuxTasks tasks_{machine_.symbols()};
  WorkingSets working_sets_;
  FaultLog faults_;
  EntryLog entries_;
  PageTables tables_;
  std::vector<MemoryMap> maps_;
  std::vector<PhysRange> phys_ranges_;
  std::vector<u32> map_windows_;  // like maps_: the window at whose end it was made
  std::vector<Series> measures_;
  Counters last_;
  std::vector<std::unique_ptr<Watch>> watches_;  // one for each processor; empty: finished
};

}  // namespace reprise::machine::memory_report
