// Code that rewrites itself while it runs, on the interpreter and on the JIT: every register and byte of memory must
// be equal at every stop.
//
// The guest is a field of cells of 32 bytes. Each cell adds an immediate, which other cells overwrite, and then
// stores into a cell, replaces a cell by another template, stores into itself, calls, jumps near or far. A
// dispatcher picks the next cell by a random number, through one of two mappings of the same pages. Between runs
// of random length the harness writes cells as a bus master does, and exchanges pages of the second mapping.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <functional>
#include <memory>
#include <vector>

#include "common/archive.h"
#include "common/check.h"
#include "common/hash.h"
#include "common/log.h"
#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "mmu/paging_bits.h"
#include "tests/jit/memory_store.h"
#include "tests/jit/small_machine.h"
#include "tests/native/random.h"

namespace reprise {
namespace {

using Bytes = std::vector<u8>;

constexpr u64 kPml4 = 0x1000, kPdpt = 0x2000, kPd = 0x3000, kPt = 0x4000;
constexpr u64 kFixed = 0x8000;      // code that never changes
constexpr u64 kTemplates = 0xa000;  // data
constexpr u64 kStack = 0xc000;
constexpr u64 kField = 0x20000;  // linear and physical
constexpr u64 kAlias = 0x40000;  // linear only
constexpr u64 kFieldPages = 3;   // the first two are full
constexpr u64 kCell = 32;
constexpr u64 kGuards = 4;  // before and after the cells, never written
constexpr u64 kCells = 256;
constexpr std::size_t kTemplateCount = 16;
static_assert(kCells * kCell >= 2 * kPageBytes &&
              (kCells + 2 * kGuards + 1) * kCell <= kFieldPages * kPageBytes);

void append(Bytes& code, std::initializer_list<int> bytes) {
  for (const int byte : bytes) code.push_back(static_cast<u8>(byte));
}
void append32(Bytes& code, u32 value) {
  for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
}

// r15 field, r14 alias, r13 templates, r12 random, r11 dispatcher, r10 a function, r9 and r8 the copiers.

/// Rax := offset of a random cell from the field, chosen by bits of r12 from `shift` on.
void append_target(Bytes& code, u8 shift) {
  append(code,
         {0x4c, 0x89, 0xe0, 0x48, 0xc1, 0xe8, shift, 0x25});  // mov rax, r12; shr rax, shift; and eax, ...
  append32(code, static_cast<u32>((kCells - 1) * kCell));
}

/// A cell that begins with add ebx, imm32 and goes on with `rest`.
Bytes cell(u32 immediate, const Bytes& rest) {
  Bytes code;
  append(code, {0x81, 0xc3});
  append32(code, immediate);
  code.insert(code.end(), rest.begin(), rest.end());
  while (code.size() < kCell) code.push_back(0x90);
  return code;
}

std::vector<Bytes> make_templates(native::Random& random, u32 first) {
  std::vector<Bytes> all;
  const auto add = [&](const Bytes& rest) { all.push_back(cell(static_cast<u32>(random.next()), rest)); };
  // Stores into a random cell: `store` is an instruction up to its displacement from the field's beginning.
  const auto add_store = [&](u8 shift, std::initializer_list<int> store, u32 offset) {
    Bytes rest;
    append_target(rest, shift);
    append(rest, store);
    append32(rest, first + offset);
    add(rest);
  };
  add({});                                                         // falls into the next cell
  add({0x41, 0xff, 0xe3});                                         // jmp r11
  add({0x41, 0xff, 0xd2, 0x41, 0xff, 0xe3});                       // call r10; jmp r11
  add({0xf7, 0xc3, 0x10, 0, 0, 0, 0x74, 0x12, 0x41, 0xff, 0xe3});  // test ebx, 10h; jz next cell; jmp r11
  add({0x11, 0xdd, 0xe9, 0x53, 0, 0, 0});                          // adc ebp, ebx; jmp three cells on
  add({0xc1, 0xc3, 5, 0x72, 0x75, 0x41, 0xff, 0xe3});              // rol ebx, 5; jc four cells on; jmp r11
  add_store(33, {0x41, 0x89, 0x9c, 0x06}, 2);                      // mov [r14 + rax + ...], ebx
  add_store(35, {0x41, 0x88, 0x9c, 0x07}, 3);                      // mov [r15 + rax + ...], bl
  add_store(30, {0xf0, 0x41, 0x0f, 0xc1, 0x9c, 0x07}, 2);          // lock xadd [r15 + rax + ...], ebx
  add({0x89, 0x1d, 2, 0, 0, 0, 0x81, 0xc1, 0, 0, 0, 0, 0x41, 0xff,
       0xe3});                                                  // mov [rip + 2], ebx: into add ecx, 0
  add({0xfe, 0x05, 0xf8, 0xff, 0xff, 0xff, 0x41, 0xff, 0xe3});  // inc byte [rip - 8]: its own immediate
  add({0x41, 0xff, 0xe1});                                      // jmp r9: copy a template with REP MOVSB
  add({0x41, 0xff, 0xe0});                                      // jmp r8: copy a template with MOVUPS
  add({0x9f, 0x01, 0xc5, 0x41, 0xff, 0xe3});                    // lahf; add ebp, eax; jmp r11
  for (const Bytes& one : all) CHECK(one.size() == kCell);
  // A power of two: copiers choose by a mask.
  for (std::size_t i = 0; all.size() < kTemplateCount; ++i) all.push_back(all[6 + i]);
  return all;
}

struct Guest {
  Bytes fixed;
  u64 dispatcher = 0, function = 0, copy_bytes = 0, copy_vectors = 0;
};

Guest make_fixed(u32 first) {
  Guest guest;
  Bytes& code = guest.fixed;
  const auto here = [&] { return kFixed + code.size(); };
  guest.dispatcher = here();
  append(code, {0x4d, 0x69, 0xe4});  // imul r12, r12, 4c957f2dh
  append32(code, 0x4c957f2d);
  append(code, {0x49, 0x81, 0xc4});  // add r12, 14057b7fh
  append32(code, 0x14057b7f);
  append_target(code, 28);
  append(code, {0x49, 0x0f, 0xba, 0xe4, 45});  // bt r12, 45
  append(code, {0x4c, 0x89, 0xfa});            // mov rdx, r15
  append(code, {0x49, 0x0f, 0x42, 0xd6});      // cmovc rdx, r14
  append(code, {0x48, 0x8d, 0x84, 0x02});      // lea rax, [rdx + rax + first]
  append32(code, first);
  append(code, {0xff, 0xe0});  // jmp rax
  guest.function = here();
  append(code, {0x01, 0xdd, 0xc3});  // add ebp, ebx; ret
  const auto copier = [&](std::initializer_list<int> copy) {
    append_target(code, 31);
    append(code, {0x49, 0x8d, 0xbc, 0x06});  // lea rdi, [r14 + rax + first]
    append32(code, first);
    append(code,
           {0x4c, 0x89, 0xe6, 0x48, 0xc1, 0xee, 40, 0x81, 0xe6});  // mov rsi, r12; shr rsi, 40; and esi, ...
    append32(code, static_cast<u32>((kTemplateCount - 1) * kCell));
    append(code, {0x4c, 0x01, 0xee});  // add rsi, r13
    append(code, copy);
    append(code, {0x41, 0xff, 0xe3});  // jmp r11
  };
  guest.copy_bytes = here();
  copier({0xb9, 32, 0, 0, 0, 0xf3, 0xa4});  // mov ecx, 32; rep movsb
  guest.copy_vectors = here();
  copier({0x0f, 0x10, 0x06, 0x0f, 0x10, 0x4e, 16, 0x0f, 0x11, 0x07, 0x0f, 0x11, 0x4f, 16});
  return guest;
}

class Runner : public test::EngineMachine {
 public:
  using EngineMachine::EngineMachine;

