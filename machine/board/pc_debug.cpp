// Devices for tests and debuggers, which no PC has.
#include "machine/board/pc.h"

#include <fmt/format.h>

#include "common/check.h"

namespace reprise::machine {

Result<Done> Pc::add_debug_exit(u16 port) {
  constexpr u32 kDebugExitPorts = 4;
  debug_exit_.emplace(control_);
  const auto mapped = ports_.map({port, kDebugExitPorts, Width::Dword}, *debug_exit_);
  if (!mapped) {
    return Error{fmt::format("--debug-exit {:#x}: {}; 0xf4 and 0x501 are free.", port,
                             devices::describe(mapped.error()))};
  }
  return Done{};
}

/// Its register takes the place of the debug port at E9h; the one at 402h stays.
void Pc::add_test_device() {
  devices::TestDevice::Lines lines;
  for (unsigned i = 0; i < lines.size(); ++i) {
    lines[i] = i < kIsaIrqs            ? irq_router_.isa_source(i)
               : i < kIsaIrqs + kPirqs ? irq_router_.pirq_source(i - kIsaIrqs)
                                       : IrqLine(ioapic_, i);
  }
  devices::TestDevice& device = test_device_.emplace(lines);
  ports_.unmap(debug_port_);
  CHECK(ports_.map({kFirmwareDebugPort, 1, Width::Byte}, debug_port_).ok());
  CHECK(ports_.map({0xe0, 4, Width::Dword}, device.data_ports()).ok());
  CHECK(ports_.map({0xe4, 4, Width::Dword}, device.flush_ports()).ok());
  CHECK(ports_.map({0xe8, 4, Width::Byte}, device.byte_ports()).ok());
  CHECK(ports_.map({0x2000, devices::TestDevice::kIrqLines, Width::Byte}, device.irq_ports()).ok());
  constexpr u64 kTestMemoryPhys = 0xff00'0000;
  constexpr int kAboveRam = 1;
  CHECK(map_mmio("test device", kTestMemoryPhys, devices::TestDevice::kMemoryBytes, device, kAboveRam));
}

}  // namespace reprise::machine
