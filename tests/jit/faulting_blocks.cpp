// Blocks of random instructions on flags, registers and memory, run again and again with their base registers close to
// the ends of pages: pages follow that are absent, read-only, elsewhere, without RAM, or that hold the code itself. So
// each access comes to cross, to fault, to hit a device or code, while others of its probe group do not. At budgets that
// end everywhere, the interpreter and the JIT must agree on every register and flag, at the end on memory and the TLB.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "common/archive.h"
#include "common/hash.h"
#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "mmu/paging_bits.h"
#include "tests/jit/small_machine.h"
#include "tests/native/random.h"

namespace reprise {
namespace {

using native::Random;
using test::SmallMachine;
using Bytes = std::vector<u8>;

constexpr u64 kPageTable = 0x8000;
constexpr u64 kDirectory = 0x3000;  // SmallMachine's
constexpr u64 kWindows = 0x20'0000;
constexpr u64 kFrames = 0x40000;
constexpr unsigned kPages = 8;
// What lies behind window page i, and whether it may be written. Page 0 is a frame.
enum class Page : u8 { Frame, ReadOnly, Absent, Code, NoRam };
constexpr Page kMap[kPages] = {Page::Frame, Page::Frame,  Page::Frame, Page::ReadOnly,
                               Page::Frame, Page::Absent, Page::NoRam, Page::Code};

// Registers that hold addresses, indexes, and data.
constexpr unsigned kBases[] = {cpu::RBX, cpu::RSI, cpu::RBP, 9, 13};
constexpr unsigned kIndexes[] = {cpu::RCX, 10};
constexpr unsigned kData[] = {cpu::RAX, cpu::RDX, cpu::RDI, 8, 11, 14};

/// Writes a block that jumps to its beginning.
class BlockWriter {
 public:
  explicit BlockWriter(Random& random) : random_(random) {}

  Bytes make() {
    // Few bases, so that accesses have neighbours.
    base_[0] = random_.pick(kBases);
    base_[1] = random_.pick(kBases);
    index_ = random_.pick(kIndexes);
    const unsigned count = 3 + static_cast<unsigned>(random_.below(16));
    for (unsigned i = 0; i < count; ++i) instruction();
    put(0xe9);
    put32(static_cast<u32>(-static_cast<i32>(code_.size() + 4)));
    return std::move(code_);
  }

 private:
  void put(unsigned byte) { code_.push_back(static_cast<u8>(byte)); }
  void put32(u32 value) {
    for (unsigned i = 0; i < 4; ++i) put(value >> (8 * i) & 0xff);
  }
  unsigned data() { return random_.pick(kData); }
  unsigned width() { return random_.pick({4u, 8u, 8u, 2u, 1u}); }

  /// Prefixes, `opcode` for `bytes` (its lowest bit clear for 1, of two bytes when it is above FFh), ModRM.
  void prefixes(unsigned bytes, unsigned reg, unsigned index, unsigned rm) {
    if (bytes == 2) put(0x66);
    // Always a REX, so that byte registers are SPL to DIL.
    put(0x40 | (bytes == 8 ? 8u : 0u) | reg >> 3 << 2 | index >> 3 << 1 | rm >> 3);
  }
  void opcode(unsigned value) {
    if (value > 0xff) put(value >> 8);
    put(value & 0xff);
  }
  void on_registers(unsigned op, unsigned bytes, unsigned reg, unsigned rm) {
    prefixes(bytes, reg, 0, rm);
    opcode(op - (bytes == 1 ? 1 : 0));
    put(0xc0 | (reg & 7) << 3 | (rm & 7));
  }
  void address(unsigned reg, unsigned base, bool indexed, unsigned index, unsigned scale, i32 disp) {
    if (indexed) {
      put(0x84 | (reg & 7) << 3);
      put(scale << 6 | (index & 7) << 3 | (base & 7));
    } else {
      put(0x80 | (reg & 7) << 3 | (base & 7));
      if ((base & 7) == 4) put(0x24);
    }
    put32(static_cast<u32>(disp));
  }
  /// An access to memory close to one of the bases.
  void on_memory(unsigned op, unsigned bytes, unsigned reg, unsigned multiple = 1, unsigned prefix = 0) {
    const unsigned base = base_[random_.chance(70) ? 0 : 1];
    const bool indexed = random_.chance(30);
    const auto disp = static_cast<i32>(random_.below(random_.chance(80) ? 48 : 240) / multiple * multiple) -
                      (random_.chance(30) ? 64 : 0);
    if (prefix != 0) put(prefix);
    prefixes(bytes, reg, indexed ? index_ : 0, base);
    opcode(op - (bytes == 1 ? 1 : 0));
    address(reg, base, indexed, index_, indexed ? scale_ : 0, disp);
  }
  static unsigned group1(unsigned number) { return number * 8; }

