// The translating engine: blocks that are used often become host code; everything else is interpreted.
//
// A block is translated whole. When the budget ends inside it, or it lies where code is not cached, or some
// of it lies beyond the limit of its segment, the interpreter runs it, so events come after exactly the
// instruction they are due at.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <vector>

#include "cpu/blocks/block_source.h"
#include "cpu/engine/engine.h"
#include "jit/jit_options.h"
#include "jit/jump_tables.h"
#include "jit/native_block.h"
#include "jit/translation_notes.h"

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
  /// Blocks that could not be translated: none but for mistakes of ours.
  u64 failures() const { return failures_; }

  /// Generated code goes on in the mode of `cpu`. Called by it, through handlers that change the mode.
  void enter_mode(cpu::Cpu& cpu);

 private:
  struct Host;

  void block_removed(cpu::Block& block) override;
  void block_suspended(cpu::Block& block) override;
  /// No jump leads into its code or from it to other code any more.
  void detach(NativeBlock& native);
  bool translatable(const cpu::Block& block) const;
  void translate(cpu::Cpu& cpu, cpu::Block& block);
  void link(Edge& edge, NativeBlock& target);
  void unlink(Edge& edge);
  void drop_all_code();
  void forget_removed();
  void prepare_host(cpu::Cpu& cpu);
  void note_jump_target(cpu::Cpu& cpu, cpu::Block& block, u64 linear);

  const JitOptions options_;
  TranslationNotes notes_;
  cpu::BlockSource source_;
  std::unique_ptr<Host> host_;  // nullptr: this host gives no executable memory
  JumpTables jump_tables_;
  JitContext context_;
  // The modes and the processor whose jump tables the fetch TLBs hold, by view. Number 0: none.
  struct EnteredMode {
    u32 bits = 0;
    u64 number = 0;  // JumpTables::mode_number
  };
  const cpu::Cpu* noted_cpu_ = nullptr;
  EnteredMode entered_[mmu::kViews];
  std::vector<u64> calls_;
  std::vector<std::unique_ptr<NativeBlock>> live_;
  std::vector<std::unique_ptr<NativeBlock>> removed_;  // since the engine last looked for a block
  u64 translated_ = 0;
  u64 translated_insns_ = 0;
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
  static void add_counts(const NativeBlock& native, HostInsnsByWho& sums);
  std::string host_insn_stats() const;
  HostInsnsByWho host_insns_;
  u64 links_ = 0;
  u64 code_flushes_ = 0;
  u64 failures_ = 0;
};

}  // namespace reprise::jit
