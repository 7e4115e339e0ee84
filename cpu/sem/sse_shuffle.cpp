// Shuffles, unpacks, packs, inserts, extracts, blends and extensions. SDM 2A/2B.
#include "cpu/sem/sse_shuffle_bodies.h"

namespace reprise::cpu {
namespace {

/// PUNPCKLBW and kin: MMX forms read only 32 bits of memory.
template <class T>
struct unpack_low {
  using Body = sem_unpack<T, Half::Low>;
  static Status mmx_rm(Cpu& cpu, const Insn& in) {
    u32 src;
    if (!begin_mmx<V64>(cpu) || !load_operand(cpu, in, src)) return Status::Fault;
    set_vreg(cpu.state, in.reg[0], Body{}(vreg<V64>(cpu.state, in.reg[0]), V64{{src}}));
    end_mmx<V64>(cpu);
    return Status::Next;
  }
  static Handler select(const Insn& in) {
    if (in.reg_class[0] == RegClass::Mmx && in.form == Form::RM) return mmx_rm;
    return vrmw2<Body>::select(in);
  }
};

/// imm[7:6] chooses the element of a register source; a memory source is the element.
struct insertps {
  static Status rr(Cpu& cpu, const Insn& in) {
    const u8 imm = static_cast<u8>(in.imm);
    const u32 element = lane<u32>(xmm(cpu.state, in.reg[1]), imm >> 6);
    set_xmm(cpu.state, in.reg[0], sem_insertps{}(xmm(cpu.state, in.reg[0]), element, imm));
    return Status::Next;
  }
  static Status rm(Cpu& cpu, const Insn& in) {
    u32 element;
    if (!load_operand(cpu, in, element)) return Status::Fault;
    set_xmm(cpu.state, in.reg[0],
            sem_insertps{}(xmm(cpu.state, in.reg[0]), element, static_cast<u8>(in.imm)));
    return Status::Next;
  }
  static Handler select(const Insn& in) { return by_form<insertps>(in.form); }
};

template <class To, class From>
using extend = vwrite2<sem_extend<To, From>, typename sem_extend<To, From>::Source>;

}  // namespace

#define ROWS "cpu/insn/sse_shuffle.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
