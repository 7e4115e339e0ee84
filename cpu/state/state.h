// The architectural state of one vCPU, as plain data. Everything a guest can see is here, in the Mmu's
// paging context, or in the local APIC. Field names are the SDM's.
#pragma once

#include <array>

#include "common/archive.h"
#include "common/types.h"
#include "cpu/state/pmu_state.h"

namespace reprise::cpu {

// General registers in encoding order, plus two slots that make address arithmetic branch-free.
enum Gpr : u8 { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
/// rip of byte 0 of the running block's page: base of RIP-relative operands.
inline constexpr unsigned kGprPageBase = 16;
inline constexpr unsigned kGprZero = 17;  // always 0: absent base or index
inline constexpr unsigned kGprSlots = 18;

// Segment registers in encoding order, plus a flat one (base 0) for accesses that segmentation does not touch.
enum SegmentIndex : u8 { ES, CS, SS, DS, FS, GS };
inline constexpr unsigned kSegFlat = 6;
inline constexpr unsigned kSegSlots = 7;

/// A segment register with its hidden part (SDM 3A 3.4.3), or LDTR/TR.
struct Segment {
  u64 base = 0;
  u32 limit = 0;  // in bytes, granularity already applied
  u16 selector = 0;
  /// Descriptor bits 40-55: type, S, DPL, P, (limit 19:16 as zeros), AVL, L, D/B, G; see below.
  u16 access = 0;

  // Bits of `access`, SDM 3A 3.4.5.
  static constexpr u16 kTypeMask = 0xf;
  static constexpr u16 kAccessed = 1u << 0;
  static constexpr u16 kWritable = 1u << 1;    // data
  static constexpr u16 kReadable = 1u << 1;    // code
  static constexpr u16 kExpandDown = 1u << 2;  // data
  static constexpr u16 kConforming = 1u << 2;  // code
  static constexpr u16 kCode = 1u << 3;
  static constexpr u16 kS = 1u << 4;  // code or data, not system
  static constexpr u16 kDplShift = 5;
  static constexpr u16 kPresent = 1u << 7;
  static constexpr u16 kAvl = 1u << 12;
  static constexpr u16 kLong = 1u << 13;
  static constexpr u16 kDb = 1u << 14;
  static constexpr u16 kGranularity = 1u << 15;
  static constexpr u16 kUnusable = 1u << 8;  // ours: loaded with a null selector

  u8 type() const { return access & kTypeMask; }
  u8 dpl() const { return (access >> kDplShift) & 3; }
  bool usable() const { return (access & kUnusable) == 0; }
  bool code() const { return (access & kCode) != 0; }
  bool db() const { return (access & kDb) != 0; }

  void serialize(Archive& ar) {
    ar.value(base);
    ar.value(limit);
    ar.value(selector);
    ar.value(access);
  }
};

/// GDTR or IDTR.
struct TableRegister {
  u64 base = 0;
  u16 limit = 0xffff;
  void serialize(Archive& ar) {
    ar.value(base);
    ar.value(limit);
  }
};

/// A vector register value, or part of one. Lane 0 is the least significant.
template <unsigned Bytes>
struct alignas(Bytes < 16 ? Bytes : 16) Vec {
  u64 qword[Bytes / 8];
  friend bool operator==(const Vec&, const Vec&) = default;
};
using V64 = Vec<8>;
using V128 = Vec<16>;
using V256 = Vec<32>;

/// One x87 register: 80 bits. MMX register i is the significand of physical register i.
struct alignas(16) Float80 {
  u64 significand = 0;
  u16 sign_exponent = 0;
  friend bool operator==(const Float80&, const Float80&) = default;
};

/// x87 state, SDM 1 chapter 8. Registers are physical: ST(i) is st[(top() + i) & 7].
struct X87 {
  std::array<Float80, 8> st{};
  u16 fcw = 0x0040;  // value at RESET; FNINIT gives 037F
  u16 fsw = 0;       // TOP is bits 13:11; ES and B are kept equal to the pending unmasked exceptions
  u8 valid = 0;      // bit i: physical register i is not empty (the abridged tag word of FXSAVE)
  u16 fop = 0;
  u64 fip = 0;
  u64 fdp = 0;
  u16 fcs = 0;
  u16 fds = 0;
  unsigned top() const { return (fsw >> 11) & 7; }
  void serialize(Archive& ar) {
    for (Float80& reg : st) {
      ar.value(reg.significand);
      ar.value(reg.sign_exponent);
    }
    ar.value(fcw), ar.value(fsw), ar.value(valid), ar.value(fop);
    ar.value(fip), ar.value(fdp), ar.value(fcs), ar.value(fds);
  }
};

/// Why the vCPU does not execute instructions.
enum class Activity : u8 { Running, Halted, WaitForSipi, Shutdown };

/// So many PAUSEs of one turn say that it is spent on waiting.
inline constexpr u32 kPausesOfATurn = 8;
/// While nobody else wants a turn, there is nobody to give it to. Not endless, as somebody may begin to want one.
inline constexpr u32 kPausesAlone = 1024;

/// SMBASE after RESET. INIT leaves it alone. SDM 3C 31.11
inline constexpr u32 kResetSmbase = 0x30000;

/// IA32_MISC_ENABLE: what is off or limited by it, and its value after RESET (fast strings; BTS and PEBS unavailable).
inline constexpr u64 kMiscEnablePerfmon = u64{1} << 7;  // there are performance counters
inline constexpr u64 kMiscEnableLimitCpuid = u64{1} << 22;
inline constexpr u64 kMiscEnableXdDisable = u64{1} << 34;
inline constexpr u64 kMiscEnableReset = 0x1801;

/// IA32_DEBUGCTL
inline constexpr u64 kDebugctlFreezePerfmonOnPmi = u64{1} << 12;

struct CpuState {
  u64 gpr[kGprSlots] = {};
  u64 rip = 0;     // of the next instruction; stale inside a block (see Cpu::rip_of)
  u64 rflags = 2;  // always exact; bit 1 set
  Segment seg[kSegSlots];
  Segment ldtr;
  Segment tr;
  TableRegister gdtr;
  TableRegister idtr;
  u64 cr0 = 0x60000010;
  u64 cr2 = 0;
  u64 cr3 = 0;
  u64 cr4 = 0;
  u64 xcr0 = 1;
  u64 dr[4] = {};
  u64 dr6 = 0xffff0ff0;
  u64 dr7 = 0x400;
  u8 cpl = 0;

