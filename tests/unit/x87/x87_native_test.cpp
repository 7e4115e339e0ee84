// Every x87 instruction against the host: random registers, tags, control and status words, memory and RFLAGS
// go through one instruction on both; the whole FNSAVE image, memory, AX and RFLAGS must be equal.
// Transcendentals may differ by the last bit of a result, and in C1. REPRISE_LONG=n multiplies the number of
// cases.
#include <gtest/gtest.h>

#include <cstring>

#include "common/log.h"
#include "cpu/core/cpu.h"
#include "cpu/decode/decode.h"
#include "cpu/sem/x87.h"
#include "tests/host_vendor.h"
#include "tests/unit/softfloat/values.h"
#include "tests/unit/x87/x87_machine.h"

#if defined(__x86_64__)
#include <sys/mman.h>

namespace reprise::cpu::test {
namespace {

using softfloat::Extended80;
using softfloat::test::Random;

/// The 32-bit FNSAVE image.
struct [[gnu::packed]] Image {
  u16 fcw = 0x37f, pad0 = 0xffff, fsw = 0, pad1 = 0xffff, ftw = 0xffff, pad2 = 0xffff;
  u32 fip = 0;
  u16 fcs = 0, fop = 0;
  u32 fdp = 0;
  u16 fds = 0, pad3 = 0xffff;
  u8 st[8][10] = {};
};
static_assert(sizeof(Image) == 108);

constexpr unsigned kMemoryBytes = 128;

struct Outcome {
  Image image;
  u8 memory[kMemoryBytes];
  u64 rax;
  u64 rflags;
};

struct Input {
  std::vector<u8> code;
  Image image;
  u8 memory[kMemoryBytes];
  u64 rflags;
};

constexpr u64 kStatusFlags = kRflagsStatus;
// Stand-ins for addresses that differ between host and guest.
constexpr u32 kHereFip = 0x11110000;
constexpr u32 kHereFdp = 0x22220000;

class HostFpu {
 public:
  HostFpu() {
    code_ = static_cast<u8*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~HostFpu() { munmap(code_, 4096); }

  Outcome run(const Input& input) {
    std::vector<u8> code;
    const auto emit = [&](std::initializer_list<u8> bytes) { code.insert(code.end(), bytes); };
    emit({0xdd, 0x27});        // frstor [rdi]
    emit({0x52, 0x58});        // mov rax, rdx
    emit({0xff, 0x31, 0x9d});  // push [rcx]; popfq
    const std::size_t at = code.size();
    code.insert(code.end(), input.code.begin(), input.code.end());
    emit({0x9c, 0x8f, 0x01});        // pushfq; pop [rcx]
    emit({0x48, 0x89, 0x41, 0x08});  // mov [rcx+8], rax
    emit({0xdd, 0x36});              // fnsave [rsi]
    emit({0xdb, 0xe3, 0xc3});        // fninit; ret
    std::memcpy(code_, code.data(), code.size());

    Outcome out;
    std::memcpy(out.memory, input.memory, kMemoryBytes);
    u64 io[2] = {input.rflags | 2, 0};
    reinterpret_cast<void (*)(const void*, void*, void*, void*)>(code_)(&input.image, &out.image, out.memory,
                                                                        io);
    out.rflags = io[0];
    const u64 memory_address = reinterpret_cast<u64>(out.memory);
    out.rax = io[1] == memory_address ? 0 : io[1] & 0xffff;
    if (out.image.fip == static_cast<u32>(reinterpret_cast<u64>(code_) + at)) out.image.fip = kHereFip;
    if (out.image.fdp == static_cast<u32>(memory_address)) out.image.fdp = kHereFdp;
    return out;
  }

 private:
  u8* code_;
};

class GuestFpu {
 public:
  GuestFpu() : decoder_(default_profile()) {}

