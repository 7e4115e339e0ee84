// Whose processor the tests run on. Where the manuals leave a result open the emulator does as Intel's processors
// (docs/undefined.md), so a comparison with the host holds on those only.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstring>

namespace reprise::test {

enum class HostVendor { Intel, Amd, Other };

inline HostVendor host_vendor() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx)) return HostVendor::Other;
  const unsigned words[] = {ebx, edx, ecx};
  if (std::memcmp(words, "GenuineIntel", sizeof words) == 0) return HostVendor::Intel;
  if (std::memcmp(words, "AuthenticAMD", sizeof words) == 0) return HostVendor::Amd;
#endif
  return HostVendor::Other;
}
inline bool host_is_intel() { return host_vendor() == HostVendor::Intel; }

}  // namespace reprise::test

/// First in a GTest that compares with the host what is Intel's own.
#define REPRISE_ON_INTEL_ONLY() \
  if (!reprise::test::host_is_intel()) GTEST_SKIP() << "compares with what Intel's processors do"