  void map_page(u64 linear, u64 phys) {
    map_.write(kPt + 8 * (linear >> kPageShift), Width::Qword, phys | mmu::kPteP | mmu::kPteRw);
    cpu_->mmu.invlpg(linear);
  }
  void start(u64 seed, const Guest& guest) {
    using namespace mmu;
    map_.write(kPml4, Width::Qword, kPdpt | kPteP | kPteRw);
    map_.write(kPdpt, Width::Qword, kPd | kPteP | kPteRw);
    map_.write(kPd, Width::Qword, kPt | kPteP | kPteRw);
    for (u64 at = 0; at < 0x40000; at += kPageBytes) map_page(at, at);
    for (u64 page = 0; page < kFieldPages; ++page)
      map_page(kAlias + page * kPageBytes, kField + page * kPageBytes);
    cpu::CpuState& s = state();
    s.cr0 = kCr0Pe | kCr0Pg | kCr0Wp | kCr0Ne | kCr0Et | kCr0Mp;
    s.cr3 = kPml4;
    s.cr4 = kCr4Pae | kCr4Osfxsr | kCr4Osxmmexcpt;
    s.efer = kEferLme | kEferLma | kEferNxe;
    for (cpu::Segment& segment : s.seg) segment = {.base = 0, .limit = ~0u, .selector = 8, .access = 0xc093};
    s.seg[cpu::CS].access = 0xa09b;
    for (unsigned i = 0; i < 16; ++i) s.gpr[i] = seed * (2 * i + 1);
    s.gpr[cpu::RSP] = kStack;
    s.gpr[cpu::R15] = kField;
    s.gpr[cpu::R14] = kAlias;
    s.gpr[cpu::R13] = kTemplates;
    s.gpr[cpu::R12] = seed;
    s.gpr[cpu::R11] = guest.dispatcher;
    s.gpr[cpu::R10] = guest.function;
    s.gpr[cpu::R9] = guest.copy_bytes;
    s.gpr[cpu::R8] = guest.copy_vectors;
    s.rip = guest.dispatcher;
    cpu_->state_replaced();
  }

