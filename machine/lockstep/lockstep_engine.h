// Runs an engine and, behind it, the interpreter on a second processor with its own RAM and TLBs, slice by slice
// of random length, and compares them: registers, every page written, events, accesses to devices.
//
// The engine under test runs the real machine, as it would alone. Its accesses to devices are recorded, and the
// second processor gets the answers from the record, so devices see each access once. Events are delivered on
// both. At the first difference both go back to the beginning of the slice, and halving finds the first
// instruction that goes wrong.
//
// Several processors have an engine each and share the room: one engine under test, one second memory.
#pragma once

#include <memory>
#include <optional>

#include "machine/lockstep/lockstep_room.h"

namespace reprise::machine {

class LockstepEngine final : public cpu::Engine {
 public:
  /// `cpu` was built on `tap`, which records into the room's log. All outlive the engine.
  LockstepEngine(LockstepRoom& room, cpu::Cpu& cpu, Tap& tap);
  ~LockstepEngine() override;

  cpu::RunExit run(cpu::Cpu& cpu, u64 budget) override;
  void delivering(cpu::Cpu& cpu, const cpu::Fault& event) override;
  void flush() override;
  void state_replaced() override;
  const cpu::BlockCache& cache() const override { return room_.tested->cache(); }
  /// Empty while the engines agree; else the report, its first line one sentence.
  std::string failure() const override { return room_.report; }

 private:
  struct Shadow;
  /// Where both processors go back to.
  struct Base {
    cpu::CpuState state;
    mmu::PagingContext context;
    bool a20_enabled = true;
    bool single_step = false;
    bool stop_requested = false;
    bool interrupt_pending = false;
    std::size_t events = 0;  // of the log that lie before
  };
  struct Step {
    u64 rip;
    u64 linear;
  };

  void start();
  void copy_memory();
  void follow_outside();
  void forget_events();
  void deliver_pending();
  void adopt_map();
  void begin_slice();
  void mark_base();
  void forget_writes();
  void keep_base_pages();

  /// Lets the shadow run what the real processor did since they were equal. Empty: no difference.
  std::string follow(cpu::RunExit exit);
  std::string compare(cpu::RunExit exit, cpu::RunExit shadow_exit);
  std::string compare_pages();
  std::string compare_tlbs() const;

  // --- After a difference ---
  void investigate(const std::string& difference, u64 instructions);
  void search(const std::string& difference, u64 instructions);
  void roll_back();
  void restore(cpu::Cpu& cpu) const;
  void put_page(cpu::Cpu& cpu, u64 page, const u8* bytes);
  std::string attempt(cpu::Engine& engine, u64 instructions);
  std::vector<Step> trace(u64 instructions);
  void advance_base(u64 instructions);
  std::string disassembly(const std::vector<Step>& steps, std::size_t from) const;

  LockstepRoom& room_;
  cpu::Cpu& cpu_;
  Tap& tap_;
  std::unique_ptr<Shadow> shadow_;
  Base base_;
  mmu::SecondLevelTlb base_tlb_;  // of both, at the base
  std::optional<cpu::Fault> pending_event_;
  cpu::CpuState state_before_event_;
  u64 flushes_apart_ = 0;  // flushes of the real MMU beyond those of the shadow's
};

}  // namespace reprise::machine
