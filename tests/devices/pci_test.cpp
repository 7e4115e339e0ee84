#include "devices/bus.h"
#include "devices/misc/reset_control.h"
#include "devices/pci/config_mechanism1.h"
#include "devices/pci/config_window.h"
#include "devices/pci/host_bridge.h"
#include "devices/pci/ich9_lpc.h"
#include "devices/pci/ich9_smbus.h"
#include "devices/pci/isa_bridge.h"
#include "devices/pci/pci_hotplug.h"
#include "devices/pci/piix4_pm.h"
#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

class FakeListener final : public PciConfigListener {
 public:
  void pci_config_changed(PciFunction& function, ConfigChange change) override {
    last = &function;
    changes.push_back(change);
  }
  PciFunction* last = nullptr;
  std::vector<ConfigChange> changes;
};

class PciTest : public ::testing::Test {
 protected:
  PciTest() {
    EXPECT_TRUE(config.attach(0, 0, host).ok());
    EXPECT_TRUE(config.attach(1, 0, isa).ok());
    EXPECT_TRUE(config.attach(1, 3, pm).ok());
    EXPECT_TRUE(bus.map({0xcf8, 8, Width::Dword}, config).ok());
  }
  void select(unsigned device, unsigned function, unsigned offset) {
    bus.write(0xcf8, Width::Dword, 0x80000000 | device << 11 | function << 8 | (offset & 0xfc));
  }
  u32 read(unsigned device, unsigned function, unsigned offset, Width width = Width::Dword) {
    select(device, function, offset);
    return bus.read(static_cast<u16>(0xcfc + (offset & 3)), width);
  }
  void write(unsigned device, unsigned function, unsigned offset, Width width, u32 value) {
    select(device, function, offset);
    bus.write(static_cast<u16>(0xcfc + (offset & 3)), width, value);
  }

  PioBus bus;
  FakeControl control;
  FakeListener listener;
  FakeWires irqs;
  ResetControl reset_control{control};
  ConfigMechanism1 config{listener, reset_control};
  HostBridge host;
  IsaBridge isa{irqs};
  Piix4Pm pm;
};

TEST_F(PciTest, ProbesAsLinuxDoes) {
  // pci_check_type1: CONFADD takes a dword and gives it back; a byte write to CFBh changes nothing.
  bus.write(0xcfb, Width::Byte, 0x01);
  bus.write(0xcf8, Width::Dword, 0x80000000);
  EXPECT_EQ(bus.read(0xcf8, Width::Dword), 0x80000000u);
  EXPECT_EQ(bus.read(0xcfc, Width::Dword), 0x12378086u);
  bus.write(0xcf8, Width::Dword, 0xffffffff);
  EXPECT_EQ(bus.read(0xcf8, Width::Dword), 0x80fffffcu);
}

TEST_F(PciTest, Identities) {
  EXPECT_EQ(read(0, 0, 0x00), 0x12378086u);
  EXPECT_EQ(read(0, 0, 0x08), 0x06000002u);
  EXPECT_EQ(read(1, 0, 0x00), 0x70008086u);
  EXPECT_EQ(read(1, 0, 0x08), 0x06010000u);
  EXPECT_EQ(read(1, 0, 0x0e, Width::Byte), 0x80u) << "multi-function";
  EXPECT_EQ(read(1, 3, 0x00), 0x71138086u);
  EXPECT_EQ(read(1, 3, 0x0a, Width::Word), 0x0680u);
  EXPECT_EQ(read(1, 3, 0x3d, Width::Byte), 1u);
}

TEST_F(PciTest, EmptySlotsAndDisabledMechanismReadOnes) {
  EXPECT_EQ(read(1, 1, 0), 0xffffffffu);
  EXPECT_EQ(read(31, 7, 0, Width::Word), 0xffffu);
  bus.write(0xcf8, Width::Dword, 0x80010000);  // bus 1
  EXPECT_EQ(bus.read(0xcfc, Width::Dword), 0xffffffffu);
  bus.write(0xcf8, Width::Dword, 0x00000000);
  EXPECT_EQ(bus.read(0xcfc, Width::Dword), 0xffffffffu);
  write(5, 0, 0x40, Width::Dword, 0);
  EXPECT_TRUE(listener.changes.empty());
}

