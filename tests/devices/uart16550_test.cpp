#include "devices/serial/uart16550.h"

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u16 kData = 0, kIer = 1, kIir = 2, kFcr = 2, kLcr = 3, kMcr = 4, kLsr = 5, kMsr = 6, kScr = 7;
constexpr u64 kCharacterNs = 86806;  // 8N1 at 115200 baud
constexpr u64 kBitNs = 8681;

struct Board {
  explicit Board(Uart16550::LineStatus mode = Uart16550::LineStatus::Immediate)
      : uart("uart0", clock, wires.line(4), host, mode) {}
  FakeClock clock;
  FakeWires wires;
  FakeBackend host;
  Uart16550 uart;
};

class UartTest : public ::testing::Test, protected Board {
 protected:
  explicit UartTest(Uart16550::LineStatus mode = Uart16550::LineStatus::Immediate) : Board(mode) {
    setup(uart);
    settle();
  }
  static void setup(Uart16550& uart) {
    out8(uart, kLcr, 0x80);
    out8(uart, kData, 1);
    out8(uart, kIer, 0);
    out8(uart, kLcr, 0x03);
    out8(uart, kFcr, 0xc7);  // FIFOs, trigger 14
    out8(uart, kMcr, 0x0b);
  }
  /// Until the sender goes on after the port was set up.
  void settle() { clock.step(Uart16550::kSetUpNs); }
  u8 read(u16 offset) { return in8(uart, offset); }
  void write(u16 offset, u32 value) { out8(uart, offset, value); }
  void type(std::string_view text) {
    EXPECT_EQ(uart.receive({reinterpret_cast<const u8*>(text.data()), text.size()}), text.size());
  }
  bool irq() const { return wires.level(4); }
};

class PacedUartTest : public UartTest {
 protected:
  PacedUartTest() : UartTest(Uart16550::LineStatus::CharacterTime) {}
};

TEST_F(UartTest, RegistersAndTheirWritableBits) {
  for (auto [offset, mask] : {std::pair<u16, u8>{kIer, 0x0f}, {kLcr, 0x7f}, {kMcr, 0x0f}, {kScr, 0xff}}) {
    write(offset, mask == 0x7f ? 0x7f : mask == 0x0f && offset == kMcr ? 0xef : 0xff);
    EXPECT_EQ(read(offset), mask) << offset;
  }
  write(kLcr, 0x83);
  write(kData, 0x34);
  write(kIer, 0x12);
  EXPECT_EQ(read(kData), 0x34);
  EXPECT_EQ(read(kIer), 0x12);
  write(kLcr, 0x03);
  EXPECT_EQ(read(kIer), 0x0f) << "the divisor latch is elsewhere";
}

TEST_F(UartTest, ResetState) {
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    type("x");
    clock.step(kCharacterNs);
    EXPECT_EQ(read(kData), 'x');
    write(kIer, 0x0f);
    uart.reset(kind);
    EXPECT_EQ(read(kIer), 0);
    EXPECT_EQ(read(kIir), 1);
    EXPECT_EQ(read(kLcr), 0);
    EXPECT_EQ(read(kMcr), 0);
    EXPECT_EQ(read(kLsr), 0x60);
    EXPECT_EQ(read(kMsr), 0xb0);
    EXPECT_FALSE(irq());
    EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
    setup(uart);
    settle();
  }
}

TEST_F(UartTest, FifosShowInIir) {
  EXPECT_EQ(read(kIir), 0xc1);
  write(kFcr, 0);
  EXPECT_EQ(read(kIir), 0x01);
}

TEST_F(UartTest, PolledOutputNeverWaitsAndIsNeverLost) {
  std::string text(1000, 'a');
  for (char c : text) {
    EXPECT_EQ(read(kLsr) & 0x60, 0x60);
    write(kData, static_cast<u8>(c));
  }
  EXPECT_EQ(host.text, text);
  EXPECT_EQ(clock.now_ns(), Uart16550::kSetUpNs);
}

