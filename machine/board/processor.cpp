#include "machine/board/processor.h"

#include <fmt/format.h>

#include "machine/board/engine_factory.h"

namespace reprise::machine {

Processor::Processor(ProcessorSocket socket, unsigned index, const MachineConfig& config, u64 rng_seed)
    : socket_(socket),
      index_(index),
      lapic({.apic_id = index, .bootstrap = index == 0, .phys_bits = config.cpu.physical_address_bits},
            socket.scheduler, socket.apic_bus, *this, socket.pic),
      tap(config.engine == EngineKind::Lockstep ? std::make_unique<LockstepTap>(*this, lapic) : nullptr),
      cpu(tap ? tap->tap : static_cast<cpu::CpuBus&>(*this),
          tap ? tap->tap : static_cast<InterruptSource&>(lapic), socket.phys_map, socket.code_pages,
          config.cpu, socket.log),
      engine(new_engine(config)),
      vcpu(cpu, *engine) {
  if (socket.log.enabled("mmio", LogLevel::Trace))
    traced_lapic_.emplace(fmt::format("lapic {}", index), lapic, socket.retired, socket.log);
  cpu.apic_id = index;
  reset(rng_seed);
}

std::unique_ptr<cpu::Engine> Processor::new_engine(const MachineConfig& config) {
  const auto make = [&code_pages = socket_.code_pages, kind = config.engine,
                     &profile = config.cpu](const jit::JitOptions& options) {
    return make_engine(kind, options, profile, code_pages);
  };
  if (tap == nullptr) return make(config.jit);
  return std::make_unique<LockstepEngine>(make, config.jit, cpu, *tap, socket_.control);
}

u64 Processor::virtual_ns(u64 retired) {
  // What the others have retired, and what was idle, stand still while this one runs.
  return socket_.scheduler.now_ns() - cpu.retired_now() + retired;
}

void Processor::apic_base_changed(u64 phys, bool mmio_enabled) {
  if (!mmio_enabled) return cpu.mmu.set_local_page({});
  cpu.mmu.set_local_page({phys, traced_lapic_ ? &*traced_lapic_ : static_cast<MmioHandler*>(&lapic)});
}

}  // namespace reprise::machine
