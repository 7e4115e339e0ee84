#include "machine/storage/disk_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/check.h"
#include "devices/floppy/floppy_geometry.h"
#include "machine/layout/memory_map.h"
#include "machine/storage/image_file.h"
#include "machine/storage/overlay_image.h"
#include "machine/storage/partitions.h"
#include "machine/storage/read_only_image.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

struct Place {
  DiskBus bus;
  unsigned units;  // how many drives it has
};
constexpr std::array kPlaces = {Place{DiskBus::Ide, 4}, Place{DiskBus::Ahci, 6}, Place{DiskBus::Virtio, 16},
                                Place{DiskBus::Floppy, 2}, Place{DiskBus::Scsi, 64}};

std::string_view name_of(DiskMedia media) {
  switch (media) {
    case DiskMedia::Disk: return "disk";
    case DiskMedia::Cdrom: return "CD-ROM";
    case DiskMedia::Floppy: return "floppy";
  }
  return "unknown";
}

/// The position of one more drive of `media` among its kind.
std::string next_name(const std::vector<AttachedDisk>& before, DiskMedia media) {
  return fmt::format("{}{}", kind_name(media), std::ranges::count(before, media, &AttachedDisk::media));
}

Result<Done> check_floppy(const DiskConfig& config, const OpenedImage& image) {
  constexpr u64 kLargestFloppyBytes = 3840 * kKiB;
  const u64 bytes = image.medium->bytes();
  if (bytes == 0 || devices::floppy_geometry(image.medium.get())) return Done{};
  if (bytes > kLargestFloppyBytes)
    return Error{
        fmt::format("floppy image '{}' is larger than a floppy can be: give it as --disk.", config.path)};
  return Error{fmt::format(
      "floppy image '{}' has {} bytes, which no floppy has, and its boot sector does not say how it is "
      "formatted: make it as large as one (truncate -s 2880K), or give it as --disk.",
      config.path, bytes)};
}

struct BusChoice {
  DiskBus bus;
  std::string_view why;
};

BusChoice choose_bus(const DiskConfig& config, const OpenedImage& image, BootBy boot_by) {
  if (image.media == DiskMedia::Floppy) return {DiskBus::Floppy, "a floppy"};
  if (config.bus != DiskBus::Auto) return {config.bus, "as asked for"};
  if (image.media == DiskMedia::Cdrom)
    return {config.ata_bus, "where firmware and installers look for a CD-ROM"};
  if (boot_by == BootBy::Kernel) return {DiskBus::Virtio, "a kernel that is given directly knows it"};
  switch (owner_of(*image.medium)) {
    case DiskOwner::Blank: return {DiskBus::Virtio, "the disk is blank"};
    case DiskOwner::Unix: return {DiskBus::Virtio, "it has partitions of Linux or BSD, which know it"};
    case DiskOwner::Other: break;
  }
  return {config.ata_bus, "every system knows it, and it has no partitions of Linux or BSD"};
}

std::string size_text(u64 bytes) {
  if (bytes < kMiB) return fmt::format("{} KiB", bytes / 1024);
  if (bytes < kGiB) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / static_cast<double>(kMiB));
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / static_cast<double>(kGiB));
}

}  // namespace