TEST_F(PacedUartTest, LineStatusKeepsCharacterTime) {
  write(kData, 'a');
  EXPECT_EQ(read(kLsr) & 0x60, 0x00);
  clock.step(kBitNs);
  EXPECT_EQ(read(kLsr) & 0x60, 0x20) << "in the shift register";
  write(kData, 'b');
  EXPECT_EQ(read(kLsr) & 0x60, 0x00);
  clock.step(kCharacterNs - 1);
  EXPECT_EQ(read(kLsr) & 0x60, 0x00);
  clock.step(1);
  EXPECT_EQ(read(kLsr) & 0x60, 0x20);
  clock.step(kCharacterNs);
  EXPECT_EQ(read(kLsr) & 0x60, 0x60);
  EXPECT_EQ(host.text, "ab");
}

TEST_F(PacedUartTest, TransmitInterruptTakesCharacterTimes) {
  write(kIer, 0x02);
  EXPECT_TRUE(irq()) << "enabling with an empty transmitter";
  EXPECT_EQ(read(kIir), 0xc2);
  EXPECT_FALSE(irq()) << "reading IIR takes it away";
  EXPECT_EQ(read(kIir), 0xc1);
  for (int i = 0; i < 16; ++i) write(kData, static_cast<u8>('a' + i));
  EXPECT_FALSE(irq()) << "never inside the write";
  clock.step(kBitNs + 15 * kCharacterNs - 1);
  EXPECT_FALSE(irq());
  clock.step(1);
  EXPECT_TRUE(irq()) << "the FIFO is empty, the last character is being shifted";
  write(kData, 'z');
  EXPECT_FALSE(irq()) << "writing takes it away";
  EXPECT_EQ(host.text, "abcdefghijklmnopz");
}

TEST_F(UartTest, TransmitInterruptFollowsAtOnceOnASlowLine) {
  write(kLcr, 0x83);
  write(kData, 12);  // 9600 baud: 1.04 ms a character
  write(kLcr, 0x03);
  write(kIer, 0x02);
  read(kIir);
  for (int i = 0; i < 16; ++i) write(kData, 'a');
  EXPECT_FALSE(irq()) << "never inside the write";
  clock.step(0);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0xc2);
  clock.step(20'000'000);
  EXPECT_FALSE(irq()) << "one interrupt for what was written";
}

TEST_F(UartTest, ReceiveTriggerAndTimeout) {
  write(kIer, 0x01);
  type("0123456789abcdef");
  clock.step(13 * kCharacterNs);
  EXPECT_FALSE(irq());
  clock.step(kCharacterNs);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0xc4);
  clock.step(2 * kCharacterNs);
  EXPECT_EQ(read(kData), '0');
  EXPECT_EQ(read(kData), '1');
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kData), '2');
  EXPECT_FALSE(irq()) << "13 left, below the trigger";
  clock.step(4 * kCharacterNs - 1);
  EXPECT_FALSE(irq());
  clock.step(1);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0xcc);
  EXPECT_EQ(read(kData), '3');
  EXPECT_FALSE(irq());
  for (char c : std::string("456789abcdef")) EXPECT_EQ(read(kData), c);
  EXPECT_EQ(read(kLsr) & 1, 0);
  clock.step(100 * kCharacterNs);
  EXPECT_FALSE(irq()) << "nothing to time out";
}

TEST_F(UartTest, TriggerLevels) {
  write(kIer, 0x01);
  static constexpr std::pair<u8, int> kTriggers[] = {{0x01, 1}, {0x41, 4}, {0x81, 8}, {0xc1, 14}};
  for (auto [fcr, trigger] : kTriggers) {
    write(kFcr, fcr | 6u);
    settle();
    while (read(kLsr) & 1) {
      read(kData);
      clock.step(kCharacterNs);
    }
    for (int i = 1; i <= trigger; ++i) {
      EXPECT_FALSE(irq()) << trigger;
      type("x");
      clock.step(kCharacterNs);
    }
    EXPECT_TRUE(irq()) << trigger;
  }
}

TEST_F(UartTest, BacklogWaitsForRoomAndNothingIsLost) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += static_cast<char>('a' + i % 26);
  type(text);
  EXPECT_EQ(uart.can_receive(), Uart16550::kBacklogBytes - 3000);
  std::string seen;
  for (int i = 0; i < 400 && seen.size() < text.size(); ++i) {
    clock.step(20 * kCharacterNs);
    while (read(kLsr) & 1) seen += static_cast<char>(read(kData));
  }
  EXPECT_EQ(seen, text);
  EXPECT_EQ(read(kLsr) & 0x02, 0) << "no overrun";
  const std::vector<u8> flood(Uart16550::kBacklogBytes + 5, 'x');
  EXPECT_EQ(uart.receive(flood), Uart16550::kBacklogBytes);
}

