// SystemFixture: a vCPU with descriptor tables, a TSS, handlers and page tables, for tests of system behaviour.
//
// RAM is 8 MiB at physical 0, identity-mapped by 4 KiB pages where paging is on: user-accessible and writable. Every
// vector has a gate to kHandlers + 16 * vector, where a HLT waits.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <vector>

#include "common/log.h"
#include "cpu/engine/interp_engine.h"
#include "cpu/engine/vcpu.h"
#include "cpu/system/interrupts.h"
#include "cpu/system/segments.h"
#include "mmu/code_pages.h"
#include "mmu/phys_map.h"
#include "mmu/ram.h"

namespace reprise::test {

class FakeBus final : public cpu::CpuBus {
 public:
  u32 port_read(u16, Width) override { return 0; }
  void port_write(u16, Width, u32) override {}
  bool apic_msr_read(u32 msr, u64& value) override {
    value = msr == 0x6e0 ? deadline_ns : apic_base;
    return true;
  }
  bool apic_msr_write(u32 msr, u64 value) override {
    (msr == 0x6e0 ? deadline_ns : apic_base) = value;
    return true;
  }
  void stall(u64 ns) override { stalled_ns += ns; }
  void init_taken() override { ++inits; }
  void performance_interrupt() override {
    ++performance_interrupts;
    if (on_performance_interrupt) on_performance_interrupt();
  }
  u64 virtual_ns(u64 retired) override { return retired + idle_ns; }
  u64 apic_base = 0xfee00900;
  u64 deadline_ns = 0;
  u64 stalled_ns = 0;
  u64 idle_ns = 0;
  unsigned inits = 0;
  unsigned performance_interrupts = 0;
  std::function<void()> on_performance_interrupt;
};

class FakeInterrupts final : public InterruptSource {
 public:
  bool interrupt_pending() const override { return pending; }
  u8 acknowledge_interrupt() override {
    pending = false;
    return vector;
  }
  u8 cr8() const override { return tpr; }
  void set_cr8(u8 value) override { tpr = value; }
  bool pending = false;
  u8 vector = 0x30;
  u8 tpr = 0;
};

class SystemFixture : public ::testing::Test {
 public:
  // Memory
  static constexpr u64 kRamBytes = 8u << 20;
  static constexpr u64 kGdt = 0x1000, kIdt = 0x2000, kTss = 0x4000, kLdt = 0x5000;
  static constexpr u64 kCode = 0x10000, kStack = 0x20000, kIstStack = 0x24000, kUserStack = 0x28000,
                       kInnerStack = 0x2c000;
  static constexpr u64 kData = 0x30000, kHandlers = 0x40000;
  static constexpr u64 kPml4 = 0x700000, kPdpt = 0x701000, kPageDirectory = 0x702000, kPageTables = 0x703000;
  // Selectors
  static constexpr u16 kCode64 = 0x08, kData0 = 0x10, kCode32 = 0x18, kCode32User = 0x23, kDataUser = 0x2b,
                       kCode64User = 0x33, kTssSelector = 0x40, kLdtSelector = 0x50, kConforming = 0x60,
                       kCode16 = 0x68, kData16 = 0x70, kDataAbsent = 0x78, kExecuteOnly = 0x80,
                       kReadOnly = 0x88, kCodeAbsent = 0x90, kLongAndBig = 0x98, kGate = 0xa0,
                       kScratch = 0xb0, kConforming32 = 0xc0, kLastSelector = 0xf8;
  static constexpr u16 kIdtGateBit = 2;
  // Access bytes
  static constexpr u16 kAccessCode = 0x9b, kAccessData = 0x93, kFlagG = 0x8000, kFlagDb = 0x4000,
                       kFlagL = 0x2000;

