#include "machine/monitor/explain_fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "machine/memory_report/fault_log.h"
#include "machine/monitor/walk_report.h"
#include "machine/past/fault_answer.h"

namespace reprise::machine::monitor {
namespace {

using memory_report::LeafEntry;
using End = FaultAnswer::End;

/// Begins a line, or goes on with what the one before began.
template <class... Args>
void line(std::string& text, std::string_view head, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), "{:<5} ", head);
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  text += '\n';
}

std::string_view end_name(End end) {
  switch (end) {
    case End::Retried: return "retried";
    case End::Elsewhere: return "elsewhere";
    case End::Named: return "no return";
    case End::Shutdown: return "shutdown";
    case End::RunEnds: return "run ends";
    case End::StillToCome: return "still to come";
    case End::TooLong: return "too long";
  }
  return "";
}

/// What became of it, as a sentence goes on.
std::string end_text(Machine& machine, const FaultAnswer& fault) {
  const std::string place = place_text(machine.symbols(), fault.went_to);
  switch (fault.end) {
    case End::Retried: return fmt::format("processor {} returns to the instruction", fault.processor);
    case End::Elsewhere:
      return fault.user ? fmt::format("processor {} goes on at {} instead, as in a signal handler",
                                      fault.processor, place)
                        : fmt::format(
                              "processor {} goes on at {} instead, which is for errors that the "
                              "kernel expects",
                              fault.processor, place);
    case End::Named:
      return fmt::format("the kernel is in {} for it, from where nothing returns to the instruction",
                         fault.name);
    case End::Shutdown:
      return fmt::format("processor {} shuts down, as no handler could be entered", fault.processor);
    case End::RunEnds: return "the run ends before the instruction is tried again";
    case End::StillToCome:
      return "the run has not come farther than that: let it go on, and ask again with 'at'";
    case End::TooLong:
      return fmt::format("the instruction was not tried again within {} instructions",
                         kMostAnswerInstructions);
  }
  return "";
}

struct Flushes {
  u64 all = 0, nonglobal = 0, pcid = 0, page = 0;
};

Flushes flushes_of(Machine& machine) {
  Flushes sum;
  for (const auto& processor : machine.pc().processors()) {
    const mmu::MmuStats& stats = processor->cpu.mmu.stats();
    sum.all += stats.flushes_all;
    sum.nonglobal += stats.flushes_nonglobal;
    sum.pcid += stats.flushes_pcid;
    sum.page += stats.flushes_page;
  }
  return sum;
}

/// What there was before the fault.
struct Before {
  WalkReport walk;
  LeafEntry leaf;
  std::vector<u8> content;  // of the page, if there was one
  DiskCounters disks;
  Flushes flushes;
};

std::vector<u8> content_of(mmu::Mmu& mmu, const WalkReport& walk) {
  if (!walk.page) return {};
  const u8* const host = mmu.phys_map().ram_host(walk.page->phys & kPageMask, kPageBytes);
  return host == nullptr ? std::vector<u8>() : std::vector<u8>(host, host + kPageBytes);
}

Before look_before(Machine& machine, mmu::Mmu& mmu, u64 linear) {
  Before before{.walk = report_walk(mmu, linear),
                .leaf = memory_report::find_leaf(mmu.context(), mmu.phys_map(), linear),
                .content = {},
                .disks = machine.disks().traffic(),
                .flushes = flushes_of(machine)};
  before.content = content_of(mmu, before.walk);
  return before;
}

