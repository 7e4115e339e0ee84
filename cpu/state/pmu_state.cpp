#include "cpu/state/pmu_state.h"

#include "common/bits.h"

namespace reprise::cpu {
namespace {

/// SDM 3B table 20-1, the architectural events that CPUID leaf 0AH does not call missing.
CounterSource source_of_event(u64 select) {
  constexpr u64 kUnhaltedCoreCycles = 0x003c, kUnhaltedReferenceCycles = 0x013c, kInsnsRetired = 0x00c0;
  switch (select & 0xffff) {
    case kUnhaltedCoreCycles: return CounterSource::Cycles;
    case kUnhaltedReferenceCycles: return CounterSource::ReferenceCycles;
    case kInsnsRetired: return CounterSource::Insns;
    default: return CounterSource::Nothing;
  }
}

/// With a counter mask it counts cycles that have at least so many events, inverted fewer. SDM 3B 20.2.1.1. No event comes
/// more than once a cycle here.
CounterSource source_of_select(u64 select) {
  const CounterSource event = source_of_event(select);
  const u64 mask = field(select, 24, 8);
  if (select & PmuState::kSelectEdge) return CounterSource::Nothing;
  if (mask == 0) return event;
  const bool inverted = (select & PmuState::kSelectInvert) != 0;
  if (mask > 1 || event == CounterSource::Nothing)
    return inverted ? CounterSource::Cycles : CounterSource::Nothing;
  if (!inverted) return event;
  return event == CounterSource::Insns ? CounterSource::CyclesWithoutInsn : CounterSource::Nothing;
}

}  // namespace

CounterSource PmuState::source(unsigned counter) const {
  constexpr CounterSource kOfFixed[kFixed] = {CounterSource::Insns, CounterSource::Cycles,
                                              CounterSource::ReferenceCycles};
  return counter < kGeneral ? source_of_select(event_select[counter]) : kOfFixed[counter - kGeneral];
}

bool PmuState::counts_in_ring(unsigned counter, unsigned cpl) const {
  if (counter < kGeneral) return (event_select[counter] & (cpl == 0 ? kSelectOs : kSelectUser)) != 0;
  return (fixed_ctrl >> kFixedBits * (counter - kGeneral) & (cpl == 0 ? kFixedOs : kFixedUser)) != 0;
}

bool PmuState::wants_interrupt(unsigned counter) const {
  if (counter < kGeneral) return (event_select[counter] & kSelectInterrupt) != 0;
  return (fixed_ctrl >> kFixedBits * (counter - kGeneral) & kFixedInterrupt) != 0;
}

void PmuState::derive() {
  enabled = ring_filtered = 0;
  for (unsigned i = 0; i < kCounters; ++i) {
    const bool os = counts_in_ring(i, 0), user = counts_in_ring(i, 3);
    const bool on = (global_ctrl & global_bit(i)) && (i >= kGeneral || (event_select[i] & kSelectEnable));
    if (!on || !(os || user) || source(i) == CounterSource::Nothing) continue;
    enabled |= static_cast<u8>(1u << i);
    if (os != user) ring_filtered |= static_cast<u8>(1u << i);
  }
}

bool PmuState::impossible() const {
  u64 selects = 0;
  for (const u64 select : event_select) selects |= select;
  if ((selects & ~kSelectDefined) || (fixed_ctrl & ~kFixedDefined)) return true;
  if (((global_ctrl | global_status) & ~kAllCounters) || (running & ~enabled)) return true;
  for (unsigned i = 0; i < kCounters; ++i)
    if (!(running >> i & 1) && counters[i] >= kEnd) return true;
  return false;
}

void PmuState::serialize(Archive& ar) {
  ar.value(event_select), ar.value(fixed_ctrl), ar.value(global_ctrl), ar.value(global_status);
  ar.value(counters), ar.value(running), ar.value(overflow_interrupt);
  if (ar.loading()) derive();
}

}  // namespace reprise::cpu
