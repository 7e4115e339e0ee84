#include "machine/lockstep/lockstep_engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"
#include "common/log.h"
#include "cpu/decode/disassemble.h"
#include "cpu/engine/interpret.h"
#include "cpu/system/debug_regs.h"
#include "cpu/system/interrupts.h"
#include "machine/lockstep/state_difference.h"

namespace reprise::machine {

using cpu::Cpu;
using cpu::CpuState;
using cpu::RunExit;

namespace {

bool ends_with_fault(RunExit exit) { return exit == RunExit::Fault || exit == RunExit::Trap; }

const char* name_of(RunExit exit) {
  switch (exit) {
    case RunExit::Budget:
    case RunExit::Event: return "no fault";
    case RunExit::Fault: return "a fault";
    case RunExit::Trap: return "a trap";
  }
  return "";
}

bool same_fault(const cpu::Fault& one, const cpu::Fault& other) {
  return one.vector == other.vector && one.has_error_code == other.has_error_code && one.kind == other.kind &&
         (!one.has_error_code || one.error_code == other.error_code) &&
         (one.vector != cpu::kPF || one.linear == other.linear) && one.dr6 == other.dr6;
}

std::string fault_text(const cpu::Fault& fault) {
  return fmt::format("vector {} error code {:#x} address {:#x} dr6 {:#x}", fault.vector, fault.error_code,
                     fault.linear, fault.dr6);
}

/// Between two slices of one run nothing is delivered, so RF must not be left behind.
void forget_resume_flag(CpuState& state) { state.rflags &= ~cpu::kRflagsRf; }

}  // namespace

/// The second processor.
struct LockstepEngine::Shadow {
  Shadow(LockstepRoom& room, const Cpu& real, Tap& real_tap)
      : tap(Tap::Mode::Replay, real_tap, real_tap, room.log, room.next_second),
        processor(tap, tap, room.second->map, room.second->code_pages, real.profile, room.second->log) {
    tap.attach(processor);
    processor.apic_id = real.apic_id;
  }

