// IDE with its bus master, AHCI, the floppy controller with its DMA channel.
#include "devices/ata/task_file.h"
#include "machine/layout/pc_layout.h"
#include "tests/noise/players.h"

namespace reprise::noise {
namespace {

using devices::ata::Command;

constexpr u64 kDataPhys = 0x400000;
constexpr u64 kDataBytes = 0x100000;

constexpr Command kAtaCommands[] = {Command::ReadSectors,
                                    Command::ReadDma,
                                    Command::WriteSectors,
                                    Command::WriteDmaExt,
                                    Command::Packet,
                                    Command::IdentifyDevice,
                                    Command::ReadMultiple,
                                    Command::SetMultiple,
                                    Command::WriteMultiple,
                                    Command::DataSetManagement,
                                    Command::ReadVerifyExt,
                                    Command::ReadDmaExt,
                                    Command::ReadLogExt,
                                    Command::ReadFpdmaQueued,
                                    Command::WriteFpdmaQueued,
                                    Command::FlushCache,
                                    Command::SetFeatures,
                                    Command::WriteDma,
                                    Command::IdentifyPacketDevice,
                                    Command::ReadSectorsExt,
                                    Command::WriteSectorsExt,
                                    Command::DeviceDiagnostic,
                                    Command::InitializeParameters,
                                    Command::WriteDmaFuaExt,
                                    Command::CheckPowerMode};

u8 ata_command(Random& random) {
  return random.chance(90) ? static_cast<u8>(kAtaCommands[random.below(std::size(kAtaCommands))])
                           : static_cast<u8>(random.next());
}

/// Twelve bytes that a CD-ROM drive mostly knows.
std::vector<u8> scsi_packet(Random& random) {
  constexpr u8 kOperations[] = {0x00, 0x03, 0x12, 0x1b, 0x1e, 0x23, 0x25, 0x28, 0x2b, 0x35, 0x42,
                                0x43, 0x46, 0x4a, 0x51, 0x52, 0x5a, 0xa8, 0xac, 0xad, 0xbe};
  std::vector<u8> packet(12);
  for (u8& byte : packet) byte = random.chance(60) ? 0 : static_cast<u8>(noisy_value(random));
  if (random.chance(90)) packet[0] = kOperations[random.below(std::size(kOperations))];
  if (random.chance(60)) packet[8] = static_cast<u8>(random.below(20));
  return packet;
}

u64 data_phys(Random& random) {
  return random.chance(95) ? kDataPhys + random.below(kDataBytes) : noisy_value(random);
}

}  // namespace

void play_ide(Board& board, Random& random) {
  constexpr u64 kTablePhys = 0x8000;
  const unsigned channel = static_cast<unsigned>(random.below(2));
  const u16 command_ports = devices::ide::IdeController::kCommandPort[channel];
  const u16 control_port = devices::ide::IdeController::kControlPort[channel];
  const Card& card = board.card(0x8086, 0x7010);
  const u16 bus_master = static_cast<u16>(card.bars[4] + 8 * channel);
  if (random.below(2000) == 0) board.enumerate();
  switch (random.below(12)) {
    case 0: board.port_noise(random, bus_master, 8); break;
    case 1: board.out(control_port, random.chance(80) ? 0 : noisy_value(random)); break;
    case 2: board.wait(random.below(60'000)); break;
    case 3: {  // a table of regions, ended or not, and the bus master's start
      u64 at = kTablePhys + channel * 0x1000;
      for (u64 regions = 1 + random.below(5); regions > 0; --regions, at += 8) {
        board.put<u32>(at, static_cast<u32>(data_phys(random)));
        board.put<u32>(
            at + 4,
            static_cast<u32>((random.chance(80) ? random.below(8) * 512 : noisy_value(random)) & 0xffff) |
                (regions == 1 && random.chance(95) ? 0x8000'0000 : 0));
      }
      board.out(bus_master + 4, random.chance(95) ? kTablePhys + channel * 0x1000 : noisy_value(random),
                Width::Dword);
      board.out(bus_master + 2, 6);
      const u8 direction = random.chance(50) ? 8 : 0;
      board.out(bus_master, direction);
      board.out(bus_master, direction | 1);
      break;
    }
    case 4: {
      std::vector<u8> bytes(random.below(1500));
      constexpr Width kWidths[] = {Width::Word, Width::Dword, Width::Byte};
      const Width width = kWidths[random.below(3)];
      if (random.chance(50))
        board.in_string(command_ports, width, bytes);
      else
        board.out_string(command_ports, width, bytes);
      break;
    }
    case 5:
      for (const std::vector<u8> packet = scsi_packet(random); const u64 i : {0, 2, 4, 6, 8, 10})
        board.out(command_ports, packet[i] | u32{packet[i + 1]} << 8, Width::Word);
      break;
    case 6:
    case 7: {
      board.out(command_ports + 6,
                0xa0 | random.below(2) << 4 | (random.chance(80) ? 0x40 : random.below(256)));
      board.out(command_ports + 1, random.chance(50) ? random.below(2) : noisy_value(random));
      for (u64 i = random.below(2); i < 2; ++i) {
        board.out(command_ports + 2, random.chance(80) ? random.below(10) : noisy_value(random));
        board.out(command_ports + 3, random.chance(80) ? random.below(40) : noisy_value(random));
        board.out(command_ports + 4, random.chance(80) ? 0 : noisy_value(random));
        board.out(command_ports + 5, random.chance(80) ? random.below(8) : noisy_value(random));
      }
      board.out(command_ports + 7, ata_command(random));
      if (random.chance(70)) board.wait(random.below(30'000));
      break;
    }
    case 8:
      board.put<u32>(kTablePhys + 4 * random.below(0x800), static_cast<u32>(noisy_value(random)));
      break;
    default: board.port_noise(random, command_ports, 8);
  }
}

void play_ahci(Board& board, Random& random) {
  constexpr u64 kListPhys = 0x100000;
  constexpr u64 kFisPhys = 0x104000;
  constexpr u64 kTablesPhys = 0x108000;
  constexpr u64 kTableBytes = 0x1000;
  const u64 registers = board.card(0x8086, 0x2922).bars[5];
  const unsigned index = static_cast<unsigned>(random.below(random.chance(90) ? 2 : 6));
  const u64 port = registers + 0x100 + 0x80 * index;
  const u64 list = kListPhys + index * 0x400;
  if (random.below(2000) == 0) board.enumerate();
  const auto start = [&] {  // as a driver does
    if (random.chance(20)) board.write(registers + 4, 0x8000'0000 | random.below(4));
    board.write(port + 0x18, 0);
    if (random.chance(30)) {
      board.write(port + 0x2c, 1);
      board.write(port + 0x2c, 0);
      board.wait(random.below(2'000'000));
    }
    board.write(port + 0x00, list);
    board.write(port + 0x04, 0);
    board.write(port + 0x08, kFisPhys + index * 0x100);
    board.write(port + 0x0c, 0);
    board.write(port + 0x30, ~u64{0});
    board.write(port + 0x10, ~u64{0});
    board.write(port + 0x14, noisy_value(random));
    board.write(port + 0x18, 0x11);
  };
  constexpr u64 kErrors = 0x7c00'0000;  // of PxIS: the port waits for its driver
  switch (random.below(12)) {
    case 0: board.memory_noise(random, registers, random.chance(20) ? 0x400 : 0x100); break;
    case 1:
      if (random.chance(30)) board.memory_noise(random, port, 0x80);
      break;
    case 2: board.wait(random.below(60'000)); break;
    case 3: start(); break;
    case 4:
      board.put<u32>(kListPhys + 4 * random.below(0x4000), static_cast<u32>(noisy_value(random)));
      break;
    case 5: {  // the interrupt's end
      board.write(port + 0x10, board.read(port + 0x10));
      board.write(registers + 8, ~u64{0});
      break;
    }
    default: {
      const u64 slot = random.below(random.chance(80) ? 4 : 32);
      const u64 table = kTablesPhys + (index * 32 + slot) * kTableBytes;
      const u64 regions = random.chance(90) ? random.below(5) : noisy_value(random) & 0xffff;
      board.put<u32>(list + 32 * slot,
                     static_cast<u32>(5 | random.below(2) << 5 | random.below(2) << 6 | regions << 16));
      board.put<u32>(list + 32 * slot + 4, 0);
      board.put<u64>(list + 32 * slot + 8, random.chance(98) ? table : noisy_value(random));
      const u8 command = ata_command(random);
      const u64 count = random.chance(80) ? random.below(10) : noisy_value(random);
      const bool queued = command == static_cast<u8>(Command::ReadFpdmaQueued) ||
                          command == static_cast<u8>(Command::WriteFpdmaQueued);
      board.put<u8>(table, 0x27);
      board.put<u8>(table + 1, random.chance(95) ? 0x80 : 0);
      board.put<u8>(table + 2, command);
      board.put<u8>(table + 3, static_cast<u8>(queued ? count : noisy_value(random)));
      board.put<u32>(table + 4, static_cast<u32>(random.chance(80) ? random.below(40) : noisy_value(random)) |
                                    0x4000'0000);
      board.put<u32>(table + 8, static_cast<u32>(random.chance(90) ? 0 : noisy_value(random)));
      board.put<u32>(table + 12, static_cast<u32>(queued ? slot << 3 : count) |
                                     static_cast<u32>(random.chance(95) ? 0 : 4 << 24));
      const std::vector<u8> packet = scsi_packet(random);
      for (u64 i = 0; i < packet.size(); ++i) board.put<u8>(table + 0x40 + i, packet[i]);
      for (u64 i = 0; i < std::min<u64>(regions, 32); ++i) {
        board.put<u64>(table + 0x80 + 16 * i, data_phys(random));
        board.put<u32>(table + 0x8c + 16 * i,
                       static_cast<u32>(random.chance(90) ? random.below(8192) | 1 : noisy_value(random)));
      }
      if (queued) board.write(port + 0x34, u64{1} << slot);
      board.write(port + 0x38, u64{1} << slot);
      if (random.chance(50)) board.wait(random.below(30'000));
      if (random.chance(70) && (board.read(port + 0x10) & kErrors) != 0) start();
    }
  }
}

void play_floppy(Board& board, Random& random) {
  using machine::kFloppyPort;
  constexpr u16 kFifo = kFloppyPort + 5;
  constexpr u8 kDiskCommands[] = {0xe6, 0xc5, 0x4c, 0x6c, 0x42, 0x56, 0x4d, 0x4a, 0x49, 0x46, 0x45};
  switch (random.below(8)) {
    case 0: board.port_noise(random, kFloppyPort, 8); break;
    case 1:
      if (random.chance(50)) board.out(kFloppyPort + 2, 0);
      board.out(kFloppyPort + 2, random.chance(95) ? 0x1c | random.below(2) : noisy_value(random));
      if (random.chance(80)) board.out(kFloppyPort + 7, 0);
      board.wait(200'000);
      break;
    case 2: board.wait(random.below(random.chance(70) ? 20'000 : 2'000'000)); break;
    case 3:  // results
      for (u64 bytes = random.below(12); bytes > 0; --bytes) board.in(kFifo);
      break;
    case 4: {  // its DMA channel
      const u64 phys = random.below(0x100'0000);
      board.out(0x0c, 0);
      board.out(0x04, phys);
      board.out(0x04, phys >> 8);
      board.out(0x81, phys >> 16);
      board.out(0x05, noisy_value(random));
      board.out(0x05, random.below(16));
      board.out(0x0b, random.chance(90) ? (random.chance(50) ? 0x46 : 0x4a) : noisy_value(random));
      board.out(0x0a, 0x02);
      break;
    }
    case 5:
    case 6: {
      board.out(kFifo, kDiskCommands[random.below(std::size(kDiskCommands))]);
      const u64 drive = random.below(random.chance(90) ? 2 : 4) | random.below(2) << 2;
      for (const u64 byte :
           {drive, random.below(3), drive >> 2, 1 + random.below(20), u64{2}, u64{18}, u64{0x1b}, u64{0xff}})
        board.out(kFifo, random.chance(98) ? byte : noisy_value(random));
      break;
    }
    default:
      board.out(kFifo, random.chance(70) ? random.below(32) : noisy_value(random));
      for (u64 bytes = random.below(4); bytes > 0; --bytes) board.out(kFifo, random.below(4));
  }
}

}  // namespace reprise::noise
