#include "machine/lockstep/state_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/archive.h"

namespace reprise::machine {
namespace {

struct Named {
  std::string name;
  u64 value;
};

std::vector<Named> list(const cpu::CpuState& state) {
  static constexpr const char* kGprs[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
  static constexpr const char* kSegments[] = {"es", "cs", "ss", "ds", "fs", "gs", "flat", "ldtr", "tr"};
  std::vector<Named> out;
  const auto add = [&](std::string name, u64 value) { out.push_back({std::move(name), value}); };
  add("retired", state.retired);
  add("rip", state.rip);
  add("rflags", state.rflags);
  for (unsigned i = 0; i < 16; ++i) add(i < 8 ? kGprs[i] : fmt::format("r{}", i), state.gpr[i]);
  for (unsigned i = 0; i < 9; ++i) {
    const cpu::Segment& segment = i < 7 ? state.seg[i] : i == 7 ? state.ldtr : state.tr;
    add(fmt::format("{}.selector", kSegments[i]), segment.selector);
    add(fmt::format("{}.base", kSegments[i]), segment.base);
    add(fmt::format("{}.limit", kSegments[i]), segment.limit);
    add(fmt::format("{}.access", kSegments[i]), segment.access);
  }
  add("cr0", state.cr0), add("cr2", state.cr2), add("cr3", state.cr3), add("cr4", state.cr4);
  add("dr6", state.dr6), add("dr7", state.dr7), add("cpl", state.cpl), add("efer", state.efer);
  add("activity", static_cast<u64>(state.activity));
  add("sti_shadow", state.sti_shadow), add("mov_ss_shadow", state.mov_ss_shadow);
  add("nmi_blocked", state.nmi_blocked), add("nmi_pending", state.nmi_pending);
  add("in_smm", state.in_smm), add("smi_pending", state.smi_pending), add("smbase", state.smbase);
  add("init_pending", state.init_pending), add("sipi_pending", state.sipi_pending);
  add("a20_pin", state.a20_pin);
  add("pauses_left", state.pauses_left);
  add("pending_debug", state.pending_debug);
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned lane = 0; lane < 4; ++lane)
      add(fmt::format("ymm{}[{}:{}]", i, lane * 64 + 63, lane * 64), state.ymm[i].qword[lane]);
  add("mxcsr", state.mxcsr);
  for (unsigned i = 0; i < 8; ++i) {
    add(fmt::format("x87 R{} significand", i), state.x87.st[i].significand);
    add(fmt::format("x87 R{} sign and exponent", i), state.x87.st[i].sign_exponent);
  }
  add("fcw", state.x87.fcw), add("fsw", state.x87.fsw), add("x87 valid", state.x87.valid);
  add("fop", state.x87.fop), add("fip", state.x87.fip), add("fdp", state.x87.fdp);
  add("fcs", state.x87.fcs), add("fds", state.x87.fds);
  add("xcr0", state.xcr0), add("kernel_gs_base", state.kernel_gs_base);
  add("tsc_offset", state.tsc_offset), add("rng_state", state.rng_state);
  add("retired_no_insn", state.retired_no_insn), add("stalled_ns", state.stalled_ns);
  for (unsigned i = 0; i < cpu::PmuState::kCounters; ++i)
    add(fmt::format("performance counter {}", i), state.pmu.counters[i]);
  add("performance counters running", state.pmu.running);
  add("IA32_PERF_GLOBAL_CTRL", state.pmu.global_ctrl);
  add("IA32_PERF_GLOBAL_STATUS", state.pmu.global_status);
  return out;
}

}  // namespace

bool same_state(const cpu::CpuState& one, const cpu::CpuState& other) {
  // Nearly always equal in every byte but an engine's scratch; padding may differ, so bytes that differ prove
  // nothing.
  constexpr std::size_t kScratch = offsetof(cpu::CpuState, gpr) + 16 * sizeof(u64);
  constexpr std::size_t kRest = offsetof(cpu::CpuState, rip);
  const u8* const a = reinterpret_cast<const u8*>(&one);
  const u8* const b = reinterpret_cast<const u8*>(&other);
  if (std::memcmp(a, b, kScratch) == 0 && std::memcmp(a + kRest, b + kRest, sizeof one - kRest) == 0)
    return true;
  Archive archives[2];
  cpu::CpuState copies[2] = {one, other};
  for (unsigned i = 0; i < 2; ++i) copies[i].serialize(archives[i]);
  return std::ranges::equal(archives[0].bytes(), archives[1].bytes());
}

std::string state_difference(const cpu::CpuState& one, const cpu::CpuState& other) {
  std::string text;
  const std::vector<Named> a = list(one);
  const std::vector<Named> b = list(other);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].value != b[i].value)
      text += fmt::format("  {:<24} {:016x}  {:016x}\n", a[i].name, a[i].value, b[i].value);
  }
  return text.empty() ? "  a register that is not listed here\n" : text;
}

}  // namespace reprise::machine
