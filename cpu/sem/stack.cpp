// PUSH, POP, PUSHA, POPA, ENTER, LEAVE. SDM 2A/2B; SDM 1 6.2.
#include "cpu/sem/shapes.h"
#include "cpu/sem/stack_ops.h"
#include "cpu/system/special_mov.h"

namespace reprise::cpu {
namespace {

template <class T>
struct Push {
  static Status value(Cpu& cpu, const Insn& in, T pushed) {
    return stack::push<T>(cpu, in, pushed) ? Status::Next : Status::Fault;
  }
  static Status r(Cpu& cpu, const Insn& in) { return value(cpu, in, gpr<T>(cpu.state, in.reg[0])); }
  static Status i(Cpu& cpu, const Insn& in) { return value(cpu, in, static_cast<T>(in.imm)); }
  static Status m(Cpu& cpu, const Insn& in) {
    T pushed;
    return load_operand(cpu, in, pushed) ? value(cpu, in, pushed) : Status::Fault;
  }
};

struct push {
  static Handler select(const Insn& in) {
    if (in.form == Form::R && in.reg_class[0] == RegClass::Segment) return select_push_segment(in);
    return by_width<Push>(in.operand_bytes, in.form);
  }
};

template <class T>
struct Pop {
  static Status r(Cpu& cpu, const Insn& in) {
    T value;
    if (!stack::top(cpu, in, value)) return Status::Fault;
    stack::release(cpu.state, in, sizeof(T));
    set_gpr<T>(cpu.state, in.reg[0], value);
    return Status::Next;
  }
  /// A destination addressed through rSP uses its value after the pop.
  static Status m(Cpu& cpu, const Insn& in) {
    T value;
    if (!stack::top(cpu, in, value)) return Status::Fault;
    const u64 old_rsp = cpu.state.gpr[RSP];
    stack::release(cpu.state, in, sizeof(T));
    if (store_operand<T>(cpu, in, value)) return Status::Next;
    cpu.state.gpr[RSP] = old_rsp;
    return Status::Fault;
  }
};

struct pop {
  static Handler select(const Insn& in) {
    if (in.form == Form::R && in.reg_class[0] == RegClass::Segment) return select_pop_segment(in);
    return by_width<Pop>(in.operand_bytes, in.form);
  }
};

constexpr Gpr kAllRegisters[] = {RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI};

template <class T>
Status push_all(Cpu& cpu, const Insn& in) {
  const u64 rsp = cpu.state.gpr[RSP];
  for (u64 i = 1; i <= 8; ++i) {
    if (!stack::probe_at(cpu, in, rsp - i * sizeof(T), sizeof(T))) return Status::Fault;
  }
  u64 offset = rsp;
  for (const Gpr reg : kAllRegisters) {
    offset -= sizeof(T);
    if (!stack::store_at<T>(cpu, in, offset, gpr_part<T>(cpu.state, reg))) return Status::Fault;
  }
  stack::set_pointer(cpu.state, in, offset);
  return Status::Next;
}

template <class T>
Status pop_all(Cpu& cpu, const Insn& in) {
  const u64 rsp = cpu.state.gpr[RSP];
  T values[8];
  for (unsigned i = 0; i < 8; ++i) {
    if (!stack::load_at<T>(cpu, in, rsp + i * sizeof(T), values[7 - i])) return Status::Fault;
  }
  for (unsigned i = 0; i < 8; ++i) {
    if (kAllRegisters[i] != RSP) set_gpr_part<T>(cpu.state, kAllRegisters[i], values[i]);
  }
  stack::release(cpu.state, in, 8 * sizeof(T));
  return Status::Next;
}

/// SDM 2A ENTER. The new top of stack must be writable too. Nothing is stored before everything has been
/// checked.
template <class T>
struct Enter {
  static Status any(Cpu& cpu, const Insn& in) {
    constexpr unsigned kMaxLevel = 31;
    CpuState& state = cpu.state;
    const u64 rsp = state.gpr[RSP];
    const u64 rbp = state.gpr[RBP];
    const u64 allocated_bytes = in.imm & 0xffff;
    const unsigned level = static_cast<unsigned>(in.disp & kMaxLevel);
    // The whole of rSP, of which the push has moved only what the stack's address size says.
    const u64 mask = stack::pointer_mask(in);
    const T frame = static_cast<T>((rsp & ~mask) | ((rsp - sizeof(T)) & mask));

    T pushed[kMaxLevel + 1];
    unsigned count = 0;
    const auto prepare = [&](T value) {
      pushed[count++] = value;
      return stack::probe_at(cpu, in, rsp - count * sizeof(T), sizeof(T));
    };
    if (!prepare(static_cast<T>(rbp))) return Status::Fault;
    for (unsigned i = 1; i < level; ++i) {
      T display;
      if (!stack::load_at<T>(cpu, in, rbp - i * sizeof(T), display) || !prepare(display))
        return Status::Fault;
    }
    if (level > 0 && !prepare(frame)) return Status::Fault;
    const u64 new_rsp = rsp - count * sizeof(T) - allocated_bytes;
    if (!stack::probe_at(cpu, in, new_rsp, sizeof(T))) return Status::Fault;
    for (unsigned i = 0; i < count; ++i) {
      if (!stack::store_at<T>(cpu, in, rsp - (i + 1) * sizeof(T), pushed[i])) return Status::Fault;
    }
    set_gpr_part<T>(state, RBP, frame);
    stack::set_pointer(state, in, new_rsp);
    return Status::Next;
  }
};

struct enter {
  static Handler select(const Insn& in) { return by_width<Enter>(in.operand_bytes, in.form); }
};

template <class T>
struct Leave {
  static Status any(Cpu& cpu, const Insn& in) {
    const u64 rbp = cpu.state.gpr[RBP];
    T value;
    if (!stack::load_at<T>(cpu, in, rbp, value)) return Status::Fault;
    stack::set_pointer(cpu.state, in, rbp + sizeof(T));
    set_gpr_part<T>(cpu.state, RBP, value);
    return Status::Next;
  }
};

struct leave {
  static Handler select(const Insn& in) { return by_width<Leave>(in.operand_bytes, in.form); }
};

}  // namespace

#define ROWS "cpu/insn/stack.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