TEST_F(PciTest, SlotsAreTakenOnce) {
  EXPECT_EQ(config.attach(0, 0, pm).error(), PciAttachError::SlotTaken);
  EXPECT_EQ(config.attach(32, 0, pm).error(), PciAttachError::NoSuchSlot);
  EXPECT_EQ(config.attach(2, 8, pm).error(), PciAttachError::NoSuchSlot);
  EXPECT_EQ(config.function(1, 3), &pm);
  EXPECT_EQ(config.function(2, 0), nullptr);
}

TEST_F(PciTest, ByteAccessToCf9IsTheResetControl) {
  bus.write(0xcf9, Width::Byte, 0x02);
  EXPECT_EQ(bus.read(0xcf9, Width::Byte), 0x02u);
  bus.write(0xcf9, Width::Byte, 0x06);
  EXPECT_EQ(control.last(), MachineRequest::Reset);
  EXPECT_EQ(bus.read(0xcf8, Width::Byte), 0xffu);
}

TEST_F(PciTest, WritesReportWhatChanged) {
  write(0, 0, 0x00, Width::Dword, 0);
  EXPECT_TRUE(listener.changes.empty()) << "read-only";
  write(0, 0, 0x59, Width::Byte, 0x30);
  ASSERT_EQ(listener.changes.size(), 1u);
  EXPECT_EQ(listener.last, &host);
  EXPECT_TRUE(listener.changes[0].touches(HostBridge::kPam0, HostBridge::kPamBytes));
  EXPECT_FALSE(listener.changes[0].touches(HostBridge::kSmram, 1));
  write(0, 0, 0x59, Width::Byte, 0x30);
  EXPECT_EQ(listener.changes.size(), 1u) << "same value";
  write(0, 0, 0x5c, Width::Dword, 0x33000033);
  EXPECT_EQ(listener.changes.back().first, 0x5c);
  EXPECT_EQ(listener.changes.back().bytes, 4);
}

TEST_F(PciTest, PamSegments) {
  write(0, 0, 0x59, Width::Byte, 0xff);
  EXPECT_EQ(read(0, 0, 0x59, Width::Byte), 0x30u);
  write(0, 0, 0x5a, Width::Byte, 0x21);
  EXPECT_EQ(host.pam(0).first_phys, 0xf0000u);
  EXPECT_TRUE(host.pam(0).read_ram && host.pam(0).write_ram);
  EXPECT_EQ(host.pam(1).first_phys, 0xc0000u);
  EXPECT_TRUE(host.pam(1).read_ram && !host.pam(1).write_ram);
  EXPECT_EQ(host.pam(2).first_phys, 0xc4000u);
  EXPECT_TRUE(!host.pam(2).read_ram && host.pam(2).write_ram);
  EXPECT_EQ(host.pam(12).first_phys + host.pam(12).bytes, 0xf0000u);
  EXPECT_EQ(host.pam(13).bytes, 0u);
}

TEST_F(PciTest, SmramSaysWhoSeesIt) {
  using Sees = SmramVisibility;
  const auto set = [&](u32 value) {
    write(0, 0, 0x72, Width::Byte, value);
    return host.smram();
  };
  EXPECT_EQ(read(0, 0, 0x72, Width::Byte), 0x02u);
  EXPECT_EQ(host.smram(), Sees{});
  EXPECT_EQ(set(0x42), Sees{}) << "G_SMRAME is clear";
  EXPECT_EQ(set(0x0a), (Sees{.everybody = false, .smm_code = true, .smm_data = true}));
  EXPECT_EQ(set(0x4a), (Sees{.everybody = true, .smm_code = true, .smm_data = true}));
  EXPECT_EQ(set(0x2a), (Sees{.everybody = false, .smm_code = true, .smm_data = false})) << "D_CLS";
  EXPECT_EQ(read(0, 0, 0x72, Width::Byte), 0x2au);
  set(0xff);
  EXPECT_EQ(read(0, 0, 0x72, Width::Byte), 0x3au) << "C_BASE_SEG is fixed, and D_LCK clears D_OPEN";
}

