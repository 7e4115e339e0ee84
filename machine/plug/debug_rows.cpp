// Devices for tests and debuggers, which no PC has.
#include <fmt/format.h>

#include "devices/misc/debug_exit.h"
#include "devices/misc/test_device.h"
#include "machine/layout/pc_layout.h"
#include "machine/plug/card_rows.h"

namespace reprise::machine {
namespace {

constexpr PropertySpec kDebugExit[] = {
    {"iobase", PropertyType::Number, "a port up to 0xfffc", "0x501", "the first port", 0xfffc},
    {"iosize", PropertyType::Choice, "1, 2, 4", "2", "how many ports"}};

Result<Done> map_ports(const DeviceSite& site, u16 first, u32 count, Width widest, PioHandler& handler) {
  const auto mapped = site.board.ports.map({first, count, widest}, handler);
  if (mapped) return Done{};
  return wrong_usage(fmt::format("{} at port {:#x}: {}; 0xf4 and 0x501 are free.", site.row.driver, first,
                                 devices::describe(mapped.error())));
}

Result<std::unique_ptr<devices::Device>> make_debug_exit(const DeviceSite& site) {
  auto device = std::make_unique<devices::DebugExit>(site.board.control);
  const u32 ports = static_cast<u32>(site.number("iosize"));
  const Width widest = ports == 4 ? Width::Dword : ports == 1 ? Width::Byte : Width::Word;
  TRY(map_ports(site, static_cast<u16>(site.number("iobase")), ports, widest, *device));
  return Result<std::unique_ptr<devices::Device>>(std::move(device));
}

/// Its register takes the place of the debug port at E9h; the one at 402h stays.
Result<std::unique_ptr<devices::Device>> make_test_device(const DeviceSite& site) {
  devices::TestDevice::Lines lines;
  for (unsigned i = 0; i < lines.size(); ++i) lines[i] = site.board.interrupt_line(i);
  auto device = std::make_unique<devices::TestDevice>(lines);
  devices::DebugPort& debug_port = site.board.debug_port;
  site.board.ports.unmap(debug_port);
  TRY(map_ports(site, kFirmwareDebugPort, 1, Width::Byte, debug_port));
  TRY(map_ports(site, 0xe0, 4, Width::Dword, device->data_ports()));
  TRY(map_ports(site, 0xe4, 4, Width::Dword, device->flush_ports()));
  TRY(map_ports(site, 0xe8, 4, Width::Byte, device->byte_ports()));
  TRY(map_ports(site, 0x2000, devices::TestDevice::kIrqLines, Width::Byte, device->irq_ports()));
  constexpr u64 kTestMemoryPhys = 0xff00'0000;
  if (!site.board.map_memory("test device", kTestMemoryPhys, devices::TestDevice::kMemoryBytes, *device))
    return Error{fmt::format("{}: its memory at {:#x} is taken.", site.row.driver, kTestMemoryPhys)};
  return Result<std::unique_ptr<devices::Device>>(std::move(device));
}

}  // namespace

constinit const DeviceRow kDebugExitRow = {
    .driver = "isa-debug-exit",
    .qemu_name = "isa-debug-exit",
    .help = "ports that end the run: writing V gives exit code (V << 1) | 1",
    .properties = kDebugExit,
    .place = {},
    .most = 1,
    .isa = make_debug_exit};
constinit const DeviceRow kTestDeviceRow = {.driver = "pc-testdev",
                                            .qemu_name = "pc-testdev",
                                            .help = "registers and interrupts for test kernels",
                                            .properties = {},
                                            .place = {},
                                            .most = 1,
                                            .isa = make_test_device};

}  // namespace reprise::machine
