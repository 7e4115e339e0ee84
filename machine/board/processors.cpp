#include "machine/board/processors.h"

#include <algorithm>

#include "cpu/state/flags.h"
#include "cpu/system/loaded_state.h"

namespace reprise::machine {

using cpu::VcpuExit;

VcpuExit Processors::run(u64 budget) {
  const u64 end = retired_now() + budget;
  const auto wants = [this](unsigned index) { return all_[index]->vcpu.runnable(); };
  for (;;) {
    const u64 position = retired_now();
    if (turns_.left(position) == 0) turns_.pass(position, wants);
    const VcpuExit exit = running().vcpu.run(std::min(end - position, turns_.left(position)));
    switch (exit) {
      case VcpuExit::Budget:
        if (retired_now() >= end) return exit;
        break;
      case VcpuExit::Halted:
      case VcpuExit::WaitForSipi:
        if (!turns_.pass(retired_now(), wants)) return exit;
        break;
      case VcpuExit::Shutdown:
      case VcpuExit::Attention: return exit;
    }
  }
}

u64 Processors::retired_now() const {
  u64 total = 0;
  for (const auto& processor : all_) total += processor->cpu.retired_now();
  return total;
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

std::string Processors::failure() const {
  for (const auto& processor : all_)
    if (std::string why = processor->engine->failure(); !why.empty()) return why;
  return {};
}

void Processors::serialize(Archive& archive) {
  turns_.serialize(archive);
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
}

void Processors::serialize_mmus(Archive& archive) {
  for (const auto& processor : all_) {
    processor->cpu.mmu.serialize(archive);
    const cpu::CpuState& state = processor->cpu.state;
    const mmu::PagingContext& paging = processor->cpu.mmu.context();
    if (paging.cr0 != state.cr0 || paging.cr3 != state.cr3 || paging.cr4 != state.cr4 ||
        paging.efer != state.efer)
      archive.fail();
  }
}

}  // namespace reprise::machine