  explicit SystemFixture(const cpu::CpuProfile& profile = cpu::default_profile())
      : ram_(mmu::Ram::create(kRamBytes).take()),
        phys_map_(*ram_),
        cpu_(std::make_unique<cpu::Cpu>(bus, interrupts, phys_map_, code_pages_, profile, log_)),
        engine_(profile, code_pages_),
        vcpu_(*cpu_, engine_) {
    EXPECT_TRUE(phys_map_.add_ram("ram", 0, kRamBytes, 0).ok());
    build_page_tables();
    build_gdt();
    for (unsigned vector = 0; vector < 256; ++vector) poke<u8>(handler(vector), 0xf4);
    enter_64bit();
  }

  cpu::Cpu& cpu() { return *cpu_; }
  cpu::CpuState& state() { return cpu_->state; }
  cpu::Vcpu& vcpu() { return vcpu_; }
  cpu::Engine& engine() { return engine_; }
  u64& reg(cpu::Gpr number) { return cpu_->state.gpr[number]; }
  mmu::CodePages& code_pages() { return code_pages_; }

  // --- Memory ---
  template <class T>
  T peek(u64 phys) const {
    return read_unaligned<T>(ram_->host() + phys);
  }
  template <class T>
  void poke(u64 phys, T value) {
    write_unaligned<T>(ram_->host() + phys, value);
    code_pages_.written(phys, sizeof(T));
  }
  void code(std::initializer_list<u8> bytes, u64 phys = kCode) {
    for (const u8 byte : bytes) poke<u8>(phys++, byte);
  }
  void map(u64 linear, u64 phys, u64 bits) {
    poke<u64>(kPageTables + (linear >> kPageShift) * 8, (phys & kPageMask) | bits);
    cpu().mmu.flush_all();
  }
  void unmap(u64 linear) { map(linear, 0, 0); }

  // --- Descriptors ---
  static constexpr u64 descriptor(u32 base, u32 limit20, u16 access) {
    return (limit20 & 0xffff) | u64{base & 0xffffff} << 16 | u64{access & 0xf0ffu} << 40 |
           u64{(limit20 >> 16) & 0xf} << 48 | u64{base >> 24} << 56;
  }
  static constexpr u16 with_dpl(u16 access, unsigned dpl) { return static_cast<u16>(access | dpl << 5); }
  void set_descriptor(u16 selector, u64 value) { poke<u64>(kGdt + (selector & ~7u), value); }
  u64 get_descriptor(u16 selector) const { return peek<u64>(kGdt + (selector & ~7u)); }
  static constexpr u64 handler(unsigned vector) { return kHandlers + 16 * vector; }
  static constexpr u64 gate_low(u16 selector, u64 offset, u8 access, u8 ist = 0) {
    return (offset & 0xffff) | u64{selector} << 16 | u64{ist} << 32 | u64{access} << 40 |
           ((offset >> 16) & 0xffff) << 48;
  }
  /// The gate of `vector` in the IDT of the current mode.
  void set_gate(unsigned vector, u16 selector, u8 access = 0x8e, u8 ist = 0) {
    if (state().efer & mmu::kEferLma) {
      poke<u64>(kIdt + 16 * vector, gate_low(selector, handler(vector), access, ist));
      poke<u64>(kIdt + 16 * vector + 8, handler(vector) >> 32);
    } else {
      poke<u64>(kIdt + 8 * vector, gate_low(selector, handler(vector), access));
    }
  }
  void set_all_gates(u16 selector, u8 access = 0x8e) {
    for (unsigned vector = 0; vector < 256; ++vector) set_gate(vector, selector, access);
  }

