// The monitor's commands on small machines, and its JSON lines.
#include "machine/monitor/monitor.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "machine/monitor/json_protocol.h"
#include "machine/monitor/qemu_names.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine::monitor {
namespace {

const char* const kLooks[] = {"status",
                              "screen",
                              "info registers",
                              "info pagewalk rip",
                              "explain rip",
                              "info memory-map",
                              "info tlb",
                              "info phys-map",
                              "info irq",
                              "info pci",
                              "info devices",
                              "info stats",
                              "info hash",
                              "info cpus",
                              "cpu",
                              "info disks",
                              "info network",
                              "memory rsp 256",
                              "memory 0 64 phys",
                              "disassemble",
                              "help",
                              "version",
                              "info devices lapic",
                              "info pagewalk 0xfee00000"};

struct Machines : testing::Test {
  Guest guest{kSpin};
  Monitor monitor{*guest.machine, "reprise test"};

  Json ask(std::string_view request) { return Json::parse(respond(monitor, request)); }
  /// Keys of the log: "a+ a- ".
  std::string logged() const {
    std::string text;
    for (const LoggedEvent& logged : guest.machine->recorder().events()) {
      const KeyEvent& key = std::get<KeyEvent>(logged.event);
      text += fmt::format("{}{} ", name_of(key.key), key.down ? '+' : '-');
    }
    return text;
  }
  Json error_of(std::string_view request) { return ask(request).at("error"); }
};

TEST_F(Machines, EveryLookAnswersInBothForms) {
  for (const std::string line : kLooks) {
    const Outcome outcome = monitor.execute_line(line);
    ASSERT_TRUE(outcome.ok()) << line << ": " << outcome.error().message;
    EXPECT_TRUE(outcome.value().json.is_object());
    EXPECT_FALSE(outcome.value().json.empty()) << line;
    if (line == "screen" || line == "info disks") continue;
    EXPECT_TRUE(outcome.value().text.ends_with('\n')) << line;
  }
}

TEST(Lines, TellTheirMistakesWithoutAMachine) {
  for (const char* line : kLooks) EXPECT_TRUE(Monitor::check_line(line).ok()) << line;
  for (const char* line : {"", "info", "last-write jiffies,8 phys before @17", "memory init_task 64"})
    EXPECT_TRUE(Monitor::check_line(line).ok()) << line;
  const auto mistake = [](const char* line) {
    const auto checked = Monitor::check_line(line);
    return checked.ok() ? std::string("none") : checked.error().message;
  };
  EXPECT_NE(mistake("info nothing").find("no command 'info nothing'"), std::string::npos);
  EXPECT_NE(mistake("last-write").find("'address' is missing"), std::string::npos);
  EXPECT_NE(mistake("last-write rip before").find("missing behind 'before'"), std::string::npos);
  EXPECT_NE(mistake("memory rip many").find("'bytes' is not a whole number: 'many'"), std::string::npos);
  EXPECT_NE(mistake("memory rip 1 phys more and more").find("Too many arguments"), std::string::npos);
}

TEST_F(Machines, RegistersAreThoseOfTheProcessor) {
  cpu::CpuState& state = guest.machine->pc().processors().boot().cpu.state;
  state.gpr[cpu::R9] = 0x1234'5678'9abc'def0;
  const Json json = ask(R"({"execute": "info registers"})").at("return");
  EXPECT_EQ(json.at("r9"), "0x123456789abcdef0");
  EXPECT_EQ(json.at("rip"), fmt::format("{:#x}", state.rip));
  EXPECT_EQ(json.at("mode"), "32-bit protected");
  EXPECT_EQ(json.at("cr0_bits"), "PE ET NE");
}

TEST_F(Machines, MemoryAndCodeAreReadWhereTheyAre) {
  const Json json =
      ask(R"({"execute": "memory", "arguments": {"address": "0x100020", "bytes": 2}})").at("return");
  EXPECT_EQ(json.at("bytes"), "ebfe");
  const Json code = ask(R"({"execute": "disassemble", "arguments": {"count": 1}})").at("return");
  EXPECT_EQ(code.at("instructions").at(0).at("bytes"), "ebfe");
  // A device is not read.
  const Json device =
      ask(R"({"execute": "memory", "arguments": {"address": 4276092928, "bytes": 4, "space": "phys"}})")
          .at("return");
  EXPECT_EQ(device.at("bytes"), "--------");
}

MachineConfig with_processors(unsigned count) {
  MachineConfig config;
  config.cpu.topology.cores = count;
  return config;
}

TEST(SeveralProcessors, CommandsAreAboutTheOneThatWasChosen) {
  Guest guest{kSpin, with_processors(3)};
  Monitor monitor{*guest.machine, "reprise test"};
  for (unsigned i = 0; i < 3; ++i) {
    cpu::CpuState& state = guest.machine->pc().processors().at(i).cpu.state;
    state.gpr[cpu::R9] = 0x900 + i;
    state.gpr[cpu::RBX] = 0x10'0020 + 16 * i;
  }
  const auto r9 = [&](std::string_view line) {
    return monitor.execute_line(line).value().json.at("r9").get<std::string>();
  };
  EXPECT_EQ(r9("info registers"), "0x900") << "the one whose turn it is";
  EXPECT_EQ(r9("info registers 1"), "0x901");
  EXPECT_FALSE(monitor.execute_line("cpu 3").ok());
  EXPECT_FALSE(monitor.execute_line("cpu -1").ok());
  EXPECT_EQ(monitor.execute_line("cpu 2").value().json.at("cpu"), 2);
  EXPECT_EQ(r9("info registers"), "0x902");
  EXPECT_EQ(r9("info registers 1"), "0x901");
  const auto first_address = [&](std::string_view line) {
    return monitor.execute_line(line).value().json.at("instructions").at(0).at("address").get<std::string>();
  };
  EXPECT_EQ(first_address("disassemble rbx 1"), "0x100040") << "names of registers are of the chosen one";
  EXPECT_EQ(first_address("disassemble rbx 1 1"), "0x100030") << "or of the one that is named";
  EXPECT_EQ(monitor.execute_line("print r9").value().text, "0x902\n");
  EXPECT_EQ(monitor.execute_line("p/x $r9 + 1").value().text, "0x903\n");
  EXPECT_TRUE(monitor.execute_line("cpu any").ok());
  EXPECT_EQ(monitor.execute_line("print r9").value().text, "0x900\n");
  EXPECT_EQ(r9("info registers"), "0x900");
  const Json cpus = monitor.execute_line("info cpus").value().json.at("processors");
  ASSERT_EQ(cpus.size(), 3u);
  EXPECT_EQ(cpus[0].at("activity"), "running");
  EXPECT_EQ(cpus[2].at("activity"), "waiting for SIPI");
  EXPECT_EQ(cpus[2].at("apic_id"), 2);
}

TEST(SeveralProcessors, AnNmiReachesThemAll) {
  Guest guest{kSpin, with_processors(3)};
  Monitor monitor{*guest.machine, "reprise test"};
  // The boot processor's LINT1 is set up for it by the loader, the others' by the guest.
  Processors& processors = guest.machine->pc().processors();
  constexpr u64 kSvr = 0xf0, kLvtLint1 = 0x360;
  processors.at(1).lapic.mmio_write(kSvr, Width::Dword, 0x1ff);
  processors.at(1).lapic.mmio_write(kLvtLint1, Width::Dword, 0x400);
  EXPECT_TRUE(monitor.execute_line("nmi").ok());
  RunLimits limits;
  limits.stop_at_retired = 1;
  guest.run(limits);
  EXPECT_TRUE(processors.at(1).cpu.state.nmi_pending);
  EXPECT_FALSE(processors.at(2).cpu.state.nmi_pending) << "its LVT is masked, as after RESET";
  EXPECT_TRUE(processors.at(0).cpu.state.nmi_pending || processors.at(0).cpu.state.nmi_blocked);
  EXPECT_EQ(guest.machine->recorder().events()[0].sink, "nmi-button");
}

TEST_F(Machines, PressedButtonsGoThroughTheInboxAndItsLog) {
  EXPECT_TRUE(monitor.execute_line("powerdown").ok());
  EXPECT_TRUE(guest.machine->inbox().has_messages());
  RunLimits limits;
  limits.stop_at_retired = 1000;
  guest.run(limits);
  ASSERT_EQ(guest.machine->recorder().events().size(), 1u);
  EXPECT_EQ(guest.machine->recorder().events()[0].sink, "power-button");
  constexpr u64 kPowerButtonStatus = 1u << 8;
  EXPECT_EQ(guest.machine->pc().port_read(kPm1EventPort, Width::Word) & kPowerButtonStatus,
            kPowerButtonStatus);
}

TEST_F(Machines, BreaksReachTheirPort) {
  EXPECT_TRUE(monitor.execute_line("break").ok());
  EXPECT_TRUE(monitor.execute_line("break com2").ok());
  EXPECT_FALSE(monitor.execute_line("break com3").ok());
  RunLimits limits;
  limits.virtual_timeout_ns = 100'000'000;
  guest.run(limits);
  ASSERT_EQ(guest.machine->recorder().events().size(), 2u);
  EXPECT_EQ(guest.machine->recorder().events()[0].sink, "com1-break");
  EXPECT_EQ(guest.machine->recorder().events()[1].sink, "com2-break");
  constexpr u8 kLsr = 5, kBreakAndData = 0x11;
  for (const u16 port : {kCom1Port, kCom2Port}) {
    const u32 lsr = guest.machine->pc().port_read(static_cast<u16>(port + kLsr), Width::Byte);
    EXPECT_EQ(lsr & kBreakAndData, kBreakAndData);
  }
}

TEST_F(Machines, KeysArriveAtTheKeyboard) {
  EXPECT_TRUE(monitor.execute_line("sendkey ctrl-alt-delete").ok());
  for (const char* bad :
       {"sendkey", "sendkey nokey", "sendkey a-", "sendkey -a", "sendkey a 100", "type", "type \\q",
        "type \xff", "mouse move 1", "mouse move 1 x", "mouse move 1 99999", "mouse to -1 0",
        "mouse to 0 32768", "mouse buttons 32", "click", "click up", "click left 1"})
    EXPECT_FALSE(monitor.execute_line(bad).ok()) << bad;
  RunLimits limits;
  limits.virtual_timeout_ns = 100'000'000;
  guest.run(limits);
  EXPECT_EQ(logged(), "ctrl+ alt+ delete+ delete- alt- ctrl- ");
  EXPECT_EQ(guest.machine->recorder().events()[0].sink, "typing");
  EXPECT_EQ(guest.machine->pc().port_read(0x64, Width::Byte) & 1, 1u);
}

TEST_F(Machines, ATextIsTyped) {
  EXPECT_TRUE(monitor.execute_line("type aB ~\\n").ok());
  EXPECT_TRUE(monitor.execute_line("type \"\\x41\\\\\"").ok());
  EXPECT_TRUE(ask(R"({"execute": "type", "arguments": {"text": "\n\""}})").contains("return"));
  RunLimits limits;
  limits.virtual_timeout_ns = 100'000'000;
  guest.run(limits);
  EXPECT_EQ(logged(),
            "a+ a- shift+ b+ b- shift- spc+ spc- shift+ grave_accent+ grave_accent- shift- ret+ ret- "
            "shift+ a+ a- shift- backslash+ backslash- ret+ ret- shift+ apostrophe+ apostrophe- shift- ");
}

