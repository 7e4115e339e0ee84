#include "frontend/test/run_costs.h"

namespace reprise::frontend {

verdict::Costs costs_so_far(machine::Machine& machine) {
  verdict::Costs costs;
  costs.instructions = machine.retired();
  costs.exits = machine.pc().counters().port_reads + machine.pc().counters().port_writes;
  for (const auto& processor : machine.pc().processors()) {
    const mmu::MmuStats& mmu = processor->cpu.mmu.stats();
    costs.tlb_misses += mmu.walks;
    costs.exits += mmu.mmio_reads + mmu.mmio_writes + processor->vcpu.counts().interrupts;
  }
  for (const machine::DiskInfo& disk : machine.disks().info())
    costs.disk_bytes += disk.counters.bytes_read + disk.counters.bytes_written;
  const machine::NetworkInfo network = machine.network().info();
  costs.network_bytes = network.bytes_from_guest + network.bytes_to_guest;
  return costs;
}

}  // namespace reprise::frontend
