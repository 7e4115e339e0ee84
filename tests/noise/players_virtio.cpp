// virtio devices: negotiation, rings in guest memory, requests that make sense more often than not.
#include "tests/devices/fake_share.h"
#include "tests/noise/players.h"

namespace reprise::noise {
namespace {

constexpr u16 kVendor = 0x1af4;
constexpr u64 kNotify = 0x3000;

/// Where the rings of a queue are.
u64 queue_phys(const Card& card, unsigned queue) {
  return 0x200000 + card.device * 0x20000u + queue * 0x8000u;
}
u64 buffer_phys(Random& random) {
  return random.chance(95) ? 0x800000 + random.below(0x100000) : noisy_value(random);
}

/// Reset, negotiation of some features, queues.
void start(Board& board, Random& random, const Card& card, unsigned queues) {
  const u64 base = card.bars[4];
  board.write(base + 0x14, 0, Width::Byte);
  board.write(base + 0x14, 3, Width::Byte);
  u64 features = 0;
  for (u64 half = 0; half < 2; ++half) {
    board.write(base + 0x00, half);
    features |= board.read(base + 0x04) << (32 * half);
  }
  if (random.chance(50)) features &= random.next() | u64{1} << 32;
  for (u64 half = 0; half < 2; ++half) {
    board.write(base + 0x08, half);
    board.write(base + 0x0c, random.chance(98) ? features >> (32 * half) : noisy_value(random));
  }
  board.write(base + 0x14, 0xb, Width::Byte);
  for (unsigned queue = 0; queue < queues; ++queue) {
    const u64 rings = queue_phys(card, queue);
    board.write(base + 0x16, queue, Width::Word);
    board.write(base + 0x18, random.chance(90) ? u64{1} << random.below(9) : noisy_value(random),
                Width::Word);
    board.write(base + 0x1a, random.chance(50) ? queue : noisy_value(random), Width::Word);
    for (const u64 ring : {0, 1, 2}) {
      const u64 at = random.chance(98) ? rings + ring * 0x2000 : noisy_value(random);
      board.write(base + 0x20 + 8 * ring, at, random.chance(50) ? Width::Qword : Width::Dword);
      board.write(base + 0x24 + 8 * ring, at >> 32);
    }
    board.write(base + 0x1c, 1, Width::Word);
    for (u64 at = 0x2000; at < 0x6000; at += 8) board.put<u64>(rings + at, 0);
  }
  board.write(base + 0x14, 0xf, Width::Byte);
}

/// The same through the legacy interface.
void start_legacy(Board& board, Random& random, const Card& card, unsigned queues) {
  const u16 ports = static_cast<u16>(card.bars[0]);
  board.out(ports + 0x12, 0);
  board.out(ports + 0x12, 1);
  board.out(ports + 0x12, random.chance(95) ? 3 : noisy_value(random));
  const u64 features = board.in(ports, Width::Dword);
  board.out(ports + 4, random.chance(95) ? features & random.next() : noisy_value(random), Width::Dword);
  for (unsigned queue = 0; queue < queues; ++queue) {
    const u64 rings = queue_phys(card, queue);
    for (u64 at = 0; at < 0x6000; at += 8) board.put<u64>(rings + at, 0);
    board.out(ports + 0xe, queue, Width::Word);
    board.in(ports + 0xc, Width::Word);
    board.out(ports + 8, random.chance(97) ? rings >> 12 : noisy_value(random), Width::Dword);
    if (random.chance(30))
      board.out(ports + 0x16, random.chance(50) ? queue : noisy_value(random), Width::Word);
  }
  if (random.chance(80)) board.out(ports + 0x12, 7);
}

void put_descriptor(Board& board, Random& random, u64 phys, u64 address, u32 bytes, u64 flags, u64 next) {
  const bool wild = random.below(200) == 0;
  board.put<u64>(phys, address);
  board.put<u32>(phys + 8, bytes);
  board.put<u16>(phys + 12, static_cast<u16>(wild ? noisy_value(random) : flags));
  board.put<u16>(phys + 14, static_cast<u16>(wild ? noisy_value(random) : next));
}

/// A chain of descriptors from `first` on, or in an indirect table, offered and announced. `header` is
/// written into its first buffer; its last one has `last_bytes` bytes then.
void send(Board& board, Random& random, const Card& card, unsigned queue, std::span<const u8> header,
          u32 last_bytes) {
  const u64 base = card.bars[4];
  const u64 rings = queue_phys(card, queue);
  board.write(base + 0x16, queue, Width::Word);
  const u64 size = std::max<u64>(board.read(base + 0x18, Width::Word), 1);
  const bool indirect = random.chance(10);
  const u64 table = indirect ? rings + 0x6000 : rings;
  const u64 first = indirect ? 0 : random.below(size);
  const u64 count = random.chance(97) ? 2 + random.below(3) : 1 + random.below(200);
  bool writable = header.empty() && random.chance(80);
  for (u64 i = 0; i < count; ++i) {
    const bool last = i + 1 == count;
    const u64 address = buffer_phys(random);
    u32 bytes = static_cast<u32>(random.chance(95) ? random.below(4) * 512 : noisy_value(random));
    if (i == 0 && !header.empty()) {
      bytes = random.chance(95) ? static_cast<u32>(header.size()) : static_cast<u32>(random.below(40));
      if (address < Board::kRamBytes - header.size())
        for (u64 k = 0; k < header.size(); ++k) board.put<u8>(address + k, header[k]);
    } else {
      writable = writable || last || random.chance(40);
      if (last && !header.empty() && random.chance(95)) bytes = last_bytes;
    }
    const u64 index = indirect ? i : (first + i) % size;
    put_descriptor(board, random, table + 16 * index, address, bytes, (last ? 0 : 1) | (writable ? 2 : 0),
                   indirect ? i + 1 : (first + i + 1) % size);
  }
  const u64 head = random.below(200) != 0 ? first : noisy_value(random);
  if (indirect)
    put_descriptor(board, random, rings + 16 * (first % size), table, static_cast<u32>(16 * count), 4, 0);
  // Where the device believes it, if that is one of the places where we put it.
  const u64 legacy_ring = rings + 16 * size;
  const u64 driver_ring = board.read(base + 0x28) == legacy_ring ? legacy_ring : rings + 0x2000;
  const u16 next = board.get<u16>(driver_ring + 2);
  board.put<u16>(driver_ring, static_cast<u16>(random.below(2)));
  board.put<u16>(driver_ring + 4 + 2 * (next % size), static_cast<u16>(head));
  board.put<u16>(driver_ring + 4 + 2 * size,
                 static_cast<u16>(random.chance(50) ? next : noisy_value(random)));
  board.put<u16>(driver_ring + 2, static_cast<u16>(next + (random.chance(99) ? 1 : random.below(2000))));
  if (random.chance(50) && card.bars[0] != 0)
    board.out(static_cast<u16>(card.bars[0] + 0x10), queue, Width::Word);
  else
    board.write(base + kNotify + 4 * queue, queue, Width::Word);
}

/// What all kinds have in common. `header`: of a request.
void play(Board& board, Random& random, const Card& card, unsigned queues, std::span<const u8> header,
          u32 last_bytes = 1) {
  const u64 base = card.bars[4];
  if (random.below(2000) == 0) return board.enumerate();
  const u64 status = board.read(base + 0x14, Width::Byte) & 0x4f;
  const bool dead = random.chance(50) && status != 0x0f && status != 0x07;
  if (dead || random.below(300) == 0)
    return random.chance(50) || card.bars[0] == 0 ? start(board, random, card, queues)
                                                  : start_legacy(board, random, card, queues);
  switch (random.below(17)) {
    case 16:
      if (random.chance(30) && card.bars[0] != 0)
        board.port_noise(random, static_cast<u16>(card.bars[0]), 0x40);
      return;
    case 0: return board.memory_noise(random, base + (random.chance(80) ? 0x1000 : 0), 0x3000);
    case 1:
      if (random.chance(20)) board.memory_noise(random, base, 0x40);
      return;
    case 2: return board.memory_noise(random, card.bars[1], 0x1000);
    case 3: {  // the window in configuration space
      const u8 offset = static_cast<u8>(random.chance(80) ? 0x40 + random.below(0x80) : random.next());
      if (random.chance(50))
        board.config_read(card, offset);
      else if (random.chance(20))
        board.config_write(card, offset, static_cast<u32>(noisy_value(random)));
      return;
    }
    case 4:
    case 5: return board.wait(random.below(100'000));
    case 6:
      if (random.chance(10))
        board.put<u32>(queue_phys(card, 0) + 4 * random.below(queues * 0x2000u),
                       static_cast<u32>(noisy_value(random)));
      return;
    case 7:  // as a driver maps its vectors
      if (random.chance(10)) {
        board.write(card.bars[1] + 16 * random.below(4),
                    random.chance(80) ? 0xfee0'0000 : noisy_value(random));
        board.write(card.bars[1] + 8 + 16 * random.below(4), random.below(256));
        board.write(card.bars[1] + 12 + 16 * random.below(4), random.below(2));
      }
      return;
    default:
      send(board, random, card, static_cast<unsigned>(random.below(queues)), header, last_bytes);
      if (random.chance(70)) board.wait(random.below(60'000));
  }
}

}  // namespace

void play_virtio_blk(Board& board, Random& random) {
  constexpr u8 kTypes[] = {0, 1, 4, 8, 11, 13};
  u8 header[16] = {};
  write_unaligned<u32>(header,
                       random.chance(90) ? kTypes[random.below(6)] : static_cast<u32>(noisy_value(random)));
  write_unaligned<u64>(header + 8, random.chance(90) ? random.below(64) : noisy_value(random));
  play(board, random, board.card(kVendor, 0x1001, random.chance(70) ? 0 : 1), 1, header);
}

void play_virtio_scsi(Board& board, Random& random) {
  constexpr u8 kOperations[] = {0x00, 0x03, 0x12, 0x1a, 0x1b, 0x25, 0x28, 0x2a, 0x35, 0x41, 0x42, 0x43,
                                0x46, 0x4a, 0x5a, 0x88, 0x8a, 0x91, 0x93, 0x9e, 0xa0, 0xa8, 0xbe};
  // A command, or one for tasks.
  u8 header[51] = {};
  const bool command = random.chance(80);
  u8* const lun = command ? header : header + 8;
  lun[0] = 1;
  lun[1] = static_cast<u8>(random.chance(90) ? random.below(2) : random.next());
  lun[3] = static_cast<u8>(random.chance(95) ? 0 : random.next());
  if (command) {
    header[19] = random.chance(95) ? kOperations[random.below(std::size(kOperations))]
                                   : static_cast<u8>(random.next());
    for (unsigned i = 20; i < 35; ++i)
      header[i] = static_cast<u8>(random.chance(80) ? random.below(3) : random.next());
  } else {
    write_unaligned<u32>(header, static_cast<u32>(random.chance(95) ? random.below(3) : random.next()));
    write_unaligned<u32>(header + 4, static_cast<u32>(random.below(9)));
  }
  play(board, random, board.card(kVendor, 0x1004), 3,
       std::span<const u8>(header).first(command ? sizeof header : 24), 108);
}

void play_virtio_console(Board& board, Random& random) {
  if (devices::VirtioConsole* console = board.pc().virtio_console();
      console != nullptr && random.chance(10)) {
    const std::vector<u8> bytes(std::min<std::size_t>(console->can_receive(), random.below(100)), u8{'x'});
    console->receive(bytes);
    board.wait(1);
  }
  play(board, random, board.card(kVendor, 0x1003), 2, {});
}

void play_virtio_serial(Board& board, Random& random) {
  devices::VirtioConsole& card = *board.pc().serial_cards().at(0);
  const auto port = static_cast<unsigned>(random.below(2));
  if (random.chance(10)) {
    const std::vector<u8> bytes(std::min<std::size_t>(card.can_receive(port), random.below(100)), u8{'x'});
    card.receive(bytes, port);
    board.wait(1);
  }
  if (random.chance(5)) card.plug(1, random.chance(50));
  // A control message that may make sense.
  u8 message[8] = {};
  write_unaligned<u32>(message, static_cast<u32>(random.chance(90) ? random.below(3) : noisy_value(random)));
  write_unaligned<u16>(message + 4, static_cast<u16>(random.below(9)));
  write_unaligned<u16>(message + 6, static_cast<u16>(random.below(3)));
  play(board, random, board.card(kVendor, 0x1003, 1), 6, message);
}

void play_virtio_rng(Board& board, Random& random) {
  play(board, random, board.card(kVendor, 0x1005), 1, {});
}

void play_virtio_net(Board& board, Random& random) {
  devices::NetCard& card = *board.pc().net_cards().at(0);
  if (random.chance(3)) card.set_link(random.chance(90));
  if (random.chance(20)) receive_noise(card, random);
  // A header that asks for something, or a command.
  u8 header[12] = {};
  if (random.chance(50)) {
    header[0] = static_cast<u8>(random.below(6));
    header[1] = static_cast<u8>(random.below(6));
    for (const unsigned at : {2u, 4u, 6u, 8u})
      write_unaligned<u16>(header + at,
                           static_cast<u16>(random.chance(80) ? random.below(2000) : random.next()));
  }
  play(board, random, board.card(kVendor, 0x1000), 3, header);
}

void play_virtio_input(Board& board, Random& random) {
  if (random.chance(30)) play_hands(board, random);
  u8 light[8] = {0x11};
  light[2] = static_cast<u8>(random.below(4));
  light[4] = static_cast<u8>(random.below(2));
  const std::span<const u8> header = random.chance(30) ? std::span<const u8>(light) : std::span<const u8>();
  play(board, random, board.card(kVendor, 0x1052, static_cast<unsigned>(random.below(3))), 2, header);
}

void play_virtio_9p(Board& board, Random& random) {
  const std::vector<u8> request =
      devices::testing::noisy_p9_request([&](u32 bound) { return static_cast<u32>(random.below(bound)); });
  play(board, random, board.card(kVendor, 0x1009), 1, request, static_cast<u32>(random.below(9000)));
}

}  // namespace reprise::noise
