// BMI1, BMI2, LZCNT, ADX and MOVBE. SDM 2A-2B.
// Undefined: status flags that the manual leaves undefined are cleared, as Intel processors do.
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

// --- Shapes: three operands, 32 or 64 bits wide ---

template <template <class> class Instance>
Handler by_dword_or_qword(const Insn& in) {
  if (in.size0 == 8) return Instance<u64>::select(in);
  return in.size0 == 4 ? Instance<u32>::select(in) : nullptr;
}

/// T B(Cpu&, T a, T b): dst := B(register, register or memory).
template <class Body>
struct vex_dst_reg_rm {
  template <class T>
  struct Instance {
    static Status reg(Cpu& cpu, const Insn& in) {
      const T b = gpr<T>(cpu.state, in.reg[2]);
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, gpr<T>(cpu.state, in.reg[1]), b));
      return Status::Next;
    }
    static Status mem(Cpu& cpu, const Insn& in) {
      T b;
      if (!load_operand(cpu, in, b)) return Status::Fault;
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, gpr<T>(cpu.state, in.reg[1]), b));
      return Status::Next;
    }
    static Handler select(const Insn& in) {
      if (in.form != Form::RR) return nullptr;
      return form_kind(in, 2) == OperandKind::Mem ? mem : reg;
    }
  };
  static Handler select(const Insn& in) { return by_dword_or_qword<Instance>(in); }
};

/// T B(Cpu&, T src, T control): dst := B(register or memory, register or immediate).
template <class Body>
struct vex_dst_rm_reg {
  template <class T>
  struct Instance {
    static T control(const Cpu& cpu, const Insn& in) {
      return form_kind(in, 2) == OperandKind::Imm ? static_cast<T>(in.imm) : gpr<T>(cpu.state, in.reg[2]);
    }
    static Status rr(Cpu& cpu, const Insn& in) {
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, gpr<T>(cpu.state, in.reg[1]), control(cpu, in)));
      return Status::Next;
    }
    static Status rm(Cpu& cpu, const Insn& in) {
      T src;
      if (!load_operand(cpu, in, src)) return Status::Fault;
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, src, control(cpu, in)));
      return Status::Next;
    }
    static Handler select(const Insn& in) { return by_form<Instance>(in.form); }
  };
  static Handler select(const Insn& in) { return by_dword_or_qword<Instance>(in); }
};

/// reg[0]:reg[1] := rDX * third operand. One destination for both gets the high half.
struct mulx {
  template <class T>
  struct Instance {
    static Status multiply(Cpu& cpu, const Insn& in, T src) {
      using Wide = std::conditional_t<sizeof(T) == 8, u128, u64>;
      const Wide product = Wide{gpr_part<T>(cpu.state, RDX)} * src;
      set_gpr<T>(cpu.state, in.reg[1], static_cast<T>(product));
      set_gpr<T>(cpu.state, in.reg[0], static_cast<T>(product >> kBits<T>));
      return Status::Next;
    }
    static Status reg(Cpu& cpu, const Insn& in) { return multiply(cpu, in, gpr<T>(cpu.state, in.reg[2])); }
    static Status mem(Cpu& cpu, const Insn& in) {
      T src;
      if (!load_operand(cpu, in, src)) return Status::Fault;
      return multiply(cpu, in, src);
    }
    static Handler select(const Insn& in) {
      if (in.form != Form::RR) return nullptr;
      return form_kind(in, 2) == OperandKind::Mem ? mem : reg;
    }
  };
  static Handler select(const Insn& in) { return by_dword_or_qword<Instance>(in); }
};

// --- Bodies ---

void set_status(Cpu& cpu, u64 status) { flags::assign(cpu.state.rflags, kRflagsStatus, status); }
template <class T>
constexpr u64 zero_and_sign(T result) {
  return flags::zsp(result) & ~kRflagsPf;
}
constexpr u64 carry_if(bool carry) { return carry ? kRflagsCf : 0; }

struct sem_andn {
  template <class T>
  T operator()(Cpu& cpu, T a, T b) const {
    const T result = static_cast<T>(~a & b);
    set_status(cpu, zero_and_sign(result));
    return result;
  }
};

