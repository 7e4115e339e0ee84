// System instructions over random descriptor tables, modes and operands. What must hold whatever the guest does: an
// instruction that faults has changed nothing, Cpu::mode is that of the state, and the run ends.
#include <random>

#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

using Bytes = std::initializer_list<u8>;

// clang-format off
constexpr Bytes kInsns[] = {
    {0x8e, 0xd8}, {0x8e, 0xd0}, {0x8e, 0xe0}, {0x8e, 0x13}, {0x8c, 0xc8},  // MOV Sreg
    {0x0f, 0xa1}, {0x0f, 0xa9}, {0x17}, {0x1f}, {0x07}, {0x0f, 0xa0}, {0x16},  // POP, PUSH Sreg
    {0x0f, 0xb2, 0x03}, {0x0f, 0xb4, 0x03}, {0xc5, 0x03},  // LSS, LFS, LDS
    {0x0f, 0x02, 0xc1}, {0x0f, 0x03, 0xc1}, {0x0f, 0x00, 0xe0}, {0x0f, 0x00, 0xe8}, {0x63, 0xc8},
    {0x0f, 0x00, 0xd0}, {0x0f, 0x00, 0xd8}, {0x0f, 0x01, 0x13}, {0x0f, 0x01, 0x1b}, {0x0f, 0x01, 0x03},
    {0xff, 0x2b}, {0xff, 0x1b}, {0x48, 0xff, 0x2b}, {0x66, 0xff, 0x1b},  // far JMP, CALL
    {0xcb}, {0x48, 0xcb}, {0x66, 0xcb}, {0xca, 0x08, 0x00},  // RETF
    {0xcf}, {0x48, 0xcf}, {0x66, 0xcf},  // IRET
    {0xcd, 0x30}, {0xcd, 0x0d}, {0xcc}, {0xf1}, {0xce}, {0x62, 0x03},  // INT, BOUND
    {0x0f, 0x05}, {0x0f, 0x07}, {0x48, 0x0f, 0x07}, {0x0f, 0x34}, {0x0f, 0x35}, {0x48, 0x0f, 0x35},
    {0x0f, 0x22, 0xc0}, {0x0f, 0x22, 0xe0}, {0x0f, 0x22, 0xd8}, {0x0f, 0x23, 0xf8}, {0x0f, 0x23, 0xc0},
    {0x0f, 0x21, 0xf0},
    {0x0f, 0x01, 0xf0}, {0x0f, 0x06}, {0x0f, 0x30}, {0x0f, 0x32}, {0x0f, 0x01, 0xd1}, {0x0f, 0x01, 0xd0},
    {0x9c}, {0x9d}, {0x66, 0x9d}, {0xfa}, {0xfb}, {0xf4}, {0x0f, 0x01, 0xf8}, {0x0f, 0x01, 0xca},
    {0x0f, 0x01, 0xcb},
    {0x0f, 0xae, 0x03}, {0x0f, 0xae, 0x0b}, {0x0f, 0xae, 0x23}, {0x0f, 0xae, 0x2b}, {0x0f, 0xae, 0x13},
    {0xf3, 0x48, 0x0f, 0xae, 0xd0}, {0xf3, 0x0f, 0xae, 0xc8}, {0x66, 0x0f, 0x38, 0x82, 0x03}, {0x0f, 0x01, 0x3b},
    {0x0f, 0xa2}, {0x0f, 0x31}, {0x0f, 0x0b}, {0x90}, {0xa4},
};
// clang-format on

class Random : public SystemFixture {
 public:
  std::mt19937_64 rng;

  u64 pick(u64 count) { return rng() % count; }
  /// A value with a chance of being near an edge.
  u64 value() {
    switch (pick(6)) {
      case 0: return pick(0x100);
      case 1: return u64{1} << pick(64);
      case 2: return ~u64{0} << pick(64);
      case 3: return kData + pick(64) * 8;
      case 4: return rng() & 0xffffffff;
      default: return rng();
    }
  }
  u16 selector() { return static_cast<u16>(pick(4) == 0 ? rng() : pick(0x20) * 8 + pick(8)); }

