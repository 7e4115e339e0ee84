// Interpreting one block, and what follows a handler's Status: shared by every engine.
#pragma once

#include <algorithm>
#include <optional>

#include "cpu/blocks/block_cache.h"
#include "cpu/core/boundary.h"
#include "cpu/engine/engine.h"

namespace reprise::cpu {

/// Linear address of the next instruction.
inline u64 fetch_linear(const Cpu& cpu) { return cpu.linear_of_rip(cpu.state.rip); }

/// A debugger's breakpoint is at `linear`, where the next instruction is, and has not stopped the processor here yet: now
/// it does. Engines ask wherever such an instruction may be next.
inline bool stops_before(Cpu& cpu, u64 linear) {
  if (cpu.stops == nullptr) [[likely]]
    return false;
  if (cpu.breakpoint_passed == cpu.state.retired) return false;
  if (!cpu.stops->breaks_at(linear, cpu.state.cr3, (cpu.state.cr0 & mmu::kCr0Pg) != 0)) return false;
  cpu.breakpoint_passed = cpu.state.retired;
  cpu.debug_stop = cpu.stops->hit_breakpoint(cpu, linear);
  return cpu.debug_stop;
}

/// Brings rip, `retired` and mode up to date after `last` returned `status`. `completed` counts from the
/// beginning of the block, `last` included; `retired` is still that of the beginning. No value: the engine
/// goes on.
inline std::optional<RunExit> retire(Cpu& cpu, Status status, const Insn& last, u64 completed) {
  CpuState& state = cpu.state;
  bool stop = cpu.block_end == nullptr || cpu.debug_hits != 0;
  cpu.extra_retired = 0;
  cpu.current = cpu.block_begin = nullptr;
  switch (status) {
    case Status::Next:
      state.rip = cpu.next_rip(last);
      state.retired += completed;
      break;
    case Status::Jump: state.retired += completed; break;
    case Status::Stop: state.rip = cpu.next_rip(last); [[fallthrough]];
    case Status::StopJump:
      state.retired += completed;
      cpu.sync_mode();
      stop = true;
      break;
    case Status::Fault:
      state.rip = cpu.rip_of(last);
      state.retired += completed - 1;
      return RunExit::Fault;
    case Status::Trap:
      state.rip = cpu.next_rip(last);
      state.retired += completed;
      return RunExit::Trap;
    case Status::Restart:
      // SDM 3B 17.3.1.1: an event between iterations saves RF = 1.
      state.rflags |= kRflagsRf;
      state.rip = cpu.rip_of(last);
      state.retired += completed - 1;
      // Where the budget goes on, so does the next iteration: as any instruction, with RF clear.
      stop |= completed < cpu.block_budget;
      cpu.breakpoint_passed = state.retired;
      break;
  }
  // A debugger may stop at any boundary, and finds there what a budget that ended there would have left.
  if (stop && (completed >= cpu.block_budget || cpu.stops != nullptr || !pass_boundary(cpu)))
    return RunExit::Event;
  return std::nullopt;
}

/// How many of the block's first `count` instructions lie within the CS limit. One that does not decode counts as a byte.
inline u32 within_limit(const Cpu& cpu, const Block& block, u32 count) {
  if (cpu.mode.has(ModeKey::kFlatCode)) return count;
  const u64 limit = cpu.state.seg[CS].limit;
  const u64 start_offset = block.insns[0].offset;
  u32 allowed = 0;
  while (allowed < count) {
    const Insn& insn = block.insns[allowed];
    const u64 end_offset = std::max<u64>(insn.next_offset, insn.offset + 1u);
    if (cpu.state.rip + (end_offset - start_offset) - 1 > limit) break;
    ++allowed;
  }
  return allowed;
}

/// An observer wants to be told of the instructions of `block`, which lies at `linear`: it is to be interpreted.
inline bool wants_told(const Cpu& cpu, const Block& block, u64 linear) {
  if (cpu.insn_observers.empty()) [[likely]]
    return false;
  return std::ranges::any_of(cpu.insn_observers, [&](const InsnObserver* observer) {
    return !observer->knows(linear, block.bytes);
  });
}

/// One instruction of `block`, which lies at `linear`, with those who are told.
inline Status execute_told(Cpu& cpu, const Block& block, const Insn& insn, u64 linear) {
  for (InsnObserver* const observer : cpu.insn_observers)
    observer->begins(insn, align_down(linear, kPageBytes) + insn.offset,
                     align_down(block.phys, kPageBytes) + insn.offset, block.second_phys);
  const Status status = insn.exec(cpu, insn);
  for (InsnObserver* const observer : cpu.insn_observers) observer->ended(insn, status);
  return status;
}

/// Runs `block`, which lies at `linear`, or as much of it as may retire before `target`. No value: the engine
/// goes on.
inline std::optional<RunExit> interpret(Cpu& cpu, const Block& block, u64 linear, u64 target) {
  CpuState& state = cpu.state;
  cpu.block_budget = target - state.retired;
  u32 count = static_cast<u32>(std::min<u64>(block.count, cpu.block_budget));
  count = within_limit(cpu, block, count);
  if (count == 0) [[unlikely]] {
    cpu.raise(kGP, 0);
    return RunExit::Fault;
  }
  state.gpr[kGprPageBase] = state.rip - (linear & ~kPageMask);
  const Insn* const begin = block.insns.get();
  const Insn* in = begin;
  cpu.block_begin = begin;
  cpu.block_end = begin + count;
  cpu.extra_retired = 0;

  Status status;
  if (wants_told(cpu, block, linear)) [[unlikely]] {
    do {
      cpu.current = in;
      status = execute_told(cpu, block, *in, linear);
      ++in;
    } while (status == Status::Next && in < cpu.block_end);
  } else {
    do {
      cpu.current = in;
      status = in->exec(cpu, *in);
      ++in;
    } while (status == Status::Next && in < cpu.block_end);
  }

  return retire(cpu, status, in[-1], static_cast<u64>(in - begin) + cpu.extra_retired);
}

/// The same for one instruction, whose fetch walked tables where a debugger watches.
inline RunExit interpret_one(Cpu& cpu, const Block& block, u64 linear) {
  return interpret(cpu, block, linear, cpu.state.retired + 1).value_or(RunExit::Event);
}

}  // namespace reprise::cpu