TEST_F(PciTest, SmramLocksItself) {
  write(0, 0, 0x72, Width::Byte, 0x4a);
  EXPECT_TRUE(host.smram().everybody);
  write(0, 0, 0x72, Width::Byte, 0x5a);
  EXPECT_FALSE(host.smram().everybody);
  EXPECT_EQ(read(0, 0, 0x72, Width::Byte), 0x1au) << "D_OPEN goes when D_LCK comes";
  write(0, 0, 0x72, Width::Byte, 0x4a);
  EXPECT_EQ(read(0, 0, 0x72, Width::Byte), 0x1au);
  write(0, 0, 0x72, Width::Byte, 0x00);
  EXPECT_EQ(read(0, 0, 0x72, Width::Byte), 0x1au);
  write(0, 0, 0x72, Width::Byte, 0x20);
  EXPECT_EQ(read(0, 0, 0x72, Width::Byte), 0x3au) << "D_CLS is not locked";
  host.reset(ResetKind::Warm);
  EXPECT_EQ(read(0, 0, 0x72, Width::Byte), 0x02u);
}

TEST_F(PciTest, ApmcEnable) {
  EXPECT_FALSE(pm.apm_smi_enabled());
  EXPECT_EQ(read(1, 3, 0x58), 0u) << "firmware has SMM to set up";
  write(1, 3, 0x58, Width::Dword, 0x02000000);
  EXPECT_TRUE(pm.apm_smi_enabled());
}

TEST_F(PciTest, PirqRouting) {
  EXPECT_EQ(read(1, 0, 0x60), 0x80808080u);
  isa.set_irq(0, true);
  EXPECT_EQ(irqs.rises(11), 0);
  write(1, 0, 0x60, Width::Byte, 0x0b);
  EXPECT_TRUE(irqs.level(11)) << "routed while asserted";
  write(1, 0, 0x61, Width::Byte, 0x0b);
  isa.set_irq(1, true);
  isa.set_irq(0, false);
  EXPECT_TRUE(irqs.level(11)) << "two PIRQs share the line";
  isa.set_irq(1, false);
  EXPECT_FALSE(irqs.level(11));
  isa.set_irq(0, true);
  write(1, 0, 0x60, Width::Byte, 0x0a);
  EXPECT_FALSE(irqs.level(11));
  EXPECT_TRUE(irqs.level(10));
  write(1, 0, 0x60, Width::Byte, 0xff);
  EXPECT_EQ(read(1, 0, 0x60, Width::Byte), 0x8fu);
  EXPECT_FALSE(irqs.level(10));
  write(1, 0, 0x60, Width::Byte, 0x08);
  EXPECT_FALSE(irqs.level(8)) << "IRQ8 is not for PCI";
  write(1, 0, 0x60, Width::Byte, 0x05);
  EXPECT_TRUE(irqs.level(5));
  isa.reset(ResetKind::Warm);
  EXPECT_FALSE(irqs.level(5));
}

TEST_F(PciTest, PirqOfSlot) {
  EXPECT_EQ(pirq_of(1, 1), 0u);
  EXPECT_EQ(pirq_of(3, 1), 2u);
  EXPECT_EQ(pirq_of(4, 2), 0u);
  EXPECT_EQ(pirq_of(2, 1, Chipset::Q35), 2u);
  EXPECT_EQ(pirq_of(24, 4, Chipset::Q35), 3u);
  EXPECT_EQ(pirq_of(25, 1, Chipset::Q35), 0u) << "from 25 on pins are not rotated";
  EXPECT_EQ(pirq_of(31, 2, Chipset::Q35), 1u);
}

