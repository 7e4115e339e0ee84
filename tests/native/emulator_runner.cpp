#include "tests/native/emulator_runner.h"
#include "common/log.h"

#include <algorithm>

#include "cpu/engine/interp_engine.h"
#include "mmu/phys_map.h"

namespace reprise::native {
namespace {

using namespace reprise::mmu;

constexpr u64 kRamBytes = 2u << 20;
constexpr u64 kPml4Phys = 0x1000;
constexpr u64 kPdptPhys = 0x2000;
constexpr u64 kPdPhys = 0x3000;
constexpr u64 kCodeTablePhys = 0x4000;
constexpr u64 kDataTablePhys = 0x5000;
constexpr u64 kCodePhys = 0x10000;
constexpr u64 kDataPhys = 0x20000;
/// Far beyond what any case retires (REP over three pages).
constexpr u64 kBudget = 100000;

class NoBus final : public cpu::CpuBus {
 public:
  u32 port_read(u16, Width) override { return ~0u; }
  void port_write(u16, Width, u32) override {}
  bool apic_msr_read(u32, u64&) override { return false; }
  bool apic_msr_write(u32, u64) override { return false; }
  u64 virtual_ns(u64 retired) override { return retired; }
};

class NoInterrupts final : public InterruptSource {
 public:
  bool interrupt_pending() const override { return false; }
  u8 acknowledge_interrupt() override { return 0; }
  u8 cr8() const override { return 0; }
  void set_cr8(u8) override {}
};

void load_x87(const FxImage& fx, cpu::CpuState& state) {
  cpu::X87& x87 = state.x87;
  x87.fcw = fx.get<u16>(FxImage::kFcw);
  x87.fsw = fx.get<u16>(FxImage::kFsw);
  x87.fop = fx.get<u16>(FxImage::kFop);
  x87.fip = fx.get<u64>(FxImage::kFip);
  x87.fdp = fx.get<u64>(FxImage::kFdp);
  x87.valid = fx.get<u8>(FxImage::kFtw);
  for (unsigned i = 0; i < 8; ++i) {
    x87.st[(x87.top() + i) & 7] = {fx.get<u64>(FxImage::st(i)), fx.get<u16>(FxImage::st(i) + 8)};
  }
}

void store_x87(const cpu::CpuState& state, FxImage& fx) {
  const cpu::X87& x87 = state.x87;
  fx.set(FxImage::kFcw, x87.fcw);
  fx.set(FxImage::kFsw, x87.fsw);
  fx.set(FxImage::kFop, x87.fop);
  fx.set(FxImage::kFip, x87.fip);
  fx.set(FxImage::kFdp, x87.fdp);
  fx.set(FxImage::kFtw, x87.valid);
  for (unsigned i = 0; i < 8; ++i) {
    const cpu::Float80& reg = x87.st[(x87.top() + i) & 7];
    fx.set(FxImage::st(i), reg.significand);
    fx.set(FxImage::st(i) + 8, reg.sign_exponent);
  }
}

}  // namespace

struct EmulatorRunner::Machine {
  Machine(std::unique_ptr<Ram> ram_block, MakeEngine make_engine)
      : ram(std::move(ram_block)),
        phys_map(*ram),
        cpu(bus, interrupts, phys_map, code_pages, cpu::default_profile(), log),
        engine(make_engine(cpu::default_profile(), code_pages)) {
    (void)phys_map.add_ram("ram", 0, kRamBytes, 0).ok();
    code_pages.add_tag_holder(cpu.mmu);
    build_page_tables();
    enter_user_mode();
  }

  void entry(u64 table, u64 index, u64 value) {
    write_unaligned<u64>(ram->host() + table + 8 * index, value);
  }

  void build_page_tables() {
    constexpr u64 kUserTable = kPteP | kPteRw | kPteUs;
    static_assert(kCodeLinear >> 39 == 0 && kDataLinear >> 30 == kCodeLinear >> 30);
    entry(kPml4Phys, 0, kPdptPhys | kUserTable);
    entry(kPdptPhys, kCodeLinear >> 30, kPdPhys | kUserTable);
    entry(kPdPhys, (kCodeLinear >> 21) & 511, kCodeTablePhys | kUserTable);
    entry(kPdPhys, (kDataLinear >> 21) & 511, kDataTablePhys | kUserTable);
    for (u64 i = 0; i < kCodePages; ++i) entry(kCodeTablePhys, i, (kCodePhys + i * kPageBytes) | kUserTable);
    for (u64 i = 0; i < kDataPages; ++i) {
      const u64 rights = i < kWritablePages ? kUserTable | kPteXd : kPteP | kPteUs | kPteXd;
      entry(kDataTablePhys, i, (kDataPhys + i * kPageBytes) | rights);
    }
  }

