// Network cards: frames that arrive, rings in guest memory.
#include "tests/devices/net_frames.h"
#include "tests/noise/players.h"

namespace reprise::noise {

void receive_noise(devices::NetCard& card, Random& random) {
  // Segments of one stream, some of them damaged, and noise.
  std::vector<u8> frame =
      devices::testing::TestSegment{.v6 = random.chance(30),
                                    .sequence = static_cast<u32>(100 * random.below(4)),
                                    .flags = static_cast<u8>(random.chance(80) ? 0x10 : random.next()),
                                    .bytes = random.chance(90) ? 100 : random.below(20'000)}
          .frame();
  if (random.chance(20)) frame[random.below(frame.size())] = static_cast<u8>(random.next());
  if (random.chance(5)) frame.resize(random.below(frame.size()));
  card.receive(frame);
}

void play_e1000(Board& board, Random& random) {
  constexpr u64 kTransmitRing = 0x600000, kReceiveRing = 0x610000, kBuffers = 0x620000;
  constexpr u32 kEntries = 32;
  devices::NetCard& netcard = *board.pc().net_cards().at(1);
  const Card& card = board.card(0x8086, 0x100e);
  const u64 base = card.bars[0];
  if (random.chance(2)) netcard.set_link(random.chance(90));
  if (random.chance(20)) receive_noise(netcard, random);
  switch (random.below(8)) {
    case 0: return board.memory_noise(random, base, 0x6000);
    case 1: return board.port_noise(random, static_cast<u16>(card.bars[1]), 8);
    case 2:  // as a driver begins
      if (random.chance(90)) return;
      board.write(base + 0x3800, random.chance(95) ? kTransmitRing : noisy_value(random));
      board.write(base + 0x3808, random.chance(95) ? 16 * kEntries : noisy_value(random));
      board.write(base + 0x2800, random.chance(95) ? kReceiveRing : noisy_value(random));
      board.write(base + 0x2808, random.chance(95) ? 16 * kEntries : noisy_value(random));
      board.write(base + 0x400, 2);
      board.write(base + 0x100, random.chance(80) ? 0x801a : noisy_value(random));
      board.write(base + 0xd0, noisy_value(random));
      return;
    case 3: return board.wait(random.below(50'000));
    case 4:
      for (u32 i = 0; i < kEntries; ++i)
        board.put<u64>(kReceiveRing + 16 * i,
                       random.chance(98) ? kBuffers + 0x4000 * i : noisy_value(random));
      board.write(base + 0x2818, random.chance(95) ? random.below(kEntries) : noisy_value(random));
      return;
    default: {
      const u64 tail = random.below(kEntries);
      for (u64 i = 0; i < 4; ++i) {
        const u64 at = kTransmitRing + 16 * ((tail + i) % kEntries);
        board.put<u64>(at, random.chance(50) ? noisy_value(random) : kBuffers);
        board.put<u32>(at + 8,
                       static_cast<u32>(random.chance(30) ? noisy_value(random)
                                                          : random.below(4000) | random.next() << 20));
        board.put<u32>(at + 12, static_cast<u32>(noisy_value(random)));
      }
      board.write(base + 0x3818, random.chance(97) ? (tail + 4) % kEntries : noisy_value(random));
      if (random.chance(50)) board.wait(random.below(20'000));
    }
  }
}

}  // namespace reprise::noise
