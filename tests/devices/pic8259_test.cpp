#include "devices/irq/pic8259.h"

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

class Pic8259Test : public ::testing::Test {
 protected:
  Pic8259Test() : pic(wires.line(0)) {}

  void initialize(u8 icw4 = 0x01) {
    for (auto [ports, base, cascade] :
         {std::tuple{&pic.master_ports(), 0x30, 0x04}, {&pic.slave_ports(), 0x38, 0x02}}) {
      out8(*ports, 0, 0x11);
      out8(*ports, 1, static_cast<u32>(base));
      out8(*ports, 1, static_cast<u32>(cascade));
      out8(*ports, 1, icw4);
    }
  }
  u8 irr() { return out8(pic.master_ports(), 0, 0x0a), in8(pic.master_ports(), 0); }
  u8 isr() { return out8(pic.master_ports(), 0, 0x0b), in8(pic.master_ports(), 0); }
  u8 slave_irr() { return out8(pic.slave_ports(), 0, 0x0a), in8(pic.slave_ports(), 0); }
  u8 slave_isr() { return out8(pic.slave_ports(), 0, 0x0b), in8(pic.slave_ports(), 0); }
  void eoi() { out8(pic.master_ports(), 0, 0x20); }
  void slave_eoi() { out8(pic.slave_ports(), 0, 0x20); }
  bool intr() const { return wires.level(0); }

  FakeWires wires;
  Pic8259Pair pic;
};

TEST_F(Pic8259Test, EdgeRequestGoesThroughIrrIsrEoi) {
  initialize();
  pic.set_irq(4, true);
  EXPECT_TRUE(intr());
  EXPECT_EQ(irr(), 0x10);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x34);
  EXPECT_FALSE(intr());
  EXPECT_EQ(irr(), 0x00);
  EXPECT_EQ(isr(), 0x10);
  eoi();
  EXPECT_EQ(isr(), 0x00);
  EXPECT_FALSE(intr()) << "a line that stays high is one edge";
}

TEST_F(Pic8259Test, LevelRequestFollowsItsLine) {
  initialize();
  out8(pic.elcr_ports(), 0, 0x20);
  pic.set_irq(5, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x35);
  EXPECT_EQ(irr(), 0x20);
  EXPECT_FALSE(intr());
  eoi();
  EXPECT_TRUE(intr()) << "still asserted";
  pic.set_irq(5, false);
  EXPECT_EQ(irr(), 0x00);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x37) << "withdrawn: the device was quietened after the EOI";
  EXPECT_FALSE(intr());
}

TEST_F(Pic8259Test, ElcrKeepsTheSystemLinesEdgeTriggered) {
  out8(pic.elcr_ports(), 0, 0xff);
  out8(pic.elcr_ports(), 1, 0xff);
  EXPECT_EQ(in8(pic.elcr_ports(), 0), 0xf8);
  EXPECT_EQ(in8(pic.elcr_ports(), 1), 0xde);
}

TEST_F(Pic8259Test, SlaveRequestTakesBothChips) {
  initialize();
  pic.set_irq(10, true);
  EXPECT_EQ(irr(), 0x04);
  EXPECT_EQ(slave_irr(), 0x04);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x3a);
  EXPECT_EQ(isr(), 0x04);
  EXPECT_EQ(slave_isr(), 0x04);
  pic.set_irq(11, true);
  EXPECT_FALSE(intr()) << "lower than the one in service";
  slave_eoi();
  eoi();
  EXPECT_TRUE(intr());
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x3b);
}

TEST_F(Pic8259Test, HigherPriorityNestsAndLowerWaits) {
  initialize();
  pic.set_irq(5, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x35);
  pic.set_irq(6, true);
  EXPECT_FALSE(intr());
  pic.set_irq(1, true);
  EXPECT_TRUE(intr());
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x31);
  EXPECT_EQ(isr(), 0x22);
  eoi();
  EXPECT_EQ(isr(), 0x20) << "non-specific EOI ends the highest";
  eoi();
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x36);
}

TEST_F(Pic8259Test, MaskHoldsRequestsBack) {
  initialize();
  out8(pic.master_ports(), 1, 0x08);
  EXPECT_EQ(in8(pic.master_ports(), 1), 0x08);
  pic.set_irq(3, true);
  EXPECT_FALSE(intr());
  EXPECT_EQ(irr(), 0x08);
  out8(pic.master_ports(), 1, 0x00);
  EXPECT_TRUE(intr());
}

TEST_F(Pic8259Test, WithdrawnEdgeRequestIsSpuriousIrq7) {
  initialize();
  IrqLine(pic, 0).pulse();
  EXPECT_TRUE(intr()) << "INT stands until INTA";
  EXPECT_EQ(irr(), 0x00);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x37);
  EXPECT_EQ(isr(), 0x00) << "spurious: nothing in service";
  EXPECT_FALSE(intr()) << "once";
  pic.set_irq(0, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x30);
}

