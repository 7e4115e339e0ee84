// Shuffles, unpacks, packs, inserts, extracts, blends, extensions, permutations and broadcasts, VEX forms. SDM 2A-2C.
#include "cpu/sem/sse_shuffle_bodies.h"
#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {
namespace {

/// imm[7:6] chooses the element of a register source; a memory source is the element.
struct vex_insertps {
  static Status run(Cpu& cpu, const Insn& in) {
    const u8 imm = static_cast<u8>(in.imm);
    V256 src;
    if (!load_source(cpu, in, 2, 4, src)) return Status::Fault;
    const u32 value = element<u32>(src, form_kind(in, 2) == OperandKind::Mem ? 0 : imm >> 6);
    cpu.state.ymm[in.reg[0]] = zero_extended(sem_insertps{}(xmm(cpu.state, in.reg[1]), value, imm));
    return Status::Next;
  }
  static Handler select(const Insn&) { return run; }
};

// --- Within each half ---

struct sem_vpermilps {
  V128 operator()(V128 src, V128 control) const {
    const auto a = lanes<u32>(src), c = lanes<u32>(control);
    return fill_lanes<u32, V128>([&](unsigned i) { return a[c[i] & 3]; });
  }
};
struct sem_vpermilpd {
  V128 operator()(V128 src, V128 control) const {
    return V128{{src.qword[control.qword[0] >> 1 & 1], src.qword[control.qword[1] >> 1 & 1]}};
  }
};
struct sem_vpermilpd_imm {
  V128 operator()(V128 src, u8 imm) const { return sem_shufpd{}(src, src, imm); }
};
/// Selectors in an immediate or in a register.
template <class ByImm, unsigned ImmShift, class ByVector>
struct vpermil {
  static Handler select(const Insn& in) {
    return form_kind(in, 2) == OperandKind::Imm ? run_vex2<ByImm, ImmShift> : run_vex3<ByVector, 0>;
  }
};

// --- Across halves ---

struct sem_vpermd {
  V256 operator()(V256 index, V256 src) const {
    const auto a = lanes<u32>(src), c = lanes<u32>(index);
    return fill_lanes<u32, V256>([&](unsigned i) { return a[c[i] & 7]; });
  }
};
struct sem_vpermq {
  V256 operator()(V256 src, u8 imm) const {
    return fill_lanes<u64, V256>([&](unsigned i) { return src.qword[selector2(imm, i)]; });
  }
};
/// imm[1:0] and imm[5:4] choose among the halves of both sources; imm[3] and imm[7] clear.
struct sem_vperm2f128 {
  V256 operator()(V256 a, V256 b, u8 imm) const {
    V256 result{};
    for (unsigned h = 0; h < 2; ++h) {
      const unsigned control = imm >> (4 * h);
      if (!(control & 8)) set_half(result, h, half(control & 2 ? b : a, control & 1));
    }
    return result;
  }
};

struct vinsert128 {
  static Status run(Cpu& cpu, const Insn& in) {
    V256 part;
    if (!load_source(cpu, in, 2, 16, part)) return Status::Fault;
    V256 result = cpu.state.ymm[in.reg[1]];
    set_half(result, in.imm & 1, half(part, 0));
    cpu.state.ymm[in.reg[0]] = result;
    return Status::Next;
  }
  static Handler select(const Insn&) { return run; }
};
struct vextract128 {
  static Status run(Cpu& cpu, const Insn& in) {
    const V256 part = zero_extended(half(cpu.state.ymm[in.reg[1]], in.imm & 1));
    if (in.form == Form::MR) return store_vex(cpu, in, 16, part) ? Status::Next : Status::Fault;
    cpu.state.ymm[in.reg[0]] = part;
    return Status::Next;
  }
  static Handler select(const Insn&) { return run; }
};

/// The low T of the source in every element.
template <class T>
struct vbroadcast {
  static Status run(Cpu& cpu, const Insn& in) {
    V256 src;
    if (!load_source(cpu, in, 1, sizeof(T), src)) return Status::Fault;
    std::array<T, sizeof(V256) / sizeof(T)> all;
    all.fill(element<T>(src));
    const V256 result = std::bit_cast<V256>(all);
    cpu.state.ymm[in.reg[0]] = in.has(Insn::kVex256) ? result : zero_extended(half(result, 0));
    return Status::Next;
  }
  static Handler select(const Insn&) { return run; }
};

}  // namespace

#define ROWS "cpu/insn/avx_shuffle.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