  /// False: the instruction is undefined.
  bool run(const Input& input, Outcome& out) {
    Cpu& cpu = machine_.cpu;
    X87& fpu = cpu.state.x87;
    machine_.poke(kCodePhys, input.code);
    machine_.poke(kMemoryPhys, {input.memory, kMemoryBytes});
    cpu.state.gpr[RAX] = kMemoryPhys;
    cpu.state.rflags = input.rflags | 2;
    fpu.fcw = input.image.fcw;
    fpu.fsw = input.image.fsw;
    fpu.fip = input.image.fip;
    fpu.fop = input.image.fop;
    fpu.fdp = input.image.fdp;
    fpu.valid = 0;
    for (unsigned i = 0; i < 8; ++i) {
      if (((input.image.ftw >> (2 * i)) & 3) != 3) fpu.valid = static_cast<u8>(fpu.valid | 1u << i);
      const u8* st = input.image.st[i];
      fpu.st[(fpu.top() + i) & 7] = {read_unaligned<u64>(st), read_unaligned<u16>(st + 8)};
    }
    x87::update_summary(fpu);

    Insn insn;
    bool ends;
    std::vector<u8> code = input.code;
    code.resize(15, 0x90);
    decoder_.decode(code, cpu.mode, kCodeOffset, insn, ends);
    if (insn.exec == raise_ud) return false;
    cpu.state.gpr[kGprPageBase] = kPagePhys;
    cpu.block_begin = cpu.current = &insn;
    const Status status = insn.exec(cpu, insn);
    EXPECT_EQ(status, Status::Next);

    out.rflags = cpu.state.rflags;
    out.rax = cpu.state.gpr[RAX] == kMemoryPhys ? 0 : cpu.state.gpr[RAX] & 0xffff;
    machine_.peek(kMemoryPhys, {out.memory, kMemoryBytes});
    // FNSAVE [eax] gives the image.
    static constexpr u8 kFnsave[15] = {0xdd, 0x30};
    cpu.state.gpr[RAX] = kImagePhys;
    Insn save;
    decoder_.decode(kFnsave, cpu.mode, kCodeOffset, save, ends);
    cpu.block_begin = cpu.current = &save;
    EXPECT_EQ(save.exec(cpu, save), Status::Next);
    machine_.peek(kImagePhys, {reinterpret_cast<u8*>(&out.image), sizeof out.image});
    if (out.image.fip == kCodePhys) out.image.fip = kHereFip;
    if (out.image.fdp == kMemoryPhys) out.image.fdp = kHereFdp;
    return true;
  }

