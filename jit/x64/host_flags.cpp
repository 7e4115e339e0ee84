#include "jit/x64/host_flags.h"

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/hash.h"
#include "cpu/decode/decode.h"
#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "jit/x64/emitter.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::Imm;
using asmjit::InstId;
using cpu::Mnemonic;
using Features = asmjit::CpuFeatures::X86;
namespace Inst = x86::Inst;

/// What an instruction starts from and leaves: rAX, rCX, rDX, rBX, status flags, and a quadword of memory.
struct Values {
  u64 gpr[4];
  u64 rflags;
  u64 memory;
};
constexpr i32 kRflagsOffset = offsetof(Values, rflags);
constexpr i32 kMemoryOffset = offsetof(Values, memory);

/// One instruction: as a function of the host, and as bytes to decode.
struct Sample {
  Mnemonic mnemonic;
  std::size_t function;  // offset in the code
  std::array<u8, 15> bytes;
  unsigned length;
  bool in_memory;  // the host's works on Values::memory, the bytes on rAX
  unsigned operand_bytes;
  int count;  // in rCX; -1: any
};

constexpr unsigned kSizes[] = {1, 2, 4, 8};
constexpr unsigned kCounts[] = {1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 18, 24, 31, 33, 63};

class Sampler {
 public:
  explicit Sampler(const u8* base) {
    CHECK(code_.init(asmjit::Environment::host(), reinterpret_cast<u64>(base)) == asmjit::kErrorOk);
    code_.attach(&a_);
    shifts();
    multiplications();
    bits();
    if (host_has(Features::kBMI)) bmi1();
    if (host_has(Features::kBMI2)) add_sized(Mnemonic::BZHI, Inst::kIdBzhi, 4, Operands::DstRmReg);
    if (host_has(Features::kLZCNT)) add_sized(Mnemonic::LZCNT, Inst::kIdLzcnt, 2, Operands::Two);
    logic();
    CHECK(code_.flatten() == asmjit::kErrorOk);
    CHECK(code_.resolveUnresolvedLinks() == asmjit::kErrorOk);
  }

  asmjit::CodeHolder& code() { return code_; }
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  enum class Operands : u8 { Two, DstRegRm, DstRmReg };

  static bool host_has(Features::Id feature) { return asmjit::CpuInfo::host().hasFeature(feature); }

  void shifts() {
    const auto add_all = [&](Mnemonic mnemonic, InstId id, bool by_rotation) {
      for (const unsigned bytes : kSizes) {
        const Gp value = host_gp(Gp::kIdAx, bytes);
        add(mnemonic, [&] { a_.emit(id, value, x86::cl); });
        for (const unsigned count : kCounts) {
          if ((count & (bytes == 8 ? 63 : 31)) == 0) continue;
          add(mnemonic, [&] { a_.emit(id, value, Imm(count)); });
          if (by_rotation) in_memory(mnemonic, id, bytes, count);
        }
      }
    };
    add_all(Mnemonic::SHL, Inst::kIdShl, false);
    add_all(Mnemonic::SHR, Inst::kIdShr, false);
    add_all(Mnemonic::SAR, Inst::kIdSar, false);
    add_all(Mnemonic::ROL, Inst::kIdRol, true);
    add_all(Mnemonic::ROR, Inst::kIdRor, true);
    add_all(Mnemonic::RCL, Inst::kIdRcl, false);
    add_all(Mnemonic::RCR, Inst::kIdRcr, false);
    for (const bool left : {true, false}) {
      const Mnemonic mnemonic = left ? Mnemonic::SHLD : Mnemonic::SHRD;
      const InstId id = left ? Inst::kIdShld : Inst::kIdShrd;
      for (const unsigned bytes : {2u, 4u, 8u}) {
        const Gp dst = host_gp(Gp::kIdAx, bytes);
        const Gp src = host_gp(Gp::kIdDx, bytes);
        add(mnemonic, [&] { a_.emit(id, dst, src, x86::cl); });
        for (const unsigned count : kCounts) add(mnemonic, [&] { a_.emit(id, dst, src, Imm(count)); });
      }
    }
  }

  void multiplications() {
    for (const unsigned bytes : kSizes) {
      const Gp factor = host_gp(Gp::kIdCx, bytes);
      add(Mnemonic::MUL, [&] { a_.emit(Inst::kIdMul, factor); });
      add(Mnemonic::IMUL, [&] { a_.emit(Inst::kIdImul, factor); });
      if (bytes == 1) continue;
      const Gp value = host_gp(Gp::kIdAx, bytes);
      add(Mnemonic::IMUL, [&] { a_.emit(Inst::kIdImul, value, factor); });
      add(Mnemonic::IMUL, [&] { a_.emit(Inst::kIdImul, value, factor, Imm(-3)); });
      add(Mnemonic::IMUL, [&] { a_.emit(Inst::kIdImul, value, factor, Imm(0x1234)); });
    }
  }

