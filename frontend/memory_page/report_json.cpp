#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "frontend/memory_page/memory_page.h"
#include "machine/page_fault_kinds.h"

namespace reprise::frontend {
namespace {

namespace mr = machine::memory_report;
using Json = nlohmann::ordered_json;

/// Spaces that are shown by themselves; of the others the page has the sum.
constexpr std::size_t kMaxSpaces = 160;
/// Of which events and maps can tell the names.
constexpr u32 kMaxNames = 4096;

std::string hex(u64 value) { return fmt::format("{:#x}", value); }

Json moment_json(const mr::Moment& moment) { return {{"at", moment.retired}, {"ns", moment.ns}}; }

/// One number for each window.
Json series_json(const mr::Series& series, u32 windows) {
  std::vector<u64> values = series.values();
  const u64 behind = series.joined() == mr::Joined::Last && !values.empty() ? values.back() : 0;
  values.resize(windows, behind);
  return values;
}

Json fault_json(const mr::Fault& fault, const machine::symbols::KernelSymbols& symbols) {
  Json json = {{"at", fault.at.retired},
               {"ns", fault.at.ns},
               {"space", fault.space},
               {"linear", hex(fault.linear)},
               {"code", fault.error_code},
               {"rip", hex(fault.rip)},
               {"entry", hex(fault.entry_before)},
               {"took_ns", fault.answered_ns == 0 ? Json() : Json(fault.took_ns())}};
  if (fault.linked_rip) json["symbol"] = symbols.linked_text(*fault.linked_rip);
  return json;
}

Json faults_json(const mr::FaultLog& faults, u32 windows, const machine::symbols::KernelSymbols& symbols) {
  Json kinds = Json::array();
  for (unsigned i = 0; i < mr::kFaultKinds; ++i) {
    const auto kind = static_cast<mr::FaultKind>(i);
    Json sample = Json::array();
    for (const mr::Fault& fault : faults.sample(kind)) sample.push_back(fault_json(fault, symbols));
    Json slowest = Json::array();
    for (const mr::Fault& fault : faults.slowest(kind)) slowest.push_back(fault_json(fault, symbols));
    kinds.push_back({{"name", mr::row_of(kind).name},
                     {"meaning", mr::row_of(kind).meaning},
                     {"count", faults.count(kind)},
                     {"series", series_json(faults.series(kind), windows)},
                     {"durations", faults.durations(kind)},
                     {"sample", std::move(sample)},
                     {"slowest", std::move(slowest)}});
  }
  cpu::VcpuCounts counts;
  counts.page_faults = faults.by_error_code();
  Json codes = Json::array();
  for (const machine::PageFaultKind& kind : machine::page_fault_kinds(counts))
    codes.push_back({{"name", kind.name}, {"count", kind.count}});
  return {{"kinds", std::move(kinds)}, {"codes", std::move(codes)}};
}

Json entries_json(const mr::EntryLog& entries, u32 windows) {
  Json kinds = Json::array();
  for (unsigned i = 0; i < mr::kEntryEvents; ++i) {
    const auto event = static_cast<mr::EntryEvent>(i);
    Json sample = Json::array();
    for (const mr::EntryChanged& one : entries.sample(event))
      sample.push_back({{"at", one.at.retired},
                        {"ns", one.at.ns},
                        {"space", one.space},
                        {"linear", hex(one.linear)},
                        {"before", hex(one.before)},
                        {"after", hex(one.after)},
                        {"away_ns", one.away_ns == 0 ? Json() : Json(one.away_ns)}});
    kinds.push_back({{"name", mr::row_of(event).name},
                     {"meaning", mr::row_of(event).meaning},
                     {"count", entries.count(event)},
                     {"series", series_json(entries.series(event), windows)},
                     {"sample", std::move(sample)}});
  }
  return {{"kinds", std::move(kinds)}, {"away", entries.away()}};
}

Json owner_json(const mr::MemoryMap::Owner& owner) {
  Json runs = Json::array();
  for (const mr::MappedRun& run : owner.runs)
    runs.push_back({{"linear", hex(run.linear)},
                    {"bytes", run.bytes},
                    {"page_bytes", run.page_bytes},
                    {"pages", run.pages},
                    {"rights", fmt::format("r{}{}", run.writable ? 'w' : '-', run.executable ? 'x' : '-')}});
  return {{"space", owner.space},
          {"resident", owner.resident_bytes},
          {"more", owner.more_runs},
          {"runs", std::move(runs)}};
}

Json map_json(const mr::MemoryMap& map) {
  Json uses = Json::array();
  for (unsigned i = 0; i < mr::kPageUses; ++i) {
    const mr::PageUseRow& row = mr::row_of(static_cast<mr::PageUse>(i));
    uses.push_back({{"letter", std::string(1, row.letter)}, {"name", row.name}, {"pages", map.pages[i]}});
  }
  Json owners = Json::array();
  for (const mr::MemoryMap::Owner& owner : map.owners) owners.push_back(owner_json(owner));
  Json json = moment_json(map.at);
  json["uses"] = std::move(uses);
  json["cells"] = map.cells;
  json["cell_pages"] = map.cell_pages;
  json["spaces"] = map.spaces;
  json["owners"] = std::move(owners);
  json["kernel"] = owner_json(map.kernel);
  return json;
}

struct Use {
  u32 space;
  u64 sum = 0;   // over windows
  u32 peak = 0;  // of a window
};

/// As the kernel calls its process, where its symbols are known; else what it has executed.
std::string name_of(const mr::Space& space) {
  if (space.process.pid == 0) return space.name;
  return fmt::format("{} [{}]", space.process.name, space.process.pid);
}

Json space_json(const mr::MemoryReport& report, const Use& use) {
  const mr::Space& space = report.spaces()[use.space];
  Json set = Json::array();
  for (const mr::WorkingSets::Count& count : report.working_set(use.space))
    set.push_back({count.window, count.pages});
  return {{"id", use.space},
          {"name", name_of(space)},
          {"executed", space.name},
          {"words", space.words},
          {"user", space.user},
          {"root", use.space <= mr::Spaces::kOthers ? Json() : Json(hex(space.root))},
          {"begin", moment_json({space.begin_retired, space.begin_ns})},
          {"end_ns", space.end_ns == 0 ? Json() : Json(space.end_ns)},
          {"faults", space.faults},
          {"pages", report.pages_touched(use.space)},
          {"peak", use.peak},
          {"set", std::move(set)}};
}

void spaces_json(const mr::MemoryReport& report, u32 windows, Json& json) {
  std::vector<Use> uses;
  for (u32 space = 0; space < report.spaces().size(); ++space) {
    Use use{space};
    for (const mr::WorkingSets::Count& count : report.working_set(space)) {
      use.sum += count.pages;
      use.peak = std::max(use.peak, count.pages);
    }
    if (use.sum != 0) uses.push_back(use);
  }
  std::ranges::stable_sort(uses, std::ranges::greater{}, &Use::sum);
  const auto shown = static_cast<std::ptrdiff_t>(std::min(uses.size(), kMaxSpaces));
  std::vector<u64> rest(windows);
  std::vector<u64> all(windows);
  for (std::size_t i = 0; i < uses.size(); ++i) {
    for (const mr::WorkingSets::Count& count : report.working_set(uses[i].space)) {
      all[count.window] += count.pages;
      if (i >= kMaxSpaces) rest[count.window] += count.pages;
    }
  }
  std::ranges::sort(uses.begin(), uses.begin() + shown, {}, &Use::space);
  Json list = Json::array();
  for (auto use = uses.begin(); use != uses.begin() + shown; ++use) list.push_back(space_json(report, *use));
  json["names"] = Json::object();
  for (u32 space = 0; space < report.spaces().size() && space < kMaxNames; ++space)
    if (std::string name = name_of(report.spaces()[space]); !name.empty())
      json["names"][std::to_string(space)] = std::move(name);
  json["spaces"] = std::move(list);
  json["spaces_seen"] = uses.size();
  json["working_set"] = {{"exact", report.working_sets_exact()}, {"all", all}, {"not_listed", rest}};
}

}  // namespace

Json memory_report_json(const mr::MemoryReport& report) {
  const u32 windows = report.scale().current() + 1;
  Json json = {{"begin", moment_json(report.begin())},
               {"end", moment_json(report.end())},
               {"cut_off", report.cut_off()},
               {"window_ns", report.scale().width_ns()},
               {"windows", windows}};
  for (const mr::MeasureRow& row : mr::measure_rows())
    json["measures"][std::string(row.name)] = series_json(report.measure(row.measure), windows);
  json["faults"] = faults_json(report.faults(), windows, report.symbols());
  spaces_json(report, windows, json);
  json["entries"] = entries_json(report.entries(), windows);
  json["tables_complete"] = report.tables_complete();
  json["maps"] = Json::array();
  for (const mr::MemoryMap& map : report.maps()) json["maps"].push_back(map_json(map));
  json["phys_ranges"] = Json::array();
  for (const mr::MemoryReport::PhysRange& range : report.phys_ranges())
    json["phys_ranges"].push_back(
        {{"first", hex(range.first)}, {"last", hex(range.last)}, {"kind", range.kind}, {"name", range.name}});
  return json;
}

}  // namespace reprise::frontend