/// Reads the controller's data port while there is something, and prints it in hexadecimal.
const Code kReadKeyboard = {
    0xe4, 0x64,              // again: in al, 64h
    0xa8, 0x01,              // test al, 1
    0x74, 0xfa,              // jz again
    0xe4, 0x60,              // in al, 60h
    0x66, 0xba, 0xf8, 0x03,  // mov dx, 3F8h
    0xee,                    // out dx, al
    0xeb, 0xf1,              // jmp again
};

TEST(Input, ASlowGuestGetsAllThatIsTyped) {
  Guest guest{kReadKeyboard};
  Monitor monitor{*guest.machine, "reprise test"};
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>('a' + i % 26);
  EXPECT_TRUE(monitor.execute_line("type " + text).ok());
  RunLimits limits;
  limits.virtual_timeout_ns = 20'000'000'000;
  limits.stop_at_retired = 9'000'000'000;
  guest.run(limits);
  std::string got;
  for (const char code : guest.com1.text)
    for (const KeyRow& row : key_rows())
      if (row.set1 == static_cast<u8>(code)) got += row.name;
  EXPECT_EQ(got, text);
}

TEST_F(Machines, PointersAreMoved) {
  for (const char* line : {"mouse move -3 4 -1", "mouse_move 1 0", "mouse_button 6", "mouse buttons 0",
                           "mouse to 100 32767", "click left 5 6", "click right"})
    EXPECT_TRUE(monitor.execute_line(line).ok()) << line;
  EXPECT_TRUE(ask(R"({"execute": "mouse move", "arguments": {"dx": -1, "dy": 1}})").contains("return"));
  RunLimits limits;
  limits.virtual_timeout_ns = 100'000'000;
  guest.run(limits);
  std::string pointers;
  for (const LoggedEvent& logged : guest.machine->recorder().events()) {
    EXPECT_EQ(logged.sink, "pointer");
    const PointerChange& change = std::get<PointerEvent>(logged.event).change;
    pointers += fmt::format("{}:{},{},{},{} ", static_cast<int>(change.motion), change.x, change.y,
                            change.wheel, change.buttons);
  }
  EXPECT_EQ(pointers,
            "1:-3,4,0,0 0:0,0,-1,0 1:1,0,0,0 0:0,0,0,6 0:0,0,0,0 2:100,32767,0,0 "
            "2:5,6,0,0 0:0,0,0,1 0:0,0,0,0 0:0,0,0,2 0:0,0,0,0 1:-1,1,0,0 ");
}