Result<DiskSet> DiskSet::open(const std::vector<DiskConfig>& configs, BootBy boot_by, const Log& log,
                              std::shared_ptr<RunFiles> files, const std::vector<HeldMedium>& held) {
  DiskSet set;
  set.files_ = files != nullptr ? std::move(files) : std::make_shared<RunFiles>();
  for (const DiskConfig& described : configs) {
    DiskConfig config = described;
    const DiskMedia media = config.media.value_or(DiskMedia::Disk);
    const auto holds = std::ranges::find(held, next_name(set.attached_, media), &HeldMedium::drive);
    if (media != DiskMedia::Disk && !config.hotplug && holds != held.end()) {
      config.path = holds->path;
      config.write_through = false;
      config.overlay_path.clear();
    }
    OpenedImage image = TRY(open_image(config, set.files_));
    const BusChoice choice = choose_bus(config, image, boot_by);
    if (choice.bus == DiskBus::Floppy) TRY(check_floppy(config, image));
    unsigned before = 0;
    for (const AttachedDisk& other : set.attached_)
      before += other.bus == choice.bus && !other.hotplug ? 1 : 0;
    for (const Place& place : kPlaces) {
      if (place.bus != choice.bus || before < place.units || config.hotplug) continue;
      const std::string which = config.path.empty()
                                    ? fmt::format("another {} drive", name_of(image.media))
                                    : fmt::format("{} '{}'", name_of(image.media), config.path);
      return wrong_usage(fmt::format("{} has no place: bus {} takes {} drives; {}.", which,
                                     bus_name(choice.bus), place.units,
                                     choice.bus == DiskBus::Floppy ? "leave one out" : "give another bus="));
    }
    AttachedDisk disk;
    disk.bus = choice.bus;
    disk.media = image.media;
    disk.place = config.place;
    disk.id = config.id;
    disk.pci_bus = config.pci_bus;
    disk.hotplug = config.hotplug;
    disk.card = config.card;
    disk.lun = config.lun;
    disk.name = config.hotplug ? fmt::format("hotplug{}",
                                             std::ranges::count(set.attached_, true, &AttachedDisk::hotplug))
                               : next_name(set.attached_, image.media);
    disk.serial = config.serial.empty() ? fmt::format("RP{:05}", set.attached_.size() + 1) : config.serial;
    if (config.hotplug) {
      log.write("disk", LogLevel::Debug, "{}: waits to be plugged in", disk.name);
    } else if (config.path.empty()) {
      log.write("disk", LogLevel::Info, "{}: {} drive, empty, on {}", disk.name, name_of(image.media),
                bus_name(choice.bus));
    } else {
      log.write("disk", LogLevel::Info, "{}: '{}': {}, {}, {} on {} ({}); {}", disk.name, config.path,
                image.format, size_text(image.medium->bytes()), name_of(image.media), bus_name(choice.bus),
                choice.why, image.writes);
    }
    set.attached_.push_back(disk);
    set.owned_.emplace_back();
    set.owned_.back().first_path = described.path;
    set.take(set.owned_.size() - 1, config, std::move(image));
  }
  return set;
}

void DiskSet::take(std::size_t drive, const DiskConfig& config, OpenedImage medium) {
  Owned& owned = owned_.at(drive);
  if (medium.media == DiskMedia::Floppy)
    attached_.at(drive).floppy = devices::floppy_geometry(medium.medium.get());
  owned.medium = std::make_shared<Medium>();
  owned.medium->config = config;
  owned.medium->format = std::move(medium.format);
  owned.medium->file_bytes = medium.file_bytes;
  owned.medium->modified_unix_ns = medium.modified_unix_ns;
  owned.medium->read = std::move(medium.read);
  owned.medium->floppy = attached_.at(drive).floppy;
  owned.medium->content = std::make_unique<CountedImage>(std::move(medium.medium), *owned.counters,
                                                         attached_.at(drive).name, *on_error_);
  attached_.at(drive).medium = owned.medium->content.get();
}

std::shared_ptr<devices::BlockBackend> DiskSet::replace(std::size_t drive, const DiskConfig& config,
                                                        OpenedImage medium) {
  const std::shared_ptr<Medium> before = owned_.at(drive).medium;
  take(drive, config, std::move(medium));
  return {before, before->content.get()};
}

// --- Earlier contents ---

DiskSet::Content DiskSet::end_content(std::size_t drive) {
  const std::shared_ptr<Medium>& medium = owned_.at(drive).medium;
  devices::BlockGenerations* const generations = medium->content->generations();
  if (generations == nullptr) return {medium, 0, *medium->read};
  // What was not written to is what it was when its last generation ended.
  if (medium->over == 0 || generations->written())
    medium->ended.push_back(medium->over = generations->begin());
  return {medium, medium->over, *medium->read};
}

