#include "devices/virtio/virtio_console.h"

#include <fmt/format.h>

#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kEventIndex = u64{1} << 29;
constexpr u64 kEmergencyWrite = u64{1} << 2;
constexpr unsigned kReceive = 0, kTransmit = 1;
constexpr u64 kData = 0x21000;

class VirtioConsoleTest : public ::testing::Test {
 protected:
  VirtioConsoleTest() { console.reset(ResetKind::PowerOn); }
  void put_text(u64 phys, std::string_view text) {
    std::copy(text.begin(), text.end(), test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys));
  }
  std::string text_at(u64 phys, std::size_t size) const {
    return {test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys),
            test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys + size)};
  }
  static std::span<const u8> typed(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
  }

  VirtioTestBoard test;
  FakeBackend host;
  OnPci<VirtioConsole> console{test, host};
  VirtioDriver driver{console, test.memory};
};

TEST_F(VirtioConsoleTest, Identity) {
  EXPECT_EQ(console.config_read(0x00, Width::Dword), 0x10031af4u);
  EXPECT_EQ(driver.read(common_cfg::kNumQueues, Width::Word), 2u);
  EXPECT_EQ(driver.read(kDeviceConfig + 4, Width::Dword), 1u);
}

TEST_F(VirtioConsoleTest, OutputInOrder) {
  driver.start(0, 2);
  put_text(kData, "Hello, ");
  put_text(kData + 0x100, "host\n");
  driver.send(kTransmit, {{kData, 7, false}}, 0);
  driver.send(kTransmit, {{kData + 0x100, 3, false}, {kData + 0x103, 2, false}}, 1);
  EXPECT_EQ(host.text, "") << "not inside the register write";
  test.clock.step(10'000);
  EXPECT_EQ(host.text, "Hello, host\n");
  EXPECT_EQ(driver.take(kTransmit).head, 0u);
  EXPECT_EQ(driver.take(kTransmit).head, 1u);
  EXPECT_EQ(driver.read(kIsr, Width::Byte), 1u);
}

TEST_F(VirtioConsoleTest, InputWaitsForBuffersAndForAListener) {
  EXPECT_EQ(console->receive(typed("early ")), 6u);
  driver.start(kEventIndex, 2);
  driver.send(kReceive, {{kData, 4, true}}, 0);
  test.clock.step(1'000'000'000);
  EXPECT_EQ(driver.used_index(kReceive), 0) << "the guest has said nothing yet";
  driver.send(kTransmit, {{kData + 0x300, 1, false}}, 0);
  test.clock.step(99'000'000);
  EXPECT_EQ(driver.used_index(kReceive), 0);
  test.clock.step(2'000'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 4u);
  EXPECT_EQ(text_at(kData, 4), "earl");
  EXPECT_EQ(test.memory.get<u16>(driver.avail_event(kReceive)), 1u) << "it waits for the second buffer";
  driver.send(kReceive, {{kData + 0x100, 64, true}}, 1);
  test.clock.step(100'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 2u);
  EXPECT_EQ(text_at(kData + 0x100, 2), "y ");
  driver.send(kReceive, {{kData + 0x200, 64, true}}, 2);
  test.clock.step(100'000);
  EXPECT_EQ(driver.used_index(kReceive), 2) << "nothing to say";
  console->receive(typed("late"));
  test.clock.step(100'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 4u);
  EXPECT_EQ(text_at(kData + 0x200, 4), "late");
}

TEST_F(VirtioConsoleTest, AGuestThatPrintsNothingGetsItsInputInTheEnd) {
  driver.start(0, 2);
  driver.send(kReceive, {{kData, 64, true}});
  console->receive(typed("silent"));
  test.clock.step(19'900'000'000);
  EXPECT_EQ(driver.used_index(kReceive), 0);
  test.clock.step(200'000'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 6u);
  EXPECT_EQ(text_at(kData, 6), "silent");
}

TEST_F(VirtioConsoleTest, OutputBringsTheInputForward) {
  driver.start(0, 2);
  driver.send(kReceive, {{kData, 64, true}});
  console->receive(typed("soon"));
  test.clock.step(5'000'000'000);
  put_text(kData + 0x300, ">");
  driver.send(kTransmit, {{kData + 0x300, 1, false}}, 0);
  test.clock.step(150'000'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 4u);
}

TEST_F(VirtioConsoleTest, BacklogIsBounded) {
  const std::string much(VirtioConsole::kBacklogBytes + 100, 'x');
  EXPECT_EQ(console->receive(typed(much)), VirtioConsole::kBacklogBytes);
  EXPECT_EQ(console->can_receive(), 0u);
  EXPECT_EQ(console->receive(typed("y")), 0u);
}

TEST_F(VirtioConsoleTest, EmergencyWriteNeedsNoDriver) {
  EXPECT_TRUE(driver.offered() & kEmergencyWrite);
  driver.write(kDeviceConfig + 8, Width::Dword, '!');
  EXPECT_EQ(host.text.substr(0, 1), "!");
  EXPECT_EQ(host.text.size(), 1u);
}

TEST_F(VirtioConsoleTest, HugeOutputNeedsAReset) {
  driver.start(0, 2);
  driver.send(kTransmit, {{kData, 0x7fff'ffff, false}});
  test.clock.step(100'000);
  EXPECT_EQ(driver.status(), 0x4f);
  EXPECT_EQ(host.text, "");
}

TEST_F(VirtioConsoleTest, SaveAndLoad) {
  driver.start(0, 2);
  put_text(kData, "text");
  driver.send(kTransmit, {{kData, 4, false}});
  console->receive(typed("abc"));
  const std::vector<u8> state = saved(console);
  OnPci<VirtioConsole> other(test, host);
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  EXPECT_EQ(other->can_receive(), VirtioConsole::kBacklogBytes - 3);
  console.reset(ResetKind::Warm);
  test.clock.step(100'000);
  EXPECT_EQ(host.text, "text");
}

TEST_F(VirtioConsoleTest, Noise) {
  driver.start(kEventIndex | u64{1} << 28, 2);
  for (u32 seed = 5101; seed < 5105; ++seed) {
    console->receive(typed("some input that the guest may or may not take"));
    virtio_noise(console, test, seed, 20'000, kEventIndex | u64{1} << 28, 2);
  }
  EXPECT_GT(host.text.size(), 10'000u) << "the noise reached the host";
}

// --- Several ports ---

constexpr u64 kMultiport = u64{1} << 1;
constexpr unsigned kControlIn = 2, kControlOut = 3;
// Port 1's queues; port 4's are 10 and 11.
constexpr unsigned kReceive1 = 4, kTransmit1 = 5;
constexpr u64 kControlPhys = 0x48000;  // of what the driver says
constexpr u16 kReady = 0, kAdd = 1, kPortReady = 3, kConsolePort = 4, kOpen = 6, kName = 7;

/// Port 0 a console, port 1 "org.test" with a plug, port 4 a console without a name.
class VirtioSerialTest : public ::testing::Test {
 protected:
  // Queues end at 6 * 0x4000 + 0x1000; data lies behind.
  static constexpr unsigned kQueues = 6;
  static constexpr u64 kInput = 0x40000, kText = 0x42000, kAnswers = 0x50000;

  VirtioSerialTest() { card.reset(ResetKind::PowerOn); }
  std::vector<VirtioConsole::PortSpec> ports() {
    return {{&second, 1, false, "org.test", true}, {&first, 0}, {&third, 4}};
  }
  static std::span<const u8> typed(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
  }
  /// Negotiates, and gives the device `buffers` buffers for its messages.
  void start(u64 features = kMultiport, u16 buffers = 16) {
    driver.start(features, kQueues);
    for (u16 i = 0; i < buffers; ++i) driver.send(kControlIn, {{kAnswers + 0x100u * i, 64, true}}, i);
    given = 0;
  }
  void say(u32 port, u16 event, u16 value) {
    test.memory.put<u32>(kControlPhys, port);
    test.memory.put<u16>(kControlPhys + 4, event);
    test.memory.put<u16>(kControlPhys + 6, value);
    driver.send(kControlOut, {{kControlPhys, 8, false}}, 0);
    test.clock.step(100'000);
    driver.take(kControlOut);
  }
  /// What the device has said since: "0:1=1 1:7=1 org.test".
  std::string heard() {
    std::string text;
    for (; given != driver.used_index(kControlIn); ++given) {
      const VirtioDriver::Used used = driver.take(kControlIn);
      const u64 at = kAnswers + 0x100u * used.head;
      text += fmt::format("{}{}:{}={}", text.empty() ? "" : " ", test.memory.get<u32>(at),
                          test.memory.get<u16>(at + 4), test.memory.get<u16>(at + 6));
      if (used.bytes > 8)
        text += " " + std::string(test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(at + 8),
                                  test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(at + used.bytes));
    }
    return text;
  }
  std::string text_at(u64 phys, std::size_t size) const {
    return {test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys),
            test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys + size)};
  }
  void open_port_1() {
    say(0, kReady, 1);
    say(1, kPortReady, 1);
    say(1, kOpen, 1);
    heard();
  }

  VirtioTestBoard test;
  FakeBackend first, second, third;
  OnPci<VirtioConsole> card{test, ports()};
  VirtioDriver driver{card, test.memory};
  u16 given = 0;
};

TEST_F(VirtioSerialTest, Identity) {
  EXPECT_EQ(card.config_read(0x00, Width::Dword), 0x10031af4u);
  EXPECT_EQ(driver.read(common_cfg::kNumQueues, Width::Word), 64u);
  EXPECT_EQ(driver.read(kDeviceConfig + 4, Width::Dword), 31u);
  EXPECT_TRUE(driver.offered() & kMultiport);
}

TEST_F(VirtioSerialTest, PortsIntroduceThemselves) {
  start();
  test.clock.step(100'000);
  EXPECT_EQ(heard(), "") << "the driver is not ready";
  say(0, kReady, 1);
  EXPECT_EQ(heard(), fmt::format("0:{0}=1 1:{0}=1 4:{0}=1", kAdd));
  say(0, kPortReady, 1);
  EXPECT_EQ(heard(), fmt::format("0:{}=1 0:{}=1", kConsolePort, kOpen));
  say(1, kPortReady, 1);
  EXPECT_EQ(heard(), fmt::format("1:{}=1 org.test", kName)) << "nobody is connected yet";
  say(1, kPortReady, 0);
  say(2, kPortReady, 1);
  say(0x8000'0001, kPortReady, 1);
  say(1, 77, 1);
  EXPECT_EQ(heard(), "") << "the driver gave up, there is no such port, no such event";
}

TEST_F(VirtioSerialTest, ThePlug) {
  card->plug(1, true);
  start();
  open_port_1();
  card->plug(1, true);
  test.clock.step(100'000);
  EXPECT_EQ(heard(), "") << "it was there before";
  card->plug(1, false);
  test.clock.step(100'000);
  EXPECT_EQ(heard(), fmt::format("1:{}=0", kOpen));
  card->plug(1, true);
  test.clock.step(100'000);
  EXPECT_EQ(heard(), fmt::format("1:{}=1", kOpen));
  EXPECT_TRUE(card->can_plug(1));
  card->receive(typed("x"), 1);
  EXPECT_FALSE(card->can_plug(1)) << "the guest has yet to get it";
}

TEST_F(VirtioSerialTest, EachPortHasItsCharacters) {
  start();
  open_port_1();
  const std::string_view text = "hello";
  std::ranges::copy(text, test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(kText));
  driver.send(kTransmit1, {{kText, 5, false}});
  driver.send(kTransmit, {{kText, 2, false}});
  test.clock.step(100'000);
  EXPECT_EQ(second.text, "hello");
  EXPECT_EQ(first.text, "he");
  EXPECT_EQ(third.text, "");
}

TEST_F(VirtioSerialTest, InputFlowsWhileThePortIsOpen) {
  start();
  card->receive(typed("abc"), 1);
  driver.send(kReceive1, {{kInput, 64, true}}, 0);
  driver.send(kReceive1, {{kInput + 0x100, 64, true}}, 1);
  test.clock.step(30'000'000'000);
  EXPECT_EQ(driver.used_index(kReceive1), 0) << "nobody has opened it";
  open_port_1();
  test.clock.step(100'000);
  EXPECT_EQ(driver.take(kReceive1).bytes, 3u);
  EXPECT_EQ(text_at(kInput, 3), "abc");
  say(1, kOpen, 0);
  card->receive(typed("d"), 1);
  test.clock.step(1'000'000);
  EXPECT_EQ(driver.used_index(kReceive1), 1) << "it was closed";
  say(1, kOpen, 1);
  EXPECT_EQ(driver.take(kReceive1).bytes, 1u);
}

TEST_F(VirtioSerialTest, AConsoleListensOnceItHasPrinted) {
  start();
  say(0, kReady, 1);
  say(0, kPortReady, 1);
  say(0, kOpen, 1);
  card->receive(typed("ls\n"), 0);
  driver.send(kReceive, {{kInput, 64, true}});
  test.clock.step(1'000'000'000);
  EXPECT_EQ(driver.used_index(kReceive), 0);
  driver.send(kTransmit, {{kText, 1, false}});
  test.clock.step(110'000'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 3u);
}

TEST_F(VirtioSerialTest, MessagesWaitForBuffers) {
  start(kMultiport, 1);
  say(0, kReady, 1);
  EXPECT_EQ(heard(), fmt::format("0:{}=1", kAdd));
  driver.send(kControlIn, {{kAnswers + 0x100, 4, true}}, 1);
  test.clock.step(100'000);
  EXPECT_EQ(driver.take(kControlIn).bytes, 4u) << "as much as there is room for";
  driver.send(kControlIn, {{kAnswers + 0x200, 64, true}}, 2);
  test.clock.step(100'000);
  ++given;
  EXPECT_EQ(heard(), fmt::format("4:{}=1", kAdd));
  // Who asks and asks without taking answers misses some, and nothing else happens.
  for (int i = 0; i < 200; ++i) say(0, kReady, 1);
  EXPECT_EQ(driver.status(), 0xf);
}

TEST_F(VirtioSerialTest, ADriverOfOnePortHasTheFirst) {
  driver.start(0, 2);
  driver.send(kTransmit, {{kText, 3, false}});
  test.clock.step(100'000);
  EXPECT_EQ(first.text.size(), 3u);
  EXPECT_EQ(second.text + third.text, "");
}

TEST_F(VirtioSerialTest, SaveAndLoadInTheMiddle) {
  start(kMultiport, 2);
  card->plug(1, true);
  say(0, kReady, 1);
  say(1, kPortReady, 1);
  say(1, kOpen, 1);
  heard();
  card->receive(typed("abc"), 1);
  driver.send(kTransmit1, {{kText, 4, false}});
  driver.send(kControlIn, {{kAnswers + 0x200, 64, true}}, 2);
  const std::vector<u8> state = saved(card);
  OnPci<VirtioConsole> other(test, ports());
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  EXPECT_EQ(other->can_receive(1), VirtioConsole::kBacklogBytes - 3);
  EXPECT_FALSE(other->can_plug(1));
  card.reset(ResetKind::Warm);
  test.clock.step(100'000);
  EXPECT_EQ(second.text.size(), 4u);
  // The two buffers took that somebody is at port 1, and port 0.
  EXPECT_EQ(heard(), fmt::format("1:{}=1", kAdd));
  EXPECT_EQ(other->can_receive(1), VirtioConsole::kBacklogBytes - 3) << "no buffer was given for its input";
}

TEST_F(VirtioSerialTest, AStateOfPortsThatAreNotThereIsRefused) {
  start(kMultiport, 0);
  say(0, kReady, 1);
  const std::vector<u8> state = saved(card);
  OnPci<VirtioConsole> other(test,
                             std::vector<VirtioConsole::PortSpec>{{&first, 0}, {&second, 1}, {&third, 3}});
  other.reset(ResetKind::PowerOn);
  EXPECT_FALSE(load(other, state)) << "a message waits for port 4";
}

TEST_F(VirtioSerialTest, PowerOnForgetsMoreThanAReset) {
  card->plug(1, true);
  card->receive(typed("abc"), 1);
  card.reset(ResetKind::Warm);
  EXPECT_FALSE(card->can_plug(1));
  card.reset(ResetKind::PowerOn);
  EXPECT_TRUE(card->can_plug(1));
  EXPECT_EQ(card->can_receive(1), VirtioConsole::kBacklogBytes);
}

TEST_F(VirtioSerialTest, Noise) {
  start();
  for (u32 seed = 5201; seed < 5205; ++seed) {
    card->plug(1, seed % 2 == 0);
    for (const unsigned port : {0u, 1u, 4u})
      card->receive(typed("some input that the guest may or may not take"), port);
    virtio_noise(card, test, seed, 20'000, kMultiport | kEventIndex | u64{1} << 28, kQueues);
  }
  EXPECT_GT(first.text.size() + second.text.size(), 10'000u) << "the noise reached the host";
}

}  // namespace
}  // namespace reprise::devices