  void build_gdt() {
    constexpr u16 kFlat = kFlagG | kFlagDb;
    set_descriptor(0, 0);
    set_descriptor(kCode64, descriptor(0, 0xfffff, kAccessCode | kFlagG | kFlagL));
    set_descriptor(kData0, descriptor(0, 0xfffff, kAccessData | kFlat));
    set_descriptor(kCode32, descriptor(0, 0xfffff, kAccessCode | kFlat));
    set_descriptor(kCode32User, descriptor(0, 0xfffff, with_dpl(kAccessCode | kFlat, 3)));
    set_descriptor(kDataUser, descriptor(0, 0xfffff, with_dpl(kAccessData | kFlat, 3)));
    set_descriptor(kCode64User, descriptor(0, 0xfffff, with_dpl(kAccessCode | kFlagG | kFlagL, 3)));
    set_descriptor(kTssSelector, descriptor(kTss, 0x67, 0x89));
    set_descriptor(kTssSelector + 8, 0);
    set_descriptor(kLdtSelector, descriptor(kLdt, 0x17, 0x82));
    set_descriptor(kLdtSelector + 8, 0);
    set_descriptor(kConforming, descriptor(0, 0xfffff, 0x9f | kFlagG | kFlagL));
    set_descriptor(kConforming32, descriptor(0, 0xfffff, 0x9f | kFlat));
    set_descriptor(kCode16, descriptor(0, 0xffff, kAccessCode));
    set_descriptor(kData16, descriptor(0, 0xffff, kAccessData));
    set_descriptor(kDataAbsent, descriptor(0, 0xfffff, 0x13 | kFlat));
    set_descriptor(kExecuteOnly, descriptor(0, 0xfffff, 0x99 | kFlat));
    set_descriptor(kReadOnly, descriptor(0, 0xfffff, 0x91 | kFlat));
    set_descriptor(kCodeAbsent, descriptor(0, 0xfffff, 0x1b | kFlagG | kFlagL));
    set_descriptor(kLongAndBig, descriptor(0, 0xfffff, kAccessCode | kFlagG | kFlagL | kFlagDb));
  }

  // --- Modes ---
  void enter_64bit(u8 cpl = 0) {
    base_state();
    state().cr0 = mmu::kCr0Pe | mmu::kCr0Pg | mmu::kCr0Wp | mmu::kCr0Ne | mmu::kCr0Et;
    state().cr4 = mmu::kCr4Pae | mmu::kCr4Osfxsr | mmu::kCr4Osxsave | mmu::kCr4Fsgsbase;
    state().xcr0 = 3;
    state().efer = mmu::kEferLme | mmu::kEferLma | mmu::kEferNxe | mmu::kEferSce;
    state().cr3 = kPml4;
    select(cpl == 0 ? kCode64 : kCode64User, cpl == 0 ? kData0 : kDataUser, cpl);
    set_tss64();
    set_all_gates(kCode64);
    apply();
  }
  /// Compatibility mode, 32-bit code.
  void enter_compat(u8 cpl) {
    enter_64bit();
    select(cpl == 0 ? kCode32 : kCode32User, cpl == 0 ? kData0 : kDataUser, cpl);
    apply();
  }
  /// Legacy 32-bit protected mode without paging.
  void enter_32bit(u8 cpl = 0) {
    base_state();
    state().cr0 = mmu::kCr0Pe | mmu::kCr0Ne | mmu::kCr0Et;
    select(cpl == 0 ? kCode32 : kCode32User, cpl == 0 ? kData0 : kDataUser, cpl);
    set_tss32();
    set_all_gates(kCode32);
    apply();
  }
  void enter_real() {
    base_state();
    state().cr0 = mmu::kCr0Et;
    state().cr4 = 0;
    state().efer = 0;
    for (unsigned i = 0; i < 6; ++i)
      state().seg[i] = {.base = 0, .limit = 0xffff, .selector = 0, .access = kAccessData};
    state().idtr = {.base = 0, .limit = 0x3ff};
    state().rip = 0x8000;
    state().gpr[cpu::RSP] = 0x7000;
    for (unsigned vector = 0; vector < 256; ++vector) poke<u32>(4 * vector, 0x90000000 | (0x100 + vector));
    apply();
  }
  void enter_v86(unsigned iopl) {
    enter_32bit();
    for (unsigned i = 0; i < 6; ++i) state().seg[i] = cpu::v86_segment(static_cast<u16>(0x1000 + 0x100 * i));
    state().rflags = 2 | kRflagsVmBit | u64{iopl} << 12;
    state().cpl = 3;
    state().rip = 0;
    state().gpr[cpu::RSP] = 0x800;
    apply();
  }
  void apply() { cpu().state_replaced(); }

