#include "machine/board/processor.h"

#include <fmt/format.h>

#include "machine/board/engine_factory.h"

namespace reprise::machine {

Processor::Processor(ProcessorSocket socket, unsigned index, const MachineConfig& config, u64 rng_seed)
    : socket_(std::move(socket)),
      index_(index),
      region_name_(fmt::format("lapic {}", index)),
      lapic({.apic_id = index, .bootstrap = index == 0, .phys_bits = config.cpu.physical_address_bits},
            socket_.clock, socket_.apic_bus, *this, socket_.pic),
      tap(config.engine == EngineKind::Lockstep ? std::make_unique<LockstepTap>(socket_.bus, lapic)
                                                : nullptr),
      cpu(tap ? tap->tap : socket_.bus, tap ? tap->tap : static_cast<InterruptSource&>(lapic),
          socket_.phys_map, socket_.code_pages, config.cpu, socket_.log),
      engine(new_engine(config)),
      vcpu(cpu, *engine) {
  cpu.apic_id = index;
  vcpu.reset(rng_seed);
  if (index != 0) vcpu.init(cpu::Activity::WaitForSipi);
}

std::unique_ptr<cpu::Engine> Processor::new_engine(const MachineConfig& config) {
  const auto make = [&code_pages = socket_.code_pages, kind = config.engine,
                     &profile = config.cpu](const jit::JitOptions& options) {
    return make_engine(kind, options, profile, code_pages);
  };
  if (tap == nullptr) return make(config.jit);
  return std::make_unique<LockstepEngine>(make, config.jit, cpu, *tap, socket_.control);
}

void Processor::init() {
  lapic.init_reset();
  vcpu.init(index_ == 0 ? cpu::Activity::Running : cpu::Activity::WaitForSipi);
}

void Processor::apic_base_changed(u64 phys, bool mmio_enabled) {
  // The register page is private to its processor; with one address map only that of the boot processor is
  // there.
  if (index_ != 0) return;
  if (lapic_mapped_) socket_.phys_map.remove(region_name_);
  lapic_mapped_ = mmio_enabled && socket_.map_lapic(region_name_, phys, lapic);
  cpu.mmu.flush_all();
}

}  // namespace reprise::machine
