// Drives on virtio-scsi cards: they come and go at once, and the card tells its driver.
#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "machine/hot_plug.h"
#include "machine/outside/sink_names.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/disk_device.h"
#include "machine/plug/drive_rows.h"

namespace reprise::machine {
namespace {

// What a MediumEvent for the slots says: "plug-scsi 3 card=0 id=1 lun=0 name=disk serial=S", "unplug-scsi 3".
constexpr std::string_view kPlug = "plug-scsi", kUnplug = "unplug-scsi";

}  // namespace

bool HotPlug::has_scsi(std::string_view id) const {
  return scsi_slot_of(id).has_value() ||
         std::ranges::find(coming_scsi_, id, &ScsiPlugging::id) != coming_scsi_.end();
}

std::optional<std::size_t> HotPlug::scsi_slot_of(std::string_view id) const {
  const std::vector<ScsiSlot>& slots = pc_.scsi_slots().slots();
  const auto slot = std::ranges::find_if(
      slots, [&](const ScsiSlot& one) { return one.place && one.id == id && !id.empty(); });
  if (slot == slots.end()) return std::nullopt;
  return static_cast<std::size_t>(slot - slots.begin());
}

Result<std::size_t> HotPlug::waiting_scsi(const DeviceConfig& device) const {
  const DiskMedia media = device.driver == kScsiCdromRow.driver ? DiskMedia::Cdrom : DiskMedia::Disk;
  const std::vector<ScsiSlot>& slots = pc_.scsi_slots().slots();
  unsigned all = 0;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const ScsiSlot& slot = slots[i];
    if (!slot.waited || pc_.drives()[slot.drive].disk.media != media) continue;
    ++all;
    const bool comes = std::ranges::find(coming_scsi_, i, &ScsiPlugging::slot) != coming_scsi_.end();
    if (!slot.place && !comes && !media_.holds_something(slot.drive)) return i;
  }
  if (all == 0)
    return Error{
        fmt::format("There is no virtio-scsi for a {}: give one on the command line.", device.driver)};
  return Error{fmt::format("All {} {} that can be plugged in while the guest runs are: take one out first.",
                           all, device.driver)};
}

Result<ScsiPlace> HotPlug::free_scsi_place(const DiskConfig& disk) const {
  const auto is_free = [&](const ScsiPlace& place) {
    return pc_.scsi_slots().is_free(place) &&
           std::ranges::find(coming_scsi_, place, &ScsiPlugging::place) == coming_scsi_.end();
  };
  ScsiPlace place = {disk.card, disk.place.value_or(0), disk.lun};
  if (!disk.place)
    while (place.target < devices::VirtioScsi::kMaxTarget && !is_free(place)) ++place.target;
  if (is_free(place)) return place;
  return Error{fmt::format("scsi-id={} with lun={} is not free.", place.target, place.lun)};
}

Result<Done> HotPlug::plug_scsi(const DeviceConfig& device) {
  // The cards stand before it, so that its bus= names one of them.
  std::vector<DeviceConfig> devices;
  for (const std::string& id : pc_.scsi_slots().card_ids())
    devices.push_back({.driver = std::string(kVirtioScsiRow.driver), .id = id});
  devices.push_back(device);
  if (const auto checked = check_devices(devices); !checked)
    return Error{fmt::format("{}.", checked.error().message)};
  ScsiPlugging plugging = {.slot = TRY(waiting_scsi(device)), .id = device.id};
  const DiskConfig disk = disk_configs(devices).back();
  if (!disk.overlay_path.empty())
    return Error{
        "A disk that is plugged in while the guest runs has no overlay=: give write=yes, or neither."};
  plugging.place = TRY(free_scsi_place(disk));
  const std::size_t drive = pc_.scsi_slots().slots()[plugging.slot].drive;
  plugging.serial = disk.serial.empty() ? pc_.drives()[drive].disk.serial : disk.serial;
  if (!disk.path.empty()) TRY(media_.put_in(drive, disk));
  inbox_.post({std::string(kSlotsSink),
               MediumEvent{fmt::format("{} {} card={} id={} lun={} serial={} name={}", kPlug, plugging.slot,
                                       plugging.place.card, plugging.place.target, plugging.place.lun,
                                       plugging.serial, plugging.id)}});
  coming_scsi_.push_back(std::move(plugging));
  return Done{};
}

Result<Done> HotPlug::unplug_scsi(std::size_t slot) {
  inbox_.post({std::string(kSlotsSink), MediumEvent{fmt::format("{} {}", kUnplug, slot)}});
  return Done{};
}

std::optional<HotPlug::ScsiPlugging> HotPlug::scsi_plugging_of(const std::vector<std::string_view>& words) {
  ScsiPlugging plugging;
  const auto number = [](std::string_view text, auto& into) {
    const std::optional<u64> value = parse_number(text);
    if (value && *value <= 0xffff) into = static_cast<std::remove_reference_t<decltype(into)>>(*value);
    return value && *value <= 0xffff;
  };
  if (words.size() < 2 || !number(words[1], plugging.slot)) return std::nullopt;
  for (const std::string_view word : std::span(words).subspan(2)) {
    const std::string_view key = word.substr(0, word.find('='));
    const std::string_view value = word.substr(std::min(key.size() + 1, word.size()));
    bool known = true;
    if (key == "name")
      plugging.id = value;
    else if (key == "serial")
      plugging.serial = value;
    else if (key == "card")
      known = number(value, plugging.place.card);
    else if (key == "id")
      known = number(value, plugging.place.target);
    else
      known = key == "lun" && number(value, plugging.place.lun);
    if (!known) return std::nullopt;
  }
  return plugging;
}

bool HotPlug::take_scsi(const std::vector<std::string_view>& words) {
  if (words[0] == kPlug) {
    // Nothing: a recording may have that somebody made.
    if (const std::optional<ScsiPlugging> plugging = scsi_plugging_of(words)) {
      std::erase_if(coming_scsi_, [&](const ScsiPlugging& one) { return one.slot == plugging->slot; });
      pc_.plug_scsi(plugging->slot, plugging->place, plugging->id, plugging->serial);
    }
    return true;
  }
  if (words[0] != kUnplug) return false;
  const std::optional<u64> slot = words.size() == 2 ? parse_number(words[1]) : std::nullopt;
  const std::optional<ScsiSlot> gone = slot ? pc_.unplug_scsi(*slot) : std::nullopt;
  if (gone && is_live_()) {
    if (gone->waited) media_.take_out(gone->drive);
    if (gone_ && !gone->id.empty()) gone_(gone->id);
  }
  return true;
}

}  // namespace reprise::machine
