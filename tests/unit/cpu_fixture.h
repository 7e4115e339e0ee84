// CpuFixture: one vCPU over a little RAM, run by the interpreter, for tests of instruction bodies.
//
// RAM is 8 MiB at physical 0. In 64-bit mode it is identity-mapped by 4 KiB pages, user-accessible and
// writable, which `map` and `unmap` change one by one; 32- and 16-bit code run without paging. Code goes to
// kCode.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "common/log.h"
#include "cpu/engine/interp_engine.h"
#include "mmu/code_pages.h"
#include "mmu/phys_map.h"
#include "mmu/ram.h"

namespace reprise::test {

/// Records port accesses and answers reads with `next_read`.
class FakeCpuBus final : public cpu::CpuBus {
 public:
  struct PortAccess {
    bool write;
    u16 port;
    Width width;
    u32 value;
    friend bool operator==(const PortAccess&, const PortAccess&) = default;
  };
  u32 port_read(u16 port, Width width) override {
    accesses.push_back({false, port, width, next_read});
    return next_read++;
  }
  void port_write(u16 port, Width width, u32 value) override {
    accesses.push_back({true, port, width, value});
  }
  /// Reads count on from `next_read` as elsewhere; both note one access for all.
  std::size_t port_read_ahead(u16, Width width, std::span<u8> into) override {
    const std::size_t bytes = std::min(into.size(), ahead_bytes) / width_bytes(width) * width_bytes(width);
    for (std::size_t at = 0; at < bytes; at += width_bytes(width), ++next_read)
      std::memcpy(into.data() + at, &next_read, width_bytes(width));
    ahead_bytes -= bytes;
    if (bytes) aheads.push_back(bytes);
    return bytes;
  }
  std::size_t port_write_ahead(u16, Width width, std::span<const u8> from) override {
    const std::size_t bytes = std::min(from.size(), ahead_bytes) / width_bytes(width) * width_bytes(width);
    written_ahead.insert(written_ahead.end(), from.begin(),
                         from.begin() + static_cast<std::ptrdiff_t>(bytes));
    ahead_bytes -= bytes;
    if (bytes) aheads.push_back(bytes);
    return bytes;
  }
  bool apic_msr_read(u32, u64&) override { return false; }
  bool apic_msr_write(u32, u64) override { return false; }
  u64 virtual_ns(u64 retired) override { return retired; }

  std::vector<PortAccess> accesses;
  std::size_t ahead_bytes = 0;  // that may be moved ahead
  std::vector<std::size_t> aheads;
  std::vector<u8> written_ahead;
  u32 next_read = 0x11223344;
};

class NoInterrupts final : public InterruptSource {
 public:
  bool interrupt_pending() const override { return false; }
  u8 acknowledge_interrupt() override { return 0; }
  u8 cr8() const override { return tpr_; }
  void set_cr8(u8 value) override { tpr_ = value; }

 private:
  u8 tpr_ = 0;
};

/// A profile with every feature on.
inline const cpu::CpuProfile& full_profile() {
  static const cpu::CpuProfile profile = [] {
    cpu::CpuProfile all{};
    all.name = "test";
    all.vendor = "GenuineIntel";
    all.brand = "test";
    all.family = 6;
    all.physical_address_bits = 46;
    all.features.set();
    return all;
  }();
  return profile;
}

class CpuFixture : public ::testing::Test {
 public:
  static constexpr u64 kRamBytes = 8u << 20;
  static constexpr u64 kCode = 0x10000;
  static constexpr u64 kStackTop = 0x20000;
  static constexpr u64 kData = 0x30000;
  static constexpr u64 kPml4 = 0x700000, kPdpt = 0x701000, kPageDirectory = 0x702000, kPageTables = 0x703000;

  explicit CpuFixture(const cpu::CpuProfile& profile = full_profile())
      : ram_(mmu::Ram::create(kRamBytes).take()),
        phys_map_(*ram_),
        cpu_(std::make_unique<cpu::Cpu>(bus, interrupts_, phys_map_, code_pages_, profile, log_)),
        engine_(profile, code_pages_) {
    EXPECT_TRUE(phys_map_.add_ram("ram", 0, kRamBytes, 0).ok());
    build_page_tables();
    enter_64bit();
  }

  cpu::Cpu& cpu() { return *cpu_; }
  cpu::CpuState& state() { return cpu_->state; }
  u64& reg(cpu::Gpr number) { return cpu_->state.gpr[number]; }
  u64& rflags() { return cpu_->state.rflags; }
  mmu::PhysMap& phys_map() { return phys_map_; }

  // --- Modes ---