  void bits() {
    struct Row {
      Mnemonic mnemonic;
      InstId id;
    };
    constexpr Row kTests[] = {{Mnemonic::BT, Inst::kIdBt},
                              {Mnemonic::BTS, Inst::kIdBts},
                              {Mnemonic::BTR, Inst::kIdBtr},
                              {Mnemonic::BTC, Inst::kIdBtc}};
    for (const Row& row : kTests) {
      add_sized(row.mnemonic, row.id, 2, Operands::Two);
      add(row.mnemonic, [&] { a_.emit(row.id, x86::eax, Imm(7)); });
    }
    add_sized(Mnemonic::BSF, Inst::kIdBsf, 2, Operands::Two);
    add_sized(Mnemonic::BSR, Inst::kIdBsr, 2, Operands::Two);
  }

  void bmi1() {
    add_sized(Mnemonic::TZCNT, Inst::kIdTzcnt, 2, Operands::Two);
    add_sized(Mnemonic::ANDN, Inst::kIdAndn, 4, Operands::DstRegRm);
    add_sized(Mnemonic::BEXTR, Inst::kIdBextr, 4, Operands::DstRmReg);
    add_sized(Mnemonic::BLSI, Inst::kIdBlsi, 4, Operands::Two);
    add_sized(Mnemonic::BLSMSK, Inst::kIdBlsmsk, 4, Operands::Two);
    add_sized(Mnemonic::BLSR, Inst::kIdBlsr, 4, Operands::Two);
  }

  void logic() {
    add_sized(Mnemonic::AND, Inst::kIdAnd, 1, Operands::Two);
    add_sized(Mnemonic::OR, Inst::kIdOr, 1, Operands::Two);
    add_sized(Mnemonic::XOR, Inst::kIdXor, 1, Operands::Two);
    add_sized(Mnemonic::TEST, Inst::kIdTest, 1, Operands::Two);
  }

  void add_sized(Mnemonic mnemonic, InstId id, unsigned from_bytes, Operands operands) {
    for (unsigned bytes = from_bytes; bytes <= 8; bytes *= 2) {
      const Gp dst = host_gp(Gp::kIdAx, bytes);
      const Gp src = host_gp(Gp::kIdCx, bytes);
      const Gp other = host_gp(Gp::kIdDx, bytes);
      add(mnemonic, [&] {
        if (operands == Operands::Two)
          a_.emit(id, dst, src);
        else if (operands == Operands::DstRegRm)
          a_.emit(id, dst, other, src);
        else
          a_.emit(id, dst, other, src);
      });
    }
  }

  /// A rotation of memory by an immediate follows the rule of a rotation by CL.
  void in_memory(Mnemonic mnemonic, InstId id, unsigned bytes, unsigned count) {
    Sample sample{mnemonic, prologue(), {}, 0, true, bytes, static_cast<int>(count)};
    a_.emit(id, x86::ptr(x86::r8, kMemoryOffset, bytes), Imm(count));
    epilogue();
    const u64 begin = a_.offset();
    a_.emit(id, host_gp(Gp::kIdAx, bytes), x86::cl);
    keep_bytes(sample, begin);
  }

  template <class Emit>
  void add(Mnemonic mnemonic, Emit emit) {
    Sample sample{mnemonic, prologue(), {}, 0, false, 0, -1};
    const u64 begin = a_.offset();
    emit();
    keep_bytes(sample, begin);
    epilogue();
  }

  void keep_bytes(Sample& sample, u64 begin) {
    sample.length = static_cast<unsigned>(a_.offset() - begin);
    CHECK(sample.length > 0 && sample.length <= sample.bytes.size());
    std::memcpy(sample.bytes.data(), code_.textSection()->buffer().data() + begin, sample.length);
    samples_.push_back(sample);
  }

  /// void function(Values*)
  std::size_t prologue() {
    const std::size_t at = a_.offset();
    a_.push(x86::rbx);
    a_.mov(x86::r8, x86::rdi);
    a_.push(x86::qword_ptr(x86::r8, kRflagsOffset));
    for (unsigned i = 0; i < 4; ++i) a_.mov(x86::gpq(i), x86::qword_ptr(x86::r8, static_cast<i32>(8 * i)));
    a_.popfq();
    return at;
  }
  void epilogue() {
    a_.pushfq();
    a_.pop(x86::qword_ptr(x86::r8, kRflagsOffset));
    for (unsigned i = 0; i < 4; ++i) a_.mov(x86::qword_ptr(x86::r8, static_cast<i32>(8 * i)), x86::gpq(i));
    a_.pop(x86::rbx);
    a_.ret();
  }

  asmjit::CodeHolder code_;
  x86::Assembler a_;
  std::vector<Sample> samples_;
};

