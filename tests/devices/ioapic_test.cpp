#include "devices/irq/ioapic.h"

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

class FakeBus final : public ApicMessageSink {
 public:
  void deliver(const ApicMessage& message) override { messages.push_back(message); }
  std::vector<ApicMessage> messages;
};

class IoApicTest : public ::testing::Test {
 protected:
  u32 read(u8 index) {
    mmio32(ioapic, 0x00, index);
    return mmio32(ioapic, 0x10);
  }
  void write(u8 index, u32 value) {
    mmio32(ioapic, 0x00, index);
    mmio32(ioapic, 0x10, value);
  }
  void entry(unsigned pin, u64 value) {
    write(static_cast<u8>(0x11 + 2 * pin), static_cast<u32>(value >> 32));
    write(static_cast<u8>(0x10 + 2 * pin), static_cast<u32>(value));
  }
  u64 entry(unsigned pin) {
    return u64{read(static_cast<u8>(0x11 + 2 * pin))} << 32 | read(static_cast<u8>(0x10 + 2 * pin));
  }

  FakeBus bus;
  IoApic ioapic{bus};
};

TEST_F(IoApicTest, IdentifiesItself) {
  EXPECT_EQ(read(1), 0x00170020u);
  write(0, 0xffffffff);
  EXPECT_EQ(read(0), 0x0f000000u);
  EXPECT_EQ(read(2), 0x0f000000u);
  write(1, 0);
  EXPECT_EQ(read(1), 0x00170020u);
  EXPECT_EQ(mmio32(ioapic, 0x00), 1u);
  EXPECT_EQ(mmio32(ioapic, 0x20), 0u);
  EXPECT_EQ(ioapic.mmio_read(0x10, Width::Byte), 0x20u);
  EXPECT_EQ(ioapic.mmio_read(0x10, Width::Qword), 0x00170020u);
}

TEST_F(IoApicTest, EntriesResetMaskedAndKeepOnlyTheirWritableBits) {
  for (unsigned pin = 0; pin < IoApic::kPins; ++pin) {
    EXPECT_EQ(entry(pin), 0x10000u);
    entry(pin, ~u64{0});
    EXPECT_EQ(entry(pin), 0xff0000000001afffu) << pin;
  }
  EXPECT_EQ(read(0x40), 0u) << "past the last entry";
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    entry(3, 0x31);
    ioapic.reset(kind);
    EXPECT_EQ(entry(3), 0x10000u);
  }
}

TEST_F(IoApicTest, EdgePinSendsOncePerRise) {
  entry(4, u64{0x02} << 56 | 0x0931);  // logical, lowest priority
  ioapic.set_irq(4, true);
  ioapic.set_irq(4, true);
  ASSERT_EQ(bus.messages.size(), 1u);
  EXPECT_EQ(bus.messages[0].vector, 0x31);
  EXPECT_EQ(bus.messages[0].destination, 2u);
  EXPECT_EQ(bus.messages[0].destination_mode, DestinationMode::Logical);
  EXPECT_EQ(bus.messages[0].delivery_mode, DeliveryMode::LowestPriority);
  EXPECT_EQ(bus.messages[0].trigger_mode, TriggerMode::Edge);
  ioapic.set_irq(4, false);
  ioapic.set_irq(4, true);
  EXPECT_EQ(bus.messages.size(), 2u);
}

TEST_F(IoApicTest, EdgeOnAMaskedPinIsLost) {
  entry(4, 0x10031);
  ioapic.set_irq(4, true);
  entry(4, 0x31);
  EXPECT_TRUE(bus.messages.empty());
}

TEST_F(IoApicTest, LevelPinWaitsForItsEoi) {
  entry(10, u64{0xff} << 56 | 0x8000 | 0x41);
  ioapic.set_irq(10, true);
  ASSERT_EQ(bus.messages.size(), 1u);
  EXPECT_EQ(bus.messages[0].trigger_mode, TriggerMode::Level);
  EXPECT_EQ(bus.messages[0].destination, kApicBroadcast);
  EXPECT_TRUE(entry(10) & 0x4000) << "remote IRR";
  ioapic.set_irq(10, false);
  ioapic.set_irq(10, true);
  EXPECT_EQ(bus.messages.size(), 1u);
  ioapic.end_of_interrupt(0x42);
  EXPECT_EQ(bus.messages.size(), 1u) << "somebody else's EOI";
  ioapic.end_of_interrupt(0x41);
  EXPECT_EQ(bus.messages.size(), 2u) << "still asserted";
  ioapic.set_irq(10, false);
  mmio32(ioapic, 0x40, 0x41);  // the EOI register does the same
  EXPECT_FALSE(entry(10) & 0x4000);
  EXPECT_EQ(bus.messages.size(), 2u);
}

TEST_F(IoApicTest, UnmaskingAnAssertedLevelPinSends) {
  entry(10, 0x18041);
  ioapic.set_irq(10, true);
  EXPECT_TRUE(bus.messages.empty());
  entry(10, 0x8041);
  EXPECT_EQ(bus.messages.size(), 1u);
}

TEST_F(IoApicTest, EdgeModeClearsRemoteIrr) {
  entry(10, 0x8041);
  ioapic.set_irq(10, true);
  EXPECT_TRUE(entry(10) & 0x4000);
  entry(10, 0x10041);
  EXPECT_FALSE(entry(10) & 0x4000);
}

TEST_F(IoApicTest, NmiAndExtIntAreEdgesWhateverTheTriggerBit) {
  entry(0, 0x8700);
  entry(1, 0x8400);
  ioapic.set_irq(0, true);
  ioapic.set_irq(1, true);
  ASSERT_EQ(bus.messages.size(), 2u);
  EXPECT_EQ(bus.messages[0].delivery_mode, DeliveryMode::ExtInt);
  EXPECT_EQ(bus.messages[1].delivery_mode, DeliveryMode::Nmi);
  EXPECT_EQ(bus.messages[0].trigger_mode, TriggerMode::Edge);
  EXPECT_FALSE(entry(0) & 0x4000);
}

TEST_F(IoApicTest, ReservedDeliveryModesSendNothing) {
  entry(0, 0x0331);
  entry(1, 0x0631);
  ioapic.set_irq(0, true);
  ioapic.set_irq(1, true);
  EXPECT_TRUE(bus.messages.empty());
}

TEST_F(IoApicTest, RoundTripWithAnInterruptInService) {
  entry(10, 0x8041);
  ioapic.set_irq(10, true);
  FakeBus other_bus;
  IoApic other(other_bus);
  ASSERT_TRUE(load(other, saved(ioapic)));
  EXPECT_EQ(saved(other), saved(ioapic));
  other.end_of_interrupt(0x41);
  EXPECT_EQ(other_bus.messages.size(), 1u);
}

TEST_F(IoApicTest, Noise) {
  Noise noise(82093);
  for (int i = 0; i < 100000; ++i) {
    switch (noise.below(5)) {
      case 0: ioapic.set_irq(noise.below(30), noise.below(2)); break;
      case 1: ioapic.end_of_interrupt(static_cast<u8>(noise.next())); break;
      case 2: write(static_cast<u8>(noise.below(0x48)), noise.value()); break;
      default: noise.page(ioapic, 0x60);
    }
    bus.messages.clear();
  }
  IoApic other(bus);
  ASSERT_TRUE(load(other, saved(ioapic)));
  EXPECT_EQ(saved(other), saved(ioapic));
}

}  // namespace
}  // namespace reprise::devices
