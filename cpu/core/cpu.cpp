#include "cpu/core/cpu.h"
#include "common/log.h"

#include "cpu/core/breakpoints.h"
#include "cpu/core/perf_counters.h"

namespace reprise::cpu {

Cpu::Cpu(CpuBus& cpu_bus, InterruptSource& interrupt_source, mmu::PhysMap& phys_map,
         mmu::CodePages& code_pages, const CpuProfile& cpu_profile, const Log& machine_log)
    : mmu(phys_map, code_pages, *this),
      bus(cpu_bus),
      interrupts(interrupt_source),
      profile(cpu_profile),
      log(machine_log) {
  mmu.set_tlb_geometry(profile.tlb);
  mmu.set_cpu_profile(profile.physical_address_bits, profile.has(Feature::Pdpe1gb));
  sync_mode();
}

void Cpu::state_replaced() {
  breakpoint_passed = kNoStop;
  mmu.set_paging(state.cr0, state.cr4, state.efer);
  mmu.set_cr3(state.cr3);
  mmu.flush_all();
  update_watches(*this);
  sync_mode();
}

void Cpu::sync_mode() {
  mmu.set_smm(state.in_smm);
  const unsigned cpl_before = mode.cpl();
  mode = mode_key(state);
  if (state.pmu.ring_filtered != 0 && mode.cpl() != cpl_before) update_counters(*this);
  if (!mode.is64()) {
    for (unsigned i = 0; i < kSegFlat; ++i) reach[i] = segment_reach(state.seg[i], mode);
    code_end = u64{state.seg[CS].limit} + 1;
  }
  const bool user = state.cpl == 3;
  const bool ac = (state.rflags & kRflagsAc) != 0;
  mmu.set_view(user ? mmu::View::User : ac ? mmu::View::KernelAc : mmu::View::Kernel);
}

void Cpu::debugged_access(u64 linear, u64 phys, u64 bytes, mmu::Access access) {
  const bool by_phys = linear == kNoLinear || linear == kWalk;
  const std::optional<u64> by_linear = by_phys ? std::nullopt : std::optional(linear);
  const auto by = linear == kWalk ? DebugHit::By::Walk : DebugHit::By::Cpu;
  if (stops == nullptr || !stops->accessed(this, by_linear, phys, bytes, access, by)) return;
  debug_stop = true;
  stop_after_instruction();
}

void Cpu::translation_changed(u64 linear, u64 bytes) {
  const u64 base = state.gpr[kGprPageBase] + state.seg[CS].base;
  const u64 page = mode.is64() ? base : static_cast<u32>(base);
  // An instruction may go on in the next page.
  if (page - linear < bytes || linear - page < 2 * kPageBytes) stop_after_instruction();
}

Status Cpu::raise(Vector vector) {
  fault = Fault{.vector = vector};
  return Status::Fault;
}

Status Cpu::raise(Vector vector, u32 error_code) {
  fault = Fault{.vector = vector, .has_error_code = true, .error_code = error_code};
  return Status::Fault;
}

Status Cpu::memory_fault(bool stack_segment) {
  const mmu::MemFault& memory = mmu.fault();
  if (memory.kind == mmu::MemFault::Kind::NonCanonical) return raise(stack_segment ? kSS : kGP, 0);
  raise(kPF, memory.error_code);
  fault.linear = memory.linear;
  return Status::Fault;
}

std::string Cpu::dump() const {
  static constexpr const char* kGprNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                              "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
  static constexpr const char* kSegmentNames[] = {"es", "cs", "ss", "ds", "fs", "gs"};
  std::string text;
  const auto add = [&text]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
  };
  const auto add_segment = [&add](const char* name, const Segment& segment) {
    add("{:<4} {:04x} base {:016x} limit {:08x} access {:04x}\n", name, segment.selector, segment.base,
        segment.limit, segment.access);
  };
  add("rip {:016x} rflags {:08x} cpl {} mode {:#x} retired {}\n", state.rip, state.rflags, state.cpl,
      mode.bits, state.retired);
  for (unsigned i = 0; i < 16; ++i) add("{} {:016x}{}", kGprNames[i], state.gpr[i], i % 4 == 3 ? "\n" : "  ");
  for (unsigned i = 0; i < 6; ++i) add_segment(kSegmentNames[i], state.seg[i]);
  add_segment("ldtr", state.ldtr);
  add_segment("tr", state.tr);
  add("gdtr {:016x} limit {:04x}  idtr {:016x} limit {:04x}\n", state.gdtr.base, state.gdtr.limit,
      state.idtr.base, state.idtr.limit);
  add("cr0 {:08x}  cr2 {:016x}  cr3 {:016x}  cr4 {:08x}  efer {:04x}\n", state.cr0, state.cr2, state.cr3,
      state.cr4, state.efer);
  add("dr0 {:016x}  dr1 {:016x}  dr2 {:016x}  dr3 {:016x}  dr6 {:08x}  dr7 {:08x}\n", state.dr[0],
      state.dr[1], state.dr[2], state.dr[3], state.dr6, state.dr7);
  add("activity {}  shadows sti {} mov-ss {}  nmi blocked {} pending {}\n",
      static_cast<unsigned>(state.activity), state.sti_shadow, state.mov_ss_shadow, state.nmi_blocked,
      state.nmi_pending);
  add("smm {}  smbase {:08x}  smi pending {}  init pending {}\n", state.in_smm, state.smbase,
      state.smi_pending, state.init_pending);
  return text;
}

}  // namespace reprise::cpu