  // --- Running ---
  cpu::VcpuExit run(u64 budget) { return vcpu_.run(budget); }
  /// Runs `bytes` at kCode for `budget` instructions.
  cpu::VcpuExit run(std::initializer_list<u8> bytes, u64 budget) {
    code(bytes);
    state().rip = kCode;
    return vcpu_.run(budget);
  }
  /// Runs one instruction at kCode that must fault; nothing is delivered.
  void expect_fault(std::initializer_list<u8> bytes, cpu::Vector vector, u32 error_code = 0) {
    code(bytes);
    state().rip = kCode;
    const u64 retired = state().retired;
    const std::vector<u64> before(state().gpr, state().gpr + 16);
    ASSERT_EQ(engine_.run(cpu(), 1), cpu::RunExit::Fault);
    EXPECT_EQ(cpu().fault.vector, vector);
    EXPECT_EQ(cpu().fault.error_code, error_code);
    EXPECT_EQ(state().rip, kCode);
    EXPECT_EQ(state().retired, retired);
    EXPECT_EQ(std::vector<u64>(state().gpr, state().gpr + 16), before);
  }
  /// Runs one instruction at kCode that must retire.
  void expect_retires(std::initializer_list<u8> bytes) {
    code(bytes);
    state().rip = kCode;
    const cpu::RunExit exit = engine_.run(cpu(), 1);
    ASSERT_NE(exit, cpu::RunExit::Fault)
        << "vector " << unsigned{cpu().fault.vector} << " error " << cpu().fault.error_code;
  }

  FakeBus bus;
  FakeInterrupts interrupts;

 protected:
  static constexpr u64 kRflagsVmBit = 1u << 17;

  /// Loads CS, SS and data segments from the GDT without checks.
  void select(u16 cs, u16 data, u8 cpl) {
    for (unsigned i = 0; i < 6; ++i) {
      const u16 selector = i == cpu::CS ? cs : data;
      state().seg[i] = cpu::to_segment(selector, {.low = get_descriptor(selector)});
    }
    state().cpl = cpl;
    state().gpr[cpu::RSP] = cpl == 0 ? kStack : kUserStack;
  }
  void set_tss64() {
    poke<u64>(kTss + 4, kInnerStack);
    for (unsigned ist = 1; ist <= 7; ++ist) poke<u64>(kTss + 28 + 8 * ist, kIstStack);
    state().tr = {.base = kTss, .limit = 0x67, .selector = kTssSelector, .access = 0x8b};
  }
  void set_tss32() {
    poke<u32>(kTss + 4, kInnerStack);
    poke<u32>(kTss + 8, kData0);
    state().tr = {.base = kTss, .limit = 0x67, .selector = kTssSelector, .access = 0x8b};
  }
  void base_state() {
    const u64 retired = state().retired;
    state() = cpu::CpuState{};
    state().retired = retired;
    state().rip = kCode;
    state().gdtr = {.base = kGdt, .limit = 0xff};
    state().idtr = {.base = kIdt, .limit = 0xfff};
    state().ldtr = cpu::null_segment(0);
  }
  void build_page_tables() {
    constexpr u64 kBits = mmu::kPteP | mmu::kPteRw | mmu::kPteUs;
    poke<u64>(kPml4, kPdpt | kBits);
    poke<u64>(kPdpt, kPageDirectory | kBits);
    for (u64 table = 0; table < kRamBytes >> 21; ++table)
      poke<u64>(kPageDirectory + 8 * table, (kPageTables + table * kPageBytes) | kBits);
    for (u64 page = 0; page < kRamBytes >> kPageShift; ++page)
      poke<u64>(kPageTables + 8 * page, page << kPageShift | kBits);
  }

 private:
  Log log_;
  std::unique_ptr<mmu::Ram> ram_;
  mmu::PhysMap phys_map_;
  mmu::CodePages code_pages_;
  std::unique_ptr<cpu::Cpu> cpu_;
  cpu::InterpEngine engine_;
  cpu::Vcpu vcpu_;
};

}  // namespace reprise::test
