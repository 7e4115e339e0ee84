#include "machine/media_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/words.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

// What a MediumEvent says, before the name of an image.
constexpr std::string_view kInsert = "insert";
// Behind it, in this order: of which format it is, and whether it is written to.
constexpr std::pair<std::string_view, DiskFormat> kFormats[] = {{"-raw", DiskFormat::Raw},
                                                                {"-qcow2", DiskFormat::Qcow2}};
constexpr std::string_view kToWrite = "-to-write";

std::string insert_verb(const DiskConfig& config) {
  std::string verb(kInsert);
  for (const auto& [name, format] : kFormats)
    if (config.format == format) verb += name;
  if (config.write_through) verb += kToWrite;
  return verb;
}

}  // namespace

std::vector<HeldMedium> MediaChanges::changed() const {
  std::vector<HeldMedium> changed;
  const std::vector<DiskInfo> infos = disks_.info();
  const auto whole = [&](const std::string& path) {
    return path.empty() ? path : disks_.files().whole_name(path);
  };
  for (const Drive& drive : pc_.drives()) {
    const auto index = static_cast<std::size_t>(&drive - pc_.drives().data());
    if (!drive.takes_media()) continue;
    std::string path = whole(infos[index].file);
    if (path != whole(disks_.first_path(index))) changed.push_back({drive.disk.name, std::move(path)});
  }
  return changed;
}

Result<Done> MediaChanges::restore(const HeldMedium& held) {
  const std::vector<Drive>& drives = pc_.drives();
  const auto found = std::ranges::find_if(
      drives, [&](const Drive& one) { return one.takes_media() && one.disk.name == held.drive; });
  if (found == drives.end())
    return Error{fmt::format("It has a medium of '{}', and this machine has no such drive.",
                             in_one_line(held.drive.substr(0, 60)))};
  const auto index = static_cast<std::size_t>(found - drives.begin());
  DiskConfig config;
  config.path = held.path;
  OpenedImage image = TRY(disks_.open_medium(index, config));
  // The drive lets go of it in attach().
  const std::shared_ptr<devices::BlockBackend> before = disks_.replace(index, config, std::move(image));
  attach(index);
  return Done{};
}

Result<Done> MediaChanges::ask(std::string_view drive, const DiskConfig& config, TrayLock lock) {
  const std::vector<Drive>& drives = pc_.drives();
  const auto found = std::ranges::find(drives, drive, [](const Drive& one) { return one.disk.name; });
  if (found == drives.end()) {
    std::string names;
    for (const Drive& one : drives)
      if (one.removable()) names += fmt::format("{}{}", names.empty() ? "" : ", ", one.disk.name);
    return Error{fmt::format("There is no drive '{}'; removable media are in {}.", drive.substr(0, 60),
                             names.empty() ? "none" : names)};
  }
  if (!found->removable()) return Error{fmt::format("The medium of {} cannot be removed.", drive)};
  const auto index = static_cast<std::size_t>(found - drives.begin());
  if (check_) TRY(check_(config));
  OpenedImage image = TRY(disks_.open_medium(index, config));
  if (lock == TrayLock::Respect && found->cdrom != nullptr && found->cdrom->locked()) {
    post({Kind::RequestEject, index, {}, {}}, "request-eject");
    return Error{fmt::format(
        "The guest has locked the tray of {} and was asked to open it: try again then, or with 'force'.",
        drive)};
  }
  const Kind kind = config.path.empty() ? Kind::Eject : Kind::Insert;
  const std::string what = kind == Kind::Eject ? "eject" : insert_verb(config);
  post({kind, index, config, std::move(image)}, what);
  return Done{};
}

Result<Done> MediaChanges::put_in(std::size_t drive, const DiskConfig& config) {
  if (check_) TRY(check_(config));
  OpenedImage image = TRY(disks_.open_medium(drive, config));
  post({Kind::Insert, drive, config, std::move(image)}, insert_verb(config));
  return Done{};
}

void MediaChanges::take_out(std::size_t drive) {
  Result<OpenedImage> nothing = disks_.open_medium(drive, {});
  if (nothing) post({Kind::Eject, drive, {}, nothing.take()}, "eject");
}

void MediaChanges::add_sinks(Outside& outside) {
  for (const Drive& drive : pc_.drives()) {
    if (!drive.takes_media()) continue;
    const auto index = static_cast<std::size_t>(&drive - pc_.drives().data());
    outside.add_sink({.name = drive.disk.name,
                      .type = EventType::Medium,
                      .room = always_room,
                      .take = [this, index](const Event& event) {
                        if (changes_.empty() || repeats_())
                          repeat(index, std::get<MediumEvent>(event).change);
                        else
                          carry_out();
                      }});
  }
}

void MediaChanges::post(Change change, std::string_view what) {
  const std::string& drive = pc_.drives()[change.drive].disk.name;
  MediumEvent event{change.config.path.empty() ? std::string(what)
                                               : fmt::format("{} {}", what, change.config.path)};
  changes_.push_back(std::move(change));
  inbox_.post({drive, std::move(event)});
}

void MediaChanges::repeat(std::size_t drive, std::string_view what) {
  if (now_) {
    const auto done = std::ranges::find_if(
        done_, [&, now = now_()](const DoneChange& one) { return one.at == now && one.drive == drive; });
    if (done != done_.end()) {
      disks_.put_back(drive, done->content);
      return attach(drive);
    }
  }
  Change change{Kind::Insert, drive, {}, {}};
  const std::string_view verb = what.substr(0, what.find(' '));
  if (verb == "request-eject") change.kind = Kind::RequestEject;
  if (verb == "eject") change.kind = Kind::Eject;
  change.config.write_through = verb.ends_with(kToWrite);
  for (const auto& [name, format] : kFormats)
    if (verb.starts_with(fmt::format("{}{}", kInsert, name))) change.config.format = format;
  if (verb.starts_with(kInsert))
    change.config.path =
        disks_.files().whole_name(std::string(what.substr(std::min(verb.size() + 1, what.size()))));
  Result<OpenedImage> image = disks_.open_medium(drive, change.config);
  if (!image) {
    if (lost_) lost_(image.error().message);
    return;
  }
  change.image = image.take();
  changes_.push_back(std::move(change));
  carry_out();
}

void MediaChanges::repeat(std::string_view drive, std::string_view what) {
  const std::vector<Drive>& drives = pc_.drives();
  for (std::size_t i = 0; i < drives.size(); ++i)
    if (drives[i].takes_media() && drives[i].disk.name == drive) repeat(i, what);
}

void MediaChanges::carry_out() {
  Change change = std::move(changes_.front());
  changes_.pop_front();
  if (change.kind == Kind::RequestEject) return pc_.request_eject(change.drive);
  const std::shared_ptr<devices::BlockBackend> before =
      disks_.replace(change.drive, change.config, std::move(change.image));
  if (now_) {
    done_.push_back({now_(), change.drive, disks_.end_content(change.drive)});
    disks_.pin(done_.back().content);
  }
  attach(change.drive);
  // Nobody can do more about an error: the drive no longer has it.
  (void)before->flush();
}

void MediaChanges::attach(std::size_t drive) {
  if (!pc_.drives()[drive].takes_media() ||
      pc_.drives()[drive].disk.medium == disks_.attached()[drive].medium)
    return;
  if (disks_.attached()[drive].medium->bytes() == 0)
    pc_.eject(drive);
  else
    pc_.insert(drive, disks_.attached()[drive]);
}

}  // namespace reprise::machine
