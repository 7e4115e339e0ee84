#include "machine/past/excursion.h"

#include <utility>

#include "common/check.h"

namespace reprise::machine {

Result<std::unique_ptr<Excursion>> Excursion::begin(Machine& machine) {
  TRY(machine.check_can_go_back());
  if (machine.timeline_.travels())
    return Error{"The run is on its way to an instant: ask when it is there, or 'stop' it."};
  CHECK(!machine.away_);
  machine.keeps_history_ = true;
  if (machine.checkpoints_.empty()) machine.begin_history();
  if (!machine.present_)
    TRY(machine.leave_present());
  else
    machine.take_checkpoint();
  return std::unique_ptr<Excursion>(new Excursion(machine));
}

Excursion::Excursion(Machine& machine)
    : machine_(machine),
      was_past_(machine.position() < machine.present_->at),
      origin_(machine.checkpoints_.before(machine.position())),
      stopped_(std::exchange(machine.stopped_, false)),
      stop_at_retired_(std::exchange(machine.stop_at_retired_, std::nullopt)),
      next_checkpoint_retired_(machine.next_checkpoint_retired_),
      reset_ending_(machine.reset_ending_),
      figures_(machine.disks_.figures()),
      turn_observers_(std::exchange(machine.turn_observers_, {})),
      debugger_(machine.debugger_.leave()) {
  for (const auto& processor : machine.pc_.processors()) {
    cpu::Cpu& cpu = processor->cpu;
    observers_.push_back({cpu.mmu.paging_observer(), cpu.mmu.watched_stores(),
                          std::exchange(cpu.event_observers, {}), std::exchange(cpu.insn_observers, {})});
    if (cpu.mmu.paging_observer() != nullptr) cpu.mmu.observe(nullptr, nullptr);
  }
  machine.away_ = true;
}

Excursion::~Excursion() {
  machine_.restore(*origin_);
  // What waits at the present must not find it on its way.
  machine_.stopped_ = true;
  if (!was_past_) machine_.arrive();
  machine_.stopped_ = stopped_;
  machine_.stop_at_retired_ = stop_at_retired_;
  machine_.next_checkpoint_retired_ = next_checkpoint_retired_;
  machine_.reset_ending_ = reset_ending_;
  machine_.disks_.set_figures(figures_);
  machine_.turn_observers_ = turn_observers_;
  bool told = false;
  for (const auto& processor : machine_.pc_.processors()) {
    Observers& were = observers_[processor->index()];
    cpu::Cpu& cpu = processor->cpu;
    if (were.paging != nullptr) cpu.mmu.observe(were.paging, were.stores);
    cpu.event_observers = std::move(were.events);
    cpu.insn_observers = std::move(were.insns);
    told = told || !cpu.insn_observers.empty();
  }
  // Code that was translated meanwhile does not ask whether somebody wants to be told of it.
  if (told) machine_.pc_.forget_translations();
  machine_.debugger_.come_back(std::move(debugger_));
  machine_.away_ = false;
}

std::optional<Position> Excursion::known_until() const {
  if (machine_.replay_->recording() != nullptr) return std::nullopt;
  return machine_.present_->at;
}

Excursion::End Excursion::run(Machine& machine, const Position& end, Hears hears,
                              const std::function<bool()>& interrupted) {
  RunLimits limits;
  limits.attended = true;
  const auto enough = [&] { return hears.enough && hears.enough(); };
  machine.each_instruction_ = std::move(hears.between_instructions);
  machine.debugger_.exchange(hears.wanted);
  machine.timeline_.listen_until(end);
  End reached = End::There;
  while (reached == End::There && machine.position() < end) {
    if (enough())
      reached = End::Enough;
    else if (interrupted())
      reached = End::Interrupted;
    else if (machine.turn(limits))
      reached = End::RunEnds;
  }
  if (reached == End::There && enough()) reached = End::Enough;
  machine.timeline_.listen_no_more();
  machine.debugger_.exchange(hears.wanted);
  machine.each_instruction_ = nullptr;
  return reached;
}

}  // namespace reprise::machine
