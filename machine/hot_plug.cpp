#include "machine/hot_plug.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "common/words.h"
#include "machine/board/archive_text.h"
#include "machine/net/mac_text.h"
#include "machine/outside/sink_names.h"
#include "machine/plug/device_registry.h"
#include "machine/plug/disk_device.h"
#include "machine/plug/port_row.h"

namespace reprise::machine {
namespace {

// What a MediumEvent for the slots says.
constexpr std::string_view kPlug = "plug", kUnplug = "unplug";
constexpr unsigned kSlots = devices::PciHotplug::kSlots;
constexpr unsigned kMostSlots = 255;  // ports of a q35

std::string event_text(const HotPlugging& plugging) {
  std::string text = fmt::format("{} {} slot={}", kPlug, plugging.card, plugging.slot);
  if (!plugging.id.empty()) text += fmt::format(" id={}", plugging.id);
  if (!plugging.detail.empty()) text += fmt::format(" detail={}", plugging.detail);
  return text;
}

/// Nothing: it is none, as a recording may have that somebody made.
std::optional<HotPlugging> plugging_of(std::span<const std::string_view> words) {
  HotPlugging plugging;
  if (words.size() < 3) return std::nullopt;
  const std::optional<u64> card = parse_number(words[1]);
  if (!card) return std::nullopt;
  plugging.card = *card;
  for (const std::string_view word : words.subspan(2)) {
    const std::string_view key = word.substr(0, word.find('='));
    const std::string_view value = word.substr(std::min(key.size() + 1, word.size()));
    if (key == "id") {
      plugging.id = value;
    } else if (key == "detail") {
      plugging.detail = value;
    } else {
      const u64 slot = parse_number(value).value_or(kMostSlots);
      if (key != "slot" || slot >= kMostSlots) return std::nullopt;
      plugging.slot = static_cast<unsigned>(slot);
    }
  }
  return plugging;
}

}  // namespace

void HotPlug::add_sinks(Outside& outside) {
  outside.add_sink({.name = std::string(kSlotsSink),
                    .type = EventType::Medium,
                    .room = always_room,
                    .take = [this](const Event& event) { take(std::get<MediumEvent>(event).change); }});
  pc_.on_ejected([this](const HotCard& card) { ejected(card); });
}

bool HotPlug::comes(std::size_t card) const {
  return std::ranges::find(coming_, card, &HotPlugging::card) != coming_.end();
}

bool HotPlug::has(std::string_view id) const {
  return std::ranges::any_of(pc_.hot_cards(),
                             [&](const HotCard& card) { return card.slot && card.id == id; }) ||
         std::ranges::find(coming_, id, &HotPlugging::id) != coming_.end() || has_scsi(id);
}

Result<std::size_t> HotPlug::waiting_card(const DeviceConfig& device) const {
  const std::vector<HotCard>& cards = pc_.hot_cards();
  unsigned all = 0;
  for (std::size_t i = 0; i < cards.size(); ++i) {
    const HotCard& card = cards[i];
    if (card.driver != device.driver || card.home) continue;
    ++all;
    const bool empty = !card.drive || !media_.holds_something(*card.drive);
    if (card.waits() && empty && !comes(i)) return i;
  }
  if (all == 0)
    return Error{
        fmt::format("A {} cannot be plugged in while the guest runs: virtio-blk, virtio-net, e1000, scsi-hd "
                    "and scsi-cd can.",
                    device.driver)};
  return Error{fmt::format("All {} {} that can be plugged in while the guest runs are: take one out first.",
                           all, device.driver)};
}

Result<unsigned> HotPlug::free_slot(const DeviceConfig& device) const {
  const auto is_free = [&](unsigned slot) {
    return pc_.slot_is_free(slot) && std::ranges::find(coming_, slot, &HotPlugging::slot) == coming_.end();
  };
  if (pc_.is_q35()) {
    const std::vector<Pc::RootPort>& ports = pc_.root_ports();
    const auto port = std::ranges::find(ports, device.bus, &Pc::RootPort::id);
    const auto slot = static_cast<unsigned>(port - ports.begin());
    if (is_free(slot)) return slot;
    if (port != ports.end() && !port->port->takes_cards())
      return Error{fmt::format("Bus '{}' does not support hotplugging.", device.bus)};
    return Error{fmt::format("The port '{}' has a card already.", device.bus)};
  }
  if (device.place) {
    if (is_free(*device.place)) return *device.place;
    return Error{fmt::format("PCI slot {} is not free.", *device.place)};
  }
  for (unsigned slot = pci_first_card_device(devices::Chipset::I440fx); slot < kSlots; ++slot)
    if (is_free(slot)) return slot;
  return Error{"There is no PCI slot left."};
}

bool HotPlug::has_mac(const std::string& mac) const {
  return std::ranges::any_of(pc_.net_cards(),
                             [&](const devices::NetCard* card) {
                               return pc_.net_place(*card).there && mac_text(card->mac()) == mac;
                             }) ||
         std::ranges::find(coming_, mac, &HotPlugging::detail) != coming_.end();
}

std::string HotPlug::free_mac() const {
  // As QEMU numbers its cards.
  for (unsigned last = 0x56;; ++last) {
    std::string mac = mac_text({0x52, 0x54, 0x00, 0x12, 0x34, static_cast<u8>(last)});
    if (!has_mac(mac)) return mac;
  }
}

Result<Done> HotPlug::plug(const DeviceConfig& device) {
  if (!pc_.takes_things())
    return Error{"This machine takes no cards while the guest runs: start it with --hotplug."};
  if (!is_live_()) return Error{"This run is repeated: what was plugged in comes from its recording."};
  if (!device.id.empty() && has(device.id)) return Error{fmt::format("Duplicate device ID '{}'.", device.id)};
  if (device.id.size() > kMostArchiveText)
    return Error{fmt::format("The id '{}...' is longer than {} characters.", device.id.substr(0, 20),
                             kMostArchiveText)};
  if (is_scsi_drive(device.driver)) return plug_scsi(device);
  if (pc_.is_q35() && device.bus.empty()) return Error{"Bus 'pcie.0' does not support hotplugging."};
  if (pc_.hot_cards().empty())
    return Error{fmt::format(
        "A {} cannot be plugged in here while the guest runs: scsi-hd and scsi-cd can, on a virtio-scsi.",
        device.driver)};
  // The ports stand before it, so that its bus= names one of them.
  std::vector<DeviceConfig> devices;
  for (const Pc::RootPort& port : pc_.root_ports())
    devices.push_back({.driver = std::string(kRootPortRow.driver), .id = port.id});
  devices.push_back(device);
  if (const auto checked = check_devices(devices); !checked)
    return Error{fmt::format("{}.", checked.error().message)};
  HotPlugging plugging = {.card = TRY(waiting_card(device)), .slot = TRY(free_slot(device)), .id = device.id};
  const HotCard& card = pc_.hot_cards()[plugging.card];
  if (card.drive) {
    const DiskConfig disk = TRY(disk_config(device));
    if (!disk.overlay_path.empty())
      return Error{
          "A disk that is plugged in while the guest runs has no overlay=: give write=yes, or neither."};
    plugging.detail = disk.serial.empty() ? pc_.drives()[*card.drive].disk.serial : disk.serial;
    TRY(media_.put_in(*card.drive, disk));
  } else {
    const std::string* const mac = device.find("mac");
    plugging.detail = mac != nullptr ? mac_text(*parse_mac(*mac)) : free_mac();
    if (has_mac(plugging.detail))
      return Error{fmt::format("Another network card has the address {}.", plugging.detail)};
  }
  inbox_.post({std::string(kSlotsSink), MediumEvent{event_text(plugging)}});
  coming_.push_back(std::move(plugging));
  return Done{};
}

Result<Done> HotPlug::unplug(std::string_view id) {
  if (const auto slot = scsi_slot_of(id)) {
    if (!is_live_()) return Error{"This run is repeated: what was taken out comes from its recording."};
    return unplug_scsi(*slot);
  }
  const std::vector<HotCard>& cards = pc_.hot_cards();
  const auto card = std::ranges::find_if(
      cards, [&](const HotCard& one) { return one.slot && one.id == id && !id.empty(); });
  if (card == cards.end()) return Error{fmt::format("Device '{}' not found", id.substr(0, 60))};
  if (!is_live_()) return Error{"This run is repeated: what was taken out comes from its recording."};
  inbox_.post({std::string(kSlotsSink), MediumEvent{fmt::format("{} {}", kUnplug, *card->slot)}});
  return Done{};
}

void HotPlug::take(std::string_view text) {
  const std::vector<std::string_view> words = words_between(text, " ");
  if (words.empty() || take_scsi(words)) return;
  if (words[0] == kUnplug && words.size() == 2) {
    if (const std::optional<u64> slot = parse_number(words[1]); slot && *slot < kMostSlots)
      pc_.ask_to_unplug(static_cast<unsigned>(*slot));
    return;
  }
  const std::optional<HotPlugging> plugging = plugging_of(words);
  if (words[0] != kPlug || !plugging) return;
  std::erase_if(coming_, [&](const HotPlugging& one) { return one.card == plugging->card; });
  pc_.plug(*plugging);
}

void HotPlug::ejected(const HotCard& card) {
  if (!is_live_()) return;
  if (card.drive) media_.take_out(*card.drive);
  if (gone_ && !card.id.empty()) gone_(card.id);
}

}  // namespace reprise::machine
