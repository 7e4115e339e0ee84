// The processor we say we are. Leaves are built from the profile's feature set; what a feature bit promises is
// implemented in full. SDM 2A CPUID.
#include "cpu/profile/cpuid.h"

#include <algorithm>
#include <cstring>

#include "cpu/profile/allowed_bits.h"
#include "cpu/state/xsave.h"
#include "mmu/paging_bits.h"

namespace reprise::cpu {
namespace {

enum class Register : u8 { Eax, Ebx, Ecx, Edx };

struct FeatureBit {
  Feature feature;
  u32 leaf;
  u32 subleaf;
  Register where;
  u8 bit;
};

constexpr FeatureBit kFeatureBits[] = {
    // Leaf 1 ECX
    {Feature::Sse3, 1, 0, Register::Ecx, 0},
    {Feature::Pclmulqdq, 1, 0, Register::Ecx, 1},
    {Feature::Monitor, 1, 0, Register::Ecx, 3},
    {Feature::Ssse3, 1, 0, Register::Ecx, 9},
    {Feature::Fma, 1, 0, Register::Ecx, 12},
    {Feature::Cx16, 1, 0, Register::Ecx, 13},
    {Feature::Pmu, 1, 0, Register::Ecx, 15},  // IA32_PERF_CAPABILITIES
    {Feature::Pcid, 1, 0, Register::Ecx, 17},
    {Feature::Sse41, 1, 0, Register::Ecx, 19},
    {Feature::Sse42, 1, 0, Register::Ecx, 20},
    {Feature::X2apic, 1, 0, Register::Ecx, 21},
    {Feature::Movbe, 1, 0, Register::Ecx, 22},
    {Feature::Popcnt, 1, 0, Register::Ecx, 23},
    {Feature::TscDeadline, 1, 0, Register::Ecx, 24},
    {Feature::Aes, 1, 0, Register::Ecx, 25},
    {Feature::Xsave, 1, 0, Register::Ecx, 26},
    {Feature::Avx, 1, 0, Register::Ecx, 28},
    {Feature::F16c, 1, 0, Register::Ecx, 29},
    {Feature::Rdrand, 1, 0, Register::Ecx, 30},
    {Feature::Base, 1, 0, Register::Ecx, 31},  // hypervisor present
    // Leaf 1 EDX
    {Feature::Fpu, 1, 0, Register::Edx, 0},
    {Feature::Base, 1, 0, Register::Edx, 2},  // DE
    {Feature::Base, 1, 0, Register::Edx, 3},  // PSE
    {Feature::Tsc, 1, 0, Register::Edx, 4},
    {Feature::Msr, 1, 0, Register::Edx, 5},
    {Feature::Base, 1, 0, Register::Edx, 6},  // PAE
    {Feature::Base, 1, 0, Register::Edx, 7},  // MCE
    {Feature::Cx8, 1, 0, Register::Edx, 8},
    {Feature::Base, 1, 0, Register::Edx, 9},  // APIC
    {Feature::Sep, 1, 0, Register::Edx, 11},
    {Feature::Base, 1, 0, Register::Edx, 12},  // MTRR
    {Feature::Pge, 1, 0, Register::Edx, 13},
    {Feature::Base, 1, 0, Register::Edx, 14},  // MCA
    {Feature::Cmov, 1, 0, Register::Edx, 15},
    {Feature::Base, 1, 0, Register::Edx, 16},  // PAT
    {Feature::Base, 1, 0, Register::Edx, 17},  // PSE-36
    {Feature::Clflush, 1, 0, Register::Edx, 19},
    {Feature::Mmx, 1, 0, Register::Edx, 23},
    {Feature::Fxsr, 1, 0, Register::Edx, 24},
    {Feature::Sse, 1, 0, Register::Edx, 25},
    {Feature::Sse2, 1, 0, Register::Edx, 26},
    // Leaf 6: the APIC timer keeps its rate in every sleep state
    {Feature::Base, 6, 0, Register::Eax, 2},
    // Leaf 7
    {Feature::Fsgsbase, 7, 0, Register::Ebx, 0},
    {Feature::Base, 7, 0, Register::Ebx, 1},  // IA32_TSC_ADJUST
    {Feature::Bmi1, 7, 0, Register::Ebx, 3},
    {Feature::Avx2, 7, 0, Register::Ebx, 5},
    {Feature::Base, 7, 0, Register::Ebx, 6},  // FDP only after unmasked x87 exceptions
    {Feature::Smep, 7, 0, Register::Ebx, 7},
    {Feature::Bmi2, 7, 0, Register::Ebx, 8},
    {Feature::Erms, 7, 0, Register::Ebx, 9},
    {Feature::Invpcid, 7, 0, Register::Ebx, 10},
    {Feature::Base, 7, 0, Register::Ebx, 13},  // FPU CS and DS are saved as 0
    {Feature::Rdseed, 7, 0, Register::Ebx, 18},
    {Feature::Adx, 7, 0, Register::Ebx, 19},
    {Feature::Smap, 7, 0, Register::Ebx, 20},
    {Feature::Clflushopt, 7, 0, Register::Ebx, 23},
    {Feature::Clwb, 7, 0, Register::Ebx, 24},
    {Feature::Sha, 7, 0, Register::Ebx, 29},
    {Feature::Umip, 7, 0, Register::Ecx, 2},
    {Feature::Pku, 7, 0, Register::Ecx, 3},
    {Feature::Vaes, 7, 0, Register::Ecx, 9},
    {Feature::Vpclmulqdq, 7, 0, Register::Ecx, 10},
    {Feature::La57, 7, 0, Register::Ecx, 16},
    {Feature::Rdpid, 7, 0, Register::Ecx, 22},
    {Feature::Movdiri, 7, 0, Register::Ecx, 27},
    {Feature::Fsrm, 7, 0, Register::Edx, 4},
    {Feature::Serialize, 7, 0, Register::Edx, 14},
    {Feature::SpecCtrl, 7, 0, Register::Edx, 26},  // IBRS and IBPB
    {Feature::SpecCtrl, 7, 0, Register::Edx, 27},  // STIBP
    {Feature::SpecCtrl, 7, 0, Register::Edx, 28},  // L1D_FLUSH
    {Feature::ArchCapabilities, 7, 0, Register::Edx, 29},
    {Feature::SpecCtrl, 7, 0, Register::Edx, 31},  // SSBD
    // Leaf 0xD subleaf 1
    {Feature::Xsaveopt, 0xd, 1, Register::Eax, 0},
    {Feature::Xsavec, 0xd, 1, Register::Eax, 1},
    {Feature::XgetbvEcx1, 0xd, 1, Register::Eax, 2},
    {Feature::Xsaves, 0xd, 1, Register::Eax, 3},
    {Feature::BhiCtrl, 7, 2, Register::Edx, 4},  // SPEC_CTRL.BHI_DIS_S: kernels need no software sequence
    // Extended leaves
    {Feature::LahfLm, 0x80000001, 0, Register::Ecx, 0},
    {Feature::Lzcnt, 0x80000001, 0, Register::Ecx, 5},
    {Feature::Prefetchw, 0x80000001, 0, Register::Ecx, 8},
    {Feature::Monitorx, 0x80000001, 0, Register::Ecx, 29},
    {Feature::Nx, 0x80000001, 0, Register::Edx, 20},
    {Feature::Pdpe1gb, 0x80000001, 0, Register::Edx, 26},
    {Feature::Rdtscp, 0x80000001, 0, Register::Edx, 27},
    {Feature::LongMode, 0x80000001, 0, Register::Edx, 29},
    {Feature::Base, 0x80000007, 0, Register::Edx, 8},  // invariant TSC
    {Feature::Wbnoinvd, 0x80000008, 0, Register::Ebx, 9},
};

u32& field_of(CpuidResult& result, Register where) {
  switch (where) {
    case Register::Eax: return result.eax;
    case Register::Ebx: return result.ebx;
    case Register::Ecx: return result.ecx;
    case Register::Edx: break;
  }
  return result.edx;
}

void add_features(const CpuProfile& profile, u32 leaf, u32 subleaf, CpuidResult& result) {
  // Other leaves do not look at ECX.
  if (leaf != 7 && leaf != 0xd) subleaf = 0;
  for (const FeatureBit& row : kFeatureBits) {
    if (row.leaf == leaf && row.subleaf == subleaf && profile.has(row.feature))
      field_of(result, row.where) |= u32{1} << row.bit;
  }
}

u32 four_characters(std::string_view text, std::size_t offset) {
  char bytes[4] = {};
  if (offset < text.size())
    std::memcpy(bytes, text.data() + offset, std::min<std::size_t>(4, text.size() - offset));
  u32 value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= u32{static_cast<u8>(bytes[i])} << (8 * i);
  return value;
}

constexpr u32 kMaxBasicLeafIntel = 0x1f;
constexpr u32 kMaxBasicLeafAmd = 0x10;
u32 max_basic_leaf(const CpuProfile& profile) {
  return profile.amd() ? kMaxBasicLeafAmd : kMaxBasicLeafIntel;
}
/// What leaf 0 says: with the limit of old systems on, leaves beyond it are still there. SDM 4 table 2-2, 1A0H.
u32 max_basic_leaf_told(const CpuProfile& profile, const CpuState& state) {
  constexpr u32 kLimited = 2;
  return (state.misc_enable & kMiscEnableLimitCpuid) ? kLimited : max_basic_leaf(profile);
}
constexpr u32 kMaxHypervisorLeaf = 0x40000000;
constexpr u32 kMaxExtendedLeafIntel = 0x80000008;
constexpr u32 kMaxExtendedLeafAmd = 0x80000021;
u32 max_extended_leaf(const CpuProfile& profile) {
  return profile.amd() ? kMaxExtendedLeafAmd : kMaxExtendedLeafIntel;
}
constexpr std::string_view kHypervisorSignature = "RepriseEmu  ";
constexpr u32 kTscHz = 1'000'000'000;

CpuidResult leaf_1(const CpuProfile& profile, const CpuState& state, u32 apic_id) {
  constexpr u32 kClflushQwords = 8;
  // Not the processors of a package but the APIC ids that it has room for.
  const u32 ids = 1u << profile.topology.socket_bits();
  CpuidResult result{profile.signature(), apic_id << 24 | ids << 16 | kClflushQwords << 8, 0, 0};
  constexpr u32 kHyperThreading = 1u << 28;  // more than one processor in a package
  if (profile.topology.per_socket() > 1) result.edx |= kHyperThreading;
  if (state.cr4 & mmu::kCr4Osxsave) result.ecx |= 1u << 27;
  return result;
}

/// Deterministic cache parameters: type, level, ways, sets; 64-byte lines. The last level belongs to the package, the
/// others to a core. Leaf 4, and 8000001D of AMD.
CpuidResult cache_parameters(const CpuProfile& profile, u32 subleaf) {
  struct Cache {
    u32 type, level, ways, sets;
  };
  constexpr Cache kCaches[] = {
      {1, 1, 8, 64},      // 32 KiB data
      {2, 1, 8, 64},      // 32 KiB instruction
      {3, 2, 16, 1024},   // 1 MiB unified
      {3, 3, 16, 16384},  // 16 MiB unified
  };
  if (subleaf >= std::size(kCaches)) return {};
  const Cache& cache = kCaches[subleaf];
  constexpr u32 kSelfInitialising = 1u << 8;
  constexpr u32 kPackageLevel = 3;
  // APIC ids that share it, and on Intel's those of cores in a package; both less one.
  const Topology& topology = profile.topology;
  const bool whole_package = cache.level == kPackageLevel;
  const u32 sharing = profile.amd() ? (whole_package ? topology.per_socket() : topology.threads)
                                    : 1u << (whole_package ? topology.socket_bits() : topology.thread_bits());
  const u32 core_ids = profile.amd() ? 1 : 1u << (topology.socket_bits() - topology.thread_bits());
  return {cache.type | cache.level << 5 | kSelfInitialising | (sharing - 1) << 14 | (core_ids - 1) << 26,
          (cache.ways - 1) << 22 | 63, cache.sets - 1, 0};
}

/// Architectural performance monitoring, version 2.
CpuidResult leaf_a(const CpuProfile& profile) {
  constexpr u32 kVersion = 2, kEvents = 7;
  // Not counted: last-level cache references and misses, branches and mispredicted ones.
  constexpr u32 kMissing = 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6;
  constexpr u32 kWidth = PmuState::kWidth;
  if (!profile.has(Feature::Pmu)) return {};
  return {kVersion | PmuState::kGeneral << 8 | kWidth << 16 | kEvents << 24, kMissing, 0,
          PmuState::kFixed | kWidth << 5};
}

/// Extended topology: threads of a core, then cores of a package.
CpuidResult leaf_b(const Topology& topology, u32 subleaf, u32 apic_id) {
  switch (subleaf) {
    case 0: return {topology.thread_bits(), topology.threads, 1u << 8, apic_id};
    case 1: return {topology.socket_bits(), topology.per_socket(), 2u << 8 | 1, apic_id};
    default: return {0, 0, subleaf & 0xff, apic_id};
  }
}

CpuidResult leaf_d(const CpuProfile& profile, const CpuState& state, u32 subleaf) {
  if (!profile.has(Feature::Xsave)) return {};
  const u64 offered = allowed_xcr0(profile);
  if (subleaf == 0)
    return {static_cast<u32>(offered), xsave_area_bytes(state.xcr0), xsave_area_bytes(offered), 0};
  if (subleaf == 1) {
    const bool compacted = profile.has(Feature::Xsavec) || profile.has(Feature::Xsaves);
    return {0, compacted ? xsave_area_bytes(state.xcr0 | state.xss) : 0, static_cast<u32>(kAllowedXss),
            static_cast<u32>(kAllowedXss >> 32)};
  }
  if (subleaf == 2 && bit(offered, 2)) return {kXsaveAvxBytes, kXsaveAvxOffset, 0, 0};
  return {};
}

CpuidResult leaf_80000001(const CpuProfile& profile, const CpuState& state, u32 apic_id) {
  constexpr u32 kSyscall = 1u << 11;
  if (!profile.amd()) {
    // Intel announces SYSCALL in 64-bit mode only.
    const bool code64 = (state.efer & mmu::kEferLma) && (state.seg[CS].access & Segment::kLong);
    return {0, 0, 0, code64 ? kSyscall : 0};
  }
  // AMD repeats the signature and what leaf 1 says in EDX. APM 3 E.4.2.
  CpuidResult basic = leaf_1(profile, state, apic_id);
  add_features(profile, 1, 0, basic);
  constexpr u32 kRepeated = 0x0183f3ff;
  constexpr u32 kTopologyExtensions = 1u << 22;
  constexpr u32 kCmpLegacy = 1u << 1;
  const u32 cmp_legacy = profile.topology.per_socket() > 1 ? kCmpLegacy : 0;
  return {basic.eax, 0, kTopologyExtensions | cmp_legacy, (basic.edx & kRepeated) | kSyscall};
}

CpuidResult leaf_80000008(const CpuProfile& profile) {
  CpuidResult result{profile.physical_address_bits | profile.linear_address_bits() << 8, 0, 0, 0};
  // AMD: FXSAVE and XSAVE always save the x87 error pointers; stores do not forward speculatively.
  constexpr u32 kErrorPointers = 1u << 2, kSsbNo = 1u << 26;
  if (!profile.amd()) return result;
  result.ebx = kErrorPointers | kSsbNo;
  result.ecx = (profile.topology.per_socket() - 1) | profile.topology.socket_bits() << 12;
  return result;
}

CpuidResult leaf_values(const CpuProfile& profile, const CpuState& state, u32 apic_id, u32 leaf,
                        u32 subleaf) {
  const auto text = [](std::string_view string, std::size_t offset) {
    return four_characters(string, offset);
  };
  switch (leaf) {
    case 0:
      return {max_basic_leaf_told(profile, state), text(profile.vendor, 0), text(profile.vendor, 8),
              text(profile.vendor, 4)};
    case 1: return leaf_1(profile, state, apic_id);
    case 2:  // no TLB information here; caches are in leaf 4
      return profile.amd() ? CpuidResult{} : CpuidResult{0x00feff01, 0, 0, 0};
    case 4: return profile.amd() ? CpuidResult{} : cache_parameters(profile, subleaf);
    case 7: return {subleaf == 0 ? 2u : 0, 0, 0, 0};  // the last subleaf
    case 0xa: return leaf_a(profile);
    case 0xb:
    case 0x1f: return leaf_b(profile.topology, subleaf, apic_id);
    case 0xd: return leaf_d(profile, state, subleaf);
    case 0x15: return {1, 1, kTscHz, 0};  // the TSC counts the crystal clock itself
    case 0x16: return {kTscHz / 1'000'000, kTscHz / 1'000'000, 100, 0};
    case 0x40000000:
      return {kMaxHypervisorLeaf, text(kHypervisorSignature, 0), text(kHypervisorSignature, 4),
              text(kHypervisorSignature, 8)};
    case 0x80000000:
      if (!profile.amd()) return {max_extended_leaf(profile), 0, 0, 0};
      return {max_extended_leaf(profile), text(profile.vendor, 0), text(profile.vendor, 8),
              text(profile.vendor, 4)};
    case 0x80000001: return leaf_80000001(profile, state, apic_id);
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const std::size_t offset = (leaf - 0x80000002) * 16;
      return {text(profile.brand, offset), text(profile.brand, offset + 4), text(profile.brand, offset + 8),
              text(profile.brand, offset + 12)};
    }
    case 0x80000005:  // L1: KiB, ways, lines per tag, bytes per line
      return profile.amd()
                 ? CpuidResult{0, 0, 32u << 24 | 8u << 16 | 1u << 8 | 64, 32u << 24 | 8u << 16 | 1u << 8 | 64}
                 : CpuidResult{};
    case 0x80000006:  // L2: 64-byte lines, 16 ways, 1 MiB; AMD: L3 in steps of 512 KiB
      return {0, 0, 64 | 8u << 12 | 1024u << 16, profile.amd() ? 64u | 8u << 12 | 32u << 18 : 0};
    case 0x80000008: return leaf_80000008(profile);
    case 0x8000001d: return profile.amd() ? cache_parameters(profile, subleaf) : CpuidResult{};
    case 0x8000001e: {  // a node is a package
      const Topology& topology = profile.topology;
      const u32 core = (apic_id & field(~u32{0}, 0, topology.socket_bits())) >> topology.thread_bits();
      return {apic_id, core | (topology.threads - 1) << 8, apic_id >> topology.socket_bits(), 0};
    }
    case 0x80000021: {
      // SDM of AMD, APM 3 E.4.20: LFENCE always serialises; null selectors clear the base.
      constexpr u32 kLfenceSerialises = 1u << 2, kNullSelectorClearsBase = 1u << 6;
      return {kLfenceSerialises | kNullSelectorClearsBase, 0, 0, 0};
    }
    default: return {};
  }
}

/// What is off reads as not there: the local APIC (SDM 3A 10.4.3) and XD (SDM 4 table 2-2, 1A0H).
void hide_features(const CpuProfile& profile, const CpuState& state, CpuidApic apic, u32 leaf,
                   CpuidResult& result) {
  constexpr u32 kApic = 1u << 9, kXd = 1u << 20;
  const bool says_apic = leaf == 1 || (leaf == 0x80000001 && profile.amd());
  if (says_apic && !apic.enabled) result.edx &= ~kApic;
  if (leaf == 0x80000001 && (state.misc_enable & kMiscEnableXdDisable)) result.edx &= ~kXd;
}

}  // namespace

u32 CpuProfile::signature() const {
  const u32 extended_family = family >= 15 ? family - 15 : 0;
  return extended_family << 20 | (model >> 4) << 16 | std::min(family, 15u) << 8 | (model & 15) << 4 |
         stepping;
}

CpuidResult cpuid(const CpuProfile& profile, const CpuState& state, CpuidApic apic, u32 leaf, u32 subleaf) {
  // SDM 2A: a leaf beyond the range returns the data of the highest basic leaf, on AMD zeros; the hypervisor range is
  // all zeros.
  const bool hypervisor = leaf >= 0x40000000 && leaf <= 0x4fffffff;
  const bool extended = leaf >= 0x80000000 && leaf <= max_extended_leaf(profile);
  if (leaf > max_basic_leaf(profile) && !hypervisor && !extended) {
    if (profile.amd()) return {};
    leaf = max_basic_leaf(profile);
    subleaf = 0;
  }
  CpuidResult result = leaf_values(profile, state, apic.id, leaf, subleaf);
  add_features(profile, leaf, subleaf, result);
  hide_features(profile, state, apic, leaf, result);
  return result;
}

}  // namespace reprise::cpu