  void instruction() {
    const unsigned bytes = width();
    const unsigned reg = data();
    const auto any = static_cast<unsigned>(random_.below(8));
    switch (random_.below(26)) {
      case 0:
      case 1: on_memory(0x8b, bytes, reg); break;  // mov r, m
      case 2:
      case 3: on_memory(0x89, bytes, reg); break;  // mov m, r
      case 4:
      case 5: on_memory(group1(any) + 3, bytes, reg); break;  // add to cmp r, m
      case 6: on_memory(group1(any) + 1, bytes, reg); break;  // add to cmp m, r
      case 7:
      case 8:
      case 9: on_registers(group1(any) + 1, bytes, reg, data()); break;  // add to cmp r, r
      case 10:
      case 11:  // add to cmp r, i
        on_registers(bytes == 1 ? 0x81 : 0x83, bytes, any, reg);
        put(static_cast<unsigned>(random_.below(256)));
        break;
      case 12: on_registers(0x85, bytes, reg, data()); break;         // test r, r
      case 13: on_registers(0xf7, bytes, 2 + (any & 1), reg); break;  // not, neg
      case 14: on_registers(0xff, bytes, any & 1, reg); break;        // inc, dec
      case 15: on_memory(0xff, bytes, any & 1); break;
      case 16:  // shl, shr, sar, rol r, i
        on_registers(0xc1, bytes, random_.pick({4u, 5u, 7u, 0u}), reg);
        put(1 + static_cast<unsigned>(random_.below(7)));
        break;
      case 17: on_registers(0x0f91 + any, 1, 0, reg); break;           // setcc r
      case 18: on_registers(0x0f40 + 2 * any, 4, reg, data()); break;  // cmovcc r, r
      case 19:                                                         // push, pop
        if (reg >= 8) put(0x41);
        put((random_.chance(50) ? 0x50u : 0x58u) + (reg & 7));
        break;
      case 20:  // moves a base or the index
        on_registers(0x83, 8, random_.chance(50) ? 0 : 5, random_.chance(70) ? base_[0] : index_);
        put(static_cast<unsigned>(random_.below(2)) * 16 + 8);
        break;
      case 21: on_memory(0x0f28 + (any & 1), 4, any & 3, 16); break;         // movaps
      case 22: on_memory(0x0f10 + (any & 1), 4, any & 3, 1); break;          // movups
      case 23: on_memory(0x0f6f + (any & 1) * 0x10, 4, 0, 16, 0x66); break;  // movdqa
      case 24:
        if (any == 0) return put(0x9c);                                         // pushfq
        if (any == 1) return put(0x9f);                                         // lahf
        if (any == 2) return put(0xfc);                                         // cld
        if (any == 3) return on_registers(0x0faf, 8, reg, data());              // imul
        if (any == 4) return on_registers(0xf7, 4, 6, reg);                     // div, which may fail
        if (any == 5) return on_registers(0x0fc1, bytes, reg, data());          // xadd
        if (any == 6) return on_memory(0x0fb1, 8, reg);                         // cmpxchg
        return on_registers(0x0fba, 4, 4, reg), put(random_.below(32) & 0xff);  // bt r, i
      default: {
        // Over the next instruction.
        put(0x70 | static_cast<unsigned>(random_.below(16)));
        const std::size_t at = code_.size();
        put(0);
        instruction();
        code_[at] = static_cast<u8>(code_.size() - at - 1);
      }
    }
  }