TEST_F(Pic8259Test, WithdrawnSlaveEdgeIsSpuriousIrq15) {
  initialize();
  IrqLine(pic, 12).pulse();
  EXPECT_TRUE(intr());
  EXPECT_EQ(slave_irr(), 0x00);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x3f);
  EXPECT_EQ(slave_isr(), 0x00);
  EXPECT_EQ(isr(), 0x04);
  eoi();
  EXPECT_FALSE(intr());
}

TEST_F(Pic8259Test, ARequestThatComesBackOrAnotherTakesThePlaceOfAWithdrawnOne) {
  initialize();
  IrqLine(pic, 4).pulse();
  pic.set_irq(4, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x34);
  eoi();
  EXPECT_FALSE(intr()) << "nothing is left of the first";
  IrqLine(pic, 5).pulse();
  pic.set_irq(6, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x36);
  eoi();
  EXPECT_FALSE(intr());
}

TEST_F(Pic8259Test, AMaskedOrOutrankedRequestIsWithdrawnWithoutATrace) {
  initialize();
  out8(pic.master_ports(), 1, 0x10);
  IrqLine(pic, 4).pulse();
  EXPECT_FALSE(intr());
  out8(pic.master_ports(), 1, 0x00);
  EXPECT_FALSE(intr());
  pic.set_irq(1, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x31);
  IrqLine(pic, 4).pulse();
  eoi();
  EXPECT_FALSE(intr());
}

// The timer's line falls for a clock before each tick; a kernel that starts masks everything some time later.
TEST_F(Pic8259Test, MaskingForgetsAWithdrawnRequest) {
  initialize();
  for (const unsigned line : {0u, 8u}) {
    pic.set_irq(line, true);
    pic.set_irq(line, false);
    EXPECT_TRUE(intr());
    pic.set_irq(line, true);
    out8(pic.slave_ports(), 1, 0xff);
    EXPECT_EQ(intr(), line < 8) << "and leaves nothing of it in the cascade";
    out8(pic.master_ports(), 1, 0xff);
    EXPECT_FALSE(intr());
    pic.set_irq(line, false);
    out8(pic.master_ports(), 1, 0x00);
    out8(pic.slave_ports(), 1, 0x00);
    EXPECT_FALSE(intr());
    IrqLine(pic, line).pulse();
    out8(line < 8 ? pic.master_ports() : pic.slave_ports(), 1, 0xff);
    EXPECT_FALSE(intr());
    out8(line < 8 ? pic.master_ports() : pic.slave_ports(), 1, 0x00);
    EXPECT_FALSE(intr()) << "once masked, forgotten";
  }
}

TEST_F(Pic8259Test, InitializationAndPollsForgetAWithdrawnRequest) {
  initialize();
  IrqLine(pic, 3).pulse();
  initialize();
  EXPECT_FALSE(intr());
  IrqLine(pic, 3).pulse();
  out8(pic.master_ports(), 0, 0x0c);
  EXPECT_EQ(in8(pic.master_ports(), 0), 0x00);
  EXPECT_FALSE(intr());
}

TEST_F(Pic8259Test, WithdrawnLevelRequestIsSpuriousIrq7) {
  initialize();
  out8(pic.elcr_ports(), 0, 0x20);
  pic.set_irq(5, true);
  pic.set_irq(5, false);
  EXPECT_TRUE(intr());
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x37);
  EXPECT_EQ(isr(), 0x00) << "spurious: nothing in service";
}

TEST_F(Pic8259Test, WithdrawnSlaveRequestIsSpuriousIrq15) {
  initialize();
  out8(pic.elcr_ports(), 1, 0x04);
  pic.set_irq(10, true);
  pic.set_irq(10, false);
  EXPECT_TRUE(intr()) << "the cascade edge is latched";
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x3f);
  EXPECT_EQ(slave_isr(), 0x00);
  EXPECT_EQ(isr(), 0x04) << "the master did serve IR2 and needs its EOI";
}

TEST_F(Pic8259Test, AutoEoiLeavesNothingInService) {
  initialize(0x03);
  pic.set_irq(2 + 1, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x33);
  EXPECT_EQ(isr(), 0x00);
}

TEST_F(Pic8259Test, RotateOnAutoEoi) {
  initialize(0x03);
  out8(pic.master_ports(), 0, 0x80);
  pic.set_irq(3, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x33);  // 3 becomes the lowest, 4 the highest
  pic.set_irq(3, false);
  pic.set_irq(3, true);
  pic.set_irq(4, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x34);
  out8(pic.master_ports(), 0, 0x00);  // off again: 5 is the highest now
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x33);
  pic.set_irq(3, false);
  pic.set_irq(3, true);
  pic.set_irq(5, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x35) << "no rotation past 4";
}

