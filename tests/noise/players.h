// What a hostile driver does with each device: registers at random, but also the steps a real driver takes,
// so that noise reaches the states behind them. One call is some accesses.
#pragma once

#include <span>

#include "tests/noise/board.h"

namespace reprise::noise {

struct Player {
  const char* name;
  void (*play)(Board&, Random&);
};

std::span<const Player> players();

// players_chipset.cpp
void play_pic(Board& board, Random& random);
void play_ioapic(Board& board, Random& random);
void play_lapic(Board& board, Random& random);
void play_pit(Board& board, Random& random);
void play_hpet(Board& board, Random& random);
void play_rtc(Board& board, Random& random);
void play_acpi_pm(Board& board, Random& random);
void play_uart(Board& board, Random& random);
void play_hands(Board& board, Random& random);
void play_i8042(Board& board, Random& random);
void play_dma(Board& board, Random& random);
void play_misc(Board& board, Random& random);
void play_test_device(Board& board, Random& random);
void play_vga(Board& board, Random& random);
void play_fw_cfg(Board& board, Random& random);
void play_pflash(Board& board, Random& random);
void play_pci(Board& board, Random& random);
void play_root_port(Board& board, Random& random);
void play_watchdog(Board& board, Random& random);
// players_storage.cpp
void play_ide(Board& board, Random& random);
void play_ahci(Board& board, Random& random);
void play_floppy(Board& board, Random& random);
// players_virtio.cpp
void play_virtio_blk(Board& board, Random& random);
void play_virtio_scsi(Board& board, Random& random);
void play_virtio_console(Board& board, Random& random);
void play_virtio_serial(Board& board, Random& random);
void play_virtio_rng(Board& board, Random& random);
void play_virtio_net(Board& board, Random& random);
void play_virtio_input(Board& board, Random& random);
// players_net.cpp
void play_e1000(Board& board, Random& random);
/// Something that may be a frame arrives at the card.
void receive_noise(devices::NetCard& card, Random& random);
void play_virtio_9p(Board& board, Random& random);
// players_sound.cpp
void play_ac97(Board& board, Random& random);

}  // namespace reprise::noise
