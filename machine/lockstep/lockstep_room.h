// LockstepRoom: what the lockstep engines of a machine's processors share: the engine under test, and the second
// machine's memory and interpreter. One thread runs all processors, so between slices both memories are equal but for
// what the log and the engines have yet to pass on.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "common/log.h"
#include "cpu/engine/interp_engine.h"
#include "jit/jit_options.h"
#include "machine/lockstep/base_pages.h"
#include "machine/lockstep/device_log.h"
#include "mmu/ram.h"

namespace reprise::machine {

class LockstepEngine;

struct LockstepRoom {
  using MakeTested = std::function<std::unique_ptr<cpu::Engine>(const jit::JitOptions& options)>;

  /// What the second processors run on.
  struct SecondMachine {
    SecondMachine(std::unique_ptr<mmu::Ram> ram_block, const cpu::CpuProfile& profile, u32 max_block_insns)
        : ram(std::move(ram_block)), map(*ram), interp(profile, code_pages, max_block_insns) {}
    std::unique_ptr<mmu::Ram> ram;
    mmu::PhysMap map;
    mmu::CodePages code_pages;
    Log log;
    cpu::InterpEngine interp;
    u64 map_version = ~u64{0};
  };

  LockstepRoom(MakeTested make, const jit::JitOptions& jit_options, MachineControl& machine_control)
      : make_tested(std::move(make)),
        options(jit_options),
        control(machine_control),
        tested(make_tested(options)),
        random(options.lockstep_seed * 0x9e37'79b9'7f4a'7c15 + 1) {}

  /// The length of the next slice, in instructions.
  u64 slice();
  /// How much was compared, as a line of text.
  std::string stats() const;

  const MakeTested make_tested;
  const jit::JitOptions options;
  MachineControl& control;
  std::unique_ptr<cpu::Engine> tested;
  std::vector<std::unique_ptr<cpu::Engine>> retired_engines;  // code listeners cannot leave
  std::vector<DeviceEvent> log;
  std::size_t next_real = 0;    // of the log, when the first machine makes its accesses again
  std::size_t next_second = 0;  // the same for the second
  std::vector<LockstepEngine*> engines;
  std::unique_ptr<SecondMachine> second;
  std::optional<BasePages> base_pages;
  u64 real_epoch =
      0;  // of the real memory, and of the second one's: what was written later was written since
  u64 second_epoch = 0;  // the base
  u64 random;
  u64 slices = 0;
  u64 instructions = 0;
  u64 pages_compared = 0;
  std::string report;
};

}  // namespace reprise::machine
