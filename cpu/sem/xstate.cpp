// FXSAVE, XSAVE and relatives. An area is checked and translated as a whole before any of it is read or written.
// SDM 1 10.5 and chapter 13.
#include "cpu/state/xsave.h"

#include "cpu/sem/shapes.h"
#include "cpu/system/control_regs.h"

namespace reprise::cpu {
namespace {

constexpr unsigned kMxcsrOffset = 24;
constexpr unsigned kMxcsrMaskOffset = 28;

unsigned xmm_count(const Insn& in) { return in.has(Insn::kCode64) ? 16 : 8; }
/// Bytes of the legacy area up to the last XMM register of the mode; the rest is left alone.
unsigned legacy_bytes(const Insn& in) { return 160 + 16 * xmm_count(in); }

/// The operand's linear address; areas must be aligned, or #GP(0).
bool area_linear(Cpu& cpu, const Insn& in, u64 bytes, u64 alignment, mmu::Access access, u64& linear) {
  if (!data_linear(cpu, in, bytes, access, linear)) return false;
  if ((linear & (alignment - 1)) == 0) return true;
  // A non-canonical address through the stack segment is #SS, aligned or not.
  const bool stack_fault = in.has(Insn::kStackSegment) && !mmu::is_canonical(cpu.mmu.context(), linear);
  cpu.raise(stack_fault ? kSS : kGP, 0);
  return false;
}

/// An area in memory. Offsets into it count as part of the effective address: they wrap as it does.
class Area {
 public:
  Area(Cpu& cpu, const Insn& in, u64 linear)
      : cpu_(cpu), in_(in), linear_(linear), address_mask_(~u64{0} >> in.addr_shift) {
    if (const u64 room = address_mask_ - effective_address(cpu.state, in) + 1; room != 0) before_wrap_ = room;
  }

  bool load(u32 offset, std::span<u8> into) const {
    return each(offset, into.size(), [&](u64 linear, u64 at, u64 bytes) {
      return cpu_.mmu.load_bytes(linear, into.subspan(at, bytes));
    });
  }
  bool store(std::span<const u8> from) const {
    return each(0, from.size(), [&](u64 linear, u64 at, u64 bytes) {
      return cpu_.mmu.store_bytes(linear, from.subspan(at, bytes));
    });
  }
  bool probe_write(u32 offset, u64 bytes) const {
    return each(offset, bytes, [&](u64 linear, u64, u64 part) { return cpu_.mmu.probe_write(linear, part); });
  }
  /// The last byte is accessed first: it decides what CR2 says, and between page faults.
  bool readable(u32 bytes) const {
    u8 last;
    return load(bytes - 1, {&last, 1});
  }
  bool writable(u32 bytes) const { return probe_write(bytes - 1, 1) && probe_write(0, bytes); }

 private:
  template <class Access>
  bool each(u64 offset, u64 bytes, Access access) const {
    for (u64 done = 0; done < bytes;) {
      const u64 at = offset + done;
      const bool wrapped = at >= before_wrap_;
      const u64 part = wrapped ? bytes - done : std::min(bytes - done, before_wrap_ - at);
      const u64 linear = linear_ + at - (wrapped ? address_mask_ + 1 : 0);
      if (!access(linear, done, part)) {
        cpu_.memory_fault(in_.has(Insn::kStackSegment));
        return false;
      }
      done += part;
    }
    return true;
  }

