// An IDE controller with drives, driven through its ports as a driver would.
#pragma once

#include "devices/ata/cdrom.h"
#include "devices/ata/disk.h"
#include "devices/ide/ide_controller.h"
#include "tests/devices/ata_board.h"

namespace reprise::devices::testing {

using ata::Command;

inline constexpr u16 kIdeData = 0, kIdeFeatures = 1, kIdeError = 1, kIdeCount = 2, kIdeLbaLow = 3,
                     kIdeLbaMid = 4, kIdeLbaHigh = 5, kIdeDevice = 6, kIdeStatus = 7, kIdeCommand = 7;

struct IdeBoard {
  explicit IdeBoard(ide::IdeController::Units units)
      : memory(1 << 20), ide(clock, {wires.line(14), wires.line(15)}, memory, std::move(units)) {}

  ide::IdeChannel& channel(unsigned index = 0) { return ide.channel(index); }
  u8 read(u16 offset, unsigned index = 0) { return in8(channel(index), offset); }
  void write(u16 offset, u32 value, unsigned index = 0) { out8(channel(index), offset, value); }
  u8 alternate_status(unsigned index = 0) { return in8(channel(index).control_port(), 0); }
  void control(u32 value, unsigned index = 0) { out8(channel(index).control_port(), 0, value); }
  bool irq(unsigned index = 0) const { return wires.level(14 + index); }

  void lba28(u8 unit, u64 lba, u32 count) {
    write(kIdeDevice, 0xe0u | unit << 4 | static_cast<u32>(lba >> 24 & 15));
    write(kIdeCount, count);
    write(kIdeLbaLow, static_cast<u32>(lba));
    write(kIdeLbaMid, static_cast<u32>(lba >> 8));
    write(kIdeLbaHigh, static_cast<u32>(lba >> 16));
  }
  void lba48(u8 unit, u64 lba, u32 count) {
    write(kIdeDevice, 0xe0u | unit << 4);
    write(kIdeCount, count >> 8);
    write(kIdeLbaLow, static_cast<u32>(lba >> 24));
    write(kIdeLbaMid, static_cast<u32>(lba >> 32));
    write(kIdeLbaHigh, static_cast<u32>(lba >> 40));
    write(kIdeCount, count);
    write(kIdeLbaLow, static_cast<u32>(lba));
    write(kIdeLbaMid, static_cast<u32>(lba >> 8));
    write(kIdeLbaHigh, static_cast<u32>(lba >> 16));
  }
  void command(Command value, unsigned index = 0) { write(kIdeCommand, static_cast<u32>(value), index); }
  /// Steps time until BSY clears; the alternate status then.
  u8 settle(unsigned index = 0) {
    for (int i = 0; i < 100 && (alternate_status(index) & ata::kStatusBsy); ++i) {
      const u64 next = clock.next_deadline_ns();
      if (next == Clock::kNever) break;
      clock.run_until(next);
    }
    return alternate_status(index);
  }
  u8 run(Command value, unsigned index = 0) {
    command(value, index);
    return settle(index);
  }
  /// One DRQ block through the data port.
  std::vector<u8> read_block(u32 bytes, unsigned index = 0) {
    std::vector<u8> block;
    for (u32 i = 0; i < bytes; i += 2) {
      const u32 word = channel(index).pio_read(kIdeData, Width::Word);
      block.push_back(static_cast<u8>(word));
      block.push_back(static_cast<u8>(word >> 8));
    }
    return block;
  }
  void write_block(std::span<const u8> bytes, unsigned index = 0) {
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
      channel(index).pio_write(kIdeData, Width::Word, bytes[i] | u32{bytes[i + 1]} << 8);
  }

  // Bus master of channel 0
  static constexpr u32 kTable = 0x1000;
  PioHandler& bus_master() { return *ide.bar(4).ports; }
  u8 bmis() { return in8(bus_master(), ide::BusMaster::kStatus); }
  void table(std::initializer_list<std::pair<u32, u32>> regions, bool end = true) {
    u32 at = kTable;
    for (const auto& [phys, bytes] : regions) {
      memory.put<u32>(at, phys);
      memory.put<u32>(at + 4, bytes & 0xffff);
      at += 8;
    }
    if (end) memory.put<u32>(at - 4, memory.get<u32>(at - 4) | 0x8000'0000);
  }
  void start_bus_master(bool to_memory) {
    ide.config_write(pci::kCommand, Width::Word, pci::kCommandIo | pci::kCommandBusMaster);
    for (u16 i = 0; i < 4; ++i)
      out8(bus_master(), static_cast<u16>(ide::BusMaster::kTable + i), kTable >> 8 * i);
    out8(bus_master(), ide::BusMaster::kStatus, 6);
    out8(bus_master(), ide::BusMaster::kCommand, to_memory ? 8 : 0);
    out8(bus_master(), ide::BusMaster::kCommand, to_memory ? 9 : 1);
  }

  FakeClock clock;
  FakeWires wires;
  FakeMemory memory;
  ide::IdeController ide;
};

}  // namespace reprise::devices::testing
