#include "frontend/qemu/plug.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/numbers.h"
#include "common/words.h"
#include "frontend/options/option.h"
#include "frontend/options/values.h"
#include "frontend/qemu/option_row.h"
#include "frontend/qemu/tables.h"
#include "machine/layout/pc_layout.h"
#include "machine/plug/device_registry.h"

namespace reprise::frontend::qemu {
namespace {

struct DeviceRule;
using Add = void (*)(Plug& plug, KeyValues& keys, const DeviceRule& rule);

/// How a device is added, and the properties that it looks at by itself, with blanks between.
struct Way {
  Add add;
  std::string_view takes = {};
};

/// What becomes of a device.
struct DeviceRule {
  std::string_view names;  // with blanks around each
  const Way& way;
  std::string_view ours = {};     // our driver
  std::string_view same = {};     // properties that are the same there, with blanks between
  std::string_view ignored = {};  // properties that change nothing here
  std::string_view text = {};     // why it is refused, or what is noted: a sentence without a full stop
};

/// How the host serves a card of virtio's, and what its driver does not need to know.
constexpr std::string_view kVirtioIgnored =
    "disable-legacy disable-modern ioeventfd event_idx indirect_desc vectors packed iommu_platform ats "
    "num-queues queue-size "
    "modern-pio-notify virtio-pci-bus-master-bug-migration use-started use-disabled-flag any_layout "
    "notify_on_empty "
    "page-per-vq multifunction rombar x-* iothread rx_queue_size tx_queue_size mq host_mtu failover_pair_id "
    "max-bytes period rng config-wce scsi discard write-zeroes share-rw write-cache request-merging "
    "seg-max-adjust "
    "max_ports emergency-write acpi-index";
constexpr std::string_view kVirtioScsiIgnored =
    "disable-legacy disable-modern ioeventfd event_idx indirect_desc vectors packed iommu_platform ats "
    "num_queues virtqueue_size cmd_per_lun max_sectors hotplug param_change seg_max_adjust iothread "
    "multifunction rombar acpi-index page-per-vq any_layout notify_on_empty x-*";
constexpr std::string_view kScsiDiskIgnored =
    "write-cache rotation_rate vendor product ver wwn port_wwn port_index device_id share-rw dpofua "
    "removable scsi_version max_unmap_size max_io_size discard_granularity min_io_size opt_io_size rerror "
    "werror";
constexpr std::string_view kPciIgnored = "multifunction rombar acpi-index x-*";

/// "5", "05.0", "0x5", "0x2.0x1": the number of a device, and of one of its functions. Hexadecimal, whether it says so or not.
struct DeviceAddress {
  u64 device = 0;
  u64 function = 0;
};
DeviceAddress address_of(KeyValues& keys, std::string_view text) {
  const auto number_of = [&](std::string_view digits) {
    const std::optional<u64> number =
        parse_number(digits.starts_with("0x") ? std::string(digits) : fmt::format("0x{}", digits));
    if (!number) keys.refuse(fmt::format("addr={} is no number of a device", text));
    return *number;
  };
  const std::size_t point = text.find('.');
  DeviceAddress address = {.device = number_of(text.substr(0, point))};
  if (point != text.npos) address.function = number_of(text.substr(point + 1));
  return address;
}

/// On bus 0, where the number that the VGA has is no card's.
std::string place_of(Plug& plug, KeyValues& keys, std::string_view text, u64 device) {
  const auto chipset = plug.draft.q35 ? devices::Chipset::Q35 : devices::Chipset::I440fx;
  if (device != machine::pci_device_graphics(chipset)) return fmt::format(",addr={}", device);
  // On QEMU it is another card's when there is no VGA, as libvirt has it, which counts up from there.
  constexpr unsigned kInstead = 30;
  plug.draft.note(
      fmt::format("{} addr={}: the VGA is there, so the card has addr={}.", keys.option(), text, kInstead));
  return fmt::format(",addr={}", kInstead);
}

std::string slot_of(Plug& plug, KeyValues& keys) {
  const std::optional<std::string> text = keys.take("addr");
  const std::string bus = keys.take("bus").value_or("pci.0");
  if (bus.starts_with("virtio-mmio-bus."))
    keys.refuse("bus=: devices take the places from the last one downwards, in their order: leave it out");
  const DeviceAddress address = text ? address_of(keys, *text) : DeviceAddress{};
  if (address.function != 0) keys.refuse(fmt::format("addr={}: cards are function 0 of their device", *text));
  if (bus == "pci.0" || bus == "pcie.0")
    return text ? place_of(plug, keys, *text, address.device) : std::string();
  if (!plug.draft.q35) keys.refuse(fmt::format("there is no bus '{}': cards are on pci.0", bus));
  if (address.device != 0) keys.refuse(fmt::format("addr={}: a port has one place, 0", *text));
  return fmt::format(",bus={}", bus);
}

std::string id_of(KeyValues& keys) {
  const std::optional<std::string> id = keys.take("id");
  return id ? fmt::format(",id={}", *id) : std::string();
}

/// What id_of() has put there.
std::string id_in(const std::string& properties) {
  constexpr std::string_view kId = ",id=";
  const std::size_t at = properties.find(kId);
  if (at == properties.npos) return {};
  const std::size_t begin = at + kId.size();
  return properties.substr(begin, properties.find(',', begin) - begin);
}

std::string same_of(KeyValues& keys, std::string_view names) {
  std::string out;
  for (const std::string_view name : words_between(names, " "))
    if (const auto value = keys.take(name)) out += fmt::format(",{}={}", name, with_commas_doubled(*value));
  return out;
}

std::optional<u64> boot_index_of(KeyValues& keys) {
  const std::optional<std::string> text = keys.take("bootindex");
  if (!text || *text == "-1") return std::nullopt;
  const std::optional<u64> number = parse_number(*text);
  if (!number) keys.refuse(fmt::format("bootindex={} is no number", *text));
  return number;
}

/// A card of ours.
void add_card(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  const std::string words =
      std::string(rule.ours) + slot_of(plug, keys) + id_of(keys) + same_of(keys, rule.same);
  keys.ignore(rule.ignored);
  keys.refuse_rest();
  plug.draft.words_of("--device", words);
}

/// A PCI Express port. What libvirt calls them is the name of the bus that they lead to.
void add_root_port(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  if (const std::string bus = keys.take("bus").value_or("pcie.0"); bus != "pcie.0")
    keys.refuse(fmt::format("there is no bus '{}' for a port: ports are on pcie.0", bus));
  std::string words = std::string(rule.ours) + id_of(keys);
  if (const auto text = keys.take("addr")) {
    const DeviceAddress address = address_of(keys, *text);
    words += place_of(plug, keys, *text, address.device);
    if (address.function != 0) words += fmt::format(",function={}", address.function);
  }
  for (const std::string_view name : {"port", "slot", "chassis"}) {
    const std::optional<std::string> text = keys.take(name);
    if (!text) continue;
    const std::optional<u64> number = parse_number(*text);
    if (!number) keys.refuse(fmt::format("{}={} is no number", name, *text));
    words += fmt::format(",{}={}", name, *number);
  }
  words += same_of(keys, rule.same);
  keys.ignore(rule.ignored);
  keys.refuse_rest();
  plug.draft.words_of("--device", words);
}

/// A device at fixed ports, or one that our board has only one of.
void add_plain(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  const std::string words = std::string(rule.ours) + id_of(keys) + same_of(keys, rule.same);
  keys.ignore(rule.ignored);
  keys.refuse_rest();
  plug.draft.words_of("--device", words);
}

/// The number of ports may be hexadecimal.
void add_debug_exit(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  std::string words = std::string(rule.ours) + id_of(keys) + same_of(keys, "iobase");
  if (const auto text = keys.take("iosize")) {
    const std::optional<u64> ports = parse_number(*text);
    if (!ports) keys.refuse(fmt::format("iosize={} is no number", *text));
    words += fmt::format(",iosize={}", *ports);
  }
  keys.refuse_rest();
  plug.draft.words_of("--device", words);
}

/// It is on the board, whoever asks for it.
void is_there(Plug&, KeyValues& keys, const DeviceRule& rule) {
  keys.ignore("id addr bus multifunction");
  keys.ignore(rule.ignored);
  keys.refuse_rest();
}

void add_pvpanic(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  if (keys.take("ioport").value_or("0x505") != "0x505") keys.refuse("its port is 0x505");
  plug.draft.pvpanic = true;
  is_there(plug, keys, rule);
}

void note(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  plug.draft.note(fmt::format("{} {}: {}.", keys.option(), keys.text(), rule.text));
}

void refuse(Plug&, KeyValues& keys, const DeviceRule& rule) { keys.refuse(rule.text); }

Drive& want_drive(Plug& plug, KeyValues& keys) {
  const std::optional<std::string> id = keys.take("drive");
  if (!id) keys.refuse("it has no drive=");
  Drive* drive = plug.draft.find_drive(*id);
  if (drive == nullptr) keys.refuse(fmt::format("there is no -drive and no -blockdev with the id '{}'", *id));
  if (drive->used) keys.refuse(fmt::format("'{}' is the medium of another device", *id));
  drive->used = true;
  return *drive;
}

/// A disk with a -drive or a node.
void add_disk(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  Drive& drive = want_drive(plug, keys);
  if (const auto serial = keys.take("serial")) drive.serial = *serial;
  const std::optional<u64> boot = boot_index_of(keys);
  for (const std::string_view size : {"logical_block_size", "physical_block_size"})
    if (keys.take(size).value_or("512") != "512") keys.refuse(fmt::format("{}= is 512 here", size));
  const std::string properties = slot_of(plug, keys) + id_of(keys);
  keys.ignore(rule.ignored);
  keys.refuse_rest();
  plug.add_drive(drive, rule.ours, properties, boot);
}

/// "ide.1" and unit=: our units count through both channels.
std::string unit_of(KeyValues& keys, std::string_view kind, unsigned per_bus) {
  const std::optional<std::string> bus = keys.take("bus");
  const std::optional<std::string> unit = keys.take("unit");
  if (!bus && !unit) return {};
  const std::size_t point = bus ? bus->rfind('.') : std::string::npos;
  const std::optional<u64> number = bus ? parse_number(std::string_view(*bus).substr(point + 1)) : 0;
  const std::optional<u64> place = parse_number(unit.value_or("0"));
  if (!number || !place || (bus && point == bus->npos))
    keys.refuse(fmt::format("bus= and unit= name no place of a {} drive", kind));
  return fmt::format(",unit={}", *number * per_bus + *place);
}

/// A drive of the board's controllers, or of the AHCI adapter, whose buses are those of its id.
void add_ata(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  constexpr unsigned kIdeUnits = 2;
  Drive empty{.option = fmt::format("{} {}", keys.option(), keys.text())};
  const bool cdrom = rule.ours == "ide-cd";
  Drive& drive = keys.has("drive") || !cdrom ? want_drive(plug, keys) : empty;
  drive.cdrom = cdrom;
  if (const auto serial = keys.take("serial")) drive.serial = *serial;
  const std::optional<u64> boot = boot_index_of(keys);
  bool ahci = plug.draft.q35;
  for (const KeyValues& device : plug.draft.devices) {
    KeyValues other = device;
    const std::string driver = other.take_or_empty("driver");
    const std::string id = other.take_or_empty("id");
    KeyValues copy = keys;
    const std::string bus = copy.take_or_empty("bus");
    ahci = ahci || ((driver == "ahci" || driver == "ich9-ahci") && !id.empty() && bus.starts_with(id + "."));
  }
  const std::string properties =
      (ahci ? ",bus=ahci" : "") + unit_of(keys, "ATA", ahci ? 1 : kIdeUnits) + id_of(keys);
  keys.ignore(rule.ignored);
  keys.refuse_rest();
  plug.add_drive(drive, rule.ours, properties, boot);
}

/// ICH9 has it.
void add_ahci(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  if (plug.draft.q35) return is_there(plug, keys, rule);
  add_card(plug, keys, rule);
}

/// On a virtio-scsi, whose bus is that of its id, or the first.
void add_scsi(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  Drive empty{.option = fmt::format("{} {}", keys.option(), keys.text())};
  const bool cdrom = rule.ours == "scsi-cd";
  Drive& drive = keys.has("drive") || !cdrom ? want_drive(plug, keys) : empty;
  drive.cdrom = cdrom;
  if (const auto serial = keys.take("serial")) drive.serial = *serial;
  const std::optional<u64> boot = boot_index_of(keys);
  for (const std::string_view size : {"logical_block_size", "physical_block_size"})
    if (keys.take(size).value_or("512") != "512") keys.refuse(fmt::format("{}= is 512 here", size));
  if (keys.take("channel").value_or("0") != "0") keys.refuse("a virtio-scsi has channel 0 only");
  constexpr std::string_view kFirstBus = "scsi.0";
  std::string properties;
  if (const std::string bus = keys.take("bus").value_or(std::string(kFirstBus)); bus != kFirstBus)
    properties += fmt::format(",bus={}", bus.substr(0, bus.rfind(".0")));
  properties += same_of(keys, "scsi-id lun") + id_of(keys);
  keys.ignore(rule.ignored);
  keys.refuse_rest();
  plug.add_drive(drive, rule.ours, properties, boot);
}

void add_floppy(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  Drive empty{.option = fmt::format("{} {}", keys.option(), keys.text())};
  Drive& drive = keys.has("drive") ? want_drive(plug, keys) : empty;
  const std::optional<u64> boot = boot_index_of(keys);
  keys.ignore("bus drive-type");
  const std::string properties = unit_of(keys, "floppy", 1) + id_of(keys);
  keys.refuse_rest();
  plug.add_drive(drive, rule.ours, properties, boot);
}

void add_net_card(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  if (const auto netdev = keys.take("netdev")) {
    const auto found = plug.draft.netdevs.find(*netdev);
    if (found == plug.draft.netdevs.end())
      keys.refuse(fmt::format("there is no -netdev with the id '{}'", *netdev));
    found->second.used = true;
  }
  if (const auto boot = boot_index_of(keys)) plug.boot.push_back({*boot, "network"});
  ++plug.cards;
  add_card(plug, keys, rule);
}

void add_folder(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  const std::string id = keys.take_or_empty("fsdev");
  const std::string tag = keys.take_or_empty("mount_tag");
  const auto found = plug.draft.folders.find(id);
  if (found == plug.draft.folders.end()) keys.refuse(fmt::format("there is no -fsdev with the id '{}'", id));
  if (tag.empty()) keys.refuse("it has no mount_tag=");
  const FolderWish& folder = found->second;
  const std::string words =
      fmt::format("{},path={},tag={},owner={}{}{}{}", rule.ours, with_commas_doubled(folder.path),
                  with_commas_doubled(tag), folder.owner, folder.read_only ? ",readonly=yes" : "",
                  slot_of(plug, keys), id_of(keys));
  keys.ignore(rule.ignored);
  keys.refuse_rest();
  plug.draft.words_of("--device", words);
}

/// virtconsole, virtserialport: on the first card, or on that of bus=ID.0.
void add_port(Plug& plug, KeyValues& keys, const DeviceRule& rule) {
  std::string words(rule.ours);
  if (!keys.has("chardev")) {
    plug.draft.ports.push_back({.target = "null", .label = {}});
    words += ",target=null";
  }
  if (const auto id = keys.take("chardev")) {
    const auto found = plug.draft.chardevs.find(*id);
    if (found == plug.draft.chardevs.end())
      keys.refuse(fmt::format("there is no -chardev with the id '{}'", *id));
    Chardev& end = found->second;
    plug.draft.ports.push_back(end);
    words += ",target=" + with_commas_doubled(end.target + end.log);
    if (end.target == "stdio") plug.draft.port_with_terminal = end;
  }
  constexpr std::string_view kFirstCard = "virtio-serial-bus.0";
  if (std::string bus = keys.take("bus").value_or(std::string(kFirstCard)); bus != kFirstCard)
    words += fmt::format(",bus={}", bus.substr(0, bus.rfind(".0")));
  words += id_of(keys) + same_of(keys, rule.same);
  keys.refuse_rest();
  plug.draft.words_of("--device", words);
}

/// One of the board's, in their order or by its index or port.
void add_isa_serial(Plug& plug, KeyValues& keys, const DeviceRule&) {
  std::vector<std::optional<Chardev>>& serials = plug.draft.serials;
  constexpr std::pair<std::string_view, u64> kPorts[] = {{"0x3f8", 0}, {"0x2f8", 1}};
  std::optional<u64> index = serials.size();
  if (const auto text = keys.take("index")) index = parse_number(*text);
  if (const auto text = keys.take("iobase")) {
    const auto* const port =
        std::ranges::find(kPorts, std::string_view(*text), &std::pair<std::string_view, u64>::first);
    index = port == std::end(kPorts) ? std::nullopt : std::optional(port->second);
  }
  if (!index || *index >= std::size(kPorts)) keys.refuse("there are two serial ports, index=0 and index=1");
  if (*index < serials.size() && serials[*index])
    keys.refuse(fmt::format("serial port {} is another's", *index));
  Chardev end{.target = "null"};
  if (const auto id = keys.take("chardev")) {
    const auto found = plug.draft.chardevs.find(*id);
    if (found == plug.draft.chardevs.end())
      keys.refuse(fmt::format("there is no -chardev with the id '{}'", *id));
    end = found->second;
  }
  keys.ignore("id bus irq");
  keys.refuse_rest();
  if (serials.size() <= *index) serials.resize(*index + 1);
  serials[*index] = std::move(end);
}

constexpr Way kCard{add_card, "id addr bus"};
constexpr Way kRootPort{add_root_port, "id addr bus port slot chassis"};
constexpr Way kPlain{add_plain, "id"};
constexpr Way kDebugExit{add_debug_exit, "id iobase iosize"};
constexpr Way kIsThere{is_there, "id addr bus multifunction"};
constexpr Way kPvpanic{add_pvpanic, "id addr bus multifunction ioport"};
constexpr Way kDisk{add_disk, "id addr bus drive serial bootindex logical_block_size physical_block_size"};
constexpr Way kAta{add_ata, "id bus unit drive serial bootindex"};
constexpr Way kAhci{add_ahci, "id addr bus multifunction"};
constexpr Way kScsi{
    add_scsi, "id bus channel scsi-id lun drive serial bootindex logical_block_size physical_block_size"};
constexpr Way kFloppy{add_floppy, "id bus unit drive drive-type bootindex"};
constexpr Way kNetCard{add_net_card, "id addr bus netdev bootindex"};
constexpr Way kFolder{add_folder, "id addr bus fsdev mount_tag"};
constexpr Way kPort{add_port, "id bus chardev"};
constexpr Way kIsaSerial{add_isa_serial, "id bus chardev index iobase irq"};
constexpr Way kNoted{note};
constexpr Way kRefused{refuse};

constexpr std::string_view kNoUsb =
    "there is no USB: give virtio-tablet-pci, virtio-keyboard-pci, virtio-blk-pci for what hangs there";

constexpr DeviceRule kRules[] = {
    {" virtio-blk-pci virtio-blk virtio-blk-device virtio-blk-pci-transitional "
     "virtio-blk-pci-non-transitional ",
     kDisk, "virtio-blk", "", kVirtioIgnored},
    {" ide-hd ", kAta, "ide-hd", "", "write-cache rotation_rate model wwn ver share-rw"},
    {" ide-cd ", kAta, "ide-cd", "", "write-cache model wwn ver share-rw"},
    {" floppy ", kFloppy, "floppy"},
    {" ahci ich9-ahci ", kAhci, "ahci", "", kPciIgnored},
    {" virtio-net-pci virtio-net virtio-net-device virtio-net-pci-transitional "
     "virtio-net-pci-non-transitional ",
     kNetCard, "virtio-net", "mac romfile",
     "csum gso guest_csum guest_tso4 guest_tso6 guest_ecn guest_ufo guest_announce host_tso4 host_tso6 "
     "host_ecn "
     "host_ufo mrg_rxbuf status ctrl_vq ctrl_rx ctrl_vlan ctrl_rx_extra ctrl_mac_addr ctrl_guest_offloads tx "
     "rss hash "
     "disable-legacy disable-modern ioeventfd event_idx indirect_desc vectors packed iommu_platform ats "
     "multifunction rombar x-* "
     "rx_queue_size tx_queue_size mq host_mtu speed duplex page-per-vq acpi-index queues"},
    {" e1000 e1000-82540em ", kNetCard, "e1000", "mac romfile", kPciIgnored},
    {" virtio-rng-pci virtio-rng virtio-rng-device virtio-rng-pci-transitional "
     "virtio-rng-pci-non-transitional ",
     kCard, "virtio-rng", "", kVirtioIgnored},
    {" virtio-9p-pci virtio-9p virtio-9p-device virtio-9p-pci-transitional virtio-9p-pci-non-transitional ",
     kFolder, "virtio-9p", "", kVirtioIgnored},
    {" virtio-keyboard-pci virtio-keyboard virtio-keyboard-device ", kCard, "virtio-keyboard", "",
     "display disable-legacy disable-modern"},
    {" virtio-mouse-pci virtio-mouse virtio-mouse-device ", kCard, "virtio-mouse", "",
     "display disable-legacy disable-modern"},
    {" virtio-tablet-pci virtio-tablet virtio-tablet-device ", kCard, "virtio-tablet", "",
     "display disable-legacy disable-modern"},
    {" AC97 ", kCard, "AC97", "", "audiodev multifunction"},
    {" i6300esb ", kCard, "i6300esb", "", kPciIgnored},
    {" isa-debug-exit ", kDebugExit, "isa-debug-exit"},
    {" pc-testdev ", kPlain, "pc-testdev"},
    {" pvpanic ", kPvpanic, "", "", "events"},
    {" VGA ", kPlain, "VGA", "vgamem_mb",
     "addr bus edid xres yres xmax ymax global-vmstate qemu-extended-regs mmio refresh_rate"},
    {" vmgenid ", kIsThere, "", "", "guid"},
    {" isa-fdc hpet mc146818rtc isa-pit ", kIsThere},
    {" virtio-balloon-pci virtio-balloon virtio-balloon-device virtio-balloon-pci-transitional "
     "virtio-balloon-pci-non-transitional ",
     kCard, "virtio-balloon", "",
     "disable-legacy disable-modern deflate-on-oom free-page-hint free-page-reporting page-poison "
     "guest-stats-polling-interval iothread any_layout indirect_desc event_idx notify_on_empty "
     "iommu_platform "
     "packed ats page-per-vq ioeventfd vectors multifunction rombar acpi-index x-*"},
    {" vmcoreinfo ", kNoted, "", "", "", "dumps of the guest's memory do not need it"},
    {" virtio-vga virtio-gpu-pci qxl-vga qxl cirrus-vga vmware-svga bochs-display virtio-vga-gl "
     "virtio-gpu-gl-pci ",
     kNoted, "", "", "", "the card is the one of -vga std"},
    {" piix3-usb-uhci piix4-usb-uhci usb-ehci ich9-usb-ehci1 ich9-usb-uhci1 ich9-usb-uhci2 ich9-usb-uhci3 "
     "qemu-xhci nec-usb-xhci ",
     kNoted, "", "", "", "there is no USB, and nothing that was plugged in there"},
    {" usb-tablet usb-kbd usb-mouse usb-storage usb-uas usb-host usb-serial usb-net usb-hub ", kRefused, "",
     "", "", kNoUsb},
    {" rtl8139 ne2k_pci ne2k_isa pcnet e1000e igb i82551 i82557b i82559er vmxnet3 tulip usb-net ", kRefused,
     "", "", "", "the network cards are virtio-net-pci and e1000"},
    {" intel-hda ich9-intel-hda hda-duplex hda-output hda-micro sb16 es1370 cs4231a gus adlib ", kRefused, "",
     "", "", "the sound card is AC97"},
    {" virtio-scsi-pci virtio-scsi virtio-scsi-device virtio-scsi-pci-transitional "
     "virtio-scsi-pci-non-transitional ",
     kCard, "virtio-scsi", "", kVirtioScsiIgnored},
    {" scsi-hd ", kScsi, "scsi-hd", "", kScsiDiskIgnored},
    {" scsi-cd ", kScsi, "scsi-cd", "", kScsiDiskIgnored},
    {" scsi-disk scsi-block scsi-generic nvme lsi53c895a megasas mptsas1068 pvscsi am53c974 ", kRefused, "",
     "", "", "disks are virtio-blk-pci, ide-hd, and scsi-hd on virtio-scsi-pci; CD-ROMs ide-cd and scsi-cd"},
    {" vhost-user-fs-pci ", kRefused, "", "", "", "folders are virtio-9p-pci with -fsdev local"},
    {" vhost-vsock-pci vhost-user-vsock-pci ", kRefused, "", "", "",
     "there are no sockets between guest and host: give -netdev user"},
    {" virtio-serial-pci virtio-serial virtio-serial-device virtio-serial-pci-transitional "
     "virtio-serial-pci-non-transitional ",
     kCard, "virtio-serial", "", kVirtioIgnored},
    {" virtconsole ", kPort, "virtconsole", "name nr"},
    {" virtserialport ", kPort, "virtserialport", "name nr"},
    {" isa-serial ", kIsaSerial},
    {" pci-serial ", kRefused, "", "", "", "serial ports are those of -serial, and isa-serial"},
    {" pcie-root-port ", kRootPort, "pcie-root-port", "multifunction hotplug",
     "io-reserve mem-reserve pref32-reserve pref64-reserve bus-reserve disable-acs power_controller_present "
     "aer_log_max failover_pair_id acpi-index x-*"},
    {" pcie-pci-bridge pci-bridge ioh3420 i82801b11-bridge pxb pxb-pcie x3130-upstream xio3130-downstream ",
     kRefused, "", "", "", "the bridges are pcie-root-port, on a q35"},
    {" tpm-tis tpm-crb ", kRefused, "", "", "", "there is no TPM"},
    {" edu ivshmem-plain ivshmem-doorbell vfio-pci pci-testdev nvdimm pc-dimm virtio-mem-pci virtio-pmem-pci "
     "intel-iommu "
     "virtio-iommu-pci ",
     kRefused, "", "", "", "there is no such device"},
};

const DeviceRule* find_rule(std::string_view driver) {
  const std::string wanted = fmt::format(" {} ", driver);
  const auto* found = std::ranges::find_if(
      kRules, [&](const DeviceRule& rule) { return rule.names.find(wanted) != rule.names.npos; });
  return found == std::end(kRules) || driver.find(' ') != driver.npos ? nullptr : found;
}

/// virtio-blk-pci is for PCI, virtio-blk-device for registers in memory: a board has one of them.
void check_bus(const Draft& draft, const KeyValues& keys, std::string_view driver, const DeviceRule& rule) {
  const bool in_memory = driver.ends_with("-device");
  if (in_memory && !draft.microvm)
    keys.refuse(fmt::format("this machine has PCI: give {}-pci", driver.substr(0, driver.rfind('-'))));
  const machine::DeviceRow* const row = machine::find_device_row(rule.ours);
  if (!draft.microvm || in_memory || row == nullptr || !row->is_card()) return;
  keys.refuse(row->virtio != nullptr
                  ? fmt::format("a microvm has no PCI: give {}-device", row->driver)
                  : std::string("a microvm has no PCI: its devices are those whose names end in -device"));
}

void add_device(Draft& draft, std::string_view option, const std::string& value) {
  if (value == "help" || value == "?") {
    draft.answer = device_list();
    return;
  }
  draft.devices.push_back(KeyValues::parse(option, value, "driver"));
}

/// Random numbers follow from the seed, and memory is the guest's; sources and kinds of both are taken.
constexpr std::string_view kObjects[] = {
    "rng-random",           "rng-builtin", "rng-egd",        "memory-backend-ram", "memory-backend-file",
    "memory-backend-memfd", "iothread",    "throttle-group", "thread-context",     "secret"};

void add_object(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "qom-type");
  const std::string type = keys.take_or_empty("qom-type");
  if (std::ranges::find(kObjects, type) == std::end(kObjects))
    keys.refuse(fmt::format("there is no object '{}': leave it out", type));
  const std::string id = keys.take_or_empty("id");
  if (type == "iothread") draft.io_threads.push_back(id);
  if (!type.starts_with("memory-backend")) return;
  const std::optional<std::string> size = keys.take("size");
  const std::optional<u64> bytes = size ? parse_memory(*size) : std::nullopt;
  if (!bytes) keys.refuse("it has no size= such as 512M");
  draft.memories.push_back({.id = id, .bytes = *bytes});
  // One that is the machine's memory says how much there is.
  if (!draft.memory_given) draft.note(fmt::format("{} {}: how much memory there is says -m.", option, value));
}

using Tables = machine::monitor::EmulatorTables;

/// Of a property that is the same of a device of ours; else it is a word.
std::string type_of(const machine::DeviceRow* row, std::string_view property) {
  const machine::PropertySpec* const spec = row != nullptr ? row->find(property) : nullptr;
  if (spec != nullptr && spec->type == machine::PropertyType::Switch) return "bool";
  return spec != nullptr && spec->type == machine::PropertyType::Number ? "int" : "str";
}

constexpr OptionRow kRows[] = {
    {" device ", "DRIVER[,PROPERTY=VALUE...]", Effect::Translated,
     "--device, by QEMU's names; -device help lists them", add_device},
    {" object ", "TYPE,id=ID[,...]", Effect::Translated, "rng-*, memory-backend-*, iothread: taken",
     add_object},
};

}  // namespace

