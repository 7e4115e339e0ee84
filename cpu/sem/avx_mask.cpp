// Masked moves and gathers. SDM 2C VMASKMOV, VPMASKMOV, VGATHERDPS and kin. The top bit of a mask element selects.
#include <algorithm>

#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {
namespace {

/// Elements that are masked off are neither read nor written and cannot fault; no element is checked for alignment. A
/// store happens only when none of its elements faults.
template <class T>
struct vmaskmov {
  static bool selected(const V256& mask, unsigned i) { return element<T>(mask, i) >> (kBits<T> - 1) != 0; }
  static unsigned count(const Insn& in) { return vector_bytes(in) / sizeof(T); }

  /// Where the selected elements lie. False: a segment does not hold one of them.
  struct Place {
    u64 linear[sizeof(V256) / sizeof(T)];
    u64 first, last;  // byte of the selected elements
    bool any = false;
  };
  static bool place(Cpu& cpu, const Insn& in, const V256& mask, mmu::Access access, Place& at) {
    for (unsigned i = 0; i < count(in); ++i) {
      if (!selected(mask, i)) continue;
      // Elements follow each other even where a 32-bit address ends.
      const u64 effective = effective_address(cpu.state, in) + i * sizeof(T);
      if (!operand_linear(cpu, without_alignment_check(in), effective, sizeof(T), access, at.linear[i]))
        return false;
      if (!at.any) at.first = at.linear[i];
      at.last = at.linear[i] + sizeof(T) - 1;
      at.any = true;
    }
    // An address that is not canonical comes before a page fault.
    if (at.any && !mmu::is_canonical(cpu.mmu.context(), at.last)) at.first = at.last;
    return true;
  }

  static Status load(Cpu& cpu, const Insn& in) {
    const V256 mask = cpu.state.ymm[in.reg[1]];
    Place at;
    if (!place(cpu, in, mask, mmu::Access::Read, at)) return Status::Fault;
    if (at.any && !cpu.mmu.probe_read(at.first, 1)) return cpu.memory_fault(in.has(Insn::kStackSegment));
    std::array<T, sizeof(V256) / sizeof(T)> result{};
    for (unsigned i = 0; i < count(in); ++i) {
      if (selected(mask, i) && !cpu.mmu.load(at.linear[i], result[i]))
        return cpu.memory_fault(in.has(Insn::kStackSegment));
    }
    cpu.state.ymm[in.reg[0]] = std::bit_cast<V256>(result);
    return Status::Next;
  }
  static Status store(Cpu& cpu, const Insn& in) {
    const V256 mask = cpu.state.ymm[in.reg[1]], value = cpu.state.ymm[in.reg[2]];
    Place at;
    if (!place(cpu, in, mask, mmu::Access::Write, at)) return Status::Fault;
    // Undefined: which byte of an element in a second page is the faulting one. Processors name the last.
    if (at.any && (!cpu.mmu.probe_write(at.first, 1) || !cpu.mmu.probe_write(at.last, 1))) {
      return cpu.memory_fault(in.has(Insn::kStackSegment));
    }
    for (unsigned i = 0; i < count(in); ++i) {
      if (selected(mask, i) && !cpu.mmu.store(at.linear[i], element<T>(value, i))) {
        return cpu.memory_fault(in.has(Insn::kStackSegment));
      }
    }
    return Status::Next;
  }
  static Handler select(const Insn& in) { return form_kind(in, 0) == OperandKind::Mem ? store : load; }
};

/// Elements of T at base + Index * scale + disp, from the lowest up; none is checked for alignment. An element that is loaded clears its mask, so that
/// a fault leaves the instruction ready to be resumed; it is the one instruction that may fault after changing state.
template <class T, class Index>
struct gather {
  static constexpr unsigned kWider = sizeof(T) > sizeof(Index) ? sizeof(T) : sizeof(Index);
  using Elements = std::array<T, sizeof(V256) / sizeof(T)>;

  static Status run(Cpu& cpu, const Insn& in) {
    const V256 index = cpu.state.ymm[in.reg[3]];
    auto result = std::bit_cast<Elements>(cpu.state.ymm[in.reg[0]]);
    auto mask = std::bit_cast<Elements>(cpu.state.ymm[in.reg[2]]);
    const unsigned count = vector_bytes(in) / kWider;
    const u64 base = effective_address(cpu.state, in);
    bool faulted = false;
    for (unsigned i = 0; i < count; ++i) {
      if (mask[i] >> (kBits<T> - 1) == 0) continue;
      const u64 offset = static_cast<u64>(i64{element<Index>(index, i)}) << in.scale;
      const u64 effective = (base + offset) << in.addr_shift >> in.addr_shift;
      u64 linear;
      faulted =
          !operand_linear(cpu, without_alignment_check(in), effective, sizeof(T), mmu::Access::Read, linear);
      if (!faulted && !cpu.mmu.load(linear, result[i])) {
        cpu.memory_fault(in.has(Insn::kStackSegment));
        faulted = true;
      }
      if (faulted) break;
      mask[i] = 0;
      // A VEX.128 write to the destination.
      if (!in.has(Insn::kVex256)) std::fill(result.begin() + result.size() / 2, result.end(), T{0});
    }
    if (faulted) {
      // Processors leave whole elements of ones or zeros, within the vector length.
      for (unsigned i = 0; i < mask.size(); ++i) {
        const bool set = i * sizeof(T) < vector_bytes(in) && mask[i] >> (kBits<T> - 1) != 0;
        mask[i] = set ? static_cast<T>(~T{0}) : T{0};
      }
    } else {
      mask = {};
      for (unsigned i = count; i < result.size(); ++i) result[i] = 0;
    }
    cpu.state.ymm[in.reg[0]] = std::bit_cast<V256>(result);
    cpu.state.ymm[in.reg[2]] = std::bit_cast<V256>(mask);
    return faulted ? Status::Fault : Status::Next;
  }
  /// 16-bit addresses are undefined.
  static Handler select(const Insn& in) { return in.addr_shift == 48 ? nullptr : run; }
};

}  // namespace

#define ROWS "cpu/insn/avx_mask.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
