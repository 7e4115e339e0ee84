#include "cpu/state/xsave.h"

#include <cstring>

#include "cpu/state/x87_bits.h"

namespace reprise::cpu {
namespace {

// Byte offsets, SDM 1 table 10-2.
constexpr unsigned kFcw = 0, kFsw = 2, kFtw = 4, kFop = 6, kFip = 8, kFdp = 16, kSt = 32, kXmm = 160;

// Half `half` of `count` YMM registers, 16 bytes each, at `area`.
void save_halves(const CpuState& state, unsigned count, unsigned half, u8* area) {
  for (unsigned i = 0; i < count; ++i) std::memcpy(area + 16 * i, &state.ymm[i].qword[2 * half], 16);
}
void load_halves(CpuState& state, unsigned count, unsigned half, const u8* area) {
  for (unsigned i = 0; i < count; ++i) std::memcpy(&state.ymm[i].qword[2 * half], area + 16 * i, 16);
}
void reset_halves(CpuState& state, unsigned count, unsigned half) {
  for (unsigned i = 0; i < count; ++i) state.ymm[i].qword[2 * half] = state.ymm[i].qword[2 * half + 1] = 0;
}

}  // namespace

void save_x87(const X87& x87, PointerFormat format, std::span<u8> area) {
  u8* to = area.data();
  write_unaligned<u16>(to + kFcw, x87.fcw);
  write_unaligned<u16>(to + kFsw, x87.fsw);
  write_unaligned<u16>(to + kFtw, x87.valid);
  write_unaligned<u16>(to + kFop, x87.fop);
  const u64 pointer_mask = format == PointerFormat::Bits64 ? ~u64{0} : 0xffffffff;
  write_unaligned<u64>(to + kFip, x87.fip & pointer_mask);
  write_unaligned<u64>(to + kFdp, x87.fdp & pointer_mask);
  for (unsigned i = 0; i < 8; ++i) {
    const Float80& reg = x87.st[(x87.top() + i) & 7];
    write_unaligned<u64>(to + kSt + 16 * i, reg.significand);
    write_unaligned<u64>(to + kSt + 16 * i + 8, reg.sign_exponent);
  }
}

void load_x87(X87& x87, PointerFormat format, std::span<const u8> area) {
  const u8* from = area.data();
  x87.fcw = static_cast<u16>((read_unaligned<u16>(from + kFcw) & kFcwWritable) | kFcwFixed);
  x87.fsw = read_unaligned<u16>(from + kFsw);
  x87::update_summary(x87);
  x87.valid = from[kFtw];
  x87.fop = read_unaligned<u16>(from + kFop) & 0x7ff;
  const u64 pointer_mask = format == PointerFormat::Bits64 ? ~u64{0} : 0xffffffff;
  x87.fip = read_unaligned<u64>(from + kFip) & pointer_mask;
  x87.fdp = read_unaligned<u64>(from + kFdp) & pointer_mask;
  x87.fcs = x87.fds = 0;
  for (unsigned i = 0; i < 8; ++i) {
    Float80& reg = x87.st[(x87.top() + i) & 7];
    reg.significand = read_unaligned<u64>(from + kSt + 16 * i);
    reg.sign_exponent = read_unaligned<u16>(from + kSt + 16 * i + 8);
  }
}

void reset_x87(X87& x87) {
  x87 = X87{};
  x87.fcw = kFcwInit;
}

void save_xmm(const CpuState& state, unsigned count, std::span<u8> area) {
  save_halves(state, count, 0, area.data() + kXmm);
}
void load_xmm(CpuState& state, unsigned count, std::span<const u8> area) {
  load_halves(state, count, 0, area.data() + kXmm);
}
void save_ymm_high(const CpuState& state, unsigned count, std::span<u8> area) {
  save_halves(state, count, 1, area.data() + kXsaveAvxOffset);
}
void load_ymm_high(CpuState& state, unsigned count, std::span<const u8> area) {
  load_halves(state, count, 1, area.data() + kXsaveAvxOffset);
}
void reset_xmm(CpuState& state, unsigned count) { reset_halves(state, count, 0); }
void reset_ymm_high(CpuState& state, unsigned count) { reset_halves(state, count, 1); }

u64 components_in_use(const CpuState& state) {
  u64 low = 0, high = 0;
  for (const V256& reg : state.ymm) {
    low |= reg.qword[0] | reg.qword[1];
    high |= reg.qword[2] | reg.qword[3];
  }
  return kXstateX87 | (low != 0 || state.mxcsr != kMxcsrReset ? kXstateSse : 0) |
         (high != 0 ? kXstateAvx : 0);
}

}  // namespace reprise::cpu
