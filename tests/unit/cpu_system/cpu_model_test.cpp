// cpu/profile/cpu_model.cpp: processors by name; cpu/profile/cpuid.cpp: what they say.
#include "cpu/profile/cpu_model.h"
#include "cpu/profile/cpu_names.h"

#include <gtest/gtest.h>

#include "cpu/state/state.h"

namespace reprise::test {
namespace {

using namespace cpu;

CpuProfile profile(std::string_view text) {
  auto result = parse_cpu_model(text);
  EXPECT_TRUE(result.ok()) << text << ": " << (result.ok() ? "" : result.error().message);
  return result.ok() ? result.take() : CpuProfile{};
}
std::string problem(std::string_view text) {
  const auto result = parse_cpu_model(text);
  return result.ok() ? "" : result.error().message;
}
CpuidResult leaf(const CpuProfile& cpu, u32 number, u32 subleaf = 0) {
  return cpuid(cpu, CpuState{}, {}, number, subleaf);
}

TEST(CpuModel, LevelsAddUp) {
  EXPECT_FALSE(profile("x86-64").has(Feature::Sse3));
  EXPECT_TRUE(profile("x86-64").has(Feature::Sse2));
  EXPECT_TRUE(profile("x86-64-v2").has(Feature::Sse42));
  EXPECT_FALSE(profile("x86-64-v2").has(Feature::Bmi1));
  EXPECT_TRUE(profile("x86-64-v3").has(Feature::Bmi2));
  EXPECT_FALSE(profile("x86-64-v3").has(Feature::Aes));
  EXPECT_EQ(profile("default").features, default_profile().features);
  EXPECT_TRUE(profile("max").has(Feature::La57));
  EXPECT_FALSE(default_profile().has(Feature::La57));
}

TEST(CpuModel, FeaturesComeAndGo) {
  EXPECT_TRUE(profile("x86-64-v2,+aes").has(Feature::Aes));
  EXPECT_FALSE(profile("default,-vaes,-aes").has(Feature::Aes));
  EXPECT_FALSE(profile("-sha_ni,-smap").has(Feature::Sha));
  EXPECT_TRUE(profile("x86-64,pni=on").has(Feature::Sse3));
  EXPECT_FALSE(profile("max,umip=off").has(Feature::Umip));
  EXPECT_TRUE(profile("x86-64,+SSE3,+ssse3,+sse4.1").has(Feature::Sse41));
}

TEST(CpuModel, AbsentFeaturesVanishFromCpuid) {
  EXPECT_TRUE(leaf(default_profile(), 1).ecx >> 25 & 1);
  EXPECT_FALSE(leaf(profile("-vaes,-aes"), 1).ecx >> 25 & 1);
  EXPECT_FALSE(leaf(profile("-bmi1"), 7).ebx >> 3 & 1);
  EXPECT_EQ(leaf(profile("x86-64-v2"), 0xd).eax, 0u);
  EXPECT_EQ(leaf(profile("-xsavec,-xsaves"), 0xd, 1).eax, 5u);
  EXPECT_EQ(leaf(profile("-xsavec,-xsaves"), 0xd, 1).ebx, 0u);
}

TEST(CpuModel, LeavesTellTheTopology) {
  CpuProfile intel = profile("default,vendor=intel");
  EXPECT_EQ(leaf(intel, 1).ebx >> 16 & 0xff, 1u);
  EXPECT_EQ(leaf(intel, 1).edx >> 28 & 1, 0u);
  EXPECT_EQ(leaf(intel, 4, 3).eax >> 14, 0u);
  intel.topology = {.sockets = 2, .cores = 3, .threads = 2};
  EXPECT_EQ(leaf(intel, 1).ebx >> 16 & 0xff, 8u) << "APIC ids of a package";
  EXPECT_EQ(leaf(intel, 1).edx >> 28 & 1, 1u);
  EXPECT_EQ(leaf(intel, 4, 0).eax >> 14 & 0xfff, 1u) << "a core shares its first level";
  EXPECT_EQ(leaf(intel, 4, 3).eax >> 14 & 0xfff, 7u) << "a package shares its last";
  EXPECT_EQ(leaf(intel, 4, 0).eax >> 26, 3u);
  for (const u32 number : {0xbu, 0x1fu}) {
    EXPECT_EQ(leaf(intel, number, 0).eax, 1u);
    EXPECT_EQ(leaf(intel, number, 0).ebx, 2u);
    EXPECT_EQ(leaf(intel, number, 1).eax, 3u);
    EXPECT_EQ(leaf(intel, number, 1).ebx, 6u);
    EXPECT_EQ(leaf(intel, number, 2).ecx, 2u) << "no further level";
    EXPECT_EQ(cpuid(intel, CpuState{}, {.id = 13}, number, 0).edx, 13u);
  }
  CpuProfile amd = profile("default,vendor=amd");
  amd.topology = intel.topology;
  EXPECT_EQ(leaf(amd, 0x8000'0001).ecx >> 1 & 1, 1u);
  EXPECT_EQ(leaf(amd, 0x8000'0008).ecx, 5u | 3u << 12);
  EXPECT_EQ(leaf(amd, 0x8000'001d, 0).eax >> 14 & 0xfff, 1u);
  EXPECT_EQ(leaf(amd, 0x8000'001d, 3).eax >> 14 & 0xfff, 5u);
  const CpuidResult last = cpuid(amd, CpuState{}, {.id = 13}, 0x8000'001e, 0);
  EXPECT_EQ(last.eax, 13u);
  EXPECT_EQ(last.ebx, 2u | 1u << 8) << "core 2, of two threads";
  EXPECT_EQ(last.ecx, 1u) << "in the second package";
}

TEST(CpuModel, ImpossibleSetsAreRefused) {
  EXPECT_EQ(problem("x86-64,+ssse3"), "ssse3 needs sse3: add +sse3, or -ssse3");
  EXPECT_EQ(problem("default,-pcid"), "invpcid needs pcid: add +pcid, or -invpcid");
  EXPECT_EQ(problem("default,-sse2"), "sse2 is part of every x86-64 processor and cannot be left out");
  EXPECT_EQ(problem("max,+pku"), "pku is not implemented");
  EXPECT_EQ(problem("default,vendor=amd,+serialize"), "serialize exists on processors of Intel only");
}

TEST(CpuModel, UnknownNamesGetASuggestion) {
  EXPECT_EQ(problem("x86-64-v9"), "there is no processor 'x86-64-v9'; did you mean x86-64-v2?");
  EXPECT_EQ(problem("pentium"), "there is no processor 'pentium'; --cpu help lists them");
  EXPECT_EQ(problem("default,+pclmulqd"), "there is no feature 'pclmulqd'; did you mean pclmulqdq?");
  EXPECT_EQ(problem("default,+"), "there is no feature ''; --cpu help lists them");
  EXPECT_EQ(problem("vendor=via"), "vendor 'via' is neither intel (GenuineIntel) nor amd (AuthenticAMD)");
  EXPECT_NE(problem(""), "");
}

TEST(CpuModel, WhatContradictsItselfIsRefused) {
  EXPECT_EQ(problem("default,+aes,-aes"), "aes is both asked for and left out");
  EXPECT_EQ(problem("default,vendor=amd,vendor=intel"), "vendor= was given twice");
  EXPECT_EQ(problem("default,tlb=512,tlb=512"), "tlb= was given twice");
}

TEST(CpuModel, NamesOfQemuLeadToTheNearestSet) {
  EXPECT_EQ(with_nearest_model("host"), "default");
  EXPECT_EQ(with_nearest_model("EPYC-v2,-smap"), "default,vendor=amd,-smap");
  EXPECT_EQ(with_nearest_model("EPYC-Rome,vendor=intel"), "default,vendor=intel");
  EXPECT_EQ(with_nearest_model("Westmere-IBRS,-aes"), "x86-64-v2,+pclmulqdq,-aes");
  EXPECT_EQ(with_nearest_model("Haswell-noTSX-IBRS")->find("x86-64-v3,"), 0u);
  for (const char* ours : {"x86-64-v2", "x86-64", "default", "max", "", "+aes", "-v2", "vendor=amd"})
    EXPECT_EQ(with_nearest_model(ours), std::nullopt) << ours;
  for (const char* name : {"486-v1",
                           "qemu64",
                           "kvm64",
                           "core2duo",
                           "Conroe",
                           "Penryn",
                           "phenom",
                           "Opteron_G1",
                           "Opteron_G3",
                           "Nehalem-v2",
                           "Westmere",
                           "Denverton",
                           "Snowridge",
                           "SandyBridge",
                           "IvyBridge-IBRS",
                           "Opteron_G4",
                           "Opteron_G5",
                           "Haswell-v4",
                           "Broadwell-noTSX",
                           "Skylake-Client",
                           "Skylake-Server-noTSX-IBRS",
                           "Cascadelake-Server-v5",
                           "Cooperlake",
                           "Icelake-Server",
                           "SapphireRapids",
                           "EPYC",
                           "EPYC-IBPB",
                           "EPYC-Milan-v2",
                           "EPYC-Genoa",
                           "Dhyana"}) {
    const auto nearest = with_nearest_model(name);
    ASSERT_TRUE(nearest) << name;
    EXPECT_TRUE(parse_cpu_model(*nearest)) << name;
  }
}

TEST(CpuModel, HelpNamesEverything) {
  const std::string help = cpu_model_help();
  for (const char* word : {"x86-64-v3", "max", "sha-ni*", " la57", "vendor=intel|amd"})
    EXPECT_NE(help.find(word), help.npos) << word;
  EXPECT_EQ(help.find("pku"), help.npos);
}

TEST(CpuModel, LeavesOfAmd) {
  const CpuProfile amd = profile("vendor=amd");
  EXPECT_EQ(leaf(amd, 0).ebx, 0x68747541u);  // Auth
  EXPECT_EQ(leaf(amd, 0x80000000).eax, 0x80000021u);
  EXPECT_EQ(leaf(amd, 0x80000000).ecx, leaf(amd, 0).ecx);
  EXPECT_EQ(leaf(amd, 1).eax, 0x00bf0f00u);  // family 26
  EXPECT_EQ(leaf(amd, 0x80000001).eax, leaf(amd, 1).eax);
  EXPECT_EQ(leaf(amd, 0x80000001).edx & 0x183f3ff, leaf(amd, 1).edx & 0x183f3ff);
  EXPECT_TRUE(leaf(amd, 0x80000001).edx >> 11 & 1);  // SYSCALL in every mode
  EXPECT_EQ(leaf(amd, 4).eax, 0u);
  EXPECT_EQ(leaf(amd, 0x8000001d, 2).ecx, 1023u);
  EXPECT_EQ(leaf(amd, 7).edx >> 26, 0u);
  EXPECT_EQ(leaf(amd, 0x1234).eax, 0u);  // beyond the range
  EXPECT_EQ(leaf(amd, 0x80000022).eax, 0u);
}

TEST(CpuModel, LeavesOfIntel) {
  const CpuProfile& intel = default_profile();
  EXPECT_EQ(leaf(intel, 0).eax, 0x1fu);
  EXPECT_EQ(leaf(intel, 0x80000000).eax, 0x80000008u);
  for (const u32 subleaf : {0u, 1u, 2u, 3u}) EXPECT_NE(leaf(intel, 4, subleaf).eax & 31, 0u);
  EXPECT_EQ(leaf(intel, 4, 4).eax & 31, 0u);
  EXPECT_EQ(leaf(intel, 0x1f, 1).ecx, leaf(intel, 0xb, 1).ecx);
  EXPECT_EQ(leaf(intel, 0xa).eax & 0xffff, 0x402u);  // version 2, four counters
  EXPECT_EQ(leaf(parse_cpu_model("default,pmu=off").take(), 0xa).eax, 0u);
  EXPECT_EQ(leaf(intel, 0x80000021).eax, leaf(intel, 0x1f).eax);
}

}  // namespace
}  // namespace reprise::test