  Cpu& cpu_;
  const Insn& in_;
  const u64 linear_;
  const u64 address_mask_;
  u64 before_wrap_ = ~u64{0};
};

void save_mxcsr(const CpuState& state, u8* area) {
  write_unaligned<u32>(area + kMxcsrOffset, state.mxcsr);
  write_unaligned<u32>(area + kMxcsrMaskOffset, kMxcsrMask);
}

template <PointerFormat Format>
Status sem_fxsave(Cpu& cpu, const Insn& in) {
  u64 linear;
  if (!area_linear(cpu, in, kFxsaveBytes, 16, mmu::Access::Write, linear)) return Status::Fault;
  const Area memory(cpu, in, linear);
  if (!memory.probe_write(kFxsaveBytes - 1, 1)) return Status::Fault;
  u8 area[kFxsaveBytes] = {};
  save_x87(cpu.state.x87, Format, area);
  save_mxcsr(cpu.state, area);
  save_xmm(cpu.state, xmm_count(in), area);
  return memory.store(std::span(area).first(legacy_bytes(in))) ? Status::Next : Status::Fault;
}

template <PointerFormat Format>
Status sem_fxrstor(Cpu& cpu, const Insn& in) {
  u64 linear;
  if (!area_linear(cpu, in, kFxsaveBytes, 16, mmu::Access::Read, linear)) return Status::Fault;
  const Area memory(cpu, in, linear);
  u8 area[kFxsaveBytes];
  if (!memory.readable(kFxsaveBytes) || !memory.load(0, area)) return Status::Fault;
  const u32 mxcsr = read_unaligned<u32>(area + kMxcsrOffset);
  if ((mxcsr & ~kMxcsrMask) != 0) return cpu.raise(kGP, 0);
  load_x87(cpu.state.x87, Format, area);
  cpu.state.mxcsr = mxcsr;
  load_xmm(cpu.state, xmm_count(in), area);
  return Status::Next;
}

/// XSAVE writes every component it is asked for, XSAVEOPT those in use. XSAVEC and XSAVES write those in use in the
/// compacted format. None uses the modified optimisation, as none has to. SDM 1 13.7 to 13.11.
enum class SaveKind : u8 { Save, Opt, Compact };
/// Which components: those of XCR0, or those of XCR0 and IA32_XSS.
enum class Reach : u8 { User, Supervisor };

u64 enabled_features(const CpuState& state, Reach reach) {
  return state.xcr0 | (reach == Reach::Supervisor ? state.xss : 0);
}
/// EDX:EAX within what is enabled: the requested-feature bitmap.
u64 requested_features(const CpuState& state, Reach reach) {
  const u64 mask = gpr_part<u32>(state, RAX) | u64{gpr_part<u32>(state, RDX)} << 32;
  return mask & enabled_features(state, reach);
}

template <PointerFormat Format, SaveKind Kind, Reach From = Reach::User>
Status sem_xsave(Cpu& cpu, const Insn& in) {
  const CpuState& state = cpu.state;
  const u64 requested = requested_features(state, From);
  const u64 in_use = requested & components_in_use(state);
  const u64 saved = Kind == SaveKind::Save ? requested : in_use;
  const u32 bytes = xsave_area_bytes(requested);  // the room for all of it must be there
  u64 linear;
  if (!area_linear(cpu, in, bytes, 64, mmu::Access::Write, linear)) return Status::Fault;
  u8 buffer[kXsaveMaxBytes];
  const std::span<u8> area = std::span(buffer).first(bytes);
  const Area memory(cpu, in, linear);
  if (!memory.writable(bytes) || !memory.load(0, area)) return Status::Fault;

  const u64 with_mxcsr =
      Kind == SaveKind::Compact ? saved & kXstateSse : requested & (kXstateSse | kXstateAvx);
  if (saved & kXstateX87) save_x87(state.x87, Format, area);
  if (with_mxcsr) save_mxcsr(state, buffer);
  if (saved & kXstateSse) save_xmm(state, xmm_count(in), area);
  if (saved & kXstateAvx) save_ymm_high(state, xmm_count(in), area);

  if constexpr (Kind == SaveKind::Compact) {
    write_unaligned<u64>(buffer + kXsaveHeaderOffset, in_use);
    write_unaligned<u64>(buffer + kXsaveHeaderOffset + 8, requested | kXcompCompacted);
  } else {
    const u64 xstate_bv = read_unaligned<u64>(buffer + kXsaveHeaderOffset);
    write_unaligned<u64>(buffer + kXsaveHeaderOffset, (xstate_bv & ~requested) | in_use);
  }
  return memory.store(area) ? Status::Next : Status::Fault;
}

/// The header of an area: which components it holds and in which format. SDM 1 13.4.2.
struct XsaveHeader {
  u64 xstate_bv, xcomp_bv;
  u64 reserved[6];

  explicit XsaveHeader(const u8* area)
      : xstate_bv(read_unaligned<u64>(area + kXsaveHeaderOffset)),
        xcomp_bv(read_unaligned<u64>(area + kXsaveHeaderOffset + 8)) {
    for (unsigned i = 0; i < 6; ++i)
      reserved[i] = read_unaligned<u64>(area + kXsaveHeaderOffset + 16 + 8 * i);
  }
  bool compacted() const { return (xcomp_bv & kXcompCompacted) != 0; }

