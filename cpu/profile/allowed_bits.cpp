#include "cpu/profile/allowed_bits.h"

#include "mmu/paging_bits.h"

namespace reprise::cpu {

using namespace mmu;

u64 allowed_efer(const CpuProfile& profile) {
  u64 bits = kEferLma;
  if (profile.has(Feature::Syscall)) bits |= kEferSce;
  if (profile.has(Feature::LongMode)) bits |= kEferLme;
  if (profile.has(Feature::Nx)) bits |= kEferNxe;
  return bits;
}

u64 allowed_cr4(const CpuProfile& profile) {
  u64 bits = kCr4Tsd | kCr4De | kCr4Pse | kCr4Pae | kCr4Mce | kCr4Pce;
  const auto add = [&](Feature feature, u64 mask) { bits |= profile.has(feature) ? mask : 0; };
  add(Feature::Pge, kCr4Pge);
  add(Feature::Fxsr, kCr4Osfxsr);
  add(Feature::Sse, kCr4Osxmmexcpt);
  add(Feature::Umip, kCr4Umip);
  add(Feature::La57, kCr4La57);
  add(Feature::Fsgsbase, kCr4Fsgsbase);
  add(Feature::Pcid, kCr4Pcide);
  add(Feature::Xsave, kCr4Osxsave);
  add(Feature::Smep, kCr4Smep);
  add(Feature::Smap, kCr4Smap);
  add(Feature::Pku, kCr4Pke);
  return bits;
}

u64 allowed_xcr0(const CpuProfile& profile) { return profile.has(Feature::Avx) ? 7 : 3; }

}  // namespace reprise::cpu