class NullHandler final : public PioHandler, public MmioHandler {
 public:
  u32 pio_read(u16, Width) override { return 0; }
  void pio_write(u16, Width, u32) override {}
  u64 mmio_read(u64, Width) override { return 0; }
  void mmio_write(u64, Width, u64) override {}
};

class CardWithBars final : public PciFunction {
 public:
  explicit CardWithBars(NullHandler& handler)
      : PciFunction({.vendor = 0x1af4, .device = 0x1042, .subsystem_vendor = 0x1af4, .subsystem = 2}) {
    define_io_bar(0, 16, handler, Width::Dword);
    define_memory_bar(1, 4096, handler);
    define_memory_bar(4, 0x4000, handler);
    add_capability(0x11, 10);
    add_capability(0x09, 14);
    apply_reset_values();
  }
  std::string_view name() const override { return "card"; }
};

TEST_F(PciTest, BaseAddressRegistersAreSizedAndSet) {
  NullHandler handler;
  CardWithBars card(handler);
  ASSERT_TRUE(config.attach(3, 0, card).ok());
  EXPECT_EQ(read(3, 0, 0x2c), 0x00021af4u);
  for (const auto& [offset, sized] : {std::pair{0x10u, 0xfffffff1u},
                                      {0x14u, 0xfffff000u},
                                      {0x18u, 0u},
                                      {0x20u, 0xffffc000u},
                                      {0x24u, 0u}}) {
    write(3, 0, offset, Width::Dword, 0xffffffff);
    EXPECT_EQ(read(3, 0, offset), sized) << offset;
  }
  write(3, 0, 0x10, Width::Dword, 0xc040);
  write(3, 0, 0x14, Width::Dword, 0xfebf1000);
  write(3, 0, 0x20, Width::Dword, 0x8000);
  EXPECT_EQ(card.bar_base(0), std::nullopt) << "decoding is off";
  write(3, 0, 0x04, Width::Word, 7);
  EXPECT_EQ(card.bar_base(0), 0xc040u);
  EXPECT_EQ(card.bar_base(1), 0xfebf1000u);
  EXPECT_EQ(card.bar_base(2), std::nullopt);
  EXPECT_EQ(card.bar_base(4), 0x8000u);
  EXPECT_TRUE(card.bus_master());
}

TEST_F(PciTest, CapabilitiesAreLinked) {
  NullHandler handler;
  CardWithBars card(handler);
  EXPECT_EQ(card.config_read(0x06, Width::Word), pci::kStatusCapabilities);
  EXPECT_EQ(card.config_read(0x34, Width::Byte), 0x40u);
  EXPECT_EQ(card.config_read(0x40, Width::Word), 0x4c11u);
  EXPECT_EQ(card.config_read(0x4c, Width::Word), 0x0009u);
}

TEST_F(PciTest, PmBase) {
  EXPECT_EQ(read(1, 3, 0x40), 0x0001u);
  EXPECT_FALSE(pm.pm_enabled()) << "firmware decides";
  write(1, 3, 0x80, Width::Byte, 1);
  EXPECT_TRUE(pm.pm_enabled());
  write(1, 3, 0x40, Width::Dword, 0xffff0600 | 0x3f);
  EXPECT_EQ(read(1, 3, 0x40), 0x0601u);
  EXPECT_EQ(pm.pm_base(), 0x0600);
  EXPECT_TRUE(listener.changes.back().touches(Piix4Pm::kPmBase, 2));
  write(1, 3, 0x80, Width::Byte, 0);
  EXPECT_FALSE(pm.pm_enabled());
  write(1, 3, 0x80, Width::Byte, 1);
  pm.reset(ResetKind::PowerOn);
  EXPECT_EQ(pm.pm_base(), 0);
  EXPECT_FALSE(pm.pm_enabled());
}

