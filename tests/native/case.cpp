#include "tests/native/case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/state/exceptions.h"
#include "cpu/state/flags.h"
#include "tests/native/random.h"

namespace reprise::native {
namespace {

constexpr u64 kComparedFlags = cpu::kRflagsStatus | cpu::kRflagsDf;
constexpr u64 kLinuxUserEnd = 0x00007ffffffff000;
constexpr u16 kFswUe = 1u << 4;
constexpr u16 kFswC1 = 1u << 9;
constexpr const char* kGprNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

void differ(std::string& text, std::string_view what, u64 before, u64 host, u64 emulated) {
  if (host != emulated)
    text +=
        fmt::format("  {:<8} before {:#018x}  host {:#018x}  ours {:#018x}\n", what, before, host, emulated);
}

void compare_vector(std::string& text, std::string_view what, const u8* before, const u8* host,
                    const u8* emulated, unsigned bytes) {
  if (std::memcmp(host, emulated, bytes) == 0) return;
  const auto hex = [bytes](const u8* data) {
    std::string digits;
    for (unsigned i = bytes; i-- > 0;) digits += fmt::format("{:02x}{}", data[i], i == 8 ? "_" : "");
    return digits;
  };
  text += fmt::format("  {:<8} before {}\n           host   {}\n           ours   {}\n", what, hex(before),
                      hex(host), hex(emulated));
}

/// Two extended values next to each other: the last place of one significand differs, at most.
bool one_ulp_apart(const u8* host, const u8* emulated) {
  const auto ordered = [](const u8* bytes) {
    u64 significand;
    u16 sign_exponent;
    std::memcpy(&significand, bytes, 8);
    std::memcpy(&sign_exponent, bytes + 8, 2);
    return u128{sign_exponent} << 63 | (significand & ~(u64{1} << 63));
  };
  const u128 a = ordered(host);
  const u128 b = ordered(emulated);
  return a - b + 1 <= 2;
}

/// Whether host and engine, by what the case may differ in, end it differently, so that there is nothing to compare.
bool other_end(const Case& test, const Outcome& host, const Outcome& emulated) {
  const u32 tolerance = test.tolerance;
  if (host.vector == emulated.vector) return false;
  if ((tolerance & kVectorAlignment) && host.vector == cpu::kAC) return true;
  if ((tolerance & kStoreFaults) &&
      (host.vector == cpu::kAC || host.vector == cpu::kPF || host.vector == cpu::kGP))
    return true;
  if ((tolerance & kNoAlignment) && emulated.vector == cpu::kGP) return true;
  if ((tolerance & kAccepted) && emulated.vector == cpu::kUD) return true;
  if ((tolerance & kAlignmentLast) && emulated.vector == cpu::kAC &&
      (host.vector == cpu::kGP || host.vector == cpu::kSS))
    return true;
  const auto fetched = [](const Outcome& outcome) {
    constexpr u32 kFetchFault = 0x14;
    return outcome.vector == cpu::kUD || (outcome.vector == cpu::kPF && outcome.error_code == kFetchFault);
  };
  return (tolerance & kFetch) && fetched(host) && fetched(emulated);
}

/// Makes `ours` of 16 bytes equal to `host` where binary32 lanes, or binary64 ones for NaNs, differ by what they may.
void forgive_lanes(u32 tolerance, const u8* host, u8* ours) {
  for (unsigned lane = 0; lane < 4 && (tolerance & kApproximation); ++lane) {
    float theirs, mine;
    std::memcpy(&theirs, host + 4 * lane, 4);
    std::memcpy(&mine, ours + 4 * lane, 4);
    // Either is within 1.5 * 2^-12 of the truth. Next to zero one may be flushed.
    constexpr float kBound = 3.0f / 4096;
    const float size = std::max(std::fabs(theirs), std::fabs(mine));
    const bool near =
        std::fabs(theirs - mine) <= kBound * size || size < 4 * std::numeric_limits<float>::min();
    if (std::isfinite(theirs) && std::isfinite(mine) && near)
      std::memcpy(ours + 4 * lane, host + 4 * lane, 4);
  }
  if ((tolerance & kNanChoice) == 0) return;
  for (unsigned lane = 0; lane < 4; ++lane) {
    float theirs, mine;
    std::memcpy(&theirs, host + 4 * lane, 4);
    std::memcpy(&mine, ours + 4 * lane, 4);
    if (std::isnan(theirs) && std::isnan(mine)) std::memcpy(ours + 4 * lane, host + 4 * lane, 4);
  }
  for (unsigned lane = 0; lane < 2; ++lane) {
    double theirs, mine;
    std::memcpy(&theirs, host + 8 * lane, 8);
    std::memcpy(&mine, ours + 8 * lane, 8);
    if (std::isnan(theirs) && std::isnan(mine)) std::memcpy(ours + 8 * lane, host + 8 * lane, 8);
  }
}

}  // namespace

void fill_data(const Case& test, u8* data) {
  Random random(test.seed);
  for (u64 offset = 0; offset < kDataBytes; offset += 16) {
    u8* line = data + offset;
    const u64 choice = random.next();
    if (choice % 100 < 60) {
      // Plain random bytes: cheap, and most of the page.
      const u64 low = random.next();
      const u64 high = low * 0x9e3779b97f4a7c15;
      std::memcpy(line, &low, 8);
      std::memcpy(line + 8, &high, 8);
    } else if (choice % 100 < 90) {
      random_vector(random, line);
    } else if (choice % 100 < 95) {
      const Extended value = random_extended(random);
      std::memset(line, 0, 16);
      std::memcpy(line, &value.significand, 8);
      std::memcpy(line + 8, &value.sign_exponent, 2);
    } else {
      for (unsigned i = 0; i < 2; ++i) {
        const u64 pointer = kCodeLinear + random.below(kCodePages * kPageBytes);
        std::memcpy(line + 8 * i, &pointer, 8);
      }
    }
  }
  for (unsigned i = 0; i < test.patch_count; ++i)
    std::memcpy(data + test.patches[i].offset, &test.patches[i].value, 8);
}

std::string compare(const Case& test, const Outcome& host, const Outcome& emulated) {
  std::string text;
  if (host.timed_out || emulated.timed_out) {
    if (host.timed_out != emulated.timed_out) {
      text += fmt::format("  timed out: host {} ours {}\n", host.timed_out, emulated.timed_out);
    }
    return text;
  }
  if (other_end(test, host, emulated)) return text;
  const bool faulted = host.vector != cpu::kBP;
  const u32 tolerance = faulted ? test.tolerance : test.tolerance & ~kOnFaultOnly;
  const bool same_fault = (tolerance & kFaultChoice) == 0;
  if (same_fault || emulated.vector == cpu::kBP) differ(text, "vector", 0, host.vector, emulated.vector);
  if (!same_fault) {
    // Which one it was says the vector.
  } else if (host.vector == cpu::kPF && emulated.vector == cpu::kPF) {
    differ(text, "cr2", 0, host.cr2, emulated.cr2);
    // Linux reports faults on kernel addresses as protection faults, so that nothing of its layout leaks.
    const u32 ignored = host.cr2 >= kLinuxUserEnd ? 1 : 0;
    differ(text, "error", 0, host.error_code | ignored, emulated.error_code | ignored);
  } else {
    differ(text, "error", 0, host.error_code, emulated.error_code);
  }
  const u64 gpr_mask = tolerance & (kHighHalvesOnFault | kHighHalves) ? 0xffffffff : ~u64{0};
  for (unsigned i = 0; i < 16 && !(tolerance & kResult); ++i) {
    differ(text, kGprNames[i], test.in.gpr[i], host.out.gpr[i] & gpr_mask, emulated.out.gpr[i] & gpr_mask);
  }
  differ(text, "rip", test.rip, host.out.rip, emulated.out.rip);
  u64 flags = kComparedFlags & ~test.undefined_flags;
  if (tolerance & (kFlagsOnFault | kResult)) flags &= ~cpu::kRflagsStatus;
  differ(text, "rflags", test.in.rflags & kComparedFlags, host.out.rflags & flags,
         emulated.out.rflags & flags);

  const FxImage& before = test.in.fx;
  const FxImage& a = host.out.fx;
  const FxImage& b = emulated.out.fx;
  const bool compare_state = (tolerance & kStateOnFault) == 0;
  if (compare_state && (tolerance & kMxcsrOnFault) == 0)
    differ(text, "mxcsr", before.get<u32>(FxImage::kMxcsr), a.get<u32>(FxImage::kMxcsr),
           b.get<u32>(FxImage::kMxcsr));
  if (compare_state)
    differ(text, "fcw", before.get<u16>(FxImage::kFcw), a.get<u16>(FxImage::kFcw), b.get<u16>(FxImage::kFcw));
  // Next to the range limits a transcendental may underflow on one side only.
  const bool underflow_differs = ((a.get<u16>(FxImage::kFsw) ^ b.get<u16>(FxImage::kFsw)) & kFswUe) != 0;
  const bool compare_x87 = compare_state && (tolerance & kX87OnFault) == 0 &&
                           !((tolerance & kTranscendental) && underflow_differs);
  if (compare_x87) {
    const u16 ignored = tolerance & kTranscendental ? kFswC1 : 0;
    differ(text, "fsw", before.get<u16>(FxImage::kFsw), a.get<u16>(FxImage::kFsw) & ~ignored,
           b.get<u16>(FxImage::kFsw) & ~ignored);
    differ(text, "ftw", before.get<u8>(FxImage::kFtw), a.get<u8>(FxImage::kFtw), b.get<u8>(FxImage::kFtw));
  }
  for (unsigned i = 0; i < 8 && compare_x87; ++i) {
    const unsigned at = FxImage::st(i);
    if ((tolerance & kTranscendental) && one_ulp_apart(a.bytes + at, b.bytes + at)) continue;
    compare_vector(text, fmt::format("st{}", i), before.bytes + at, a.bytes + at, b.bytes + at, 10);
  }
  for (unsigned i = 0; i < 16 && compare_state; ++i) {
    const unsigned at = FxImage::xmm(i);
    u8 ours[16], ours_high[16];
    std::memcpy(ours, b.bytes + at, 16);
    std::memcpy(ours_high, emulated.out.ymm_high[i], 16);
    forgive_lanes(tolerance, a.bytes + at, ours);
    forgive_lanes(tolerance, host.out.ymm_high[i], ours_high);
    compare_vector(text, fmt::format("xmm{}", i), before.bytes + at, a.bytes + at, ours, 16);
    compare_vector(text, fmt::format("ymm{}h", i), test.in.ymm_high[i], host.out.ymm_high[i], ours_high, 16);
  }
  if ((tolerance & (kMemoryOnFault | kResult)) == 0 &&
      std::memcmp(host.data, emulated.data, kDataBytes) != 0) {
    static thread_local u8 original[kDataBytes];
    fill_data(test, original);
    unsigned shown = 0;
    for (u64 i = 0; i < kDataBytes && shown < 8; ++i) {
      if (host.data[i] == emulated.data[i]) continue;
      // MXCSR_MASK bit 17 is the misaligned mode of AMD.
      if ((tolerance & kMxcsrMask) && i % 16 == 14 && (host.data[i] ^ emulated.data[i]) == 2) continue;
      text += fmt::format("  byte {:#x} before {:#04x} host {:#04x} ours {:#04x}\n", kDataLinear + i,
                          original[i], host.data[i], emulated.data[i]);
      ++shown;
    }
  }
  return text;
}

}  // namespace reprise::native