 private:
  // Above what a 16-bit environment image can hold.
  static constexpr u32 kPagePhys = 0x30000;
  static constexpr u16 kCodeOffset = 0x800;
  static constexpr u32 kCodePhys = kPagePhys + kCodeOffset;
  // Its low half is no status word.
  static constexpr u32 kMemoryPhys = 0x13080;
  static constexpr u32 kImagePhys = 0x4000;
  Machine machine_;
  Decoder decoder_;
};

std::string hex(const void* data, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += fmt::format("{:02x}", static_cast<const u8*>(data)[i]);
  return text;
}

std::string describe(const Image& image) {
  std::string text = fmt::format(
      "cw {:04x} sw {:04x} tags {:04x} fip {:08x} cs {:04x} fop {:03x} fdp {:08x} ds {:04x} pads "
      "{:04x}{:04x}{:04x}{:04x}\n   ",
      image.fcw, image.fsw, image.ftw, image.fip, image.fcs, image.fop, image.fdp, image.fds, image.pad0,
      image.pad1, image.pad2, image.pad3);
  for (const auto& st : image.st)
    text += fmt::format(" {:04x}:{:016x}", read_unaligned<u16>(st + 8), read_unaligned<u64>(st));
  return text;
}

/// The opcodes of the transcendentals after D9.
bool transcendental(const std::vector<u8>& code) {
  if (code[0] != 0xd9) return false;
  switch (code[1]) {
    case 0xf0:
    case 0xf1:
    case 0xf2:
    case 0xf3:
    case 0xf9:
    case 0xfb:
    case 0xfe:
    case 0xff: return true;
    default: return false;
  }
}

bool at_range_limit(const u8* st) {
  const u64 significand = read_unaligned<u64>(st);
  const u16 field = read_unaligned<u16>(st + 8) & 0x7fff;
  return (field == 0x7ffe && significand >= ~u64{1}) ||
         (field == 0x7fff && significand == softfloat::kIntegerBit) ||
         (field == 1 && significand <= softfloat::kIntegerBit + 1) ||
         (field == 0 && significand == softfloat::kIntegerBit - 1) ||
         (field == Extended80::kWrapBias && significand >= ~u64{1});
}

bool near(const u8* a, const u8* b) {
  if (std::memcmp(a, b, 10) == 0) return true;
  const u64 x = read_unaligned<u64>(a);
  const u64 y = read_unaligned<u64>(b);
  const u16 ex = read_unaligned<u16>(a + 8);
  const u16 ey = read_unaligned<u16>(b + 8);
  if (ex == ey) return x - y + 1 <= 2;
  return (ex == ey + 1 && x == softfloat::kIntegerBit && (y == ~u64{0} || y == x - 1)) ||
         (ey == ex + 1 && y == softfloat::kIntegerBit && (x == ~u64{0} || x == y - 1));
}

bool equal(Outcome want, const Outcome& got, bool approximate) {
  if (approximate) {
    // One unit decides whether the result overflows or underflows.
    for (unsigned i : {0u, 1u})
      if (at_range_limit(got.image.st[i])) return true;
    for (unsigned i = 0; i < 8; ++i) {
      if (!near(want.image.st[i], got.image.st[i])) return false;
      std::memcpy(want.image.st[i], got.image.st[i], 10);
    }
    want.image.fsw = static_cast<u16>((want.image.fsw & ~kFswC1) | (got.image.fsw & kFswC1));
    want.image.ftw = got.image.ftw;
  }
  if (reprise::test::host_vendor() == reprise::test::HostVendor::Amd) {
    // Every instruction updates all of them there.
    want.image.fcs = got.image.fcs;
    want.image.fop = got.image.fop;
    want.image.fdp = got.image.fdp;
    want.image.fds = got.image.fds;
  }
  return std::memcmp(&want.image, &got.image, sizeof want.image) == 0 &&
         std::memcmp(want.memory, got.memory, kMemoryBytes) == 0 && want.rax == got.rax &&
         ((want.rflags ^ got.rflags) & kStatusFlags) == 0;
}

void fill_memory(Random& random, u8* memory) {
  for (unsigned i = 0; i < kMemoryBytes; ++i) memory[i] = static_cast<u8>(random.next());
  switch (random.below(5)) {
    case 0: write_unaligned<u32>(memory, softfloat::test::random_value<softfloat::Binary32>(random)); break;
    case 1: write_unaligned<u64>(memory, softfloat::test::random_value<softfloat::Binary64>(random)); break;
    case 2: {
      const softfloat::Float80 value = softfloat::test::random_value<Extended80>(random);
      write_unaligned<u64>(memory, value.significand);
      write_unaligned<u16>(memory + 8, value.sign_exponent);
      break;
    }
    case 3: write_unaligned<u64>(memory, random.next() >> random.below(64)); break;
    default:  // decimal digits
      for (unsigned i = 0; i < 9; ++i) memory[i] = static_cast<u8>(random.below(10) << 4 | random.below(10));
      memory[9] = random.chance(2) ? 0x80 : 0;
  }
}

void fill_image(Random& random, Image& image) {
  image.fcw = 0x37f;
  if (random.chance(2)) image.fcw = static_cast<u16>((random.next() & 0x1f3f) | 0x40);
  if (random.chance(2)) image.fcw |= 0x3f;
  image.fsw = static_cast<u16>(random.next() & 0x7f00);
  if (random.chance(4)) image.fsw = static_cast<u16>(image.fsw | (random.next() & 0x7f));
  // Nothing pending.
  image.fsw = static_cast<u16>(image.fsw & ~(~image.fcw & 0x3f));
  image.ftw = random.chance(3) ? static_cast<u16>(random.next()) : random.chance(2) ? 0 : 0xffff;
  const unsigned top = (image.fsw >> 11) & 7;
  // Most often ST0 and ST1 are there and ST7 is free.
  if (random.chance(2)) {
    for (unsigned i : {0u, 1u}) image.ftw = static_cast<u16>(image.ftw & ~(3u << (2 * ((top + i) & 7))));
    image.ftw = static_cast<u16>(image.ftw | 3u << (2 * ((top + 7) & 7)));
  }
  image.fip = 0x12345678;
  image.fop = 0x2aa;
  image.fdp = 0x76543210;
  for (auto& st : image.st) {
    softfloat::Float80 value = softfloat::test::random_value<Extended80>(random);
    write_unaligned<u64>(st, value.significand);
    write_unaligned<u16>(st + 8, value.sign_exponent);
  }
}

void compare_opcode(u8 opcode, bool short_operands) {
  HostFpu host;
  auto guest = std::make_unique<GuestFpu>();
  Random random(opcode + (short_operands ? 1000 : 0));
  const bool amd = reprise::test::host_vendor() == reprise::test::HostVendor::Amd;
  int reports = 0;
  unsigned defined = 0;
  for (unsigned modrm = 0; modrm < 256; ++modrm) {
    // Memory forms: [rax]. FBSTP and FNSAVE write at most 108 bytes.
    if (modrm < 0xc0 && (modrm & 0xc7) != 0) continue;
    Input input;
    if (short_operands) input.code.push_back(0x66);
    input.code.insert(input.code.end(), {opcode, static_cast<u8>(modrm)});
    const std::vector<u8> plain{opcode, static_cast<u8>(modrm)};
    const bool approximate = transcendental(plain);
    for (u64 n = softfloat::test::random_cases(modrm < 0xc0 || opcode == 0xd9 ? 3000 : 500); n != 0; --n) {
      fill_image(random, input.image);
      fill_memory(random, input.memory);
      input.rflags = random.next() & kStatusFlags;
      Outcome got;
      if (!guest->run(input, got)) break;
      if (n == 1) ++defined;
      Outcome want = host.run(input);
      // On AMD a context switch of the host loses the pointers: once more.
      for (unsigned i = 0; i < 3 && amd && !equal(want, got, approximate); ++i) want = host.run(input);
      if (equal(want, got, approximate)) continue;
      if (reports++ >= 4) continue;
      ADD_FAILURE() << hex(input.code.data(), input.code.size()) << "\n in   " << describe(input.image)
                    << "\n mem  " << hex(input.memory, 16) << "\n host " << describe(want.image)
                    << fmt::format(" rax {:x} fl {:x}", want.rax, want.rflags & kStatusFlags) << "\n soft "
                    << describe(got.image)
                    << fmt::format(" rax {:x} fl {:x}", got.rax, got.rflags & kStatusFlags)
                    << (std::memcmp(want.memory, got.memory, kMemoryBytes) != 0
                            ? "\n memory host " + hex(want.memory, 112) + "\n memory soft " +
                                  hex(got.memory, 112)
                            : "");
    }
  }
  EXPECT_EQ(reports, 0);
  EXPECT_GT(defined, 8u);
}

class X87Native : public testing::TestWithParam<int> {};
TEST_P(X87Native, Opcode) { compare_opcode(static_cast<u8>(GetParam()), false); }
TEST_P(X87Native, OpcodeWithShortOperands) { compare_opcode(static_cast<u8>(GetParam()), true); }
INSTANTIATE_TEST_SUITE_P(D8toDF, X87Native, testing::Range(0xd8, 0xe0));

}  // namespace
}  // namespace reprise::cpu::test
#endif