TEST_F(PciTest, StatusErrorsClearByWritingOnes) {
  EXPECT_EQ(read(0, 0, 0x06, Width::Word), 0x0280u);
  write(0, 0, 0x06, Width::Word, 0xffff);
  EXPECT_EQ(read(0, 0, 0x06, Width::Word), 0x0280u) << "the other bits are facts";
  write(1, 3, 0x3c, Width::Byte, 9);
  EXPECT_EQ(read(1, 3, 0x3c, Width::Byte), 9u);
}

TEST_F(PciTest, RoundTrip) {
  write(1, 0, 0x60, Width::Byte, 0x0a);
  isa.set_irq(0, true);
  write(0, 0, 0x5a, Width::Byte, 0x33);
  FakeWires other_irqs;
  IsaBridge other_isa(other_irqs);
  HostBridge other_host;
  ConfigMechanism1 other_config(listener, reset_control);
  ASSERT_TRUE(load(other_isa, saved(isa)));
  ASSERT_TRUE(load(other_host, saved(host)));
  ASSERT_TRUE(load(other_config, saved(config)));
  EXPECT_EQ(saved(other_isa), saved(isa));
  EXPECT_TRUE(other_host.pam(1).read_ram);
  other_isa.set_irq(0, false);
  EXPECT_EQ(saved(other_config), saved(config));
}

TEST_F(PciTest, Noise) {
  Noise noise(440);
  for (int i = 0; i < 200000; ++i) {
    static constexpr unsigned kSlots[][2] = {{0, 0}, {1, 0}, {1, 3}, {7, 0}};
    const auto& slot = kSlots[noise.below(4)];
    if (noise.below(3) == 0) select(slot[0], slot[1], noise.below(256));
    if (noise.below(8) == 0) isa.set_irq(noise.below(6), noise.below(2));
    noise.ports(config, 8, Width::Dword);
    control.requests.clear();
    listener.changes.clear();
  }
  EXPECT_EQ(read(0, 0, 0), 0x12378086u);
  EXPECT_EQ(read(1, 0, 0), 0x70008086u);
  EXPECT_EQ(read(1, 3, 0), 0x71138086u);
  EXPECT_FALSE(host.debug_dump().empty());
}

/// The functions of a Q35 board.
class Q35Test : public ::testing::Test {
 protected:
  Q35Test() {
    EXPECT_TRUE(config.attach(0, 0, host).ok());
    EXPECT_TRUE(config.attach(31, 0, lpc).ok());
    EXPECT_TRUE(config.attach(31, 3, smbus).ok());
  }
  static u64 at(unsigned device, unsigned function, u64 offset) {
    return u64{device} << 15 | u64{function} << 12 | offset;
  }
  FakeControl control;
  FakeListener listener;
  FakeWires irqs;
  ResetControl reset_control{control};
  ConfigMechanism1 config{listener, reset_control};
  ConfigWindow window{config};
  HostBridge host{Chipset::Q35};
  Ich9Lpc lpc{irqs};
  SmbusHost ports;
  Ich9Smbus smbus{ports};
};

TEST_F(Q35Test, IdentitiesThroughTheWindow) {
  EXPECT_EQ(window.mmio_read(at(0, 0, 0), Width::Dword), 0x29c08086u);
  EXPECT_EQ(window.mmio_read(at(0, 0, 0x2c), Width::Dword), 0x11001af4u);
  EXPECT_EQ(window.mmio_read(at(31, 0, 0), Width::Dword), 0x29188086u);
  EXPECT_EQ(window.mmio_read(at(31, 0, 0x0e), Width::Byte), 0x80u) << "multi-function";
  EXPECT_EQ(window.mmio_read(at(31, 3, 0), Width::Dword), 0x29308086u);
  EXPECT_EQ(window.mmio_read(at(31, 3, 0x0a), Width::Word), 0x0c05u);
}

