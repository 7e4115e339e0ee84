// MOV, MOVZX, MOVSX, MOVSXD, LEA, NOP. SDM 2A/2B.
#include "cpu/sem/shapes.h"
#include "cpu/system/special_mov.h"

namespace reprise::cpu {
namespace {

struct sem_mov {
  template <class T>
  T operator()(Cpu&, T src) const {
    return src;
  }
};

/// MOV moffs and the plain forms share write2; segment, control and debug registers have handlers of their own.
struct mov {
  static Handler select(const Insn& in) {
    for (const RegClass reg_class : in.reg_class) {
      if (reg_class == RegClass::Segment) return select_mov_segment(in);
      if (reg_class == RegClass::Control) return select_mov_control(in);
      if (reg_class == RegClass::Debug) return select_mov_debug(in);
    }
    return write2<sem_mov>::select(in);
  }
};

template <class To, class From, bool Sign>
struct Extend {
  static To widen(From value) {
    if constexpr (Sign) return static_cast<To>(static_cast<Signed<To>>(static_cast<Signed<From>>(value)));
    return static_cast<To>(value);
  }
  static Status rr(Cpu& cpu, const Insn& in) {
    set_gpr<To>(cpu.state, in.reg[0], widen(gpr<From>(cpu.state, in.reg[1])));
    return Status::Next;
  }
  static Status rm(Cpu& cpu, const Insn& in) {
    From value;
    if (!load_operand(cpu, in, value)) return Status::Fault;
    set_gpr<To>(cpu.state, in.reg[0], widen(value));
    return Status::Next;
  }
};

/// MOVZX, MOVSX, MOVSXD: a narrower source.
template <bool Sign>
struct extend {
  template <class To, class From>
  static Handler pick(const Insn& in) {
    return in.form == Form::RR ? Extend<To, From, Sign>::rr : Extend<To, From, Sign>::rm;
  }
  template <class To>
  static Handler pick_source(const Insn& in) {
    switch (in.size1) {
      case 1: return pick<To, u8>(in);
      case 2: return pick<To, u16>(in);
      // MOVSXD to a 16-bit register reads 16 bits only.
      case 4: return pick<To, std::conditional_t<sizeof(To) == 2, u16, u32>>(in);
      default: return nullptr;
    }
  }
  static Handler select(const Insn& in) {
    switch (in.size0) {
      case 2: return pick_source<u16>(in);
      case 4: return pick_source<u32>(in);
      case 8: return pick_source<u64>(in);
      default: return nullptr;
    }
  }
};

struct lea {
  template <class T>
  static Status run(Cpu& cpu, const Insn& in) {
    set_gpr<T>(cpu.state, in.reg[0], static_cast<T>(effective_address(cpu.state, in)));
    return Status::Next;
  }
  static Handler select(const Insn& in) {
    return in.size0 == 8 ? run<u64> : in.size0 == 4 ? run<u32> : run<u16>;
  }
};

Status sem_nop(Cpu&, const Insn&) { return Status::Next; }

}  // namespace

#define ROWS "cpu/insn/mov.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