TEST_F(UartTest, WithoutFifosOneCharacterWaits) {
  write(kFcr, 0);
  settle();
  write(kIer, 0x01);
  type("ab");
  clock.step(10 * kCharacterNs);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0x04);
  EXPECT_EQ(read(kData), 'a');
  EXPECT_EQ(read(kLsr) & 1, 0);
  clock.step(kCharacterNs);
  EXPECT_EQ(read(kData), 'b');
}

TEST_F(UartTest, LoopbackModemLines) {
  write(kMcr, 0x10);
  EXPECT_EQ(read(kMsr) & 0xf0, 0x00);
  for (auto [mcr, msr] :
       {std::pair<u8, u8>{0x11, 0x20}, {0x12, 0x10}, {0x14, 0x40}, {0x18, 0x80}, {0x1a, 0x90}}) {
    write(kMcr, mcr);
    EXPECT_EQ(read(kMsr) & 0xf0, msr) << "MCR " << int{mcr};
  }
}

TEST_F(UartTest, ModemDeltasInterruptAndClearOnRead) {
  write(kMcr, 0x1f);
  read(kMsr);
  write(kIer, 0x08);
  EXPECT_FALSE(irq());
  write(kMcr, 0x18);  // DTR, RTS and OUT1 fall
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0xc0);
  EXPECT_EQ(read(kMsr), 0x87) << "DCTS, DDSR and trailing edge of RI";
  EXPECT_FALSE(irq());
  EXPECT_EQ(read(kMsr), 0x80);
  write(kMcr, 0x1c);
  EXPECT_EQ(read(kMsr), 0xc0) << "a rising RI is no event";
}

TEST_F(UartTest, LoopbackData) {
  write(kMcr, 0x1b);
  write(kData, 0x55);
  write(kData, 0xaa);
  EXPECT_EQ(read(kLsr), 0x00) << "in loopback the transmitter is honest";
  clock.step(kBitNs + kCharacterNs);
  EXPECT_EQ(read(kData), 0x55);
  clock.step(kCharacterNs);
  EXPECT_EQ(read(kData), 0xaa);
  EXPECT_EQ(read(kLsr), 0x60);
  EXPECT_EQ(host.text, "");
  write(kLcr, 0x00);  // five data bits
  write(kData, 0xff);
  clock.step(2 * kCharacterNs);
  EXPECT_EQ(read(kData), 0x1f);
}

TEST_F(UartTest, OverrunKeepsTheFifoAndTellsOnce) {
  write(kMcr, 0x1b);
  write(kIer, 0x04);
  for (int i = 0; i < 17; ++i) {
    write(kData, static_cast<u8>(i));
    clock.step(2 * kCharacterNs);
  }
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0xc6);
  EXPECT_EQ(read(kLsr), 0x63);
  EXPECT_FALSE(irq());
  EXPECT_EQ(read(kLsr), 0x61);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(read(kData), i);
  write(kFcr, 0);
  write(kData, 1);
  clock.step(2 * kCharacterNs);
  write(kData, 2);
  clock.step(2 * kCharacterNs);
  EXPECT_EQ(read(kLsr) & 3, 3);
  EXPECT_EQ(read(kData), 2) << "without FIFOs the new one replaces the old";
}

TEST_F(UartTest, BreakComesAsANullWithErrors) {
  type("a");
  clock.step(kCharacterNs);
  uart.receive_break();
  EXPECT_EQ(read(kLsr) & 0x9e, 0x00) << "a character time like all others";
  clock.step(kCharacterNs);
  EXPECT_EQ(read(kLsr) & 0x9e, 0x80) << "an error waits in the FIFO";
  EXPECT_EQ(read(kData), 'a');
  EXPECT_EQ(read(kLsr) & 0x9e, 0x98) << "and is on top now";
  EXPECT_EQ(read(kData), 0);
  EXPECT_EQ(read(kLsr) & 0x9f, 0x00);
  write(kMcr, 0x1b);
  write(kLcr, 0x43);
  EXPECT_EQ(read(kLsr) & 0x11, 0x11) << "the loopback hears our own break";
}