  /// Runs to `retired`, in calls of at most `slice`. False: the guest faulted.
  bool run_to(u64 retired, u64 slice) {
    while (state().retired < retired) {
      const cpu::RunExit exit = engine_->run(*cpu_, std::min(slice, retired - state().retired));
      state().rflags &= ~cpu::kRflagsRf;
      if (exit == cpu::RunExit::Fault || exit == cpu::RunExit::Trap) return false;
    }
    return true;
  }

  u64 hash() {
    Archive archive;
    state().serialize(archive);
    return hash64(archive.bytes(), hash64({ram_->host(), kRamBytes}, 1));
  }
  std::string dump() const {
    std::string cell;
    u64 phys = 0;
    for (u64 at = state().rip & ~(kCell - 1), i = 0; i < kCell && cpu_->mmu.peek_translate(at + i, phys); ++i)
      cell += fmt::format(" {:02x}", ram_->host()[phys]);
    return fmt::format("vector {} address {:#x}, code{}\n{}", cpu_->fault.vector, cpu_->fault.linear, cell,
                       cpu_->dump());
  }
};

struct Variant {
  const char* name;
  jit::JitOptions options;
};

std::vector<Variant> variants(const std::shared_ptr<jit::CodeStore>& store) {
  std::vector<Variant> all(5);
  all[0].name = "first use";
  all[0].options.threshold = 1;
  all[1].name = "small cache, short blocks";
  all[1].options.threshold = 2;
  all[1].options.max_block_insns = 5;
  all[1].options.pace = 0;
  all[1].options.code_cache_bytes = jit::JitOptions::kMinCodeCacheBytes;
  all[2].name = "no passes";
  all[2].options.threshold = 1;
  all[2].options.passes = jit::PassSet();
  all[3].name = "as usual";
  all[4].name = "with the code of earlier guests";
  all[4].options.threshold = 1;
  all[4].options.code_store = store;
  all[4].options.worth_keeping = 1;
  return all;
}

struct Options {
  u64 seed = 1;
  u64 seeds = 40;
  u64 instructions = 60'000;
  u64 churn = 4'000'000;
};

/// One guest, before it has run.
struct Field {
  explicit Field(u64 seed)
      : random(seed),
        straddle(seed % 2 == 0),
        first(kGuards * kCell + (straddle ? kCell / 2 : 0)),
        templates(make_templates(random, static_cast<u32>(first))),
        guest(make_fixed(static_cast<u32>(first))) {
    for (u64 i = 0; i < kCells; ++i) cells.push_back(random.below(kTemplateCount));
  }
  void load_into(Runner& runner, u64 seed) const {
    const Bytes guard = cell(1, {0x41, 0xff, 0xe3});
    runner.load(kFixed, guest.fixed);
    for (std::size_t i = 0; i < kTemplateCount; ++i) runner.load(kTemplates + i * kCell, templates[i]);
    for (u64 i = 0; i < kCells + 2 * kGuards; ++i)
      runner.load(kField + first - kGuards * kCell + i * kCell, guard);
    for (u64 i = 0; i < kCells; ++i) runner.load(kField + first + i * kCell, templates[cells[i]]);
    runner.start(seed, guest);
  }
  const Bytes& any_template() { return templates[random.below(kTemplateCount)]; }
  u64 any_cell() { return kField + first + random.below(kCells) * kCell; }
  /// Between cells, where any of them may change.
  bool between(u64 rip) const { return rip >= kFixed && rip < guest.function; }

