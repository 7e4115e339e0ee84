// gdb's remote protocol: packets, registers, and what a session answers, also to what no client would send.
#include "machine/gdb/session.h"

#include <gtest/gtest.h>

#include <random>

#include "machine/gdb/packet.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine::gdb {
namespace {

using Kind = PacketReader::Event::Kind;

std::vector<PacketReader::Event> taken(PacketReader& reader, std::string_view bytes) {
  std::vector<PacketReader::Event> events;
  for (const char byte : bytes)
    if (auto event = reader.take(static_cast<u8>(byte))) events.push_back(std::move(*event));
  return events;
}

TEST(GdbPacket, WhatIsFramedIsRead) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(frame("OK"), "$OK#9a");
  PacketReader reader;
  const auto events = taken(reader, "+" + frame(all) + "\x03" + frame("") + "-");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].payload, all);
  EXPECT_EQ(events[1].kind, Kind::Interrupt);
  EXPECT_EQ(events[2].kind, Kind::Packet);
  EXPECT_EQ(events[2].payload, "");
}

TEST(GdbPacket, DamagedOnesAreOneEventEach) {
  PacketReader reader;
  const auto kind = [&](std::string_view bytes) {
    const auto events = taken(reader, bytes);
    EXPECT_EQ(events.size(), 1u) << bytes;
    return events.at(0).kind;
  };
  EXPECT_EQ(kind("$OK#9b"), Kind::Corrupt);
  EXPECT_EQ(kind("$OK#zz"), Kind::Corrupt);
  EXPECT_EQ(kind("$cut off$OK#9a"), Kind::Packet);
  EXPECT_EQ(kind(frame(std::string(kMaxPayloadBytes, 'a'))), Kind::Packet);
  EXPECT_EQ(kind(frame(std::string(kMaxPayloadBytes + 1, 'a'))), Kind::TooLong);
  EXPECT_EQ(kind(frame(std::string(10 * kMaxPayloadBytes, 'a'))), Kind::TooLong);
}

TEST(GdbPacket, Numbers) {
  EXPECT_EQ(number_of("fFfFffffffffffff"), ~u64{0});
  EXPECT_EQ(number_of("00000000000000000012"), 0x12u);
  for (const char* text : {"", "10000000000000000", "-1", "0x10", "1g"})
    EXPECT_FALSE(number_of(text)) << text;
  EXPECT_EQ(from_hex("0aFF"), "\x0a\xff");
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0x"));
}

struct GdbSession : testing::Test {
  static MachineConfig two_processors() {
    MachineConfig config;
    config.cpu.topology.cores = 2;
    return config;
  }
  Guest guest{kSpin, two_processors()};
  monitor::Monitor monitor{*guest.machine, "reprise test"};
  std::vector<std::string> said;
  std::optional<Session> session{std::in_place, monitor,
                                 [this](std::string_view sentence) { said.emplace_back(sentence); }};

  cpu::CpuState& state() { return guest.machine->pc().processors().boot().cpu.state; }
  /// The one answer to `payload`.
  std::string ask(std::string_view payload) {
    const Answers answers = session->take(payload);
    EXPECT_EQ(answers.payloads.size(), 1u) << payload;
    return answers.payloads.empty() ? "" : answers.payloads.back();
  }
  std::size_t number_of_register(std::string_view name) {
    const auto all = registers();
    return static_cast<std::size_t>(std::ranges::find(all, name, &Register::name) - all.begin());
  }
  std::string get(std::string_view name) { return ask(fmt::format("p{:x}", number_of_register(name))); }
  std::string set(std::string_view name, std::string_view digits) {
    return ask(fmt::format("P{:x}={}", number_of_register(name), digits));
  }
};

TEST_F(GdbSession, TheDescriptionNamesEveryRegisterOnceInOrder) {
  const std::string& text = target_description();
  std::size_t at = 0;
  for (const Register& reg : registers()) {
    at = text.find(fmt::format("<reg name=\"{}\" bitsize=\"{}\"", reg.name, 8 * reg.bytes), at + 1);
    ASSERT_NE(at, text.npos) << reg.name;
  }
  std::string read;
  for (std::string part = "m"; part[0] == 'm';) {
    part = ask(fmt::format("qXfer:features:read:target.xml:{:x},100", read.size()));
    ASSERT_TRUE(part[0] == 'm' || part[0] == 'l');
    read += part.substr(1);
  }
  EXPECT_EQ(read, text);
  EXPECT_EQ(ask("qXfer:features:read:other.xml:0,100"), "E16");
}

