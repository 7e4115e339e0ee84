#include "machine/memory_report/memory_report.h"

#include <algorithm>

#include "mmu/page_walk_impl.h"

namespace reprise::machine::memory_report {

/// What one processor does.
class MemoryReport::Watch final : public mmu::PagingObserver {
 public:
  Watch(MemoryReport& report, cpu::Cpu& cpu) : report_(report), cpu_(cpu) {
    cpu_.mmu.observe(this, &report_.tables_.watched());
    space_changed();
  }
  ~Watch() override { cpu_.mmu.observe(nullptr, nullptr); }

  void drop_tags() { cpu_.mmu.drop_all_tags(); }
  void watch(u64 phys_page) { cpu_.mmu.drop_write_tags(phys_page); }
  /// It uses page tables, or will again when it leaves SMM.
  bool pages() const { return root().has_value() || cpu_.state.in_smm; }
  /// The root in CR3; no value: paging is off.
  std::optional<u64> root() const {
    const mmu::PagingContext& context = cpu_.mmu.context();
    if (mmu::paging_mode(context) == mmu::PagingMode::None) return std::nullopt;
    return context.cr3 & mmu::kEntryAddressMask;
  }

  // mmu::PagingObserver
  void touched(u64 linear, mmu::Access access, mmu::View view, bool global) override {
    const u32 space = space_of(linear, global);
    report_.working_sets_.touch(space, linear, report_.scale_.finest());
    if (access != mmu::Access::Fetch || view != mmu::View::User) return;
    report_.spaces_.at(space).user = true;
    report_.spaces_.find_name(space, cpu_);
    if (const auto process = report_.tasks_.current(cpu_)) report_.spaces_.runs(space, *process);
  }
  void walked(u64 linear, mmu::Access access, const mmu::Translation& translation, bool held) override {
    report_.add(held ? Measure::WalksAgain : Measure::WalksNew, 1);
    if (report_.faults_.waits()) {
      report_.faults_.walked(space_of(linear, false), linear, access, translation, cpu_.mmu.phys_map(),
                             report_.machine_.virtual_ns());
    }
  }
  void faulted(u64 linear, u32 error_code) override {
    const u32 space = space_of(linear, false);
    ++report_.spaces_.at(space_).faults;
    const LeafEntry before = find_leaf(cpu_.mmu.context(), cpu_.mmu.phys_map(), linear);
    report_.faults_.faulted({.at = report_.now(),
                             .space = space,
                             .linear = linear,
                             .error_code = error_code,
                             .rip = cpu_.state.rip,
                             .linked_rip = report_.machine_.symbols().linked(cpu_.state.rip),
                             .entry_before = before.raw},
                            before, report_.scale_.finest());
  }
  void space_changed() override {
    const std::optional<u64> cr3 = root();
    if (!cr3) {
      space_ = Spaces::kUnpaged;
      return report_.paging_ended();
    }
    const Moment now = report_.now();
    space_ = report_.spaces_.of_root(*cr3, now.ns, now.retired);
    const mmu::PagingMode mode = mmu::paging_mode(cpu_.mmu.context());
    if (mode == mmu::PagingMode::Level4 || mode == mmu::PagingMode::Level5)
      report_.tables_.loaded(*cr3, mode == mmu::PagingMode::Level5 ? 5 : 4, space_);
  }
  void word_stored(u64 phys, u64 before, u64 after) override {
    report_.tables_.word_stored(phys, before, after);
  }

 private:
  u32 space_of(u64 linear, bool global) const {
    if (space_ == Spaces::kUnpaged) return space_;
    return global || linear >> 63 != 0 ? Spaces::kKernel : space_;
  }