  Tap tap;
  Cpu processor;
};

u64 LockstepRoom::slice() {
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  constexpr u64 kLongest[8] = {8, 64, 1000, 1000, 6000, 6000, 6000, 60000};
  return 1 + (random >> 8) % kLongest[random & 7];
}

LockstepEngine::LockstepEngine(LockstepRoom& room, Cpu& cpu, Tap& tap) : room_(room), cpu_(cpu), tap_(tap) {
  tap_.attach(cpu);
  room_.engines.push_back(this);
}

LockstepEngine::~LockstepEngine() = default;

/// The first time: a second processor, and for the first of them its memory.
void LockstepEngine::start() {
  if (room_.second == nullptr) copy_memory();
  shadow_ = std::make_unique<Shadow>(room_, cpu_, tap_);
  shadow_->processor.mmu.adopt_second_level(cpu_.mmu.second_level());
  flushes_apart_ = ~u64{0};
  adopt_map();
}

/// Everything that was loaded into the machine.
void LockstepEngine::copy_memory() {
  const mmu::Ram& ram = cpu_.mmu.phys_map().ram();
  Result<std::unique_ptr<mmu::Ram>> copy = mmu::Ram::create(ram.bytes());
  CHECK(copy.ok());
  room_.second =
      std::make_unique<LockstepRoom::SecondMachine>(copy.take(), cpu_.profile, room_.options.max_block_insns);
  for (u64 at = 0; at < ram.bytes(); at += kPageBytes) {
    const u8* page = ram.host() + at;
    const bool zero = std::all_of(page, page + kPageBytes, [](u8 byte) { return byte == 0; });
    if (!zero) std::memcpy(room_.second->ram->host() + at, page, kPageBytes);
  }
  room_.base_pages.emplace(ram.bytes());
  room_.log.clear();
  room_.next_second = 0;
}

void LockstepEngine::flush() {
  room_.tested->flush();
  if (room_.second != nullptr) room_.second->interp.flush();
}

/// The next run() begins with another copy of memory.
void LockstepEngine::state_replaced() {
  room_.tested->state_replaced();
  cpu_.mmu.phys_map().set_tap(nullptr);
  for (LockstepEngine* engine : room_.engines) {
    engine->pending_event_.reset();
    engine->shadow_.reset();
  }
  room_.second.reset();
}

void LockstepEngine::delivering(Cpu& cpu, const cpu::Fault& event) {
  if (room_.second == nullptr || !room_.report.empty()) return;
  if (shadow_ == nullptr) start();
  deliver_pending();
  state_before_event_ = cpu.state;
  pending_event_ = event;
}

void LockstepEngine::deliver_pending() {
  if (!pending_event_) return;
  Cpu& shadow = shadow_->processor;
  room_.second->map.set_tap(&shadow_->tap);
  shadow_->tap.replay_ram_writes();
  shadow.state = state_before_event_;
  shadow.sync_mode();
  shadow.debug_hits = 0;
  cpu::deliver_event(shadow, *pending_event_);
  pending_event_.reset();
}

/// What happened to the machine since the last slice, outside of the engine. The others wrote memory, too, when they
/// took events and did not run since.
void LockstepEngine::follow_outside() {
  Cpu& shadow = shadow_->processor;
  for (LockstepEngine* engine : room_.engines) engine->deliver_pending();
  shadow_->tap.replay_ram_writes();
  forget_events();
  adopt_map();
  shadow.state = cpu_.state;
  shadow.sync_mode();
}

/// Devices and the machine flush the real MMU, and only that one, when they change what it translates or the
/// whole state.
void LockstepEngine::adopt_map() {
  Cpu& shadow = shadow_->processor;
  mmu::PhysMap& map = cpu_.mmu.phys_map();
  const u64 apart = cpu_.mmu.stats().flushes_all - shadow.mmu.stats().flushes_all;
  if (apart == flushes_apart_ && map.version() == room_.second->map_version) return;
  shadow.mmu.set_local_page(cpu_.mmu.local_page());
  if (map.version() != room_.second->map_version || cpu_.mmu.smram() != shadow.mmu.smram()) {
    // The same addresses may mean other memory, and its own code pages heard nothing of it.
    room_.second->map.mirror(map);
    room_.second->map_version = map.version();
    shadow.mmu.set_smram(cpu_.mmu.smram());
    room_.second->interp.flush();
  }
  shadow.state = cpu_.state;
  shadow.mmu.restore_paging(cpu_.mmu.context(), cpu_.mmu.a20_enabled());
  cpu::update_watches(shadow);
  shadow.sync_mode();
  shadow.mmu.adopt_second_level(cpu_.mmu.second_level());
  flushes_apart_ = cpu_.mmu.stats().flushes_all - shadow.mmu.stats().flushes_all;
}

void LockstepEngine::forget_events() {
  room_.log.clear();
  shadow_->tap.rewind(0, tap_.interrupt_pending());
}

void LockstepEngine::begin_slice() {
  forget_events();
  base_ = {cpu_.state,
           cpu_.mmu.context(),
           cpu_.mmu.a20_enabled(),
           cpu_.single_step,
           cpu_.stop_requested,
           tap_.interrupt_pending(),
           0};
  shadow_->processor.single_step = cpu_.single_step;
  shadow_->processor.stop_requested = cpu_.stop_requested;
  shadow_->processor.counters_changed = cpu_.counters_changed;
  shadow_->processor.run_end = cpu_.run_end;
  shadow_->processor.debug_hits = 0;
  shadow_->processor.task_fault = false;
  if (base_tlb_.history() != cpu_.mmu.second_level().history()) base_tlb_ = cpu_.mmu.second_level();
  mark_base();
}

/// Both memories are as they are at the base. What is written from now on is known.
void LockstepEngine::mark_base() {
  room_.base_pages->clear();
  forget_writes();
}

void LockstepEngine::forget_writes() {
  room_.real_epoch = cpu_.mmu.phys_map().ram().end_epoch();
  room_.second_epoch = room_.second->ram->end_epoch();
}

/// The real processor has run since the base and the shadow has not.
void LockstepEngine::keep_base_pages() {
  cpu_.mmu.phys_map().ram().for_each_written_since(room_.real_epoch, [&](u64 page) {
    room_.base_pages->keep(page, room_.second->ram->host() + page * kPageBytes);
  });
}

RunExit LockstepEngine::run(Cpu& cpu, u64 budget) {
  if (!room_.report.empty()) return room_.tested->run(cpu, budget);
  if (shadow_ == nullptr) start();
  cpu_.mmu.phys_map().set_tap(&tap_);
  follow_outside();
  room_.second->map.set_tap(&shadow_->tap);
  const u64 target = cpu.state.retired + budget;
  for (;;) {
    begin_slice();
    const RunExit exit = room_.tested->run(cpu, std::min(room_.slice(), target - cpu.state.retired));
    keep_base_pages();
    const u64 instructions = cpu.state.retired - base_.state.retired;
    ++room_.slices;
    room_.instructions += instructions;
    const std::string difference = follow(exit);
    if (!difference.empty()) {
      investigate(difference, instructions + (exit == RunExit::Fault ? 1 : 0));
      room_.control.request(MachineRequest::EnginesDiffer, 0);
      return RunExit::Event;
    }
    adopt_map();
    if (exit != RunExit::Budget || cpu.state.retired >= target) return exit;
    forget_resume_flag(cpu.state);
    forget_resume_flag(shadow_->processor.state);
  }
}

std::string LockstepEngine::follow(RunExit exit) {
  Cpu& shadow = shadow_->processor;
  const CpuState& state = shadow.state;
  const u64 target = cpu_.state.retired;
  RunExit shadow_exit = RunExit::Budget;
  while (state.retired < target && !ends_with_fault(shadow_exit)) {
    shadow_exit = room_.second->interp.run(shadow, target - state.retired);
    if (state.retired == target || ends_with_fault(shadow_exit)) break;
    // With breakpoints set a store into code stops an engine, which depends on what it has decoded.
    if ((state.dr7 & 0xff) == 0 && !cpu::pass_boundary(shadow)) {
      return fmt::format("the engine went on after instruction {}, where the interpreter stops for an event",
                         state.retired);
    }
    forget_resume_flag(shadow.state);
  }
  if (exit == RunExit::Fault && !ends_with_fault(shadow_exit)) {
    // The shadow's budget ended at the instruction before, where the engine went on.
    (void)cpu::pass_boundary(shadow);
    forget_resume_flag(shadow.state);
    shadow_exit = room_.second->interp.run(shadow, 1);
  }
  return compare(exit, shadow_exit);
}

std::string LockstepEngine::compare(RunExit exit, RunExit shadow_exit) {
  Cpu& shadow = shadow_->processor;
  Tap& tap = shadow_->tap;
  tap.replay_ram_writes();
  if (!tap.difference().empty())
    return fmt::format("access to a device: the interpreter made {}", tap.difference());
  if (!tap.at_end()) {
    return fmt::format("access to a device that the interpreter does not make: {}",
                       room_.log[tap.replayed()].text());
  }
  const bool faults = ends_with_fault(exit) || ends_with_fault(shadow_exit);
  if (faults && (exit != shadow_exit || !same_fault(cpu_.fault, shadow.fault))) {
    return fmt::format("the engine ends with {} ({}), the interpreter with {} ({})", name_of(exit),
                       fault_text(cpu_.fault), name_of(shadow_exit), fault_text(shadow.fault));
  }
  if (cpu_.task_fault != shadow.task_fault || cpu_.debug_hits != shadow.debug_hits) {
    return fmt::format("debug hits {:#x} and {:#x}, fault of a task switch {} and {}", cpu_.debug_hits,
                       shadow.debug_hits, cpu_.task_fault, shadow.task_fault);
  }
  if (!same_state(cpu_.state, shadow.state)) {
    return fmt::format("registers (engine, interpreter):\n{}", state_difference(cpu_.state, shadow.state));
  }
  if (cpu_.mode.bits != shadow.mode.bits)
    return fmt::format("the engine's mode key is {:#x} instead of {:#x}", cpu_.mode.bits, shadow.mode.bits);
  // When a device has changed what lies at an address, the real MMU alone has been flushed: adopt_map() follows.
  const u64 apart = cpu_.mmu.stats().flushes_all - shadow.mmu.stats().flushes_all;
  const bool map_changed = !room_.log.empty() && apart != flushes_apart_;
  if (!map_changed && cpu_.mmu.second_level().history() != shadow.mmu.second_level().history())
    return compare_tlbs();
  return compare_pages();
}

std::string LockstepEngine::compare_tlbs() const {
  using Tlb = mmu::SecondLevelTlb;
  const auto lines = [](const Tlb& tlb) {
    std::vector<std::string> text;
    for (const Tlb::Held& entry : tlb.held()) {
      text.push_back(
          fmt::format("{:016x} {:7} -> {:#x} pcid {}", entry.linear, entry.bytes, entry.data, entry.pcid));
    }
    std::ranges::sort(text);
    return text;
  };
  const std::vector<std::string> real = lines(cpu_.mmu.second_level());
  const std::vector<std::string> other = lines(shadow_->processor.mmu.second_level());
  std::string text = "the TLBs have not done the same";
  constexpr std::size_t kMaxLines = 16;
  const auto add = [&](const char* whose, const std::vector<std::string>& here,
                       const std::vector<std::string>& there) {
    std::vector<std::string> only;
    std::ranges::set_difference(here, there, std::back_inserter(only));
    for (std::size_t i = 0; i < std::min(only.size(), kMaxLines); ++i)
      text += fmt::format("\n  only the {}'s: {}", whose, only[i]);
  };
  add("engine", real, other);
  add("interpreter", other, real);
  return text;
}

std::string LockstepEngine::compare_pages() {
  std::string text;
  const mmu::Ram& real_ram = cpu_.mmu.phys_map().ram();
  const u8* const real = real_ram.host();
  const u8* const other = room_.second->ram->host();
  const auto compare_page = [&](u64 page) {
    ++room_.pages_compared;
    const u64 at = page * kPageBytes;
    if (std::memcmp(real + at, other + at, kPageBytes) == 0) return;
    unsigned shown = 0;
    for (u64 i = 0; i < kPageBytes && shown < 16; i += 8) {
      const u64 one = read_unaligned<u64>(real + at + i), two = read_unaligned<u64>(other + at + i);
      if (one == two) continue;
      ++shown;
      text += fmt::format("  physical {:#x}  {:016x}  {:016x}\n",
                          room_.second->map.phys_of_ram(at + i).value_or(0), one, two);
    }
  };
  real_ram.for_each_written_since(room_.real_epoch, compare_page);
  room_.second->ram->for_each_written_since(room_.second_epoch, [&](u64 page) {
    if (!real_ram.written_since(room_.real_epoch, page * kPageBytes)) compare_page(page);
  });
  return text.empty() ? text : fmt::format("memory (engine, interpreter):\n{}", text);
}

// --- After a difference ---

void LockstepEngine::restore(Cpu& cpu) const {
  cpu.state = base_.state;
  cpu.mmu.restore_paging(base_.context, base_.a20_enabled);
  cpu.mmu.adopt_second_level(base_tlb_);
  cpu::update_watches(cpu);
  cpu.sync_mode();
  cpu.single_step = base_.single_step;
  cpu.stop_requested = base_.stop_requested;
  cpu.counters_changed = false;
  cpu.debug_hits = 0;
  cpu.task_fault = false;
}

void LockstepEngine::put_page(Cpu& cpu, u64 page, const u8* bytes) {
  mmu::PhysMap& map = cpu.mmu.phys_map();
  const u64 at = page * kPageBytes;
  u8* const host = map.ram().host() + at;
  const auto [first, ignored] = std::mismatch(bytes, bytes + kPageBytes, host);
  if (first == bytes + kPageBytes) return;
  u64 from = static_cast<u64>(first - bytes), to = kPageBytes;
  while (bytes[to - 1] == host[to - 1]) --to;
  map.ram().mark_written(at);
  std::memcpy(host + from, bytes + from, to - from);
  if (const std::optional<u64> phys = map.phys_of_ram(at + from))
    cpu.mmu.code_pages().written(*phys, to - from);
}

void LockstepEngine::roll_back() {
  mmu::Ram& real_ram = cpu_.mmu.phys_map().ram();
  const auto put_back = [&](u64 page) {
    // Only the shadow wrote what is not kept: the real page is as it was.
    const u8* const before = room_.base_pages->find(page);
    const u8* const bytes = before != nullptr ? before : real_ram.host() + page * kPageBytes;
    put_page(cpu_, page, bytes);
    put_page(shadow_->processor, page, bytes);
  };
  real_ram.for_each_written_since(room_.real_epoch, put_back);
  room_.second->ram->for_each_written_since(room_.second_epoch, put_back);
  restore(cpu_);
  restore(shadow_->processor);
  forget_writes();
  tap_.rewind(base_.events, base_.interrupt_pending);
  shadow_->tap.rewind(base_.events, base_.interrupt_pending);
}

std::string LockstepEngine::attempt(cpu::Engine& engine, u64 instructions) {
  constexpr unsigned kMaxStandstills = 8;
  roll_back();
  const u64 target = base_.state.retired + instructions;
  RunExit exit = RunExit::Budget;
  unsigned standstills = 0;
  while (cpu_.state.retired < target && !ends_with_fault(exit) && standstills < kMaxStandstills) {
    const u64 before = cpu_.state.retired;
    forget_resume_flag(cpu_.state);
    exit = engine.run(cpu_, target - before);
    standstills += cpu_.state.retired == before ? 1 : 0;
  }
  keep_base_pages();
  if (!tap_.difference().empty()) return fmt::format("access to a device: {}", tap_.difference());
  // What the interpreter does beyond is none of the engine's.
  std::vector<DeviceEvent> beyond(room_.log.begin() + static_cast<std::ptrdiff_t>(tap_.replayed()),
                                  room_.log.end());
  room_.log.resize(tap_.replayed());
  std::string difference = follow(exit);
  room_.log.insert(room_.log.end(), beyond.begin(), beyond.end());
  return difference;
}

std::vector<LockstepEngine::Step> LockstepEngine::trace(u64 instructions) {
  Cpu& shadow = shadow_->processor;
  std::vector<Step> steps;
  roll_back();
  for (u64 i = 0; i < instructions; ++i) {
    forget_resume_flag(shadow.state);
    steps.push_back({shadow.state.rip, cpu::fetch_linear(shadow)});
    if (ends_with_fault(room_.second->interp.run(shadow, 1))) break;
  }
  return steps;
}

/// The state after `instructions` of the interpreter becomes the one to go back to.
void LockstepEngine::advance_base(u64 instructions) {
  Cpu& shadow = shadow_->processor;
  roll_back();
  for (u64 i = 0; i < instructions; ++i) {
    forget_resume_flag(shadow.state);
    (void)room_.second->interp.run(shadow, 1);
  }
  room_.second->ram->for_each_written_since(room_.second_epoch, [&](u64 page) {
    put_page(cpu_, page, room_.second->ram->host() + page * kPageBytes);
  });
  mark_base();
  base_ = {shadow.state,
           shadow.mmu.context(),
           shadow.mmu.a20_enabled(),
           false,
           shadow.stop_requested,
           shadow_->tap.interrupt_pending(),
           shadow_->tap.replayed()};
  base_tlb_ = shadow.mmu.second_level();
  forget_resume_flag(base_.state);
}

std::string LockstepEngine::disassembly(const std::vector<Step>& steps, std::size_t from) const {
  constexpr std::size_t kMaxSteps = 48;
  Cpu& shadow = shadow_->processor;
  std::string text;
  for (std::size_t i = std::max(from, steps.size() - std::min(steps.size(), kMaxSteps)); i < steps.size();
       ++i) {
    if (i + 1 < steps.size() && steps[i + 1].linear == steps[i].linear) continue;  // an iteration
    std::vector<u8> bytes;
    for (u64 k = 0; k < 15; ++k) {
      u64 phys = 0;
      if (!shadow.mmu.peek_translate(steps[i].linear + k, phys)) break;
      const u8* host = room_.second->map.find(phys).host;
      if (host == nullptr) break;
      bytes.push_back(*host);
    }
    text += fmt::format("  {:016x}  {}\n", steps[i].rip,
                        cpu::disassemble(bytes, steps[i].rip, cpu::code_bits(shadow.mode)).text);
  }
  return text;
}

void LockstepEngine::investigate(const std::string& difference, u64 instructions) {
  tap_.set_mode(Tap::Mode::Replay);
  // The run ends anyway, and slices are repeated.
  for (LockstepEngine* engine : room_.engines) {
    engine->cpu_.stops = nullptr;
    engine->cpu_.event_observers.clear();
    engine->cpu_.insn_observers.clear();
  }
  cpu_.debug_stop = false;
  search(difference, instructions);
  tap_.set_mode(Tap::Mode::Record);
}

void LockstepEngine::search(const std::string& difference, u64 instructions) {
  const u64 first = base_.state.retired;
  room_.report = fmt::format(
      "the engines differ between instructions {} and {} (--lockstep-seed {})\nat the end of the slice: {}\n",
      first, first + instructions, room_.options.lockstep_seed, difference);

  if (attempt(*room_.tested, instructions).empty()) {
    const std::vector<Step> steps = trace(instructions);
    room_.report += fmt::format(
        "It does not happen again from the beginning of the slice with empty TLBs: look for stale "
        "translations or "
        "tags.\nThe interpreter's last instructions:\n{}",
        disassembly(steps, 0));
    return;
  }
  // `right` instructions from the base are right, `wrong` are not.
  u64 right = 0, wrong = instructions;
  while (wrong - right > 1) {
    const u64 middle = right + (wrong - right) / 2;
    (attempt(*room_.tested, middle).empty() ? right : wrong) = middle;
  }
  const std::string at_block = attempt(*room_.tested, wrong);
  const std::vector<Step> steps = trace(wrong);

  // The straight run of instructions that ends with the last.
  std::size_t begin = steps.size() - 1;
  while (begin > 0 && steps.size() - begin < cpu::Block::kMaxInsns) {
    const u64 distance = steps[begin].linear - steps[begin - 1].linear;
    const bool same_page = steps[begin].linear >> kPageShift == steps[begin - 1].linear >> kPageShift;
    if (distance == 0 || distance > 15 || !same_page) break;
    --begin;
  }
  room_.report += fmt::format("The block that goes wrong ends after instruction {}: {}\n{}", first + wrong,
                              at_block, disassembly(steps, begin));

  advance_base(begin);
  const std::size_t count = steps.size() - begin;
  std::string dump;
  for (std::size_t length = 1; length <= count; ++length) {
    jit::JitOptions options = room_.options;
    options.max_block_insns = static_cast<u32>(length);
    options.threshold = 1;
    options.code_cache_bytes = jit::JitOptions::kMinCodeCacheBytes;
    options.dump = static_cast<u8>(jit::Dump::Guest) | static_cast<u8>(jit::Dump::Plan) |
                   static_cast<u8>(jit::Dump::Host);
    options.dump_at = {steps[begin].linear};
    options.dump_sink = [&dump](std::string_view text) { dump += text; };
    options.perf_map = false;
    dump.clear();
    room_.retired_engines.push_back(room_.make_tested(options));
    const std::string wrong_here = attempt(*room_.retired_engines.back(), length);
    if (wrong_here.empty()) continue;
    const std::vector<Step> culprit = {steps[begin + length - 1]};
    room_.report +=
        fmt::format("The first wrong instruction:\n{}{}\n{}", disassembly(culprit, 0), wrong_here, dump);
    return;
  }
  room_.report += "In blocks that are cut off earlier every instruction is right.\n" + dump;
}

std::string LockstepRoom::stats() const {
  return fmt::format("lockstep: {} slices, {} instructions, {} pages compared\n", slices, instructions,
                     pages_compared);
}

}  // namespace reprise::machine