TEST_F(GdbSession, RegistersAreReadAndWritten) {
  state().gpr[cpu::RAX] = 0x1122'3344'5566'7788;
  state().ymm[3] = {{1, 2, 3, 4}};
  EXPECT_EQ(get("rax"), "8877665544332211");
  EXPECT_EQ(get("xmm3"), "01000000000000000200000000000000");
  EXPECT_EQ(get("ymm3h"), "03000000000000000400000000000000");
  EXPECT_EQ(get("rip"), "2000100000000000");
  EXPECT_EQ(get("mxcsr"), "801f0000");
  EXPECT_TRUE(said.empty());
  EXPECT_EQ(set("rbx", "0100000000000000"), "OK");
  EXPECT_EQ(state().gpr[cpu::RBX], 1u);
  ASSERT_EQ(said.size(), 1u) << "the run is a branch";
  EXPECT_EQ(set("st0", "0000000000000080ff3f"), "OK");
  EXPECT_EQ(state().x87.st[state().x87.top()].significand, u64{1} << 63);
  EXPECT_EQ(said.size(), 1u) << "once";
  // All at once, as they are.
  const std::string all = ask("g");
  EXPECT_EQ(ask("G" + all), "OK");
  EXPECT_EQ(ask("g"), all);
}

TEST_F(GdbSession, WhatAProcessorCannotHaveIsRefused) {
  const cpu::CpuState before = state();
  EXPECT_EQ(set("cr0", "0000008000000000"), "E16") << "paging without protection";
  EXPECT_EQ(set("cr4", "ffffffffffffffff"), "E16");
  EXPECT_EQ(set("mxcsr", "ffffffff"), "E16");
  EXPECT_EQ(set("eflags", "ffffffff"), "E16");
  EXPECT_EQ(set("cs", "10000000"), "E16") << "no descriptor is loaded";
  EXPECT_EQ(set("rax", "00"), "E16");
  EXPECT_EQ(ask("P1000=00"), "E16");
  EXPECT_EQ(ask("p1000"), "E16");
  EXPECT_EQ(ask("G00"), "E16");
  EXPECT_EQ(before.cr0, state().cr0);
  EXPECT_EQ(before.rflags, state().rflags);
  EXPECT_TRUE(said.empty());
}

TEST_F(GdbSession, RipIsTheLinearAddress) {
  state().cr0 &= ~u64{1};
  state().seg[cpu::CS].base = 0x12340;
  state().seg[cpu::CS].access = 0x9b;
  state().rip = 0x10;
  guest.machine->pc().processors().boot().cpu.sync_mode();
  EXPECT_EQ(get("rip"), "5023010000000000");
  EXPECT_EQ(set("rip", "6023010000000000"), "OK");
  EXPECT_EQ(state().rip, 0x20u);
}

TEST_F(GdbSession, MemoryIsReadAndWritten) {
  EXPECT_EQ(ask("m100020,2"), "ebfe");
  EXPECT_EQ(ask("m100020,0"), "");
  EXPECT_EQ(ask("mfee00000,4"), "E0e") << "a device";
  EXPECT_EQ(ask("m3ffffe,8"), "0000") << "up to its end";
  EXPECT_EQ(ask("M200000,3:010203"), "OK");
  EXPECT_EQ(ask("m200000,4"), "01020300");
  EXPECT_EQ(ask("X200001,2:ab"), "OK");
  EXPECT_EQ(ask("m200000,4"), "01616200");
  EXPECT_EQ(ask("M200000,3:0102"), "E16");
  EXPECT_EQ(ask("M3ffffe,4:01020304"), "E0e");
  EXPECT_EQ(ask("m3ffffe,2"), "0000") << "nothing of it was written";
  EXPECT_EQ(ask("Mfffff000,1:00"), "E0e");
  EXPECT_EQ(ask("Qqemu.PhyMemMode:1"), "OK");
  EXPECT_EQ(ask("qqemu.PhyMemMode"), "1");
  EXPECT_EQ(ask("m200000,1"), "01");
  EXPECT_EQ(ask("Qqemu.PhyMemMode:2"), "E16");
}

TEST_F(GdbSession, ThreadsAreProcessors) {
  EXPECT_EQ(ask("qfThreadInfo"), "m1,2");
  EXPECT_EQ(ask("qsThreadInfo"), "l");
  EXPECT_EQ(ask("qC"), "QC1");
  EXPECT_EQ(ask("T2"), "OK");
  EXPECT_EQ(ask("T3"), "E16");
  EXPECT_EQ(ask("T0"), "E16");
  EXPECT_EQ(from_hex(ask("qThreadExtraInfo,2")), "CPU 1, waits for SIPI");
  guest.machine->pc().processors().at(1).cpu.state.gpr[cpu::RAX] = 5;
  EXPECT_EQ(ask("Hg2"), "OK");
  EXPECT_EQ(get("rax"), "0500000000000000");
  EXPECT_EQ(ask("Hg3"), "E16");
  EXPECT_EQ(ask("Hg-1"), "OK");
}

TEST_F(GdbSession, CommandsOfTheMonitor) {
  const Answers answers = session->take("qRcmd," + to_hex("info pagewalk rip"));
  ASSERT_GE(answers.payloads.size(), 2u);
  EXPECT_EQ(answers.payloads.back(), "OK");
  EXPECT_NE(from_hex(answers.payloads[0].substr(1))->find("100020"), std::string::npos);
  EXPECT_EQ(session->take("qRcmd," + to_hex("frobnicate")).payloads.size(), 2u);
  EXPECT_EQ(ask("qRcmd,zz"), "E16");
}