  bool valid_components(u64 enabled) const {
    return compacted() && (xcomp_bv & ~(enabled | kXcompCompacted)) == 0;
  }
  /// SDM 1 13.8.1: bytes 23:8 must be 0.
  bool valid_standard(u64 enabled) const {
    return (xstate_bv & ~enabled) == 0 && xcomp_bv == 0 && reserved[0] == 0;
  }
  /// SDM 1 13.8.2 and 13.12: bytes 63:16 must be 0.
  bool valid_compacted(u64 enabled) const {
    u64 any = 0;
    for (const u64 word : reserved) any |= word;
    return valid_components(enabled) && (xstate_bv & ~xcomp_bv) == 0 && any == 0;
  }
};

template <PointerFormat Format, Reach From>
Status sem_xrstor_from(Cpu& cpu, const Insn& in) {
  CpuState& state = cpu.state;
  const u64 requested = requested_features(state, From);
  u64 linear;
  if (!area_linear(cpu, in, kXsaveAvxOffset, 64, mmu::Access::Read, linear)) return Status::Fault;
  u8 buffer[kXsaveMaxBytes] = {};
  const auto load_part = [&](u32 offset, u32 bytes) {
    return Area(cpu, in, linear).load(offset, std::span(buffer).subspan(offset, bytes));
  };
  // The Xeon's order of accesses and checks, which decides between page faults and #GP, and what CR2 says: XCOMP_BV and its
  // components; the last byte of the area, its first or MXCSR; the rest of the header; the contents.
  if (!load_part(kXsaveHeaderOffset + 8, 8) ||
      !load_part(kXsaveHeaderOffset, kXsaveAvxOffset - kXsaveHeaderOffset))
    return Status::Fault;
  const XsaveHeader header(buffer);
  const u64 enabled = enabled_features(state, From);
  // XRSTORS knows the compacted format only, XRSTOR both where XSAVEC or XSAVES are offered.
  const bool may_compact =
      From == Reach::Supervisor || cpu.profile.has(Feature::Xsavec) || cpu.profile.has(Feature::Xsaves);
  const bool compact = From == Reach::Supervisor || (may_compact && header.compacted());
  if (compact && !header.valid_components(enabled)) return cpu.raise(kGP, 0);
  const u32 bytes = xsave_area_bytes(compact ? requested & header.xcomp_bv : requested);
  if (bytes > kXsaveAvxOffset) {
    if (!area_linear(cpu, in, bytes, 64, mmu::Access::Read, linear)) return Status::Fault;
    if (!load_part(bytes - 1, 1) || !load_part(kXsaveAvxOffset, bytes - kXsaveAvxOffset))
      return Status::Fault;
  }
  const bool has_legacy =
      (requested & (kXstateX87 | kXstateSse)) != 0 || (!compact && (requested & kXstateAvx) != 0);
  if (has_legacy) {
    const u32 first_offset = (requested & kXstateX87) != 0 ? 0 : kMxcsrOffset;
    if (!load_part(first_offset, 4) || !load_part(0, kXsaveHeaderOffset)) return Status::Fault;
  }
  if (!(compact ? header.valid_compacted(enabled) : header.valid_standard(enabled))) return cpu.raise(kGP, 0);

  // The standard format has MXCSR for SSE and AVX state alike, in use or not.
  const u64 loaded = requested & header.xstate_bv, initialised = requested & ~header.xstate_bv;
  const bool loads_mxcsr =
      compact ? (loaded & kXstateSse) != 0 : (requested & (kXstateSse | kXstateAvx)) != 0;
  const u32 mxcsr = read_unaligned<u32>(buffer + kMxcsrOffset);
  if (loads_mxcsr && (mxcsr & ~kMxcsrMask) != 0) return cpu.raise(kGP, 0);
  const std::span<const u8> area(buffer);

  if (loaded & kXstateX87) load_x87(state.x87, Format, area);
  if (initialised & kXstateX87) reset_x87(state.x87);
  if (loads_mxcsr) {
    state.mxcsr = mxcsr;
  } else if (initialised & kXstateSse) {
    state.mxcsr = kMxcsrReset;
  }
  if (loaded & kXstateSse) load_xmm(state, xmm_count(in), area);
  if (initialised & kXstateSse) reset_xmm(state, xmm_count(in));
  if (loaded & kXstateAvx) load_ymm_high(state, xmm_count(in), area);
  if (initialised & kXstateAvx) reset_ymm_high(state, xmm_count(in));
  return Status::Next;
}
template <PointerFormat Format>
Status sem_xrstor(Cpu& cpu, const Insn& in) {
  return sem_xrstor_from<Format, Reach::User>(cpu, in);
}
template <PointerFormat Format>
Status sem_xrstors(Cpu& cpu, const Insn& in) {
  return sem_xrstor_from<Format, Reach::Supervisor>(cpu, in);
}

/// ECX = 0: XCR0. ECX = 1: the components of it that are in use.
Status sem_xgetbv(Cpu& cpu, const Insn&) {
  CpuState& state = cpu.state;
  const u32 index = gpr_part<u32>(state, RCX);
  if (index > 1 || (index == 1 && !cpu.profile.has(Feature::XgetbvEcx1))) return cpu.raise(kGP, 0);
  const u64 value = index == 0 ? state.xcr0 : state.xcr0 & components_in_use(state);
  set_gpr_part<u32>(state, RAX, static_cast<u32>(value));
  set_gpr_part<u32>(state, RDX, static_cast<u32>(value >> 32));
  return Status::Next;
}

Status sem_xsetbv(Cpu& cpu, const Insn&) {
  const CpuState& state = cpu.state;
  if (gpr_part<u32>(state, RCX) != 0) return cpu.raise(kGP, 0);
  const u64 value = gpr_part<u32>(state, RAX) | u64{gpr_part<u32>(state, RDX)} << 32;
  return write_xcr0(cpu, value) ? Status::Stop : Status::Fault;
}

Status sem_ldmxcsr(Cpu& cpu, const Insn& in) {
  u32 value;
  if (!load_operand(cpu, in, value)) return Status::Fault;
  if ((value & ~kMxcsrMask) != 0) return cpu.raise(kGP, 0);
  cpu.state.mxcsr = value;
  return Status::Next;
}

Status sem_stmxcsr(Cpu& cpu, const Insn& in) {
  return store_operand<u32>(cpu, in, cpu.state.mxcsr) ? Status::Next : Status::Fault;
}

}  // namespace

#define ROWS "cpu/insn/xstate.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
