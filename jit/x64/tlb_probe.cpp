#include "jit/x64/tlb_probe.h"

#include <cstddef>

namespace reprise::jit::x64 {

using mmu::Access;
using mmu::TlbEntry;

Mem TlbProbe::entry(Access access, std::size_t field) const {
  const cpu::Cpu& cpu = em_.context.cpu;
  const TlbEntry& first = cpu.mmu.tlb_array(em_.unit.view, access).entries[0];
  const i64 offset = offset_in(cpu, &first) - kCpuBias + static_cast<i64>(field);
  return x86::qword_ptr(kCpuReg, kScratch1, 0, static_cast<i32>(offset));
}

void TlbProbe::load_index() {
  static_assert(sizeof(TlbEntry) == 32);
  constexpr unsigned kShift = kPageShift - 5;
  if (em_.context.bmi2) {
    em_.a.rorx(kScratch1, kScratch0, kShift);
  } else {
    em_.a.mov(kScratch1, kScratch0);
    em_.a.shr(kScratch1, kShift);
  }
  em_.a.and_(kScratch1.r32(), (mmu::kTlbEntries - 1) * sizeof(TlbEntry));
}

void TlbProbe::look(const Label& retry, const Label& slow, Access access, unsigned bytes, Extent extent) {
  ++count_;
  load_index();
  em_.a.sub(kScratch0, entry(access, offsetof(TlbEntry, tag_linear)));
  em_.a.cmp(kScratch0, static_cast<i32>(kPageBytes - bytes));
  if (!em_.has(Pass::SecondLevel)) {
    em_.a.ja(slow);
    return;
  }
  const bool store = access == Access::Write && extent == Extent::Operand;
  misses_.push_back({em_.a.newLabel(), retry, em_.a.newLabel(), slow, access, store ? bytes : 0});
  em_.a.ja(misses_.back().entry);
  em_.a.bind(misses_.back().hit);
}

Label TlbProbe::fetch_miss(const Label& retry, const Label& slow) {
  misses_.push_back({em_.a.newLabel(), retry, Label(), slow, Access::Fetch, 0});
  return misses_.back().entry;
}

void TlbProbe::finish() {
  const Stubs& stubs = em_.context.stubs;
  for (const Miss& miss : misses_) {
    em_.a.bind(miss.entry);
    if (em_.mode().has(cpu::ModeKey::kProtected | cpu::ModeKey::kV86)) {
      em_.a.call(em_.address_of(stubs.refill[em_.view_index()][static_cast<unsigned>(miss.access)]));
      em_.a.jnz(miss.retry);
    } else if (miss.bytes != 0) {
      // Without paging there is no second level.
      em_.a.add(kScratch0, entry(miss.access, offsetof(TlbEntry, tag_linear)));
    }
    if (miss.bytes != 0) {
      em_.a.mov(kScratch1.r32(), miss.bytes);
      em_.a.call(em_.address_of(stubs.store_beside_code[em_.view_index()]));
      em_.a.jnz(miss.hit);
    }
    em_.a.jmp(miss.slow);
  }
}

}  // namespace reprise::jit::x64
