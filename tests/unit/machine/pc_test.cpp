// The board without a running processor: ports, wires, hostile noise.
#include "machine/board/pc.h"

#include <gtest/gtest.h>

#include <random>

#include "common/bits.h"
#include "machine/layout/pc_layout.h"

namespace reprise::machine {
namespace {

struct Sink final : devices::CharBackend {
  void write(std::span<const u8>) override {}
};

struct Control final : MachineControl {
  MachineRequest last = MachineRequest::None;
  void request(MachineRequest request, int) override { last = request; }
};

struct PcTest : testing::Test {
  std::unique_ptr<mmu::Ram> ram = mmu::Ram::create(4 * kMiB + vga_properties({}).memory_bytes).take();
  Sink sink;
  Control control;
  Log log;
  MachineConfig config;
  std::unique_ptr<Pc> pc = board({sink, sink});

  std::unique_ptr<Pc> board(const PcBackends& backends) {
    auto made = std::make_unique<Pc>(config, *ram, backends, control, log);
    const auto plugged = made->plug_in(config.devices);
    EXPECT_TRUE(plugged.ok());
    place_pm(*made, kPmBasePort);
    return made;
  }

  /// As firmware does.
  static void place_pm(Pc& pc, u16 base) {
    constexpr u32 kPm = 0x8000'0000u | 1u << 11 | 3u << 8;
    pc.port_write(0xcf8, Width::Dword, kPm | 0x40);
    pc.port_write(0xcfc, Width::Dword, base | 1u);
    pc.port_write(0xcf8, Width::Dword, kPm | 0x80);
    pc.port_write(0xcfc, Width::Byte, 1);
  }

