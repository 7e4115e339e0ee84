// CPU profiles as data: which features a vCPU offers, and what CPUID says. SDM 2A CPUID.
#pragma once

#include <array>
#include <bitset>
#include <string_view>

#include "common/types.h"
#include "cpu/profile/topology.h"
#include "mmu/tlb_geometry.h"

namespace reprise::cpu {

struct CpuState;

/// Everything an instruction-table row or a CR/MSR bit can depend on.
// clang-format off
enum class Feature : u8 {
  Base,  // always there
  Fpu, Tsc, Msr, Cx8, Sep, Pge, Cmov, Clflush, Mmx, Fxsr, Sse, Sse2, Sse3, Pclmulqdq, Ssse3, Cx16, Sse41,
  Sse42, X2apic, Movbe, Popcnt, TscDeadline, Aes, Xsave, Avx, F16c, Rdrand, Pcid, Fma, Fsgsbase, Bmi1, Avx2,
  Smep, Bmi2, Erms, Invpcid, Rdseed, Adx, Smap, Clflushopt, Clwb, Sha, Umip, Pku, La57, Rdpid, Fsrm, ArchCapabilities,
  Xsaveopt, Xsavec, XgetbvEcx1, Xsaves, LahfLm, Lzcnt, Prefetchw, Syscall, Nx, Pdpe1gb, Rdtscp, LongMode,
  Monitor, Movdiri, Serialize, Vaes, Vpclmulqdq, Wbnoinvd, Monitorx, SpecCtrl, BhiCtrl, Pmu,
  Count
};
// clang-format on

struct CpuidResult {
  u32 eax, ebx, ecx, edx;
};

inline constexpr std::string_view kVendorIntel = "GenuineIntel";
inline constexpr std::string_view kVendorAmd = "AuthenticAMD";

struct CpuProfile {
  std::string_view name;
  std::string_view vendor;  // 12 characters
  std::string_view brand;   // up to 48 characters
  u32 family, model, stepping;
  u8 physical_address_bits;
  mmu::TlbGeometry tlb;
  std::bitset<static_cast<std::size_t>(Feature::Count)> features;
  Topology topology = {};  // of the machine that it is in

  /// CPUID leaf 1 EAX, and EDX at reset.
  u32 signature() const;
  /// Of linear addresses that registers hold: 57 when LA57 is offered, else 48.
  u32 linear_address_bits() const { return has(Feature::La57) ? 57 : 48; }
  /// Where processors differ by vendor, docs/undefined.md has the list.
  bool amd() const { return vendor == kVendorAmd; }
  bool has(Feature feature) const {
    return feature == Feature::Base || features.test(static_cast<std::size_t>(feature));
  }
};

/// What a machine has that nobody chose a processor for: cpu/profile/cpu_model.h.
const CpuProfile& default_profile();

/// What CPUID tells of a processor's local APIC.
struct CpuidApic {
  u32 id = 0;           // the initial one
  bool enabled = true;  // IA32_APIC_BASE bit 11
};

/// CPUID of `leaf` and `subleaf` for a vCPU in `state`, on which OSXSAVE, XSAVE sizes, and what IA32_MISC_ENABLE hides
/// depend.
CpuidResult cpuid(const CpuProfile& profile, const CpuState& state, CpuidApic apic, u32 leaf, u32 subleaf);

}  // namespace reprise::cpu