TEST(Input, HandsThatGoLetGo) {
  Guest guest{kSpin};
  const auto count = [&] {
    RunLimits limits;
    limits.virtual_timeout_ns = guest.machine->virtual_ns() + 10'000'000;
    guest.run(limits);
    return guest.machine->recorder().events().size();
  };
  {
    InputSource hands(guest.machine->inbox(), guest.machine->input_status());
    EXPECT_TRUE(hands.key("shift", true));
    EXPECT_FALSE(hands.key("no such key", true));
    hands.key("shift", true);
    hands.button(pointer_buttons::kLeft, true);
    hands.move_to(10, 10, 640, 480);
    EXPECT_EQ(count(), 2u) << "a key is pressed once; where a pointer begins is no movement";
    hands.move_to(13, 9, 640, 480);
    EXPECT_EQ(count(), 3u);
    const auto moved = std::get<PointerEvent>(guest.machine->recorder().events()[2].event).change;
    EXPECT_EQ(moved.motion, PointerChange::Motion::Relative) << "there is no tablet";
    EXPECT_EQ(moved.x, 3);
    EXPECT_EQ(moved.y, -1);
  }
  EXPECT_EQ(count(), 5u);
  EXPECT_EQ(guest.machine->input_status().leds(), 0);
}

TEST_F(Machines, ExpressionsAreCounted) {
  const auto value = [&](const std::string& text) {
    const Outcome outcome = monitor.execute_line("p/d " + text);
    return outcome ? outcome.value().text : "none\n";
  };
  EXPECT_EQ(value("1 + 2 * 3"), "7\n");
  EXPECT_EQ(value("(1 + 2)*3 - -1"), "10\n");
  EXPECT_EQ(value("7 / 2 % 2"), "1\n");
  EXPECT_EQ(value("0xf0 & ~0x10 | 1 ^ 3"), "226\n");
  EXPECT_EQ(value("10 - 2 - 3"), "5\n");
  for (const char* bad : {"1 / 0", "1 +", "(1", "1)", "nothing", "1 2", ""})
    EXPECT_EQ(value(bad), "none\n") << bad;
  EXPECT_EQ(value(std::string(100'000, '(') + "1"), "none\n");
  EXPECT_EQ(monitor.execute_line("p/c 65").value().text, "'A'\n");
  EXPECT_EQ(monitor.execute_line("p 255").value().text, "0xff\n");
  EXPECT_FALSE(monitor.execute_line("p/q 1").ok());
}

TEST_F(Machines, TheScreenIsWrittenToAFile) {
  const std::string path = fmt::format("{}/screen-{}.txt", testing::TempDir(), getpid());
  std::filesystem::remove(path);
  EXPECT_TRUE(monitor.execute_line("screendump \"" + path + "\"").ok());
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}),
            monitor.execute_line("screen").value().text);
  EXPECT_FALSE(monitor.execute_line("screendump \"" + path + "\"").ok()) << "no file is replaced";
  EXPECT_FALSE(monitor.execute_line("screendump /nonexistent/screen").ok());
  EXPECT_FALSE(monitor.execute_line("screendump /dev/full").ok());
}

TEST_F(Machines, AForcedEjectIsWrittenAsQemuDoes) {
  const auto words = in_our_words(std::vector<std::string_view>{"eject", "-f", "cdrom0"});
  ASSERT_TRUE(words.ok());
  EXPECT_EQ(words.value(), (std::vector<std::string>{"eject", "cdrom0", "force"}));
}

TEST_F(Machines, ResetWithoutFirmwareEndsTheRun) {
  EXPECT_TRUE(monitor.execute_line("reset").ok());
  EXPECT_EQ(guest.run().reason, ExitReason::Reset);
}

TEST_F(Machines, QuitEndsTheRun) {
  EXPECT_TRUE(monitor.execute_line("quit").ok());
  EXPECT_EQ(guest.run().reason, ExitReason::Quit);
}

TEST_F(Machines, StoppedGuestsRunNoInstructionUntilTheyAreResumed) {
  std::thread user([&] {
    HostCalls& calls = guest.machine->host_calls();
    const auto say = [&](const std::string& line) {
      EXPECT_TRUE(calls.run([&] { EXPECT_TRUE(monitor.execute_line(line).ok()); }));
    };
    u64 before = 0;
    u64 after = 1;
    say("stop");
    EXPECT_TRUE(calls.run([&] { before = guest.machine->retired(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(120));
    EXPECT_TRUE(calls.run([&] { after = guest.machine->retired(); }));
    EXPECT_EQ(before, after);
    say("cont");
    while (after == before) EXPECT_TRUE(calls.run([&] { after = guest.machine->retired(); }));
    say("stop");
    EXPECT_TRUE(calls.run([&] { before = guest.machine->retired(); }));
    for (const u64 count : {u64{1}, u64{2}, u64{1'000'000}}) {
      say("step " + std::to_string(count));
      for (bool stopped = false; !stopped;)
        EXPECT_TRUE(calls.run([&] { stopped = guest.machine->stopped(); }));
      EXPECT_TRUE(calls.run([&] { after = guest.machine->retired(); }));
      EXPECT_EQ(after, before + count);
      before = after;
    }
    say("quit");
  });
  RunLimits limits;
  limits.virtual_timeout_ns = 1'000'000'000'000'000;
  EXPECT_EQ(guest.run(limits).reason, ExitReason::Quit);
  user.join();
}

// Two guests, one watched all the time and stopped now and then: the same chain of hashes.
TEST(Monitor, LookingChangesNothing) {
  // Counts in memory, reads the PIT, halts until the next tick now and then.
  const Code busy =
      out8(0x20, 0x11) + out8(0x21, 0x20) + out8(0x21, 4) + out8(0x21, 1) + out8(0x21, 0xff) +
      out8(0x43, 0x34) + out8(0x40, 0x00) + out8(0x40, 0x10) +
      Code{0xff, 0x05, 0x00, 0x00, 0x20, 0x00, 0xe4, 0x40, 0x01, 0x05, 0x04, 0x00, 0x20, 0x00, 0xeb, 0xf0};
  const boot::TemporaryFile file(Guest::image(busy));
  RunLimits limits;
  limits.stop_at_retired = 3'000'000;
  limits.hash_every_retired = 250'000;
  limits.virtual_timeout_ns = 1'000'000'000'000;

  Guest alone(file, {});
  const RunResult expected = alone.run(limits);
  ASSERT_EQ(expected.reason, ExitReason::StopAt);

  Guest watched(file, {});
  Monitor monitor(*watched.machine, "reprise test");
  unsigned looks = 0;
  std::thread user([&] {
    for (bool running = true; running;) {
      for (const std::string line : {"stop", "cont"}) {
        running = watched.machine->host_calls().run([&] { EXPECT_TRUE(monitor.execute_line(line).ok()); });
        for (const char* const look : kLooks) {
          if (!running) break;
          running = watched.machine->host_calls().run([&] { EXPECT_TRUE(monitor.execute_line(look).ok()); });
          looks += running;
        }
      }
    }
  });
  const RunResult result = watched.run(limits);
  user.join();
  EXPECT_GT(looks, std::size(kLooks));
  EXPECT_EQ(result.state_hash, expected.state_hash);
  ASSERT_EQ(result.hashes.size(), expected.hashes.size());
  for (std::size_t i = 0; i < expected.hashes.size(); ++i)
    EXPECT_EQ(result.hashes[i].state_hash, expected.hashes[i].state_hash) << i;
}

TEST(Monitor, AnswersWhileThePacedGuestIsIdle) {
  Guest guest(kMaskPics + kSti + kHlt + kSpin);
  Monitor monitor(*guest.machine, "reprise test");
  guest.machine->inbox().add_source();
  std::thread user([&] {
    std::string text;
    while (text.find("idle at instruction") == text.npos) {
      ASSERT_TRUE(
          guest.machine->host_calls().run([&] { text = monitor.execute_line("status").value().text; }));
    }
    for (const std::string_view line : {"stop", "info registers", "cont", "quit"})
      ASSERT_TRUE(guest.machine->host_calls().run([&] { EXPECT_TRUE(monitor.execute_line(line).ok()); }));
  });
  RunLimits limits;
  limits.clock = ClockMode::Paced;
  limits.virtual_timeout_ns = 1'000'000'000'000;
  limits.wall_timeout_s = 60;
  EXPECT_EQ(guest.run(limits).reason, ExitReason::Quit);
  user.join();
}

TEST(HostCalls, AreDroppedWhenTheRunEnds) {
  Guest guest(kPowerOff + kSpin);
  EXPECT_EQ(guest.run().reason, ExitReason::PowerOff);
  bool done = false;
  EXPECT_FALSE(guest.machine->host_calls().run([&] { done = true; }));
  EXPECT_FALSE(done);
}

TEST_F(Machines, Completions) {
  EXPECT_EQ(Monitor::completions("info pa"), std::vector<std::string>{"info pagewalk"});
  EXPECT_GT(Monitor::completions("").size(), 15u);
  EXPECT_TRUE(Monitor::completions("xyz").empty());
}

TEST_F(Machines, NamesOfQemuAreUnderstood) {
  constexpr std::pair<const char*, const char*> kSame[] = {{"info status", "status"},
                                                           {"info block", "info disks"},
                                                           {"info mtree", "info phys-map"},
                                                           {"info version", "version"},
                                                           {"x/4xb 0x100020", "memory 0x100020 4"},
                                                           {"x /2xw $pc", "memory rip 8"},
                                                           {"x 0x100020", "memory 0x100020 4"},
                                                           {"xp/8xb 0x100020", "memory 0x100020 8 phys"},
                                                           {"x/2i $pc", "disassemble rip 2"},
                                                           {"x/2i $pc+0", "disassemble rip 2"},
                                                           {"info", "help info"},
                                                           {"mouse", "help mouse"},
                                                           {"p/d $rip + 4 * (2 - 1)", "print/d rip+4"},
                                                           {"print 0x10", "p/x 16"},
                                                           {"x/i rip", "disassemble rip 1"},
                                                           {"help info block", "help info block"}};
  for (const auto& [qemu, ours] : kSame) {
    const Outcome one = monitor.execute_line(qemu);
    const Outcome other = monitor.execute_line(ours);
    ASSERT_TRUE(one.ok()) << qemu << ": " << one.error().message;
    EXPECT_EQ(one.value().json, other.value().json) << qemu;
  }
  for (const char* bad :
       {"x", "x/", "x/0x 1", "x/4q 1", "x/4xb", "x/4xb 1 2", "xp/i 0x100020", "x/99999999999999999999b 1"})
    EXPECT_FALSE(monitor.execute_line(bad).ok()) << bad;
  for (const QemuName& name : qemu_names()) {
    EXPECT_TRUE(std::ranges::any_of(commands(), [&](const Command& command) {
      return command.name == name.ours;
    })) << name.ours;
    EXPECT_FALSE(std::ranges::any_of(commands(), [&](const Command& command) {
      return command.name == name.qemu;
    })) << name.qemu;
  }
  EXPECT_TRUE(ask(R"({"execute": "info status"})").contains("return"));
}

TEST_F(Machines, NetworkCommandsAreQemus) {
  // The machine has no network: what was understood is refused for that.
  for (const char* line : {"info usernet", "hostfwd_add tcp::0-:22", "hostfwd_add net0 tcp::0-:22",
                           "hostfwd_remove tcp::22", "set_link net0 off"}) {
    const Outcome outcome = monitor.execute_line(line);
    ASSERT_FALSE(outcome.ok()) << line;
    EXPECT_NE(outcome.error().message.find("There is no network"), std::string::npos)
        << outcome.error().message;
  }
  EXPECT_NE(monitor.execute_line("set_link net0 down").error().message.find("neither on nor off"),
            std::string::npos);
  EXPECT_NE(monitor.execute_line("hostfwd_add tcp::22").error().message.find("hostfwd=tcp::22"),
            std::string::npos);
  EXPECT_EQ(monitor.execute_line("loadvm x").error().message,
            "'loadvm' is a command of QEMU's: -loadvm NAME goes on from a state that savevm has saved, and "
            "reprise run "
            "--load FILE from one of 'save'.");
}

TEST_F(Machines, MistakesAreOneSentence) {
  for (const std::string_view line :
       {"frobnicate", "info nothing", "info pagewalk", "info pagewalk zz", "info pagewalk 1 0 2",
        "info pagewalk 0 7", "memory 0 0", "memory 0 65537", "memory 0 1 sideways", "disassemble 0 5000",
        "step 0", "info devices nonesuch", "info pagewalk 0x", "info pagewalk 99999999999999999999"}) {
    const Outcome outcome = monitor.execute_line(line);
    ASSERT_FALSE(outcome.ok()) << line;
    EXPECT_TRUE(outcome.error().message.ends_with('.')) << outcome.error().message;
    EXPECT_EQ(outcome.error().message.find('\n'), std::string::npos);
  }
}

TEST_F(Machines, ExpressionsSayWhatIsWrong) {
  const auto said = [&](const char* line) {
    const Outcome outcome = monitor.execute_line(line);
    return outcome ? outcome.value().text : outcome.error().message;
  };
  EXPECT_EQ(said("print 1/0"), "'1/0' has no value: there is a division by 0.");
  EXPECT_EQ(said("print 7 % (2-2)"), "'7 % (2-2)' has no value: there is a division by 0.");
  EXPECT_EQ(said("print 1 << 64"),
            "'1 << 64' has no value: no operator stands before '<< 64' (there are + - * / % & | ^ ~).");
  EXPECT_EQ(said("print 0x10000000000000000"),
            "'0x10000000000000000' has no value: '0x10000000000000000' has more than 64 bits.");
  EXPECT_EQ(said("print foo"), "'foo' has no value: 'foo' is neither a number nor a register.");
  EXPECT_EQ(said("print (1"), "'(1' has no value: a '(' has no ')'.");
  EXPECT_EQ(said("print 1)"), "'1)' has no value: a ')' has no '('.");
  EXPECT_EQ(said("print 1+"), "'1+' has no value: a number or register is missing at its end.");
  EXPECT_EQ(said("print \"\""), "'' has no value: a number or register is missing at its end.");
  EXPECT_EQ(said("print 0-1"), "0xffffffffffffffff\n");
  EXPECT_EQ(said("print 0xffffffffffffffff+2"), "0x1\n");
  EXPECT_NE(said("memory 1/0").find("there is a division by 0"), std::string::npos);
}

// --- JSON lines ---

TEST_F(Machines, RequestsAndResponses) {
  EXPECT_EQ(ask(R"({"execute": "version", "id": 7})"),
            Json::parse(R"({"return": {"version": "reprise test"}, "id": 7})"));
  EXPECT_EQ(ask(R"({"execute": "version", "id": "a"})").at("id"), "a");
  EXPECT_NE(ask(R"({"execute": "human", "arguments": {"line": "info registers"}})")
                .at("return")
                .at("text")
                .get<std::string>()
                .find("rip"),
            std::string::npos);
  EXPECT_EQ(Json::parse(greeting(monitor)).at("reprise").at("version"), "reprise test");
  EXPECT_EQ(Json::parse(ended_response()).at("error").at("class"), "Ended");
}

TEST_F(Machines, BadRequests) {
  const std::string deep =
      R"({"execute":"version","id":)" + std::string(30000, '[') + std::string(30000, ']') + "}";
  for (const std::string& request :
       {std::string(""), std::string("{"), std::string("[]"), std::string("7"), std::string("{}"), deep,
        std::string(R"({"execute": 5})"), std::string(R"({"execute": "version", "id": {}})"),
        std::string(R"({"execute": "version", "surprise": 1})"), std::string("{\"execute\": \"\xff\"}"),
        R"({"execute": "version", "id": ")" + std::string(300, 'x') + "\"}"})
    EXPECT_EQ(error_of(request).at("class"), "BadRequest") << request.substr(0, 80);
  EXPECT_EQ(error_of(R"({"execute": "frobnicate"})").at("class"), "UnknownCommand");
  for (const std::string_view request :
       {R"({"execute": "version", "arguments": []})", R"({"execute": "version", "arguments": {"x": 1}})",
        R"({"execute": "info pagewalk"})", R"({"execute": "info pagewalk", "arguments": {"address": -1}})",
        R"({"execute": "info pagewalk", "arguments": {"address": 1.5}})",
        R"({"execute": "info pagewalk", "arguments": {"address": null}})",
        R"({"execute": "human", "arguments": {"line": 1}})", R"({"execute": "human"})"})
    EXPECT_EQ(error_of(request).at("class"), "BadArgument") << request;
}

TEST_F(Machines, WhatIsNoCommandsNameSaysWhatToSend) {
  EXPECT_EQ(ask(R"({"execute": "info"})"), ask(R"({"execute": "help", "arguments": {"command": "info"}})"));
  const auto message = [&](const char* request) {
    return error_of(request).at("message").get<std::string>();
  };
  EXPECT_EQ(ask(R"({"execute": "mouse"})"), ask(R"({"execute": "help", "arguments": {"command": "mouse"}})"));
  EXPECT_NE(message(R"({"execute": "mouse", "arguments": {"dx": 1}})").find("mouse move"), std::string::npos);
  EXPECT_EQ(message(R"({"execute": "a\u001b[2J\n"})"),
            "There is no command 'a\\x1b[2J\\n'; 'help' lists them.");
  EXPECT_NE(message(R"({"execute": "info", "arguments": {"what": "irq"}})").find("info cpus"),
            std::string::npos);
  for (const char* request :
       {R"({"execute": "x"})", R"({"execute": "x/4i rip"})", R"({"execute": "info irq 1"})",
        R"({"execute": "print rip"})", R"({"execute": "p"})"})
    EXPECT_NE(message(request).find("\"human\""), std::string::npos) << message(request);
  EXPECT_NE(message(R"({"execute": "qmp_capabilities"})").find("QMP"), std::string::npos);
  EXPECT_EQ(message(R"({"execute": "information"})").find("There is no command"), 0u);
}

TEST_F(Machines, AnyBytesGetAResponse) {
  const std::string good[] = {
      R"({"execute": "info pagewalk", "arguments": {"address": "rip", "cpu": 0}, "id": 1})",
      R"({"execute": "memory", "arguments": {"address": 4096, "bytes": 16}})",
      R"({"execute": "human", "arguments": {"line": "info devices lapic"}})",
      R"({"execute": "help", "arguments": {"command": "info"}, "id": "x"})"};
  std::mt19937_64 random(7);
  unsigned answered = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string request = good[random() % std::size(good)];
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      const std::size_t at = random() % request.size();
      switch (random() % 3) {
        case 0: request[at] = static_cast<char>(random()); break;
        case 1: request.erase(at, random() % 8); break;
        default: request.insert(at, request.substr(random() % request.size(), random() % 16));
      }
      if (request.empty()) request = "{";
    }
    const Json response = Json::parse(respond(monitor, request));
    ASSERT_TRUE(response.contains("return") != response.contains("error"));
    answered += response.contains("return");
  }
  EXPECT_GT(answered, 800u);
  EXPECT_FALSE(guest.machine->stopped());
}

}  // namespace
}  // namespace reprise::machine::monitor
