// Shapes: how operands flow through a body. A body is a function object over values; a shape loads its operands,
// runs it and writes back, once per width and operand form. `Shape::select(insn)` picks the instance.
//
// Body signatures (T is u8..u64; `cpu` gives flags and the rest of the state):
//   rmw2<B>     T B(Cpu&, T dst, T src)         dst := B(dst, src)        ADD, XOR, CMOVcc
//   read2<B>    void B(Cpu&, T a, T b)          flags only                CMP, TEST
//   rmw1<B>     T B(Cpu&, T dst)                dst := B(dst)             INC, NEG, BSWAP
//   write1<B>   T B(Cpu&)                       dst := B()                SETcc
//   write2<B>   T B(Cpu&, T src)                dst := B(src)             MOV, POPCNT
//   read1<B>    Status B(Cpu&, T src)           implicit destination  MUL, DIV
//   rmw2_count<B> T B(Cpu&, T dst, T src, unsigned count)             SHLD, SHRD
//   direct<F>   Status F(Cpu&, const Insn&)     everything else
// Nothing that can fault follows a body's first effect.
#pragma once

#include "cpu/core/form_kind.h"
#include "cpu/core/operands.h"
#include "cpu/sem/select.h"

namespace reprise::cpu {

template <class Body>
struct rmw2 {
  template <class T>
  struct Instance {
    static Status rr(Cpu& cpu, const Insn& in) {
      set_gpr<T>(cpu.state, in.reg[0],
                 Body{}(cpu, gpr<T>(cpu.state, in.reg[0]), gpr<T>(cpu.state, in.reg[1])));
      return Status::Next;
    }
    static Status ri(Cpu& cpu, const Insn& in) {
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, gpr<T>(cpu.state, in.reg[0]), static_cast<T>(in.imm)));
      return Status::Next;
    }
    static Status rm(Cpu& cpu, const Insn& in) {
      T src;
      if (!load_operand(cpu, in, src)) return Status::Fault;
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, gpr<T>(cpu.state, in.reg[0]), src));
      return Status::Next;
    }
    static Status mr(Cpu& cpu, const Insn& in) {
      const T src = gpr<T>(cpu.state, in.reg[1]);
      const bool done = modify_operand<T>(cpu, in, [&](T dst) { return Body{}(cpu, dst, src); });
      return done ? Status::Next : Status::Fault;
    }
    static Status mi(Cpu& cpu, const Insn& in) {
      const bool done =
          modify_operand<T>(cpu, in, [&](T dst) { return Body{}(cpu, dst, static_cast<T>(in.imm)); });
      return done ? Status::Next : Status::Fault;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

template <class Body>
struct read2 {
  template <class T>
  struct Instance {
    static Status rr(Cpu& cpu, const Insn& in) {
      Body{}(cpu, gpr<T>(cpu.state, in.reg[0]), gpr<T>(cpu.state, in.reg[1]));
      return Status::Next;
    }
    static Status ri(Cpu& cpu, const Insn& in) {
      Body{}(cpu, gpr<T>(cpu.state, in.reg[0]), static_cast<T>(in.imm));
      return Status::Next;
    }
    static Status rm(Cpu& cpu, const Insn& in) {
      T b;
      if (!load_operand(cpu, in, b)) return Status::Fault;
      Body{}(cpu, gpr<T>(cpu.state, in.reg[0]), b);
      return Status::Next;
    }
    static Status mr(Cpu& cpu, const Insn& in) {
      T a;
      if (!load_operand(cpu, in, a)) return Status::Fault;
      Body{}(cpu, a, gpr<T>(cpu.state, in.reg[1]));
      return Status::Next;
    }
    static Status mi(Cpu& cpu, const Insn& in) {
      T a;
      if (!load_operand(cpu, in, a)) return Status::Fault;
      Body{}(cpu, a, static_cast<T>(in.imm));
      return Status::Next;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

template <class Body>
struct rmw1 {
  template <class T>
  struct Instance {
    static Status r(Cpu& cpu, const Insn& in) {
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, gpr<T>(cpu.state, in.reg[0])));
      return Status::Next;
    }
    static Status m(Cpu& cpu, const Insn& in) {
      const bool done = modify_operand<T>(cpu, in, [&](T dst) { return Body{}(cpu, dst); });
      return done ? Status::Next : Status::Fault;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

template <class Body>
struct read1 {
  template <class T>
  struct Instance {
    static Status r(Cpu& cpu, const Insn& in) { return Body{}(cpu, gpr<T>(cpu.state, in.reg[0])); }
    static Status m(Cpu& cpu, const Insn& in) {
      T src;
      if (!load_operand(cpu, in, src)) return Status::Fault;
      return Body{}(cpu, src);
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

/// Two operands and a count: an immediate or CL.
template <class Body>
struct rmw2_count {
  template <class T>
  struct Instance {
    static unsigned count(const Cpu& cpu, const Insn& in) {
      const bool immediate = form_kind(in, 2) == OperandKind::Imm;
      return static_cast<u8>(immediate ? in.imm : cpu.state.gpr[RCX]);
    }
    static Status rr(Cpu& cpu, const Insn& in) {
      const T src = gpr<T>(cpu.state, in.reg[1]);
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, gpr<T>(cpu.state, in.reg[0]), src, count(cpu, in)));
      return Status::Next;
    }
    static Status mr(Cpu& cpu, const Insn& in) {
      const T src = gpr<T>(cpu.state, in.reg[1]);
      const bool done =
          modify_operand<T>(cpu, in, [&](T dst) { return Body{}(cpu, dst, src, count(cpu, in)); });
      return done ? Status::Next : Status::Fault;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

template <class Body>
struct write1 {
  template <class T>
  struct Instance {
    static Status r(Cpu& cpu, const Insn& in) {
      set_gpr<T>(cpu.state, in.reg[0], Body{}.template operator()<T>(cpu));
      return Status::Next;
    }
    static Status m(Cpu& cpu, const Insn& in) {
      return store_operand<T>(cpu, in, Body{}.template operator()<T>(cpu)) ? Status::Next : Status::Fault;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

template <class Body>
struct write2 {
  template <class T>
  struct Instance {
    static Status rr(Cpu& cpu, const Insn& in) {
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, gpr<T>(cpu.state, in.reg[1])));
      return Status::Next;
    }
    static Status ri(Cpu& cpu, const Insn& in) {
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, static_cast<T>(in.imm)));
      return Status::Next;
    }
    static Status rm(Cpu& cpu, const Insn& in) {
      T src;
      if (!load_operand(cpu, in, src)) return Status::Fault;
      set_gpr<T>(cpu.state, in.reg[0], Body{}(cpu, src));
      return Status::Next;
    }
    static Status mr(Cpu& cpu, const Insn& in) {
      return store_operand<T>(cpu, in, Body{}(cpu, gpr<T>(cpu.state, in.reg[1]))) ? Status::Next
                                                                                  : Status::Fault;
    }
    static Status mi(Cpu& cpu, const Insn& in) {
      return store_operand<T>(cpu, in, Body{}(cpu, static_cast<T>(in.imm))) ? Status::Next : Status::Fault;
    }
  };
  static Handler select(const Insn& in) { return by_width<Instance>(in.size0, in.form); }
};

}  // namespace reprise::cpu
