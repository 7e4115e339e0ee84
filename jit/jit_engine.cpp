#include "jit/jit_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "cpu/engine/interpret.h"
#include "jit/resolve_jump.h"
#include "jit/x64/emitter.h"
#include "jit/x64/stubs.h"
#include "jit/x64/translator.h"

namespace reprise::jit {

using cpu::Block;
using cpu::Cpu;
using cpu::Insn;
using cpu::RunExit;
using cpu::Status;

namespace {

constexpr std::size_t kRoomForABlock = 64u << 10;
/// Jump tables take at most twice the memory of the code: few pages have so little.
constexpr u64 kCodeBytesForATable = u64{8} << 10;
constexpr u64 kMinTables = 64;

/// Generated code's way to handlers: as the interpreter would call them in the middle of the block.
u32 call_handlers(JitContext& context, u32 first_and_last, const Block& block) {
  Cpu& cpu = *context.cpu;
  const Insn* const begin = block.insns.get();
  cpu.block_budget = context.budget + block.count;
  cpu.state.retired = context.target - cpu.block_budget;
  cpu.block_begin = begin;
  cpu.block_end = begin + block.count;
  cpu.extra_retired = 0;

  const Insn* in = begin + (first_and_last & 0xffff);
  const Insn* const last = begin + (first_and_last >> 16);
  for (;; ++in) {
    cpu.current = in;
    ++context.calls[static_cast<unsigned>(in->mnemonic)];
    const Status status = in->exec(cpu, *in);
    if (status == Status::Next && cpu.block_end != nullptr) [[likely]] {
      if (in < last) continue;
      return kNext;
    }
    const u64 completed = static_cast<u64>(in - begin) + 1 + cpu.extra_retired;
    const std::optional<RunExit> exit = cpu::retire(cpu, status, *in, completed);
    context.budget = context.target - cpu.state.retired;
    if (exit) return kRunExit + static_cast<u32>(*exit);
    if (cpu.mode.bits != context.mode_bits) context.engine->enter_mode(cpu);
    return kJump;
  }
}

mmu::View view_of(cpu::ModeKey mode) {
  if (mode.cpl() == 3) return mmu::View::User;
  return mode.has(cpu::ModeKey::kKernelAc) ? mmu::View::KernelAc : mmu::View::Kernel;
}

}  // namespace

struct JitEngine::Host {
  explicit Host(std::size_t code_cache_bytes) : arena(code_cache_bytes) {}