  /// 64-bit mode with 4-level paging.
  void enter_64bit(u8 cpl = 0) {
    reset_state();
    cpu::CpuState& s = state();
    s.cr0 = mmu::kCr0Pe | mmu::kCr0Pg | mmu::kCr0Wp | mmu::kCr0Ne | mmu::kCr0Et | mmu::kCr0Mp;
    s.cr4 = mmu::kCr4Pae | mmu::kCr4Osfxsr | mmu::kCr4Osxmmexcpt | mmu::kCr4Osxsave;
    s.xcr0 = 7;
    s.efer = mmu::kEferLme | mmu::kEferLma | mmu::kEferNxe | mmu::kEferSce;
    s.cr3 = kPml4;
    set_segments(cpl, cpu::Segment::kLong);
    apply();
  }
  /// Flat 32-bit protected mode, no paging.
  void enter_32bit(u8 cpl = 0) {
    reset_state();
    state().cr0 = mmu::kCr0Pe | mmu::kCr0Ne | mmu::kCr0Et;
    set_segments(cpl, cpu::Segment::kDb);
    apply();
  }
  /// Real-address mode, all segment bases 0.
  void enter_16bit() {
    reset_state();
    state().cr0 = mmu::kCr0Et;
    for (unsigned i = 0; i < 6; ++i) {
      const u16 access = static_cast<u16>(kPresentData | (i == cpu::CS ? cpu::Segment::kCode : 0));
      state().seg[i] = {.base = 0, .limit = 0xffff, .selector = 0, .access = access};
    }
    apply();
  }
  /// After a test changed control registers or segments by hand.
  void apply() {
    cpu().mmu.set_paging(state().cr0, state().cr4, state().efer);
    cpu().mmu.set_cr3(state().cr3);
    cpu().sync_mode();
  }

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
  void poke_bytes(u64 phys, std::span<const u8> bytes) {
    std::memcpy(ram_->host() + phys, bytes.data(), bytes.size());
    code_pages_.written(phys, bytes.size());
  }
  /// The leaf entry of the page at `linear`, below 8 MiB.
  void map(u64 linear, u64 phys, u64 bits = mmu::kPteP | mmu::kPteRw | mmu::kPteUs) {
    poke<u64>(kPageTables + (linear >> kPageShift) * 8, (phys & kPageMask) | bits);
    cpu().mmu.flush_all();
  }
  void unmap(u64 linear) { map(linear, 0, 0); }

  // --- Running ---

  /// Puts `code` at kCode and runs `instructions` of it.
  cpu::RunExit run(std::initializer_list<u8> code, u64 instructions = 1) {
    poke_bytes(kCode, std::vector<u8>(code));
    state().rip = kCode;
    return resume(instructions);
  }
  /// Clears RF first, as the vCPU loop does.
  cpu::RunExit resume(u64 instructions = 1) {
    rflags() &= ~cpu::kRflagsRf;
    return engine_.run(cpu(), instructions);
  }

  /// Expects that `code` raises `vector` with `error_code`, changing neither registers nor rip.
  void expect_fault(std::initializer_list<u8> code, cpu::Vector vector, u32 error_code = 0) {
    std::vector<u64> before(state().gpr, state().gpr + 16);
    const u64 flags_before = rflags();
    const u64 retired_before = state().retired;
    EXPECT_EQ(run(code), cpu::RunExit::Fault);
    EXPECT_EQ(cpu().fault.vector, vector);
    EXPECT_EQ(cpu().fault.error_code, error_code);
    EXPECT_EQ(state().rip, kCode);
    EXPECT_EQ(state().retired, retired_before);
    EXPECT_EQ(rflags(), flags_before);
    EXPECT_EQ(std::vector<u64>(state().gpr, state().gpr + 16), before);
  }

  FakeCpuBus bus;

 private:
  static constexpr u16 kPresentData =
      cpu::Segment::kPresent | cpu::Segment::kS | cpu::Segment::kWritable | cpu::Segment::kAccessed;

  void reset_state() {
    state() = cpu::CpuState{};
    state().gpr[cpu::RSP] = kStackTop;
    state().rip = kCode;
  }
  void set_segments(u8 cpl, u16 code_bits) {
    const u16 common = cpu::Segment::kGranularity | static_cast<u16>(cpl << cpu::Segment::kDplShift);
    const cpu::Segment data{.base = 0,
                            .limit = 0xffffffff,
                            .selector = static_cast<u16>(0x10 | cpl),
                            .access = static_cast<u16>(kPresentData | common | cpu::Segment::kDb)};
    cpu::Segment code = data;
    code.selector = static_cast<u16>(0x08 | cpl);
    code.access = static_cast<u16>(kPresentData | common | cpu::Segment::kCode | code_bits);
    for (unsigned i = 0; i < 6; ++i) state().seg[i] = i == cpu::CS ? code : data;
    state().cpl = cpl;
  }
  void build_page_tables() {
    constexpr u64 kBits = mmu::kPteP | mmu::kPteRw | mmu::kPteUs;
    poke<u64>(kPml4, kPdpt | kBits);
    poke<u64>(kPdpt, kPageDirectory | kBits);
    for (u64 i = 0; i < kRamBytes / (2u << 20); ++i)
      poke<u64>(kPageDirectory + i * 8, (kPageTables + i * kPageBytes) | kBits);
    for (u64 page = 0; page < kRamBytes / kPageBytes; ++page) {
      poke<u64>(kPageTables + page * 8, page * kPageBytes | kBits);
    }
  }

  Log log_;
  NoInterrupts interrupts_;
  std::unique_ptr<mmu::Ram> ram_;
  mmu::PhysMap phys_map_;
  mmu::CodePages code_pages_;
  std::unique_ptr<cpu::Cpu> cpu_;
  cpu::InterpEngine engine_;
};

}  // namespace reprise::test
