// BT, BTS, BTR, BTC, BSF, BSR, BSWAP, POPCNT, CRC32. SDM 2A/2B.
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

enum class BitOp : u8 { Test, Set, Reset, Complement };

/// Undefined: OF, SF, AF and PF, which stay as they are.
template <BitOp Op, class T>
T bit_result(Cpu& cpu, T value, unsigned index) {
  const T mask = static_cast<T>(T{1} << index);
  flags::assign(cpu.state.rflags, kRflagsCf, (value & mask) != 0 ? kRflagsCf : 0);
  if constexpr (Op == BitOp::Set) return value | mask;
  if constexpr (Op == BitOp::Reset) return value & static_cast<T>(~mask);
  if constexpr (Op == BitOp::Complement) return value ^ mask;
  return value;
}

template <BitOp Op>
struct bit_test {
  template <class T>
  struct Instance {
    static constexpr unsigned kMask = kBits<T> - 1;

    static Status rr(Cpu& cpu, const Insn& in) {
      const unsigned index = static_cast<unsigned>(gpr<T>(cpu.state, in.reg[1]) & kMask);
      return to_register(cpu, in, index);
    }
    static Status ri(Cpu& cpu, const Insn& in) {
      return to_register(cpu, in, static_cast<unsigned>(in.imm & kMask));
    }
    static Status to_register(Cpu& cpu, const Insn& in, unsigned index) {
      const T result = bit_result<Op, T>(cpu, gpr<T>(cpu.state, in.reg[0]), index);
      if (Op != BitOp::Test) set_gpr<T>(cpu.state, in.reg[0], result);
      return Status::Next;
    }

    /// A register bit offset is signed and reaches beyond the operand.
    static Status mr(Cpu& cpu, const Insn& in) {
      const auto offset = static_cast<i64>(static_cast<Signed<T>>(gpr<T>(cpu.state, in.reg[1])));
      const i64 element = offset >> std::countr_zero(kBits<T>);
      const u64 address = effective_address(cpu.state, in) + static_cast<u64>(element) * sizeof(T);
      return to_memory(cpu, in, address << in.addr_shift >> in.addr_shift,
                       static_cast<unsigned>(offset & kMask));
    }
    static Status mi(Cpu& cpu, const Insn& in) {
      return to_memory(cpu, in, effective_address(cpu.state, in), static_cast<unsigned>(in.imm & kMask));
    }
    static Status to_memory(Cpu& cpu, const Insn& in, u64 effective, unsigned index) {
      constexpr mmu::Access kAccess = Op == BitOp::Test ? mmu::Access::Read : mmu::Access::Write;
      const bool stack = in.has(Insn::kStackSegment);
      u64 linear;
      if (!operand_linear(cpu, in, effective, sizeof(T), kAccess, linear)) return Status::Fault;
      if constexpr (Op == BitOp::Test) {
        T value;
        if (!cpu.mmu.load(linear, value)) return cpu.memory_fault(stack);
        bit_result<Op, T>(cpu, value, index);
        return Status::Next;
      } else {
        const bool done = modify_memory<T>(cpu, stack, linear,
                                           [&](T value) { return bit_result<Op, T>(cpu, value, index); });
        return done ? Status::Next : Status::Fault;
      }
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

enum class ScanFrom : u8 { Low, High };

/// Undefined: a zero source leaves the whole destination register alone, bits 63:32 too, and sets PF;
/// otherwise PF is that of the index. CF, OF, SF and AF are cleared.
template <ScanFrom From>
struct bit_scan {
  template <class T>
  struct Instance {
    static void scan(Cpu& cpu, const Insn& in, T src) {
      unsigned index = 0;
      if (src != 0) {
        index = static_cast<unsigned>(From == ScanFrom::Low ? std::countr_zero(src)
                                                            : kBits<T> - 1 - std::countl_zero(src));
        set_gpr<T>(cpu.state, in.reg[0], static_cast<T>(index));
      }
      const u64 zero = src == 0 ? kRflagsZf : 0;
      flags::assign(cpu.state.rflags, kRflagsStatus, flags::kParity[index] | zero);
    }
    static Status rr(Cpu& cpu, const Insn& in) {
      scan(cpu, in, gpr<T>(cpu.state, in.reg[1]));
      return Status::Next;
    }
    static Status rm(Cpu& cpu, const Insn& in) {
      T src;
      if (!load_operand(cpu, in, src)) return Status::Fault;
      scan(cpu, in, src);
      return Status::Next;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

/// Undefined: a 16-bit operand, which becomes 0.
struct sem_bswap {
  template <class T>
  T operator()(Cpu&, T dst) const {
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(dst);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(dst);
    return 0;
  }
};

struct sem_popcnt {
  template <class T>
  T operator()(Cpu& cpu, T src) const {
    flags::assign(cpu.state.rflags, kRflagsStatus, src == 0 ? kRflagsZf : 0);
    return static_cast<T>(std::popcount(src));
  }
};

/// CRC-32C, reflected: one table step per byte.
constexpr auto kCrc32c = [] {
  constexpr u32 kPolynomial = 0x82f63b78;
  std::array<u32, 256> table{};
  for (u32 i = 0; i < 256; ++i) {
    u32 crc = i;
    for (int step = 0; step < 8; ++step) crc = crc >> 1 ^ ((crc & 1) ? kPolynomial : 0);
    table[i] = crc;
  }
  return table;
}();

template <class T>
struct Crc32 {
  static void accumulate(Cpu& cpu, const Insn& in, T src) {
    u32 crc = gpr<u32>(cpu.state, in.reg[0]);
    for (unsigned i = 0; i < sizeof(T); ++i) crc = crc >> 8 ^ kCrc32c[(crc ^ (src >> (8 * i))) & 0xff];
    set_gpr<u32>(cpu.state, in.reg[0], crc);
  }
  static Status rr(Cpu& cpu, const Insn& in) {
    accumulate(cpu, in, gpr<T>(cpu.state, in.reg[1]));
    return Status::Next;
  }
  static Status rm(Cpu& cpu, const Insn& in) {
    T src;
    if (!load_operand(cpu, in, src)) return Status::Fault;
    accumulate(cpu, in, src);
    return Status::Next;
  }
};

struct crc32 {
  static Handler select(const Insn& in) { return by_width<Crc32>(in.size1, in.form); }
};

}  // namespace

#define ROWS "cpu/insn/bit.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
