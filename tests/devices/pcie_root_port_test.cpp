// Bridges and ports: what gets through them, and the slot of a port.
#include "devices/pci/pcie_root_port.h"

#include "devices/misc/reset_control.h"
#include "devices/pci/config_mechanism1.h"
#include "devices/pci/pci_dma.h"
#include "tests/devices/test_board.h"
#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u8 kControl = 0x18, kStatus = 0x1a;  // of the slot, in the Express capability
constexpr u16 kPresent = 0x40, kPresenceChanged = 8, kButton = 1, kCompleted = 0x10, kLinkChanged = 0x100;
constexpr u16 kPowerOff = 0x400, kIndicatorOff = 0x300, kIndicatorOn = 0x100;

/// A card with a window of each kind.
class FakeCard final : public PciFunction, public MmioHandler, public PioHandler {
 public:
  FakeCard() : PciFunction({.vendor = 0x1234, .device = 0x5678}) {
    define_memory_bar(0, 0x1000, *this);
    define_io_bar(1, 0x20, *this, Width::Dword);
    apply_reset_values();
  }
  std::string_view name() const override { return "fake_card"; }
  void reset(ResetKind kind) override {
    ++resets;
    PciFunction::reset(kind);
  }
  void upstream_changed() override { ++told; }
  u64 mmio_read(u64, Width) override { return 0; }
  void mmio_write(u64, Width, u64) override {}
  u32 pio_read(u16, Width) override { return 0; }
  void pio_write(u16, Width, u32) override {}
  unsigned resets = 0, told = 0;
};

class NoListener final : public PciConfigListener {
 public:
  void pci_config_changed(PciFunction& function, ConfigChange) override { last = &function; }
  PciFunction* last = nullptr;
};