  MemoryReport& report_;
  cpu::Cpu& cpu_;
  u32 space_ = Spaces::kUnpaged;
};

MemoryReport::MemoryReport(Machine& machine)
    : machine_(machine),
      begin_(now()),
      end_(begin_),
      scale_(begin_.ns),
      tables_(machine.pc().phys_map(), table_calls()),
      last_(counters()) {
  for (const MeasureRow& row : measure_rows()) measures_.emplace_back(row.joined);
  working_sets_.set_ended([this](u32 space) { return spaces_.at(space).end_ns != 0; });
  for (const auto& processor : machine_.pc().processors())
    watches_.push_back(std::make_unique<Watch>(*this, processor->cpu));
  machine_.add_observer(*this);
}

MemoryReport::~MemoryReport() {
  if (!watches_.empty()) machine_.remove_observer(*this);
}

void MemoryReport::finish() {
  if (watches_.empty()) return;  // cut off
  between_turns();
  if (watches_.empty()) return;
  measure_window();
  keep_map(scale_.current());
  end_ = now();
  stop_looking();
}

void MemoryReport::stop_looking() {
  faults_.end_all();
  for (const mmu::PhysMap::Range& range : machine_.pc().phys_map().ranges())
    phys_ranges_.push_back({range.first_phys, range.last_phys,
                            std::string(mmu::PhysMap::kind_name(range.kind)), std::string(range.name)});
  watches_.clear();
  machine_.remove_observer(*this);
}

u64 MemoryReport::pages_touched(u32 space) const {
  const auto& counts = working_sets_.counts(space, WindowScale::kLevels - 1);
  u64 pages = 0;
  for (const WorkingSets::Count& count : counts) pages += count.pages;
  return pages;
}

u64 MemoryReport::budget(u64 limit) {
  const u64 now_ns = machine_.virtual_ns();
  return std::clamp<u64>(scale_.end_ns() - std::min(now_ns, scale_.end_ns()), 1, limit);
}

void MemoryReport::between_turns() {
  const Moment here = now();
  if (here.retired < end_.retired || here.ns < end_.ns) {
    cut_off_ = true;
    return stop_looking();
  }
  end_ = here;
  const u64 now_ns = here.ns;
  if (now_ns < scale_.end_ns()) return;
  measure_window();
  const u32 before = scale_.current();
  unsigned wider = scale_.move_to(now_ns);
  if ((before >> wider) / kMapEvery != scale_.current() / kMapEvery) keep_map(before);
  for (; wider > 0; --wider) {
    for (Series& series : measures_) series.halve();
    faults_.halve();
    entries_.halve();
    halve_maps();
  }
  working_sets_.forget_below(scale_.level());
  drop_tags();
}

void MemoryReport::drop_tags() {
  for (const auto& watch : watches_) watch->drop_tags();
}

void MemoryReport::measure_window() {
  const Counters now = counters();
  add(Measure::Instructions, now.retired - last_.retired);
  add(Measure::FlushesAll, now.flushes_all - last_.flushes_all);
  add(Measure::FlushesNonglobal, now.flushes_nonglobal - last_.flushes_nonglobal);
  add(Measure::FlushesPcid, now.flushes_pcid - last_.flushes_pcid);
  add(Measure::FlushesPage, now.flushes_page - last_.flushes_page);
  add(Measure::DiskReads, now.disk_reads - last_.disk_reads);
  add(Measure::DiskReadBytes, now.disk_read_bytes - last_.disk_read_bytes);
  add(Measure::DiskWrites, now.disk_writes - last_.disk_writes);
  add(Measure::DiskWrittenBytes, now.disk_written_bytes - last_.disk_written_bytes);
  last_ = now;
  mmu::SecondLevelTlb::Reach reach;
  for (const auto& processor : machine_.pc().processors()) {
    const mmu::SecondLevelTlb::Reach one = processor->cpu.mmu.second_level().reach();
    reach.small += one.small;
    reach.large += one.large;
  }
  set(Measure::TlbSmallPages, reach.small);
  set(Measure::TlbLargePages, reach.large);
  set(Measure::TlbReachBytes, reach.bytes());
  measure_tables();
}

void MemoryReport::measure_tables() {
  using Half = PageTables::Half;
  const auto both = [&](unsigned level) {
    return tables_.tables(level, Half::Lower) + tables_.tables(level, Half::Upper);
  };
  set(Measure::TablesUserPt, tables_.tables(1, Half::Lower));
  set(Measure::TablesKernelPt, tables_.tables(1, Half::Upper));
  set(Measure::TablesPd, both(2));
  set(Measure::TablesPdpt, both(3));
  set(Measure::TablesPml4, both(4));
  set(Measure::TablesPml5, both(5));
  set(Measure::MappedUserSmall, tables_.mapped(1, Half::Lower));
  set(Measure::MappedUserHuge, tables_.mapped(2, Half::Lower));
  set(Measure::SwappedOut, entries_.out_now());
}

PageTables::Calls MemoryReport::table_calls() {
  return {.watch =
              [this](u64 phys_page) {
                for (const auto& watch : watches_) watch->watch(phys_page);
              },
          .changed = [this](const EntryChange& change) { entries_.changed(change, now(), scale_.current()); },
          .in_use = [this](u64 root) { return in_use(root); },
          .ended = [this](u64 root) { root_ended(root); }};
}

bool MemoryReport::in_use(u64 root) const {
  return std::ranges::any_of(watches_, [root](const auto& watch) { return watch->root() == root; });
}

void MemoryReport::root_ended(u64 root) {
  if (const std::optional<u32> space = spaces_.find(root)) faults_.end(*space);
  spaces_.end(root, machine_.virtual_ns());
}

// A processor without paging: when there is no other any more, what tables were may be anything.
void MemoryReport::paging_ended() {
  if (std::ranges::any_of(watches_, [](const auto& watch) { return watch->pages(); })) return;
  std::vector<u64> roots;
  spaces_.for_each_live([&](u32, u64 root) { roots.push_back(root); });
  for (const u64 root : roots) root_ended(root);
  tables_.forget_all();
}

void MemoryReport::keep_map(u32 window) {
  maps_.push_back(map_memory(tables_, spaces_, machine_.pc().phys_map(), machine_.ram(), now()));
  map_windows_.push_back(window);
}

// Of two whose stretches of windows become one, the later one stays.
void MemoryReport::halve_maps() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < maps_.size(); ++i) {
    const u32 window = map_windows_[i] / 2;
    if (kept != 0 && window / kMapEvery == map_windows_[kept - 1] / kMapEvery) --kept;
    if (kept != i) maps_[kept] = std::move(maps_[i]);
    map_windows_[kept++] = window;
  }
  maps_.resize(kept);
  map_windows_.resize(kept);
}

MemoryReport::Counters MemoryReport::counters() const {
  Counters sum;
  sum.retired = machine_.retired();
  for (const auto& processor : machine_.pc().processors()) {
    const mmu::MmuStats& stats = processor->cpu.mmu.stats();
    sum.flushes_all += stats.flushes_all;
    sum.flushes_nonglobal += stats.flushes_nonglobal;
    sum.flushes_pcid += stats.flushes_pcid;
    sum.flushes_page += stats.flushes_page;
  }
  const DiskCounters traffic = machine_.disks().traffic();
  sum.disk_reads = traffic.reads;
  sum.disk_read_bytes = traffic.bytes_read;
  sum.disk_writes = traffic.writes;
  sum.disk_written_bytes = traffic.bytes_written;
  return sum;
}

}  // namespace reprise::machine::memory_report
