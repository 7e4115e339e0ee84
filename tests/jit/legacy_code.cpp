// Random 16-bit and 32-bit code in flat and other segments, without paging, on the interpreter and on the
// JIT: every register and byte of memory must be equal at every stop. Jumps lead a little forward or back,
// also into the middle of instructions; registers point into RAM, near the end of a segment or nowhere, and
// their upper halves are anything.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/archive.h"
#include "common/check.h"
#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "tests/jit/small_machine.h"
#include "tests/native/random.h"

namespace reprise {
namespace {

constexpr u64 kRamBytes = test::EngineMachine::kRamBytes;
constexpr u64 kCode = 0x10000;
constexpr u64 kCodeBytes = 0x1100;  // goes on in the next page
constexpr u64 kData = 0x30000;
constexpr u8 kHlt = 0xf4;

using Bytes = std::vector<u8>;
using native::Random;

u8 any_byte(Random& random) { return static_cast<u8>(random.next()); }
template <std::size_t N>
u8 one_of(Random& random, const u8 (&values)[N]) {
  return values[random.below(N)];
}
void append_random(Bytes& code, Random& random, unsigned count) {
  for (unsigned i = 0; i < count; ++i) code.push_back(any_byte(random));
}

/// How the processor runs the code.
enum class Setting : u8 { Flat32, Segments32, Segments16, Real, Virtual8086 };
constexpr unsigned kSettings = 5;
constexpr const char* kSettingNames[kSettings] = {"flat 32-bit", "segmented 32-bit", "segmented 16-bit",
                                                  "real mode", "virtual-8086 mode"};
bool code16(Setting setting) { return setting >= Setting::Segments16; }

/// ModRM, SIB and displacement. `reg`: its middle field, or negative for any.
void append_modrm(Bytes& code, Random& random, int reg, bool word_addresses) {
  const unsigned mod = static_cast<unsigned>(random.below(4));
  const unsigned rm = static_cast<unsigned>(random.below(8));
  const unsigned middle = reg < 0 ? static_cast<unsigned>(random.below(8)) : static_cast<unsigned>(reg);
  code.push_back(static_cast<u8>(mod << 6 | middle << 3 | rm));
  if (mod == 3) return;
  if (word_addresses) return append_random(code, random, mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0);
  bool disp32 = mod == 2 || (mod == 0 && rm == 5);
  if (rm == 4) {
    const u8 sib = any_byte(random);
    code.push_back(sib);
    disp32 |= mod == 0 && (sib & 7) == 5;
  }
  if (mod == 1) code.push_back(any_byte(random));
  if (!disp32) return;
  const bool absolute = mod == 0;
  const u32 disp =
      static_cast<u32>(absolute ? random.below(2) * kData + random.below(0x2000) : random.below(64) - 32);
  for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(disp >> (8 * i)));
}

void append_insn(Bytes& code, Random& random, Setting setting) {
  const bool other_size = random.chance(10);
  const bool other_addresses = random.chance(5);
  const bool word = other_size != code16(setting);
  const bool word_addresses = other_addresses != code16(setting);
  if (other_size) code.push_back(0x66);
  if (other_addresses) code.push_back(0x67);
  if (random.chance(3)) code.push_back(one_of(random, {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65}));
  const unsigned imm = word ? 2 : 4;
  const auto modrm = [&](int reg = -1) { append_modrm(code, random, reg, word_addresses); };
  switch (random.below(setting == Setting::Flat32 ? 20 : 22)) {
    case 0:
    case 1:
    case 2:  // ADD and relatives
      code.push_back(static_cast<u8>(random.below(8) << 3 | random.below(4)));
      return modrm();
    case 3: {
      const u8 opcode = one_of(random, {0x80, 0x81, 0x83});
      code.push_back(opcode);
      modrm();
      return append_random(code, random, opcode == 0x81 ? imm : 1);
    }
    case 4:  // INC to POP
      return code.push_back(static_cast<u8>(0x40 + random.below(0x20)));
    case 5:
    case 6:
      code.push_back(one_of(random, {0x88, 0x89, 0x8a, 0x8b, 0x8d, 0x84, 0x85, 0x86, 0x87}));
      return modrm();
    case 7: {
      const u8 opcode = one_of(random, {0x68, 0x6a, 0x69, 0x6b});
      code.push_back(opcode);
      if (opcode & 1) modrm();
      return append_random(code, random, opcode & 2 ? 1 : imm);
    }
    case 8:  // short jumps and loops, forward
      code.push_back(random.chance(70) ? static_cast<u8>(0x70 + random.below(16))
                                       : one_of(random, {0xe0, 0xe1, 0xe2, 0xe3, 0xeb}));
      return code.push_back(static_cast<u8>(random.below(32) - (random.chance(20) ? 16 : 0)));
    case 9:  // CALL, JMP; POP where the call leads to
      code.push_back(one_of(random, {0xe8, 0xe9}));
      if (random.chance(10)) return append_random(code, random, imm);
      code.push_back(static_cast<u8>(random.below(24)));
      code.insert(code.end(), imm - 1, 0);
      return;
    case 10:
      code.push_back(one_of(random, {0x98, 0x99, 0x9c, 0x9d, 0x9e, 0x9f, 0x60, 0x61, 0xc9, 0xf5, 0xf8,
                                     0xf9, 0xfc, 0xfc, 0xfc, 0xfd, 0x27, 0x2f, 0x37, 0x3f, 0xc3}));
      return;
    case 11:  // strings
      if (random.chance(50)) code.push_back(one_of(random, {0xf2, 0xf3}));
      return code.push_back(one_of(random, {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}));
    case 12: {
      const u8 opcode = static_cast<u8>(0xb0 + random.below(16));
      code.push_back(opcode);
      return append_random(code, random, opcode < 0xb8 ? 1 : imm);
    }
    case 13: {
      const u8 opcode = one_of(random, {0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3});
      code.push_back(opcode);
      modrm();
      if (opcode < 0xd0) code.push_back(any_byte(random));
      return;
    }
    case 14: {
      const u8 opcode = one_of(random, {0xf6, 0xf7, 0xfe, 0xff, 0x8f, 0xc6, 0xc7});
      code.push_back(opcode);
      const int reg = opcode >= 0xfe   ? (random.chance(70) ? static_cast<int>(random.below(2)) : 6)
                      : opcode >= 0xf6 ? static_cast<int>(random.below(8))
                                       : 0;
      modrm(reg);
      if ((opcode & 0xfe) == 0xf6 && reg < 2) append_random(code, random, opcode & 1 ? imm : 1);
      if ((opcode & 0xfe) == 0xc6) append_random(code, random, opcode & 1 ? imm : 1);
      return;
    }
    case 15:  // MOV with an absolute address
      code.push_back(one_of(random, {0xa0, 0xa1, 0xa2, 0xa3}));
      for (unsigned i = 0; i < (word_addresses ? 2u : 4u); ++i)
        code.push_back(static_cast<u8>((kData + random.below(0x100)) >> (8 * i)));
      return;
    case 16:
    case 17: {
      code.push_back(0x0f);
      const u8 opcode =
          random.chance(40)
              ? static_cast<u8>((random.chance(50) ? 0x40 : 0x90) + random.below(16))
              : one_of(random, {0xa3, 0xa4, 0xa5, 0xab, 0xac, 0xad, 0xaf, 0xb0, 0xb1, 0xb3, 0xb6, 0xb7, 0xba,
                                0xbb, 0xbc, 0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc7, 0xc8, 0xcf, 0xa2, 0x31});
      code.push_back(opcode);
      if (opcode >= 0xc8 || opcode == 0xa2 || opcode == 0x31) return;
      modrm(opcode == 0xba ? static_cast<int>(4 + random.below(4)) : opcode == 0xc7 ? 1 : -1);
      if (opcode == 0xa4 || opcode == 0xac || opcode == 0xba) code.push_back(any_byte(random));
      return;
    }
    case 18:  // SSE
      code.push_back(0x0f);
      code.push_back(
          one_of(random, {0x10, 0x11, 0x28, 0x29, 0x54, 0x57, 0x58, 0x59, 0x5c, 0x6f, 0x7f, 0xef, 0xfe}));
      return modrm();
    case 20:  // segment registers
      code.push_back(one_of(random, {0x06, 0x07, 0x0e, 0x16, 0x1e, 0x1f, 0x8c, 0x8c, 0x8e, 0xc4, 0xc5}));
      if (code.back() >= 0x8c) modrm();
      return;
    case 21:  // indirect jumps
      code.push_back(0xff);
      return modrm(static_cast<int>(random.chance(50) ? 2 : 4));
    default:  // x87
      code.push_back(static_cast<u8>(0xd8 + random.below(8)));
      return modrm();
  }
}

class Runner : public test::EngineMachine {
 public:
  using EngineMachine::EngineMachine;

