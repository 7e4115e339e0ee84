#include "devices/sound/ac97/ac97.h"

#include <cmath>
#include <cstdlib>
#include <map>

#include "common/bits.h"
#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kSecond = 1'000'000'000;
constexpr u64 kRing = 0x1000;
constexpr u64 kSamples = 0x10000;

// Bus master registers.
constexpr u16 kPcmIn = 0x00, kPcmOut = 0x10, kMicrophone = 0x20;
constexpr u16 kCiv = 4, kLvi = 5, kSr = 6, kPicb = 8, kPiv = 10, kCr = 11;
constexpr u16 kGlobalControl = 0x2c, kGlobalStatus = 0x30, kSemaphore = 0x34;
// Codec registers.
constexpr u8 kMaster = 0x02, kPcmVolume = 0x18, kPowerdown = 0x26, kExtendedControl = 0x2a, kDacRate = 0x2c,
             kAdcRate = 0x32;
// A descriptor's control.
constexpr u32 kIoc = 1u << 31, kBup = 1u << 30;

class Ram final : public DmaPort {
 public:
  bool dma_read(u64 phys, std::span<u8> into) override {
    std::ranges::fill(into, u8{0xff});
    if (phys + into.size() > bytes.size()) return false;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(phys), into.size(), into.begin());
    return true;
  }
  bool dma_write(u64 phys, std::span<const u8> from) override {
    if (phys + from.size() > bytes.size()) return false;
    std::ranges::copy(from, bytes.begin() + static_cast<std::ptrdiff_t>(phys));
    return true;
  }
  template <class T>
  void put(u64 phys, T value) {
    write_unaligned<T>(&bytes[phys], value);
  }
  std::vector<u8> bytes = std::vector<u8>(1 << 20);
};

struct Heard final : AudioSink {
  std::map<u64, std::pair<i16, i16>> frames;  // those that are not silent
  u64 next = 0;
  void play(u64 first, std::span<const i16> samples) override {
    EXPECT_GE(first, next) << "time does not go back";
    next = first + samples.size() / 2;
    for (u64 i = 0; i < samples.size() / 2; ++i)
      if (samples[2 * i] != 0 || samples[2 * i + 1] != 0)
        frames[first + i] = {samples[2 * i], samples[2 * i + 1]};
  }
};

struct Board {
  explicit Board(bool listens = true) : card(listens ? &heard : nullptr, clock, ram, wires.line(0)) {
    card.config_write(pci::kCommand, Width::Word, pci::kCommandIo | pci::kCommandBusMaster);
  }
  void start_codec() {
    out(kGlobalControl, 2, Width::Dword);
    mixer(kMaster, 0);
    mixer(kPcmVolume, 0x0808);
  }
  PioHandler& mixer_ports() { return *card.bar(0).ports; }
  PioHandler& ports() { return *card.bar(1).ports; }
  void mixer(u8 offset, u16 value) { mixer_ports().pio_write(offset, Width::Word, value); }
  u16 mixer(u8 offset) { return static_cast<u16>(mixer_ports().pio_read(offset, Width::Word)); }
  void out(unsigned offset, u32 value, Width width = Width::Byte) {
    ports().pio_write(static_cast<u16>(offset), width, value);
  }
  u32 in(unsigned offset, Width width = Width::Byte) {
    return ports().pio_read(static_cast<u16>(offset), width);
  }