TEST_F(Q35Test, TheWindowHasWhatThereIs) {
  EXPECT_EQ(window.mmio_read(at(5, 0, 0), Width::Dword), 0xffffffffu) << "no such function";
  EXPECT_EQ(window.mmio_read(at(0, 0, 0x100), Width::Dword), 0xffffffffu) << "no extended registers";
  EXPECT_EQ(window.mmio_read(at(0, 0, 0) + (1 << 20), Width::Word), 0xffffu) << "no bus 1";
  EXPECT_EQ(window.mmio_read(at(0, 0, 0x01), Width::Word), 0xc080u) << "across a word";
  EXPECT_EQ(window.mmio_read(at(0, 0, 0xfc), Width::Qword), 0xffffffff00000000u)
      << "the end of the registers";
  EXPECT_EQ(window.mmio_read(at(31, 0, 0), Width::Qword),
            u64{config.read({0, 31 * 8}, 4, Width::Dword)} << 32 | 0x29188086u);
  window.mmio_write(at(5, 0, 0x40), Width::Dword, 1);
  window.mmio_write(at(0, 0, 0x160), Width::Dword, 1);
  EXPECT_TRUE(listener.changes.empty());
  window.mmio_write(at(0, 0, 0x91), Width::Word, 0x3333);
  EXPECT_TRUE(host.pam(1).read_ram && host.pam(1).write_ram && host.pam(4).read_ram);
  EXPECT_EQ(listener.last, &host);
}

TEST_F(Q35Test, MemoryAttributesAreElsewhere) {
  host.config_write(HostBridge::kPam0, Width::Byte, 0x30);
  EXPECT_FALSE(host.pam(0).read_ram) << "that is where the 440FX has them";
  host.config_write(0x90, Width::Byte, 0x30);
  EXPECT_TRUE(host.pam(0).read_ram && host.pam(0).write_ram);
  EXPECT_FALSE(host.smram().smm_code);
  host.config_write(0x9d, Width::Byte, 0x48);
  EXPECT_TRUE(host.smram().everybody && host.smram().smm_code);
  host.config_write(0x9d, Width::Byte, 0x1a);
  EXPECT_FALSE(host.smram().everybody);
  host.config_write(0x9d, Width::Byte, 0x40);
  EXPECT_EQ(host.config_read(0x9d, Width::Byte), 0x1au) << "locked";
  host.config_write(0x9e, Width::Byte, 0xff);
  EXPECT_EQ(host.config_read(0x9e, Width::Byte), 0x38u) << "there is no TSEG";
}

