#include "machine/board/processor.h"

#include <fmt/format.h>

namespace reprise::machine {

Processor::Processor(ProcessorSocket socket, unsigned index, const MachineConfig& config, u64 rng_seed)
    : socket_(socket),
      index_(index),
      lapic({.apic_id = config.cpu.topology.apic_id(index),
             .bootstrap = index == 0,
             .phys_bits = config.cpu.physical_address_bits},
            socket.scheduler, socket.apic_bus, *this, socket.pic),
      tap(socket.engines.make_tap(*this, lapic)),
      cpu(tap ? *tap : static_cast<cpu::CpuBus&>(*this), tap ? *tap : static_cast<InterruptSource&>(lapic),
          socket.phys_map, socket.code_pages, config.cpu, socket.log),
      vcpu(cpu, socket.engines.plug(cpu, tap.get())) {
  if (socket.mmio_trace != nullptr)
    traced_lapic_.emplace(fmt::format("lapic {}", index), lapic, *socket.mmio_trace);
  cpu.apic_id = lapic.apic_id();
  reset(rng_seed);
}

u64 Processor::virtual_ns(u64 retired) {
  // What the others have retired, and what was idle, stand still while this one runs.
  return socket_.scheduler.now_ns() - cpu.retired_now() + retired;
}

void Processor::nmi() {
  vcpu.raise_nmi();
  socket_.board.woken(index_);
}

void Processor::smi() {
  vcpu.raise_smi();
  socket_.board.woken(index_);
}

void Processor::init() {
  vcpu.raise_init(after_reset());
  socket_.board.woken(index_);
}

void Processor::start_up(u8 vector) {
  vcpu.raise_start_up(vector);
  socket_.board.woken(index_);
}

void Processor::apic_base_changed(u64 phys, bool mmio_enabled) {
  if (!mmio_enabled) return cpu.mmu.set_local_page({});
  cpu.mmu.set_local_page({phys, traced_lapic_ ? &*traced_lapic_ : static_cast<MmioHandler*>(&lapic)});
}

}  // namespace reprise::machine