  void descriptor(unsigned index, u64 phys, u32 samples, u32 control = 0) {
    ram.put<u32>(kRing + 8 * index, static_cast<u32>(phys));
    ram.put<u32>(kRing + 8 * index + 4, samples | control);
  }
  void start(u16 engine, u8 last_valid, u8 control = 0x1d) {
    out(engine, kRing, Width::Dword);
    out(engine + kLvi, last_valid);
    out(engine + kCr, control);
  }
  /// Frames of a sine, `hz` at `rate`.
  void sine(u64 phys, u32 frames, u32 hz, u32 rate) {
    for (u32 i = 0; i < frames; ++i) {
      const i16 sample = static_cast<i16>(std::lround(10'000 * std::sin(2 * M_PI * hz * i / rate)));
      ram.put<i16>(phys + 4 * i, sample);
      ram.put<i16>(phys + 4 * i + 2, static_cast<i16>(-sample));
    }
  }

  FakeClock clock;
  FakeWires wires;
  Ram ram;
  Heard heard;
  Ac97 card;
};

TEST(Ac97, WhatADriverFinds) {
  Board board;
  EXPECT_EQ(board.card.config_read(pci::kVendorId, Width::Dword), 0x24158086u);
  EXPECT_EQ(board.card.config_read(pci::kRevision, Width::Dword), 0x04010001u);
  EXPECT_EQ(board.in(kGlobalStatus, Width::Dword), 0u) << "the codec is held in reset";
  EXPECT_EQ(board.mixer(kMaster), 0xffffu);
  EXPECT_EQ(board.in(kGlobalStatus, Width::Dword), 0x8000u) << "the read timed out";
  board.out(kGlobalStatus, 0x8000, Width::Dword);
  board.out(kGlobalControl, 2, Width::Dword);
  EXPECT_EQ(board.in(kGlobalStatus, Width::Dword), 0x100u) << "the codec is ready";
  EXPECT_EQ(board.mixer(0x7c), 0x8384u);
  EXPECT_EQ(board.mixer(0x7e), 0x7600u);
  EXPECT_EQ(board.mixer(kMaster), 0x8000u) << "mute";
  EXPECT_EQ(board.mixer(kPowerdown), 0x000fu);
  EXPECT_EQ(board.mixer(0x28) & 9, 9u) << "variable rates";
  EXPECT_EQ(board.mixer_ports().pio_read(kPcmVolume, Width::Dword), 0x00008808u);
  EXPECT_EQ(board.mixer(0x82), 0xffffu) << "there is no second codec";
  EXPECT_EQ(board.in(kGlobalStatus, Width::Dword), 0x8100u);
  for (const u16 engine : {kPcmIn, kPcmOut, kMicrophone})
    EXPECT_EQ(board.in(engine + kSr, Width::Word), 1u) << "halted";
}

TEST(Ac97, TheSemaphoreIsHeldUntilTheAccess) {
  Board board;
  EXPECT_EQ(board.in(kSemaphore), 0u);
  EXPECT_EQ(board.in(kSemaphore), 1u);
  board.mixer(kMaster);
  EXPECT_EQ(board.in(kSemaphore), 0u);
}

TEST(Ac97, MixerRegisters) {
  Board board;
  board.start_codec();
  board.mixer(kMaster, 0xffff);
  EXPECT_EQ(board.mixer(kMaster), 0x9f1fu) << "five bits: the sixth stands for all";
  board.mixer(kMaster, 0x0120);
  EXPECT_EQ(board.mixer(kMaster), 0x011fu);
  board.mixer(kPcmVolume, 0xffff);
  EXPECT_EQ(board.mixer(kPcmVolume), 0x9f1fu);
  board.mixer(0x08, 0xffff);
  EXPECT_EQ(board.mixer(0x08), 0u) << "no tone";
  board.mixer(kDacRate, 44100);
  EXPECT_EQ(board.mixer(kDacRate), 48000u) << "fixed until the rate is made variable";
  board.mixer(kExtendedControl, 9);
  board.mixer(kDacRate, 44100);
  board.mixer(kAdcRate, 10);
  board.mixer(0x34, 0xffff);
  EXPECT_EQ(board.mixer(kDacRate), 44100u);
  EXPECT_EQ(board.mixer(kAdcRate), 4000u) << "the nearest that there is";
  EXPECT_EQ(board.mixer(0x34), 48000u);
  board.mixer(kExtendedControl, 0);
  EXPECT_EQ(board.mixer(kDacRate), 48000u);
  board.mixer(kPowerdown, 0x0b00);
  EXPECT_EQ(board.mixer(kPowerdown), 0x0b00u) << "nothing is ready";
  board.mixer(kPowerdown, 0x1000);
  EXPECT_EQ(board.mixer(kPowerdown), 0xffffu) << "the link is off";
  board.out(kGlobalControl, 6, Width::Dword);
  EXPECT_EQ(board.in(kGlobalControl, Width::Dword), 2u) << "the warm reset is over";
  EXPECT_EQ(board.mixer(kPowerdown), 0x000fu);
  EXPECT_EQ(board.mixer(kPcmVolume), 0x9f1fu) << "registers stay";
  board.mixer_ports().pio_write(kPcmVolume, Width::Byte, 0);
  EXPECT_EQ(board.mixer(kPcmVolume), 0x9f1fu) << "a byte alone goes nowhere";
  board.mixer(0x00, 0);
  EXPECT_EQ(board.mixer(kPcmVolume), 0x8808u) << "reset";
}

TEST(Ac97, EverySampleAtItsFrame) {
  Board board;
  board.start_codec();
  board.clock.run_until(kSecond);
  board.sine(kSamples, 1000, 1000, 48000);
  board.descriptor(0, kSamples, 1000);
  board.descriptor(1, kSamples + 2000, 1000, kIoc | kBup);
  board.start(kPcmOut, 1);
  board.clock.step(kSecond);
  // A frame later than it was taken.
  ASSERT_FALSE(board.heard.frames.empty());
  for (u32 i = 1; i < 1000; ++i) {
    const i16 wanted = static_cast<i16>(std::lround(10'000 * std::sin(2 * M_PI * 1000 * i / 48'000)));
    const auto found = board.heard.frames.find(48'001 + i);
    if (wanted == 0)
      EXPECT_EQ(found, board.heard.frames.end());
    else
      ASSERT_EQ(found->second, std::pair(wanted, static_cast<i16>(-wanted))) << i;
  }
  EXPECT_LE(board.heard.frames.rbegin()->first, 49'001u) << "BUP: silence behind it";
}

TEST(Ac97, PositionAndInterrupts) {
  Board board;
  board.start_codec();
  board.descriptor(0, kSamples, 9600, kIoc);  // a tenth of a second
  board.descriptor(1, kSamples, 9600);
  board.descriptor(2, kSamples, 9600, kIoc);
  board.start(kPcmOut, 2);
  EXPECT_EQ(board.in(kPcmOut + kCiv), 0u);
  EXPECT_EQ(board.in(kPcmOut + kPiv), 1u);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 9600u);
  EXPECT_EQ(board.in(kPcmOut + kSr, Width::Word), 0u);
  board.clock.step(kSecond / 40);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 7200u);
  board.clock.step(kSecond / 80);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 6000u);
  EXPECT_FALSE(board.wires.level(0));
  board.clock.run_until(kSecond / 10 - 1);
  EXPECT_FALSE(board.wires.level(0));
  board.clock.step(1);
  EXPECT_TRUE(board.wires.level(0)) << "on the nanosecond";
  EXPECT_EQ(board.in(kGlobalStatus, Width::Dword), 0x140u);
  EXPECT_EQ(board.in(kPcmOut + kCiv, Width::Dword), 0x00080201u) << "CIV, LVI and SR in one: BCIS";
  EXPECT_TRUE(board.card.config_read(pci::kStatus, Width::Word) & pci::kStatusInterrupt);
  board.out(kPcmOut + kSr, 8, Width::Word);
  EXPECT_FALSE(board.wires.level(0));
  board.clock.run_until(kSecond / 5);
  EXPECT_EQ(board.in(kPcmOut + kCiv), 2u);
  EXPECT_FALSE(board.wires.level(0)) << "this one was not to interrupt";
  board.clock.run_until(3 * kSecond / 10);
  EXPECT_TRUE(board.wires.level(0));
  EXPECT_EQ(board.in(kPcmOut + kSr), 0x0fu) << "halted at the last valid one";
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 0u);
  board.out(kPcmOut + kSr, 0x1e, Width::Word);
  EXPECT_EQ(board.in(kPcmOut + kSr), 3u) << "the state is no event";
  board.clock.step(kSecond);
  board.out(kPcmOut + kLvi, 2);
  EXPECT_EQ(board.in(kPcmOut + kSr), 3u) << "nothing new is valid";
  board.descriptor(3, kSamples, 100, kIoc);
  board.out(kPcmOut + kLvi, 3);
  EXPECT_EQ(board.in(kPcmOut + kSr), 0u) << "it goes on";
  EXPECT_EQ(board.in(kPcmOut + kCiv), 3u);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 100u);
}

