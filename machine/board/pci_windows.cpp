#include "machine/board/pci_windows.h"

#include <fmt/format.h>

namespace reprise::machine {

using devices::PciBar;

void PciWindows::add(const devices::PciFunction& function, const std::string& slot) {
  for (unsigned bar = 0; bar <= devices::pci::kRomBar; ++bar) {
    const bool rom = bar == devices::pci::kRomBar;  // which may be plugged in later
    if (!rom && function.bar(bar).space == PciBar::Space::None) continue;
    windows_.push_back({&function, bar,
                        rom ? fmt::format("{} {} ROM", slot, function.name())
                            : fmt::format("{} {} BAR{}", slot, function.name(), bar)});
  }
}

std::vector<std::optional<u64>> PciWindows::wanted() const {
  std::vector<std::optional<u64>> bases;
  for (const Window& window : windows_) bases.push_back(window.function->bar_base(window.bar));
  return bases;
}

void PciWindows::map_all() {
  for (Window& window : windows_) {
    if (const std::optional<u64> base = window.function->bar_base(window.bar))
      window.mapped = map(window, *base);
  }
}

void PciWindows::unmap_all() {
  for (Window& window : windows_) {
    if (window.mapped) unmap(window);
    window.mapped = false;
  }
}

bool PciWindows::map(const Window& window, u64 base) {
  const PciBar& bar = window.function->bar(window.bar);
  if (bar.space == PciBar::Space::Io)
    return ports_.map({static_cast<u16>(base), static_cast<u32>(bar.bytes), bar.widest}, *bar.ports).ok();
  return memory_.map(window.name, base, bar);
}

void PciWindows::unmap(const Window& window) {
  const PciBar& bar = window.function->bar(window.bar);
  if (bar.space == PciBar::Space::Io)
    ports_.unmap(*bar.ports);
  else
    memory_.unmap(window.name);
}

}  // namespace reprise::machine