TEST_F(UartTest, InterruptsWhateverTheModemControlRegisterSays) {
  for (const u8 mcr : {0x00, 0x03, 0x08, 0x0b}) {
    write(kIer, 0x00);
    write(kMcr, mcr);
    EXPECT_FALSE(irq());
    write(kIer, 0x02);
    EXPECT_TRUE(irq()) << "MCR " << int{mcr};
    read(kIir);
    write(kIer, 0x01);
    write(kFcr, 0x07);
    settle();
    type("x");
    clock.step(kCharacterNs);
    EXPECT_TRUE(irq()) << "MCR " << int{mcr};
    EXPECT_EQ(read(kData), 'x');
    EXPECT_FALSE(irq());
  }
}

TEST_F(UartTest, CharacterTimeFollowsTheLineSettings) {
  write(kLcr, 0x80);
  write(kData, 12);
  write(kLcr, 0x1f);  // 8 data, parity, 2 stop: 12 bits at 9600
  settle();
  type("a");
  clock.step(1'249'999);
  EXPECT_EQ(read(kLsr) & 1, 0);
  clock.step(1);
  EXPECT_EQ(read(kLsr) & 1, 1);
}

// serial8250's probe for UARTs without a THRE interrupt (8250_port.c): it must fire each time it is enabled.
TEST_F(UartTest, LinuxThreProbe) {
  write(kIer, 0x02);
  EXPECT_EQ(read(kIir) & 0x0f, 0x02);
  write(kIer, 0x00);
  write(kIer, 0x02);
  EXPECT_EQ(read(kIir) & 0x0f, 0x02);
}

TEST_F(UartTest, RoundTripMidTransfer) {
  write(kIer, 0x03);
  for (char c : std::string("hello")) write(kData, static_cast<u8>(c));
  type("typed");
  clock.step(3 * kCharacterNs);
  const auto bytes = saved(uart);
  Board other;
  other.clock.run_until(clock.now_ns());
  ASSERT_TRUE(load(other.uart, bytes));
  EXPECT_EQ(saved(other.uart), bytes);
  clock.step(100 * kCharacterNs);
  other.clock.step(100 * kCharacterNs);
  EXPECT_EQ(saved(other.uart), saved(uart));
  std::string seen;
  while (in8(other.uart, kLsr) & 1) seen += static_cast<char>(in8(other.uart, kData));
  EXPECT_EQ(seen, "typed");
}