TEST(Ac97, OnlyEnabledEventsInterrupt) {
  Board board;
  board.start_codec();
  board.descriptor(0, kSamples, 96, kIoc);
  board.start(kPcmOut, 0, 0x01);
  board.clock.step(kSecond);
  EXPECT_EQ(board.in(kPcmOut + kSr), 0x0fu);
  EXPECT_EQ(board.wires.rises(0), 0);
  board.out(kPcmOut + kCr, 0x05);
  EXPECT_TRUE(board.wires.level(0)) << "LVBIE";
  board.out(kPcmOut + kSr, 0x04);
  EXPECT_FALSE(board.wires.level(0));
  board.out(kPcmOut + kCr, 0x11);
  EXPECT_TRUE(board.wires.level(0)) << "IOCE";
  board.card.config_write(pci::kCommand, Width::Word,
                          pci::kCommandIo | pci::kCommandBusMaster | pci::kCommandInterruptDisable);
  EXPECT_FALSE(board.wires.level(0));
}

TEST(Ac97, PauseAndReset) {
  Board board;
  board.start_codec();
  board.descriptor(0, kSamples, 9600);
  board.start(kPcmOut, 1);
  board.clock.step(kSecond / 40);
  board.out(kPcmOut + kCr, 0);
  EXPECT_EQ(board.in(kPcmOut + kSr), 1u) << "halted";
  board.clock.step(kSecond);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 7200u) << "where it was";
  board.out(kPcmOut + kCr, 1);
  board.clock.step(kSecond / 40);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 4800u);
  board.out(kPcmOut + kCr, 0x1e);
  EXPECT_EQ(board.in(kPcmOut + kCr), 0x1cu) << "what is enabled outlives it, and it is over at once";
  EXPECT_EQ(board.in(kPcmOut, Width::Dword), 0u);
  EXPECT_EQ(board.in(kPcmOut + kCiv, Width::Dword), 0x00010000u);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 0u);
}

