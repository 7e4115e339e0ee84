// The translating engine: blocks that are used often become host code; everything else is interpreted.
//
// GOALS, in this order. The guest cannot tell that there is a translator: registers, memory, faults,
// instruction counts and the instant of every event are the interpreter's. Each instruction has one
// definition, its handler in cpu/; generated code is the same instruction of the host on other operands, or a
// call of the handler. Then speed, of the code and of making it.
//
// TERMS
//   block      decoded instructions inside one page (cpu/blocks); what the interpreter runs
//   unit       a copy of what translation needs to know of a block (translation_unit.h), with its
//   plan       what passes found out about the instructions, for every kind of host (plan.h, passes/)
//   back end   turns units into code of the host and runs it (host_backend.h; x64/ is the one there is)
//   region     what was translated as one, a block or several that mostly follow each other, and the record of its code
//              (region.h)
//   edge       a jump out of a region to a fixed place in the same page
//   entry      a call of generated code by this engine; exit: its return, with a NativeExit (jit_context.h)
//   handler    the function in cpu/ that executes one instruction, for all engines
//
// LIFE OF A REGION
//   1. run() asks BlockSource for the block at rip and counts. At the threshold translate() makes unit and
//      region; where code is not kept (device memory), at breakpoints of a debugger (cpu/debug), or without memory for
//      code, never.
//   2. The region is entered from here, by linked edges, and through jump tables (jump_tables.h). An edge
//      first leads to an exit stub; the exit tells which edge it was, and link() points it at the region that
//      the engine finds next. Returns and indirect jumps look their target up in the table of its page; the
//      engine enters it there when it first comes by.
//   3. It goes when one of its blocks does (block_removed): its edges and those that lead to it lead to exit stubs
//      again and its place in the table to a miss. The record stays until the engine is next between blocks,
//      since the region may be running. A block that is only suspended keeps its region, detached; one that is not the first of
//      its region takes that with it.
//   4. A region whose probe groups miss often goes, and is made again with a probe for each access behind such a miss.
//   5. Memory for code is filled in parts. When the last one is full the regions in the oldest go, if what they
//      run has paid for translating as much again (translation_pace.h). The oldest jump tables go likewise.
//
// MODE KEY. A region is code for one cpu::ModeKey: what decoding depends on, privilege, and what is checked
// or raised at decode time. It also fixes the view of the TLB (data_view). Beyond that code assumes nothing:
// segment bases and limits, page tables and the x87's control word are looked at when it runs. Jump tables
// are by page and mode; the fetch TLB of a view points at those of one mode, and enter_mode() takes them out
// of reach when another mode comes with the same view. Links join regions of one mode; what changes the mode
// (a handler) goes on through a look-up.
//
// INVALIDATION. Blocks are found by physical address. A store to a page with code, by whatever (slow path,
// device, page walk), removes the blocks it touches (mmu/code_pages.h). A change of translation needs nothing
// here: links stay inside a page, and everything else goes through the fetch TLB. A region whose instruction
// crosses into a second page compares that page's physical address each time.
//
// EXACTNESS
//   - The head of a region charges all its instructions to the budget. With too few left the interpreter runs
//     them one by one, so that an event comes after exactly the instruction it is due at.
//   - Where anything may look at the guest (handlers, exits), its registers and flags are in the Cpu, and rip
//     and the count are those of the instruction. A fault is always raised by a handler.
//   - A handler that wants the run to end, or that removed the running block, leaves generated code behind
//     its instruction.
//   - Probes read the first-level TLB and what the second one refills it with. They never walk: walks are the
//     handlers'.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cpu/blocks/block_source.h"
#include "cpu/engine/engine.h"
#include "jit/engine/hot_blocks.h"
#include "jit/engine/jump_tables.h"
#include "jit/engine/kept_code.h"
#include "jit/engine/region_table.h"
#include "jit/engine/translation_notes.h"
#include "jit/engine/translation_pace.h"
#include "jit/host/host_backend.h"
#include "jit/jit_options.h"

namespace reprise::jit {

class JitEngine final : public cpu::Engine, private cpu::BlockListener {
 public:
  JitEngine(const cpu::CpuProfile& profile, mmu::CodePages& code_pages, const JitOptions& options = {});
  ~JitEngine() override;

  cpu::RunExit run(cpu::Cpu& cpu, u64 budget) override;
  void flush() override { source_.cache().flush(); }
  const cpu::BlockCache& cache() const override { return source_.cache(); }
  std::string stats() const override;

  u64 translated() const { return translated_; }
  /// Of these, regions whose code an earlier run left.
  u64 kept() const { return kept_used_; }
  /// Blocks that could not be translated: none but for mistakes of ours.
  u64 failures() const { return failures_; }
  /// Blocks that are in the region of one before them.
  u64 joined() const { return joined_; }
  /// What ran in all modes, if the options ask for it.
  HostInsnTotals host_insns() const;

  /// The handlers of a probe group ran instead of it. Called by generated code.
  void group_missed(Region& region) {
    if (++region.group_misses == kMissesToRepeat) missing_.push_back(&region);
  }
  /// That which generated code calls `number`.
  Region& region(u32 number) const { return regions_.at(number); }
  /// Generated code goes on in the mode of `cpu`. Called by it, through handlers that change the mode.
  void enter_mode(cpu::Cpu& cpu);

