// Processor: one of the board's processors: core, engine, local APIC.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/log.h"
#include "cpu/engine/engine.h"
#include "cpu/engine/vcpu.h"
#include "devices/backend.h"
#include "devices/irq/apic.h"
#include "devices/irq/lapic.h"
#include "machine/board/config.h"
#include "machine/lockstep/lockstep_engine.h"
#include "mmu/phys_map.h"

namespace reprise::machine {

/// What a processor is plugged into. All of it outlives the processor.
struct ProcessorSocket {
  cpu::CpuBus& bus;
  Clock& clock;
  devices::ApicFabric& apic_bus;
  devices::ExtIntSource& pic;
  mmu::PhysMap& phys_map;
  mmu::CodePages& code_pages;
  MachineControl& control;
  const Log& log;
  /// Maps the page of registers of `lapic` above everything else. False when that place is taken.
  std::function<bool(const std::string& name, u64 phys, devices::Lapic& lapic)> map_lapic;
};

class Processor final : public devices::ApicCpu {
 public:
  Processor(ProcessorSocket socket, unsigned index, const MachineConfig& config, u64 rng_seed);

  // devices::ApicCpu
  void nmi() override { vcpu.raise_nmi(); }
  void smi() override { vcpu.raise_smi(); }
  void init() override;
  void start_up(u8 vector) override { vcpu.start_up(vector); }
  void apic_base_changed(u64 phys, bool mmio_enabled) override;

 private:
  std::unique_ptr<cpu::Engine> new_engine(const MachineConfig& config);

  const ProcessorSocket socket_;
  const unsigned index_;
  const std::string region_name_;
  bool lapic_mapped_ = false;

 public:
  devices::Lapic lapic;
  std::unique_ptr<LockstepTap> tap;  // nullptr: the engine runs alone
  cpu::Cpu cpu;
  std::unique_ptr<cpu::Engine> engine;
  cpu::Vcpu vcpu;
};

}  // namespace reprise::machine
