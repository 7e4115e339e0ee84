// Deferred exceptions: an unmasked x87 exception is reported as #MF by the next waiting instruction, by no
// other. SDM 1 8.6, 8.7.
#include <gtest/gtest.h>

#include "cpu/decode/decode.h"
#include "cpu/sem/x87.h"
#include "tests/unit/x87/x87_machine.h"

namespace reprise::cpu::test {
namespace {

class X87Pending : public testing::Test {
 protected:
  X87Pending() : decoder(default_profile()) {}

  Status run(std::vector<u8> code) {
    Insn insn;
    bool ends;
    code.resize(15, 0x90);
    machine->poke(0x800, code);
    machine->cpu.state.gpr[kGprPageBase] = 0;
    decoder.decode(code, machine->cpu.mode, 0x800, insn, ends);
    machine->cpu.block_begin = machine->cpu.current = &insn;
    return insn.exec(machine->cpu, insn);
  }
  void set_cr0(u64 cr0) {
    machine->cpu.state.cr0 = cr0;
    machine->cpu.sync_mode();
  }
  X87& fpu() { return machine->cpu.state.x87; }
  /// FLDZ, FLD1, FDIV ST0,ST1 with ZE unmasked.
  void divide_by_zero() {
    ASSERT_EQ(run({0xdb, 0xe3}), Status::Next);
    fpu().fcw = 0x37b;
    ASSERT_EQ(run({0xd9, 0xee}), Status::Next);
    ASSERT_EQ(run({0xd9, 0xe8}), Status::Next);
    ASSERT_EQ(run({0xd8, 0xf1}), Status::Next);
  }

  std::unique_ptr<Machine> machine = std::make_unique<Machine>();
  Decoder decoder;
};

constexpr u8 kFwait = 0x9b;

TEST_F(X87Pending, NextWaitingInstructionFaults) {
  divide_by_zero();
  EXPECT_EQ(fpu().fsw & (kFswEs | kFswB | 0x3f), kFswEs | kFswB | softfloat::kZE);
  EXPECT_EQ(fpu().fip, 0x800u);
  EXPECT_EQ(fpu().fop, 0x0f1u);
  for (const std::vector<u8>& code :
       {std::vector<u8>{kFwait}, {0xd9, 0xe8}, {0xd9, 0xd0}, {0xd9, 0x28}, {0xdd, 0x20}}) {
    const u16 fsw = fpu().fsw;
    EXPECT_EQ(run(code), Status::Fault);
    EXPECT_EQ(machine->cpu.fault.vector, kMF);
    EXPECT_FALSE(machine->cpu.fault.has_error_code);
    EXPECT_EQ(fpu().fsw, fsw);
  }
}

TEST_F(X87Pending, NonWaitingInstructionsPass) {
  divide_by_zero();
  EXPECT_EQ(run({0xdf, 0xe0}), Status::Next);  // FNSTSW AX
  EXPECT_EQ(machine->cpu.state.gpr[RAX] & 0xffff, fpu().fsw);
  machine->cpu.state.gpr[RAX] = 0x3000;
  EXPECT_EQ(run({0xd9, 0x38}), Status::Next);  // FNSTCW
  EXPECT_EQ(run({0xdb, 0xe2}), Status::Next);  // FNCLEX
  EXPECT_EQ(fpu().fsw & (kFswEs | kFswB | 0x3f), 0);
  EXPECT_EQ(run({kFwait}), Status::Next);
}

TEST_F(X87Pending, WithoutNeNothingIsReported) {
  divide_by_zero();
  set_cr0(0x01);
  EXPECT_EQ(run({kFwait}), Status::Next);
}

TEST_F(X87Pending, UnmaskingMakesAFlagPending) {
  ASSERT_EQ(run({0xdb, 0xe3}), Status::Next);
  fpu().fsw = softfloat::kPE;
  const u8 fcw[2] = {0x5f, 0x03};
  machine->poke(0x3000, fcw);
  machine->cpu.state.gpr[RAX] = 0x3000;
  ASSERT_EQ(run({0xd9, 0x28}), Status::Next);
  EXPECT_EQ(run({kFwait}), Status::Fault);
}

TEST_F(X87Pending, DeviceNotAvailable) {
  set_cr0(0x21 | 8);  // TS
  EXPECT_EQ(run({0xd9, 0xe8}), Status::Fault);
  EXPECT_EQ(machine->cpu.fault.vector, kNM);
  EXPECT_EQ(run({kFwait}), Status::Next);
  set_cr0(0x21 | 8 | 2);  // TS and MP
  EXPECT_EQ(run({kFwait}), Status::Fault);
  EXPECT_EQ(machine->cpu.fault.vector, kNM);
  set_cr0(0x21 | 4);  // EM
  EXPECT_EQ(run({0xdb, 0xe3}), Status::Fault);
  EXPECT_EQ(machine->cpu.fault.vector, kNM);
}

TEST_F(X87Pending, FaultingStoreChangesNothing) {
  ASSERT_EQ(run({0xdb, 0xe3}), Status::Next);
  ASSERT_EQ(run({0xd9, 0xeb}), Status::Next);  // FLDPI
  machine->cpu.state.seg[DS].limit = 0xfff;
  machine->cpu.sync_mode();
  machine->cpu.state.gpr[RAX] = 0x3000;
  const u16 fsw = fpu().fsw;
  EXPECT_EQ(run({0xd9, 0x18}), Status::Fault);  // FSTP m32, inexact
  EXPECT_EQ(machine->cpu.fault.vector, kGP);
  EXPECT_EQ(fpu().fsw, fsw);
  EXPECT_EQ(fpu().valid, 0x80);
}

}  // namespace
}  // namespace reprise::cpu::test
