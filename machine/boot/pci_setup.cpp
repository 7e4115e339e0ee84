#include "machine/boot/pci_setup.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <vector>

#include "common/bits.h"
#include "devices/pci/pci_bridge.h"
#include "machine/layout/memory_map.h"
#include "machine/layout/pc_layout.h"

namespace reprise::machine::boot {
namespace {

using devices::PciBar;
using devices::PciFunction;
namespace pci = devices::pci;

/// I/O windows rise from here; memory windows end below the I/O APIC.
constexpr u64 kFirstIoWindow = 0xc000;
constexpr u64 kMemoryEndPhys = kIoApicPhys;

/// Windows of bridges: at least as much as SeaBIOS gives a port, in units of what their registers can say.
constexpr u64 kIoUnit = 0x1000, kSmallestMemory = 0x20'0000;

/// What needs a place: a base address register, or the window of a bridge with what is behind it.
struct Window {
  PciFunction* function;
  u8 bar_register;
  devices::PciBridge* bridge;  // nullptr: it is a register
  u64 bytes;
};

/// Windows of one kind, the largest first, so that each is aligned to its size; those of one size in the order of
/// their functions.
std::vector<Window> windows_of(const devices::PciBus& bus, PciBar::Space space);

u64 total_bytes(const std::vector<Window>& windows) {
  u64 bytes = 0;
  for (const Window& window : windows) bytes += window.bytes;
  return bytes;
}

/// A power of two, like registers. 0: nothing is behind it.
u64 bridge_window_bytes(const devices::PciBridge& bridge, PciBar::Space space) {
  const u64 needed = total_bytes(windows_of(bridge.secondary(), space));
  if (space == PciBar::Space::Io) return needed == 0 ? 0 : std::bit_ceil(std::max(needed, kIoUnit));
  return std::bit_ceil(std::max(needed, kSmallestMemory));
}

std::vector<Window> windows_of(const devices::PciBus& bus, PciBar::Space space) {
  std::vector<Window> windows;
  for (unsigned number = 0; number < 256; ++number) {
    PciFunction* const function = bus.function(number / 8, number % 8);
    if (function == nullptr) continue;
    for (unsigned i = 0; i < pci::kBars; ++i) {
      const PciBar& bar = function->bar(i);
      if (bar.space == space)
        windows.push_back({function, static_cast<u8>(pci::kBar0 + 4 * i), nullptr, bar.bytes});
    }
    if (devices::PciBridge* const bridge = function->as_bridge())
      if (const u64 bytes = bridge_window_bytes(*bridge, space); bytes != 0)
        windows.push_back({function, 0, bridge, bytes});
  }
  std::ranges::stable_sort(windows, std::greater{}, &Window::bytes);
  return windows;
}

void place(const std::vector<Window>& windows, PciBar::Space space, u64 base);

void place_behind(devices::PciBridge& bridge, PciBar::Space space, u64 base, u64 bytes) {
  const u64 last = base + bytes - 1;
  if (space == PciBar::Space::Io) {
    bridge.config_write(pci::kIoBase, Width::Byte, static_cast<u32>(base >> 8));
    bridge.config_write(pci::kIoLimit, Width::Byte, static_cast<u32>(last >> 8));
  } else {
    bridge.config_write(pci::kMemoryBase, Width::Word, static_cast<u32>(base >> 16));
    bridge.config_write(pci::kMemoryLimit, Width::Word, static_cast<u32>(last >> 16));
  }
  place(windows_of(bridge.secondary(), space), space, base);
}

void place(const std::vector<Window>& windows, PciBar::Space space, u64 base) {
  for (const Window& window : windows) {
    if (window.bridge != nullptr)
      place_behind(*window.bridge, space, base, window.bytes);
    else
      window.function->config_write(window.bar_register, Width::Dword, static_cast<u32>(base));
    base += window.bytes;
  }
}

/// Closes the windows of `bridge`, and gives it and the bridges behind it their numbers. The last one.
unsigned number_buses(devices::PciBridge& bridge, unsigned primary, unsigned secondary) {
  constexpr u32 kClosedIo = 0x00f0, kClosedMemory = 0x0000'fff0;
  bridge.config_write(pci::kIoBase, Width::Word, kClosedIo);
  bridge.config_write(pci::kMemoryBase, Width::Dword, kClosedMemory);
  bridge.config_write(pci::kPrefetchBase, Width::Dword, kClosedMemory);
  unsigned last = secondary;
  bridge.config_write(pci::kPrimaryBus, Width::Byte, primary);
  bridge.config_write(pci::kSecondaryBus, Width::Byte, secondary);
  for (unsigned number = 0; number < 256; ++number)
    if (PciFunction* const function = bridge.secondary().function(number / 8, number % 8))
      if (devices::PciBridge* const below = function->as_bridge())
        last = number_buses(*below, secondary, last + 1);
  bridge.config_write(pci::kSubordinateBus, Width::Byte, last);
  return last;
}

/// Firmware drives disks: IDE by its ports, all others as bus masters.
bool firmware_masters(const PciFunction& function) {
  constexpr u32 kMassStorage = 0x01;
  constexpr u32 kIde = 0x0101;
  const u32 device_class = function.config_peek(pci::kClass, Width::Word);
  return device_class >> 8 == kMassStorage && device_class != kIde;
}

}  // namespace

void set_up_pci(const devices::PciBus& root, devices::Chipset chipset) {
  constexpr u32 kSerrEnable = 1u << 8;
  unsigned last_bus = 0;
  // Where pins behind bridges arrive: PCI-to-PCI Bridge Architecture Specification 1.2, 9.1.
  std::map<const devices::PciBus*, unsigned> device_on_root;
  root.for_each([&](const devices::PciBus& bus, unsigned number, PciFunction& function) {
    const unsigned device = number / 8;
    const bool is_root = &bus == &root;
    unsigned pin = function.config_peek(pci::kInterruptPin, Width::Byte);
    if (devices::PciBridge* const bridge = function.as_bridge()) {
      if (is_root) last_bus = number_buses(*bridge, 0, last_bus + 1);
      device_on_root[&bridge->secondary()] = is_root ? device : device_on_root[&bus];
    }
    if (pin == 0) return;
    if (!is_root) pin = (device + pin - 1) % 4 + 1;
    const unsigned line =
        kPirqIsaLines[devices::pirq_of(is_root ? device : device_on_root[&bus], pin, chipset)];
    function.config_write(pci::kInterruptLine, Width::Byte, line);
  });
  place(windows_of(root, PciBar::Space::Io), PciBar::Space::Io, kFirstIoWindow);
  const std::vector<Window> memory = windows_of(root, PciBar::Space::Memory32);
  if (!memory.empty())
    place(memory, PciBar::Space::Memory32,
          align_down(kMemoryEndPhys - total_bytes(memory), memory.front().bytes));
  root.for_each([&](const devices::PciBus&, unsigned, PciFunction& function) {
    u32 command = function.config_peek(pci::kCommand, Width::Word);
    command |= pci::kCommandIo | pci::kCommandMemory | kSerrEnable;
    if (firmware_masters(function) || function.as_bridge() != nullptr) command |= pci::kCommandBusMaster;
    function.config_write(pci::kCommand, Width::Word, command);
  });
}

}  // namespace reprise::machine::boot