  native::Random random;
  bool straddle;  // cells straddle pages; else pages can be exchanged
  u64 first;
  std::vector<Bytes> templates;
  Guest guest;
  std::vector<std::size_t> cells;
};

std::unique_ptr<Runner> make_runner(const jit::JitOptions* options) {
  return std::make_unique<Runner>([&](mmu::CodePages& pages) -> std::unique_ptr<cpu::Engine> {
    if (options == nullptr) return std::make_unique<cpu::InterpEngine>(cpu::default_profile(), pages);
    return std::make_unique<jit::JitEngine>(cpu::default_profile(), pages, *options);
  });
}

/// A line about the first difference; empty: none.
std::string run_seed(u64 seed, const Options& options, const std::shared_ptr<jit::CodeStore>& store) {
  Field field(seed);
  native::Random& random = field.random;
  std::vector<std::unique_ptr<Runner>> runners;
  runners.push_back(make_runner(nullptr));
  const std::vector<Variant> all = variants(store);
  for (const Variant& variant : all) runners.push_back(make_runner(&variant.options));
  const auto for_all = [&](auto&& act) {
    for (auto& runner : runners) act(*runner);
  };
  for_all([&](Runner& runner) { field.load_into(runner, seed); });

  u64 swapped = 0;
  for (u64 at = 0; at < options.instructions;) {
    at += 1 + random.below(3000);
    const u64 slice = random.chance(50) ? ~u64{0} : 1 + random.below(200);
    const bool ok = runners[0]->run_to(at, ~u64{0});
    const u64 expected = runners[0]->hash();
    for (std::size_t i = 1; i < runners.size(); ++i) {
      const bool also = runners[i]->run_to(at, slice);
      if (also == ok && runners[i]->hash() == expected) continue;
      return fmt::format("{}: after {} instructions\ninterpreter{}\n{}JIT{}\n{}", all[i - 1].name, at,
                         ok ? "" : " (fault)", runners[0]->dump(), also ? "" : " (fault)",
                         runners[i]->dump());
    }
    if (!ok) {
      return fmt::format("the guest faulted after {} instructions: a mistake of the generator\n{}", at,
                         runners[0]->dump());
    }
    // A bus master writes: an immediate anywhere, or a cell that is not running.
    const bool between = field.between(runners[0]->state().rip);
    const u64 target = field.any_cell();
    const Bytes& chosen = field.any_template();
    if (between && random.chance(50))
      for_all([&](Runner& runner) { runner.load(target, chosen); });
    else
      for_all([&](Runner& runner) { runner.load(target + 2, {chosen.begin() + 2, chosen.begin() + 5}); });
    if (!field.straddle && between && random.chance(50)) {
      swapped ^= 1;
      for_all([&](Runner& runner) {
        runner.map_page(kAlias, kField + swapped * kPageBytes);
        runner.map_page(kAlias + kPageBytes, kField + (1 ^ swapped) * kPageBytes);
      });
    }
  }
  return {};
}

u64 resident_bytes() {
  std::ifstream file("/proc/self/statm");
  u64 total = 0, resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

/// Code is rewritten and run again for long, in a small code cache: memory stays as it is. Empty: it does.
std::string churn(const Options& options) {
  constexpr u64 kMaxGrowthBytes = 8u << 20;
  jit::JitOptions jit;
  jit.threshold = 1;
  jit.code_cache_bytes = 1u << 20;
  jit.pace = 0;
  const auto runner = make_runner(&jit);
  Field field(options.seed);
  field.load_into(*runner, options.seed);
  u64 resident = 0;
  u64 at = 0;
  for (; at < options.churn;) {
    at += 500;
    if (!runner->run_to(at, ~u64{0})) return "the guest faulted: a mistake of the generator";
    if (field.between(runner->state().rip))
      for (unsigned i = 0; i < 8; ++i) runner->load(field.any_cell(), field.any_template());
    // The first part fills everything that has a bound.
    if (at <= options.churn / 4) resident = resident_bytes();
  }
  const auto& engine = static_cast<const jit::JitEngine&>(runner->engine());
  const u64 now = resident_bytes();
  fmt::print(
      "churn: {} instructions, {} blocks translated, {} bytes resident after a quarter, {} at the end\n", at,
      engine.translated(), resident, now);
  if (engine.translated() < 20'000) return "too little was translated to fill the code cache";
  if (now > resident + kMaxGrowthBytes) return "memory grew";
  return {};
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) {
  using namespace reprise;
  Options options;
  CLI::App app("Runs code that rewrites itself on the interpreter and on the JIT.");
  app.add_option("--seed", options.seed, "the first seed");
  app.add_option("--seeds", options.seeds, "how many");
  app.add_option("--instructions", options.instructions, "of each run");
  app.add_option("--churn", options.churn, "instructions of the run that must not grow; 0: none");
  CLI11_PARSE(app, argc, argv);
  if (options.churn != 0) {
    if (const std::string growth = churn(options); !growth.empty()) {
      fmt::print("{}\n", growth);
      return 1;
    }
  }
  const auto store = std::make_shared<test::MemoryStore>();
  for (u64 seed = options.seed; seed < options.seed + options.seeds; ++seed) {
    const std::string difference = run_seed(seed, options, store);
    if (difference.empty()) continue;
    fmt::print("jit_mutation --churn 0 --seeds 1 --instructions {} --seed {}\n{}\n", options.instructions,
               seed, difference);
    return 1;
  }
  fmt::print("mutation: seeds {} to {} without a difference\n", options.seed,
             options.seed + options.seeds - 1);
  return 0;
}
