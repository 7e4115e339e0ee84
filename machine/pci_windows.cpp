#include "machine/pci_windows.h"

#include <fmt/format.h>

namespace reprise::machine {

using devices::PciBar;

void PciWindows::add(devices::PciFunction& function, std::string slot) {
  cards_.push_back({&function, std::move(slot)});
}

void PciWindows::update(const devices::PciFunction& function) {
  for (Card& card : cards_)
    if (card.function == &function) update(card);
}

void PciWindows::update_all() {
  for (Card& card : cards_) update(card);
}

void PciWindows::update(Card& card) {
  for (unsigned i = 0; i < devices::pci::kBars; ++i) {
    if (card.function->bar(i).space == PciBar::Space::None) continue;
    const std::optional<u64> base = card.function->bar_base(i);
    if (base == card.mapped[i]) continue;
    if (card.mapped[i]) unmap(card, i);
    card.mapped[i].reset();
    if (base && map(card, i, *base)) card.mapped[i] = base;
  }
}

bool PciWindows::map(const Card& card, unsigned index, u64 base) {
  const PciBar& bar = card.function->bar(index);
  if (bar.space == PciBar::Space::Io)
    return ports_.map({static_cast<u16>(base), static_cast<u32>(bar.bytes), bar.widest}, *bar.ports).ok();
  return memory_.map(name(card, index), base, bar.bytes, *bar.memory);
}

void PciWindows::unmap(const Card& card, unsigned index) {
  const PciBar& bar = card.function->bar(index);
  if (bar.space == PciBar::Space::Io)
    ports_.unmap(*bar.ports);
  else
    memory_.unmap(name(card, index));
}

std::string PciWindows::name(const Card& card, unsigned index) {
  return fmt::format("{} {} BAR{}", card.slot, card.function->name(), index);
}

}  // namespace reprise::machine