  void enter_user_mode() {
    cpu::CpuState& state = cpu.state;
    state.cr0 = kCr0Pe | kCr0Pg | kCr0Wp | kCr0Ne | kCr0Et | kCr0Mp | kCr0Am;
    state.cr3 = kPml4Phys;
    state.cr4 = kCr4Pae | kCr4Osfxsr | kCr4Osxmmexcpt | kCr4Osxsave;
    state.xcr0 = 7;
    state.efer = kEferLme | kEferLma | kEferNxe | kEferSce;
    state.cpl = 3;
    state.seg[cpu::CS] = {.base = 0, .limit = ~0u, .selector = 0x33, .access = 0xa0fb};
    for (const auto seg : {cpu::SS, cpu::DS, cpu::ES, cpu::FS, cpu::GS}) {
      state.seg[seg] = {.base = 0, .limit = ~0u, .selector = 0x2b, .access = 0xc0f3};
    }
    cpu.mmu.set_paging(state.cr0, state.cr4, state.efer);
    cpu.mmu.set_cr3(state.cr3);
    cpu.sync_mode();
  }

  std::unique_ptr<Ram> ram;
  PhysMap phys_map;
  CodePages code_pages;
  NoBus bus;
  NoInterrupts interrupts;
  Log log;
  cpu::Cpu cpu;
  std::unique_ptr<cpu::Engine> engine;
};

EmulatorRunner::EmulatorRunner()
    : EmulatorRunner(
          [](const cpu::CpuProfile& profile, CodePages& code_pages) -> std::unique_ptr<cpu::Engine> {
            return std::make_unique<cpu::InterpEngine>(profile, code_pages);
          }) {}
EmulatorRunner::EmulatorRunner(MakeEngine make_engine)
    : machine_(std::make_unique<Machine>(Ram::create(kRamBytes).take(), make_engine)) {}
EmulatorRunner::~EmulatorRunner() = default;

const cpu::Engine& EmulatorRunner::engine() const { return *machine_->engine; }

void EmulatorRunner::run(const Case& test, Outcome& outcome, u64 slice) {
  Machine& machine = *machine_;
  cpu::Cpu& cpu = machine.cpu;
  cpu::CpuState& state = cpu.state;
  u8* code = machine.ram->host() + kCodePhys;
  machine.code_pages.written(kCodePhys, kPageBytes);
  machine.code_pages.written(kCodePhys + kPageBytes, kPageBytes);
  std::memset(code, 0xcc, kCodePages * kPageBytes);
  std::memcpy(code + (test.rip - kCodeLinear), test.code, test.code_bytes);
  fill_data(test, machine.ram->host() + kDataPhys);

  std::memcpy(state.gpr, test.in.gpr, sizeof(test.in.gpr));
  state.rip = test.rip;
  state.rflags = test.in.rflags;
  state.mxcsr = test.in.fx.get<u32>(FxImage::kMxcsr);
  load_x87(test.in.fx, state);
  for (unsigned i = 0; i < 16; ++i) {
    std::memcpy(&state.ymm[i], test.in.fx.bytes + FxImage::xmm(i), 16);
    std::memcpy(&state.ymm[i].qword[2], test.in.ymm_high[i], 16);
  }
  cpu.sync_mode();

  const u64 end = state.retired + kBudget;
  cpu::RunExit exit = cpu::RunExit::Event;
  while (state.retired < end && (exit == cpu::RunExit::Event || exit == cpu::RunExit::Budget)) {
    exit = machine.engine->run(cpu, std::min(slice, end - state.retired));
  }
  retired_ = state.retired - (end - kBudget);

  // There is no IDT: the INT3 behind the code cannot be delivered and faults. That is the normal end of a
  // case.
  const u64 code_offset = state.rip - kCodeLinear;
  const bool at_int3 =
      exit == cpu::RunExit::Fault && code_offset < kCodePages * kPageBytes && code[code_offset] == 0xcc;
  if (at_int3) {
    cpu.fault = {.vector = cpu::kBP};
    ++state.rip;
  }

  outcome = {};
  std::memcpy(outcome.out.gpr, state.gpr, sizeof(outcome.out.gpr));
  outcome.out.rip = state.rip;
  outcome.out.rflags = state.rflags;
  store_x87(state, outcome.out.fx);
  outcome.out.fx.set(FxImage::kMxcsr, state.mxcsr);
  for (unsigned i = 0; i < 16; ++i) {
    std::memcpy(outcome.out.fx.bytes + FxImage::xmm(i), &state.ymm[i], 16);
    std::memcpy(outcome.out.ymm_high[i], &state.ymm[i].qword[2], 16);
  }
  outcome.timed_out = exit == cpu::RunExit::Event || exit == cpu::RunExit::Budget;
  outcome.vector = cpu.fault.vector;
  outcome.error_code = cpu.fault.has_error_code ? cpu.fault.error_code : 0;
  outcome.cr2 = cpu.fault.vector == cpu::kPF ? cpu.fault.linear : 0;
  std::memcpy(outcome.data, machine.ram->host() + kDataPhys, kDataBytes);
}

}  // namespace reprise::native
