// ADD, ADC, SUB, SBB, AND, OR, XOR, CMP, TEST, INC, DEC, NEG, NOT. SDM 2A/2B.
#include "cpu/sem/shapes.h"

namespace reprise::cpu {
namespace {

struct sem_add {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const T result = static_cast<T>(dst + src);
    flags::assign(cpu.state.rflags, kRflagsStatus, flags::add(dst, src, result));
    return result;
  }
};

struct sem_adc {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const T result = static_cast<T>(dst + src + (cpu.state.rflags & kRflagsCf));
    flags::assign(cpu.state.rflags, kRflagsStatus, flags::add(dst, src, result));
    return result;
  }
};

struct sem_sub {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const T result = static_cast<T>(dst - src);
    flags::assign(cpu.state.rflags, kRflagsStatus, flags::sub(dst, src, result));
    return result;
  }
};

struct sem_sbb {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    const T result = static_cast<T>(dst - src - (cpu.state.rflags & kRflagsCf));
    flags::assign(cpu.state.rflags, kRflagsStatus, flags::sub(dst, src, result));
    return result;
  }
};

struct sem_cmp {
  template <class T>
  void operator()(Cpu& cpu, T a, T b) const {
    flags::assign(cpu.state.rflags, kRflagsStatus, flags::sub(a, b, static_cast<T>(a - b)));
  }
};

template <class T>
T logic_result(Cpu& cpu, T result) {
  flags::assign(cpu.state.rflags, kRflagsStatus, flags::logic(result));
  return result;
}

struct sem_and {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    return logic_result<T>(cpu, dst & src);
  }
};

struct sem_or {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    return logic_result<T>(cpu, dst | src);
  }
};

struct sem_xor {
  template <class T>
  T operator()(Cpu& cpu, T dst, T src) const {
    return logic_result<T>(cpu, dst ^ src);
  }
};

struct sem_test {
  template <class T>
  void operator()(Cpu& cpu, T a, T b) const {
    logic_result<T>(cpu, a & b);
  }
};

struct sem_inc {
  template <class T>
  T operator()(Cpu& cpu, T dst) const {
    const T result = static_cast<T>(dst + 1);
    flags::assign(cpu.state.rflags, kRflagsStatus & ~kRflagsCf, flags::add<T>(dst, 1, result));
    return result;
  }
};

struct sem_dec {
  template <class T>
  T operator()(Cpu& cpu, T dst) const {
    const T result = static_cast<T>(dst - 1);
    flags::assign(cpu.state.rflags, kRflagsStatus & ~kRflagsCf, flags::sub<T>(dst, 1, result));
    return result;
  }
};

struct sem_neg {
  template <class T>
  T operator()(Cpu& cpu, T dst) const {
    const T result = static_cast<T>(0 - dst);
    flags::assign(cpu.state.rflags, kRflagsStatus, flags::sub<T>(0, dst, result));
    return result;
  }
};

struct sem_not {
  template <class T>
  T operator()(Cpu&, T dst) const {
    return static_cast<T>(~dst);
  }
};

}  // namespace

#define ROWS "cpu/insn/alu.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