/// Bits [start, start + length) of src; both from the control, bits 7:0 and 15:8.
struct sem_bextr {
  template <class T>
  T operator()(Cpu& cpu, T src, T control) const {
    const unsigned start = control & 0xff, length = control >> 8 & 0xff;
    T result = start < kBits<T> ? static_cast<T>(src >> start) : T{0};
    if (length < kBits<T>) result &= static_cast<T>((T{1} << length) - 1);
    set_status(cpu, result == 0 ? kRflagsZf : 0);
    return result;
  }
};

struct sem_blsi {
  template <class T>
  T operator()(Cpu& cpu, T src) const {
    const T result = static_cast<T>((T{0} - src) & src);
    set_status(cpu, zero_and_sign(result) | carry_if(src != 0));
    return result;
  }
};

struct sem_blsmsk {
  template <class T>
  T operator()(Cpu& cpu, T src) const {
    const T result = static_cast<T>((src - T{1}) ^ src);
    set_status(cpu, zero_and_sign(result) | carry_if(src == 0));
    return result;
  }
};

struct sem_blsr {
  template <class T>
  T operator()(Cpu& cpu, T src) const {
    const T result = static_cast<T>((src - T{1}) & src);
    set_status(cpu, zero_and_sign(result) | carry_if(src == 0));
    return result;
  }
};

struct sem_tzcnt {
  template <class T>
  T operator()(Cpu& cpu, T src) const {
    const T count = static_cast<T>(std::countr_zero(src));
    set_status(cpu, carry_if(src == 0) | (count == 0 ? kRflagsZf : 0));
    return count;
  }
};

struct sem_lzcnt {
  template <class T>
  T operator()(Cpu& cpu, T src) const {
    const T count = static_cast<T>(std::countl_zero(src));
    set_status(cpu, carry_if(src == 0) | (count == 0 ? kRflagsZf : 0));
    return count;
  }
};

/// Clears the bits from index[7:0] on; CF says that there are none.
struct sem_bzhi {
  template <class T>
  T operator()(Cpu& cpu, T src, T index) const {
    const unsigned n = index & 0xff;
    const T result = n < kBits<T> ? static_cast<T>(src & ((T{1} << n) - 1)) : src;
    set_status(cpu, zero_and_sign(result) | carry_if(n >= kBits<T>));
    return result;
  }
};

/// The low bits of src go where the mask has ones.
struct sem_pdep {
  template <class T>
  T operator()(Cpu&, T src, T mask) const {
    T result = 0;
    for (; mask != 0; mask &= static_cast<T>(mask - 1), src >>= 1) {
      if (src & 1) result |= static_cast<T>(mask & (T{0} - mask));
    }
    return result;
  }
};

/// The bits of src where the mask has ones, packed together.
struct sem_pext {
  template <class T>
  T operator()(Cpu&, T src, T mask) const {
    T result = 0;
    for (unsigned to = 0; mask != 0; mask &= static_cast<T>(mask - 1), ++to) {
      result |= static_cast<T>((src >> std::countr_zero(mask) & 1) << to);
    }
    return result;
  }
};

template <class T>
constexpr unsigned masked_count(T count) {
  return static_cast<unsigned>(count & (kBits<T> - 1));
}

struct sem_rorx {
  template <class T>
  T operator()(Cpu&, T src, T count) const {
    return std::rotr(src, static_cast<int>(masked_count(count)));
  }
};
struct sem_sarx {
  template <class T>
  T operator()(Cpu&, T src, T count) const {
    return static_cast<T>(static_cast<Signed<T>>(src) >> masked_count(count));
  }
};
struct sem_shlx {
  template <class T>
  T operator()(Cpu&, T src, T count) const {
    return static_cast<T>(src << masked_count(count));
  }
};
struct sem_shrx {
  template <class T>
  T operator()(Cpu&, T src, T count) const {
    return static_cast<T>(src >> masked_count(count));
  }
};

/// Addition with carry in and out through one flag, leaving all others alone.
template <u64 Carry>
struct sem_add_carry {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const T partial = static_cast<T>(dst + src);
    const T result = static_cast<T>(partial + ((cpu.state.rflags & Carry) != 0));
    flags::assign(cpu.state.rflags, Carry, partial < dst || result < partial ? Carry : 0);
    return result;
  }
};

struct sem_movbe {
  template <class T>
  T operator()(Cpu&, T src) const {
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(src);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(src);
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(src);
    return src;
  }
};

}  // namespace

#define ROWS "cpu/insn/bmi.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
