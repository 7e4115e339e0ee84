#include "cpu/cpu.h"

namespace reprise::cpu {

Cpu::Cpu(CpuBus& cpu_bus, InterruptSource& interrupt_source, mmu::PhysMap& phys_map, mmu::CodePages& code_pages,
         const CpuProfile& cpu_profile, const Log& machine_log)
    : mmu(phys_map, code_pages, *this),
      bus(cpu_bus),
      interrupts(interrupt_source),
      profile(cpu_profile),
      log(machine_log) {
  sync_mode();
}

void Cpu::sync_mode() {
  mode = mode_key(state);
  const bool user = state.cpl == 3;
  const bool ac = (state.rflags & kRflagsAc) != 0;
  mmu.set_view(user ? mmu::View::User : ac ? mmu::View::KernelAc : mmu::View::Kernel);
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

}  // namespace reprise::cpu
