// A CPU in flat 32-bit protected mode without paging, CR0.NE set, and a little memory: enough to run x87
// bodies.
#pragma once

#include <span>

#include "common/log.h"
#include "cpu/core/cpu.h"

namespace reprise::cpu::test {

class NoBus final : public CpuBus {
 public:
  u32 port_read(u16, Width) override { return 0; }
  void port_write(u16, Width, u32) override {}
  bool apic_msr_read(u32, u64&) override { return false; }
  bool apic_msr_write(u32, u64) override { return false; }
  u64 virtual_ns(u64) override { return 0; }
};

class NoInterrupts final : public InterruptSource {
 public:
  bool interrupt_pending() const override { return false; }
  u8 acknowledge_interrupt() override { return 0; }
  u8 cr8() const override { return 0; }
  void set_cr8(u8) override {}
};

class Machine {
 public:
  static constexpr u64 kRamBytes = 1 << 20;

  Machine()
      : ram(mmu::Ram::create(kRamBytes).take()),
        phys_map(*ram),
        cpu(bus, interrupts, phys_map, code_pages, default_profile(), log) {
    phys_map.add_ram("ram", 0, kRamBytes, 0).ok();
    cpu.state.cr0 = 0x21;  // PE, NE
    for (Segment& segment : cpu.state.seg) {
      segment.limit = 0xffffffff;
      segment.access = Segment::kPresent | Segment::kS | Segment::kWritable | Segment::kDb;
    }
    cpu.state.seg[CS].access |= Segment::kCode;
    cpu.sync_mode();
  }
  void poke(u64 phys, std::span<const u8> bytes) { phys_map.write_bytes(phys, bytes); }
  void peek(u64 phys, std::span<u8> bytes) { phys_map.read_bytes(phys, bytes); }

  std::unique_ptr<mmu::Ram> ram;
  mmu::PhysMap phys_map;
  mmu::CodePages code_pages;
  NoBus bus;
  NoInterrupts interrupts;
  Log log;
  Cpu cpu;
};

}  // namespace reprise::cpu::test
