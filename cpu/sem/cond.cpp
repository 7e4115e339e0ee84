// SETcc and CMOVcc. SDM 2A/2B.
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

template <Condition C>
struct sem_set {
  template <class T>
  T operator()(Cpu& cpu) const {
    return holds<C>(cpu.state.rflags) ? 1 : 0;
  }
};

template <Condition C>
struct sem_cmov {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    return holds<C>(cpu.state.rflags) ? src : dst;
  }
};

}  // namespace

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/cond.inc"
#undef INSN

}  // namespace reprise::cpu