  Activity activity = Activity::Running;
  bool sti_shadow = false;     // interrupts are blocked until the next instruction has retired
  bool mov_ss_shadow = false;  // so are debug exceptions and NMI. SDM 3A 6.8.3
  bool nmi_blocked = false;
  bool nmi_pending = false;
  bool in_smm = false;
  bool smi_pending = false;
  bool init_pending = false;  // INIT came; in SMM it waits for RSM
  Activity after_init = Activity::Running;
  bool sipi_pending = false;  // SIPI came to a processor that waits for it, or will
  u8 sipi_vector = 0;
  // Level of A20M#, inverted: the MMU follows at the next boundary. No reset changes a pin.
  bool a20_pin = true;
  u32 smbase = kResetSmbase;
  u32 pauses_left =
      kPausesOfATurn;     // that a processor which shares the host may execute before others have a turn
  u64 pending_debug = 0;  // DR6 bits of debug traps to be delivered at this instruction boundary

  // MSRs
  u64 efer = 0;
  u64 star = 0, lstar = 0, cstar = 0, fmask = 0;
  u64 kernel_gs_base = 0;
  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 tsc_offset = 0;  // guest TSC = virtual ns + tsc_offset (WRMSR TSC, IA32_TSC_ADJUST)
  u64 tsc_adjust = 0;
  u64 tsc_aux = 0;
  u64 pat = 0x0007040600070406;
  u64 misc_enable = kMiscEnableReset;
  u64 mtrr_def_type = 0;
  u64 mtrr_fixed[11] = {};
  u64 mtrr_phys[16] = {};  // base, mask pairs
  u64 debugctl = 0;
  u64 spec_ctrl = 0;
  u64 mcg_status = 0;
  u64 bios_sign_id = 0;
  u64 xss = 0;

  PmuState pmu;

  // Vector and x87
  alignas(32) V256 ymm[16] = {};
  u32 mxcsr = 0x1f80;
  X87 x87;

  // Instructions, a REP iteration counting one, and events taken between instructions.
  u64 retired = 0;
  u64 retired_no_insn = 0;  // of these: events, and iterations but each REP instruction's last
  u64 stalled_ns = 0;       // how much longer than one each these took
  u64 rng_state = 0;        // RDRAND/RDSEED stream, from the machine's seed

  void serialize(Archive& ar);
};

/// The state after power-up or RESET. `signature` is CPUID leaf 1 EAX. SDM 3A table 9-1
CpuState reset_state(u32 signature, u64 rng_seed);
/// INIT: as RESET but for caches, time, MSRs, x87 and vector state. SDM 3A table 9-1
void init_state(CpuState& state, u32 signature);

}  // namespace reprise::cpu