TEST_F(GdbSession, BreakpointsStopTheRun) {
  EXPECT_NE(ask("qSupported:swbreak+;hwbreak+").find("swbreak+"), std::string::npos);
  EXPECT_EQ(ask("?"), "T05thread:1;");
  EXPECT_EQ(ask("Z0,100020,1"), "OK");
  EXPECT_EQ(ask("Z0,100020,1"), "OK") << "it is the same one";
  EXPECT_EQ(ask("Z5,100020,1"), "");
  EXPECT_EQ(ask("Z2,100020,0"), "E16");
  EXPECT_EQ(ask("Z2,ffffffffffffffff,2"), "E16");
  unsigned stops = 0;
  guest.machine->debugger().on_stop([&] {
    EXPECT_EQ(session->stop_answers(), std::vector<std::string>{"T05thread:1;swbreak:;"});
    EXPECT_TRUE(session->stop_answers().empty()) << "once";
    if (++stops == 3) guest.machine->request_end(ExitReason::Quit, 0);
    EXPECT_TRUE(session->take("vCont;c").payloads.empty());
  });
  EXPECT_TRUE(session->take("c").payloads.empty());
  guest.run();
  EXPECT_EQ(stops, 3u);
  EXPECT_EQ(ask("z0,100020,1"), "OK");
  EXPECT_TRUE(guest.machine->pc().debug_stops().empty());
  EXPECT_EQ(ask("z0,100020,1"), "OK");
  EXPECT_EQ(ask("Z3,100020,4"), "OK");
  session.reset();
  EXPECT_TRUE(guest.machine->pc().debug_stops().empty()) << "it takes with it what it had set";
}

/// The run's end may come before whoever serves it knows that it has left.
TEST_F(GdbSession, WhoDetachesHoldsTheRunNoLonger) {
  guest.machine->debugger().on_stop([] {});
  guest.machine->stop();
  EXPECT_EQ(ask("D"), "OK");
  EXPECT_FALSE(guest.machine->stopped());
  EXPECT_FALSE(guest.machine->debugger().is_attached());
}

TEST_F(GdbSession, ActionsAreWellFormedOrRefused) {
  EXPECT_EQ(ask("vCont?"), "vCont;c;C;s;S;r");
  for (const char* bad :
       {"vCont", "vCont;", "vCont;x", "vCont;s:3", "vCont;r:1", "vCont;r1:1", "vCont;c:0", "vCont;t"})
    EXPECT_EQ(ask(bad), "E16") << bad;
  EXPECT_TRUE(session->take("vCont;r100020,100030:1;c").payloads.empty());
  EXPECT_TRUE(session->waits());
}

/// Whatever comes, each packet has at most one answer beside output, and nothing grows.
TEST_F(GdbSession, NoiseDoesNoHarm) {
  std::mt19937_64 random(1);
  const auto draw = [&](u64 below) { return random() % below; };
  const std::string_view kSeeds[] = {"g",
                                     "G00",
                                     "p10",
                                     "P1=0011223344556677",
                                     "m100000,40",
                                     "M200000,2:0102",
                                     "X200000,1:a",
                                     "Hg1",
                                     "Hc-1",
                                     "T1",
                                     "Z0,100020,1",
                                     "Z2,200000,4",
                                     "z0,100020,1",
                                     "z2,200000,4",
                                     "qSupported:swbreak+",
                                     "qXfer:features:read:target.xml:0,fff",
                                     "vCont;s:1;c",
                                     "vCont;r100000,200000:1",
                                     "qRcmd,73746f70",
                                     "qThreadExtraInfo,1",
                                     "?",
                                     "Qqemu.PhyMemMode:1",
                                     "qC",
                                     "s",
                                     "c",
                                     "vCont?",
                                     "QStartNoAckMode"};
  const std::string_view kPieces = "0123456789abcdefABF:;,#$}*-?zZqQvmMXgGpP";
  for (unsigned round = 0; round < 20'000; ++round) {
    std::string payload(kSeeds[draw(std::size(kSeeds))]);
    for (u64 changes = draw(4); changes != 0; --changes) {
      const std::size_t at = draw(payload.size() + 1);
      switch (draw(3)) {
        case 0: payload.insert(at, 1, kPieces[draw(kPieces.size())]); break;
        case 1: payload.erase(at, 1 + draw(3)); break;
        default:
          if (at < payload.size()) payload[at] = static_cast<char>(random());
      }
    }
    // Commands of the monitor have their own tests, and may write files.
    if (payload.starts_with("qRcmd")) payload = "qRcmd," + to_hex("status");
    const Answers answers = session->take(payload);
    ASSERT_LE(answers.payloads.size(), 2u) << payload;
    for (const std::string& each : answers.payloads) ASSERT_LE(each.size(), 2 * kMaxPayloadBytes) << payload;
    if (session->waits()) {
      session->interrupt();
      ASSERT_FALSE(session->stop_answers().empty()) << payload;
    }
  }
  PacketReader reader;
  for (unsigned i = 0; i < 1'000'000; ++i) (void)reader.take(static_cast<u8>(draw(4) == 0 ? '#' : random()));
}

}  // namespace
}  // namespace reprise::machine::gdb