/// Edge values and counts of every kind; flags all clear and all set.
Values pattern(unsigned index) {
  constexpr u64 kEdges[] = {0,
                            1,
                            0x80,
                            0x7f,
                            0xff,
                            0x8000,
                            0x8000'0000'8000'8080,
                            0x7fff'ffff'7fff'7f7f,
                            0xffff'ffff'ffff'ffff,
                            0x5555'5555'5555'5555,
                            0xc000'0001'c001'c0c1,
                            0x0123'4567'89ab'cdef};
  constexpr unsigned kEdgeCount = std::size(kEdges);
  const u64 factor = index % 3 == 0 ? 0 : 0x9e37'79b9'7f4a'7c00 * index;
  Values values{};
  values.gpr[0] = kEdges[index % kEdgeCount];
  values.gpr[1] = index == 0 ? 0 : (factor & ~u64{0xff}) | kCounts[index % std::size(kCounts)];
  values.gpr[2] = kEdges[(index * 7 + 5) % kEdgeCount];
  values.gpr[3] = ~kEdges[index % kEdgeCount];
  values.rflags = cpu::kRflagsFixed | (index % 2 == 0 ? 0 : cpu::kRflagsStatus);
  return values;
}
constexpr unsigned kPatterns = 24;

Values run_on_host(const Sample& sample, const u8* base, Values values) {
  if (sample.in_memory) std::swap(values.memory, values.gpr[0]);
  reinterpret_cast<void (*)(Values*)>(reinterpret_cast<u64>(base + sample.function))(&values);
  if (sample.in_memory) std::swap(values.memory, values.gpr[0]);
  // What a write of 32 bits does to a register only.
  if (sample.in_memory && sample.operand_bytes == 4) values.gpr[0] = static_cast<u32>(values.gpr[0]);
  return values;
}

Values run_body(cpu::Cpu& cpu, const cpu::Insn& insn, Values values) {
  std::memcpy(cpu.state.gpr, values.gpr, sizeof values.gpr);
  cpu.state.rflags = values.rflags;
  (void)insn.exec(cpu, insn);
  std::memcpy(values.gpr, cpu.state.gpr, sizeof values.gpr);
  values.rflags = cpu.state.rflags;
  return values;
}

bool same(const Values& a, const Values& b) {
  return std::memcmp(a.gpr, b.gpr, sizeof a.gpr) == 0 && ((a.rflags ^ b.rflags) & cpu::kRflagsStatus) == 0;
}

cpu::ModeKey mode64() {
  using Key = cpu::ModeKey;
  return {static_cast<u32>(cpu::CodeSize::Bits64) | Key::kProtected | Key::kLongMode | Key::kFlatData |
          Key::kFlatCode};
}

}  // namespace

HostFlags HostFlags::measure(cpu::Cpu& cpu, CodeArena& arena) {
  static_assert(static_cast<unsigned>(Mnemonic::Count) <= kMnemonics);
  const u8* const base = arena.next();
  Sampler sampler(base);
  CHECK(sampler.code().relocateToBase(reinterpret_cast<u64>(base)) == asmjit::kErrorOk);
  CHECK(sampler.code().copyFlattenedData(arena.writable(base), arena.room()) == asmjit::kErrorOk);

  const cpu::Decoder decoder(cpu.profile);
  const cpu::CpuState saved = cpu.state;
  HostFlags flags;
  for (const Sample& sample : sampler.samples()) flags.agree_.set(static_cast<unsigned>(sample.mnemonic));
  for (const Sample& sample : sampler.samples()) {
    cpu::Insn insn;
    bool ends_block = false;
    const std::span<const u8> bytes(sample.bytes.data(), sample.length);
    // A profile without the instruction does not ask.
    if (decoder.decode(bytes, mode64(), 0, insn, ends_block) != cpu::DecodeStatus::Ok ||
        insn.mnemonic != sample.mnemonic || insn.exec == cpu::raise_ud)
      continue;
    for (unsigned i = 0; i < kPatterns; ++i) {
      Values values = pattern(i);
      if (sample.count >= 0) values.gpr[1] = static_cast<u64>(sample.count);
      if (!same(run_on_host(sample, base, values), run_body(cpu, insn, values)))
        flags.agree_.reset(static_cast<unsigned>(sample.mnemonic));
    }
  }
  cpu.state = saved;
  return flags;
}

bool HostFlags::agree(const cpu::Insn& in) const {
  // Emitted so that the host's flags do not matter.
  if (in.mnemonic == Mnemonic::DIV || in.mnemonic == Mnemonic::IDIV) return true;
  return cpu::insn_row(in.mnemonic).undefined == 0 || agree_.test(static_cast<unsigned>(in.mnemonic));
}

u64 HostFlags::digest() const {
  const std::string text = agree_.to_string();
  return hash64({reinterpret_cast<const u8*>(text.data()), text.size()});
}

}  // namespace reprise::jit::x64