void Plug::add_devices() {
  for (KeyValues& keys : draft.devices) {
    const std::string driver = keys.take_or_empty("driver");
    const DeviceRule* rule = find_rule(driver);
    if (rule == nullptr)
      keys.refuse(
          fmt::format("'{}' is no device that is known here: -device help lists those that are", driver));
    if (rule->way.add != note && rule->way.add != refuse)
      keys.refuse_others(fmt::format("{} {} {}", rule->way.takes, rule->same, rule->ignored));
    check_bus(draft, keys, driver, *rule);
    rule->way.add(*this, keys, *rule);
  }
}

void Plug::add_drive(const Drive& drive, std::string_view driver, const std::string& properties,
                     std::optional<u64> boot_index) {
  const auto refused = [&](std::string_view why) {
    return BadValue{fmt::format("{}: {}", drive.option, why)};
  };
  const bool floppy = driver == "floppy";
  const bool cdrom = driver == "ide-cd" || driver == "scsi-cd";
  if (drive.file.empty() && !floppy && !cdrom) throw refused("it names no file");
  std::string words(driver);
  if (!drive.file.empty()) words += ",file=" + with_commas_doubled(drive.file);
  words += properties;
  if (!floppy && !cdrom && !drive.format.empty()) words += ",format=" + drive.format;
  if (!floppy && !drive.serial.empty()) words += ",serial=" + drive.serial;
  const bool is_written =
      !drive.read_only && !drive.snapshot && !draft.snapshot && !cdrom && !drive.file.empty();
  if (is_written) words += ",write=yes";
  if (is_written && !floppy) written.push_back(drive.file);
  if (drive.read_only && driver == "ide-hd")
    throw refused("a disk on IDE can be written: give if=virtio, or snapshot=on");
  draft.words_of("--device", words);
  unsigned& count = floppy ? floppies : cdrom ? cdroms : disks;
  const std::string name = fmt::format("{}{}", floppy ? "floppy" : cdrom ? "cdrom" : "disk", count++);
  if (boot_index) boot.push_back({*boot_index, name});
  const bool is_node = draft.nodes.contains(drive.id);
  const auto below = draft.over.find(drive.id);
  named.push_back({.name = name,
                   .drive = is_node ? std::string() : drive.id,
                   .device = id_in(properties),
                   .node = is_node ? drive.id : std::string(),
                   .file_node = is_node && below != draft.over.end() ? below->second : std::string(),
                   .on_virtio = driver == "virtio-blk"});
}