 private:
  void block_removed(cpu::Block& block) override;
  void block_suspended(cpu::Block& block) override;
  /// The region of `block` goes.
  void forget(cpu::Block& block);
  /// The same for those that joined `block`.
  void forget_joiners(cpu::Block& block);
  void leave_joined(Region& region);
  /// No jump leads into its code or from it to other code any more.
  void detach(Region& region);
  bool translatable(const cpu::Cpu& cpu, const cpu::Block& block) const;
  cpu::RunExit run_blocks(cpu::Cpu& cpu, u64 budget);
  /// Instructions that ran under this engine.
  u64 ran(const cpu::Cpu& cpu) const { return ran_ + cpu.state.retired; }
  void translate(cpu::Cpu& cpu, cpu::Block& block);
  /// The guest's code that `unit`, which was made of `block`, has.
  static std::vector<u8> guest_bytes(cpu::Cpu& cpu, const TranslationUnit& unit, const cpu::Block& block);
  /// The engine's part of the listing of `unit`, which was made of `block` at `linear`.
  static void list_guest(cpu::Cpu& cpu, const TranslationUnit& unit, const cpu::Block& block, u64 linear,
                         Listing& listing);
  /// Room for one more region. False: what would have to go has not run long enough.
  bool make_room(cpu::Cpu& cpu);
  void drop_part(unsigned part);
  bool forget_old_tables(cpu::Cpu& cpu);
  void link(u32 edge_id, Region& target);
  void unlink(Edge& edge);
  void drop_all_code();
  void forget_removed();
  void forget_missing();
  void prepare_host(cpu::Cpu& cpu);
  void note_jump_target(cpu::Cpu& cpu, cpu::Block& block, u64 linear);

  const JitOptions options_;
  TranslationNotes notes_;
  cpu::BlockSource source_;
  const std::unique_ptr<HostBackend> host_;  // nullptr: this host gives no executable memory
  TranslationPace pace_;
  JumpTables jump_tables_;
  JitContext context_;
  struct Runner {
    cpu::Cpu* cpu;
    EnteredMode entered[mmu::kViews];
  };
  /// `cpu` is what runs from here on.
  void set_runner(cpu::Cpu& cpu);
  void note_no_tables(cpu::Cpu& cpu);
  std::vector<Runner> runners_;  // every processor that came by
  std::size_t runner_ = 0;       // the last one
  std::vector<u64> calls_;
  /// What is kept of earlier runs, if it is that of this host and these options.
  void open_kept_code(const cpu::CpuProfile& profile);
  /// For the next run, when it is much more than it found.
  void save_kept_code();
  /// Units of `block` may have kept code.
  bool may_keep(const TranslationUnit& unit) const;
  std::string kept_name_;  // in the store; empty: nothing is kept
  u64 kept_layout_ = 0;
  KeptCode kept_;
  u64 kept_used_ = 0;

  RegionTable regions_;  // that are live or removed
  std::vector<std::unique_ptr<Region>> live_;
  std::vector<std::unique_ptr<Region>> removed_;  // since the engine last looked for a block
  // Regions whose groups missed so often since then, and all blocks of which that was ever so, by physical address and mode.
  static constexpr u32 kMissesToRepeat = 64;
  static constexpr std::size_t kMaxGroupsMiss = std::size_t{1} << 16;
  std::unordered_map<const cpu::Block*, std::vector<Region*>>
      joiners_;  // regions that have the block as a later one
  std::vector<Region*> missing_;
  std::set<std::pair<u64, u32>> groups_miss_;
  // A part of the memory for code: instructions of its regions, and whether it ever had any since it was begun.
  struct Part {
    u64 insns = 0;
    bool used = false;
  };
  std::vector<Part> parts_;
  u64 ran_ = 0;  // less Cpu::state.retired while run() runs
  u64 translated_ = 0;
  u64 translated_insns_ = 0;
  u64 joined_ = 0;
  u64 probes_ = 0;
  u64 entries_ = 0;
  // Why generated code was left, but for faults and events.
  struct Exits {
    u64 edge = 0;          // a jump that was not linked
    u64 registers = 0;     // the next block needs registers that it could not have
    u64 untranslated = 0;  // the next block has no code
    u64 budget = 0;        // the budget ends in the next block
    u64 jump = 0;          // an indirect jump whose target was not in the tables
  };
  Exits exits_;
  u64 handled_exits_ = 0;                    // by a handler: a fault or an event
  std::chrono::nanoseconds translating_{0};  // on the host; nothing depends on it
  // Host instructions that code ran which is gone, by Who.
  enum Who : u8 { kUser, kKernel, kAllWho };
  using HostInsnsByWho = std::array<HostInsnTotals, kAllWho>;
  static void add_counts(const Region& region, HostInsnsByWho& sums);
  /// `region` is about to go, whose counts are kept.
  void gone(const Region& region);
  HostInsnsByWho host_insns_by_who() const;
  std::string host_insn_stats() const;
  std::string hot_block_text() const;
  HostInsnsByWho host_insns_;
  HotBlocks hot_blocks_;
  u64 links_ = 0;
  u64 dropped_parts_ = 0;
  u64 failures_ = 0;
};

}  // namespace reprise::jit
