// `explain`: what the MMU does for one address: the walk, what the TLB holds, what an access meets, what an entry that is not
// present says.
#include <fmt/format.h>

#include "machine/memory_report/leaf_entry.h"
#include "machine/monitor/command.h"
#include "machine/monitor/explain_fault.h"
#include "machine/monitor/expression.h"
#include "machine/monitor/walk_report.h"
#include "machine/past/questions.h"

namespace reprise::machine::monitor {
namespace {

using Tlb = mmu::SecondLevelTlb;

template <class... Args>
void line(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  text += '\n';
}

bool tlb_allows(const mmu::PagingContext& context, u64 data, mmu::Access access, mmu::View view) {
  if (data == 0 || (access == mmu::Access::Write && !(data & Tlb::kDirty))) return false;
  return mmu::access_permitted(context, data & Tlb::kUser, data & Tlb::kWritable, data & Tlb::kExecutable,
                               access, view);
}

Json tlb_json(u64 data) {
  if (data == 0) return {{"held", false}};
  return {{"held", true},
          {"phys", hex(data & kPageMask)},
          {"page_bytes", Tlb::page_bytes_of(data)},
          {"user", (data & Tlb::kUser) != 0},
          {"writable", (data & Tlb::kWritable) != 0},
          {"executable", (data & Tlb::kExecutable) != 0},
          {"dirty", (data & Tlb::kDirty) != 0},
          {"global", (data & Tlb::kGlobal) != 0}};
}

/// What the tables would put into the TLB differs from what is there, D aside.
bool is_behind(u64 data, const WalkReport& walk) {
  if (!walk.page) return true;
  const mmu::Translation& page = *walk.page;
  return (data & kPageMask) != (page.phys & kPageMask) || ((data & Tlb::kUser) != 0) != page.user ||
         ((data & Tlb::kWritable) != 0) != page.writable ||
         ((data & Tlb::kExecutable) != 0) != page.executable;
}

Outcome explain_now(Machine& machine, const Arguments& arguments) {
  mmu::Mmu& mmu = processor_of(machine, arguments).cpu.mmu;
  const mmu::PagingContext& context = mmu.context();
  const WalkReport walk = report_walk(mmu, arguments.number("address"));
  Outcome outcome = info_pagewalk(machine, arguments);
  if (!outcome || walk.steps.empty()) return outcome;
  Answer answer = outcome.take();

  const u64 data = walk.canonical ? mmu.second_level().find(walk.linear) : 0;
  answer.json["tlb"] = tlb_json(data);
  if (data == 0) {
    line(answer.text, "TLB   holds no translation: the next access walks the tables");
  } else {
    const bool behind = is_behind(data, walk);
    answer.json["tlb"]["as_the_tables"] = !behind;
    line(answer.text, "TLB   holds physical {:#x}, {} r{}{}{}{}, of a page of {}: {}",
         (data & kPageMask) | (walk.linear & ~kPageMask), data & Tlb::kUser ? "user" : "kernel",
         data & Tlb::kWritable ? 'w' : '-', data & Tlb::kExecutable ? 'x' : '-',
         data & Tlb::kDirty ? ", dirty" : ", not dirty", data & Tlb::kGlobal ? ", global" : "",
         size_text(Tlb::page_bytes_of(data)),
         behind ? "other than the tables say, and what it allows is done without them until a flush"
                : "as the tables say");
    for (const AccessVerdict& verdict : walk.verdicts) {
      if (verdict.allowed || !tlb_allows(context, data, verdict.access, verdict.view)) continue;
      line(answer.text, "      so {} as {} is allowed all the same", name_of(verdict.access),
           name_of(verdict.view));
    }
  }
  const WalkStep& last = walk.steps.back();
  if (last.raw & mmu::kPteP) return answer;
  const std::string meaning = memory_report::absent_entry_text(last.raw, last.structure == "PTE");
  answer.json["entry"] = meaning;
  line(answer.text, "entry {}", meaning);
  return answer;
}

/// Somebody knows how the run went on from where it stands.
bool goes_on_known(Machine& machine) {
  if (machine.travels() || !machine.check_can_go_back()) return false;
  return machine.in_past() || (machine.replay() != nullptr && machine.replay()->recording() != nullptr);
}

}  // namespace

Outcome explain(Machine& machine, const Arguments& arguments) {
  const std::optional<Position> at = TRY(instant_of(arguments, "at"));
  const unsigned processor = processor_of(machine, arguments).index();
  if (!at && !goes_on_known(machine)) {
    Answer answer = TRY(explain_now(machine, arguments));
    explain_unknown_answer(machine, processor, arguments.number("address"), answer);
    return answer;
  }
  Outcome outcome = Answer();
  const auto looked = look_at(machine, at.value_or(machine.position()), [&](Excursion& trip) -> Result<Done> {
    Arguments then = arguments;
    // A register is that of then, and the processor whose turn it is.
    Processor& its = processor_of(machine, arguments);
    const Result<u64> address = evaluate(its.cpu.state, arguments.word("address"), &machine.symbols());
    if (address) then.numbers["address"] = address.value();
    outcome = explain_now(machine, then);
    if (!outcome) return Done{};
    return explain_fault(trip, its.index(), then.number("address"), outcome.value());
  });
  if (!looked) return CommandError{CommandError::Kind::Failed, looked.error().message};
  return outcome;
}

}  // namespace reprise::machine::monitor