  void out8(u16 port, u8 value) { pc->port_write(port, Width::Byte, value); }
  u8 in8(u16 port) { return static_cast<u8>(pc->port_read(port, Width::Byte)); }
  mmu::Mmu& mmu() { return pc->processors().boot().cpu.mmu; }
  u32 mmio(u64 phys) { return static_cast<u32>(mmu().read_phys(phys, Width::Dword)); }
  void mmio(u64 phys, u32 value) { mmu().write_phys(phys, Width::Dword, value); }
  void pass_time(u64 ns) {
    for (const u64 end = pc->scheduler().now_ns() + ns; pc->scheduler().now_ns() < end;) {
      pc->scheduler().skip_to(std::min(end, pc->scheduler().next_deadline_ns()));
      pc->scheduler().run_due();
      // What is due again at once waits for the next instruction; there is none here.
      pc->scheduler().skip_to(pc->scheduler().now_ns() + 1);
    }
  }
  /// Another board takes the state of this one, and has it then.
  void expect_state_is_taken() {
    Archive saved;
    pc->serialize(saved);
    Pc other(config, *ram, {sink, sink}, control, log);
    ASSERT_TRUE(other.plug_in(config.devices).ok());
    Archive load(saved.bytes());
    other.serialize(load);
    EXPECT_TRUE(load.ok());
    Archive again;
    other.serialize(again);
    EXPECT_TRUE(std::ranges::equal(saved.bytes(), again.bytes()));
  }
};

TEST_F(PcTest, UnclaimedPortsReadAsOnes) {
  EXPECT_EQ(pc->port_read(0x1234, Width::Dword), 0xffffffffu);
  out8(0x1234, 1);
  EXPECT_EQ(pc->ports().unmapped_reads(), 4u);
}

TEST_F(PcTest, ThePitArrivesAtThe8259) {
  out8(0x43, 0x30);
  out8(0x40, 0x10);
  out8(0x40, 0x00);
  EXPECT_EQ(in8(0x20) & 1, 0);
  pass_time(1'000'000);
  EXPECT_EQ(in8(0x20) & 1, 1) << "IRR bit 0 of the master 8259";
}

TEST_F(PcTest, ALegacyTimerInterruptReachesTheProcessorThroughTheIoapic) {
  mmio(kLapicPhys + 0x0f0, 0x1ff);
  mmio(kIoApicPhys, 0x10 + 2 * kPitGsi);
  mmio(kIoApicPhys + 0x10, 0x30);  // fixed, edge, vector 30h, physical destination 0
  out8(0x43, 0x30);
  out8(0x40, 0x10);
  out8(0x40, 0x00);
  pass_time(1'000'000);
  EXPECT_EQ(mmio(kLapicPhys + 0x210) >> 16 & 1, 1u) << "IRR bit 30h of the local APIC";
}

TEST_F(PcTest, ResetAndPowerOffAreRequests) {
  out8(kResetControlPort, 0x06);
  EXPECT_EQ(control.last, MachineRequest::Reset);
  control.last = MachineRequest::None;
  pc->port_write(kPm1ControlPort, Width::Word, 0x2000);
  EXPECT_EQ(control.last, MachineRequest::PowerOff);
}

TEST_F(PcTest, ThePowerButtonInterruptsAGuestThatUsesAcpi) {
  pc->press_power_button();
  EXPECT_EQ(in8(0xa0) & 2, 0);
  pc->port_write(kPm1EventPort, Width::Word, 0xffff);
  pc->port_write(kPm1EventPort + 2, Width::Word, 0x0100);
  out8(kSmiCommandPort, kAcpiEnable);
  pc->press_power_button();
  EXPECT_EQ(pc->port_read(kPm1EventPort, Width::Word) & 0x0100, 0x0100u);
  EXPECT_EQ(in8(0xa0) & 2, 2) << "IRR bit 1 of the slave 8259: line 9";
}

TEST_F(PcTest, AFloppyReachesMemoryThroughDmaChannel2) {
  struct Disk final : devices::BlockBackend {
    u64 bytes() const override { return 1440 * kKiB; }
    bool read_only() const override { return true; }
    devices::BlockStatus read(u64 offset, std::span<u8> into) override {
      std::fill(into.begin(), into.end(), static_cast<u8>(offset / kSectorBytes + 1));
      return devices::BlockStatus::Ok;
    }
    devices::BlockStatus write(u64, std::span<const u8>) override { return devices::BlockStatus::ReadOnly; }
    devices::BlockStatus flush() override { return devices::BlockStatus::Ok; }
    devices::BlockStatus discard(u64, u64) override { return devices::BlockStatus::Ok; }
  } disk;
  pc = board({sink,
              sink,
              {{.medium = &disk,
                .bus = DiskBus::Floppy,
                .media = DiskMedia::Floppy,
                .serial = "",
                .floppy = devices::FloppyGeometry{80, 2, 18}},
               {nullptr, DiskBus::Floppy, DiskMedia::Floppy, ""}}});
  out8(0x70, 0x10);
  EXPECT_EQ(in8(0x71), 0x44) << "two drives of 1.44M";
  const std::initializer_list<std::pair<u16, u8>> kProgram = {
      {0xd6, 0xc0}, {0xd4, 0x00}, {0x0c, 0x00}, {0x0b, 0x46}, {0x04, 0x00},  {0x04, 0x80},
      {0x81, 0x01}, {0x05, 0xff}, {0x05, 0x03}, {0x0a, 0x02}, {0x3f2, 0x1c}, {0x3f7, 0x00}};
  for (const auto& [port, value] : kProgram) out8(port, value);
  pass_time(1'000'000);
  const auto take_irq = [&] {
    out8(0x20, 0x0c);  // poll: acknowledges
    const u8 taken = in8(0x20);
    out8(0x20, 0x20);
    return taken;
  };
  EXPECT_EQ(take_irq(), 0x86) << "line 6: end of the reset";
  for (int i = 0; i < 4; ++i) {
    out8(0x3f5, 0x08);
    in8(0x3f5);
    in8(0x3f5);
  }
  for (const u8 byte : {0xe6, 0x00, 0, 0, 5, 2, 18, 0x1b, 0xff}) out8(0x3f5, byte);
  pass_time(1'000'000);
  EXPECT_EQ(take_irq(), 0x86);
  EXPECT_EQ(in8(0x3f5), 0x00);
  EXPECT_EQ(mmio(0x18000), 0x05050505u);
  EXPECT_EQ(mmio(0x18200), 0x06060606u);
  EXPECT_EQ(mmio(0x18400), 0u);
}

TEST_F(PcTest, ThePmBlockFollowsItsBaseRegister) {
  const auto config_write = [&](u8 offset, u32 value) {
    pc->port_write(0xcf8, Width::Dword, 0x8000'0000u | (1u << 11 | 3u << 8) | offset);
    pc->port_write(0xcfc, Width::Dword, value);
  };
  config_write(0x40, 0x0000'0b01);
  EXPECT_EQ(pc->port_read(kPmTimerPort, Width::Dword), 0xffffffffu);
  pass_time(1'000'000);
  EXPECT_NE(pc->port_read(0xb08, Width::Dword), 0xffffffffu);
  // On top of another device: nowhere.
  config_write(0x40, 0x0000'0cc1);
  EXPECT_EQ(pc->port_read(0xb08, Width::Dword), 0xffffffffu);
}

/// OVMF leaves a PM block alone that somebody has placed before, and powers off at B004h whatever it finds.
TEST_F(PcTest, FirmwarePlacesThePmBlockAndTheTablesTellOfIt) {
  ASSERT_TRUE(pc->boot_firmware({}).ok());
  const auto fw_cfg_dword = [&](u16 key, u32 offset, bool big_endian) {
    pc->port_write(kFwCfgPort, Width::Word, key);
    u32 value = 0;
    for (u32 i = 0; i < offset + 4; ++i) {
      const u32 byte = in8(kFwCfgPort + 1);
      value = big_endian ? value << 8 | byte : value >> 8 | byte << 24;
    }
    return value;
  };
  constexpr u16 kDirectory = 0x19, kFirstFile = 0x20;
  u16 tables = 0;
  for (u32 file = 0; file < fw_cfg_dword(kDirectory, 0, true); ++file)
    if (fw_cfg_dword(kDirectory, 4 + 64 * file + 8 + 9, false) == read_unaligned<u32>("tabl"))
      tables = static_cast<u16>(kFirstFile + file);
  ASSERT_NE(tables, 0);
  u32 fadt = 0;
  while (fw_cfg_dword(tables, fadt, false) != read_unaligned<u32>("FACP")) fadt += 64;
  const auto told_at = [&] { return fw_cfg_dword(tables, fadt + 64, false) - 4; };  // PM1a_CNT_BLK
  EXPECT_EQ(told_at(), kPmBasePort);
  const std::vector<std::string> shape = pc->shape();

  ASSERT_TRUE(pc->reset());
  EXPECT_EQ(pc->port_read(kPmTimerPort, Width::Dword), 0xffffffffu) << "nowhere from reset on";
  place_pm(*pc, 0xb000);
  EXPECT_EQ(told_at(), 0xb000u);
  EXPECT_EQ(pc->shape(), shape) << "a saved state fits any of them";
  pc->port_write(0xb004, Width::Word, 0x2000);
  EXPECT_EQ(control.last, MachineRequest::PowerOff);
}

/// Which of two in one place answers depends on the registers alone, so that a loaded machine agrees.
TEST_F(PcTest, WindowsInOnePlaceDoNotDependOnWhichCameFirst) {
  const auto config_write = [this](u32 function, u32 offset, u32 value) {
    pc->port_write(0xcf8, Width::Dword, 0x8000'0000 | 1u << 11 | function << 8 | offset);
    pc->port_write(0xcfc, Width::Dword, value);
  };
  constexpr u32 kIde = 1, kPm = 3;
  constexpr u16 kTable = kPmBasePort + 4;  // of the bus master, when it is here
  config_write(kIde, 0x20, kPmBasePort | 1);
  config_write(kIde, 0x04, 5);
  pc->port_write(kTable, Width::Dword, 0x12345678);
  EXPECT_NE(pc->port_read(kTable, Width::Dword), 0x12345678u) << "the PM block is there";
  config_write(kPm, 0x40, 0x701);
  pc->port_write(kTable, Width::Dword, 0x12345678);
  EXPECT_EQ(pc->port_read(kTable, Width::Dword), 0x12345678u) << "it is gone";

  Archive saved;
  pc->serialize(saved);
  Pc other(config, *ram, {sink, sink}, control, log);
  Archive load(saved.bytes());
  other.serialize(load);
  EXPECT_EQ(other.port_read(kTable, Width::Dword), 0x12345678u);
  config_write(kPm, 0x40, kPmBasePort | 1);
  EXPECT_NE(pc->port_read(kTable, Width::Dword), 0x12345678u) << "it is back";
}

/// An NMI by a card's message ends a HLT with interrupts off, so such a machine is not at its end.
TEST_F(PcTest, MessagesThatNobodyCanMaskAreKnown) {
  config.devices = {{.driver = "virtio-rng", .place = 4}};
  pc = board({sink, sink});
  const auto config_write = [&](u32 offset, Width width, u32 value) {
    pc->port_write(0xcf8, Width::Dword, 0x8000'0000u | 4u << 11 | (offset & ~3u));
    pc->port_write(static_cast<u16>(0xcfc + (offset & 3)), width, value);
  };
  const auto config_byte = [&](u32 offset) {
    pc->port_write(0xcf8, Width::Dword, 0x8000'0000u | 4u << 11 | (offset & ~3u));
    return pc->port_read(static_cast<u16>(0xcfc + (offset & 3)), Width::Byte);
  };
  u32 msix = config_byte(0x34);
  while (msix != 0 && config_byte(msix) != 0x11) msix = config_byte(msix + 1);
  ASSERT_NE(msix, 0u);
  constexpr u64 kTable = 0xe000'0000;
  config_write(0x14, Width::Dword, kTable);
  config_write(0x04, Width::Word, 6);  // memory, bus master
  mmio(kTable, 0xfee00000);
  mmio(kTable + 8, 0x0030);  // fixed, vector 30h
  mmio(kTable + 12, 0);
  config_write(msix + 2, Width::Word, 0x8000);
  EXPECT_FALSE(pc->unmaskable_may_come());
  mmio(kTable + 8, 0x0400);  // NMI
  EXPECT_TRUE(pc->unmaskable_may_come());
  mmio(kTable + 12, 1);
  EXPECT_FALSE(pc->unmaskable_may_come()) << "masked";
  mmio(kTable + 12, 0);
  config_write(0x04, Width::Word, 2);
  EXPECT_FALSE(pc->unmaskable_may_come()) << "no bus master";
}

TEST_F(PcTest, ASaveInSmmGoesOnThere) {
  const auto select = [&](u32 function, u8 offset) {
    pc->port_write(0xcf8, Width::Dword, 0x8000'0000u | function << 8 | offset);
  };
  const auto smram = [&](u8 value) {
    select(0, 0x70);
    out8(0xcfc + 2, value);
  };
  // inc byte ptr cs:[9000h]; jmp back
  constexpr u8 kCode[] = {0x2e, 0xfe, 0x06, 0x00, 0x90, 0xeb, 0xf9};
  smram(0x4a);
  ASSERT_TRUE(pc->phys_map().write_bytes(0xa8000, kCode));
  smram(0x0a);
  select(1u << 3 | 3, 0x58);
  pc->port_write(0xcfc, Width::Dword, 1u << 25);
  out8(kPmBasePort + 0x28, 1);
  pc->processors().boot().cpu.state.smbase = 0xa0000;
  out8(kSmiCommandPort, 1);
  EXPECT_EQ(pc->processors().run(10), cpu::VcpuExit::Attention) << "the port accesses took time";
  EXPECT_EQ(pc->processors().run(10), cpu::VcpuExit::Attention) << "so did the SMI";
  EXPECT_EQ(pc->processors().run(10), cpu::VcpuExit::Budget);
  EXPECT_TRUE(pc->processors().boot().cpu.state.in_smm);
  EXPECT_EQ(ram->host()[0xa9000], 5);

  Archive saved;
  pc->serialize(saved);
  Pc other(config, *ram, {sink, sink}, control, log);
  Archive load(saved.bytes());
  other.serialize(load);
  ASSERT_TRUE(load.ok());
  EXPECT_EQ(other.processors().run(10), cpu::VcpuExit::Budget);
  EXPECT_EQ(ram->host()[0xa9000], 10) << "translations of SMRAM are its own";
  other.port_write(0xcf8, Width::Dword, 0x8000'0000u | (1u << 11 | 3u << 8) | 0x58);
  EXPECT_EQ(other.port_read(0xcfc, Width::Dword), 1u << 25);
  other.port_write(kSmiCommandPort, Width::Byte, 1);
  EXPECT_TRUE(other.processors().boot().cpu.state.smi_pending);
}

TEST_F(PcTest, NoiseOnEveryPortAndRegisterIsHarmless) {
  std::mt19937_64 random(4711);
  const u64 bases[] = {kIoApicPhys, kHpetPhys, kLapicPhys, kVgaWindowPhys, kLowRamLimitPhys};
  constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword, Width::Qword};
  for (int i = 0; i < 200'000; ++i) {
    const u64 value = random();
    // Mostly ports that somebody owns.
    static constexpr u16 kOwned[] = {0x20,  0x40,  0x60,  0x70,  0x80, 0xa0, 0xb2,  0x2f8,
                                     0x3f8, 0x4d0, 0x600, 0xcf8, 0x00, 0xc0, 0x3c0, 0x3d0};
    const u16 port = random() % 4 == 0
                         ? static_cast<u16>(random())
                         : static_cast<u16>(kOwned[random() % std::size(kOwned)] + random() % 16);
    const u64 phys = bases[random() % 5] + random() % 4096;
    switch (random() % 5) {
      case 0: pc->port_read(port, kWidths[random() % 3]); break;
      case 1: pc->port_write(port, kWidths[random() % 3], static_cast<u32>(value)); break;
      case 2: mmu().read_phys(phys, kWidths[random() % 4]); break;
      case 3: mmu().write_phys(phys, kWidths[random() % 4], value); break;
      default: pass_time(random() % 5'000); break;
    }
  }
  // What came of it can be saved and loaded.
  Archive saved;
  pc->serialize(saved);
  Pc other(config, *ram, {sink, sink}, control, log);
  Archive load(saved.bytes());
  other.serialize(load);
  EXPECT_TRUE(load.ok());
  Archive again;
  other.serialize(again);
  EXPECT_TRUE(std::ranges::equal(saved.bytes(), again.bytes()));
  EXPECT_FALSE(other.dump().empty());
}

struct Q35Test : PcTest {
  Q35Test() {
    config.chipset = devices::Chipset::Q35;
    pc.reset();
    auto made = std::make_unique<Pc>(config, *ram, PcBackends{sink, sink}, control, log);
    EXPECT_TRUE(made->plug_in(config.devices).ok());
    pc = std::move(made);
  }
  void config_write(unsigned device, unsigned function, u32 offset, Width width, u32 value) {
    pc->port_write(0xcf8, Width::Dword, 0x8000'0000u | device << 11 | function << 8 | (offset & 0xfc));
    pc->port_write(static_cast<u16>(0xcfc + (offset & 3)), width, value);
  }
  u32 config_read(unsigned device, unsigned function, u32 offset) {
    pc->port_write(0xcf8, Width::Dword, 0x8000'0000u | device << 11 | function << 8 | offset);
    return pc->port_read(0xcfc, Width::Dword);
  }
};

TEST_F(Q35Test, ItsFunctionsAreWhereGuestsLook) {
  EXPECT_EQ(config_read(0, 0, 0), 0x29c08086u);
  EXPECT_EQ(config_read(1, 0, 0), 0x11111234u) << "the VGA, and no PIIX3";
  EXPECT_EQ(config_read(1, 1, 0), 0xffffffffu);
  EXPECT_EQ(config_read(31, 0, 0), 0x29188086u);
  EXPECT_EQ(config_read(31, 2, 0), 0x29228086u) << "AHCI, with or without drives";
  EXPECT_EQ(config_read(31, 3, 0), 0x29308086u);
}

TEST_F(Q35Test, ConfigurationSpaceAnswersInMemory) {
  EXPECT_NE(mmio(kConfigWindowPhys), 0x29c08086u);
  config_write(0, 0, 0x60, Width::Dword, kConfigWindowPhys | 1);
  EXPECT_EQ(mmio(kConfigWindowPhys), 0x29c08086u);
  EXPECT_EQ(mmio(kConfigWindowPhys + (31 << 15)), 0x29188086u);
  // It moves itself.
  mmio(kConfigWindowPhys + 0x60, 0xe000'0001);
  EXPECT_EQ(mmio(0xe000'0000), 0x29c08086u);
  EXPECT_NE(mmio(kConfigWindowPhys), 0x29c08086u);
  mmio(0xe000'0060, 0);
  EXPECT_NE(mmio(0xe000'0000), 0x29c08086u);
}

TEST_F(Q35Test, ThePmBlockIsIch9s) {
  EXPECT_EQ(pc->port_read(kPmTimerPort, Width::Dword), 0xffffffffu);
  config_write(31, 0, 0x40, Width::Dword, kPmBasePort | 1);
  config_write(31, 0, 0x44, Width::Byte, 0x80);
  EXPECT_NE(pc->port_read(kPmTimerPort, Width::Dword), 0xffffffffu);
  EXPECT_EQ(pc->port_read(kPmBasePort + 0x7c, Width::Dword), 0u) << "128 ports";
  pc->port_write(kPmBasePort + 0x30, Width::Dword, 0x20);
  pc->port_write(kSmiCommandPort, Width::Byte, 1);
  EXPECT_TRUE(pc->processors().boot().cpu.state.smi_pending);
  pc->port_write(kPmBasePort + 4, Width::Word, 0x2000);
  EXPECT_EQ(control.last, MachineRequest::PowerOff);
}

TEST_F(Q35Test, NoiseIsHarmlessAndCanBeSaved) {
  std::mt19937_64 random(4735);
  constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword, Width::Qword};
  for (int i = 0; i < 100'000; ++i) {
    if (i % 1000 == 0) config_write(0, 0, 0x60, Width::Dword, kConfigWindowPhys | 1);
    const unsigned device = random() % 2 * 31;
    const u64 phys = (random() % 8 == 0 ? 0xe000'0000 : kConfigWindowPhys) +
                     (device << 15 | (random() % 4) << 12 | random() % 0x110);
    switch (random() % 5) {
      case 0: mmu().read_phys(phys, kWidths[random() % 4]); break;
      case 1: mmu().write_phys(phys, kWidths[random() % 4], random()); break;
      case 2:
        pc->port_write(static_cast<u16>(0x600 + random() % 0x80), kWidths[random() % 3],
                       static_cast<u32>(random()));
        break;
      case 3:
        config_write(device, random() % 4, random() % 256, Width::Byte, static_cast<u32>(random()));
        break;
      default: pass_time(random() % 5'000); break;
    }
  }
  expect_state_is_taken();
}

struct MicrovmTest : PcTest {
  MicrovmTest() {
    config.chipset = devices::Chipset::Microvm;
    config.devices = {{.driver = "virtio-rng"}, {.driver = "virtio-net"}};
    build();
  }
  void build() {
    pc.reset();
    pc = std::make_unique<Pc>(config, *ram, PcBackends{sink, sink}, control, log);
    EXPECT_TRUE(pc->plug_in(config.devices).ok());
  }
  /// The id of the virtio device at `place`; 0: there is none.
  u32 device_at(unsigned place) {
    const u64 phys = kVirtioMmioPhys + place * devices::VirtioMmio::kBytes;
    EXPECT_EQ(mmio(phys), 0x7472'6976u) << place;
    return mmio(phys + 8);
  }
};

TEST_F(MicrovmTest, HasNoPciAndVirtioFromTheLastPlaceDown) {
  for (const int port : {0xcf8, 0xcfc, 0x60, 0x64, 0x92, 0xb2, 0x3c4, 0x2f8, int{kPmTimerPort}})
    EXPECT_EQ(in8(static_cast<u16>(port)), 0xff) << port;
  EXPECT_EQ(device_at(23), 4u);
  EXPECT_EQ(device_at(22), 1u);
  EXPECT_EQ(device_at(21), 0u);
  EXPECT_EQ(mmio(kVirtioMmioPhys + 4), 1u) << "the legacy interface, as QEMU 7.2's";
  EXPECT_EQ(mmio(kVirtioMmioPhys + 24 * 512), 0xffff'ffffu);
  mmio(kSecondIoApicPhys, 1);
  EXPECT_EQ(mmio(kSecondIoApicPhys + 0x10), 0x0017'0020u);
  mmio(kVgaWindowPhys, 0x1234'5678);
  EXPECT_EQ(mmio(kVgaWindowPhys), 0x1234'5678u) << "RAM";
}

TEST_F(MicrovmTest, WithoutAcpiThereAreEightPlacesOnIsaLines) {
  config.microvm.acpi = config.microvm.pic = config.microvm.pit = config.microvm.rtc = false;
  config.microvm.isa_serial = config.microvm.force_legacy = false;
  build();
  EXPECT_EQ(device_at(7), 4u);
  EXPECT_EQ(device_at(6), 1u);
  EXPECT_EQ(mmio(kVirtioMmioPhys + 4), 2u);
  EXPECT_EQ(mmio(kVirtioMmioPhys + 8 * 512), 0xffff'ffffu);
  EXPECT_EQ(mmio(kGenericEventDevicePhys), 0xffff'ffffu);
  EXPECT_EQ(mmio(kSecondIoApicPhys), 0xffff'ffffu);
  for (const int port : {0x20, 0x40, 0x71, 0x3fb}) EXPECT_EQ(in8(static_cast<u16>(port)), 0xff) << port;
  const BoardParts parts = parts_of(config);
  EXPECT_EQ(virtio_command_line(parts, {7, 6}),
            " virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=512@0xfeb00c00:11");
  config.microvm.acpi = true;
  config.microvm.ioapic2 = false;
  EXPECT_EQ(parts_of(config).first_virtio_interrupt, 16u);
}

TEST_F(MicrovmTest, TheGenericEventDeviceSwitchesOffAndTellsOfTheButton) {
  pc->press_power_button();
  EXPECT_EQ(mmio(kGenericEventDevicePhys), 2u);
  EXPECT_EQ(mmio(kGenericEventDevicePhys), 0u) << "it was read";
  mmu().write_phys(kGenericEventDevicePhys + 0x200, Width::Byte, 0x20 | 4 << 2);
  EXPECT_EQ(control.last, MachineRequest::None) << "S4";
  mmu().write_phys(kGenericEventDevicePhys + 0x200, Width::Byte, 0x20 | 5 << 2);
  EXPECT_EQ(control.last, MachineRequest::PowerOff);
  mmu().write_phys(kGenericEventDevicePhys + 0x202, Width::Byte, 0x41);
  EXPECT_EQ(control.last, MachineRequest::PowerOff);
  mmu().write_phys(kGenericEventDevicePhys + 0x202, Width::Byte, 0x42);
  EXPECT_EQ(control.last, MachineRequest::Reset);
}

TEST_F(MicrovmTest, MoreDevicesThanPlacesAreRefused) {
  for (unsigned i = 0; i < 23; ++i) config.devices.push_back({.driver = "virtio-rng"});
  Pc small(config, *ram, {sink, sink}, control, log);
  const auto plugged = small.plug_in(config.devices);
  ASSERT_FALSE(plugged.ok());
  EXPECT_NE(plugged.error().message.find("24 places"), std::string::npos);
}

TEST_F(MicrovmTest, NoiseIsHarmlessAndCanBeSaved) {
  std::mt19937_64 random(4736);
  constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword, Width::Qword};
  constexpr u64 kPlaces[] = {kGenericEventDevicePhys,
                             kGenericEventDevicePhys + 0x200,
                             kVirtioMmioPhys + 23 * 512,
                             kVirtioMmioPhys + 22 * 512,
                             kVirtioMmioPhys + 22 * 512 + 256,
                             kVirtioMmioPhys + 22 * 512 - 8,
                             kIoApicPhys,
                             kSecondIoApicPhys};
  for (int i = 0; i < 200'000; ++i) {
    const u64 phys = kPlaces[random() % std::size(kPlaces)] + random() % 0x100;
    const Width width = random() % 3 == 0 ? kWidths[random() % 4] : Width::Dword;
    const u64 at = width == Width::Dword && random() % 8 != 0 ? phys & ~u64{3} : phys;
    switch (random() % 4) {
      case 0: mmu().read_phys(at, width); break;
      case 1: mmu().write_phys(at, width, random() % 2 == 0 ? random() % 16 : random()); break;
      case 2: pc->press_power_button(); break;
      default: pass_time(random() % 5'000); break;
    }
  }
  expect_state_is_taken();
}

}  // namespace
}  // namespace reprise::machine