TEST_F(Q35Test, ConfigurationSpaceIsWhereItIsPut) {
  using Window = HostBridge::Window;
  EXPECT_EQ(host.config_window(), std::nullopt);
  const auto put = [&](u32 low) {
    host.config_write(HostBridge::kPciExBar, Width::Dword, low);
    return host.config_window();
  };
  EXPECT_EQ(put(0xb000'0001), (Window{0xb000'0000, 256 << 20}));
  EXPECT_EQ(put(0xb800'0003), (Window{0xb800'0000, 128 << 20}));
  EXPECT_EQ(put(0xbc00'0005), (Window{0xbc00'0000, 64 << 20}));
  EXPECT_EQ(put(0xbc00'0001), (Window{0xb000'0000, 256 << 20})) << "aligned to its size";
  EXPECT_EQ(put(0xb000'0007), std::nullopt) << "a reserved size";
  host.config_write(HostBridge::kPciExBar + 4, Width::Dword, 0xffff'ffff);
  EXPECT_EQ(put(0x0000'0001), (Window{0xf'0000'0000, 256 << 20}));
  EXPECT_EQ(HostBridge().config_window(), std::nullopt);
}

TEST_F(Q35Test, TheLpcBridgeRoutesAndPlaces) {
  lpc.set_irq(1, true);
  EXPECT_FALSE(irqs.level(10)) << "not routed";
  lpc.config_write(0x61, Width::Byte, 10);
  EXPECT_TRUE(irqs.level(10));
  lpc.config_write(0x69, Width::Byte, 11);
  EXPECT_FALSE(irqs.level(11)) << "PIRQF# is not wired";
  EXPECT_FALSE(lpc.pm_enabled());
  lpc.config_write(Ich9Lpc::kPmBase, Width::Dword, 0xffff'067f);
  EXPECT_EQ(lpc.config_read(Ich9Lpc::kPmBase, Width::Dword), 0x601u) << "128 ports";
  lpc.config_write(Ich9Lpc::kAcpiControl, Width::Byte, 0x80);
  EXPECT_TRUE(lpc.pm_enabled());
  EXPECT_EQ(lpc.pm_base(), 0x600);
  smbus.config_write(0x20, Width::Dword, 0x701);
  smbus.config_write(pci::kCommand, Width::Word, 1);
  EXPECT_EQ(smbus.bar_base(4), 0x700u);
}

TEST_F(Q35Test, RoundTripAndNoise) {
  Noise noise(35);
  for (int i = 0; i < 50'000; ++i) {
    const u64 offset = noise.below(4) == 0 ? noise.below(256 << 20)
                                           : at(noise.below(2) * 31, noise.below(4), noise.below(0x110));
    static constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword, Width::Qword};
    const Width width = kWidths[noise.below(4)];
    switch (noise.below(3)) {
      case 0: window.mmio_read(offset, width); break;
      case 1: window.mmio_write(offset, width, noise.value64()); break;
      default: lpc.set_irq(noise.below(8), noise.below(2) != 0);
    }
  }
  HostBridge other(Chipset::Q35);
  ASSERT_TRUE(load(other, saved(host)));
  EXPECT_EQ(saved(other), saved(host));
  FakeWires other_irqs;
  Ich9Lpc other_lpc(other_irqs);
  ASSERT_TRUE(load(other_lpc, saved(lpc)));
  EXPECT_EQ(saved(other_lpc), saved(lpc));
}

TEST(PciHotplug, Registers) {
  unsigned events = 0;
  std::vector<unsigned> ejected;
  PciHotplug hotplug(
      ~u32{7}, [&] { ++events; }, [&](unsigned slot) { ejected.push_back(slot); });
  hotplug.card_came(3);
  hotplug.card_came(31);
  EXPECT_EQ(events, 2u);
  Archive saved;
  hotplug.serialize(saved);
  EXPECT_EQ(in32(hotplug, 0), 1u << 31 | 1u << 3);
  EXPECT_EQ(in32(hotplug, 0), 0u);
  hotplug.ask_to_eject(3);
  hotplug.ask_to_eject(4);
  EXPECT_EQ(events, 4u);
  EXPECT_EQ(in32(hotplug, 4), 3u << 3);
  EXPECT_EQ(in32(hotplug, 4), 3u << 3) << "until they are let go of";
  EXPECT_EQ(in32(hotplug, 12), ~u32{7});
  EXPECT_EQ(hotplug.pio_read(0, Width::Byte), 0xffu);
  hotplug.pio_write(8, Width::Byte, 8);
  out32(hotplug, 16, 1);
  out32(hotplug, 8, ~u32{0});
  EXPECT_EQ(in32(hotplug, 4), 0u) << "there is no such bus";
  EXPECT_TRUE(ejected.empty());
  out32(hotplug, 16, 0);
  out32(hotplug, 8, 1u << 3 | 1u << 1);
  EXPECT_EQ(ejected, std::vector<unsigned>{3}) << "what is soldered stays";
  EXPECT_EQ(in32(hotplug, 4), 1u << 4);
  hotplug.reset(ResetKind::Warm);
  EXPECT_EQ(ejected, (std::vector<unsigned>{3, 4}));
  EXPECT_EQ(in32(hotplug, 4), 0u);
  expect_loads(hotplug, saved);
  EXPECT_EQ(in32(hotplug, 0), 1u << 31 | 1u << 3);
  Noise noise(5400);
  for (int i = 0; i < 10'000; ++i) noise.ports(hotplug, PciHotplug::kPorts, Width::Dword);
}

}  // namespace
}  // namespace reprise::devices
