// Every register a stock kernel touches on a processor of this profile; anything else raises #GP(0) and leaves a
// line in the log. SDM 4; APM 2 appendix A. Deliberately missing: last-branch records, machine-check banks, thermal and
// power registers, TSX, VMX; CPUID does not announce them. IA32_DEBUGCTL keeps LBR and BTF without their effects.
#include "cpu/system/msr.h"
#include "common/log.h"

#include <algorithm>
#include <iterator>

#include "cpu/state/xsave.h"
#include "cpu/system/control_regs.h"
#include "cpu/system/pmu.h"
#include "cpu/system/segments.h"

namespace reprise::cpu {
namespace {

using Read = bool (*)(Cpu& cpu, u32 msr, u64& value);
using Write = bool (*)(Cpu& cpu, u32 msr, u64 value);

struct MsrRow {
  u32 first;
  u32 last;
  std::string_view name;
  Read read;
  Write write;
};

// --- What rows are made of ---

bool refuse(Cpu&, u32, u64) { return false; }
bool ignore(Cpu&, u32, u64) { return true; }

template <u64 Value>
bool constant(Cpu&, u32, u64& value) {
  value = Value;
  return true;
}

template <u64 CpuState::*Field>
bool read_field(Cpu& cpu, u32, u64& value) {
  value = cpu.state.*Field;
  return true;
}

/// Takes any value within `Allowed`.
template <u64 CpuState::*Field, u64 Allowed = ~u64{0}>
bool write_field(Cpu& cpu, u32, u64 value) {
  if ((value & ~Allowed) != 0) return false;
  cpu.state.*Field = value;
  return true;
}

template <u64 CpuState::*Field>
bool write_canonical(Cpu& cpu, u32, u64 value) {
  if (!canonical_base(cpu, value)) return false;
  cpu.state.*Field = value;
  return true;
}

template <SegmentIndex Index>
bool read_base(Cpu& cpu, u32, u64& value) {
  value = cpu.state.seg[Index].base;
  return true;
}

template <SegmentIndex Index>
bool write_base(Cpu& cpu, u32, u64 value) {
  if (!canonical_base(cpu, value)) return false;
  cpu.state.seg[Index].base = value;
  return true;
}

// --- Time ---

bool read_tsc(Cpu& cpu, u32, u64& value) {
  value = time_stamp_counter(cpu);
  return true;
}

/// SDM 3B 17.17.3: a write to either register moves the other by the same amount.
bool write_tsc(Cpu& cpu, u32, u64 value) {
  const u64 delta = value - time_stamp_counter(cpu);
  cpu.state.tsc_offset += delta;
  cpu.state.tsc_adjust += delta;
  return true;
}

bool write_tsc_adjust(Cpu& cpu, u32, u64 value) {
  cpu.state.tsc_offset += value - cpu.state.tsc_adjust;
  cpu.state.tsc_adjust = value;
  return true;
}

/// The APIC counts virtual nanoseconds; the guest names its deadlines in its own TSC. 0 disarms.
bool read_tsc_deadline(Cpu& cpu, u32 msr, u64& value) {
  if (!cpu.profile.has(Feature::TscDeadline) || !cpu.bus.apic_msr_read(msr, value)) return false;
  if (value != 0) value += cpu.state.tsc_offset;
  return true;
}

bool write_tsc_deadline(Cpu& cpu, u32 msr, u64 value) {
  if (!cpu.profile.has(Feature::TscDeadline)) return false;
  if (value == 0) return cpu.bus.apic_msr_write(msr, 0);
  const u64 now_ns = cpu.bus.virtual_ns(cpu.retired_now());
  const u64 now_tsc = now_ns + cpu.state.tsc_offset;
  // A deadline that has passed is due now, and never 0.
  const u64 deadline_ns = value <= now_tsc ? now_ns : now_ns + (value - now_tsc);
  return cpu.bus.apic_msr_write(msr, std::max<u64>(deadline_ns, 1));
}

// --- Local APIC ---

bool read_apic(Cpu& cpu, u32 msr, u64& value) { return cpu.bus.apic_msr_read(msr, value); }
bool write_apic(Cpu& cpu, u32 msr, u64 value) { return cpu.bus.apic_msr_write(msr, value); }

// --- Memory types: stored and read back; they do not change what an access does ---

constexpr bool is_pat_type(u64 type) { return type <= 7 && type != 2 && type != 3; }
constexpr bool is_mtrr_type(u64 type) { return type <= 6 && type != 2 && type != 3; }

template <bool (*Valid)(u64)>
bool all_bytes(u64 value) {
  for (unsigned i = 0; i < 8; ++i) {
    if (!Valid((value >> (8 * i)) & 0xff)) return false;
  }
  return true;
}

bool write_pat(Cpu& cpu, u32, u64 value) {
  if (!all_bytes<is_pat_type>(value)) return false;
  cpu.state.pat = value;
  return true;
}

constexpr u64 kMtrrVariableCount = 8;
constexpr u64 kMtrrCap = kMtrrVariableCount | 1u << 8 | 1u << 10;  // FIX, WC

bool write_mtrr_def_type(Cpu& cpu, u32, u64 value) {
  constexpr u64 kEnable = 1u << 11, kFixedEnable = 1u << 10;
  if ((value & ~(kEnable | kFixedEnable | 0xff)) != 0 || !is_mtrr_type(value & 0xff)) return false;
  cpu.state.mtrr_def_type = value;
  return true;
}

/// 250 (64K), 258-259 (16K), 268-26F (4K) as elements 0, 1-2, 3-10.
unsigned mtrr_fixed_index(u32 msr) {
  return msr == 0x250 ? 0 : msr < 0x260 ? msr - 0x258 + 1 : msr - 0x268 + 3;
}

bool read_mtrr_fixed(Cpu& cpu, u32 msr, u64& value) {
  value = cpu.state.mtrr_fixed[mtrr_fixed_index(msr)];
  return true;
}

bool write_mtrr_fixed(Cpu& cpu, u32 msr, u64 value) {
  if (!all_bytes<is_mtrr_type>(value)) return false;
  cpu.state.mtrr_fixed[mtrr_fixed_index(msr)] = value;
  return true;
}

bool read_mtrr_variable(Cpu& cpu, u32 msr, u64& value) {
  value = cpu.state.mtrr_phys[msr - 0x200];
  return true;
}

bool write_mtrr_variable(Cpu& cpu, u32 msr, u64 value) {
  const u64 address_bits = ((u64{1} << cpu.profile.physical_address_bits) - 1) & kPageMask;
  constexpr u64 kValid = 1u << 11;
  const bool mask_register = (msr & 1) != 0;
  if ((value & ~(address_bits | (mask_register ? kValid : 0xff))) != 0) return false;
  if (!mask_register && !is_mtrr_type(value & 0xff)) return false;
  cpu.state.mtrr_phys[msr - 0x200] = value;
  return true;
}

// --- Speculation: the profile says it is not vulnerable, so that stock kernels do not defend themselves ---

/// SDM 4 table 2-2, 10AH.
constexpr u64 kArchCapabilities = u64{1} << 0      // RDCL_NO
                                  | u64{1} << 1    // IBRS_ALL
                                  | u64{1} << 3    // SKIP_L1DFL_VMENTRY
                                  | u64{1} << 4    // SSB_NO
                                  | u64{1} << 5    // MDS_NO
                                  | u64{1} << 6    // IF_PSCHANGE_MC_NO
                                  | u64{1} << 8    // TAA_NO
                                  | u64{1} << 13   // SBDR_SSDP_NO
                                  | u64{1} << 14   // FBSDP_NO
                                  | u64{1} << 15   // PSDP_NO
                                  | u64{1} << 20   // BHI_NO
                                  | u64{1} << 24   // PBRSB_NO
                                  | u64{1} << 26   // GDS_NO
                                  | u64{1} << 27   // RFDS_NO
                                  | u64{1} << 62;  // ITS_NO

template <Feature Needed, Read F>
bool read_if(Cpu& cpu, u32 msr, u64& value) {
  return cpu.profile.has(Needed) && F(cpu, msr, value);
}
template <Read F>
bool read_intel(Cpu& cpu, u32 msr, u64& value) {
  return !cpu.profile.amd() && F(cpu, msr, value);
}
template <Write F>
bool write_intel(Cpu& cpu, u32 msr, u64 value) {
  return !cpu.profile.amd() && F(cpu, msr, value);
}
template <Read F>
bool read_amd(Cpu& cpu, u32 msr, u64& value) {
  return cpu.profile.amd() && F(cpu, msr, value);
}
template <Write F>
bool write_amd(Cpu& cpu, u32 msr, u64 value) {
  return cpu.profile.amd() && F(cpu, msr, value);
}
/// x2APIC mode must be offered to be switched on.
bool write_apic_base(Cpu& cpu, u32 msr, u64 value) {
  constexpr u64 kExtd = 1u << 10;
  if ((value & kExtd) != 0 && !cpu.profile.has(Feature::X2apic)) return false;
  return write_apic(cpu, msr, value);
}

/// IA32_TSC_AUX exists with either instruction that reads it.
bool has_tsc_aux(const Cpu& cpu) {
  return cpu.profile.has(Feature::Rdtscp) || cpu.profile.has(Feature::Rdpid);
}
bool read_tsc_aux(Cpu& cpu, u32, u64& value) {
  value = cpu.state.tsc_aux;
  return has_tsc_aux(cpu);
}
bool write_tsc_aux(Cpu& cpu, u32, u64 value) {
  if (!has_tsc_aux(cpu) || (value >> 32) != 0) return false;
  cpu.state.tsc_aux = value;
  return true;
}
template <Feature Needed, Write F>
bool write_if(Cpu& cpu, u32 msr, u64 value) {
  return cpu.profile.has(Needed) && F(cpu, msr, value);
}

/// Commands: writes of 0 or the command bit, nothing to read.
bool no_read(Cpu&, u32, u64&) { return false; }
bool write_command(Cpu&, u32, u64 value) { return value <= 1; }

/// IBRS, STIBP, SSBD; BHI_DIS_S where CPUID offers it.
bool write_spec_ctrl(Cpu& cpu, u32, u64 value) {
  constexpr u64 kBhiDisS = 1u << 10;
  if ((value & ~(7 | (cpu.profile.has(Feature::BhiCtrl) ? kBhiDisS : 0))) != 0) return false;
  cpu.state.spec_ctrl = value;
  return true;
}

// --- The rest ---

bool write_efer_msr(Cpu& cpu, u32, u64 value) { return write_efer(cpu, value); }

/// SDM 4 table 2-2: the bits that are architectural. Those of performance monitoring, BTS and PEBS only tell. Of the others
/// XD disable and the limit of CPUID do something (cpu/profile/cpuid.cpp).
bool read_misc_enable(Cpu& cpu, u32, u64& value) {
  value = cpu.state.misc_enable | (cpu.profile.has(Feature::Pmu) ? kMiscEnablePerfmon : 0);
  return true;
}

bool write_misc_enable(Cpu& cpu, u32, u64 value) {
  constexpr u64 kReadOnly = kMiscEnablePerfmon | u64{1} << 11 | u64{1} << 12;
  constexpr u64 kWritable = u64{1} << 0 | u64{1} << 3 | u64{1} << 16 | u64{1} << 18 | kMiscEnableLimitCpuid |
                            u64{1} << 23 | kMiscEnableXdDisable;
  if ((value & ~(kWritable | kReadOnly)) != 0) return false;
  cpu.state.misc_enable = (value & kWritable) | (cpu.state.misc_enable & ~kWritable);
  // Undefined: what becomes of XD where it is in use.
  if (value & kMiscEnableXdDisable) return write_efer(cpu, cpu.state.efer & ~mmu::kEferNxe);
  return true;
}

/// LBR and BTF; with performance counters FREEZE_LBRS_ON_PMI, of which there are none, and FREEZE_PERFMON_ON_PMI.
bool write_debugctl(Cpu& cpu, u32, u64 value) {
  constexpr u64 kLbr = 1u << 0, kBtf = 1u << 1, kFreezeLbrsOnPmi = 1u << 11;
  const u64 freeze = cpu.profile.has(Feature::Pmu) ? kFreezeLbrsOnPmi | kDebugctlFreezePerfmonOnPmi : 0;
  if ((value & ~(kLbr | kBtf | freeze)) != 0) return false;
  cpu.state.debugctl = value;
  return true;
}

/// Writing 0 and executing CPUID asks for the microcode revision in the upper half. SDM 3A 9.11.7.1
bool read_bios_sign_id(Cpu& cpu, u32, u64& value) {
  value = cpu.state.bios_sign_id;
  return true;
}

constexpr u64 kStarAll = ~u64{0};
constexpr u64 kMcgCap = 0;               // no banks
constexpr u64 kPlatformInfo = 10u << 8;  // maximum non-turbo ratio: 10 x 100 MHz
constexpr u64 kFeatureControl = 1;       // locked, VMX off
constexpr u64 kLow32 = 0xffffffff;
constexpr u64 kHwcr = 1u << 24;  // the TSC counts at P0 frequency
constexpr u64 kDeCfg = 1u << 1;  // LFENCE serialises

// Sorted by number.
constexpr MsrRow kRows[] = {
    {0x000, 0x001, "IA32_P5_MC_ADDR, IA32_P5_MC_TYPE", constant<0>, ignore},
    {0x010, 0x010, "IA32_TIME_STAMP_COUNTER", read_tsc, write_tsc},
    {0x017, 0x017, "IA32_PLATFORM_ID", read_intel<constant<0>>, refuse},
    {0x01b, 0x01b, "IA32_APIC_BASE", read_apic, write_apic_base},
    {0x03a, 0x03a, "IA32_FEATURE_CONTROL", read_intel<constant<kFeatureControl>>, refuse},
    {0x03b, 0x03b, "IA32_TSC_ADJUST", read_field<&CpuState::tsc_adjust>, write_tsc_adjust},
    {0x048, 0x048, "IA32_SPEC_CTRL", read_if<Feature::SpecCtrl, read_field<&CpuState::spec_ctrl>>,
     write_if<Feature::SpecCtrl, write_spec_ctrl>},
    {0x049, 0x049, "IA32_PRED_CMD", no_read, write_if<Feature::SpecCtrl, write_command>},
    {0x079, 0x079, "IA32_BIOS_UPDT_TRIG", no_read, write_intel<ignore>},
    {0x08b, 0x08b, "IA32_BIOS_SIGN_ID", read_bios_sign_id, write_field<&CpuState::bios_sign_id>},
    {0x0c1, 0x0c4, "IA32_PMCn", read_counter_msr, write_counter_msr},
    {0x0ce, 0x0ce, "MSR_PLATFORM_INFO", read_intel<constant<kPlatformInfo>>, refuse},
    {0x0fe, 0x0fe, "IA32_MTRRCAP", constant<kMtrrCap>, refuse},
    {0x10a, 0x10a, "IA32_ARCH_CAPABILITIES", read_if<Feature::ArchCapabilities, constant<kArchCapabilities>>,
     refuse},
    {0x10b, 0x10b, "IA32_FLUSH_CMD", no_read, write_if<Feature::SpecCtrl, write_command>},
    {0x174, 0x174, "IA32_SYSENTER_CS", read_field<&CpuState::sysenter_cs>,
     write_field<&CpuState::sysenter_cs, kLow32>},
    {0x175, 0x175, "IA32_SYSENTER_ESP", read_field<&CpuState::sysenter_esp>,
     write_canonical<&CpuState::sysenter_esp>},
    {0x176, 0x176, "IA32_SYSENTER_EIP", read_field<&CpuState::sysenter_eip>,
     write_canonical<&CpuState::sysenter_eip>},
    {0x179, 0x179, "IA32_MCG_CAP", constant<kMcgCap>, refuse},
    {0x17a, 0x17a, "IA32_MCG_STATUS", read_field<&CpuState::mcg_status>,
     write_field<&CpuState::mcg_status, 7>},
    {0x186, 0x189, "IA32_PERFEVTSELn", read_counter_control, write_counter_control},
    {0x1a0, 0x1a0, "IA32_MISC_ENABLE", read_intel<read_misc_enable>, write_intel<write_misc_enable>},
    {0x1d9, 0x1d9, "IA32_DEBUGCTL", read_field<&CpuState::debugctl>, write_debugctl},
    {0x200, 0x20f, "IA32_MTRR_PHYSBASEn, IA32_MTRR_PHYSMASKn", read_mtrr_variable, write_mtrr_variable},
    {0x250, 0x250, "IA32_MTRR_FIX64K_00000", read_mtrr_fixed, write_mtrr_fixed},
    {0x258, 0x259, "IA32_MTRR_FIX16K", read_mtrr_fixed, write_mtrr_fixed},
    {0x268, 0x26f, "IA32_MTRR_FIX4K", read_mtrr_fixed, write_mtrr_fixed},
    {0x277, 0x277, "IA32_PAT", read_field<&CpuState::pat>, write_pat},
    {0x2ff, 0x2ff, "IA32_MTRR_DEF_TYPE", read_field<&CpuState::mtrr_def_type>, write_mtrr_def_type},
    {0x309, 0x30b, "IA32_FIXED_CTRn", read_counter_msr, write_counter_msr},
    {0x345, 0x345, "IA32_PERF_CAPABILITIES", read_counter_control, refuse},
    {0x38d, 0x390, "IA32_FIXED_CTR_CTRL, IA32_PERF_GLOBAL_STATUS, _CTRL, _OVF_CTRL", read_counter_control,
     write_counter_control},
    {0x4c1, 0x4c4, "IA32_A_PMCn", read_counter_msr, write_counter_msr},
    {0x6e0, 0x6e0, "IA32_TSC_DEADLINE", read_tsc_deadline, write_tsc_deadline},
    {0x800, 0x8ff, "x2APIC", read_if<Feature::X2apic, read_apic>, write_if<Feature::X2apic, write_apic>},
    {0xda0, 0xda0, "IA32_XSS", read_if<Feature::Xsaves, read_field<&CpuState::xss>>,
     write_if<Feature::Xsaves, write_field<&CpuState::xss, kAllowedXss>>},
    {0xc0000080, 0xc0000080, "IA32_EFER", read_field<&CpuState::efer>, write_efer_msr},
    {0xc0000081, 0xc0000081, "IA32_STAR", read_field<&CpuState::star>,
     write_field<&CpuState::star, kStarAll>},
    {0xc0000082, 0xc0000082, "IA32_LSTAR", read_field<&CpuState::lstar>, write_canonical<&CpuState::lstar>},
    {0xc0000083, 0xc0000083, "IA32_CSTAR", read_field<&CpuState::cstar>, write_canonical<&CpuState::cstar>},
    {0xc0000084, 0xc0000084, "IA32_FMASK", read_field<&CpuState::fmask>,
     write_field<&CpuState::fmask, kLow32>},
    {0xc0000100, 0xc0000100, "IA32_FS_BASE", read_base<FS>, write_base<FS>},
    {0xc0000101, 0xc0000101, "IA32_GS_BASE", read_base<GS>, write_base<GS>},
    {0xc0000102, 0xc0000102, "IA32_KERNEL_GS_BASE", read_field<&CpuState::kernel_gs_base>,
     write_canonical<&CpuState::kernel_gs_base>},
    {0xc0000103, 0xc0000103, "IA32_TSC_AUX", read_tsc_aux, write_tsc_aux},
    // Counters that never count: what is written is gone, which tells a system that there are none.
    {0xc0010000, 0xc0010007, "PerfEvtSeln, PerfCtrn", read_amd<constant<0>>, write_amd<ignore>},
    {0xc0010010, 0xc0010010, "SYSCFG", read_amd<constant<0>>, write_amd<ignore>},
    {0xc0010015, 0xc0010015, "HWCR", read_amd<constant<kHwcr>>, write_amd<ignore>},
    {0xc001001f, 0xc001001f, "NB_CFG", read_amd<constant<0>>, write_amd<ignore>},
    {0xc0010140, 0xc0010141, "OSVW_ID_Length, OSVW_Status", read_amd<constant<0>>, write_amd<ignore>},
    {0xc0011029, 0xc0011029, "DE_CFG", read_amd<constant<kDeCfg>>, write_amd<ignore>},
};

constexpr bool sorted() {
  for (std::size_t i = 1; i < std::size(kRows); ++i) {
    if (kRows[i].first <= kRows[i - 1].last) return false;
  }
  return true;
}
static_assert(sorted());

const MsrRow* find_row(u32 msr) {
  const auto row =
      std::upper_bound(std::begin(kRows), std::end(kRows), msr,
                       [](u32 number, const MsrRow& candidate) { return number < candidate.first; });
  if (row == std::begin(kRows)) return nullptr;
  const MsrRow* found = std::prev(row);
  return msr <= found->last ? found : nullptr;
}

}  // namespace

bool read_msr(Cpu& cpu, u32 msr, u64& value) {
  const MsrRow* row = find_row(msr);
  if (row != nullptr && row->read(cpu, msr, value)) return true;
  cpu.log.write("msr", LogLevel::Debug, "read of {:#x} ({}) at {:#x} refused", msr, msr_name(msr),
                cpu.state.rip);
  return false;
}

bool write_msr(Cpu& cpu, u32 msr, u64 value) {
  const MsrRow* row = find_row(msr);
  if (row != nullptr && row->write(cpu, msr, value)) return true;
  cpu.log.write("msr", LogLevel::Debug, "write of {:#x} to {:#x} ({}) at {:#x} refused", value, msr,
                msr_name(msr), cpu.state.rip);
  return false;
}

std::string_view msr_name(u32 msr) {
  const MsrRow* row = find_row(msr);
  return row != nullptr ? row->name : "?";
}

bool local_apic_enabled(Cpu& cpu) {
  constexpr u32 kApicBase = 0x1b;
  u64 base = 0;
  return cpu.bus.apic_msr_read(kApicBase, base) && bit(base, 11);
}

u64 time_stamp_counter(Cpu& cpu) { return cpu.bus.virtual_ns(cpu.retired_now()) + cpu.state.tsc_offset; }

}  // namespace reprise::cpu
