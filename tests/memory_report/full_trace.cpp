// full_trace: compares the working sets of a memory report with a trace of every access.
//
//     full_trace BEGIN LENGTH run OPTIONS
//
// The machine runs BEGIN instructions, then LENGTH more: once with a report, once one instruction at a time with no
// first-level tag left from the one before, so that every access comes by, and once with nobody who looks. Pages in each
// window must be the same, and so must the state at the end. Output of the guest is dropped.
#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "machine/memory_report/memory_report.h"
#include "tests/run_of_options.h"

namespace reprise {
namespace {

namespace mr = machine::memory_report;

int complain(std::string_view text) {
  fmt::print(stderr, "full_trace: {}\n", text);
  return 1;
}

/// Pages by window and root of the page tables; roots that are none stand for what has no space of its own.
constexpr u64 kKernel = ~u64{0};
constexpr u64 kUnpaged = ~u64{1};
using PagesOf = std::map<std::pair<u32, u64>, u64>;

/// Every access, one instruction at a time.
class Trace final : public machine::TurnObserver {
 public:
  explicit Trace(machine::Machine& machine) : machine_(machine), begin_ns_(machine.virtual_ns()) {
    for (const auto& processor : machine_.pc().processors())
      watches_.push_back(std::make_unique<Watch>(*this, processor->cpu.mmu));
    machine_.add_observer(*this);
  }
  ~Trace() override { machine_.remove_observer(*this); }

  u64 budget(u64) override { return 1; }
  void between_turns() override {
    window_ = static_cast<u32>((machine_.virtual_ns() - begin_ns_) / mr::WindowScale::kFinestNs);
    ++turns_;
    for (const auto& watch : watches_) watch->mmu.drop_all_tags();
  }

  PagesOf pages_of(unsigned level) const {
    PagesOf pages;
    std::set<std::tuple<u32, u64, u64>> seen;
    for (const auto& [window, root, page] : touched_)
      if (seen.emplace(window >> level, root, page).second) ++pages[{window >> level, root}];
    return pages;
  }
  u64 turns() const { return turns_; }

 private:
  struct Watch final : mmu::PagingObserver {
    Watch(Trace& its_trace, mmu::Mmu& its_mmu) : trace(its_trace), mmu(its_mmu) {
      mmu.observe(this, nullptr);
    }
    ~Watch() override { mmu.observe(nullptr, nullptr); }
    void touched(u64 linear, mmu::Access, mmu::View, bool global) override {
      const mmu::PagingContext& context = mmu.context();
      const u64 root = !(context.cr0 & mmu::kCr0Pg)    ? kUnpaged
                       : global || (linear >> 63) != 0 ? kKernel
                                                       : context.cr3 & 0x000f'ffff'ffff'f000;
      trace.touched_.emplace(trace.window_, root, linear >> kPageShift);
    }
    void walked(u64, mmu::Access, const mmu::Translation&, bool) override {}
    void faulted(u64, u32) override {}
    void space_changed() override {}
    void word_stored(u64, u64, u64) override {}
    Trace& trace;
    mmu::Mmu& mmu;
  };

  machine::Machine& machine_;
  const u64 begin_ns_;
  u32 window_ = 0;
  u64 turns_ = 0;
  std::set<std::tuple<u32, u64, u64>> touched_;
  std::vector<std::unique_ptr<Watch>> watches_;
};

PagesOf pages_of(const mr::MemoryReport& report) {
  PagesOf pages;
  for (u32 space = 0; space < report.spaces().size(); ++space) {
    const u64 root = space == mr::Spaces::kKernel    ? kKernel
                     : space == mr::Spaces::kUnpaged ? kUnpaged
                                                     : report.spaces()[space].root;
    for (const mr::WorkingSets::Count& count : report.working_set(space))
      pages[{count.window, root}] += count.pages;
  }
  return pages;
}

int main_of(const std::vector<std::string>& words) {
  const Result<Stretch> stretch = parse_stretch(words);
  if (!stretch) return complain(stretch.error().message);
  const auto& [begin, end, options] = stretch.value();

  Run plain(options), traced(options), reported(options);
  for (Run* run : {&plain, &traced, &reported})
    if (const auto started = run->start(begin); !started) return complain(started.error().message);
  const machine::RunResult of_plain = plain.run_to(end);

  mr::MemoryReport report(*reported.machine);
  const machine::RunResult of_report = reported.run_to(end);
  report.finish();

  Trace trace(*traced.machine);
  const machine::RunResult of_trace = traced.run_to(end);

  if (of_report.state_hash != of_plain.state_hash || of_report.retired != of_plain.retired)
    return complain(fmt::format("the report changed the run: {} at {}, {} at {}", of_plain.message,
                                of_plain.retired, of_report.message, of_report.retired));
  if (of_trace.state_hash != of_plain.state_hash) return complain("the trace changed the run");

  const PagesOf expected = trace.pages_of(report.scale().level());
  const PagesOf seen = pages_of(report);
  u64 pages = 0;
  for (const auto& [where, count] : expected) {
    pages += count;
    const auto found = seen.find(where);
    const u64 reported_count = found == seen.end() ? 0 : found->second;
    if (reported_count != count)
      return complain(fmt::format("window {}, root {:#x}: {} pages were touched, the report has {}",
                                  where.first, where.second, count, reported_count));
  }
  for (const auto& [where, count] : seen)
    if (!expected.contains(where))
      return complain(fmt::format("window {}, root {:#x}: no page was touched, the report has {}",
                                  where.first, where.second, count));
  fmt::print("{} windows and spaces with {} pages agree, over {} instructions one by one\n", expected.size(),
             pages, trace.turns());
  return pages == 0 ? complain("nothing was compared") : 0;
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) { return reprise::main_of({argv + 1, argv + argc}); }