  x64::CodeArena arena;
  x64::Stubs stubs;
  std::size_t blocks_begin = 0;
  std::unique_ptr<x64::Translator> translator;
};

JitEngine::JitEngine(const cpu::CpuProfile& profile, mmu::CodePages& code_pages, const JitOptions& options)
    : options_(options),
      notes_(options_),
      source_(profile, code_pages, options.max_block_insns),
      calls_(static_cast<unsigned>(cpu::Mnemonic::Count)) {
  source_.cache().set_listener(*this);
  context_.calls = calls_.data();
  context_.engine = this;
  host_ = std::make_unique<Host>(options_.code_cache_bytes);
  if (!host_->arena.ok()) host_ = nullptr;
}

JitEngine::~JitEngine() = default;

void JitEngine::prepare_host(Cpu& cpu) {
  const u8* const stubs_begin = host_->arena.next();
  host_->stubs = x64::build_stubs(host_->arena, cpu, call_handlers, refill, store_beside_code, resolve_jump);
  host_->translator =
      std::make_unique<x64::Translator>(host_->arena, host_->stubs, cpu, options_, source_.cache());
  host_->blocks_begin = host_->arena.used();
  notes_.shared_code({stubs_begin, host_->arena.next()}, "stubs");
  jump_tables_.set_miss(host_->stubs.table_miss);
  jump_tables_.set_limit(std::max(options_.code_cache_bytes / kCodeBytesForATable, kMinTables));
  context_.jump_tables = &jump_tables_;
}

void JitEngine::enter_mode(Cpu& cpu) {
  const mmu::View view = view_of(cpu.mode);
  const auto index = static_cast<unsigned>(view);
  EnteredMode& entered = entered_[index];
  if (noted_cpu_ != &cpu || entered.bits != cpu.mode.bits || entered.number == 0) [[unlikely]] {
    // Jump tables in the fetch TLBs are those of one mode for each view.
    if (noted_cpu_ != &cpu) std::fill(std::begin(entered_), std::end(entered_), EnteredMode{});
    if (noted_cpu_ != &cpu || entered.number != 0)
      cpu.mmu.set_fetch_notes(reinterpret_cast<u64>(&jump_tables_.empty()));
    noted_cpu_ = &cpu;
    entered = {cpu.mode.bits, jump_tables_.mode_number(cpu.mode)};
  }
  context_.mode_bits = cpu.mode.bits;
  context_.mode_number = entered.number;
  const bool segmented = segmented_code(cpu.mode);
  context_.lookup = host_->stubs.lookup[segmented][index];
  context_.jump_miss = host_->stubs.jump_miss[segmented][index];
}

/// The block is what jumps to where the guest is now lead to.
void JitEngine::note_jump_target(Cpu& cpu, Block& block, u64 linear) {
  auto& native = *static_cast<NativeBlock*>(block.native);
  if (native.jump_table == nullptr) {
    native.jump_table = jump_tables_.of(align_down(block.phys, kPageBytes), context_.mode_number).data();
    native.jump_table[block.phys & ~kPageMask] = static_cast<u32>(reinterpret_cast<u64>(native.code));
  }
  cpu.mmu.set_fetch_note(linear, reinterpret_cast<u64>(native.jump_table));
}

RunExit JitEngine::run(Cpu& cpu, u64 budget) {
  cpu::CpuState& state = cpu.state;
  const u64 target = state.retired + budget;
  cpu.extra_retired = 0;
  cpu.current = cpu.block_begin = nullptr;
  context_.cpu = &cpu;
  context_.target = target;
  context_.target_ns = cpu.bus.virtual_ns(target);
  context_.edge = nullptr;
  if (host_ != nullptr && host_->translator == nullptr) prepare_host(cpu);

  bool interpret_next = false;
  bool jumped = false;  // generated code was left by a jump that is not an Edge
  while (state.retired < target) {
    source_.cache().collect();
    forget_removed();
    const u64 linear = cpu::fetch_linear(cpu);
    Block* block = source_.block_at(cpu, linear);
    if (block == nullptr) return RunExit::Fault;
    if (block->native_code == nullptr && ++block->uses == options_.threshold && translatable(*block))
      translate(cpu, *block);

    const u64 left = target - state.retired;
    if (block->native_code == nullptr || left < block->count || near_canonical_hole(linear) ||
        interpret_next) {
      if (jumped)
        ++(block->native_code == nullptr ? exits_.untranslated
           : left < block->count         ? exits_.budget
                                         : exits_.jump);
      jumped = interpret_next = false;
      context_.edge = nullptr;
      if (const std::optional<RunExit> exit = cpu::interpret(cpu, *block, linear, target)) return *exit;
      continue;
    }
    enter_mode(cpu);
    if (context_.edge != nullptr) {
      if (options_.has(Pass::Links)) link(*context_.edge, *static_cast<NativeBlock*>(block->native));
    } else if (context_.mode_number != 0) {
      note_jump_target(cpu, *block, linear);
    }
    context_.edge = nullptr;

    if (jumped) ++exits_.jump;
    ++entries_;
    const x64::Frame frame{reinterpret_cast<u64>(&context_), 0, x64::kOwnedNone, 0, {}};
    state.gpr[cpu::kGprPageBase] = state.rip - (linear & ~kPageMask);
    using Enter = u32 (*)(const u8* code, u8* cpu_plus_bias, const x64::Frame* frame, u64 left);
    const auto enter = reinterpret_cast<Enter>(reinterpret_cast<u64>(host_->stubs.enter));
    const u32 exit = enter(block->native_code, reinterpret_cast<u8*>(&cpu) + x64::kCpuBias, &frame, left);
    state.retired = target - context_.budget;
    cpu.extra_retired = 0;
    cpu.current = cpu.block_begin = nullptr;
    interpret_next = exit == kInterpret;
    jumped = exit == kGoOn && context_.edge == nullptr;
    exits_.registers += interpret_next ? 1 : 0;
    exits_.edge += context_.edge != nullptr ? 1 : 0;
    handled_exits_ += exit >= kRunExit ? 1 : 0;
    if (exit >= kRunExit) return static_cast<RunExit>(exit - kRunExit);
  }
  return RunExit::Budget;
}

bool JitEngine::translatable(const Block& block) const { return host_ != nullptr && source_.cached(block); }

void JitEngine::translate(Cpu& cpu, Block& block) {
  if (std::min(host_->arena.room(), host_->arena.room_cold()) < kRoomForABlock || jump_tables_.full())
    drop_all_code();
  const auto begun = std::chrono::steady_clock::now();
  const u64 linear = cpu::fetch_linear(cpu);
  const bool noted = notes_.wants_listing(block, linear);
  Listing listing;
  auto native = std::make_unique<NativeBlock>();
  native->block = &block;
  const bool done =
      host_->translator->translate(block, view_of(cpu.mode), *native, noted ? &listing : nullptr);
  translating_ += std::chrono::steady_clock::now() - begun;
  if (!done) {
    ++failures_;
    return;
  }
  ++translated_;
  translated_insns_ += block.count;
  probes_ += native->probes;
  block.native = native.get();
  block.native_code = native->code;
  std::vector<u8> guest(noted ? block.bytes : 0);
  if (noted) {
    const u64 first_bytes = std::min<u64>(guest.size(), kPageBytes - (block.phys & ~kPageMask));
    cpu.mmu.phys_map().read_bytes(block.phys, std::span(guest).first(first_bytes));
    cpu.mmu.phys_map().read_bytes(block.second_phys, std::span(guest).subspan(first_bytes));
  }
  notes_.translated(block, linear, guest, {native->code, native->bytes},
                    {native->cold_code, native->cold_bytes}, noted ? &listing : nullptr);
  native->index = live_.size();
  live_.push_back(std::move(native));
}

void JitEngine::link(Edge& edge, NativeBlock& target) {
  const Block* from = edge.owner->block;
  // The owner may be gone, and events between the exit and now may have led elsewhere.
  if (from == nullptr || edge.target != nullptr || !(from->mode == target.block->mode)) return;
  if (target.block->phys != align_down(from->phys, kPageBytes) + edge.page_offset) return;
  if (edge.charge != 0 && (edge.charge != target.block->count || !target.overwrites_flags)) return;
  edge.target = &target;
  target.incoming.push_back(&edge);
  host_->translator->point(edge, edge.charge != 0 ? target.body : target.code);
  ++links_;
}

void JitEngine::unlink(Edge& edge) {
  edge.target = nullptr;
  host_->translator->point(edge, edge.stub);
}

void JitEngine::detach(NativeBlock& native) {
  for (Edge* edge : native.incoming) unlink(*edge);
  native.incoming.clear();
  for (unsigned i = 0; i < native.edges; ++i) {
    Edge& edge = native.edge[i];
    if (edge.target == nullptr) continue;
    std::erase(edge.target->incoming, &edge);
    unlink(edge);
  }
  if (native.jump_table != nullptr) native.jump_table[native.block->phys & ~kPageMask] = jump_tables_.miss();
  native.jump_table = nullptr;
}

void JitEngine::block_suspended(Block& block) {
  if (auto* native = static_cast<NativeBlock*>(block.native)) detach(*native);
}

void JitEngine::block_removed(Block& block) {
  auto* native = static_cast<NativeBlock*>(block.native);
  if (native == nullptr) return;
  detach(*native);
  native->block = nullptr;
  block.native = nullptr;
  block.native_code = nullptr;
  // It may be running, or be what was just left.
  removed_.push_back(std::move(live_[native->index]));
  if (native->index + 1 < live_.size()) {
    live_[native->index] = std::move(live_.back());
    live_[native->index]->index = native->index;
  }
  live_.pop_back();
}

/// Between blocks only.
void JitEngine::forget_removed() {
  if (removed_.empty()) [[likely]]
    return;
  if (context_.edge != nullptr && context_.edge->owner->block == nullptr) context_.edge = nullptr;
  for (const std::unique_ptr<NativeBlock>& native : removed_) add_counts(*native, host_insns_);
  removed_.clear();
}

/// Between blocks only: nothing of it runs.
void JitEngine::drop_all_code() {
  context_.edge = nullptr;
  for (const std::unique_ptr<NativeBlock>& native : live_) {
    add_counts(*native, host_insns_);
    native->block->native = nullptr;
    native->block->native_code = nullptr;
    native->block->uses = 0;
  }
  live_.clear();
  forget_removed();
  context_.cpu->mmu.set_fetch_notes(reinterpret_cast<u64>(&jump_tables_.empty()));
  jump_tables_.clear();
  std::fill(std::begin(entered_), std::end(entered_), EnteredMode{});
  host_->arena.rewind(host_->blocks_begin);
  ++code_flushes_;
}

void JitEngine::add_counts(const NativeBlock& native, HostInsnsByWho& sums) {
  if (native.counted != nullptr) sums[native.user ? kUser : kKernel].add(*native.counted, native.insns);
}

std::string JitEngine::host_insn_stats() const {
  HostInsnsByWho sums = host_insns_;
  for (const auto* list : {&live_, &removed_})
    for (const std::unique_ptr<NativeBlock>& native : *list) add_counts(*native, sums);
  HostInsnTotals all = sums[kUser];
  all.add(sums[kKernel]);
  return host_insn_text("host instructions", all) + host_insn_text("  in user mode", sums[kUser]) +
         host_insn_text("  elsewhere", sums[kKernel]);
}

std::string JitEngine::stats() const {
  if (host_ == nullptr) return "no executable memory: everything was interpreted\n";
  std::string text = fmt::format(
      "translated blocks {}, instructions {}, probes {}, code bytes {} hot and {} cold, in {:.3f} s; links "
      "{}, jump tables {}, code "
      "flushes {}, failures {}\n",
      translated_, translated_insns_, probes_, host_->arena.used(), host_->arena.used_cold(),
      std::chrono::duration<double>(translating_).count(), links_, jump_tables_.count(), code_flushes_,
      failures_);
  text += fmt::format(
      "entries of generated code {}; exits: unlinked jump {}, indirect jump {}, no code there {}, budget {}, "
      "registers "
      "{}, event or fault {}\n",
      entries_, exits_.edge, exits_.jump, exits_.untranslated, exits_.budget, exits_.registers,
      handled_exits_);
  std::vector<unsigned> rows(calls_.size());
  for (unsigned i = 0; i < rows.size(); ++i) rows[i] = i;
  constexpr unsigned kShown = 30;
  std::partial_sort(rows.begin(), rows.begin() + kShown, rows.end(),
                    [&](unsigned a, unsigned b) { return calls_[a] > calls_[b]; });
  text += "handler calls from generated code:";
  for (unsigned i = 0; i < kShown && calls_[rows[i]] != 0; ++i) {
    text += fmt::format(" {} {}", cpu::insn_row(static_cast<cpu::Mnemonic>(rows[i])).name, calls_[rows[i]]);
  }
  text += "\n";
  if (options_.count_host_insns) text += host_insn_stats();
  return text;
}

}  // namespace reprise::jit
