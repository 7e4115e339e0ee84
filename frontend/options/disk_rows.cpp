// Drives and their media.
#include <fmt/format.h>

#include <filesystem>

#include "frontend/options/run_rows.h"
#include "frontend/options/want.h"
#include "machine/plug/device_registry.h"

namespace reprise::frontend {
namespace {

/// "cdrom,disk1,menu=on,once=network". Which drives there are is known when the images have been looked at.
void set_boot_order(RunDraft& draft, const Given& given) {
  machine::FirmwareConfig& firmware = draft.options.config.firmware;
  constexpr std::string_view kOnce = "once=";
  for (const std::string& word : words_of_list(given)) {
    const bool once = word.starts_with(kOnce);
    const std::string source = once ? word.substr(kOnce.size()) : word;
    std::vector<std::string>& order = once ? firmware.first_boot_order : firmware.boot_order;
    const std::string kind = source.substr(0, source.find_last_not_of("0123456789") + 1);
    if (word == "menu=on" || word == "menu=off")
      firmware.boot_menu = word == "menu=on";
    else if (kind == "disk" || kind == "cdrom" || kind == "floppy" || kind == "network")
      order.push_back(source);
    else if (source == "n")  // as QEMU calls it
      order.emplace_back("network");
    else
      throw BadValue{
          fmt::format("{} '{}' is none of disk, cdrom, floppy, network, one of them with its number (disk1) "
                      "or with once= in front, menu=on",
                      given.name, word)};
  }
}

/// A file named without an option: its name is taken as it is, properties need --disk.
void add_image(RunDraft& draft, const Given& given) {
  if (given.value.empty()) throw BadValue{"the name of a disk image is empty"};
  const std::size_t comma = given.value.find(',');
  const std::string_view key = std::string_view(given.value).substr(std::min(comma, given.value.size()));
  if (key.find('=') != key.npos &&
      machine::find_device_row("disk")->find(key.substr(1, key.find('=') - 1)) != nullptr &&
      !std::filesystem::exists(given.value))
    throw BadValue{fmt::format("'{}' is the name of no file, and keys need an option: --disk {}", given.value,
                               given.value)};
  draft.options.config.devices.push_back({.driver = "disk", .properties = {{"file", given.value}}});
}

/// "FILE[,PROPERTY=VALUE...]" for a drive.
void add_drive(RunDraft& draft, const Given& given, std::string_view driver) {
  draft.options.config.devices.push_back(want(machine::parse_drive(given.name, driver, given.value)));
}

/// The keys behind a file's name.
std::vector<WordsBehind> words_behind_file(std::string_view driver) {
  return {{"*", machine::property_words(*machine::find_device_row(driver))}};
}

constexpr RunOption kDiskRows[] = {
    {.name = "IMAGE",
     .shown = Shown::NameLine,
     .help = "a disk image; as --disk, but commas are part of its name",
     .counts = Counts::Each,
     .empty = Empty::Taken,
     .of_machine = true,
     .set = add_image},
    {.name = "--disk",
     .value = "FILE[,write=yes][,overlay=FILE][,bus=ide|ahci|virtio][,format=raw|qcow2][,media=cdrom][,"
              "serial=TEXT]",
     .shown = Shown::Name,
     .help = "a disk image",
     .more = "write=yes lets the guest's writes go to it; overlay=FILE keeps them in a qcow2 image over it, "
             "made when missing; media=cdrom makes it a CD-ROM. A comma in a name is doubled.",
     .behind = [] { return words_behind_file("disk"); },
     .counts = Counts::Each,
     .of_machine = true,
     .set = [](RunDraft& draft, const Given& given) { add_drive(draft, given, "disk"); }},
    {.name = "--cdrom",
     .value = "FILE",
     .shown = Shown::NameLine,
     .help = "a CD-ROM; an empty name is an empty drive",
     .more = "bus=ahci behind a comma puts it there instead of on IDE.",
     .behind = [] { return words_behind_file("ide-cd"); },
     .counts = Counts::Each,
     .empty = Empty::Taken,
     .of_machine = true,
     .set = [](RunDraft& draft, const Given& given) { add_drive(draft, given, "ide-cd"); }},
    {.name = "--floppy",
     .value = "FILE[,write=yes]",
     .shown = Shown::Name,
     .help = "a floppy; an empty name is an empty drive",
     .behind = [] { return words_behind_file("floppy"); },
     .counts = Counts::Each,
     .empty = Empty::Taken,
     .of_machine = true,
     .set = [](RunDraft& draft, const Given& given) { add_drive(draft, given, "floppy"); }},
    {.name = "--boot",
     .value = "LIST",
     .help = "what firmware tries first: disk, cdrom, floppy, network, disk1, ...; menu=on",
     .more =
         "The others follow in the order in which they are given; the network only if there is nothing else. "
         "once=cdrom: in front of all, until the machine is reset for the first time.",
     .words = "disk cdrom floppy network once=cdrom menu=on",
     .of_machine = true,
     .set = set_boot_order},
};

}  // namespace

std::span<const RunOption> disk_rows() { return kDiskRows; }

}  // namespace reprise::frontend
