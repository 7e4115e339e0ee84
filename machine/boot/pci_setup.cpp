#include "machine/boot/pci_setup.h"

#include <algorithm>
#include <vector>

#include "common/bits.h"
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

struct Window {
  PciFunction* function;
  u8 bar_register;
  u64 bytes;
};

std::vector<PciFunction*> functions_of(const devices::ConfigMechanism1& bus, unsigned device) {
  std::vector<PciFunction*> found;
  for (unsigned number = 0; number < 8; ++number)
    if (PciFunction* function = bus.function(device, number)) found.push_back(function);
  return found;
}

/// Windows of one kind, the largest first, so that each is aligned to its size; those of one size in the order of
/// their functions.
std::vector<Window> windows_of(const std::vector<PciFunction*>& functions, PciBar::Space space) {
  std::vector<Window> windows;
  for (PciFunction* function : functions) {
    for (unsigned i = 0; i < pci::kBars; ++i) {
      const PciBar& bar = function->bar(i);
      if (bar.space != space) continue;
      windows.push_back({function, static_cast<u8>(pci::kBar0 + 4 * i), bar.bytes});
    }
  }
  std::ranges::stable_sort(windows, std::greater{}, &Window::bytes);
  return windows;
}

void place(const std::vector<Window>& windows, u64 base) {
  for (const Window& window : windows) {
    window.function->config_write(window.bar_register, Width::Dword, static_cast<u32>(base));
    base += window.bytes;
  }
}

u64 total_bytes(const std::vector<Window>& windows) {
  u64 bytes = 0;
  for (const Window& window : windows) bytes += window.bytes;
  return bytes;
}

/// Firmware drives disks: IDE by its ports, all others as bus masters.
bool firmware_masters(const PciFunction& function) {
  constexpr u32 kMassStorage = 0x01;
  constexpr u32 kIde = 0x0101;
  const u32 device_class = function.config_peek(pci::kClass, Width::Word);
  return device_class >> 8 == kMassStorage && device_class != kIde;
}

}  // namespace

void set_up_pci(const devices::ConfigMechanism1& bus, devices::Chipset chipset) {
  constexpr u32 kSerrEnable = 1u << 8;
  std::vector<PciFunction*> all;
  for (unsigned device = 0; device < 32; ++device) {
    for (PciFunction* function : functions_of(bus, device)) {
      all.push_back(function);
      const u32 pin = function->config_peek(pci::kInterruptPin, Width::Byte);
      if (pin != 0) {
        const unsigned line = kPirqIsaLines[devices::pirq_of(device, pin, chipset)];
        function->config_write(pci::kInterruptLine, Width::Byte, line);
      }
    }
  }
  place(windows_of(all, PciBar::Space::Io), kFirstIoWindow);
  const std::vector<Window> memory = windows_of(all, PciBar::Space::Memory32);
  if (!memory.empty()) place(memory, align_down(kMemoryEndPhys - total_bytes(memory), memory.front().bytes));
  for (PciFunction* function : all) {
    u32 command = function->config_peek(pci::kCommand, Width::Word);
    command |= pci::kCommandIo | pci::kCommandMemory | kSerrEnable;
    if (firmware_masters(*function)) command |= pci::kCommandBusMaster;
    function->config_write(pci::kCommand, Width::Word, command);
  }
}

}  // namespace reprise::machine::boot