TEST(Ac97, RatesOfTheConverters) {
  Board board;
  board.start_codec();
  board.mixer(kExtendedControl, 1);
  for (const u32 rate : {8'000u, 11'025u, 22'050u, 44'100u, 47'999u}) {
    board.mixer(kDacRate, static_cast<u16>(rate));
    board.heard.frames.clear();
    board.sine(kSamples, rate / 2, 500, rate);
    board.descriptor(0, kSamples, 2 * (rate / 4));
    board.descriptor(1, kSamples + 4 * (rate / 4), 2 * (rate / 4), kIoc | kBup);
    board.out(kPcmOut + kCr, 2);
    const u64 from = board.clock.now_ns();
    board.start(kPcmOut, 1);
    while (!board.wires.level(0) && board.clock.now_ns() < from + kSecond) board.clock.step(10'000);
    EXPECT_NEAR(static_cast<double>(board.clock.now_ns() - from), kSecond / 2.0, 200'000.0) << rate;
    board.out(kPcmOut + kSr, 0x1e, Width::Word);
    unsigned rises = 0;
    i16 before = 0;
    for (const auto& [frame, sample] : board.heard.frames) {
      rises += before <= 0 && sample.first > 0;
      ASSERT_EQ(sample.first, -sample.second);
      before = sample.first;
    }
    EXPECT_NEAR(rises, 250, 1) << rate;
  }
}

TEST(Ac97, VolumeAndMute) {
  struct Setting {
    u16 master, pcm;
    double left, right;
  };
  constexpr Setting kSettings[] = {
      {0x0000, 0x0808, 1, 1},
      {0x8000, 0x0808, 0, 0},
      {0x0000, 0x8808, 0, 0},
      {0x0400, 0x0808, 0.50119, 1},
      {0x0004, 0x0808, 1, 0.50119},
      {0x0000, 0x0c08, 0.50119, 1},
      {0x1f1f, 0x0808, 0.00473, 0.00473},
      {0x0000, 0x0404, 1.99526, 1.99526},
      {0x0000, 0x0000, 3.2767, 3.2767},
  };
  for (const Setting& setting : kSettings) {
    Board board;
    board.start_codec();
    board.mixer(kMaster, setting.master);
    board.mixer(kPcmVolume, setting.pcm);
    for (unsigned i = 0; i < 100; ++i) board.ram.put<u32>(kSamples + 4 * i, 0x2710'2710);  // 10000
    board.descriptor(0, kSamples, 200, kBup);
    board.start(kPcmOut, 0);
    board.clock.step(kSecond);
    EXPECT_EQ(board.in(kPcmOut + kSr) & 1, 1u) << "it plays when mute, too";
    const auto sample = board.heard.frames.contains(50) ? board.heard.frames[50] : std::pair<i16, i16>{};
    EXPECT_NEAR(sample.first, 10'000 * setting.left, 1) << std::hex << setting.master << " " << setting.pcm;
    EXPECT_NEAR(sample.second, 10'000 * setting.right, 1) << std::hex << setting.master << " " << setting.pcm;
  }
}

TEST(Ac97, WhatIsHeldSinksToSilence) {
  Board board;
  board.start_codec();
  for (unsigned i = 0; i < 100; ++i) board.ram.put<u32>(kSamples + 4 * i, 0x2710'2710);
  board.descriptor(0, kSamples, 200);
  board.start(kPcmOut, 0);
  board.clock.step(kSecond);
  EXPECT_GT(board.heard.frames.rbegin()->first, 400u) << "not at once";
  EXPECT_LT(board.heard.frames.rbegin()->first, 2'000u);
  EXPECT_EQ(board.clock.next_deadline_ns(), Clock::kNever) << "and then there are no events";
}

TEST(Ac97, ADacThatIsOffTakesNothing) {
  Board board;
  board.start_codec();
  board.descriptor(0, kSamples, 9600, kIoc);
  board.start(kPcmOut, 0);
  board.clock.step(kSecond / 40);
  board.mixer(kPowerdown, 0x0200);
  board.clock.step(kSecond);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 7200u);
  board.mixer(kPowerdown, 0);
  board.clock.step(kSecond / 40);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 4800u);
  board.card.config_write(pci::kCommand, Width::Word, pci::kCommandIo);
  board.clock.step(1000 * kSecond);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 4800u) << "it may not master the bus";
  EXPECT_EQ(board.in(kPcmOut + kSr), 0x10u) << "FIFOE";
  board.card.config_write(pci::kCommand, Width::Word, pci::kCommandIo | pci::kCommandBusMaster);
  board.clock.step(kSecond / 40);
  EXPECT_EQ(board.in(kPcmOut + kPicb, Width::Word), 2400u);
}

TEST(Ac97, WhatIsNoMemoryIsAFifoError) {
  Board board;
  board.start_codec();
  board.descriptor(0, 0x8000'0000, 96, kBup);
  board.start(kPcmOut, 0, 0x09);
  board.clock.step(kSecond);
  EXPECT_EQ(board.in(kPcmOut + kSr), 0x17u);
  EXPECT_TRUE(board.wires.level(0)) << "FEIE";
  EXPECT_TRUE(board.heard.frames.empty());
}

TEST(Ac97, RecordsSilence) {
  Board board;
  board.start_codec();
  std::ranges::fill(std::span(board.ram.bytes).subspan(kSamples, 0x1000), u8{0x55});
  board.descriptor(0, kSamples, 512, kIoc);
  board.start(kPcmIn, 0);
  board.clock.step(64 * kSecond / 48'000 + 1);
  EXPECT_EQ(board.in(kPcmIn + kPicb, Width::Word), 512u - 128u);
  EXPECT_EQ(board.ram.bytes[kSamples + 255], 0u);
  EXPECT_EQ(board.ram.bytes[kSamples + 256], 0x55u);
  board.clock.step(kSecond);
  EXPECT_EQ(board.in(kGlobalStatus, Width::Dword), 0x120u);
  EXPECT_EQ(board.ram.bytes[kSamples + 1023], 0u);
  EXPECT_EQ(board.ram.bytes[kSamples + 1024], 0x55u);
  board.descriptor(0, kSamples + 1024, 48);
  board.start(kMicrophone, 0);
  board.clock.step(kSecond / 2000);
  EXPECT_EQ(board.in(kMicrophone + kPicb, Width::Word), 24u) << "one sample for each frame";
}

TEST(Ac97, EmptyBuffersTakeTime) {
  Board board;
  board.start_codec();
  for (unsigned i = 0; i < 32; ++i) board.descriptor(i, kSamples, 0, kIoc);
  board.start(kPcmOut, 31);
  for (int i = 0; i < 100; ++i) {
    board.clock.step(kSecond / 1000);
    board.out(kPcmOut + kLvi, (board.in(kPcmOut + kCiv) + 31) & 31);
  }
  EXPECT_LT(board.clock.events(), 6'000u);
}

/// Plays, looks, stops and reconfigures at random.
void drive(Board& board, Noise& noise) {
  switch (noise.below(12)) {
    case 0: return board.clock.step(noise.below(30'000'000));
    case 1: return board.clock.step(noise.below(100'000));
    case 2: return noise.ports(board.ports(), 64, Width::Dword);
    case 3: return noise.ports(board.mixer_ports(), 256, Width::Dword);
    case 4: return board.start_codec();
    case 5:
      board.card.config_write(pci::kCommand, Width::Word, noise.below(10) == 0 ? noise.value() & 0xffff : 5);
      return;
    case 6:
      if (noise.below(100) == 0) board.card.reset(noise.below(2) ? ResetKind::PowerOn : ResetKind::Warm);
      return;
    case 7:
      board.mixer(kExtendedControl, 9);
      return board.mixer(static_cast<u8>(noise.below(2) ? kDacRate : kAdcRate),
                         static_cast<u16>(noise.value()));
    case 8:
      board.descriptor(noise.below(32), noise.below(20) == 0 ? noise.value() : kSamples + noise.below(0x8000),
                       noise.below(20) == 0 ? noise.next() & 0xffff : noise.below(500),
                       noise.next() & 0xc000'0000);
      return;
    default: {
      const u16 engine = static_cast<u16>(16 * noise.below(3));
      if (noise.below(3) == 0) return board.start(engine, static_cast<u8>(noise.next()));
      board.out(engine + kSr, 0x1e);
      board.out(engine + kLvi, noise.next() & 0xff);
    }
  }
}

TEST(Ac97, NoiseSavedAndLoadedAndUnheard) {
  Board board, deaf(false), other;
  std::vector<u8> sound(0x10000);
  Noise random(2415);
  for (u8& byte : sound) byte = static_cast<u8>(random.next());
  for (Board* each : {&board, &deaf, &other}) std::ranges::copy(sound, each->ram.bytes.begin() + kSamples);
  const std::vector<u8> fresh = saved(other.card);
  Noise one(97), two(97), three(97);
  for (int i = 0; i < 60'000; ++i) {
    drive(board, one);
    drive(deaf, two);
    drive(other, three);
    if (i % 500 != 0) continue;
    const std::vector<u8> state = saved(board.card);
    ASSERT_EQ(state, saved(deaf.card)) << "a listener changes nothing, step " << i;
    ASSERT_EQ(state, saved(other.card)) << "nor does a load, step " << i;
    ASSERT_TRUE(load(other.card, fresh));
    ASSERT_TRUE(load(other.card, state));
    ASSERT_EQ(saved(other.card), state);
  }
  EXPECT_GT(board.heard.frames.size(), 10'000u);
  EXPECT_EQ(board.heard.frames, other.heard.frames) << "in mid-play, too";
  EXPECT_LT(board.clock.events(), 48'000 * (board.clock.now_ns() / kSecond + 1));
  EXPECT_FALSE(board.card.debug_dump().empty());
}

TEST(Ac97, StatesThatCannotBe) {
  Board board;
  board.start_codec();
  board.descriptor(0, kSamples, 9600);
  board.start(kPcmOut, 0);
  board.clock.step(kSecond / 40);
  const std::vector<u8> state = saved(board.card);
  unsigned refused = 0;
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::vector<u8> changed = state;
    changed[i] ^= 0xff;
    Board other;
    other.clock.run_until(board.clock.now_ns());
    if (!load(other.card, changed)) {
      ++refused;
      continue;
    }
    other.clock.step(kSecond);
    other.in(kPcmOut + kSr);
  }
  EXPECT_GT(refused, 20u);
}

}  // namespace
}  // namespace reprise::devices