DiskSet::Contents DiskSet::end_contents() {
  Contents contents;
  for (std::size_t i = 0; i < owned_.size(); ++i) contents.push_back(end_content(i));
  return contents;
}

void DiskSet::put_back(std::size_t drive, const Content& content) {
  owned_.at(drive).medium = content.medium;
  AttachedDisk& attached = attached_.at(drive);
  attached.medium = content.medium->content.get();
  attached.floppy = content.medium->floppy;
  *content.medium->read = content.read;
  if (content.generation == 0) return;
  CHECK(attached.medium->generations()->go_to(content.generation));
  content.medium->over = content.generation;
}

void DiskSet::go_to(const Contents& contents) {
  for (std::size_t i = 0; i < contents.size(); ++i) put_back(i, contents[i]);
}

void DiskSet::rise(const Contents& contents) {
  for (const Content& content : contents)
    if (content.generation != 0 && content.medium->content->generations()->rise(content.generation))
      content.medium->over = content.generation;
}

void DiskSet::set_repeats(bool repeats) { files_->set_repeats(repeats); }

Result<Done> DiskSet::settle() {
  std::string failed;
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    devices::BlockGenerations* const generations = owned_[i].medium->content->generations();
    if (generations != nullptr && generations->settle() != devices::BlockStatus::Ok && failed.empty())
      failed = attached_[i].name;
  }
  if (failed.empty()) return Done{};
  return Error{
      fmt::format("the file of {} could not be written: it does not hold all that the guest sees.", failed)};
}

void DiskSet::forget_above() {
  for (const Owned& owned : owned_)
    if (devices::BlockGenerations* const generations = owned.medium->content->generations())
      generations->forget_above();
}

void DiskSet::forget_generations() {
  forget_above();
  for (const Owned& owned : owned_)
    for (const u64 generation : std::vector(owned.medium->ended)) forget({owned.medium, generation, {}});
}

void DiskSet::forget(const Content& content) {
  if (content.generation == 0 ||
      std::ranges::find(content.medium->pinned, content.generation) != content.medium->pinned.end())
    return;
  // One that cannot go stays, which is no harm.
  if (content.medium->content->generations()->forget(content.generation) != devices::BlockStatus::Ok) return;
  std::erase(content.medium->ended, content.generation);
  if (content.medium->over == content.generation) content.medium->over = 0;
}

/// What a disk of another thread's machine held.
class DiskSet::Source final : public ReadOnlyImage {
 public:
  Source(const Content& content, std::shared_ptr<std::mutex> turns)
      : content_(content), turns_(std::move(turns)) {}
  u64 bytes() const override { return medium().bytes(); }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override {
    const std::scoped_lock lock(*turns_);
    if (content_.generation == 0) return medium().read(offset, into);
    return medium().generations()->read_as_of(content_.generation, offset, into);
  }
  void repeat(const Content& content) {
    CHECK(content.medium == content_.medium);
    content_ = content;
  }

 private:
  devices::BlockBackend& medium() const { return *content_.medium->content; }
  Content content_;
  const std::shared_ptr<std::mutex> turns_;
};

Result<DiskSet> DiskSet::copy_of(const Contents& contents, const std::shared_ptr<std::mutex>& turns) const {
  DiskSet copy;
  copy.files_ = files_;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const Medium& medium = *contents[i].medium;
    auto source = std::make_unique<Source>(contents[i], turns);
    copy.sources_.push_back(source.get());
    OpenedImage image{.medium = std::move(source),
                      .media = attached_[i].media,
                      .format = medium.format,
                      .file_bytes = medium.file_bytes,
                      .modified_unix_ns = medium.modified_unix_ns,
                      .writes = {}};
    if (contents[i].generation != 0) image.medium = TRY(OverlayImage::create(std::move(image.medium)));
    copy.attached_.push_back(attached_[i]);
    copy.owned_.emplace_back();
    copy.take(i, medium.config, std::move(image));
  }
  return copy;
}

void DiskSet::repeat(const Contents& contents) {
  for (std::size_t i = 0; i < contents.size(); ++i) {
    sources_.at(i)->repeat(contents[i]);
    if (devices::BlockGenerations* const generations = owned_[i].medium->content->generations())
      generations->clear();
  }
}