class RootPortTest : public ::testing::Test {
 protected:
  RootPortTest() { EXPECT_TRUE(config.attach(2, 0, port).ok()); }
  u32 read(unsigned bus, unsigned device, u8 offset, Width width = Width::Dword) {
    return config.read({bus, device * 8}, offset, width);
  }
  void write(unsigned bus, unsigned device, u8 offset, Width width, u32 value) {
    config.write({bus, device * 8}, offset, width, value);
  }
  void write_port(u8 offset, Width width, u32 value) { write(0, 2, offset, width, value); }
  u8 express() {
    u8 at = static_cast<u8>(read(0, 2, 0x34, Width::Byte));
    while (at != 0 && read(0, 2, at, Width::Byte) != 0x10)
      at = static_cast<u8>(read(0, 2, static_cast<u8>(at + 1), Width::Byte));
    return at;
  }
  u16 slot(u8 offset) {
    return static_cast<u16>(read(0, 2, static_cast<u8>(express() + offset), Width::Word));
  }
  void set_slot(u8 offset, u16 value) { write_port(static_cast<u8>(express() + offset), Width::Word, value); }
  void put_in() {
    ASSERT_TRUE(port.secondary().attach(0, 0, card).ok());
    port.card_came();
  }
  /// As firmware leaves it, the card's registers, too.
  void set_up() {
    ASSERT_TRUE(port.secondary().attach(0, 0, card).ok());
    port.reset(ResetKind::PowerOn);
    write_port(0x18, Width::Dword, 0x050100 | 5 << 16);
    write_port(0x1c, Width::Word, 0xd0c0);
    write_port(0x20, Width::Dword, 0xfe2f'fe20);
    write_port(4, Width::Word, 7);
    write(1, 0, 0x10, Width::Dword, 0xfe20'1000);
    write(1, 0, 0x14, Width::Dword, 0xc020);
    write(1, 0, 4, Width::Word, 7);
  }

  FakeControl control;
  NoListener listener;
  FakeMsi messages;
  FakeWires irqs;
  ResetControl reset_control{control};
  ConfigMechanism1 config{listener, reset_control};
  PcieRootPort port{{.port = 0x10, .slot = 3, .multi_function = true}, messages, IrqLine(irqs, 0)};
  FakeCard card;
};

TEST_F(RootPortTest, IdentityAndCapabilities) {
  EXPECT_EQ(read(0, 2, 0), 0x000c1b36u);
  EXPECT_EQ(read(0, 2, 8), 0x06040000u);
  EXPECT_EQ(read(0, 2, 0x0e, Width::Byte), 0x81u);
  EXPECT_EQ(read(0, 2, 0x3d, Width::Byte), 1u);
  EXPECT_EQ(slot(2), 0x0142u) << "version 2, a root port, with a slot";
  EXPECT_EQ(slot(0x16) >> 3, 3u) << "the number of the slot";
  EXPECT_EQ(slot(0x14) & 0x7f, 0x7b);
  EXPECT_EQ(slot(0x0e) >> 8, 0x10) << "the number of the port";
}

TEST_F(RootPortTest, ConfigurationAccessesGoWhereBusNumbersSay) {
  ASSERT_TRUE(port.secondary().attach(0, 0, card).ok());
  port.reset(ResetKind::PowerOn);
  EXPECT_EQ(read(1, 0, 0), ~0u) << "it has no number";
  write_port(0x18, Width::Dword, 0x030200);
  EXPECT_EQ(read(2, 0, 0), 0x56781234u);
  EXPECT_EQ(read(2, 1, 0), ~0u);
  EXPECT_EQ(read(3, 0, 0), ~0u) << "there is no bridge to it";
  EXPECT_EQ(read(1, 0, 0), ~0u);
  write(2, 0, 0x3c, Width::Byte, 5);
  EXPECT_EQ(listener.last, &card);
  write_port(0x1a, Width::Byte, 1);
  EXPECT_EQ(read(2, 0, 0), ~0u) << "the last bus is before the first";
}

TEST_F(RootPortTest, WindowsAreHonoured) {
  set_up();
  EXPECT_EQ(card.bar_base(0), 0xfe20'1000u);
  EXPECT_EQ(card.bar_base(1), 0xc020u);
  write_port(4, Width::Word, 5);
  EXPECT_EQ(card.bar_base(0), std::nullopt) << "memory is off";
  EXPECT_EQ(card.bar_base(1), 0xc020u);
  write_port(4, Width::Word, 6);
  EXPECT_EQ(card.bar_base(0), 0xfe20'1000u);
  EXPECT_EQ(card.bar_base(1), std::nullopt);
  write_port(0x20, Width::Dword, 0xfe2f'fe30);
  EXPECT_EQ(card.bar_base(0), std::nullopt) << "the window is closed";
  write_port(0x28, Width::Dword, 0);
  write_port(0x24, Width::Dword, 0xfe2f'fe20);
  EXPECT_EQ(card.bar_base(0), 0xfe20'1000u) << "prefetchable is as good";
  write_port(0x28, Width::Dword, 1);
  EXPECT_EQ(card.bar_base(0), std::nullopt) << "above 4 GiB";
  EXPECT_EQ(read(0, 2, 0x24), 0xfe21'fe21u) << "that window has 64 bits";
}

TEST_F(RootPortTest, MasteringNeedsThePort) {
  set_up();
  EXPECT_TRUE(card.bus_master());
  const unsigned told = card.told;
  write_port(4, Width::Word, 3);
  EXPECT_FALSE(card.bus_master());
  EXPECT_EQ(card.told, told + 1);
}

TEST_F(RootPortTest, TheSecondaryBusIsReset) {
  set_up();
  const unsigned resets = card.resets;
  write_port(0x3e, Width::Word, 0x40);
  EXPECT_EQ(card.resets, resets + 1);
  EXPECT_EQ(read(1, 0, 0), ~0u) << "held in reset";
  write_port(0x3e, Width::Word, 0);
  EXPECT_EQ(card.resets, resets + 1);
  EXPECT_EQ(read(1, 0, 0x10), 0u);
}

TEST_F(RootPortTest, ACardComesAndGoes) {
  write_port(0x18, Width::Dword, 0x010100);
  EXPECT_EQ(slot(kControl), 0x07c0) << "empty: off";
  EXPECT_EQ(slot(kStatus), 0);
  set_slot(kControl, 0x17f9 & ~0xc0);  // all events, on
  set_slot(kStatus, 0x1ff);
  EXPECT_FALSE(irqs.level(0));
  put_in();
  EXPECT_TRUE(irqs.level(0));
  EXPECT_EQ(slot(kStatus), kPresent | kPresenceChanged | kButton);
  EXPECT_EQ(read(1, 0, 0), ~0u) << "without power";
  set_slot(kStatus, kPresenceChanged | kButton);
  EXPECT_FALSE(irqs.level(0));
  set_slot(kControl, 0x1039 | kIndicatorOn);
  EXPECT_EQ(read(1, 0, 0), 0x56781234u);
  EXPECT_EQ(slot(0x12) >> 13 & 1, 1) << "the link is active";
  EXPECT_EQ(slot(kStatus), kPresent | kCompleted | kLinkChanged);
  set_slot(kStatus, 0x1ff);
  EXPECT_FALSE(port.press_button());
  EXPECT_TRUE(port.was_asked());
  EXPECT_EQ(slot(kStatus), kPresent | kButton);
  set_slot(kControl, 0x1039 | kIndicatorOn | kPowerOff);
  EXPECT_EQ(card.resets, 1u);
  EXPECT_EQ(read(1, 0, 0), ~0u);
  EXPECT_FALSE(port.lets_go()) << "not before its indicator is off";
  set_slot(kControl, 0x1039 | kIndicatorOff | kPowerOff);
  EXPECT_TRUE(port.lets_go());
  port.secondary().detach(0, 0);
  port.card_gone();
  EXPECT_FALSE(port.lets_go());
  EXPECT_EQ(slot(kStatus) & kPresent, 0);
  EXPECT_NE(slot(kStatus) & kPresenceChanged, 0);
  put_in();
  EXPECT_TRUE(port.press_button()) << "what is off goes at once";
}

TEST_F(RootPortTest, EventsAreMessagesIfTheDriverWantsThem) {
  set_up();
  u8 msix = static_cast<u8>(read(0, 2, 0x34, Width::Byte));
  while (read(0, 2, msix, Width::Byte) != 0x11)
    msix = static_cast<u8>(read(0, 2, static_cast<u8>(msix + 1), Width::Byte));
  MmioHandler& table = *port.bar(0).memory;
  table.mmio_write(0, Width::Dword, 0xfee0'0000);
  table.mmio_write(8, Width::Dword, 0x41);
  table.mmio_write(12, Width::Dword, 0);
  write_port(static_cast<u8>(msix + 2), Width::Word, 0x8000);
  set_slot(kControl, 0x1039 | kIndicatorOn);
  set_slot(kStatus, 0x1ff);
  const std::size_t before = messages.sent.size();
  port.press_button();
  EXPECT_EQ(messages.sent.size(), before + 1);
  EXPECT_FALSE(irqs.level(0));
  port.press_button();
  EXPECT_EQ(messages.sent.size(), before + 1) << "that one has not been seen yet";
}

TEST_F(RootPortTest, APortWithoutHotPlugHasAFixedCard) {
  PcieRootPort fixed({.hotplug = false}, messages, IrqLine(irqs, 1));
  ASSERT_TRUE(fixed.secondary().attach(0, 0, card).ok());
  fixed.reset(ResetKind::PowerOn);
  EXPECT_TRUE(fixed.is_open());
  for (unsigned offset = 0x40; offset < 0x100; offset += 4)
    fixed.config_write(static_cast<u8>(offset), Width::Dword, ~0u);
  EXPECT_TRUE(fixed.is_open());
  EXPECT_FALSE(fixed.lets_go());
}

TEST_F(RootPortTest, SaveAndLoad) {
  set_up();
  set_slot(kControl, 0x1039 | kIndicatorOn);
  port.press_button();
  PcieRootPort other{{.port = 0x10, .slot = 3, .multi_function = true}, messages, IrqLine(irqs, 2)};
  FakeCard its_card;
  ASSERT_TRUE(other.secondary().attach(0, 0, its_card).ok());
  ASSERT_TRUE(load(other, saved(port)));
  EXPECT_EQ(saved(other), saved(port));
  EXPECT_TRUE(other.was_asked());
  EXPECT_TRUE(other.leads_to(1));
}

TEST_F(RootPortTest, Noise) {
  put_in();
  Noise noise(5401);
  for (int i = 0; i < 200'000; ++i) {
    const unsigned bus = noise.below(4);
    const u8 offset = static_cast<u8>(noise.below(256));
    static constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword};
    const Width width = kWidths[noise.below(3)];
    const u32 value = noise.below(4) == 0 ? 0x010100 : noise.below(~0u);
    if (noise.below(2) == 0)
      config.write({bus, bus == 0 ? 16u : 0u}, offset, width, value);
    else
      config.read({bus, bus == 0 ? 16u : 0u}, offset, width);
    if (port.lets_go()) {
      port.secondary().detach(0, 0);
      port.card_gone();
    }
    if (noise.below(100) == 0) {
      if (port.secondary().function(0, 0) == nullptr)
        put_in();
      else
        port.press_button();
    }
    (void)card.bar_base(0);
    (void)card.bar_base(1);
  }
  port.reset(ResetKind::Warm);
  EXPECT_EQ(read(0, 2, 0), 0x000c1b36u);
  EXPECT_FALSE(port.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
