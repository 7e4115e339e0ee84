// Interrupt controllers, timers, the small ISA devices, video, firmware's devices, PCI configuration.
#include "devices/display/picture_maker.h"
#include "devices/misc/test_device.h"
#include "machine/layout/pc_layout.h"
#include "tests/noise/players.h"

namespace reprise::noise {
namespace {

namespace pci = devices::pci;

u8 noisy_byte(Random& random) { return static_cast<u8>(noisy_value(random)); }

}  // namespace

std::span<const Player> players() {
  static constexpr Player kPlayers[] = {
      {"pic", play_pic},
      {"ioapic", play_ioapic},
      {"lapic", play_lapic},
      {"pit", play_pit},
      {"hpet", play_hpet},
      {"rtc", play_rtc},
      {"acpi-pm", play_acpi_pm},
      {"uart", play_uart},
      {"i8042", play_i8042},
      {"dma", play_dma},
      {"misc", play_misc},
      {"test-device", play_test_device},
      {"vga", play_vga},
      {"fw-cfg", play_fw_cfg},
      {"pflash", play_pflash},
      {"pci", play_pci},
      {"root-port", play_root_port},
      {"watchdog", play_watchdog},
      {"ide", play_ide},
      {"ahci", play_ahci},
      {"floppy", play_floppy},
      {"virtio-blk", play_virtio_blk},
      {"virtio-scsi", play_virtio_scsi},
      {"virtio-console", play_virtio_console},
      {"virtio-serial", play_virtio_serial},
      {"virtio-rng", play_virtio_rng},
      {"virtio-net", play_virtio_net},
      {"e1000", play_e1000},
      {"virtio-input", play_virtio_input},
      {"virtio-9p", play_virtio_9p},
      {"ac97", play_ac97},
  };
  return kPlayers;
}

void play_pic(Board& board, Random& random) {
  const u16 base = random.chance(50) ? 0x20 : 0xa0;
  switch (random.below(6)) {
    case 0:  // initialization, complete more often than not
      board.out(base, 0x10 | random.below(16));
      for (u64 words = random.below(5); words > 0; --words) board.out(base + 1, noisy_byte(random));
      break;
    case 1:
      board.out(base, 0x20 | random.below(8) << 5 | random.below(8));  // end of interrupt and rotation
      break;
    case 2:
      board.out(base, 0x08 | random.below(128));  // OCW3: polls, register reads
      board.in(base);
      break;
    case 3: board.port_noise(random, 0x4d0, 2); break;
    case 4: board.take_interrupt(); break;
    default: board.port_noise(random, base, 2);
  }
}

void play_ioapic(Board& board, Random& random) {
  constexpr u64 kIndex = machine::kIoApicPhys;
  constexpr u64 kData = machine::kIoApicPhys + 0x10;
  if (random.chance(20)) return board.memory_noise(random, machine::kIoApicPhys, 0x100);
  board.write(kIndex, random.chance(90) ? 0x10 + random.below(48) : noisy_byte(random));
  if (random.chance(30))
    board.read(kData);
  else
    board.write(kData, noisy_value(random));
  if (random.chance(30)) board.take_interrupt();
}

void play_lapic(Board& board, Random& random) {
  constexpr u16 kRegisters[] = {0x20,  0x80,  0xb0,  0xd0,  0xe0,  0xf0,  0x280, 0x2f0, 0x300, 0x310,
                                0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x390, 0x3e0, 0x3f0};
  switch (random.below(8)) {
    case 0: board.memory_noise(random, machine::kLapicPhys, 0x1000); break;
    case 1: {
      const u32 msr = random.chance(80) ? 0x800 + static_cast<u32>(random.below(0x40))
                                        : static_cast<u32>(noisy_value(random));
      if (random.chance(50))
        board.read_msr(msr);
      else
        board.write_msr(msr, noisy_value(random));
      break;
    }
    case 2:  // APIC base: off, xAPIC, x2APIC, elsewhere
      if (random.chance(20))
        board.write_msr(
            0x1b, random.chance(80) ? machine::kLapicPhys | random.below(16) << 8 : noisy_value(random));
      break;
    case 3:
      board.write_msr(0x6e0, board.pc().scheduler().now_ns() + random.below(100'000));  // TSC deadline
      break;
    case 4:
      if (board.take_interrupt() && random.chance(80)) board.write(machine::kLapicPhys + 0xb0, 0);
      break;
    case 5:  // a message to itself
      board.write(machine::kLapicPhys + 0x300, random.below(1u << 20) | (random.chance(70) ? 0x40000 : 0));
      break;
    default:
      board.write(machine::kLapicPhys + kRegisters[random.below(std::size(kRegisters))], noisy_value(random));
  }
  if (random.chance(10)) board.wait(random.below(20'000));
}

void play_pit(Board& board, Random& random) {
  if (random.chance(20))
    return board.port_noise(random, random.chance(80) ? 0x40 : 0x61, random.chance(80) ? 4 : 1);
  const unsigned counter = static_cast<unsigned>(random.below(3));
  board.out(0x43, counter << 6 | random.below(64));
  for (u64 bytes = random.below(4); bytes > 0; --bytes) {
    if (random.chance(30))
      board.in(static_cast<u16>(0x40 + counter));
    else
      board.out(static_cast<u16>(0x40 + counter), noisy_byte(random));
  }
  if (random.chance(30)) board.out(0x61, random.below(4));
  if (random.chance(30)) board.wait(random.below(200'000));
}

void play_hpet(Board& board, Random& random) {
  constexpr u64 kBase = machine::kHpetPhys;
  switch (random.below(6)) {
    case 0: board.memory_noise(random, kBase, 0x400); break;
    case 1: board.write(kBase + 0x10, random.below(4)); break;
    case 2:
      board.write(kBase + 0xf0, noisy_value(random), random.chance(50) ? Width::Qword : Width::Dword);
      break;
    case 3:
      board.write(kBase + 0x100 + 0x20 * random.below(3),
                  random.chance(70) ? 0x4 | random.below(0x4000) : noisy_value(random), Width::Qword);
      break;
    case 4:
      board.write(kBase + 0x108 + 0x20 * random.below(3),
                  random.chance(50) ? random.below(5000) : noisy_value(random),
                  random.chance(50) ? Width::Qword : Width::Dword);
      break;
    default: board.wait(random.below(50'000));
  }
  if (random.chance(10)) board.write(kBase + 0x20, noisy_byte(random));
}

void play_rtc(Board& board, Random& random) {
  if (random.chance(10)) return board.port_noise(random, 0x70, 2);
  board.out(0x70, random.chance(70) ? random.below(14) : noisy_byte(random));
  if (random.chance(40))
    board.in(0x71);
  else
    board.out(0x71, noisy_byte(random));
  if (random.chance(5)) board.wait(random.below(2'000'000));
}

void play_acpi_pm(Board& board, Random& random) {
  switch (random.below(5)) {
    case 0: board.port_noise(random, machine::kSmiCommandPort, 2); break;
    case 1: board.in(machine::kPmTimerPort, Width::Dword); break;
    case 2:
      if (random.chance(20)) board.pc().press_power_button();
      break;
    case 3:
      if (random.chance(10)) board.wait(random.below(1'000'000'000));
      break;
    default: board.port_noise(random, machine::kPmBasePort, machine::kPmBlockPorts);
  }
}

void play_uart(Board& board, Random& random) {
  const bool first = random.chance(50);
  const u16 base = first ? machine::kCom1Port : machine::kCom2Port;
  switch (random.below(6)) {
    case 0: {  // input from outside
      devices::Uart16550& uart = first ? board.pc().com1() : board.pc().com2();
      const std::vector<u8> bytes(std::min<std::size_t>(uart.can_receive(), random.below(40)),
                                  noisy_byte(random));
      uart.receive(bytes);
      if (random.chance(10)) uart.receive_break();
      break;
    }
    case 1:  // as a driver sets it up
      board.out(base + 3, 0x83);
      board.out(base, random.chance(80) ? random.below(13) : noisy_byte(random));
      board.out(base + 1, random.chance(80) ? 0 : noisy_byte(random));
      board.out(base + 3, 0x03 | random.below(64));
      board.out(base + 2, random.below(256));
      board.out(base + 1, random.below(16));
      break;
    case 2:
      for (u64 bytes = random.below(20); bytes > 0; --bytes) board.out(base, noisy_byte(random));
      break;
    case 3: board.wait(random.below(2'000'000)); break;
    default: board.port_noise(random, base, 8);
  }
}

/// What people and scripts do meanwhile.
void play_hands(Board& board, Random& random) {
  using machine::Typist;
  machine::InputRouter& router = board.pc().input_router();
  const auto key = static_cast<Key>(random.below(256));
  const auto counts = [&] {
    return static_cast<i32>(random.chance(70) ? random.below(500) - 250 : noisy_value(random));
  };
  switch (random.below(4)) {
    case 0: router.key(key, random.chance(60)); break;
    case 1:
      if (board.pc().typist().room() != 0) board.pc().typist().take({key, random.chance(60)});
      break;
    default:
      router.pointer({.motion = static_cast<PointerChange::Motion>(random.below(3)),
                      .x = counts(),
                      .y = counts(),
                      .wheel = counts(),
                      .buttons = noisy_byte(random)});
  }
}

void play_i8042(Board& board, Random& random) {
  constexpr u8 kCommands[] = {0x20, 0x60, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xad, 0xae,
                              0xc0, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xf0, 0xfe};
  constexpr u8 kKeyboard[] = {0xed, 0xee, 0xf0, 0xf2, 0xf3, 0xf4, 0xf5,
                              0xf6, 0xf7, 0xfa, 0xfb, 0xfc, 0xfe, 0xff};
  constexpr u8 kMouse[] = {0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xee, 0xf0, 0xf2,
                           0xf3, 0xf4, 0xf4, 0xf5, 0xf6, 0xfe, 0xff, 200,  100,  80};
  switch (random.below(7)) {
    case 0:
      board.out(0x64, random.chance(80) ? kCommands[random.below(std::size(kCommands))] : noisy_byte(random));
      break;
    case 1:
      board.out(0x60, random.chance(60) ? kKeyboard[random.below(std::size(kKeyboard))] : noisy_byte(random));
      break;
    case 2:
      board.in(0x64);
      board.in(0x60);
      break;
    case 3: board.wait(random.below(5'000'000)); break;
    case 4:
      board.out(0x64, 0xd4);
      board.out(0x60, random.chance(90) ? kMouse[random.below(std::size(kMouse))] : noisy_byte(random));
      break;
    case 5: play_hands(board, random); break;
    default: board.port_noise(random, random.chance(50) ? 0x60 : 0x64, 1);
  }
}

void play_dma(Board& board, Random& random) {
  switch (random.below(4)) {
    case 0: board.port_noise(random, 0x00, 16); break;
    case 1: board.port_noise(random, 0xc0, 32); break;
    case 2: board.port_noise(random, 0x80, 16); break;
    default: {
      const u16 channel = static_cast<u16>(random.below(4));
      board.out(0x0c, 0);
      for (u16 port : {channel * 2, channel * 2, channel * 2 + 1, channel * 2 + 1})
        board.out(port, noisy_byte(random));
      board.out(0x0b, random.below(64) << 2 | channel);
      board.out(0x0a, channel);
    }
  }
}

void play_misc(Board& board, Random& random) {
  constexpr u16 kPorts[] = {0x92, 0xf0, 0x402, 0x505, 0xcf9, 0xf4, 0xf6, 0x80, 0xed, 0xe9};
  if (random.chance(90)) {
    board.port_noise(random, kPorts[random.below(std::size(kPorts))], 1);
  } else if (random.chance(50)) {
    board.port_noise(random, 0, 0x10000);
  } else {
    board.pc().x87_error(random.chance(50) ? cpu::X87Error::Waits : cpu::X87Error{});
  }
}

void play_test_device(Board& board, Random& random) {
  switch (random.below(3)) {
    case 0: board.port_noise(random, 0xe0, 12); break;
    case 1: board.port_noise(random, 0x2000, devices::TestDevice::kIrqLines); break;
    default: board.memory_noise(random, 0xff00'0000, devices::TestDevice::kMemoryBytes);
  }
  if (random.chance(20)) board.take_interrupt();
}

void play_vga(Board& board, Random& random) {
  constexpr u16 kIndexPorts[] = {0x3c4, 0x3ce, 0x3d4, 0x3b4};
  const Card& card = board.card(devices::VgaCard::kVendor, devices::VgaCard::kDevice);
  switch (random.below(11)) {
    case 0: {
      const u16 port = kIndexPorts[random.below(4)];
      board.out(port, random.below(0x19) | u64{noisy_byte(random)} << 8, Width::Word);
      break;
    }
    case 1:
      board.in(random.chance(50) ? 0x3da : 0x3ba);
      board.out(0x3c0, random.below(64));
      board.out(0x3c0, noisy_byte(random));
      break;
    case 2:  // palette
      board.out(random.chance(50) ? 0x3c7 : 0x3c8, noisy_byte(random));
      for (u64 bytes = random.below(7); bytes > 0; --bytes) {
        if (random.chance(50))
          board.in(0x3c9);
        else
          board.out(0x3c9, noisy_byte(random));
      }
      break;
    case 3: board.port_noise(random, devices::Vga::kFirstPort, devices::Vga::kPorts); break;
    case 4:
      if (random.chance(2) && board.pc().vga().text_screen().empty()) board.wait(1);
      if (random.chance(2)) {
        devices::PictureMaker maker;
        const devices::Vga& vga = board.pc().vga();
        if (maker.update(vga.registers(), vga.frame(), vga.memory().bytes(), nullptr).empty()) board.wait(1);
      }
      break;
    case 5: {  // DISPI
      constexpr u16 kDepths[] = {4, 8, 15, 16, 24, 32};
      const u64 index = random.below(12);
      const u64 value = index == devices::DispiRegisters::kBpp      ? kDepths[random.below(6)]
                        : index == devices::DispiRegisters::kEnable ? random.below(256)
                        : random.chance(70)                         ? random.below(2000)
                                                                    : noisy_value(random);
      board.out(0x1ce, index, Width::Word);
      board.out(0x1cf, value, Width::Word);
      break;
    }
    case 6:
      if (random.chance(50)) return board.port_noise(random, 0x1ce, 3);
      return board.memory_noise(random, card.bars[2], random.chance(90) ? 0x608 : 0x1000);
    case 7: board.memory_noise(random, card.bars[0], random.chance(50) ? 0x40000 : 16 * machine::kMiB); break;
    default: board.memory_noise(random, machine::kVgaWindowPhys, devices::Vga::kRangeBytes);
  }
}

void play_fw_cfg(Board& board, Random& random) {
  constexpr u64 kRequestPhys = 0x7000;
  const auto swap32 = [](u64 value) {
    const u32 v = static_cast<u32>(value);
    return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
  };
  switch (random.below(5)) {
    case 0: board.port_noise(random, 0x510, 2); break;
    case 1: board.port_noise(random, 0x514, 8); break;
    case 2:
      board.out(0x510, random.chance(80) ? random.below(0x40) : noisy_value(random), Width::Word);
      for (u64 bytes = random.below(64); bytes > 0; --bytes) board.in(0x511);
      break;
    default: {
      // A request of any kind: select, read, skip, write.
      const u64 key = random.chance(90) ? random.below(0x40) : noisy_value(random);
      const u64 bytes = random.chance(80) ? random.below(5000) : noisy_value(random);
      const u64 address = random.chance(80) ? random.below(Board::kRamBytes) : noisy_value(random);
      board.put<u32>(kRequestPhys, swap32(key << 16 | random.below(32)));
      board.put<u32>(kRequestPhys + 4, swap32(random.chance(95) ? bytes & 0xff'ffff : bytes));
      board.put<u32>(kRequestPhys + 8, swap32(address >> 32));
      board.put<u32>(kRequestPhys + 12, swap32(address));
      board.out(0x514, 0, Width::Dword);
      board.out(0x518, swap32(random.chance(95) ? kRequestPhys : noisy_value(random)), Width::Dword);
    }
  }
}

void play_pflash(Board& board, Random& random) {
  u64 phys = 0;
  u64 bytes = 0;
  for (const auto& range : board.pc().phys_map().ranges()) {
    if (range.name != "variables") continue;
    phys = range.first_phys;
    bytes = range.last_phys - range.first_phys + 1;
  }
  if (bytes == 0) return board.memory_noise(random, 0xff80'0000, 0x80'0000);
  constexpr u8 kCommands[] = {0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xd0, 0xe8, 0xff};
  const u64 at = phys + random.below(random.chance(80) ? 0x4000 : bytes);
  switch (random.below(4)) {
    case 0: board.memory_noise(random, phys, bytes); break;
    case 1: board.read(at, Width::Byte); break;
    case 2: {  // buffered program
      board.write(at, 0xe8, Width::Byte);
      const u64 count = random.below(random.chance(90) ? 64 : 256);
      board.write(at, count, Width::Byte);
      for (u64 i = 0; i <= count; ++i)
        board.write(at + (random.chance(98) ? i : random.below(0x1000)), noisy_byte(random), Width::Byte);
      board.write(at, random.chance(90) ? 0xd0 : noisy_byte(random), Width::Byte);
      break;
    }
    default:
      board.write(at, kCommands[random.below(std::size(kCommands))], Width::Byte);
      board.write(at, random.chance(50) ? 0xd0 : noisy_byte(random), Width::Byte);
  }
}

void play_pci(Board& board, Random& random) {
  if (random.chance(1)) return board.enumerate();
  if (random.chance(5)) return board.port_noise(random, 0xcf8, 8);
  if (board.cards().empty()) return;
  const Card& card = board.cards()[random.below(board.cards().size())];
  constexpr Width kWidths[] = {Width::Byte, Width::Word, Width::Dword};
  const Width width = kWidths[random.below(3)];
  switch (random.below(5)) {
    case 0: board.config_read(card, noisy_byte(random), width); break;
    case 1:
      board.config_write(card, static_cast<u8>(random.next()), static_cast<u32>(noisy_value(random)), width);
      break;
    case 2: {  // a window somewhere, maybe on top of another or of RAM
      const u8 offset = static_cast<u8>(pci::kBar0 + 4 * random.below(pci::kBars));
      constexpr u32 kPlaces[] = {0xe000'0000, 0xfec0'0000, 0xfee0'0000, 0x000a'0000,
                                 0x0010'0000, 0xc000,      0x3f8,       0xffff'0000};
      board.config_write(card, offset, kPlaces[random.below(8)] + static_cast<u32>(random.below(8) << 12));
      break;
    }
    case 3: board.config_write(card, pci::kCommand, static_cast<u32>(random.below(8)), Width::Word); break;
    default: {
      const u64 base = card.bars[random.below(pci::kBars)];
      if (base >= 0x10000)
        board.memory_noise(random, base, 0x1000);
      else if (base != 0)
        board.port_noise(random, static_cast<u16>(base), 16);
    }
  }
}

/// A port, and the card in it: bus numbers, windows and the slot's power come and go under its feet.
void play_root_port(Board& board, Random& random) {
  constexpr u32 kBehind = 0x8001'0000;
  constexpr u64 kWindowPhys = 0xd000'0000;
  const Card& port = board.card(0x1b36, 0x000c);
  const u8 express = static_cast<u8>(board.config_read(port, pci::kCapabilities, Width::Byte));
  switch (random.below(8)) {
    case 0:
      board.config_write(port, 0x18, random.chance(80) ? 0x010100 : static_cast<u32>(noisy_value(random)));
      break;
    case 1: {
      const bool good = random.chance(80);
      board.config_write(port, 0x20, good ? 0xd00f'd000 : static_cast<u32>(noisy_value(random)));
      board.config_write(port, pci::kCommand, random.chance(80) ? 7 : static_cast<u32>(random.below(8)),
                         Width::Word);
      break;
    }
    case 2:
      board.out(0xcf8, kBehind | pci::kBar0 | static_cast<u32>(random.below(6) * 4), Width::Dword);
      board.out(0xcfc, random.chance(80) ? kWindowPhys + (random.below(16) << 14) : noisy_value(random),
                Width::Dword);
      break;
    case 3:
      board.out(0xcf8, kBehind | static_cast<u32>(random.below(0x200) & ~3u), Width::Dword);
      if (random.chance(50))
        board.out(0xcfc, random.chance(50) ? 7 : noisy_value(random), Width::Dword);
      else
        board.in(0xcfc, Width::Dword);
      break;
    case 4:
      board.config_write(port, static_cast<u8>(random.next()), static_cast<u32>(noisy_value(random)));
      break;
    case 5:  // power and indicator of the slot
      board.config_write(port, static_cast<u8>(express + 0x18),
                         random.chance(50) ? 0x139 : static_cast<u32>(random.below(0x2000)), Width::Word);
      break;
    case 6: board.config_write(port, 0x3e, static_cast<u32>(random.below(2) * 0x40), Width::Word); break;
    default: board.memory_noise(random, kWindowPhys, 0x4'0000);
  }
}

void play_watchdog(Board& board, Random& random) {
  const Card& card = board.card(0x8086, 0x25ab);
  if (random.chance(1)) board.enumerate();
  switch (random.below(5)) {
    case 0: board.memory_noise(random, card.bars[0], 16); break;
    case 1:  // unlock, then a register
      board.write(card.bars[0] + 0xc, 0x80, Width::Word);
      board.write(card.bars[0] + 0xc, random.chance(90) ? 0x86 : noisy_byte(random), Width::Word);
      board.write(card.bars[0] + 4 * random.below(4),
                  random.chance(70) ? random.below(1000) : noisy_value(random));
      break;
    case 2:
      board.config_write(card, 0x60, random.chance(50) ? 0x04 : static_cast<u32>(random.below(64)),
                         Width::Word);
      break;
    case 3:
      board.config_write(card, 0x68,
                         random.chance(95) ? static_cast<u32>(random.below(4)) << 1 : noisy_byte(random),
                         Width::Byte);
      break;
    default: board.wait(random.below(3'000'000));
  }
}

}  // namespace reprise::noise
