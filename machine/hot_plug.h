// A person's hand at the slots of PCI and SCSI buses. What a card needs is opened at once, so that a mistake is known at once; the card
// comes through the inbox, like all input from outside. A card that is to go is let go of by the guest, when it wants to; a drive on
// SCSI goes at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/result.h"
#include "machine/board/pc.h"
#include "machine/media_changes.h"
#include "machine/outside/outside.h"

namespace reprise::machine {

/// Thread: the machine's.
class HotPlug {
 public:
  /// All of them outlive this. `is_live`: what happens is not repeated.
  HotPlug(Pc& pc, MediaChanges& media, Inbox& inbox, std::function<bool()> is_live)
      : pc_(pc), media_(media), inbox_(inbox), is_live_(std::move(is_live)) {}

  void add_sinks(Outside& outside);
  /// Told of the id of a card that the guest has let go of, if it has one. Before the run.
  void on_gone(std::function<void(const std::string& id)> listener) { gone_ = std::move(listener); }

  /// Puts in what `device` describes, checked by its row. Error: a sentence.
  Result<Done> plug(const DeviceConfig& device);
  /// Asks the guest to let go of it. Error: there is none of that id, a sentence.
  Result<Done> unplug(std::string_view id);
  /// It is in a slot, or will be.
  bool has(std::string_view id) const;

 private:
  // --- hot_plug_scsi.cpp ---
  /// How a drive comes to a virtio-scsi.
  struct ScsiPlugging {
    std::size_t slot = 0;  // of ScsiSlots
    ScsiPlace place = {};
    std::string id = {};
    std::string serial = {};
  };
  Result<Done> plug_scsi(const DeviceConfig& device);
  Result<Done> unplug_scsi(std::size_t slot);
  Result<std::size_t> waiting_scsi(const DeviceConfig& device) const;
  Result<ScsiPlace> free_scsi_place(const DiskConfig& disk) const;
  bool has_scsi(std::string_view id) const;
  /// The slot of a drive that is there; nothing: none has that id.
  std::optional<std::size_t> scsi_slot_of(std::string_view id) const;
  /// False: it is no event for drives on SCSI.
  bool take_scsi(const std::vector<std::string_view>& words);
  static std::optional<ScsiPlugging> scsi_plugging_of(const std::vector<std::string_view>& words);

  Result<std::size_t> waiting_card(const DeviceConfig& device) const;
  Result<unsigned> free_slot(const DeviceConfig& device) const;
  /// An address that no card has.
  std::string free_mac() const;
  bool has_mac(const std::string& mac) const;
  bool comes(std::size_t card) const;
  /// "plug 3 slot=5 id=disk serial=S", as the event says it.
  void take(std::string_view text);
  void ejected(const HotCard& card);

  Pc& pc_;
  MediaChanges& media_;
  Inbox& inbox_;
  std::function<bool()> is_live_;
  std::function<void(const std::string& id)> gone_;
  // Asked for, and yet to come in.
  std::vector<HotPlugging> coming_;
  std::vector<ScsiPlugging> coming_scsi_;
};

}  // namespace reprise::machine
