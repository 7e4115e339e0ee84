// One vCPU over a little RAM without devices: with an engine, or in 64-bit mode with identity mapping at code that a test
// gives.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "common/check.h"
#include "common/log.h"
#include "cpu/core/cpu.h"
#include "cpu/engine/engine.h"
#include "mmu/code_pages.h"
#include "mmu/paging_bits.h"
#include "mmu/phys_map.h"
#include "mmu/ram.h"

namespace reprise::test {

class NoBoard final : public cpu::CpuBus, public InterruptSource {
 public:
  u32 port_read(u16, Width) override { return 0; }
  void port_write(u16, Width, u32) override {}
  bool apic_msr_read(u32, u64&) override { return false; }
  bool apic_msr_write(u32, u64) override { return false; }
  u64 virtual_ns(u64 retired) override { return retired; }
  bool interrupt_pending() const override { return pending; }
  u8 acknowledge_interrupt() override { return 0; }
  u8 cr8() const override { return 0; }
  void set_cr8(u8) override {}

  bool pending = false;
};

/// A vCPU with an engine of the test's choice over RAM at 0.
class EngineMachine {
 public:
  using MakeEngine = std::function<std::unique_ptr<cpu::Engine>(mmu::CodePages&)>;
  static constexpr u64 kRamBytes = 1u << 20;

  explicit EngineMachine(const MakeEngine& make_engine)
      : ram_(mmu::Ram::create(kRamBytes).take()),
        map_(*ram_),
        cpu_(std::make_unique<cpu::Cpu>(board_, board_, map_, code_pages_, cpu::default_profile(), log_)) {
    CHECK(map_.add_ram("ram", 0, kRamBytes, 0).ok());
    engine_ = make_engine(code_pages_);
  }

  cpu::CpuState& state() const { return cpu_->state; }
  cpu::Engine& engine() { return *engine_; }
  const u8* ram() const { return ram_->host(); }
  /// As a bus master writes.
  void load(u64 phys, std::span<const u8> bytes) {
    map_.write_bytes(phys, bytes);
    code_pages_.written(phys, bytes.size());
  }

 protected:
  std::unique_ptr<mmu::Ram> ram_;
  mmu::PhysMap map_;
  mmu::CodePages code_pages_;
  NoBoard board_;
  Log log_;
  std::unique_ptr<cpu::Cpu> cpu_;
  std::unique_ptr<cpu::Engine> engine_;
};

/// RAM is 1 MiB at 0; every general register but rip begins as kData.
class SmallMachine {
 public:
  static constexpr u64 kRamBytes = 1u << 20;
  static constexpr u64 kCode = 0x10000;
  static constexpr u64 kData = 0x30000;

  explicit SmallMachine(std::span<const u8> code) : ram_(mmu::Ram::create(kRamBytes).take()), map(*ram_) {
    using namespace mmu;
    CHECK(map.add_ram("ram", 0, kRamBytes, 0).ok());
    cpu = std::make_unique<cpu::Cpu>(board_, board_, map, code_pages, cpu::default_profile(), log_);
    // One 2 MiB page.
    map.write(kTables, Width::Qword, (kTables + kPageBytes) | kPteP | kPteRw);
    map.write(kTables + kPageBytes, Width::Qword, (kTables + 2 * kPageBytes) | kPteP | kPteRw);
    map.write(kTables + 2 * kPageBytes, Width::Qword, kPteP | kPteRw | kPtePs);
    map.write_bytes(kCode, code);

    cpu::CpuState& state = cpu->state;
    state.cr0 = kCr0Pe | kCr0Pg | kCr0Wp | kCr0Ne | kCr0Et | kCr0Mp;
    state.cr3 = kTables;
    state.cr4 = kCr4Pae | kCr4Osfxsr | kCr4Osxmmexcpt | kCr4Osxsave;
    state.xcr0 = 7;
    state.efer = kEferLme | kEferLma | kEferNxe | kEferSce;
    for (cpu::Segment& segment : state.seg)
      segment = {.base = 0, .limit = ~0u, .selector = 8, .access = 0xc093};
    state.seg[cpu::CS].access = 0xa09b;
    for (unsigned i = 0; i < 16; ++i) state.gpr[i] = kData;
    state.rip = kCode;
    cpu->state_replaced();
  }

  /// Whether an external interrupt waits.
  void set_interrupt(bool pending) { board_.pending = pending; }

 private:
  static constexpr u64 kTables = 0x1000;
  std::unique_ptr<mmu::Ram> ram_;
  NoBoard board_;
  Log log_;

 public:
  mmu::PhysMap map;
  mmu::CodePages code_pages;
  std::unique_ptr<cpu::Cpu> cpu;
};

}  // namespace reprise::test
