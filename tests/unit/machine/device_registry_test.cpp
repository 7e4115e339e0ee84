// The rows of devices, and where devices go.
#include "machine/plug/device_registry.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "machine/plug/disk_device.h"
#include "machine/plug/display_row.h"
#include "machine/plug/serial_ports.h"
#include "tests/unit/machine/small_guest.h"
#include "tests/unit/machine/storage_fixture.h"

namespace reprise::machine {
namespace {

TEST(DeviceRegistry, RowsAreSound) {
  std::set<std::string_view> names;
  for (const DeviceRow* row : device_rows()) {
    EXPECT_TRUE(names.insert(row->driver).second) << row->driver;
    if (row->qemu_name != row->driver && !row->qemu_name.empty()) {
      EXPECT_TRUE(names.insert(row->qemu_name).second) << row->qemu_name;
    }
    EXPECT_EQ(find_device_row(row->driver), row);
    EXPECT_LE((row->card != nullptr) + (row->virtio != nullptr) + (row->isa != nullptr), 1) << row->driver;
    EXPECT_EQ(row->is_drive() || row->is_card() || row->isa != nullptr,
              row->driver != "VGA" && !is_serial_port({.driver = std::string(row->driver)}))
        << row->driver << ": soldered to the board";
    for (const PropertySpec& property : row->properties) {
      EXPECT_EQ(row->find(property.name), &property) << "two of one name";
      EXPECT_TRUE(property.by_default.empty() || is_value_of(property, property.by_default))
          << row->driver << ' ' << property.name;
      EXPECT_FALSE(property.help.empty() || property.values.empty()) << property.name;
    }
  }
  EXPECT_EQ(find_device_row("virtio-rng-pci"), find_device_row("virtio-rng"));
  EXPECT_EQ(find_device_row(""), nullptr);
}

TEST(DeviceRegistry, TheScreenHasMemoryForTwoPicturesOfItsSize) {
  const auto mib_for = [](devices::DisplaySize size, const char* given = nullptr) {
    std::vector<DeviceConfig> devices;
    if (given != nullptr) devices.push_back({.driver = "VGA", .properties = {{"vgamem_mb", given}}});
    prefer_display_size(devices, size);
    return vga_properties(devices).memory_bytes / kMiB;
  };
  EXPECT_EQ(vga_properties({}).memory_bytes, 16 * kMiB);
  EXPECT_EQ(mib_for({1920, 1080}), 16u);
  EXPECT_EQ(mib_for({1920, 1200}), 32u);
  EXPECT_EQ(mib_for({1920, 1200}, "16"), 16u);
  EXPECT_EQ(mib_for({3840, 2160}), 64u);
  EXPECT_EQ(mib_for(devices::kMaxDisplaySize), 64u);
}

TEST(DeviceRegistry, ValuesByType) {
  const PropertySpec choice = {"c", PropertyType::Choice, "one, two", "", ""};
  EXPECT_TRUE(is_value_of(choice, "one") && is_value_of(choice, "two"));
  for (const char* bad : {"", "on", "one,", "one, two", "three"})
    EXPECT_FALSE(is_value_of(choice, bad)) << bad;
  const PropertySpec number = {"n", PropertyType::Number, "", "", "", 16};
  EXPECT_TRUE(is_value_of(number, "0x10") && is_value_of(number, "0"));
  for (const char* bad : {"", "17", "-1", "x"}) EXPECT_FALSE(is_value_of(number, bad)) << bad;
  const PropertySpec serial = {"s", PropertyType::Serial, "", "", "", 3};
  EXPECT_TRUE(is_value_of(serial, "a-1"));
  for (const char* bad : {"", "abcd", "a\n", "a b", "a,b"}) EXPECT_FALSE(is_value_of(serial, bad)) << bad;
  const PropertySpec rom = {"r", PropertyType::FileOrNone, "", "", ""};
  EXPECT_TRUE(is_value_of(rom, "efi-e1000.rom") && is_value_of(rom, ""));
  const PropertySpec target = {"t", PropertyType::Target, "", "", ""};
  EXPECT_TRUE(is_value_of(target, "stdio") && is_value_of(target, "file:x"));
  for (const char* bad : {"", "file:", "tcp:", "udp:1"}) EXPECT_FALSE(is_value_of(target, bad)) << bad;
}

TEST(DeviceRegistry, ConfigurationsThatNobodyParsedAreCheckedToo) {
  const auto refused = [](DeviceConfig device) {
    const auto checked = check_devices({std::move(device)});
    return checked ? "accepted" : checked.error().message;
  };
  EXPECT_EQ(refused({.driver = "virtio-rng"}), "accepted");
  EXPECT_EQ(refused({.driver = "warp"}), "there is no device 'warp'");
  EXPECT_EQ(refused({.driver = "virtio-rng", .properties = {{"x", "1"}}}), "virtio-rng has no property x");
  EXPECT_EQ(
      refused({.driver = "i6300esb", .properties = {{"action", "x"}}}).find("i6300esb: action=x is none of "),
      0u);
  EXPECT_EQ(refused({.driver = "virtio-rng", .place = 1}), "virtio-rng cannot be at place 1");
  EXPECT_EQ(refused({.driver = "pc-testdev", .place = 1}), "pc-testdev cannot be at place 1");
  EXPECT_EQ(refused({.driver = "ide-hd"}), "ide-hd: it names no file");
}

TEST(DeviceRegistry, DrivesBecomeDisks) {
  const auto parsed = [](std::string_view text) {
    return disk_config(parse_device("--device", text).take()).take();
  };
  const DiskConfig disk = parsed("virtio-blk-pci,file=a,,b,format=qcow2,write=on,serial=S,addr=9");
  EXPECT_EQ(disk.path, "a,b");
  EXPECT_EQ(disk.bus, DiskBus::Virtio);
  EXPECT_EQ(disk.media, DiskMedia::Disk);
  EXPECT_EQ(disk.format, DiskFormat::Qcow2);
  EXPECT_TRUE(disk.write_through);
  EXPECT_EQ(disk.serial, "S");
  EXPECT_EQ(disk.place, 9u);
  EXPECT_EQ(parsed("ide-hd,file=x,bus=ahci,unit=5").bus, DiskBus::Ahci);
  EXPECT_EQ(parsed("ide-hd,file=x").bus, DiskBus::Ide);
  EXPECT_EQ(parsed("ide-cd").media, DiskMedia::Cdrom);
  EXPECT_EQ(parsed("scsi-cd,bus=x,scsi-id=3").bus, DiskBus::Scsi);
  EXPECT_EQ(parsed("scsi-cd,scsi-id=3").media, DiskMedia::Cdrom);
  EXPECT_EQ(parsed("scsi-hd,file=x,scsi-id=3,lun=7").lun, 7u);
  EXPECT_EQ(parsed("scsi-hd,file=x,scsi-id=255").place, 255u);
  EXPECT_EQ(parsed("floppy").bus, DiskBus::Floppy);
  EXPECT_EQ(parsed("disk,file=x").bus, DiskBus::Auto);
  EXPECT_EQ(parsed("disk,file=x").media, std::nullopt);
}

TEST(DeviceRegistry, ScsiDrivesFindTheirCards) {
  const DeviceConfig a = {.driver = "virtio-scsi", .id = "a"}, b = {.driver = "virtio-scsi", .id = "b"};
  const auto on = [](std::string_view bus) {
    DeviceConfig disk = {.driver = "scsi-hd", .properties = {{"file", "x"}}};
    if (!bus.empty()) disk.set("bus", bus);
    return disk;
  };
  const std::vector<DiskConfig> disks = disk_configs({on("b"), a, on(""), b, on("a")});
  ASSERT_EQ(disks.size(), 3u);
  EXPECT_EQ(disks[0].card, 1u);
  EXPECT_EQ(disks[1].card, 0u);
  EXPECT_EQ(disks[2].card, 0u);
  EXPECT_TRUE(check_devices({a, on("a"), on("")}).ok());
  EXPECT_TRUE(check_devices({on("")}).ok()) << "the card comes by itself";
  EXPECT_EQ(check_devices({a, on("c")}).error().message, "scsi-hd: no virtio-scsi has id=c");
}

TEST(DeviceRegistry, PortsFindTheirCards) {
  /// "0p0 console c, 1p3 a": card, number, what it is, name.
  const auto placed = [](const std::vector<DeviceConfig>& devices) {
    const auto ports = serial_ports(devices);
    if (!ports) return ports.error().message;
    std::string text;
    for (const SerialPort& port : ports.value())
      text += fmt::format("{}{}p{}{}{}{}{}", text.empty() ? "" : ", ", port.card, port.number,
                          port.console ? " console" : "", port.name.empty() ? "" : " ", port.name,
                          port.has_plug ? " plug" : "");
    return text;
  };
  const DeviceConfig card = {.driver = "virtio-serial"};
  const DeviceConfig other = {.driver = "virtio-serial", .id = "b"};
  const DeviceConfig console = {.driver = "virtconsole"};
  const DeviceConfig port = {.driver = "virtserialport", .properties = {{"name", "n"}}};
  EXPECT_EQ(placed({console}), "0p0 console") << "the card comes by itself";
  EXPECT_EQ(placed({port, console, console, card}), "0p1 n, 0p0 console, 0p2 console");
  EXPECT_EQ(placed({card,
                    other,
                    {.driver = "virtserialport",
                     .place = 1,
                     .properties = {{"bus", "b"}, {"target", "unix:/tmp/a,wait"}}},
                    {.driver = "virtconsole", .properties = {{"bus", "b"}}},
                    console,
                    port}),
            "1p1 plug, 1p0 console, 0p0 console, 0p1 n");
  std::vector<DeviceConfig> many(31, {.driver = "virtserialport"});
  many.push_back(card);
  EXPECT_EQ(placed(many), "a virtio-serial has 31 ports");
  many.pop_back();
  many.back() = card;
  EXPECT_TRUE(placed(many).ends_with(", 0p30"));
  EXPECT_EQ(serial_ports({card, console}).value()[0].sink(), "vport0p0");
  EXPECT_EQ(serial_ports({card, port}).value()[0].plug_sink(), "vport0p1-plug");
}

class Slots : public StorageTest {
 protected:
  /// "3 ahci, 4 virtio_blk": device numbers from 3 on and what is there, or why the machine cannot be.
  std::string cards(std::vector<DeviceConfig> devices) {
    Capture sink;
    const boot::TemporaryFile kernel(Guest::image(kSpin));
    MachineConfig config;
    config.ram_bytes = 4 * kMiB;
    config.boot.kernel_path = kernel.path();
    config.devices = std::move(devices);
    Log log;
    const auto machine = Machine::create(config, {.com1 = sink, .com2 = sink, .console = &sink}, log);
    if (!machine) return machine.error().message;
    std::string text;
    for (unsigned slot = 3; slot < 32; ++slot) {
      const auto* function = machine.value()->pc().pci_config().function(slot, 0);
      if (function == nullptr) continue;
      text += (text.empty() ? "" : ", ") + std::to_string(slot) + ' ' + std::string(function->name());
    }
    return text;
  }
  DeviceConfig disk(std::string driver, const std::string& bus = {}) {
    DeviceConfig device = {.driver = std::move(driver)};
    device.set("file", file("d" + std::to_string(++disks_), pattern(64 * kKiB)));
    if (!bus.empty()) device.set("bus", bus);
    return device;
  }
  unsigned disks_ = 0;
};

TEST_F(Slots, GoByTheRowsWhateverTheOrderOfTheCommandLine) {
  EXPECT_EQ(cards({}), "");
  EXPECT_EQ(cards({{.driver = "i6300esb"},
                   {.driver = "virtio-rng"},
                   {.driver = "virtio-console"},
                   disk("virtio-blk"),
                   disk("ide-hd", "ahci")}),
            "3 ahci, 4 virtio_blk, 5 virtio_console, 6 virtio_rng, 7 i6300esb");
  EXPECT_EQ(cards({{.driver = "ahci"}, disk("disk"), disk("ide-hd")}), "3 ahci, 4 virtio_blk");
  EXPECT_EQ(cards({disk("scsi-hd"), disk("virtio-blk"), {.driver = "virtio-rng"}}),
            "3 virtio_blk, 4 virtio_rng, 5 virtio_scsi");
}

TEST_F(Slots, AreKeptForThoseWhoAskForThem) {
  EXPECT_EQ(cards({{.driver = "virtio-rng"},
                   {.driver = "virtio-rng", .place = 3},
                   {.driver = "i6300esb", .place = 31}}),
            "3 virtio_rng, 4 virtio_rng, 31 i6300esb");
  EXPECT_EQ(cards({{.driver = "virtio-rng", .place = 5}, {.driver = "i6300esb", .place = 5}}),
            "two cards were given for addr=5.");
  EXPECT_EQ(cards(std::vector<DeviceConfig>(30, {.driver = "virtio-rng"})),
            "there is no PCI slot left for virtio-rng.");
}

TEST_F(Slots, PortsAreTakenOnce) {
  EXPECT_EQ(cards({{.driver = "isa-debug-exit"}, {.driver = "pc-testdev"}}), "");
  EXPECT_EQ(
      cards({{.driver = "isa-debug-exit", .properties = {{"iobase", "0xe1"}}}, {.driver = "pc-testdev"}})
          .find("pc-testdev at port 0xe0: "),
      0u);
  EXPECT_EQ(cards({{.driver = "isa-debug-exit", .properties = {{"iobase", "0x3f8"}}}})
                .find("isa-debug-exit at port 0x3f8: "),
            0u);
}

TEST_F(Slots, UnitsOfDrives) {
  DeviceConfig first = disk("ide-hd"), second = disk("ide-hd");
  first.place = second.place = 1;
  EXPECT_EQ(cards({first, second}), "two drives were given for unit=1 of the IDE bus.");
  second.place = 4;
  EXPECT_EQ(cards({first, second}), "unit=4 was given for the IDE bus, which has units 0 to 3.");
  EXPECT_EQ(cards({first, disk("ide-hd")}), "");
}

}  // namespace
}  // namespace reprise::machine
