// Media and the drives that they are in, as far as one option says it.
#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "common/words.h"
#include "frontend/options/option.h"
#include "frontend/qemu/option_row.h"

namespace reprise::frontend::qemu {
namespace {

/// How the host reads and writes an image, and what is done when that fails.
constexpr std::string_view kHostSide =
    "cache cache.* aio discard detect-zeroes rerror werror copy-on-read auto-read-only locking file.locking "
    "file.aio file.cache.* file.discard file.auto-read-only file.node-name throttling.* bps iops bps_rd "
    "bps_wr iops_rd iops_wr "
    "group boot unmap force-share lazy-refcounts pass-discard-request pass-discard-snapshot write-cache";

void check_file(const KeyValues& keys, const std::string& file) {
  for (const std::string_view scheme :
       {"nbd:", "nbd+", "http:", "https:", "ftp:", "ssh:", "rbd:", "iscsi:", "gluster",
        "nfs:", "fat:", "json:", "null-co:", "blkdebug:", "vvfat:"})
    if (file.starts_with(scheme))
      keys.refuse(fmt::format("'{}' is no file: images are files and devices of this host", file));
}

std::string without_prefix(const KeyValues& keys, const std::string& file) {
  check_file(keys, file);
  constexpr std::string_view kFile = "file:";
  return file.starts_with(kFile) ? file.substr(kFile.size()) : file;
}

void check_format(const KeyValues& keys, const std::string& format) {
  if (format.empty() || format == "raw" || format == "qcow2" || format == "host_device" ||
      format == "host_cdrom")
    return;
  keys.refuse(fmt::format("format '{}' cannot be read: qemu-img convert makes raw or qcow2 of it", format));
}

std::optional<unsigned> take_small(KeyValues& keys, std::string_view key) {
  const std::optional<std::string> text = keys.take(key);
  if (!text) return std::nullopt;
  const std::optional<u64> number = parse_number(*text);
  constexpr u64 kMost = 255;
  if (!number || *number > kMost) keys.refuse(fmt::format("'{}={}' is no small number", key, *text));
  return static_cast<unsigned>(*number);
}

void add_drive(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value);
  Drive drive{.option = fmt::format("{} {}", option, value)};
  drive.id = keys.take_or_empty("id");
  drive.file = without_prefix(keys, keys.take_any({"file.filename", "file"}).value_or(""));
  drive.format = keys.take_any({"format", "driver"}).value_or("");
  check_format(keys, drive.format);
  if (drive.format.starts_with("host_")) drive.format = "raw";
  drive.interface = keys.take("if").value_or("ide");
  const std::string media = keys.take("media").value_or("disk");
  if (media != "disk" && media != "cdrom")
    keys.refuse(fmt::format("media={} is neither disk nor cdrom", media));
  drive.cdrom = media == "cdrom";
  drive.serial = keys.take_or_empty("serial");
  drive.address = keys.take_or_empty("addr");
  drive.snapshot = keys.take_switch("snapshot").value_or(false);
  for (const std::string_view name : {"readonly", "read-only"})
    drive.read_only = keys.take_switch(name).value_or(drive.read_only);
  const std::optional<unsigned> bus = take_small(keys, "bus");
  const std::optional<unsigned> unit = take_small(keys, "unit");
  drive.index = take_small(keys, "index");
  if (drive.index && (bus || unit)) keys.refuse("index= excludes bus= and unit=");
  if (bus || unit) drive.index = bus.value_or(0) * (drive.interface == "ide" ? 2 : 1) + unit.value_or(0);
  keys.ignore("file.driver");
  keys.ignore(kHostSide);
  keys.refuse_rest();
  constexpr std::string_view kInterfaces[] = {"ide", "virtio", "floppy", "pflash", "none"};
  if (std::ranges::find(kInterfaces, drive.interface) == std::end(kInterfaces))
    keys.refuse(fmt::format("if={} is none of ide, virtio, floppy, pflash, none", drive.interface));
  draft.drives.push_back(std::move(drive));
}

/// A node of the file, or of a format that lies over one.
void add_node(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "driver");
  Drive node{.option = fmt::format("{} {}", option, value)};
  node.id = keys.take_or_empty("node-name");
  if (node.id.empty()) keys.refuse("it has no node-name=");
  const std::string driver = keys.take_or_empty("driver");
  for (const std::string_view name : {"read-only", "readonly"})
    node.read_only = keys.take_switch(name).value_or(node.read_only);
  keys.ignore(kHostSide);
  if (driver == "file" || driver == "host_device" || driver == "host_cdrom") {
    node.file = without_prefix(keys, keys.take_or_empty("filename"));
  } else if (driver == "raw" || driver == "qcow2") {
    node.format = driver;
    if (const auto file = keys.take_any({"file.filename"}))
      node.file = without_prefix(keys, *file);
    else
      draft.over[node.id] = keys.take_or_empty("file");
    keys.ignore("file.driver");
    if (keys.take_or_empty("backing") == "null") {
    }
  } else {
    keys.refuse(fmt::format("driver '{}' is none of file, raw, qcow2", driver));
  }
  keys.refuse_rest();
  const std::string id = node.id;
  draft.nodes[id] = std::move(node);
}

