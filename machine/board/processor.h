// Processor: one of the board's processors: core, engine, local APIC. It is its own bus: what is local (the APIC, its
// clock) it answers itself, the rest it passes to the board.
#pragma once

#include <memory>
#include <optional>

#include "common/log.h"
#include "cpu/engine/engine.h"
#include "cpu/engine/vcpu.h"
#include "devices/backend.h"
#include "devices/irq/apic.h"
#include "devices/irq/lapic.h"
#include "machine/board/config.h"
#include "machine/board/engines.h"
#include "machine/board/traced_mmio.h"
#include "machine/clock/scheduler.h"
#include "mmu/phys_map.h"

namespace reprise::machine {

/// What all processors of a board share of it. As cpu::CpuBus.
class BoardBus {
 public:
  virtual ~BoardBus() = default;
  virtual u32 port_read(u16 port, Width width) = 0;
  virtual void port_write(u16 port, Width width, u32 value) = 0;
  virtual std::size_t port_read_ahead(u16 port, Width width, std::span<u8> into) = 0;
  virtual std::size_t port_write_ahead(u16 port, Width width, std::span<const u8> from) = 0;
  virtual bool x87_error(cpu::X87Error error) = 0;
  /// Something has come for processor `index` that may end its halt.
  virtual void woken(unsigned index) = 0;
};

/// What a processor is plugged into. All of it outlives the processor.
struct ProcessorSocket {
  BoardBus& board;
  Scheduler& scheduler;
  const RetiredCounter& retired;
  devices::ApicFabric& apic_bus;
  devices::ExtIntSource& pic;
  mmu::PhysMap& phys_map;
  mmu::CodePages& code_pages;
  Engines& engines;
  AccessTrace* mmio_trace;  // nullptr: nobody is told of accesses to the local APIC
  const Log& log;
};

class Processor final : public cpu::CpuBus, public devices::ApicCpu {
 public:
  Processor(ProcessorSocket socket, unsigned index, const MachineConfig& config, u64 rng_seed);

  unsigned index() const { return index_; }
  /// RESET#, between instructions. The local APIC is a device and has its own.
  void reset(u64 rng_seed) { vcpu.reset(rng_seed, after_reset()); }
  /// Its local APIC's registers go to where IA32_APIC_BASE says.
  void place_lapic() { apic_base_changed(lapic.base_phys(), lapic.mmio_enabled()); }

  // cpu::CpuBus
  u32 port_read(u16 port, Width width) override { return socket_.board.port_read(port, width); }
  void port_write(u16 port, Width width, u32 value) override { socket_.board.port_write(port, width, value); }
  std::size_t port_read_ahead(u16 port, Width width, std::span<u8> into) override {
    return socket_.board.port_read_ahead(port, width, into);
  }
  std::size_t port_write_ahead(u16 port, Width width, std::span<const u8> from) override {
    return socket_.board.port_write_ahead(port, width, from);
  }
  bool apic_msr_read(u32 msr, u64& value) override { return lapic.msr_read(msr, value); }
  bool apic_msr_write(u32 msr, u64 value) override { return lapic.msr_write(msr, value); }
  bool x87_error(cpu::X87Error error) override { return socket_.board.x87_error(error); }
  void stall(u64 ns) override { socket_.scheduler.stall(ns); }
  void init_taken() override { lapic.init_reset(); }
  void performance_interrupt() override { lapic.performance_interrupt(); }
  u64 virtual_ns(u64 retired) override;

  // devices::ApicCpu
  void nmi() override;
  void smi() override;
  void init() override;
  void start_up(u8 vector) override;
  void interrupt() override { socket_.board.woken(index_); }
  void apic_base_changed(u64 phys, bool mmio_enabled) override;

 private:
  /// SDM 3A 8.4.1: all but the boot processor wait.
  cpu::Activity after_reset() const {
    return index_ == 0 ? cpu::Activity::Running : cpu::Activity::WaitForSipi;
  }

  const ProcessorSocket socket_;
  const unsigned index_;

 public:
  devices::Lapic lapic;

 private:
  std::optional<TracedMmio> traced_lapic_;  // if there is a trace

 public:
  const std::unique_ptr<Tap> tap;  // nullptr: the engine runs alone
  cpu::Cpu cpu;
  cpu::Vcpu vcpu;
};

}  // namespace reprise::machine
