// The sound card: buffers in guest memory, and a listener who asks for what was heard now and then.
#include "tests/noise/players.h"

namespace reprise::noise {

void play_ac97(Board& board, Random& random) {
  constexpr u64 kRing = 0x700000, kBuffers = 0x710000;
  constexpr unsigned kEngines = 3, kEngineBytes = 16;
  const Card& card = board.card(0x8086, 0x2415);
  const u16 mixer = static_cast<u16>(card.bars[0]);
  const u16 ports = static_cast<u16>(card.bars[1]);
  const u16 engine = static_cast<u16>(ports + kEngineBytes * random.below(kEngines));
  if (random.chance(20)) board.pc().play_sound();
  switch (random.below(9)) {
    case 0: return board.port_noise(random, ports, 64);
    case 1: return board.port_noise(random, mixer, 256);
    case 2: return board.wait(random.below(3'000'000));
    case 3:
      return board.config_write(card, devices::pci::kCommand, random.chance(90) ? 5 : random.next() & 0xffff);
    case 4:  // as a driver begins
      board.out(static_cast<u16>(ports + 0x2c), 2, Width::Dword);
      board.out(mixer + 2, 0, Width::Word);
      board.out(static_cast<u16>(mixer + 0x18), 0x808, Width::Word);
      board.out(static_cast<u16>(mixer + 0x2a), 9, Width::Word);
      board.out(static_cast<u16>(mixer + 0x2c), random.chance(90) ? 44100 : noisy_value(random), Width::Word);
      return;
    case 5:
      for (unsigned i = 0; i < 32; ++i) {
        board.put<u32>(kRing + 8 * i, static_cast<u32>(random.chance(97) ? kBuffers + random.below(0x8000)
                                                                         : noisy_value(random)));
        board.put<u32>(kRing + 8 * i + 4,
                       static_cast<u32>(random.below(600) | (random.next() & 0xc000'0000)));
      }
      return;
    case 6:
      board.out(engine, random.chance(95) ? kRing : noisy_value(random), Width::Dword);
      board.out(static_cast<u16>(engine + 0x0b), random.chance(90) ? 0x1d : noisy_value(random));
      return;
    default:
      board.out(static_cast<u16>(engine + 6), 0x1e);
      board.out(static_cast<u16>(engine + 5), noisy_value(random));
      board.in(static_cast<u16>(engine + 4), Width::Dword);
      board.in(static_cast<u16>(engine + 8), Width::Word);
  }
}

}  // namespace reprise::noise
