#include "jit/engine/jit_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/hash.h"
#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "cpu/engine/interpret.h"
#include "jit/engine/resolve_jump.h"
#include "jit/engine/unit_key.h"
#include "jit/host/translation_unit.h"
#include "jit/passes/passes.h"

namespace reprise::jit {

using cpu::Block;
using cpu::Cpu;
using cpu::Insn;
using cpu::RunExit;
using cpu::Status;

namespace {

/// What making a table again costs, in instructions that are translated.
constexpr u64 kInsnsForATable = 4;
/// Jump tables take at most twice the memory of the code: few pages have so little.
constexpr u64 kCodeBytesForATable = u64{8} << 10;
constexpr u64 kMinTables = 64;

/// Generated code's way to handlers: as the interpreter would call them in the middle of the block.
u32 call_handlers(JitContext& context, u32 first_and_last, u32 number) {
  Cpu& cpu = *context.cpu;
  Region& region = context.engine->region(number);
  const Insn* const begin = region.insns.data();
  cpu.block_budget = context.budget + region.insns.size();
  cpu.state.retired = context.target - cpu.block_budget;
  cpu.block_begin = begin;
  cpu.block_end = begin + region.insns.size();
  cpu.extra_retired = 0;

  const Insn* in = begin + (first_and_last & 0xffff);
  const Insn* const last = begin + (first_and_last >> 16);
  if (in != last) context.engine->group_missed(region);
  for (;; ++in) {
    cpu.current = in;
    ++context.calls[static_cast<unsigned>(in->mnemonic)];
    const Status status = in->exec(cpu, *in);
    if (status == Status::Next && cpu.block_end != nullptr) [[likely]] {
      if (in < last) continue;
      return kNext;
    }
    const u64 completed = static_cast<u64>(in - begin) + 1 + cpu.extra_retired;
    const u64 charged = context.budget;
    // Unless code or translations changed, and with no iterations to be charged.
    const bool goes_on =
        status == Status::Stop && in == last && cpu.block_end != nullptr && cpu.extra_retired == 0;
    const std::optional<RunExit> exit = cpu::retire(cpu, status, *in, completed);
    context.budget = context.target - cpu.state.retired;
    if (exit) return kRunExit + static_cast<u32>(*exit);
    if (cpu.mode.bits != context.mode_bits) {
      context.engine->enter_mode(cpu);
    } else if (goes_on) {
      context.budget = charged;
      return kNext;
    }
    return kJump;
  }
}

}  // namespace

JitEngine::JitEngine(const cpu::CpuProfile& profile, mmu::CodePages& code_pages, const JitOptions& options)
    : options_(options),
      notes_(options_),
      source_(profile, code_pages, options.max_block_insns),
      host_(make_host_backend(options_)),
      pace_(options_.pace),
      calls_(static_cast<unsigned>(cpu::Mnemonic::Count)) {
  source_.cache().set_listener(*this);
  context_.calls = calls_.data();
  context_.engine = this;
}

JitEngine::~JitEngine() { save_kept_code(); }

void JitEngine::prepare_host(Cpu& cpu) {
  notes_.shared_code(host_->prepare(cpu, {call_handlers, refill, store_beside_code, set_interrupts,
                                          set_alignment_check, resolve_jump}),
                     "stubs");
  jump_tables_.set_miss(host_->table_miss());
  jump_tables_.set_limit(std::max(options_.code_cache_bytes / kCodeBytesForATable, kMinTables));
  context_.jump_tables = &jump_tables_;
  context_.blocks = &source_.cache();
  parts_.resize(host_->parts());
  open_kept_code(cpu.profile);
}

void JitEngine::open_kept_code(const cpu::CpuProfile& profile) {
  if (options_.code_store == nullptr || options_.dump != 0 || options_.perf_map || options_.count_host_insns)
    return;
  const std::string text =
      fmt::format("{} {} {} {} {} {} {} {} {} {}", host_->layout(), options_.passes.bits(),
                  options_.max_block_insns, profile.vendor, profile.family, profile.model, profile.stepping,
                  profile.physical_address_bits, profile.topology.count(), profile.features.to_string());
  kept_layout_ = hash64({reinterpret_cast<const u8*>(text.data()), text.size()});
  kept_name_ = fmt::format("{:016x}", kept_layout_);
  std::optional<StoredCode> stored = options_.code_store->load(kept_name_);
  if (!stored || !kept_.parse(std::move(*stored), kept_layout_, options_.code_cache_bytes)) return;
  if (!host_->restore(kept_.image())) {
    kept_ = {};
    return;
  }
  regions_.keep(kept_.numbers());
  for (std::size_t part = 0; part < parts_.size(); ++part)
    parts_[part].used = kept_.image().used_cold[part] != 0;
}

bool JitEngine::may_keep(const TranslationUnit& unit) const {
  return !kept_name_.empty() && !unit.second_page && unit.known_page_base == nullptr;
}

void JitEngine::save_kept_code() {
  // Of code that did not fit, what is there is what ran last, not what runs first.
  constexpr std::size_t kWorthPercent = 2;
  if (kept_name_.empty() || dropped_parts_ != 0) return;
  if (kept_.made_count() < std::max<std::size_t>(options_.worth_keeping, kept_.count() * kWorthPercent / 100))
    return;
  for (const std::unique_ptr<Region>& region : live_) detach(*region);
  std::vector<u8> code;
  const CodeImage image = host_->image(code);
  options_.code_store->save(kept_name_, kept_.bytes(image, host_->code_begin(), live_, kept_layout_));
}

void JitEngine::enter_mode(Cpu& cpu) {
  const mmu::View view = data_view(cpu.mode);
  EnteredMode& entered = runners_[runner_].entered[static_cast<unsigned>(view)];
  if (entered.bits != cpu.mode.bits || entered.number == 0) [[unlikely]] {
    // Jump tables in the fetch TLBs are those of one mode for each view.
    if (entered.number != 0) note_no_tables(cpu);
    entered = {cpu.mode.bits, jump_tables_.mode_number(cpu.mode)};
  }
  context_.mode_bits = cpu.mode.bits;
  context_.mode_number = entered.number;
  host_->enter_mode(context_, cpu.mode, view);
}

void JitEngine::set_runner(Cpu& cpu) {
  context_.cpu = &cpu;
  if (runner_ < runners_.size() && runners_[runner_].cpu == &cpu) [[likely]]
    return;
  const auto known = std::ranges::find(runners_, &cpu, &Runner::cpu);
  runner_ = static_cast<std::size_t>(known - runners_.begin());
  if (known == runners_.end()) {
    runners_.push_back({&cpu, {}});
    note_no_tables(cpu);
  }
  context_.entered = runners_[runner_].entered;
}

/// Jumps of `cpu` into other pages come to this engine first.
void JitEngine::note_no_tables(Cpu& cpu) {
  cpu.mmu.set_fetch_notes(reinterpret_cast<u64>(&jump_tables_.empty()));
}

/// The block is what jumps to where the guest is now lead to.
void JitEngine::note_jump_target(Cpu& cpu, Block& block, u64 linear) {
  Region& region = *static_cast<Region*>(block.native);
  if (region.jump_table == nullptr) {
    if (jump_tables_.full() && !forget_old_tables(cpu)) return;
    region.jump_table = jump_tables_.of(align_down(block.phys, kPageBytes), context_.mode_number).data();
    region.jump_table[block.phys & ~kPageMask] =
        static_cast<u32>(reinterpret_cast<u64>(region.code.hot.data()));
  }
  cpu.mmu.set_fetch_note(linear, reinterpret_cast<u64>(region.jump_table));
}

/// Between blocks only. Code stays; jumps into pages whose table is gone find it through this engine.
bool JitEngine::forget_old_tables(Cpu& cpu) {
  if (!pace_.may_drop(jump_tables_.oldest() * kInsnsForATable, jump_tables_.count() * kInsnsForATable,
                      ran(cpu)))
    return false;
  const auto gone = jump_tables_.take_oldest();
  for (const Runner& runner : runners_) note_no_tables(*runner.cpu);
  for (const std::unique_ptr<Region>& region : live_) {
    const auto at = std::ranges::lower_bound(gone, region->jump_table, {},
                                             [](const auto& table) { return table->data(); });
    if (at != gone.end() && (*at)->data() == region->jump_table) region->jump_table = nullptr;
  }
  return true;
}

RunExit JitEngine::run(Cpu& cpu, u64 budget) {
  ran_ -= cpu.state.retired;
  const RunExit exit = run_blocks(cpu, budget);
  ran_ += cpu.state.retired;
  return exit;
}

RunExit JitEngine::run_blocks(Cpu& cpu, u64 budget) {
  cpu::CpuState& state = cpu.state;
  const u64 target = state.retired + budget;
  cpu.extra_retired = 0;
  cpu.current = cpu.block_begin = nullptr;
  if (host_ != nullptr && !host_->prepared()) prepare_host(cpu);
  set_runner(cpu);
  context_.target = target;
  context_.target_ns = cpu.bus.virtual_ns(target);
  context_.edge = kNoEdge;

  bool interpret_next = false;
  bool jumped = false;  // generated code was left by a jump that is not an Edge
  while (state.retired < target) {
    source_.cache().collect();
    forget_missing();
    forget_removed();
    const u64 linear = cpu::fetch_linear(cpu);
    if (cpu::stops_before(cpu, linear)) return RunExit::Event;
    Block* block = source_.block_at(cpu, linear);
    if (block == nullptr) return RunExit::Fault;
    if (cpu.debug_stop) [[unlikely]]
      return cpu::interpret_one(cpu, *block, linear);
    const bool told = cpu::wants_told(cpu, *block, linear);
    if (block->native_code == nullptr && !told && ++block->uses == options_.threshold &&
        translatable(cpu, *block))
      translate(cpu, *block);
    if (!told && !cpu.insn_observers.empty() && block->native_code != nullptr)
      static_cast<Region*>(block->native)->known_page_base = state.rip - (linear & ~kPageMask);

    const u64 left = target - state.retired;
    const bool lasts = block->native == nullptr || left >= static_cast<Region*>(block->native)->insns.size();
    if (block->native_code == nullptr || !lasts || near_canonical_hole(linear) || interpret_next || told) {
      if (jumped)
        ++(block->native_code == nullptr ? exits_.untranslated : !lasts ? exits_.budget : exits_.jump);
      jumped = interpret_next = false;
      context_.edge = kNoEdge;
      if (const std::optional<RunExit> exit = cpu::interpret(cpu, *block, linear, target)) return *exit;
      continue;
    }
    enter_mode(cpu);
    if (context_.edge != kNoEdge) {
      if (options_.has(Pass::Links)) link(context_.edge, *static_cast<Region*>(block->native));
    } else if (context_.mode_number != 0 && block->mode == cpu.mode) {
      note_jump_target(cpu, *block, linear);
    }
    context_.edge = kNoEdge;

    if (jumped) ++exits_.jump;
    ++entries_;
    state.gpr[cpu::kGprPageBase] = state.rip - (linear & ~kPageMask);
    const u32 exit = host_->enter(block->native_code, cpu, context_, left);
    state.retired = target - context_.budget;
    cpu.extra_retired = 0;
    cpu.current = cpu.block_begin = nullptr;
    interpret_next = exit == kInterpret;
    jumped = exit == kGoOn && context_.edge == kNoEdge;
    exits_.registers += interpret_next ? 1 : 0;
    exits_.edge += context_.edge != kNoEdge ? 1 : 0;
    handled_exits_ += exit >= kRunExit ? 1 : 0;
    if (exit >= kRunExit) return static_cast<RunExit>(exit - kRunExit);
  }
  return RunExit::Budget;
}

bool JitEngine::translatable(const Cpu& cpu, const Block& block) const {
  // Where a breakpoint may be, this engine asks.
  const bool asks = !(block.mode == cpu.mode) && cpu.stops->splits(block.phys);
  // Rip alone does not say where segmented code is that observers know.
  const bool unknown = !cpu.insn_observers.empty() && segmented_code(block.mode);
  return host_ != nullptr && source_.cached(block) && !asks && !unknown;
}

void JitEngine::translate(Cpu& cpu, Block& block) {
  if (!make_room(cpu)) {
    block.uses = 0;
    return;
  }
  const auto begun = std::chrono::steady_clock::now();
  const u64 linear = cpu::fetch_linear(cpu);
  const bool dumped = notes_.wants_dump(block, linear);
  const bool listed = dumped || options_.hot_blocks != 0;
  auto listing = listed ? std::make_unique<Listing>() : nullptr;
  auto region = std::make_unique<Region>(block);
  const bool observed = !cpu.insn_observers.empty();
  // At breakpoints blocks end.
  TranslationUnit unit =
      make_unit(block, source_.cache(), options_.passes, *host_, !observed && cpu.stops == nullptr,
                observed ? &region->known_page_base : nullptr);
  unit.groups_miss = groups_miss_.contains({block.phys, block.mode.bits});
  std::vector<u8> key;
  const KeptRegion* kept = nullptr;
  if (may_keep(unit)) {
    key = unit_key(unit, guest_bytes(cpu, unit, block));
    kept = kept_.take(key);
  }
  std::optional<HostCode> code;
  if (kept != nullptr) {
    code = host_code(*kept, host_->code_begin());
    region->number = kept->number;
    region->part = kept->part;
  } else {
    unit.number = region->number = regions_.free_number();
    unit.plan = make_plan(unit.insns, options_.passes);
    code = host_->translate(unit, listing.get());
    region->part = host_->part();
  }
  translating_ += std::chrono::steady_clock::now() - begun;
  if (!code) {
    ++failures_;
    return;
  }
  if (kept != nullptr) ++kept_used_;
  if (kept == nullptr && !key.empty()) kept_.made(*region, std::move(key));
  ++translated_;
  translated_insns_ += unit.count();
  joined_ += unit.joined.size();
  probes_ += code->probes;
  block.native = region.get();
  block.native_code = code->hot.data();
  if (listed) list_guest(cpu, unit, block, linear, *listing);
  notes_.translated(linear, code->hot, code->cold, dumped ? listing.get() : nullptr);
  if (options_.hot_blocks != 0) region->listing = std::move(listing);
  region->take(std::move(*code));
  parts_[region->part].insns += unit.count();
  parts_[region->part].used = true;
  for (const Block* const next : unit.joined) joiners_[next].push_back(region.get());
  region->join(std::move(unit.joined), std::move(unit.insns));
  region->index = live_.size();
  regions_.add(*region);
  live_.push_back(std::move(region));
}

std::vector<u8> JitEngine::guest_bytes(Cpu& cpu, const TranslationUnit& unit, const Block& block) {
  u32 bytes = block.bytes;
  for (const Block* const next : unit.joined) bytes += next->bytes;
  std::vector<u8> guest(bytes);
  const u64 first_bytes = std::min<u64>(bytes, kPageBytes - (block.phys & ~kPageMask));
  const std::span all(guest);
  cpu.mmu.phys_map().read_bytes(block.phys, all.first(first_bytes));
  cpu.mmu.phys_map().read_bytes(block.second_phys, all.subspan(first_bytes));
  return guest;
}

void JitEngine::list_guest(Cpu& cpu, const TranslationUnit& unit, const Block& block, u64 linear,
                           Listing& listing) {
  listing.linear = linear;
  listing.phys = block.phys;
  listing.mode = unit.mode;
  for (const Insn& in : unit.insns) listing.lengths.push_back(static_cast<u8>(in.length()));
  listing.guest = guest_bytes(cpu, unit, block);
}

void JitEngine::link(u32 edge_id, Region& target) {
  Region& owner = regions_.at(edge_id >> kEdgeBits);
  Edge& edge = owner.edges[edge_id & ((1u << kEdgeBits) - 1)];
  const Block* from = owner.block;
  // The owner may be gone, and events between the exit and now may have led elsewhere.
  if (from == nullptr || edge.target != nullptr || !(from->mode == target.block->mode)) return;
  if (target.block->phys != align_down(from->phys, kPageBytes) + edge.exit.page_offset) return;
  const bool charged = edge.exit.charge != 0;
  if (charged && (edge.exit.charge != target.block->count || !target.code.overwrites_flags)) return;
  edge.target = &target;
  target.incoming.push_back(&edge);
  host_->point(edge.exit, charged ? target.code.body : target.code.hot.data());
  ++links_;
}

void JitEngine::unlink(Edge& edge) {
  edge.target = nullptr;
  host_->point(edge.exit, edge.exit.stub);
}

void JitEngine::detach(Region& region) {
  for (Edge* edge : region.incoming) unlink(*edge);
  region.incoming.clear();
  for (Edge& edge : region.edges) {
    if (edge.target == nullptr) continue;
    std::erase(edge.target->incoming, &edge);
    unlink(edge);
  }
  if (region.jump_table != nullptr) region.jump_table[region.block->phys & ~kPageMask] = jump_tables_.miss();
  region.jump_table = nullptr;
}

void JitEngine::block_suspended(Block& block) {
  forget_joiners(block);
  if (auto* region = static_cast<Region*>(block.native)) detach(*region);
}

void JitEngine::block_removed(Block& block) {
  forget_joiners(block);
  forget(block);
}

void JitEngine::forget_joiners(Block& block) {
  for (auto at = joiners_.find(&block); at != joiners_.end(); at = joiners_.find(&block)) {
    Block& first = *at->second.back()->block;
    forget(first);
    first.uses = 0;
  }
}

/// It stands in no list of joiners any more.
void JitEngine::leave_joined(Region& region) {
  for (const Block* const block : region.joined) {
    const auto at = joiners_.find(block);
    std::erase(at->second, &region);
    if (at->second.empty()) joiners_.erase(at);
  }
  region.joined.clear();
}

void JitEngine::forget(Block& block) {
  auto* region = static_cast<Region*>(block.native);
  if (region == nullptr) return;
  detach(*region);
  leave_joined(*region);
  parts_[region->part].insns -= region->insns.size();
  region->block = nullptr;
  block.native = nullptr;
  block.native_code = nullptr;
  // It may be running, or be what was just left.
  removed_.push_back(std::move(live_[region->index]));
  if (region->index + 1 < live_.size()) {
    live_[region->index] = std::move(live_.back());
    live_[region->index]->index = region->index;
  }
  live_.pop_back();
}

/// Between blocks only.
void JitEngine::forget_removed() {
  if (removed_.empty()) [[likely]]
    return;
  for (const std::unique_ptr<Region>& region : removed_) gone(*region);
  removed_.clear();
}

/// Between blocks only. They are made again when they are next asked for.
void JitEngine::forget_missing() {
  if (missing_.empty()) [[likely]]
    return;
  if (groups_miss_.size() >= kMaxGroupsMiss) groups_miss_.clear();
  for (const Region* region : missing_) {
    if (region->block == nullptr) continue;
    Block& block = *region->block;
    // Its copies of groups are as many as there may be.
    if (!groups_miss_.emplace(block.phys, block.mode.bits).second) continue;
    forget(block);
    block.uses = options_.threshold - 1;
  }
  missing_.clear();
}

/// Between blocks only: nothing of what goes runs.
bool JitEngine::make_room(Cpu& cpu) {
  if (jump_tables_.modes_full()) drop_all_code();
  if (host_->has_room()) return true;
  const unsigned oldest = (host_->part() + 1) % host_->parts();
  u64 all = 0;
  for (const Part& part : parts_) all += part.insns;
  if (!pace_.may_drop(parts_[oldest].insns, all, ran(cpu))) return false;
  drop_part(oldest);
  return true;
}

void JitEngine::drop_part(unsigned part) {
  forget_removed();
  for (std::size_t i = live_.size(); i-- > 0;) {
    Region& region = *live_[i];
    if (region.part != part) continue;
    detach(region);
    leave_joined(region);
    gone(region);
    region.block->native = nullptr;
    region.block->native_code = nullptr;
    region.block->uses = 0;
    if (i + 1 < live_.size()) {
      live_[i] = std::move(live_.back());
      live_[i]->index = i;
    }
    live_.pop_back();
  }
  kept_.part_dropped(part);
  dropped_parts_ += parts_[part].used ? 1 : 0;
  parts_[part] = {};
  host_->begin_part(part);
}

void JitEngine::drop_all_code() {
  for (Runner& runner : runners_) {
    note_no_tables(*runner.cpu);
    std::ranges::fill(runner.entered, EnteredMode{});
  }
  for (unsigned part = host_->parts(); part-- > 0;) drop_part(part);
  jump_tables_.clear();
}

void JitEngine::add_counts(const Region& region, HostInsnsByWho& sums) {
  if (region.code.counted == nullptr) return;
  sums[region.user ? kUser : kKernel].add(*region.code.counted);
}

void JitEngine::gone(const Region& region) {
  if (context_.edge != kNoEdge && context_.edge >> kEdgeBits == region.number) context_.edge = kNoEdge;
  regions_.remove(region);
  kept_.gone(region);
  add_counts(region, host_insns_);
  hot_blocks_.gone(region);
}

JitEngine::HostInsnsByWho JitEngine::host_insns_by_who() const {
  HostInsnsByWho sums = host_insns_;
  for (const auto* list : {&live_, &removed_})
    for (const std::unique_ptr<Region>& region : *list) add_counts(*region, sums);
  return sums;
}

HostInsnTotals JitEngine::host_insns() const {
  const HostInsnsByWho sums = host_insns_by_who();
  HostInsnTotals all = sums[kUser];
  all.add(sums[kKernel]);
  return all;
}

std::string JitEngine::host_insn_stats() const {
  const HostInsnsByWho sums = host_insns_by_who();
  return host_insn_text("host instructions", host_insns()) + host_insn_text("  in user mode", sums[kUser]) +
         host_insn_text("  elsewhere", sums[kKernel]);
}

std::string JitEngine::hot_block_text() const {
  const HotBlocks::Regions* const lists[] = {&live_, &removed_};
  return hot_blocks_.text(options_.hot_blocks, lists, [&](u64 linear) { return notes_.name(linear); });
}

std::string JitEngine::stats() const {
  if (host_ == nullptr) return "no executable memory: everything was interpreted\n";
  const HostBackend::Bytes bytes = host_->used();
  std::string text = fmt::format(
      "translated blocks {} and {} joined to them, of which kept {}, instructions {}, probes {}, code bytes "
      "{} hot and {} "
      "cold, in {:.3f} s; links "
      "{}, jump tables {}, parts of the code dropped {}, failures {}\n",
      translated_, joined_, kept_used_, translated_insns_, probes_, bytes.hot, bytes.cold,
      std::chrono::duration<double>(translating_).count(), links_, jump_tables_.count(), dropped_parts_,
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
  if (options_.hot_blocks != 0) text += hot_block_text();
  return text;
}

}  // namespace reprise::jit
