#include "machine/board/scsi_slots.h"

#include <algorithm>

#include "machine/board/archive_text.h"

namespace reprise::machine {

void ScsiSlots::add_card(devices::VirtioScsi& card, std::string id) {
  cards_.push_back({&card, std::move(id)});
}

void ScsiSlots::add_drives() {
  for (Drive& drive : drives_) {
    if (drive.disk.bus != DiskBus::Scsi) continue;
    ScsiSlot slot = {.drive = static_cast<std::size_t>(&drive - drives_.data()),
                     .waited = drive.disk.hotplug,
                     .id = drive.disk.id};
    if (slot.waited)
      make_waiting_scsi_unit(drive);
    else
      slot.place = ScsiPlace{drive.disk.card, drive.place, drive.disk.lun};
    slots_.push_back(std::move(slot));
  }
}

std::vector<std::string> ScsiSlots::card_ids() const {
  std::vector<std::string> ids;
  for (const Card& card : cards_) ids.push_back(card.id);
  return ids;
}

bool ScsiSlots::is_free(const ScsiPlace& place) const {
  return std::ranges::find(slots_, std::optional(place), &ScsiSlot::place) == slots_.end();
}

bool ScsiSlots::exists(const ScsiPlace& place) {
  return place.target <= devices::VirtioScsi::kMaxTarget && place.lun <= devices::scsi::Target::kMaxLun;
}

devices::VirtioScsi::UnitPlace ScsiSlots::unit_place(const ScsiSlot& slot) const {
  return {slot.place->target, slot.place->lun, drives_.at(slot.drive).scsi_unit};
}

bool ScsiSlots::plug(std::size_t slot, const ScsiPlace& place, const std::string& id,
                     const std::string& serial) {
  if (slot >= slots_.size() || place.card >= cards_.size() || !exists(place) || !is_free(place)) return false;
  ScsiSlot& one = slots_[slot];
  if (!one.waited || one.place) return false;
  one.id = id;
  one.serial = serial;
  one.place = place;
  devices::scsi::LogicalUnit& unit = *drives_.at(one.drive).scsi_unit;
  unit.set_serial(serial);
  unit.reset();
  cards_[place.card].card->plug(unit_place(one));
  return true;
}

std::optional<ScsiSlot> ScsiSlots::unplug(std::size_t slot) {
  if (slot >= slots_.size() || !slots_[slot].place) return std::nullopt;
  ScsiSlot& one = slots_[slot];
  const ScsiSlot before = one;
  one.place.reset();
  one.id.clear();
  cards_[before.place->card].card->unplug(before.place->target, before.place->lun);
  drives_.at(one.drive).scsi_unit->reset();
  return before;
}

void ScsiSlots::medium_changed(std::size_t drive) {
  for (const ScsiSlot& slot : slots_)
    if (slot.drive == drive && slot.place)
      cards_[slot.place->card].card->medium_changed(slot.place->target, slot.place->lun);
}

void ScsiSlots::serialize(Archive& archive) {
  archive.tag("scsi slots");
  if (archive.loading())
    for (ScsiSlot& slot : slots_) {
      if (slot.place) cards_[slot.place->card].card->take_out(slot.place->target, slot.place->lun);
      slot.place.reset();
    }
  for (ScsiSlot& slot : slots_) {
    bool there = slot.place.has_value();
    ScsiPlace place = slot.place.value_or(ScsiPlace{});
    u8 card = static_cast<u8>(place.card);
    archive.value(there);
    archive.value(card);
    archive.value(place.target);
    archive.value(place.lun);
    serialize_text(archive, slot.id);
    serialize_text(archive, slot.serial);
    devices::scsi::LogicalUnit& unit = *drives_.at(slot.drive).scsi_unit;
    if (archive.loading()) {
      place.card = card;
      if (slot.waited) unit.set_serial(slot.serial);
      if (!archive.ok() || (there && (card >= cards_.size() || !exists(place) || !is_free(place)))) {
        archive.fail();
        continue;
      }
      if (there) {
        slot.place = place;
        cards_[place.card].card->put_in(unit_place(slot));
      }
    }
    // The card has that of those that are on it.
    if (!slot.place) unit.serialize(archive);
  }
}

}  // namespace reprise::machine