  void start(u64 seed, u64 linear, Setting setting) {
    Random random(seed);
    cpu::CpuState& s = cpu_->state;
    const u64 retired = s.retired;
    s = cpu::CpuState{};
    s.retired = retired;
    s.cr0 = mmu::kCr0Pe | mmu::kCr0Ne | mmu::kCr0Et | mmu::kCr0Mp;
    s.cr4 = mmu::kCr4Osfxsr | mmu::kCr4Osxmmexcpt;
    for (cpu::Segment& segment : s.seg) segment = {.base = 0, .limit = ~0u, .selector = 8, .access = 0xc093};
    s.seg[cpu::CS].access = 0xc09b;
    s.seg[cpu::GS].base = 0x20;
    if (setting != Setting::Flat32) set_segments(random, setting, linear);
    for (unsigned i = 0; i < 16; ++i) {
      const u64 near_end = (u64{1} << 32) - 1 - random.below(64);
      const u64 low = random.chance(10)   ? linear + random.below(0x400)
                      : random.chance(80) ? kData + random.below(0x4000)
                      : random.chance(50) ? near_end
                      : random.chance(50) ? random.below(300)
                                          : random.next() & 0xffff'ffff;
      s.gpr[i] = low | (random.chance(20) ? random.next() << 32 : 0);
    }
    s.gpr[cpu::RSP] = kData + 0x8000 + random.below(0x2000);
    s.rflags = 2 | (random.next() & cpu::kRflagsStatus);
    if (setting == Setting::Virtual8086) {
      s.rflags |= cpu::kRflagsVm | 3u << cpu::kRflagsIoplShift;
      s.cpl = 3;
    }
    if (setting != Setting::Flat32) {
      for (u64& gpr : s.gpr) gpr = random.chance(70) ? (gpr & ~u64{0xffff'ffff}) | (gpr & 0x7fff) : gpr;
      s.gpr[cpu::kGprZero] = 0;
    }
    s.rip = linear - s.seg[cpu::CS].base;
    cpu_->state_replaced();
  }
  /// As Vcpu does, without events. False: the guest cannot go on.
  bool run(u64 budget) {
    cpu::CpuState& s = cpu_->state;
    const u64 target = s.retired + budget;
    while (s.retired < target && s.activity == cpu::Activity::Running) {
      const bool one_by_one = s.sti_shadow || s.mov_ss_shadow;
      s.sti_shadow = s.mov_ss_shadow = false;
      s.rflags &= ~cpu::kRflagsRf;
      const cpu::RunExit exit = engine_->run(*cpu_, one_by_one ? 1 : target - s.retired);
      if (exit != cpu::RunExit::Budget && exit != cpu::RunExit::Event) return false;
    }
    return true;
  }
  Bytes snapshot() {
    Archive archive;
    cpu_->state.serialize(archive);
    return {archive.bytes().begin(), archive.bytes().end()};
  }
  std::string dump() const { return cpu_->dump(); }

 private:
  void set_segments(Random& random, Setting setting, u64 linear) {
    cpu::CpuState& s = cpu_->state;
    const bool real = setting == Setting::Real || setting == Setting::Virtual8086;
    if (setting == Setting::Real) s.cr0 &= ~mmu::kCr0Pe;
    for (unsigned i = 0; i < cpu::kSegFlat; ++i) {
      cpu::Segment& segment = s.seg[i];
      const u64 base = i == cpu::CS ? linear - random.below(random.chance(50) ? 0x200 : 0xf800)
                                    : (random.chance(10) ? linear + 0x40 : kData) -
                                          random.below(random.chance(50) ? 0x10 : 0x2000);
      segment.base = real || random.chance(50) ? align_down(base, 16) : base;
      const bool big = random.chance(real ? 10 : 40);
      segment.limit = random.chance(50) ? 0xffff : 0xfff + static_cast<u32>(random.below(0x5000));
      if (big) segment.limit = random.chance(50) ? ~0u : segment.limit << 12 | 0xfff;
      if (i == cpu::CS && segment.limit + segment.base < linear + 40)
        segment.limit = static_cast<u32>(linear + 40 - segment.base);
      segment.access = i == cpu::CS ? 0x9b : 0x93;
      if (setting == Setting::Segments32 || (i == cpu::SS && random.chance(20)))
        segment.access |= cpu::Segment::kDb;
      if (!real && i != cpu::CS && random.chance(10)) segment.access |= cpu::Segment::kExpandDown;
      if (!real && i != cpu::CS && i != cpu::SS && random.chance(5))
        segment.access &= static_cast<u16>(~cpu::Segment::kWritable);
      segment.selector = real ? static_cast<u16>(segment.base >> 4) : 8;
      if (setting == Setting::Virtual8086) segment = {segment.base, 0xffff, segment.selector, 0xf3};
    }
  }
};

struct Options {
  u64 cases = 20'000;
  u64 seed = 1;
  u64 first = 0;
  u64 keep = ~u64{0};
  std::string dump;
  bool stats = false;
};

int run(const Options& options) {
  Runner interp([](mmu::CodePages& pages) {
    return std::make_unique<cpu::InterpEngine>(cpu::default_profile(), pages);
  });
  Runner jit([&](mmu::CodePages& pages) {
    jit::JitOptions jit_options;
    jit_options.threshold = 1;
    jit_options.pace = 0;
    if (!options.dump.empty()) jit_options.dump = jit::parse_dump(options.dump).take();
    return std::make_unique<jit::JitEngine>(cpu::default_profile(), pages, jit_options);
  });
  const auto& engine = static_cast<const jit::JitEngine&>(jit.engine());
  for (u64 index = options.first; index < options.first + options.cases; ++index) {
    Random random(options.seed * 0x9e37'79b9 + index);
    // Some of it crosses into the next page.
    const u64 begin = kCode + (random.chance(20) ? kPageBytes - random.below(40) : random.below(200));
    const auto setting = static_cast<Setting>(random.below(kSettings));
    Bytes code(begin - kCode, kHlt);
    const u64 count = 1 + random.below(14);
    for (u64 i = 0; i < count; ++i) append_insn(code, random, setting);
    if (code.size() - (begin - kCode) > options.keep) code.resize(begin - kCode + options.keep);
    code.resize(kCodeBytes, kHlt);
    const Bytes original = code;
    const u64 state_seed = random.next();
    // Twice: the second time generated code is there.
    for (int pass = 0; pass < 2; ++pass) {
      for (Runner* runner : {&interp, &jit}) {
        if (pass == 0) runner->load(kCode, code);
        runner->start(state_seed, begin, setting);
      }
      for (unsigned slice = 0; slice < 12; ++slice) {
        const u64 budget = random.chance(60) ? 100 : 1 + random.below(6);
        const bool go_on = interp.run(budget);
        const bool same = jit.run(budget) == go_on && interp.snapshot() == jit.snapshot() &&
                          std::memcmp(interp.ram(), jit.ram(), kRamBytes) == 0;
        if (!same) {
          std::string text;
          for (u64 i = begin - kCode; i < std::min<u64>(begin - kCode + 120, code.size()); ++i)
            text += fmt::format("{:02x} ", original[i]);
          fmt::print(
              "seed {} case {} pass {}: the engines differ, {}\ncode at {:x}: {}\ninterpreter\n{}JIT\n{}",
              options.seed, index, pass, kSettingNames[static_cast<unsigned>(setting)], begin, text,
              interp.dump(), jit.dump());
          return 1;
        }
        if (!go_on || interp.state().activity != cpu::Activity::Running) break;
      }
    }
  }
  if (options.stats) fmt::print("{}", engine.stats());
  fmt::print("16-bit and 32-bit code: seed {}, {} cases alike; {} blocks translated, {} failed\n",
             options.seed, options.cases, engine.translated(), engine.failures());
  return engine.failures() == 0 && engine.translated() > options.cases ? 0 : 1;
}

}  // namespace
}  // namespace reprise

int main(int argc, char** argv) {
  reprise::Options options;
  CLI::App app("Compares the JIT with the interpreter on random 16-bit and 32-bit code.");
  app.add_option("--cases", options.cases, "pieces of code");
  app.add_option("--seed", options.seed, "seed of everything random");
  app.add_option("--first", options.first, "number of the first piece");
  app.add_option("--keep", options.keep, "bytes of it that stay, to find what differs");
  app.add_option("--dump", options.dump, "guest,plan,host: what is translated");
  app.add_flag("--stats", options.stats, "what was translated, and which rows were called");
  CLI11_PARSE(app, argc, argv);
  return reprise::run(options);
}