DiskSet::Figures DiskSet::figures() const {
  Figures figures;
  for (const Owned& owned : owned_) {
    figures.counters.push_back(*owned.counters);
    figures.read.push_back(*owned.medium->read);
  }
  return figures;
}

void DiskSet::set_figures(const Figures& figures) {
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    *owned_[i].counters = figures.counters[i];
    *owned_[i].medium->read = figures.read[i];
  }
}

Result<OpenedImage> DiskSet::open_medium(std::size_t drive, const DiskConfig& config) const {
  DiskConfig wanted = config;
  wanted.media = attached_.at(drive).media;
  wanted.bus = attached_.at(drive).bus;
  Result<OpenedImage> opened = open_image(wanted, files_);
  if (!opened) {
    // Files of this run are locked, too.
    const std::string use = writing_use_of(wanted);
    if (!use.empty())
      return Error{
          fmt::format("'{}' is open in this run already, {}: eject it there first, or give a copy of it.",
                      wanted.path, use)};
    return opened;
  }
  if (wanted.bus == DiskBus::Floppy) TRY(check_floppy(wanted, opened.value()));
  return opened;
}

std::string DiskSet::writing_use_of(const DiskConfig& wanted) const {
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    const DiskConfig& config = owned_[i].medium->config;
    const std::string& name = attached_[i].name;
    if (!config.overlay_path.empty() && is_same_file(config.overlay_path, wanted.path))
      return fmt::format("as the overlay of {}", name);
    if (config.path.empty() || !is_same_file(config.path, wanted.path)) continue;
    if (config.write_through) return fmt::format("as {}, which is written", name);
    if (wanted.write_through) return fmt::format("as {}, and would be written", name);
  }
  return {};
}

u64 DiskSet::sample_of(std::size_t drive, const std::function<u64()>& make) {
  std::optional<u64>& sample = owned_.at(drive).medium->sample;
  if (!sample) sample = make();
  return *sample;
}

u64 DiskSet::requests() const {
  u64 sum = writes();
  for (const Owned& owned : owned_) sum += owned.counters->reads + owned.counters->flushes;
  return sum;
}

u64 DiskSet::writes() const {
  u64 sum = 0;
  for (const Owned& owned : owned_) sum += owned.counters->writes + owned.counters->discards;
  return sum;
}

DiskCounters DiskSet::traffic() const {
  DiskCounters sum;
  for (const Owned& owned : owned_) {
    const DiskCounters& one = *owned.counters;
    sum.reads += one.reads;
    sum.bytes_read += one.bytes_read;
    sum.writes += one.writes;
    sum.bytes_written += one.bytes_written;
    sum.flushes += one.flushes;
    sum.discards += one.discards;
    sum.bytes_discarded += one.bytes_discarded;
    sum.errors += one.errors;
  }
  return sum;
}

std::vector<DiskInfo> DiskSet::info() const {
  std::vector<DiskInfo> list;
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    const AttachedDisk& disk = attached_[i];
    const DiskConfig& config = owned_[i].medium->config;
    DiskInfo info{.name = disk.name,
                  .file = config.path,
                  .format = owned_[i].medium->format,
                  .bus = disk.bus,
                  .media = disk.media,
                  .bytes = disk.medium->bytes(),
                  .serial = disk.serial,
                  .writes = std::string(config.write_through           ? kWritesAreWrittenThrough
                                        : !config.overlay_path.empty() ? kWritesAreInAnOverlay
                                        : disk.medium->read_only()     ? "refused"
                                                                       : kWritesAreTemporary),
                  .overlay = config.overlay_path,
                  .counters = *owned_[i].counters,
                  .file_bytes = owned_[i].medium->file_bytes,
                  .modified_unix_ns = owned_[i].medium->modified_unix_ns,
                  .read = *owned_[i].medium->read,
                  .absent = disk.hotplug && config.path.empty()};
    list.push_back(std::move(info));
  }
  return list;
}

}  // namespace reprise::machine
