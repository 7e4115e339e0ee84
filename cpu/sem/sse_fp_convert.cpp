// Conversions between integers and floating point, and between formats. SDM 2A CVT*.
#include "cpu/sem/sse_fp_convert_bodies.h"

namespace reprise::cpu {
namespace {

/// The memory forms touch no MMX register, so they leave the x87 state alone. SDM 2A CVTPI2PD; processors do the same
/// for CVTPI2PS.
struct cvtpi2ps {
  static Handler select(const Insn& in) {
    if (in.form == Form::RM) return vrmw2<sem_cvtpi2ps<u64>, u64>::select(in);
    return vrmw2<sem_cvtpi2ps<V64>, V64>::select(in);
  }
};
struct cvtpi2pd {
  static Handler select(const Insn& in) {
    if (in.form == Form::RM) return vwrite2<sem_cvt_dwords<Binary64, u64>, u64>::select(in);
    return vwrite2<sem_cvt_dwords<Binary64, V64>, V64>::select(in);
  }
};

/// The integer operand is 64 bits wide with REX.W.
template <class F>
struct cvt_from_gpr {
  static Handler select(const Insn& in) {
    return in.size1 == 8 ? vload_gpr<sem_cvt_from_gpr<F>, u64>::select(in)
                         : vload_gpr<sem_cvt_from_gpr<F>, u32>::select(in);
  }
};

}  // namespace

#define ROWS "cpu/insn/sse_fp_convert.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
