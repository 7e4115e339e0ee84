// Cards that come and go while the guest runs: what the guest finds, what is refused, what is kept of it.
#include "machine/hot_plug.h"

#include "machine/monitor/monitor.h"
#include "machine/snapshot/ram_state.h"
#include "machine/snapshot/state_file.h"
#include "tests/unit/machine/storage_fixture.h"
#include "tests/unit/machine/travelling_guest.h"

namespace reprise::machine {
namespace {

constexpr u16 kUp = kPciHotplugPort, kDown = kPciHotplugPort + 4, kEject = kPciHotplugPort + 8;

class HotPlugTest : public StorageTest {
 protected:
  HotPlugTest() { guest.emplace(kSpin, config()); }
  static MachineConfig config() {
    MachineConfig config;
    config.pci_hotplug = true;
    config.devices = {{.driver = "virtio-rng", .id = "rng"}};
    return config;
  }
  Machine& machine() { return *guest->machine; }
  Pc& pc() { return machine().pc(); }
  /// What the monitor says; "done": nothing.
  std::string say(std::string_view line) {
    monitor::Monitor monitor(machine(), "reprise test");
    const auto outcome = monitor.execute_line(line);
    return outcome.ok() ? "done" : outcome.error().message;
  }
  void run(u64 instructions = 1000) {
    RunLimits limits;
    limits.stop_at_retired = machine().retired() + instructions;
    guest->run(limits);
  }
  u32 in(u16 port) { return pc().port_read(port, Width::Dword); }
  void out(u16 port, u32 value) { pc().port_write(port, Width::Dword, value); }
  u32 id_in(unsigned slot) {
    out(0xcf8, 0x8000'0000 | slot << 11);
    return in(0xcfc);
  }
  bool gpe_is_raised() { return pc().port_read(kGpe0Port, Width::Word) >> kPciHotplugEvent & 1; }
  std::string disk_words(std::string_view id, std::string_view more = "") {
    const std::string name = "disk-" + std::string(id);
    return "device_add virtio-blk,id=" + std::string(id) + ",file=" + file(name, pattern(64 * kKiB)) +
           std::string(more);
  }

  std::optional<Guest> guest;
};

TEST_F(HotPlugTest, ADiskComesAndGoes) {
  std::vector<std::string> gone;
  machine().on_guest_event([&](const GuestEvent& event) {
    if (event.kind == GuestEvent::Kind::Unplugged) gone.push_back(event.device);
  });
  EXPECT_EQ(id_in(3), 0x10051af4u);
  EXPECT_EQ(id_in(4), ~u32{0});
  ASSERT_EQ(say(disk_words("d1", ",serial=BASE,format=raw")), "done");
  EXPECT_EQ(id_in(4), ~u32{0}) << "not before the inbox is read";
  EXPECT_FALSE(gpe_is_raised());
  run();
  EXPECT_EQ(id_in(4), 0x10011af4u);
  EXPECT_TRUE(gpe_is_raised());
  EXPECT_EQ(in(kUp), 1u << 4);
  EXPECT_EQ(in(kUp), 0u) << "reading has cleared it";
  // Its window, capacity and number.
  out(0xcf8, 0x8000'0000 | 4 << 11 | 0x20);
  out(0xcfc, 0xe000'0000);
  out(0xcf8, 0x8000'0000 | 4 << 11 | 4);
  out(0xcfc, 6);
  EXPECT_EQ(pc().phys_map().read(0xe000'2000, Width::Dword), 128u) << "sectors";

  ASSERT_EQ(say("device_del d1"), "done");
  run();
  EXPECT_EQ(id_in(4), 0x10011af4u) << "the guest decides";
  EXPECT_EQ(in(kDown), 1u << 4);
  EXPECT_TRUE(gone.empty());
  out(kEject, 1u << 4);
  EXPECT_EQ(id_in(4), ~u32{0});
  EXPECT_EQ(in(kDown), 0u);
  EXPECT_EQ(pc().phys_map().read(0xe000'2000, Width::Dword), ~u32{0}) << "its window is gone";
  EXPECT_EQ(gone, std::vector<std::string>{"d1"});
  EXPECT_FALSE(machine().disks().info().at(0).file.empty()) << "until that has come in, too";
  run();
  EXPECT_TRUE(machine().disks().info().at(0).absent);
  EXPECT_EQ(say(disk_words("d1")), "done") << "its name is free";
}

TEST_F(HotPlugTest, WhatCannotBeIsOneSentence) {
  EXPECT_EQ(say("device_del d1"), "Device 'd1' not found");
  EXPECT_EQ(say("device_add virtio-rng"),
            "A virtio-rng cannot be plugged in while the guest runs: virtio-blk, virtio-net, e1000, scsi-hd "
            "and scsi-cd can.");
  EXPECT_EQ(say("device_add virtio-blk,file=" + path("missing")),
            "disk image '" + path("missing") + "' does not exist.");
  EXPECT_EQ(say(disk_words("a", ",addr=3")), "PCI slot 3 is not free.");
  EXPECT_EQ(say(disk_words("a", ",addr=5")), "done");
  EXPECT_EQ(say(disk_words("b", ",addr=5")), "PCI slot 5 is not free.") << "the other is on its way";
  EXPECT_EQ(say(disk_words("a")), "Duplicate device ID 'a'.");
  EXPECT_EQ(say("device_add virtio-net,id=n,mac=52:54:00:00:00:01"), "done");
  EXPECT_EQ(say("device_add e1000,id=m,mac=52:54:00:00:00:01"),
            "Another network card has the address 52:54:00:00:00:01.");
  EXPECT_EQ(say("device_add e1000,id=m"), "done");
  EXPECT_EQ(say("device_add e1000,id=o"),
            "All 1 e1000 that can be plugged in while the guest runs are: take one out first.");
  EXPECT_NE(say("drive_add 0 if=none,id=x,file=y").find("device_add virtio-blk,file=FILE,id=ID"),
            std::string::npos);
  run();
  EXPECT_EQ(id_in(5), 0x10011af4u);
  Guest plain(kSpin);
  monitor::Monitor monitor(*plain.machine, "reprise test");
  EXPECT_EQ(monitor.execute_line("device_add virtio-net").error().message,
            "This machine takes no cards while the guest runs: start it with --hotplug.");
}

TEST_F(HotPlugTest, ACardOfTheBeginningGoesToo) {
  ASSERT_EQ(say("device_del rng"), "done");
  run();
  EXPECT_EQ(in(kDown), 1u << 3);
  out(kEject, ~u32{0});
  EXPECT_EQ(id_in(3), ~u32{0});
  EXPECT_NE(id_in(2), ~u32{0}) << "what is soldered stays";
  ASSERT_EQ(say(disk_words("d")), "done");
  run();
  EXPECT_EQ(id_in(3), 0x10011af4u) << "its slot is free";
}

TEST_F(HotPlugTest, WhatWasAskedForIsDoneByAReset) {
  ASSERT_EQ(say("device_del rng"), "done");
  run();
  for (const devices::Device* device : pc().devices())
    if (device->name() == "pci_hotplug")
      const_cast<devices::Device*>(device)->reset(devices::ResetKind::Warm);
  EXPECT_EQ(id_in(3), ~u32{0});
}

TEST_F(HotPlugTest, NetworkCardsHaveTheirAddresses) {
  ASSERT_EQ(say("device_add e1000,id=n,mac=52:54:00:aa:bb:cc"), "done");
  ASSERT_EQ(say("device_add virtio-net"), "done");
  run();
  EXPECT_EQ(id_in(4), 0x100e8086u);
  EXPECT_EQ(id_in(5), 0x10001af4u);
  const NetworkInfo info = machine().network().info();
  EXPECT_EQ(info.cards, (std::vector<std::string>{"52:54:00:12:34:56", "52:54:00:aa:bb:cc"}));
}

TEST_F(HotPlugTest, StatesHaveWhatWasPluggedIn) {
  ASSERT_EQ(say(disk_words("d", ",serial=S1")), "done");
  ASSERT_EQ(say("device_add virtio-net,id=n,addr=9"), "done");
  ASSERT_EQ(say("device_del rng"), "done");
  run();
  out(kEject, 1u << 3);
  StateMemorySink sink;
  StateWriter writer(sink);
  ASSERT_TRUE(machine().save(writer).ok());
  Guest copy(kSpin, config());
  StateMemorySource source(sink.bytes);
  StateReader reader(source);
  const Result<Done> loaded = copy.machine->load(reader);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(copy.machine->state_hash(), machine().state_hash());
  EXPECT_TRUE(copy.machine->hot_plug().has("d"));
  EXPECT_TRUE(copy.machine->hot_plug().has("n"));
  EXPECT_FALSE(copy.machine->hot_plug().has("rng"));
  EXPECT_NE(copy.machine->pc().pci_config().function(9, 0), nullptr);
  EXPECT_EQ(copy.machine->pc().pci_config().function(3, 0), nullptr);
  EXPECT_FALSE(copy.machine->disks().info().at(0).absent);
}

/// Cards in the ports of a q35.
class PortHotPlugTest : public HotPlugTest {
 protected:
  PortHotPlugTest() { guest.emplace(kSpin, port_config()); }
  static MachineConfig port_config() {
    MachineConfig config;
    config.chipset = devices::Chipset::Q35;
    config.pci_hotplug = true;
    config.devices = {
        {.driver = "pcie-root-port",
         .id = "rp1",
         .place = 2,
         .properties = {{"multifunction", "yes"}, {"slot", "7"}}},
        {.driver = "pcie-root-port", .id = "rp2", .place = 2, .properties = {{"function", "1"}}},
        {.driver = "virtio-rng", .id = "rng", .bus = "rp2"},
        {.driver = "virtio-keyboard", .id = "keys"}};
    return config;
  }
  u32 config_in(unsigned bus, unsigned number, u8 offset, Width width = Width::Dword) {
    pc().port_write(0xcf8, Width::Dword, 0x8000'0000 | bus << 16 | number << 8 | (offset & 0xfcu));
    return pc().port_read(static_cast<u16>(0xcfc + (offset & 3)), width);
  }
  void config_out(unsigned bus, unsigned number, u8 offset, Width width, u32 value) {
    (void)config_in(bus, number, offset, width);
    pc().port_write(static_cast<u16>(0xcfc + (offset & 3)), width, value);
  }
  /// Of port `function`: its slot's control register, and the status behind it.
  u8 slot_control(unsigned function) {
    u8 at = static_cast<u8>(config_in(0, 16 + function, 0x34, Width::Byte));
    while (config_in(0, 16 + function, at, Width::Byte) != 0x10)
      at = static_cast<u8>(config_in(0, 16 + function, static_cast<u8>(at + 1), Width::Byte));
    return static_cast<u8>(at + 0x18);
  }
  void set_slot(unsigned function, u32 value) {
    config_out(0, 16 + function, slot_control(function), Width::Word, value);
  }
  u32 slot_status(unsigned function) {
    return config_in(0, 16 + function, static_cast<u8>(slot_control(function) + 2), Width::Word);
  }
  static constexpr u32 kOn = 0x100, kOff = 0x700;
  static constexpr u32 kDiskId = 0x10421af4, kRngId = 0x10441af4;
};

TEST_F(PortHotPlugTest, PortsAreBridges) {
  EXPECT_EQ(config_in(0, 16, 0), 0x000c1b36u);
  EXPECT_EQ(config_in(0, 17, 0), 0x000c1b36u);
  EXPECT_EQ(config_in(0, 16, 0x0e, Width::Byte), 0x81u);
  EXPECT_EQ(config_in(0, 16, 0x18) & 0xff'ffff, 0x01'01'00u);
  EXPECT_EQ(config_in(0, 17, 0x18) & 0xff'ffff, 0x02'02'00u);
  EXPECT_EQ(config_in(2, 0, 0), kRngId) << "no card in a port has the legacy interface";
  EXPECT_EQ(config_in(2, 8, 0), ~0u);
  EXPECT_EQ(config_in(1, 0, 0), ~0u);
  // By the window of PCI Express, too.
  EXPECT_EQ(pc().phys_map().read(kConfigWindowPhys + (2 << 20), Width::Dword), kRngId);
  // It answers in its window, and no longer when that is closed.
  const u64 registers = config_in(2, 0, 0x20) & ~15u;
  EXPECT_EQ(pc().phys_map().read(registers + 0x12, Width::Word), 1u) << "one queue";
  const u32 window = config_in(0, 17, 0x20);
  EXPECT_GE(registers, u64{window & 0xfff0} << 16);
  EXPECT_LE(registers, window | 0xf'ffff);
  config_out(0, 17, 0x20, Width::Dword, 0x0000'fff0);
  EXPECT_EQ(pc().phys_map().read(registers + 0x12, Width::Word), 0xffffu);
  config_out(0, 17, 0x20, Width::Dword, window);
  EXPECT_EQ(pc().phys_map().read(registers + 0x12, Width::Word), 1u);
}

TEST_F(PortHotPlugTest, ACardComesAndGoes) {
  std::vector<std::string> gone;
  machine().on_guest_event([&](const GuestEvent& event) {
    if (event.kind == GuestEvent::Kind::Unplugged) gone.push_back(event.device);
  });
  EXPECT_EQ(slot_status(0), 0u);
  ASSERT_EQ(say(disk_words("d", ",bus=rp1")), "done");
  EXPECT_EQ(say(disk_words("e", ",bus=rp1")), "The port 'rp1' has a card already.");
  run();
  EXPECT_EQ(slot_status(0), 0x49u) << "a card is there, and was not before";
  EXPECT_EQ(config_in(1, 0, 0), ~0u) << "it has no power";
  set_slot(0, kOn);
  EXPECT_EQ(config_in(1, 0, 0), kDiskId);
  config_out(0, 16, static_cast<u8>(slot_control(0) + 2), Width::Word, 0x1ff);
  EXPECT_EQ(slot_status(0) & 1, 0u);
  ASSERT_EQ(say("device_del d"), "done");
  run();
  EXPECT_EQ(slot_status(0) & 1, 1u) << "the button was pressed";
  EXPECT_TRUE(gone.empty());
  set_slot(0, kOff);
  EXPECT_EQ(config_in(1, 0, 0), ~0u);
  EXPECT_EQ(gone, std::vector<std::string>{"d"});
  EXPECT_EQ(slot_status(0) & 0x40, 0u);
  run();
  // A card of the beginning goes, too, and what was in one port comes to the other.
  ASSERT_EQ(say("device_del rng"), "done");
  run();
  set_slot(1, kOff);
  EXPECT_EQ(gone, (std::vector<std::string>{"d", "rng"}));
  ASSERT_EQ(say(disk_words("d", ",bus=rp2")), "done");
  run();
  set_slot(1, kOn);
  EXPECT_EQ(config_in(2, 0, 0), kDiskId);
}

TEST_F(PortHotPlugTest, WhatCannotBeIsOneSentence) {
  EXPECT_EQ(say(disk_words("a")), "Bus 'pcie.0' does not support hotplugging.");
  EXPECT_EQ(say(disk_words("a", ",bus=rp3")), "virtio-blk: no pcie-root-port has id=rp3.");
  EXPECT_EQ(say(disk_words("a", ",bus=rp2")), "The port 'rp2' has a card already.");
  EXPECT_EQ(say("device_del keys"), "Device 'keys' not found");
  EXPECT_EQ(say("device_add pcie-root-port,id=x"), "Bus 'pcie.0' does not support hotplugging.");
}

TEST_F(PortHotPlugTest, StatesHaveWhatIsInPorts) {
  ASSERT_EQ(say(disk_words("d", ",bus=rp1")), "done");
  ASSERT_EQ(say("device_del rng"), "done");
  run();
  set_slot(0, kOn);
  set_slot(1, kOff);
  StateMemorySink sink;
  StateWriter writer(sink);
  ASSERT_TRUE(machine().save(writer).ok());
  Guest copy(kSpin, port_config());
  StateMemorySource source(sink.bytes);
  StateReader reader(source);
  const Result<Done> loaded = copy.machine->load(reader);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(copy.machine->state_hash(), machine().state_hash());
  EXPECT_TRUE(copy.machine->hot_plug().has("d"));
  EXPECT_FALSE(copy.machine->hot_plug().has("rng"));
  EXPECT_EQ(copy.machine->pc().pci_config().root().find(1, 0)->config_peek(0, Width::Dword), kDiskId);
  EXPECT_EQ(copy.machine->pc().pci_config().root().find(2, 0), nullptr);
}

TEST_F(PortHotPlugTest, TheRunGoesBackAndOn) {
  Runs run(kSpin, EngineKind::Interp, true, port_config());
  const auto there = [&] {
    bool found = false;
    run.on([&] { found = run.machine().hot_plug().has("d"); });
    return found;
  };
  const auto before = run.step(1000);
  run.on([&] {
    monitor::Monitor monitor(run.machine(), "reprise test");
    const auto said = monitor.execute_line(disk_words("d", ",bus=rp1"));
    EXPECT_TRUE(said.ok()) << said.error().message;
  });
  const auto after = run.step(1000);
  EXPECT_TRUE(there());
  EXPECT_EQ(run.to(before.first), before);
  EXPECT_FALSE(there());
  EXPECT_EQ(run.to(after.first), after);
  EXPECT_TRUE(there());
}

/// Drives on virtio-scsi, on either board.
class ScsiHotPlugTest : public HotPlugTest, public ::testing::WithParamInterface<devices::Chipset> {
 protected:
  ScsiHotPlugTest() { guest.emplace(kSpin, scsi_config()); }
  MachineConfig scsi_config() {
    MachineConfig config;
    config.chipset = GetParam();
    config.pci_hotplug = true;
    config.devices = {{.driver = "virtio-scsi", .id = "a"},
                      {.driver = "virtio-scsi", .id = "b"},
                      {.driver = "scsi-hd",
                       .id = "first",
                       .properties = {{"file", file("first", pattern(64 * kKiB))}, {"bus", "b"}}}};
    return config;
  }
  std::string words(std::string_view id, std::string_view more = "") {
    const std::string name = "disk-" + std::string(id);
    return "device_add scsi-hd,id=" + std::string(id) + ",file=" + file(name, pattern(64 * kKiB)) +
           std::string(more);
  }
  std::optional<ScsiPlace> place_of(std::string_view id) {
    for (const ScsiSlot& slot : pc().scsi_slots().slots())
      if (slot.id == id) return slot.place;
    return std::nullopt;
  }
};
INSTANTIATE_TEST_SUITE_P(Boards, ScsiHotPlugTest,
                         ::testing::Values(devices::Chipset::I440fx, devices::Chipset::Q35));

TEST_P(ScsiHotPlugTest, DrivesComeAndGo) {
  std::vector<std::string> gone;
  machine().on_guest_event([&](const GuestEvent& event) {
    if (event.kind == GuestEvent::Kind::Unplugged) gone.push_back(event.device);
  });
  ASSERT_EQ(say(words("d", ",bus=b,serial=S,lun=2")), "done");
  EXPECT_EQ(say(words("e", ",bus=b,scsi-id=0,lun=2")), "scsi-id=0 with lun=2 is not free.");
  ASSERT_EQ(say(words("e", ",bus=b")), "done");
  ASSERT_EQ(say("device_add scsi-cd,id=cd"), "done");
  EXPECT_EQ(place_of("d"), std::nullopt) << "not before the inbox is read";
  run();
  EXPECT_EQ(place_of("d"), (ScsiPlace{1, 0, 2}));
  EXPECT_EQ(place_of("e"), (ScsiPlace{1, 1, 0})) << "the first that is free";
  EXPECT_EQ(place_of("cd"), (ScsiPlace{0, 0, 0}));
  EXPECT_EQ(say(words("d")), "Duplicate device ID 'd'.");
  ASSERT_EQ(say("device_del d"), "done");
  ASSERT_EQ(say("device_del first"), "done");
  EXPECT_TRUE(gone.empty());
  run();
  EXPECT_EQ(gone, (std::vector<std::string>{"d", "first"}));
  EXPECT_EQ(place_of("d"), std::nullopt);
  run();
  EXPECT_EQ(say("device_del d"), "Device 'd' not found");
  ASSERT_EQ(say(words("d", ",bus=b,scsi-id=0")), "done");
  run();
  EXPECT_EQ(place_of("d"), (ScsiPlace{1, 0, 0})) << "where the first was";
}

TEST_P(ScsiHotPlugTest, WhatCannotBeIsOneSentence) {
  EXPECT_EQ(say(words("d", ",bus=c")), "scsi-hd: no virtio-scsi has id=c.");
  EXPECT_EQ(say(words("first")), "Duplicate device ID 'first'.");
  EXPECT_EQ(say("device_add scsi-hd,file=" + path("missing")),
            "disk image '" + path("missing") + "' does not exist.");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(say("device_add scsi-cd"), "done");
  EXPECT_EQ(say("device_add scsi-cd"),
            "All 2 scsi-cd that can be plugged in while the guest runs are: take one out first.");
  MachineConfig without;
  without.pci_hotplug = true;
  Guest plain(kSpin, without);
  monitor::Monitor monitor(*plain.machine, "reprise test");
  EXPECT_EQ(monitor.execute_line("device_add scsi-cd").error().message,
            "There is no virtio-scsi for a scsi-cd: give one on the command line.");
}

TEST_P(ScsiHotPlugTest, StatesHaveWhatWasPluggedIn) {
  ASSERT_EQ(say(words("d", ",bus=b,serial=S1")), "done");
  ASSERT_EQ(say("device_del first"), "done");
  run();
  StateMemorySink sink;
  StateWriter writer(sink);
  ASSERT_TRUE(machine().save(writer).ok());
  Guest copy(kSpin, scsi_config());
  StateMemorySource source(sink.bytes);
  StateReader reader(source);
  const Result<Done> loaded = copy.machine->load(reader);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(copy.machine->state_hash(), machine().state_hash());
  EXPECT_TRUE(copy.machine->hot_plug().has("d"));
  EXPECT_FALSE(copy.machine->hot_plug().has("first"));
}

/// `line` plugs in what `is_there` looks for: it goes when the run goes back, and comes again.
template <class IsThere>
void expect_back_and_on(Runs& run, const std::string& line, IsThere is_there) {
  const auto there = [&] {
    bool found = false;
    run.on([&] { found = is_there(run.machine()); });
    return found;
  };
  const auto before = run.step(1000);
  run.on([&] {
    monitor::Monitor monitor(run.machine(), "reprise test");
    const auto said = monitor.execute_line(line);
    EXPECT_TRUE(said.ok()) << said.error().message;
  });
  const auto after = run.step(1000);
  EXPECT_TRUE(there());
  EXPECT_EQ(run.to(before.first), before);
  EXPECT_FALSE(there());
  EXPECT_EQ(run.to(after.first), after);
  EXPECT_TRUE(there());
}

TEST_P(ScsiHotPlugTest, TheRunGoesBackAndOn) {
  Runs run(kSpin, EngineKind::Interp, true, scsi_config());
  expect_back_and_on(run, words("d"), [](Machine& machine) { return machine.hot_plug().has("d"); });
}

TEST_F(HotPlugTest, TheRunGoesBackAndOn) {
  MachineConfig with_slots;
  with_slots.pci_hotplug = true;
  Runs run(kSpin, EngineKind::Interp, true, with_slots);
  expect_back_and_on(run, disk_words("d"),
                     [](Machine& machine) { return machine.pc().pci_config().function(3, 0) != nullptr; });
  run.on([&] { EXPECT_FALSE(run.machine().disks().info().at(0).absent); });
}

}  // namespace
}  // namespace reprise::machine