void tell_fault(Machine& machine, const FaultAnswer& fault, Answer& answer) {
  const symbols::KernelSymbols& names = machine.symbols();
  const mmu::Access access = memory_report::access_of(fault.fault.error_code);
  const std::string_view rights = fault.user ? "user" : "kernel";
  const std::string bits = error_code_bits(fault.fault.error_code);
  Json& json = answer.json["fault"];
  json = {{"position", position_text(fault.at)},
          {"rip", hex(fault.rip)},
          {"access", name_of(access)},
          {"rights", rights},
          {"error_code", fault.fault.error_code},
          {"cr2", hex(fault.fault.linear)}};
  line(answer.text, "fault", "{}: {} as {} by {}; error code {:#x}{}, CR2 {:#x}", position_text(fault.at),
       name_of(access), rights, place_text(names, fault.rip), fault.fault.error_code,
       bits.empty() ? "" : fmt::format(" ({})", bits), fault.fault.linear);
  if (!fault.delivered) return;
  json["vector"] = fault.delivered->vector;
  json["handler"] = hex(fault.delivered->handler);
  if (const std::string name = names.text(fault.delivered->handler); !name.empty()) json["symbol"] = name;
  line(answer.text, "", "vector {} enters {}", fault.delivered->vector,
       place_text(names, fault.delivered->handler));
}

/// Entries that the walk reads now and did not read before, or were others.
void tell_entries(const WalkReport& before, const WalkReport& now, Answer& answer) {
  Json list = Json::array();
  for (const WalkStep& step : now.steps) {
    const auto was = std::ranges::find_if(before.steps, [&](const WalkStep& other) {
      return other.structure == step.structure && other.entry_phys == step.entry_phys &&
             other.in_register == step.in_register;
    });
    if (was != before.steps.end() && was->raw == step.raw) continue;
    const std::string old =
        was == before.steps.end() ? "new" : fmt::format("{:0{}x}", was->raw, 2 * step.entry_bytes);
    Json entry = {{"structure", step.structure}};
    if (!step.in_register) entry["address"] = hex(step.entry_phys);
    if (was != before.steps.end()) entry["before"] = hex(was->raw);
    entry["now"] = hex(step.raw);
    entry["bits"] = step.bits;
    list.push_back(std::move(entry));
    line(answer.text, "", "{:<5} [{:3}] at {:#012x}  {} -> {:0{}x}  {}", step.structure, step.index,
         step.entry_phys, old, step.raw, 2 * step.entry_bytes, step.bits);
  }
  if (list.empty()) line(answer.text, "", "no entry of the walk is another one");
  answer.json["answer"]["entries"] = std::move(list);
}

/// The page, where the thread goes on.
void tell_page(Machine& machine, const FaultAnswer& fault, const Before& before, Answer& answer) {
  cpu::Cpu& cpu = machine.pc().processors().at(fault.processor).cpu;
  const WalkReport now = report_walk(cpu.mmu, fault.fault.linear);
  tell_entries(before.walk, now, answer);
  const mmu::Access access = memory_report::access_of(fault.fault.error_code);
  const mmu::View view = fault.user                          ? mmu::View::User
                         : cpu.state.rflags & cpu::kRflagsAc ? mmu::View::KernelAc
                                                             : mmu::View::Kernel;
  PeekMemory memory(cpu.mmu.phys_map(), cpu.mmu.a20_enabled());
  const bool allowed =
      page_walk(cpu.mmu.context(), memory, now.linear, access, view, mmu::WalkEffects::None).ok;
  Json& json = answer.json["answer"];
  json["allowed"] = allowed;
  if (!allowed || !now.page) {
    line(answer.text, "", "{} as {} still faults", name_of(access), name_of(view));
    return;
  }
  const memory_report::FaultKind kind =
      memory_report::answered_kind(fault.fault.error_code, before.leaf, *now.page, cpu.mmu.phys_map());
  const memory_report::KindRow& row = row_of(kind);
  json["kind"] = row.name;
  line(answer.text, "", "{}: {}", row.name, row.meaning);
  if (kind != memory_report::FaultKind::CopyOnWrite || before.content.empty()) return;
  const bool same = content_of(cpu.mmu, now) == before.content;
  json["same_content"] = same;
  line(answer.text, "", "the page at {:#x} holds {} that at {:#x} held", now.page->phys & kPageMask,
       same ? "what" : "something else than", before.walk.page->phys & kPageMask);
}

