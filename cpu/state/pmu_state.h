// Registers of the performance counters, as plain data: architectural performance monitoring, version 2. SDM 3B 20.2.2,
// 20.2.3. What makes them count is cpu/core/perf_counters.h.
#pragma once

#include "common/archive.h"
#include "common/types.h"

namespace reprise::cpu {

/// What a counter counts: numbers that only grow. docs/time.md says what each is.
enum class CounterSource : u8 {
  Nothing,
  Insns,
  Cycles,
  CyclesWithoutInsn,  // in which none retired
  ReferenceCycles,
};

/// Counters 0 to 3 are the general ones, IA32_PMCn; 4 to 6 are those of one event, IA32_FIXED_CTRn.
struct PmuState {
  static constexpr unsigned kGeneral = 4;
  static constexpr unsigned kFixed = 3;
  static constexpr unsigned kCounters = kGeneral + kFixed;
  static constexpr unsigned kWidth = 48;
  /// A counter that gets here overflows.
  static constexpr u64 kEnd = u64{1} << kWidth;

  // IA32_PERFEVTSELn
  static constexpr u64 kSelectUser = 1u << 16;
  static constexpr u64 kSelectOs = 1u << 17;
  static constexpr u64 kSelectEdge = 1u << 18;
  static constexpr u64 kSelectInterrupt = 1u << 20;
  static constexpr u64 kSelectEnable = 1u << 22;
  static constexpr u64 kSelectInvert = 1u << 23;
  static constexpr u64 kSelectDefined = 0xffdfffff;  // bit 21 is version 3's
  // IA32_FIXED_CTR_CTRL, four bits a counter; the third of them is version 3's
  static constexpr unsigned kFixedBits = 4;
  static constexpr u64 kFixedOs = 1u << 0;
  static constexpr u64 kFixedUser = 1u << 1;
  static constexpr u64 kFixedInterrupt = 1u << 3;
  static constexpr u64 kFixedDefined = 0xbbb;
  // IA32_PERF_GLOBAL_*
  static constexpr u64 kAllGeneral = (u64{1} << kGeneral) - 1;
  static constexpr u64 kAllCounters = kAllGeneral | ((u64{1} << kFixed) - 1) << 32;
  /// The bit of a counter there.
  static constexpr u64 global_bit(unsigned counter) {
    return counter < kGeneral ? u64{1} << counter : u64{1} << (32 + counter - kGeneral);
  }

  u64 event_select[kGeneral] = {};
  u64 fixed_ctrl = 0;
  u64 global_ctrl = kAllGeneral;
  u64 global_status = 0;
  /// The value; while the counter runs, less what its source has counted.
  u64 counters[kCounters] = {};
  u8 running = 0;                   // bit n: counter n
  bool overflow_interrupt = false;  // is due behind the current instruction

  // These follow from the registers.
  u8 enabled = 0;        // counts in some ring
  u8 ring_filtered = 0;  // not in all

  CounterSource source(unsigned counter) const;
  bool counts_in_ring(unsigned counter, unsigned cpl) const;
  bool wants_interrupt(unsigned counter) const;
  /// After event selects and controls changed.
  void derive();
  /// Something that no program can bring about.
  bool impossible() const;

  void serialize(Archive& ar);
};

}  // namespace reprise::cpu
