// Cards that come and go while the guest runs. Those that may come are there from the beginning, in no slot: so the machine consists of
// the same parts all the time.
#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"
#include "devices/net/e1000/e1000.h"
#include "devices/virtio/virtio_net.h"
#include "machine/board/archive_text.h"
#include "machine/board/pc.h"
#include "machine/plug/card_rows.h"
#include "machine/plug/drive_rows.h"

namespace reprise::machine {
namespace {

constexpr unsigned kSlots = devices::PciHotplug::kSlots;
constexpr unsigned kWaitingVirtioNet = 2, kWaitingE1000 = 1;

}  // namespace

void Pc::add_hotplug() {
  const u32 removable = ~u32{0} << pci_first_card_device(chipset());
  hotplug_.emplace(
      removable, [this] { acpi_pm_.raise_event(kPciHotplugEvent); },
      [this](unsigned slot) { eject_card(slot); });
  CHECK(ports_.map({kPciHotplugPort, devices::PciHotplug::kPorts, Width::Dword}, *hotplug_).ok());
}

void Pc::add_waiting_cards() {
  if (!takes_things_ || !parts_.pc || (is_q35() && root_ports_.empty())) return;
  // Pointers to their wires stay.
  hot_cards_.reserve(hot_cards_.size() + drives_.size() + kWaitingVirtioNet + kWaitingE1000);
  for (Drive& drive : drives_) {
    if (!drive.disk.hotplug || drive.disk.bus != DiskBus::Virtio) continue;
    HotCard& card = add_waiting_card(kVirtioBlkRow.driver, drive.disk.name);
    card.drive = static_cast<std::size_t>(&drive - drives_.data());
    auto disk = std::make_unique<devices::VirtioBlk>(scheduler_);
    drive.waiting = disk.get();
    place_waiting_card(card, put_on_pci(std::move(disk), IrqLine(*card.interrupt, 0), is_q35()));
  }
  for (unsigned i = 0; i < kWaitingVirtioNet; ++i) {
    HotCard& card = add_waiting_net(kVirtioNetRow.driver);
    auto net = std::make_unique<devices::VirtioNet>(services_.network, devices::MacAddress{}, scheduler_);
    card.net = net.get();
    place_waiting_card(card, put_on_pci(std::move(net), IrqLine(*card.interrupt, 0), is_q35()));
  }
  for (unsigned i = 0; i < kWaitingE1000; ++i) {
    HotCard& card = add_waiting_net(kE1000Row.driver);
    auto net = std::make_unique<devices::E1000>(services_.network, devices::MacAddress{}, scheduler_,
                                                services_.memory, IrqLine(*card.interrupt, 0));
    card.net = net.get();
    place_waiting_card(card, std::move(net));
  }
}

HotCard& Pc::add_waiting_net(std::string_view driver) {
  return add_waiting_card(driver, fmt::format("{} waiting", driver));
}

HotCard& Pc::add_waiting_card(std::string_view driver, const std::string& name) {
  card_dma_.push_back(std::make_unique<NamedDma>(*this, dma_writer_, name));
  services_.memory = *card_dma_.back();
  const std::size_t index = hot_cards_.size();
  HotCard& card = hot_cards_.emplace_back();
  card.driver = driver;
  for (unsigned pirq = 0; pirq < kPirqs; ++pirq) card.lines.at(pirq) = irq_router_.pirq_source(pirq);
  card.interrupt = std::make_unique<Wire>([this, index](unsigned, bool level) {
    const HotCard& one = hot_cards_[index];
    if (!one.slot) return;
    const unsigned device = is_q35() ? root_ports_.at(*one.slot).device : *one.slot;
    one.lines.at(devices::pirq_of(device, 1, chipset())).set(level);
  });
  return card;
}

void Pc::place_waiting_card(HotCard& card, std::unique_ptr<devices::PciFunction> function) {
  card.function = function.get();
  if (card.net != nullptr) services_.net_cards.push_back(card.net);
  pci_windows_.add(*function, fmt::format("waiting {}", &card - hot_cards_.data()));
  cards_.push_back(std::move(function));
}

bool Pc::slot_is_free(unsigned slot) const {
  if (!is_q35())
    return slot >= pci_first_card_device(chipset()) && slot < kSlots &&
           pci_config_.function(slot, 0) == nullptr;
  return slot < root_ports_.size() && root_ports_[slot].port->takes_cards() &&
         root_ports_[slot].port->secondary().function(0, 0) == nullptr;
}

void Pc::put_into_slot(HotCard& card, unsigned slot) {
  card.slot = slot;
  CHECK((is_q35() ? root_ports_.at(slot).port->secondary().attach(0, 0, *card.function)
                  : pci_config_.attach(slot, 0, *card.function))
            .ok());
}

void Pc::take_out_of_slot(HotCard& card) {
  if (is_q35())
    root_ports_.at(*card.slot).port->secondary().detach(0, 0);
  else
    pci_config_.detach(*card.slot, 0);
  card.slot.reset();
}

Pc::NetPlace Pc::net_place(const devices::NetCard& card) const {
  for (const HotCard& one : hot_cards_)
    if (one.net == &card) return {one.slot.has_value(), one.id};
  return {};
}

bool Pc::plug(const HotPlugging& plugging) {
  if (plugging.card >= hot_cards_.size() || !slot_is_free(plugging.slot)) return false;
  HotCard& card = hot_cards_[plugging.card];
  if (!card.waits() || plugging.detail.empty() || !set_detail(card, plugging.detail)) return false;
  card.id = plugging.id;
  put_into_slot(card, plugging.slot);
  if (is_q35())
    root_ports_.at(plugging.slot).port->card_came();
  else
    hotplug_->card_came(plugging.slot);
  return true;
}

bool Pc::ask_to_unplug(unsigned slot) {
  const auto card = std::ranges::find(hot_cards_, std::optional(slot), &HotCard::slot);
  if (card == hot_cards_.end()) return false;
  if (!is_q35())
    hotplug_->ask_to_eject(slot);
  else if (root_ports_.at(slot).port->press_button())
    eject_card(slot);
  return true;
}

void Pc::eject_card(unsigned slot) {
  const auto card = std::ranges::find(hot_cards_, std::optional(slot), &HotCard::slot);
  if (card == hot_cards_.end()) return;
  // Its wire goes down, and its windows close.
  card->function->reset(devices::ResetKind::PowerOn);
  take_out_of_slot(*card);
  if (is_q35()) root_ports_.at(slot).port->card_gone();
  place_windows();
  if (ejected_listener_) ejected_listener_(*card);
  card->id.clear();
  if (!card->home) set_detail(*card, {});
}

/// What a card that waits is given; empty: nothing, as long as it is in no slot.
bool Pc::set_detail(HotCard& card, const std::string& detail) {
  if (card.home) return detail.empty();
  if (card.net != nullptr) {
    const auto mac = detail.empty() ? devices::MacAddress{} : parse_mac(detail);
    if (!mac) return false;
    card.net->burn_in(*mac);
  } else {
    drives_.at(*card.drive).waiting->set_serial(detail);
  }
  card.detail = detail;
  return true;
}

void Pc::serialize_hot_cards(Archive& archive) {
  if (hot_cards_.empty()) return;
  constexpr u8 kNowhere = 0xff;
  archive.tag("hot cards");
  if (archive.loading())
    for (HotCard& card : hot_cards_)
      if (card.slot) take_out_of_slot(card);
  for (HotCard& card : hot_cards_) {
    u8 slot = card.slot ? static_cast<u8>(*card.slot) : kNowhere;
    std::string detail = card.detail;
    archive.value(slot);
    serialize_text(archive, card.id);
    serialize_text(archive, detail);
    if (!archive.loading()) continue;
    if (!archive.ok() || !set_detail(card, detail) ||
        (slot != kNowhere && (!slot_is_free(slot) || (card.home && *card.home != slot)))) {
      archive.fail();
      continue;
    }
    if (slot == kNowhere) continue;
    put_into_slot(card, slot);
  }
}

}  // namespace reprise::machine