  Random& random_;
  Bytes code_;
  unsigned base_[2] = {};
  unsigned index_ = 0;
  unsigned scale_ = static_cast<unsigned>(random_.below(4));
};

/// A machine that runs such a block.
struct Runner {
  template <class Make>
  Runner(const Bytes& code, Make make) : machine(code), engine(make(machine.code_pages)) {
    using namespace mmu;
    machine.map.write(kDirectory + 8, Width::Qword, kPageTable | kPteP | kPteRw);
    for (u64 i = 0; i < 512; ++i) {
      const u64 page = i % kPages;
      u64 entry = (kFrames + page * kPageBytes) | kPteP | kPteRw;
      if (kMap[page] == Page::ReadOnly) entry &= ~kPteRw;
      if (kMap[page] == Page::Absent) entry = 0;
      if (kMap[page] == Page::Code) entry = SmallMachine::kCode | kPteP | kPteRw;
      if (kMap[page] == Page::NoRam) entry = 0x40'0000 | kPteP | kPteRw;
      machine.map.write(kPageTable + 8 * i, Width::Qword, entry);
    }
    for (u64 at = kFrames; at < kFrames + kPages * kPageBytes; at += 8)
      machine.map.write(at, Width::Qword, at * 0x9e37'79b9'7f4a'7c15u);
  }

  /// The code again where it was written to, as a bus master writes.
  void load(const Bytes& code) {
    Bytes now(code.size());
    machine.map.read_bytes(SmallMachine::kCode, now);
    if (now == code) return;
    machine.map.write_bytes(SmallMachine::kCode, code);
    machine.code_pages.written(SmallMachine::kCode, code.size());
  }
  cpu::CpuState& state() const { return machine.cpu->state; }
  u64 hash() {
    Archive archive;
    machine.cpu->state.serialize(archive);
    machine.cpu->mmu.serialize(archive);
    Bytes memory(SmallMachine::kRamBytes);
    machine.map.read_bytes(0, memory);
    return hash64(archive.bytes(), hash64(memory, 1));
  }

  SmallMachine machine;
  std::unique_ptr<cpu::Engine> engine;
};

/// Registers at the beginning of a round, the same in both machines.
void begin_round(Random& random, const Bytes& code, const Runner* const (&runners)[2]) {
  u64 gpr[16];
  for (u64& value : gpr) value = random.chance(30) ? random.below(4) : random.next();
  for (const unsigned base : kBases) {
    const u64 page = kWindows + (1 + random.below(kPages)) * kPageBytes;
    const bool at_end = random.chance(50);
    gpr[base] = page - (at_end ? random.below(16) * 16 : 2048) + (random.chance(20) ? random.below(16) : 0);
    if (random.chance(3)) gpr[base] = kWindows + 7 * kPageBytes + code.size() + random.below(128);
    if (random.chance(2)) gpr[base] = u64{0x8000'0000'0000} - random.below(64);
  }
  gpr[cpu::RSP] =
      kWindows + (1 + random.below(4)) * kPageBytes + (random.chance(50) ? 2048 : random.below(64));
  for (const unsigned index : kIndexes) gpr[index] = random.below(4) * 16;
  const u64 flags = random.next() & cpu::kRflagsStatus;
  for (const Runner* runner : runners) {
    cpu::CpuState& s = runner->state();
    std::copy_n(gpr, 16, s.gpr);
    s.rflags = (s.rflags & ~u64{cpu::kRflagsStatus}) | flags;
    s.rip = SmallMachine::kCode;
    s.activity = cpu::Activity::Running;
  }
}

std::string difference(const cpu::CpuState& one, const cpu::CpuState& other) {
  std::string text;
  const auto differ = [&](const std::string& name, u64 a, u64 b) {
    if (a != b) text += fmt::format("  {} {:x} {:x}\n", name, a, b);
  };
  for (unsigned i = 0; i < 16; ++i) differ(fmt::format("register {}", i), one.gpr[i], other.gpr[i]);
  differ("rip", one.rip, other.rip);
  differ("rflags", one.rflags, other.rflags);
  differ("cr2", one.cr2, other.cr2);
  differ("instructions", one.retired, other.retired);
  return text;
}

struct Totals {
  u64 blocks = 0, instructions = 0, faults = 0, translated = 0;
};

/// Empty: the interpreter and the JIT agree.
std::string run_block(u64 seed, unsigned rounds, const jit::JitOptions& options, Totals& totals) {
  Random random(seed);
  const Bytes code = BlockWriter(random).make();
  Runner expected(code, [](mmu::CodePages& pages) {
    return std::make_unique<cpu::InterpEngine>(cpu::default_profile(), pages);
  });
  Runner actual(code, [&](mmu::CodePages& pages) {
    return std::make_unique<jit::JitEngine>(cpu::default_profile(), pages, options);
  });
  const Runner* const both[2] = {&expected, &actual};
  for (unsigned round = 0; round < rounds; ++round) {
    begin_round(random, code, both);
    expected.load(code);
    actual.load(code);
    const auto slices = 1 + random.below(4);
    for (unsigned slice = 0; slice < slices; ++slice) {
      const u64 budget = 1 + random.below(random.chance(50) ? 12 : 60);
      const cpu::RunExit exit = expected.engine->run(*expected.machine.cpu, budget);
      const cpu::RunExit other = actual.engine->run(*actual.machine.cpu, budget);
      std::string wrong = difference(expected.state(), actual.state());
      if (exit != other)
        wrong += fmt::format("  exits {} {}\n", static_cast<int>(exit), static_cast<int>(other));
      if (!wrong.empty())
        return fmt::format("seed {}, round {}, budget {} (interpreter, then JIT)\n{}", seed, round, budget,
                           wrong);
      if (exit == cpu::RunExit::Budget) continue;
      ++totals.faults;
      break;
    }
  }
  ++totals.blocks;
  totals.instructions += expected.state().retired;
  totals.translated += static_cast<const jit::JitEngine&>(*actual.engine).translated();
  return expected.hash() == actual.hash() ? "" : fmt::format("seed {}: memory or the TLB differs\n", seed);
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) {
  using namespace reprise;
  CLI::App app("Compares the JIT with the interpreter where accesses of a block cross pages and fail.");
  u64 seed = 1, blocks = 400;
  unsigned rounds = 300;
  app.add_option("--seed", seed, "of the first block");
  app.add_option("--blocks", blocks, "for each of the options of the JIT");
  app.add_option("--rounds", rounds, "of each block");
  CLI11_PARSE(app, argc, argv);

  std::vector<jit::JitOptions> variants(3);
  variants[0].threshold = 1;
  variants[1].threshold = 4;  // neighbours are known when a block is translated
  variants[2].threshold = 1;
  variants[2].passes.remove(jit::Pass::HostFlags);
  Totals totals;
  for (jit::JitOptions& options : variants) {
    options.pace = 0;
    options.code_cache_bytes = u64{1} << 20;
    for (u64 i = 0; i < blocks; ++i) {
      const std::string wrong = run_block(seed + i, rounds, options, totals);
      if (wrong.empty()) continue;
      fmt::print("threshold {}, {}", options.threshold, wrong);
      return 1;
    }
  }
  fmt::print("{} blocks, {} instructions on each engine, {} faults, {} translations: all alike\n",
             totals.blocks, totals.instructions, totals.faults, totals.translated);
  // What only faults shows nothing.
  return totals.faults * 4 < totals.instructions && totals.translated > totals.blocks ? 0 : 1;
}
