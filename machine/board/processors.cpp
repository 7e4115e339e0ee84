#include "machine/board/processors.h"

#include <algorithm>

#include "cpu/state/flags.h"
#include "cpu/system/loaded_state.h"

namespace reprise::machine {

using cpu::VcpuExit;

VcpuExit Processors::run(u64 budget) {
  const u64 end = retired_now() + budget;
  for (;;) {
    const u64 position = retired_now();
    if (turns_.left(position) == 0) pass();
    ran_last_ = turns_.current();
    const VcpuExit exit = running().vcpu.run(std::min(end - position, turns_.left(position)));
    switch (exit) {
      case VcpuExit::Budget:
        if (retired_now() >= end) return exit;
        break;
      case VcpuExit::Pausing:
        turns_.pauses();
        pass();
        break;
      case VcpuExit::Halted:
      case VcpuExit::WaitForSipi:
        if (!pass()) return exit;
        break;
      case VcpuExit::Attention:
        if (turns_.by_urgency()) pass();
        return exit;
      case VcpuExit::Debugger:
      case VcpuExit::Shutdown: return exit;
    }
  }
}

u64 Processors::wanting() const {
  u64 wanting = 0;
  for (unsigned i = 0; i < count(); ++i) wanting |= u64{all_[i]->vcpu.runnable()} << i;
  return wanting;
}

bool Processors::pass() {
  const u64 position = retired_now();
  const unsigned before = turns_.current();
  const u64 all_wanting = wanting();
  const u64 retired = running().cpu.retired_now();
  if (!turns_.pass(position, all_wanting)) return false;
  others_retired_ = position - running().cpu.retired_now();
  // Who is the most urgent one still goes on with its turn.
  u32& pauses_left = running().cpu.state.pauses_left;
  const bool is_alone = all_wanting == u64{1} << turns_.current();
  if (is_alone)
    pauses_left = cpu::kPausesAlone;
  else if (!turns_.keeps_pauses() || turns_.current() != before || pauses_left == 0)
    pauses_left = cpu::kPausesOfATurn;
  else
    pauses_left = std::min(pauses_left, cpu::kPausesOfATurn);
  if (turn_listener_)
    turn_listener_({.position = position,
                    .from = before,
                    .to = turns_.current(),
                    .retired = retired,
                    .natural = (all_wanting >> before & 1) == 0 &&
                               turns_.current() == VcpuTurns::next_in_turn(before, all_wanting)});
  return true;
}

bool Processors::interruptible() const {
  return std::ranges::any_of(all_, [](const auto& processor) {
    const cpu::CpuState& state = processor->cpu.state;
    return state.activity == cpu::Activity::Halted && (state.rflags & cpu::kRflagsIf) != 0;
  });
}

unsigned Processors::highest_cpl() const {
  unsigned highest = 0;
  for (const auto& processor : all_) highest = std::max<unsigned>(highest, processor->cpu.state.cpl);
  return highest;
}

void Processors::serialize(Archive& archive) {
  turns_.serialize(archive);
  archive.at_most(ran_last_, count() - 1);
  for (const auto& processor : all_) {
    cpu::CpuState& state = processor->cpu.state;
    state.serialize(archive);
    if (!archive.loading()) continue;
    if (!cpu::impossible_in(state, processor->cpu.profile).empty()) {
      state = cpu::reset_state(processor->cpu.profile.signature(), 0);
      archive.fail();
    }
    processor->cpu.state_replaced();
  }
  if (!archive.loading()) return;
  others_retired_ = 0;
  for (const auto& processor : all_)
    if (processor->index() != turns_.current()) others_retired_ += processor->cpu.state.retired;
  if (turns_.begins_anew()) turns_.begin(retired_now());
}

void Processors::serialize_mmus(Archive& archive) {
  // Their control registers are those of the processors, which serialize() has brought to them.
  for (const auto& processor : all_) processor->cpu.mmu.serialize(archive);
}

}  // namespace reprise::machine