  void random_tables() {
    for (u16 slot = 8; slot < 0x100; slot += 8) {
      if (pick(3) == 0) continue;
      u64 entry = rng();
      if (pick(2))
        entry = descriptor(pick(2) ? 0 : static_cast<u32>(rng() & 0xfffff), 0xfffff,
                           static_cast<u16>(rng() | 0x80));
      set_descriptor(slot, entry);
    }
    for (unsigned vector = 0; vector < 64; ++vector) {
      if (pick(4) != 0) continue;
      set_gate(vector, selector(), static_cast<u8>(rng()), static_cast<u8>(pick(8)));
    }
    if (pick(4) == 0) poke<u64>(kTss + 4 + 4 * pick(24), value());
    if (pick(8) == 0) state().tr.limit = static_cast<u32>(pick(0x70));
    if (pick(8) == 0) state().idtr.limit = static_cast<u16>(rng());
    if (pick(8) == 0) state().gdtr.limit = static_cast<u16>(rng());
  }
  void random_mode() {
    switch (pick(7)) {
      case 0: enter_64bit(0); break;
      case 1: enter_64bit(3); break;
      case 2: enter_compat(pick(2) ? 0 : 3); break;
      case 3: enter_32bit(0); break;
      case 4: enter_32bit(3); break;
      case 5: enter_real(); break;
      default: enter_v86(static_cast<unsigned>(pick(4))); break;
    }
  }
  void random_registers() {
    for (unsigned i = 0; i < 16; ++i) reg(static_cast<Gpr>(i)) = value();
    reg(RBX) = pick(4) == 0 ? value() : kData;
    reg(RSP) = pick(4) == 0 ? value() : kStack - 256 + pick(256);
    if (pick(2)) reg(RAX) = selector();
    if (pick(2)) reg(RCX) = pick(2) ? 0xc0000080 + pick(4) : selector();
    for (unsigned i = 0; i < 32; ++i) {
      poke<u64>(kData + 8 * i, pick(2) ? selector() : value());
      poke<u64>(kStack - 256 + 16 * i, pick(2) ? selector() : value());
    }
    state().rflags = (rng() & 0x257fd5) | (state().rflags & 0x23000) | 2;
    state().dr[0] = pick(2) ? kData : value();
    state().dr7 = pick(4) == 0 ? (rng() & 0xffff23ff) | 0x400 : 0x400;
    state().star = rng();
    state().sysenter_cs = selector();
    state().lstar = kHandlers;
    interrupts.pending = pick(4) == 0;
    state().nmi_pending = pick(8) == 0;
  }
  std::vector<u8> image() {
    // Delivery and time move on with each attempt; the rest must be as it was.
    Archive archive;
    CpuState copy = state();
    copy.nmi_blocked = false;
    copy.gpr[kGprPageBase] = 0;
    copy.serialize(archive);
    return {archive.bytes().begin(), archive.bytes().end()};
  }
};

TEST_F(Random, FaultsChangeNothingAndRunsEnd) {
  const u64 seed = 0x5eed;
  for (u64 round = 0; round < 20000; ++round) {
    rng.seed(seed + round);
    SCOPED_TRACE(round);
    if (round % 64 == 0) build_gdt();
    random_mode();
    random_tables();
    random_registers();
    const bool real = (state().cr0 & mmu::kCr0Pe) == 0;
    const bool v86 = (state().rflags & (1u << 17)) != 0;
    const u64 at = real ? 0x8000 : v86 ? 0x11000 : kCode;
    for (unsigned i = 0, offset = 0; i < 4; ++i) {
      const Bytes& insn = kInsns[pick(std::size(kInsns))];
      code(insn, at + offset);
      offset += static_cast<unsigned>(insn.size());
    }
    state().rip = real ? 0x8000 : v86 ? 0 : kCode;
    apply();

    const std::vector<u8> before = image();
    if (engine().run(cpu(), 1) == RunExit::Fault) {
      ASSERT_EQ(image(), before) << "vector " << unsigned{cpu().fault.vector};
      deliver_event(cpu(), Fault{cpu().fault});
    }
    cpu().task_fault = false;
    ASSERT_EQ(cpu().mode, mode_key(state()));
    vcpu().run(32);
    ASSERT_EQ(cpu().mode, mode_key(state()));
    ASSERT_LE(state().cpl, 3);
    ASSERT_EQ(state().rflags & 0xffffffffffc0802a, 2u);
    state().activity = Activity::Running;
  }
}

}  // namespace
}  // namespace reprise::test
