#include "machine/past/fault_answer.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "machine/past/segments.h"

namespace reprise::machine {
namespace {

using cpu::CpuState;
using cpu::Passage;
using End = FaultAnswer::End;

/// Linux comes to these when the task that faulted does not go on.
constexpr std::string_view kNoReturn[] = {"oops_enter", "panic", "do_exit"};

/// Bits 51:12 of CR3, but for the one in which the two roots of a program differ under page-table isolation.
constexpr u64 kProgramMask = cpu::DebugStops::kRootMask & ~u64{0x1000};

/// A processor's mode may not have been brought up to date yet.
u64 linear_now(const CpuState& state) {
  const bool is64 = (state.efer & mmu::kEferLma) != 0 && (state.seg[cpu::CS].access & cpu::Segment::kLong);
  const u64 linear = state.rip + state.seg[cpu::CS].base;
  return is64 ? linear : static_cast<u32>(linear);
}

/// Who executes what, and where.
struct Thread {
  u64 root;
  u64 fs_base, gs_base;
  u64 stack;
  u8 cpl;
  explicit Thread(const CpuState& state)
      : root(state.cr3 & cpu::DebugStops::kRootMask),
        fs_base(state.seg[cpu::FS].base),
        gs_base(state.seg[cpu::GS].base),
        stack(state.gpr[cpu::RSP]),
        cpl(static_cast<u8>(state.cpl)) {}
  bool is_one_with(const Thread& other) const {
    if (root != other.root || fs_base != other.fs_base || cpl != other.cpl) return false;
    return cpl == 3 ? gs_base == other.gs_base : stack == other.stack;
  }
};

/// Hears what all processors do.
class FaultListener final : public cpu::HitListener {
 public:
  FaultListener(Machine& machine, unsigned processor) : machine_(machine), processor_(processor) {
    for (const auto& one : machine.pc().processors()) {
      watches_.push_back(std::make_unique<Watch>(*this, one->cpu, one->index()));
      one->cpu.event_observers.push_back(watches_.back().get());
    }
    for (const std::string_view name : kNoReturn)
      if (const auto linear = machine.symbols().address_of(name)) no_return_.emplace_back(*linear, name);
  }
  ~FaultListener() override {
    for (const auto& watch : watches_) std::erase(watch->cpu.event_observers, watch.get());
  }
  FaultListener(const FaultListener&) = delete;
  FaultListener& operator=(const FaultListener&) = delete;

  cpu::DebugStops::Wanted wanted() {
    cpu::DebugStops::Wanted wanted{.listener = this};
    for (const auto& [linear, name] : no_return_) wanted.breakpoints.push_back({.linear = linear});
    // While there is a breakpoint, engines stop at any boundary where they are asked to.
    if (answer_) wanted.breakpoints.push_back({.linear = answer_->rip});
    return wanted;
  }
  std::optional<FaultAnswer>& answer() { return answer_; }
  bool ended() const { return ended_; }

  void hit(const cpu::DebugHit& hit) override {
    if (!thread_ || ended_ || hit.cpu == nullptr) return;
    const CpuState& state = hit.cpu->state;
    if (((state.cr3 ^ thread_->root) & kProgramMask) != 0 || state.seg[cpu::FS].base != thread_->fs_base)
      return;
    for (const auto& [linear, name] : no_return_)
      if (linear == hit.linear) answer_->name = name;
    if (answer_->name.empty()) return;
    for (const auto& watch : watches_)
      if (&watch->cpu == hit.cpu) end(End::Named, watch->processor, hit.linear);
  }

 private:
  struct Watch final : cpu::EventObserver {
    Watch(FaultListener& its_listener, cpu::Cpu& its_cpu, unsigned its_processor)
        : listener(its_listener), cpu(its_cpu), processor(its_processor) {}
    void page_fault_raised(const cpu::Fault& fault) override { listener.raised(*this, fault); }
    void delivered(const cpu::Fault& event, u64) override { listener.delivered(*this, event); }
    void passed(Passage passage, u64) override { listener.passed(*this, passage); }
    FaultListener& listener;
    cpu::Cpu& cpu;
    const unsigned processor;
  };

  void raised(const Watch& watch, const cpu::Fault& fault) {
    if (answer_ || watch.processor != processor_) return;
    const CpuState& state = watch.cpu.state;
    thread_ = Thread(state);
    rip_ = state.rip;
    answer_ = FaultAnswer{.at = machine_.position(),
                          .rip = linear_now(state),
                          .user = state.cpl == 3,
                          .fault = fault,
                          .until = machine_.position()};
  }
  void delivered(const Watch& watch, const cpu::Fault& event) {
    if (!answer_ || answer_->delivered || watch.processor != processor_) return;
    answer_->delivered = FaultAnswer::Delivery{event.vector, linear_now(watch.cpu.state)};
  }
  void passed(Watch& watch, Passage passage) {
    if (!answer_ || ended_) return;
    if (passage == Passage::Shutdown && watch.processor == processor_)
      return end(End::Shutdown, processor_, linear_now(watch.cpu.state));
    if (passage != Passage::Iret && passage != Passage::Sysret && passage != Passage::Sysexit) return;
    const CpuState& state = watch.cpu.state;
    const Thread thread(state);
    if (!answer_->delivered || !thread.is_one_with(*thread_)) return;
    const bool again = state.rip == rip_ && thread.stack == thread_->stack;
    end(again ? End::Retried : End::Elsewhere, watch.processor, linear_now(state));
    // Before anything else is executed.
    watch.cpu.debug_stop = true;
    watch.cpu.stop_after_instruction();
  }
  void end(End how, unsigned processor, u64 linear) {
    ended_ = true;
    answer_->end = how;
    answer_->until = machine_.position();
    answer_->processor = processor;
    answer_->went_to = linear;
  }

  Machine& machine_;
  const unsigned processor_;
  std::vector<std::unique_ptr<Watch>> watches_;
  std::vector<std::pair<u64, std::string_view>> no_return_;
  std::optional<FaultAnswer> answer_;
  std::optional<Thread> thread_;  // that faulted
  u64 rip_ = 0;
  bool ended_ = false;
};

}  // namespace

Result<std::optional<FaultAnswer>> follow_fault(Excursion& trip, unsigned processor, u64 most_instructions) {
  Machine& machine = trip.machine();
  const Position from = machine.position();
  const Position known = trip.known_until().value_or(kEnd);
  FaultListener listener(machine, processor);
  const auto run_until = [&](u64 retired) {
    return trip.run_until(std::min(known, Position{retired, 0, 0}),
                          {listener.wanted(), [&] { return listener.ended(); }});
  };
  Excursion::End reached = run_until(from.retired + 1);
  std::optional<FaultAnswer>& answer = listener.answer();
  if (reached == Excursion::End::Interrupted) return interrupted();
  if (!answer) return std::optional<FaultAnswer>();
  if (reached == Excursion::End::There) reached = run_until(from.retired + most_instructions);
  if (reached == Excursion::End::Interrupted) return interrupted();
  if (listener.ended()) {
    // Behind the instruction that returned.
    if (answer->end == End::Retried || answer->end == End::Elsewhere) answer->until = machine.position();
    return answer;
  }
  answer->until = machine.position();
  answer->end = reached == Excursion::End::RunEnds ? End::RunEnds
                : !(machine.position() < known)    ? End::StillToCome
                                                   : End::TooLong;
  return answer;
}

}  // namespace reprise::machine
