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

#define ROWS "cpu/insn/cond.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