std::string disks_text(const DiskCounters& before, const DiskCounters& now, Json& json) {
  const u64 reads = now.reads - before.reads, writes = now.writes - before.writes;
  json = {{"reads", reads},
          {"bytes_read", now.bytes_read - before.bytes_read},
          {"writes", writes},
          {"bytes_written", now.bytes_written - before.bytes_written}};
  if (reads + writes == 0) return "disks were not used";
  return fmt::format("disks were read {} times ({}), written {} times ({})", reads,
                     size_text(now.bytes_read - before.bytes_read), writes,
                     size_text(now.bytes_written - before.bytes_written));
}

std::string flushes_text(const Flushes& before, const Flushes& now, Json& json) {
  const struct {
    const char *key, *name;
    u64 count;
  } rows[] = {{"all", "everything", now.all - before.all},
              {"nonglobal", "all but global pages", now.nonglobal - before.nonglobal},
              {"pcid", "one PCID", now.pcid - before.pcid},
              {"page", "one page", now.page - before.page}};
  std::string text;
  for (const auto& row : rows) {
    json[row.key] = row.count;
    if (row.count != 0) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", row.name, row.count);
  }
  return text.empty() ? "TLBs were not flushed" : "TLBs were flushed of " + text;
}

bool same_page(u64 a, u64 b) { return ((a ^ b) & kPageMask) == 0; }

}  // namespace

Result<Done> explain_fault(Excursion& trip, unsigned processor, u64 linear, Answer& answer) {
  Machine& machine = trip.machine();
  if (const auto known = trip.known_until(); known && *known <= machine.position()) {
    explain_unknown_answer(machine, processor, linear, answer);
    return Done{};
  }
  const Before before = look_before(machine, machine.pc().processors().at(processor).cpu.mmu, linear);
  const u64 ns = machine.virtual_ns();
  const std::optional<FaultAnswer> fault = TRY(follow_fault(trip, processor));
  if (!fault) return Done{};
  tell_fault(machine, *fault, answer);
  if (!same_page(fault->fault.linear, before.walk.linear)) {
    line(answer.text, "", "that is another page: explain {:#x}", fault->fault.linear);
    return Done{};
  }
  Json& json = answer.json["answer"];
  const u64 instructions = fault->until.retired - fault->at.retired;
  json = {{"end", end_name(fault->end)},
          {"position", position_text(fault->until)},
          {"instructions", instructions},
          {"ns", fault->until.virtual_ns - std::min(ns, fault->until.virtual_ns)}};
  line(answer.text, "then", "{}, {} instructions and {:.6f} s later: {}", position_text(fault->until),
       instructions, static_cast<double>(json["ns"].get<u64>()) / 1e9, end_text(machine, *fault));
  if (fault->end == End::Retried || fault->end == End::Elsewhere || fault->end == End::Named) {
    json["cpu"] = fault->processor;
    json["rip"] = hex(fault->went_to);
    if (const std::string name = machine.symbols().text(fault->went_to); !name.empty()) json["symbol"] = name;
  }
  if (fault->end != End::Retried && fault->end != End::Elsewhere) return Done{};
  tell_page(machine, *fault, before, answer);
  const std::string disks = disks_text(before.disks, machine.disks().traffic(), json["disks"]);
  line(answer.text, "", "{}; {}", disks, flushes_text(before.flushes, flushes_of(machine), json["flushes"]));
  return Done{};
}

void explain_unknown_answer(Machine& machine, unsigned processor, u64 linear, Answer& answer) {
  const WalkReport walk = report_walk(machine.pc().processors().at(processor).cpu.mmu, linear);
  // What only the kernel may use is seldom what is asked about.
  if (!walk.canonical || walk.steps.empty() || (walk.page && (!walk.page->user || walk.page->writable)))
    return;
  const Result<Done> history = machine.check_can_go_back();
  const std::string why =
      history
          ? fmt::format(
                "what the kernel does about a fault here is still to come: let the run go on, then "
                "'explain {:#x} at {}'",
                walk.linear, position_text(machine.position()))
          : "what the kernel does about a fault is shown of a run that keeps a history (--checkpoints on), "
            "or of a recording by 'reprise ask'";
  answer.json["answer"] = {{"end", "unknown"}, {"why", why}};
  line(answer.text, "then", "{}", why);
}

}  // namespace reprise::machine::monitor