bool Plug::is_net_card(std::string_view driver) {
  const DeviceRule* rule = find_rule(driver);
  return rule != nullptr && rule->way.add == add_net_card;
}

std::string device_list() {
  std::string text;
  for (const DeviceRule& rule : kRules) {
    if (rule.way.add == refuse) continue;
    for (const std::string_view name : words_between(rule.names, " "))
      if (!name.empty()) text += fmt::format("name \"{}\"\n", name);
  }
  return text;
}

std::vector<Tables::Type> device_types() {
  std::vector<Tables::Type> types;
  for (const DeviceRule& rule : kRules) {
    if (rule.way.add == refuse) continue;
    Tables::Type type{.name = {}, .parent = "device"};
    const machine::DeviceRow* const row = machine::find_device_row(rule.ours);
    const auto add = [&](std::string_view names, std::string_view help) {
      for (const std::string_view name : words_between(names, " "))
        if (!name.empty() && !name.ends_with('*'))
          type.properties.push_back({std::string(name), type_of(row, name), std::string(help)});
    };
    add(rule.way.takes, "");
    add(rule.same, "");
    add(rule.ignored, "changes nothing here");
    for (const std::string_view name : words_between(rule.names, " "))
      if (!name.empty()) types.push_back({std::string(name), type.parent, type.properties});
  }
  return types;
}

std::vector<Tables::Type> object_types() {
  std::vector<Tables::Type> types;
  for (const std::string_view name : kObjects)
    types.push_back({.name = std::string(name), .parent = "object"});
  return types;
}

std::span<const OptionRow> device_rows() { return kRows; }

}  // namespace reprise::frontend::qemu
