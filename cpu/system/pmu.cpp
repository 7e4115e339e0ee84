#include "cpu/system/pmu.h"

#include "cpu/core/perf_counters.h"

namespace reprise::cpu {
namespace {

enum : u32 {
  kPmc0 = 0x0c1,
  kPerfEvtSel0 = 0x186,
  kFixedCtr0 = 0x309,
  kPerfCapabilities = 0x345,
  kFixedCtrCtrl = 0x38d,
  kPerfGlobalStatus = 0x38e,
  kPerfGlobalCtrl = 0x38f,
  kPerfGlobalOvfCtrl = 0x390,
  kAPmc0 = 0x4c1,
};

constexpr u64 kFullWidthWrites = u64{1} << 13;  // IA32_A_PMCn are there

bool has_counters(const Cpu& cpu) { return cpu.profile.has(Feature::Pmu); }

unsigned counter_of(u32 msr) {
  if (msr >= kAPmc0) return msr - kAPmc0;
  return msr >= kFixedCtr0 ? PmuState::kGeneral + msr - kFixedCtr0 : msr - kPmc0;
}

}  // namespace

bool read_counter_msr(Cpu& cpu, u32 msr, u64& value) {
  if (!has_counters(cpu)) return false;
  value = counter_value(cpu, counter_of(msr));
  return true;
}

bool write_counter_msr(Cpu& cpu, u32 msr, u64 value) {
  if (!has_counters(cpu)) return false;
  // SDM 3B 20.2.8: the old numbers of the general ones take 32 bits and extend their sign.
  const bool narrow = msr < kFixedCtr0;
  if (narrow) value = static_cast<u64>(i64{static_cast<i32>(value)}) % PmuState::kEnd;
  if (value >= PmuState::kEnd) return false;
  pause_counters(cpu);
  cpu.state.pmu.counters[counter_of(msr)] = value;
  resume_counters(cpu);
  return true;
}

bool read_counter_control(Cpu& cpu, u32 msr, u64& value) {
  if (!has_counters(cpu)) return false;
  const PmuState& pmu = cpu.state.pmu;
  switch (msr) {
    case kPerfCapabilities: value = kFullWidthWrites; break;
    case kFixedCtrCtrl: value = pmu.fixed_ctrl; break;
    case kPerfGlobalStatus: value = pmu.global_status; break;
    case kPerfGlobalCtrl: value = pmu.global_ctrl; break;
    case kPerfGlobalOvfCtrl: value = 0; break;
    default: value = pmu.event_select[msr - kPerfEvtSel0]; break;
  }
  return true;
}

bool write_counter_control(Cpu& cpu, u32 msr, u64 value) {
  // CondChgd and OvfDSBuffer, which are never set, may be cleared.
  constexpr u64 kNeverSet = u64{3} << 62;
  if (!has_counters(cpu)) return false;
  PmuState& pmu = cpu.state.pmu;
  u64* where = nullptr;
  u64 allowed = 0;
  switch (msr) {
    case kPerfGlobalStatus: return false;
    case kPerfGlobalOvfCtrl:
      if (value & ~(PmuState::kAllCounters | kNeverSet)) return false;
      pmu.global_status &= ~value;
      return true;
    case kFixedCtrCtrl: where = &pmu.fixed_ctrl, allowed = PmuState::kFixedDefined; break;
    case kPerfGlobalCtrl: where = &pmu.global_ctrl, allowed = PmuState::kAllCounters; break;
    default: where = &pmu.event_select[msr - kPerfEvtSel0], allowed = PmuState::kSelectDefined; break;
  }
  if (value & ~allowed) return false;
  pause_counters(cpu);
  *where = value;
  resume_counters(cpu);
  return true;
}

bool read_counter(Cpu& cpu, u32 number, u64& value) {
  constexpr u32 kFixedSet = 1u << 30;
  const u32 index = number & ~kFixedSet;
  const bool fixed = (number & kFixedSet) != 0;
  if (!has_counters(cpu) || index >= (fixed ? PmuState::kFixed : PmuState::kGeneral)) return false;
  value = counter_value(cpu, fixed ? PmuState::kGeneral + index : index);
  return true;
}

}  // namespace reprise::cpu