void add_at(Draft& draft, std::string_view option, const std::string& file, std::string_view interface,
            unsigned index, bool cdrom) {
  draft.drives.push_back({.option = fmt::format("{} {}", option, file),
                          .file = file,
                          .interface = std::string(interface),
                          .cdrom = cdrom,
                          .read_only = cdrom,
                          .index = index});
}

/// -hda is the first of IDE's, -fdb the second floppy.
void add_by_letter(Draft& draft, std::string_view option, const std::string& file) {
  const auto index = static_cast<unsigned>(option.back() - 'a');
  add_at(draft, option, file, option.starts_with("-fd") ? "floppy" : "ide", index, false);
}

void add_cdrom(Draft& draft, std::string_view option, const std::string& file) {
  constexpr unsigned kSecondaryMaster = 2;
  add_at(draft, option, file, "ide", kSecondaryMaster, true);
}

void add_pflash(Draft& draft, std::string_view option, const std::string& file) {
  const auto count = std::ranges::count(draft.drives, "pflash", &Drive::interface);
  add_at(draft, option, file, "pflash", static_cast<unsigned>(count), false);
}

void add_share(Draft& draft, const FolderWish& folder, const std::string& tag) {
  draft.words_of(
      "--share",
      fmt::format("{},tag={}{}{}", with_commas_doubled(folder.path), with_commas_doubled(tag),
                  folder.owner.empty() ? "" : ",owner=" + folder.owner, folder.read_only ? ",readonly" : ""));
}

FolderWish take_folder(KeyValues& keys) {
  FolderWish folder{.option = fmt::format("{} {}", keys.option(), keys.text()), .path = {}, .owner = {}};
  const std::string driver = keys.take_or_empty("fsdriver");
  if (driver != "local") keys.refuse(fmt::format("'{}' is no kind of folder here: give local", driver));
  folder.path = keys.take_or_empty("path");
  if (folder.path.empty()) keys.refuse("it has no path=");
  const std::string model = keys.take("security_model").value_or("none");
  if (model == "mapped" || model == "mapped-xattr" || model == "mapped-file")
    folder.owner = "mapped";
  else if (model == "none" || model == "passthrough")
    folder.owner = "real";
  else
    keys.refuse(fmt::format(
        "security_model={} is none of mapped, mapped-xattr, mapped-file, passthrough, none", model));
  folder.read_only = keys.take_switch("readonly").value_or(false);
  keys.ignore("writeout multidevs fmode dmode throttling.*");
  return folder;
}

void add_virtfs(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "fsdriver");
  const FolderWish folder = take_folder(keys);
  const std::string tag = keys.take_or_empty("mount_tag");
  keys.ignore("id");
  keys.refuse_rest();
  if (tag.empty()) keys.refuse("it has no mount_tag=");
  add_share(draft, folder, tag);
}

void add_fsdev(Draft& draft, std::string_view option, const std::string& value) {
  KeyValues keys = KeyValues::parse(option, value, "fsdriver");
  const std::string id = keys.take_or_empty("id");
  if (id.empty()) keys.refuse("it has no id=");
  draft.folders[id] = take_folder(keys);
  keys.refuse_rest();
}

constexpr OptionRow kRows[] = {
    {" drive ", "KEY=VALUE[,...]", Effect::Translated, "--disk, --cdrom or --floppy with write=yes",
     add_drive},
    {" blockdev ", "KEY=VALUE[,...]", Effect::Translated, "an image for -device: driver=file, raw, qcow2",
     add_node},
    {" hda hdb hdc hdd ", "FILE", Effect::Translated, "a disk on IDE", add_by_letter},
    {" cdrom ", "FILE", Effect::Translated, "--cdrom", add_cdrom},
    {" fda fdb ", "FILE", Effect::Translated, "--floppy", add_by_letter},
    {" pflash ", "FILE", Effect::Translated, "firmware, and its variables", add_pflash},
    {" snapshot ", "", Effect::Translated, "what the guest writes is gone with the run",
     [](Draft& draft, std::string_view, const std::string&) { draft.snapshot = true; }},
    {" virtfs ", "local,path=FOLDER,mount_tag=NAME[,...]", Effect::Translated, "--share", add_virtfs},
    {" fsdev ", "local,id=ID,path=FOLDER[,...]", Effect::Translated, "a folder for -device virtio-9p-pci",
     add_fsdev},
    {" sd mtdblock ", "FILE", Effect::Refused,
     "there are no SD cards and no flash memory but firmware's: give -drive"},
    {" iscsi add-fd set ", "...", Effect::Refused, "files are given by their names: leave it out"},
};

}  // namespace

std::span<const OptionRow> drive_rows() { return kRows; }

}  // namespace reprise::frontend::qemu