TEST_F(Pic8259Test, RotationCommands) {
  initialize();
  pic.set_irq(3, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x33);
  out8(pic.master_ports(), 0, 0xa0);  // rotate on non-specific EOI
  pic.set_irq(1, true);
  pic.set_irq(5, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x35) << "4, 5, 6, 7, 0, 1, 2, 3";
  out8(pic.master_ports(), 0, 0xe5);  // rotate on specific EOI of 5
  EXPECT_EQ(isr(), 0x00);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x31);
  out8(pic.master_ports(), 0, 0x61);  // specific EOI
  EXPECT_EQ(isr(), 0x00);
  out8(pic.master_ports(), 0, 0xc7);  // set priority: 7 lowest
  for (unsigned line : {1u, 5u}) pic.set_irq(line, false), pic.set_irq(line, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x31);
}

TEST_F(Pic8259Test, SpecialMaskModeLetsLowerPrioritiesThrough) {
  initialize();
  pic.set_irq(3, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x33);
  out8(pic.master_ports(), 1, 0x08);
  pic.set_irq(6, true);
  EXPECT_FALSE(intr());
  out8(pic.master_ports(), 0, 0x68);
  EXPECT_TRUE(intr());
  eoi();
  EXPECT_EQ(isr(), 0x08) << "a masked in-service bit needs a specific EOI";
  out8(pic.master_ports(), 0, 0x48);
  EXPECT_FALSE(intr());
}

TEST_F(Pic8259Test, SpecialFullyNestedModeNestsWithinTheSlave) {
  initialize(0x11);
  pic.set_irq(12, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x3c);
  pic.set_irq(9, true);
  EXPECT_TRUE(intr());
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x39);
}

TEST_F(Pic8259Test, FullyNestedModeDoesNotNestWithinTheSlave) {
  initialize();
  pic.set_irq(12, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x3c);
  pic.set_irq(9, true);
  EXPECT_FALSE(intr());
}

TEST_F(Pic8259Test, PollAcknowledges) {
  initialize();
  pic.set_irq(6, true);
  out8(pic.master_ports(), 0, 0x0c);
  EXPECT_EQ(in8(pic.master_ports(), 0), 0x86);
  EXPECT_EQ(isr(), 0x40);
  out8(pic.master_ports(), 0, 0x0c);
  EXPECT_EQ(in8(pic.master_ports(), 0), 0x00) << "no request, no bit 7";
}

TEST_F(Pic8259Test, Icw1ForgetsEdgesAndMask) {
  initialize();
  out8(pic.master_ports(), 1, 0xff);
  pic.set_irq(4, true);
  out8(pic.master_ports(), 0, 0x13);  // single, ICW4 needed: no ICW3
  out8(pic.master_ports(), 1, 0x47);
  out8(pic.master_ports(), 1, 0x01);
  EXPECT_EQ(irr(), 0x00);
  EXPECT_EQ(in8(pic.master_ports(), 1), 0x00);
  pic.set_irq(4, false);
  pic.set_irq(4, true);
  EXPECT_EQ(pic.acknowledge_ext_int(), 0x44) << "the low bits of ICW2 do not count";
}

TEST_F(Pic8259Test, ResetForgetsAllButTheLines) {
  initialize();
  out8(pic.elcr_ports(), 0, 0x20);
  pic.set_irq(5, true);
  pic.acknowledge_ext_int();
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    pic.reset(kind);
    EXPECT_FALSE(intr());
    EXPECT_EQ(isr(), 0x00);
    EXPECT_EQ(in8(pic.elcr_ports(), 0), 0x00);
  }
  initialize();
  out8(pic.elcr_ports(), 0, 0x20);
  EXPECT_TRUE(intr()) << "line 5 was high all the time";
}

TEST_F(Pic8259Test, RoundTripInTheMiddleOfInitialization) {
  initialize();
  pic.set_irq(12, true);
  pic.acknowledge_ext_int();
  pic.set_irq(1, true);
  out8(pic.slave_ports(), 0, 0x11);
  const auto bytes = saved(pic);
  FakeWires other_wires;
  Pic8259Pair other(other_wires.line(0));
  ASSERT_TRUE(load(other, bytes));
  EXPECT_EQ(saved(other), bytes);
  for (Pic8259Pair* p : {&pic, &other}) {
    out8(p->slave_ports(), 1, 0x70);
    out8(p->slave_ports(), 1, 0x02);
    out8(p->slave_ports(), 1, 0x01);
    EXPECT_EQ(p->acknowledge_ext_int(), 0x31);
  }
  EXPECT_EQ(saved(other), saved(pic));
}

TEST_F(Pic8259Test, Noise) {
  Noise noise(8259);
  PioHandler* ports[] = {&pic.master_ports(), &pic.slave_ports(), &pic.elcr_ports()};
  for (int i = 0; i < 200000; ++i) {
    switch (noise.below(8)) {
      case 0: pic.set_irq(noise.below(20), noise.below(2)); break;
      case 1:
        if (intr()) pic.acknowledge_ext_int();
        break;
      default: noise.ports(*ports[noise.below(3)], 2, Width::Byte);
    }
  }
  const auto bytes = saved(pic);
  Pic8259Pair other(IrqLine{});
  ASSERT_TRUE(load(other, bytes));
  EXPECT_EQ(saved(other), bytes);
  EXPECT_FALSE(pic.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