// What was typed before anybody listens, and each of the ways in which a driver could throw it away.
class EarlyUartTest : public UartTest {
 protected:
  EarlyUartTest() { type_ahead(); }
  void type_ahead() {
    type("ab");
    uart.receive_break();
    type("c");
    clock.step(1'000'000'000);
    EXPECT_EQ(read(kLsr) & 1, 1);
  }
  /// Everything there is, by polling.
  std::string drain() {
    std::string seen;
    for (int polls = 0; polls < 1000; ++polls) {
      clock.step(kCharacterNs);
      const u8 lsr = read(kLsr);
      if (lsr & 0x10) seen += '!';
      if (lsr & 1) seen += static_cast<char>(read(kData) | (lsr & 0x10 ? '_' : 0));
    }
    return seen;
  }
};

TEST_F(EarlyUartTest, FifoResetsGiveItBack) {
  for (const u8 fcr : {0xc3, 0x00, 0x01, 0x07}) write(kFcr, fcr);
  EXPECT_EQ(read(kLsr) & 0x9f, 0x00);
  EXPECT_FALSE(irq());
  for (int blind = 0; blind < 500; ++blind) {
    read(kData);
    clock.step(10'000);
  }
  EXPECT_EQ(drain(), "ab!_c");
}

TEST_F(EarlyUartTest, AnotherFormatLoopbackAndResetGiveItBack) {
  const std::function<void()> ways[] = {
      [&] { write(kLcr, 0x83), write(kData, 1), write(kLcr, 0x03); },
      [&] { write(kMcr, 0x1f), write(kMcr, 0x0b); },
      [&] { uart.reset(ResetKind::Warm), setup(uart); },
  };
  for (const auto& way : ways) {
    way();
    read(kData);
    EXPECT_EQ(drain(), "ab!_c");
    type_ahead();
  }
}

TEST_F(EarlyUartTest, LoopbackDataStaysTheGuestsOwn) {
  write(kMcr, 0x1b);
  write(kData, 'L');
  clock.step(2 * kCharacterNs);
  write(kMcr, 0x0b);
  EXPECT_EQ(read(kLsr) & 1, 1);
  EXPECT_EQ(drain(), "Lab!_c");
}

// serial8250_do_startup of Linux: FIFOs reset, a blind read; an interrupt is requested; the same blind read "for luck".
TEST_F(EarlyUartTest, LinuxStartupLosesNothing) {
  for (const u8 fcr : {0x01, 0x07, 0x00}) write(kFcr, fcr);
  for (const u16 port : {kLsr, kData, kIir, kMsr}) read(port);
  clock.step(2'000'000);
  write(kLcr, 0x03);
  for (const u16 port : {kLsr, kData, kIir, kMsr}) read(port);
  write(kFcr, 0x01);
  write(kFcr, 0x81);
  write(kIer, 0x05);
  std::string seen;
  for (int i = 0; i < 1000; ++i) {
    clock.step(kCharacterNs);
    if (!irq()) continue;
    read(kIir);
    while (read(kLsr) & 1) seen += static_cast<char>(read(kData));
  }
  EXPECT_EQ(seen, std::string("ab\0c", 4));
}

TEST_F(EarlyUartTest, ThoseWhoOnlyPrintDisturbNothing) {
  for (int i = 0; i < 100; ++i) {
    for (int poll = 0; poll < 20; ++poll) read(kLsr);
    write(kData, 'x');
    clock.step(kCharacterNs);
  }
  EXPECT_EQ(read(kData), 'a');
}

// Between two looks at LSR, EDK2's driver reads the modem registers and writes MCR.
TEST_F(EarlyUartTest, OtherRegistersInBetweenDoNotHoldItBack) {
  std::string seen;
  for (int i = 0; i < 100; ++i) {
    clock.step(kCharacterNs);
    read(kMsr);
    write(kMcr, read(kMcr) ^ 2u);
    read(kIer);
    write(kScr, 1);
    if (read(kLsr) & 1) seen += static_cast<char>(read(kData));
  }
  EXPECT_EQ(seen, std::string("ab\0c", 4));
}

TEST_F(UartTest, WhatTheLineBringsIsWholeWhateverTheFormat) {
  write(kLcr, 0x00);
  settle();
  type("z");
  clock.step(kCharacterNs);
  EXPECT_EQ(read(kData), 'z');
}

TEST_F(EarlyUartTest, ReadersOfNothingButTheDataGetIt) {
  EXPECT_EQ(read(kData), 'a');
  clock.step(kCharacterNs);
  EXPECT_EQ(read(kData), 'b');
}

TEST_F(UartTest, WhatComesBackHasRoom) {
  const std::vector<u8> flood(Uart16550::kBacklogBytes, 'x');
  EXPECT_EQ(uart.receive(flood), flood.size());
  clock.step(100 * kCharacterNs);
  EXPECT_EQ(uart.can_receive(), Uart16550::kFifoBytes);
  EXPECT_EQ(uart.receive(flood), Uart16550::kFifoBytes);
  write(kFcr, 0xc7);
  EXPECT_EQ(uart.can_receive(), 0u);
  uart.receive_break();
  std::size_t seen = 0;
  for (settle(); read(kLsr) & 1 || clock.next_deadline_ns() != Clock::kNever; clock.step(kCharacterNs))
    if (read(kLsr) & 1) seen += read(kData) == 'x';
  EXPECT_EQ(seen, Uart16550::kBacklogBytes + Uart16550::kFifoBytes);
}

TEST_F(UartTest, Noise) {
  for (auto mode : {Uart16550::LineStatus::Immediate, Uart16550::LineStatus::CharacterTime}) {
    Board board(mode);
    Noise noise(16550);
    for (int i = 0; i < 200000; ++i) {
      switch (noise.below(8)) {
        case 0: board.clock.step(noise.below(300000)); break;
        case 1: {
          const u8 byte = static_cast<u8>(noise.next());
          board.uart.receive({&byte, 1});
          break;
        }
        case 2:
          if (noise.below(50) == 0) board.uart.receive_break();
          break;
        default: noise.ports(board.uart, 8, Width::Byte);
      }
    }
    Board other(mode);
    other.clock.jump(board.clock.now_ns());
    ASSERT_TRUE(load(other.uart, saved(board.uart)));
    EXPECT_EQ(saved(other.uart), saved(board.uart));
    EXPECT_FALSE(board.uart.debug_dump().empty());
  }
}

}  // namespace
}  // namespace reprise::devices
