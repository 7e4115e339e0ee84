// Which device answers at which port, and what an access costs.
#include "machine/board/pc.h"

#include "common/check.h"

namespace reprise::machine {
namespace {

/// A cycle of the ISA bus. Firmware and boot loaders wait by reading ports: they would execute thousands of
/// instructions for what takes a few accesses on a PC.
constexpr u64 kPortAccessNs = 1000;

}  // namespace

void Pc::map_ports() {
  const auto map = [&](u16 first, u32 count, Width widest, PioHandler& handler) {
    CHECK(ports_.map(devices::PioRange{first, count, widest}, handler).ok());
  };
  if (parts_.pic) {
    map(0x20, 2, Width::Byte, pic_.master_ports());
    map(0xa0, 2, Width::Byte, pic_.slave_ports());
    map(0x4d0, 2, Width::Byte, pic_.elcr_ports());
  }
  if (parts_.pit) map(0x40, 4, Width::Byte, pit_.counter_ports());
  if (parts_.rtc) map(0x70, 2, Width::Byte, rtc_.ports());
  if (parts_.com1) map(kCom1Port, 8, Width::Byte, com1_);
  map(kBochsDebugPort, 1, Width::Byte, debug_port_);
  map(kFirmwareDebugPort, 1, Width::Byte, debug_port_);
  map(kPvpanicPort, 1, Width::Byte, pvpanic_);
  map(kFwCfgPort, 2, Width::Word, fw_cfg_.selector_ports());
  map(kFwCfgPort + 4, 8, Width::Dword, fw_cfg_.dma_ports());
  if (!parts_.pc) return;
  map(0x61, 1, Width::Byte, pit_.port61());
  map(0x60, 1, Width::Byte, i8042_.data_port());
  map(0x64, 1, Width::Byte, i8042_.command_port());
  map(0x00, devices::Dma8237Pair::kBytePorts, Width::Byte, dma_.byte_ports());
  map(0xc0, devices::Dma8237Pair::kWordPorts, Width::Byte, dma_.word_ports());
  map(0x80, devices::Dma8237Pair::kPagePorts, Width::Byte, dma_.page_ports());
  map(kPort92, 1, Width::Byte, port92_);
  map(kCoprocessorErrorPort, 1, Width::Byte, coprocessor_error_);
  map(kSmiCommandPort, 2, Width::Byte, acpi_pm_.smi_ports());
  map(kCom2Port, 8, Width::Byte, com2_);
  map(devices::Vga::kFirstPort, devices::Vga::kPorts, Width::Byte, vga_card_.vga().ports());
  map(devices::Vga::kFirstDispiPort, devices::Vga::kDispiPorts, Width::Word, vga_card_.vga().dispi_ports());
  map(0xcf8, 8, Width::Dword, pci_config_);
}

u32 Pc::port_read(u16 port, Width width) {
  ++counters_.port_reads;
  if (!ports_.streams(port)) scheduler_.stall(kPortAccessNs);
  const u32 value = ports_.read(port, width);
  if (traces_.ports != nullptr) [[unlikely]]
    traces_.ports->port_accessed(AccessKind::Read, port, width, value);
  return value;
}

void Pc::port_write(u16 port, Width width, u32 value) {
  ++counters_.port_writes;
  if (!ports_.streams(port)) scheduler_.stall(kPortAccessNs);
  if (traces_.ports != nullptr) [[unlikely]]
    traces_.ports->port_accessed(AccessKind::Write, port, width, value);
  ports_.write(port, width, value);
}

std::size_t Pc::port_read_ahead(u16 port, Width width, std::span<u8> into) {
  if (traces_.ports != nullptr) [[unlikely]]
    return 0;
  const std::size_t bytes = ports_.read_ahead(port, width, into);
  counters_.port_reads += bytes / width_bytes(width);
  return bytes;
}

std::size_t Pc::port_write_ahead(u16 port, Width width, std::span<const u8> from) {
  if (traces_.ports != nullptr) [[unlikely]]
    return 0;
  const std::size_t bytes = ports_.write_ahead(port, width, from);
  counters_.port_writes += bytes / width_bytes(width);
  return bytes;
}

}  // namespace reprise::machine
