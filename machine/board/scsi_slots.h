// ScsiSlots: drives on virtio-scsi cards that come and go while the guest runs. As with cards (hot_card.h), those that may come are there
// from the beginning, on no card.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/storage/drives.h"

namespace reprise::machine {

struct ScsiPlace {
  std::size_t card = 0;  // in the order of ScsiSlots::add_card()
  unsigned target = 0;
  unsigned lun = 0;
  bool operator==(const ScsiPlace&) const = default;
};

struct ScsiSlot {
  std::size_t drive = 0;                // its number
  bool waited = false;                  // it was on no card when the machine was switched on
  std::optional<ScsiPlace> place = {};  // nothing: it is on none
  std::string id = {};                  // what the user calls it; empty: nothing
  std::string serial = {};              // of one that waited: what it was given
};

class ScsiSlots {
 public:
  /// `drives` outlive this.
  explicit ScsiSlots(std::vector<Drive>& drives) : drives_(drives) {}

  /// `id`: what the user calls it. Behind its construction, in the order of the cards.
  void add_card(devices::VirtioScsi& card, std::string id);
  /// Behind them: all drives on SCSI, those that wait, too.
  void add_drives();

  const std::vector<ScsiSlot>& slots() const { return slots_; }
  std::vector<std::string> card_ids() const;
  bool is_free(const ScsiPlace& place) const;

  /// Between instructions. False: it cannot be.
  bool plug(std::size_t slot, const ScsiPlace& place, const std::string& id, const std::string& serial);
  /// What was in the slot; nothing: it was empty. The guest is told when it is gone.
  std::optional<ScsiSlot> unplug(std::size_t slot);
  /// The drive has another medium.
  void medium_changed(std::size_t drive);

  /// Before the cards' own state.
  void serialize(Archive& archive);

 private:
  struct Card {
    devices::VirtioScsi* card;
    std::string id;
  };
  static bool exists(const ScsiPlace& place);
  devices::VirtioScsi::UnitPlace unit_place(const ScsiSlot& slot) const;

  std::vector<Drive>& drives_;
  std::vector<Card> cards_;
  std::vector<ScsiSlot> slots_;
};

}  // namespace reprise::machine
